"""When a difference counts."""

from __future__ import annotations

from random import Random

import pytest

from recommender.measure.verdict import compare_pair, far_behind, judge, leader

ONE = [100.0, 101.0, 99.0, 100.5, 99.5, 100.2, 99.8, 100.1, 99.9, 100.3]


def scaled(factor: float, n: int = 10) -> list[float]:
    return [factor * value * (1 + 0.002 * (at % 3 - 1)) for at, value in enumerate(ONE[:n])]


def test_a_gap_that_every_round_shows_wins_at_the_first_look() -> None:
    pair = compare_pair(ONE, scaled(1.05), "up")
    assert (pair.word, pair.rounds, pair.p, pair.is_settled) == ("better", 7, 2 / 2**7, True)
    assert pair.effect == pytest.approx(0.05, abs=0.005)
    assert compare_pair(ONE, scaled(1.05), "down").word == "worse"


def test_the_direction_of_the_metric() -> None:
    faster = compare_pair(ONE, scaled(1 / 1.05), "down")
    assert faster.word == "better" and faster.effect == pytest.approx(0.05, abs=0.005)


def test_a_certain_gap_below_the_tie_band_is_a_tie() -> None:
    pair = compare_pair(ONE, scaled(1.012), "up")
    assert (pair.word, pair.is_settled) == ("tie", True)
    assert compare_pair(ONE, scaled(1.012), "up", tie_band=0.005).word == "better"


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_before_the_first_look_nothing_wins(n: int) -> None:
    baseline = [100.0, 103.0, 98.0, 101.0, 99.0, 102.0][:n]
    assert compare_pair(baseline, [1.05 * value for value in baseline], "up").word == "open"


def test_except_what_is_obvious() -> None:
    assert compare_pair(ONE[:3], scaled(1.3, 3), "up").word == "better"
    assert compare_pair(ONE[:2], scaled(2.0, 2), "up").word == "open"
    assert compare_pair([5.0] * 3, [5.0] * 3, "up").word == "tie"


def test_rounds_beyond_a_look_wait_for_the_next() -> None:
    baseline = [100.0] * 9
    candidate = [98.0, 104.0, 104.0, 104.0, 104.0, 104.0, 104.0, 104.0, 104.0]
    assert compare_pair(baseline[:7], candidate[:7], "up").word == "open"
    assert compare_pair(baseline, candidate, "up").word == "open"
    assert compare_pair([*baseline, 100.0], [*candidate, 104.0], "up").word == "better"


def test_the_answer_does_not_depend_on_how_often_one_asks() -> None:
    late = [*scaled(1.05, 7), 90.0, 90.0, 90.0]
    assert compare_pair(ONE, late, "up") == compare_pair(ONE[:7], late[:7], "up")


# --- screening ---------------------------------------------------------------------------------------------------------


def test_screening_drops_what_is_far_behind_only() -> None:
    found = far_behind({"fast": ONE[:3], "near": scaled(0.93, 3), "slow": scaled(0.5, 3), "shaky": [100.0, 40.0, 90.0]}, "up")
    assert list(found) == ["slow"] and found["slow"] == pytest.approx(-0.5, abs=0.01)
    assert list(far_behind({"fast": ONE[:3], "slow": scaled(2, 3)}, "down")) == ["slow"]


@pytest.mark.parametrize("noise", [0.02, 0.05])
def test_screening_does_not_lose_an_equal_candidate(noise: float) -> None:
    rng = Random(1)

    def rounds() -> list[float]:
        return [100 * (1 + rng.gauss(0, noise)) for _ in range(3)]

    assert sum(bool(far_behind({"a": rounds(), "b": rounds()}, "up")) for _ in range(2000)) <= 2


# --- verdicts ----------------------------------------------------------------------------------------------------------


def test_recommended_needs_to_beat_everybody() -> None:
    found = judge({"base": ONE, "a": scaled(1.1), "b": scaled(1.05)}, "base", "up")
    assert (found.word, found.winner, found.is_settled) == ("RECOMMENDED", "a", True)
    assert "better than b by 4." in found.reason
    assert judge({"base": ONE, "a": scaled(0.9), "b": scaled(0.95)}, "base", "up").word == "KEEP-BASELINE"


def test_a_tie_goes_to_the_secondary_order_else_to_the_baseline() -> None:
    medians = {"base": ONE, "a": scaled(1.001), "b": scaled(0.8)}
    found = judge(medians, "base", "up")
    assert (found.word, found.winner, set(found.tied)) == ("TIE", "base", {"base", "a"})
    assert judge(medians, "base", "up", secondary={"base": 7.0, "a": 4.0, "b": 1.0}.__getitem__).winner == "a"


def test_a_gap_that_is_not_shown_is_inconclusive_and_says_what_would_settle_it() -> None:
    shaky = [130.0, 90.0, 120.0, 95.0, 125.0, 100.0, 110.0]
    found = judge({"base": ONE[:7], "a": shaky}, "base", "up")
    assert found.word == "INCONCLUSIVE" and found.winner == "" and "10 rounds" in found.settle and not found.is_settled
    assert "of 3 rounds" in judge({"base": ONE[:2], "a": ONE[:2]}, "base", "up").reason
    assert judge({"base": [], "a": []}, "base", "up").word == "INCONCLUSIVE"


def test_nobody_left_and_somebody_strange() -> None:
    assert judge({}, "base", "up").word == "INFEASIBLE"
    assert judge({"a": ONE}, "base", "up").word == "RECOMMENDED"
    found = judge({"base": ONE, "a": scaled(1.5)}, "base", "up", anomalous=["a"])
    assert (found.word, found.winner) == ("ANOMALOUS", "") and "check" in found.settle
    assert judge({"base": ONE, "a": scaled(0.5)}, "base", "up", anomalous=["a"]).word == "KEEP-BASELINE"


def test_the_first_of_equals_leads() -> None:
    assert leader({"a": [1.0], "b": [1.0]}, "up") == "a" and leader({"a": [2.0], "b": [1.0]}, "down") == "b"
