"""The protocol itself, against candidates whose truth is known and children that misbehave."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from recommender.measure.isolate import Job, Outcome, run
from recommender.measure.statistics import stable
from tests.measure.simulated import Lab

ROOT = Path(__file__).parents[2]
WINNERS = ("RECOMMENDED", "KEEP-BASELINE")


def verdicts(runs: int, levels: dict[str, float], mode: str = "normal", seed: int = 0, **lab: Any) -> Counter[str]:
    return Counter(Lab(levels, seed=seed + number, **lab).compare(mode=mode).judgement.word for number in range(runs))


# --- false winners and power -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.02, 0.03, 0.05])
@pytest.mark.parametrize("mode", ["normal", "strict"])
def test_equal_candidates_give_a_winner_in_at_most_one_of_twenty(noise: float, mode: str) -> None:
    found = verdicts(400, {"base": 100, "a": 100}, mode, noise=noise)
    assert sum(found[word] for word in WINNERS) <= 20
    assert found["TIE"] > 0


def test_quick_mode_gives_no_false_winner() -> None:
    found = verdicts(400, {"base": 100, "a": 100}, "quick", noise=0.03)
    assert sum(found[word] for word in WINNERS) <= 1


def test_many_equal_candidates_give_no_more_winners_than_two() -> None:
    found = verdicts(100, {"base": 100, **dict.fromkeys("abcde", 100)}, noise=0.03)
    assert sum(found[word] for word in WINNERS) <= 5


@pytest.mark.parametrize(("noise", "least"), [(0.02, 0.98), (0.03, 0.95), (0.05, 0.6)])
def test_a_true_gap_of_six_percent_is_found(noise: float, least: float) -> None:
    found = verdicts(200, {"base": 100, "a": 106}, "strict", noise=noise)
    assert found["RECOMMENDED"] >= 200 * least and found["KEEP-BASELINE"] == 0


def test_a_true_gap_below_the_tie_band_is_no_win() -> None:
    found = verdicts(200, {"base": 100, "a": 100.8}, "strict", noise=0.005)
    assert found["TIE"] >= 195


def test_confirmation_fails_by_chance_in_about_one_of_twenty() -> None:
    failed = sum(Lab({"base": 100, "a": 110}, noise=0.02, seed=seed).compare().confirmed is False for seed in range(200))
    assert failed <= 20


# --- order and drift ---------------------------------------------------------------------------------------------------


def test_interleaving_removes_the_order_effect() -> None:
    levels = {"base": 100.0, "a": 100.0}
    mixed = verdicts(400, levels, noise=0.01, first_in_round=0.92)
    assert sum(mixed[word] for word in WINNERS) <= 20
    always_first = verdicts(50, {**levels, "base": 92.0}, noise=0.01)  # what one fixed order would do to the baseline
    assert always_first["RECOMMENDED"] == 50


def test_drift_over_a_comparison_hits_all_alike() -> None:
    class Warming(Lab):
        def take(self, candidate: str, round: int) -> Any:
            self.levels = {name: level * 0.99 for name, level in self.levels.items()}  # 1 % slower with every repetition
            return super().take(candidate, round)

    words = Counter(Warming({"base": 100, "a": 100}, noise=0.01, seed=seed).compare().judgement.word for seed in range(200))
    assert sum(words[word] for word in WINNERS) <= 10


def test_drift_within_a_process_is_flagged() -> None:
    rng = Random(1)

    def samples(drift: float) -> list[float]:
        return [(1 + drift * at / 100) * (1 + rng.gauss(0, 0.02)) for at in range(100)]

    assert [stable(samples(drift)) for drift in (0.0, 0.03, 0.25, 1.0)] == ["ok", "ok", "unstable", "moving"]


# --- classes of failure, by real processes -----------------------------------------------------------------------------


def child(tmp_path: Path, function: str, **limits: Any) -> Outcome:
    arguments = limits.pop("arguments", {})
    return run(Job(function=f"tests.measure.behaviours:{function}", arguments=arguments, folder=tmp_path, packages={"tests": str(ROOT / "tests")}, **limits))


def test_a_child_answers(tmp_path: Path) -> None:
    found = child(tmp_path, "answers", arguments={"value": {"a": [1, 2.5]}})
    assert found.ok and found.value == {"a": [1, 2.5]}
    assert found.reproducer["command"].endswith(str(tmp_path)) and (tmp_path / "reproduce.sh").is_file()


@pytest.mark.parametrize("function", ["hangs", "spins"])
def test_a_hang_is_a_timeout(tmp_path: Path, function: str) -> None:
    found = child(tmp_path, function, wall=1.0)
    assert (found.kind, found.message) == ("timeout", "no end within 1 s") and found.elapsed < 30


@pytest.mark.parametrize("function", ["leaks", "leaks_in_its_own_child"])
def test_a_leak_is_out_of_memory(tmp_path: Path, function: str) -> None:
    found = child(tmp_path, function, wall=60.0, memory=300 << 20)
    assert found.kind == "out-of-memory" and found.peak_memory > 300 << 20


@pytest.mark.parametrize(("function", "kind", "words"), [
    ("has_no_memory", "out-of-memory", "cannot allocate"),
    ("aborts", "crash", "SIGABRT"),
    ("reads_nowhere", "crash", "SIGSEGV"),
    ("ends_with_3", "crash", "the last words"),
    ("ends_silently", "tool-bug", "no result"),
    ("is_unsupported", "unsupported", "operator Foo"),
    ("falls_back", "fallback", "another unit"),
    ("is_broken", "tool-bug", "ZeroDivisionError: a fault of the tool"),
    ("gives_nan", "wrong-output", "NaN"),
    ("there_is_no_such_function", "tool-bug", "AttributeError"),
])
def test_every_end_has_its_class(tmp_path: Path, function: str, kind: str, words: str) -> None:
    found = child(tmp_path, function, wall=60.0)
    assert found.kind == kind and words in found.message
