"""The course of a comparison: what is taken, who drops out, when it ends, and that nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from recommender.domain.errors import DeviceLost
from recommender.measure.compare import Comparison
from recommender.measure.repetition import Repetition
from tests.measure.simulated import Lab

CRASH = {"kind": "crash", "message": "ended by SIGSEGV", "samples": {}}


def test_a_clear_winner_is_found_at_the_first_look_and_confirmed() -> None:
    lab = Lab({"base": 100, "a": 110}, noise=0.01)
    found = lab.compare()
    assert (found.judgement.word, found.judgement.winner, found.rounds, found.ended, found.confirmed) == ("RECOMMENDED", "a", 7, "settled", True)
    assert lab.rounds_of("a") == [*range(1, 8), 0]  # the confirmation is the last and does not count
    assert len(found.counted["a"]) == 7 and found.summaries["a"]["throughput"].n_processes == 7


def test_the_order_within_rounds_is_random_and_then_reversed() -> None:
    lab = Lab({"base": 100, "a": 100, "b": 100}, noise=0.02)
    lab.compare()
    orders = [[each.candidate for each in lab.taken if each.round == number] for number in range(1, 11)]
    assert {order[0] for order in orders} == {"base", "a", "b"}
    assert all(later == earlier[::-1] for earlier, later in zip(orders[::2], orders[1::2], strict=True))


def test_a_winner_that_does_not_come_back_is_not_confirmed() -> None:
    lab = Lab({"base": 100, "a": 110}, noise=0.01)

    def take(candidate: str, round: int) -> Repetition:
        found = lab.take(candidate, round)
        return found if round else replace(found, samples={"throughput": [90.0]})

    found = lab.compare(take=take)
    assert found.judgement.winner == "a" and found.confirmed is False


@pytest.mark.parametrize(("mode", "rounds"), [("quick", 3), ("normal", 10), ("strict", 14)])
def test_a_mode_has_its_rounds(mode: str, rounds: int) -> None:
    found = Lab({"base": 100, "a": 100}, noise=0.05, seed=2).compare(mode=mode)
    assert (found.rounds, found.ended) == (rounds, "rounds")
    assert found.judgement.word in ("TIE", "INCONCLUSIVE") and found.confirmed is None


def test_quick_can_say_the_obvious_only() -> None:
    assert Lab({"base": 100, "a": 200}, noise=0.01).compare(mode="quick").judgement.winner == "a"
    assert Lab({"base": 100, "a": 104}, noise=0.03).compare(mode="quick").judgement.word != "RECOMMENDED"


def test_what_is_far_behind_is_dropped_after_three_rounds_but_never_the_baseline() -> None:
    lab = Lab({"base": 30, "a": 100, "b": 40, "c": 101}, noise=0.02)
    found = lab.compare()
    assert found.behind["b"] == pytest.approx(-0.6, abs=0.05)
    assert lab.rounds_of("b") == [1, 2, 3]
    assert len([number for number in lab.rounds_of("base") if number]) == found.rounds > 3


def test_what_a_look_has_settled_is_not_measured_further() -> None:
    lab = Lab({"base": 100, "a": 92, "b": 99.5}, noise=0.01, seed=5)
    found = lab.compare()
    assert max(lab.rounds_of("a")) == 7 and found.behind["a"] == pytest.approx(-0.08, abs=0.03)
    assert max(lab.rounds_of("b")) == 10


# --- failures and flags ------------------------------------------------------------------------------------------------


def test_a_crash_is_tried_once_more() -> None:
    lab = Lab({"base": 100, "a": 110}, noise=0.01, replies={("a", 2): CRASH})
    found = lab.compare()
    assert found.judgement.winner == "a" and not found.failures
    assert lab.rounds_of("a").count(2) == 2


@pytest.mark.parametrize("kind", ["crash", "out-of-memory", "timeout", "wrong-output", "unsupported", "fallback", "tool-bug"])
def test_who_fails_is_dropped_with_its_class_while_others_go_on(kind: str) -> None:
    failure = {"kind": kind, "message": "why", "samples": {}}
    lab = Lab({"base": 100, "a": 110, "b": 120}, noise=0.01, replies={("b", 1): failure, ("b", 2): failure})
    found = lab.compare()
    assert found.judgement.winner == "a" and found.failures["b"].kind == kind
    assert lab.rounds_of("b") == ([1, 1] if kind == "crash" else [1])


def test_no_figure_is_a_wrong_output() -> None:
    lab = Lab({"base": 100, "a": 110}, replies={("a", 1): {"samples": {"latency": [1.0]}}})
    assert lab.compare().failures["a"].kind == "wrong-output"
    assert Lab({"base": 100, "a": inf}).compare().failures["a"].message == "it gave no throughput"


def test_the_baseline_may_fail_too_and_everybody_may() -> None:
    broken = {("base", 1): {"kind": "unsupported", "samples": {}}}
    found = Lab({"base": 100, "a": 110, "b": 80}, noise=0.01, replies=broken).compare()
    assert (found.judgement.word, found.judgement.winner) == ("RECOMMENDED", "a")
    found = Lab({"base": 100}, replies=broken).compare()
    assert found.judgement.word == "INFEASIBLE" and found.summaries == {}


@pytest.mark.parametrize("flag", ["throttled", "foreign-load", "clock-drop"])
def test_a_disturbed_repetition_is_taken_once_more_and_the_second_counts(flag: str) -> None:
    lab = Lab({"base": 100, "a": 110}, noise=0.01, replies={("a", 1): {"flags": (flag,), "samples": {"throughput": [50.0]}}})
    found = lab.compare()
    assert lab.rounds_of("a")[:3] == [1, 1, 2] and found.judgement.winner == "a"
    assert found.counted["a"][0].samples["throughput"][0] > 100
    always = {("a", attempt): {"flags": (flag,)} for attempt in range(1, 40)}
    found = Lab({"base": 100, "a": 110}, noise=0.01, replies=always).compare()
    assert found.judgement.winner == "a" and flag in found.counted["a"][0].flags


def test_a_crash_while_a_disturbed_one_is_repeated_keeps_the_first() -> None:
    lab = Lab({"base": 100, "a": 110}, noise=0.01, replies={("a", 1): {"flags": ("throttled",)}, ("a", 2): CRASH})
    found = lab.compare()
    assert not found.failures and found.counted["a"][0].flags == ("throttled",)


def test_an_anomalous_winner_is_not_recommended() -> None:
    odd = {("a", attempt): {"flags": ("anomalous",)} for attempt in range(1, 20)}
    found = Lab({"base": 100, "a": 150}, noise=0.01, replies=odd).compare()
    assert (found.judgement.word, found.judgement.winner, found.confirmed) == ("ANOMALOUS", "", None)


def test_a_lost_device_ends_it_and_nothing_is_lost() -> None:
    kept: list[Repetition] = []
    lab = Lab({"base": 100, "a": 110}, replies={("a", 2): {"kind": "lost", "message": "connection closed", "samples": {}}})
    with pytest.raises(DeviceLost, match="connection closed"):
        lab.compare(keep=kept.append)
    assert kept == lab.taken and kept[-1].kind == "lost"


# --- budget, stopping, resuming ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [0.5, 6, 9.5, 15, 21, 60])
def test_the_budget_holds(budget: float) -> None:
    lab = Lab({"base": 100, "a": 102, "b": 99}, noise=0.03, seconds={"base": 1.0, "a": 1.5, "b": 0.7})
    found = lab.compare(budget=budget)
    assert lab.now <= max(budget, 1.5)  # how long the first one takes nobody knows
    assert found.ended in ("budget", "rounds", "settled")


def test_too_little_budget_gives_up_the_last_and_says_so() -> None:
    lab = Lab({"base": 100, "a": 130, "b": 90, "c": 95, "d": 97}, noise=0.01)
    found = lab.compare(budget=10.5)
    assert found.not_reached == ("c", "d") and found.rounds == 3
    assert found.judgement.winner == "a" and found.confirmed
    assert {each.candidate for each in lab.taken} == {"base", "a", "b"}


def test_budget_for_the_baseline_only_recommends_nothing() -> None:
    found = Lab({"base": 100, "a": 130}, noise=0.01).compare(budget=2.2)
    assert found.judgement.word == "INCONCLUSIVE" and "--budget" in found.judgement.settle


def test_stop_is_asked_before_every_repetition() -> None:
    lab = Lab({"base": 100, "a": 100}, noise=0.02)
    found = lab.compare(stop=lambda: len(lab.taken) >= 9)
    assert len(lab.taken) == 9 and found.ended == "stopped" and found.rounds == 4
    assert found.judgement.word in ("TIE", "INCONCLUSIVE")


def outline(found: Comparison) -> tuple[object, ...]:
    return found.judgement, found.rounds, found.behind, found.not_reached


@pytest.mark.parametrize("after", [1, 4, 9, 15])
def test_a_killed_comparison_goes_on_where_it_was(after: int) -> None:
    levels = {"base": 100.0, "a": 106.0, "b": 60.0}
    whole = Lab(levels, noise=0.01)
    kept: list[Repetition] = []

    def dies(candidate: str, round: int) -> Repetition:
        if len(whole.taken) == after:
            raise KeyboardInterrupt
        return whole.take(candidate, round)

    with pytest.raises(KeyboardInterrupt):
        whole.compare(take=dies, keep=kept.append)
    assert kept == whole.taken
    rest = Lab(levels, noise=0.01, seed=9)
    found = rest.compare(earlier=kept)
    assert found.repetitions == (*kept, *rest.taken) and found.judgement.winner == "a"
    again = Lab(levels).compare(earlier=found.repetitions)
    assert again.repetitions == found.repetitions and outline(again) == outline(found) and again.confirmed == found.confirmed


def test_a_resumed_comparison_knows_how_long_repetitions_take() -> None:
    first = Lab({"base": 100, "a": 101}, noise=0.03, seconds={"base": 5.0, "a": 5.0})
    kept = first.compare(stop=lambda: len(first.taken) >= 8).repetitions
    later = Lab({"base": 100, "a": 101}, noise=0.03, seconds={"base": 5.0, "a": 5.0})
    found = later.compare(earlier=kept, budget=9.0)
    assert later.taken == [] and found.ended == "budget" and found.rounds == 4


def test_progress_is_said() -> None:
    said: list[str] = []
    Lab({"base": 100, "a": 50}, noise=0.01, replies={("a", 1): CRASH}).compare(say=said.append, mode="quick")
    assert "a, round 1 again" in said and any("confirmation" in line for line in said)
