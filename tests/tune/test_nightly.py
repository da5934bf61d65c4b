"""A night from its first repetition to its document: what is measured, kept, resumed and told."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from recommender.domain.errors import DeviceLost, UsageError
from recommender.tune.baseline import read
from recommender.tune.history import History
from tests.tune.nights import CLASS, POINTS, Fleet, document, written

BAD = POINTS[2]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(folder=tmp_path)


def words(told: dict[str, Any], metric: str = "decode_rate") -> dict[str, str]:
    return {row["point"]: row["word"] for row in told["cells"] if row["metric"] == metric and row["class"] == CLASS}


# --- what is measured and told -----------------------------------------------------------------------------------------


def test_nothing_has_changed(fleet: Fleet) -> None:
    told = fleet.night()
    assert (told["verdict"], told["exit_code"], told["regressions"], told["nights_before"]) == ("NO-REGRESSION", 0, [], 0)
    assert set(words(told)) == set(POINTS) and set(words(told).values()) == {"same"}
    assert Counter(point for point, _ in fleet.taken) == dict.fromkeys(POINTS, 3)
    assert fleet.night()["nights_before"] == 1
    json.dumps(told, allow_nan=False)


def test_rounds_are_interleaved_and_their_order_is_random(fleet: Fleet) -> None:
    fleet.night()
    rounds = [[point for point, number in fleet.taken if number == wanted] for wanted in (1, 2, 3)]
    assert [number for _, number in fleet.taken] == [1] * 8 + [2] * 8 + [3] * 8
    assert len({tuple(order) for order in rounds}) == 3


def test_a_regression_is_rerun_and_told(fleet: Fleet) -> None:
    for _ in range(4):
        fleet.night()
    fleet.factors[CLASS, BAD] = 0.88
    told = fleet.night()
    assert (told["verdict"], told["exit_code"]) == ("REGRESSION", 3)
    assert told["regressions"] == [{"class": CLASS, "point": BAD, "metric": "decode_rate"}]
    row = told["cells"][0]
    assert row["point"] == BAD and row["rerun"] and len(row["values"]) == 3 + 6 + 12
    assert row["change"] == pytest.approx(-0.12, abs=0.02) and row["low"] < row["change"] < row["high"] < 0 and row["p"] < 0.01
    assert told["rerun"] == [BAD]


def test_a_regression_stays_until_it_is_mended(fleet: Fleet) -> None:
    for _ in range(3):
        fleet.night()
    fleet.factors[CLASS, BAD] = 0.88
    assert [fleet.night()["verdict"] for _ in range(3)] == ["REGRESSION"] * 3
    fleet.factors.clear()
    assert fleet.night()["verdict"] == "NO-REGRESSION"


def test_the_user_says_what_is_allowed(fleet: Fleet) -> None:
    for _ in range(3):
        fleet.night()
    fleet.factors[CLASS, BAD] = 0.88
    assert fleet.night(max_regression=0.2)["exit_code"] == 0


def test_needs_are_judged_beside_objectives_and_what_no_process_tells_is_named(tmp_path: Path) -> None:
    told = Fleet(folder=tmp_path, told=document(needs=("peak_memory<=2GB", "quality_drop<=1%"))).night()
    assert set(words(told, "peak_memory").values()) == {"same"}
    assert "quality_drop is not judged: a repetition does not tell it" in told["notes"]


def test_a_night_that_others_disturbed_accuses_nobody(fleet: Fleet) -> None:
    for _ in range(3):
        fleet.night()
    fleet.factors[CLASS, BAD], fleet.flags = 0.88, ("foreign-load",)
    told = fleet.night()
    assert (words(told)[BAD], told["exit_code"]) == ("inconclusive", 4)
    assert "others used the machine" in told["cells"][0]["why"]


def test_where_every_night_is_disturbed_it_is_usual(tmp_path: Path) -> None:
    fleet = Fleet(folder=tmp_path, flags=("foreign-load",))
    for _ in range(3):
        fleet.night()
    fleet.factors[CLASS, BAD] = 0.88
    assert fleet.night()["verdict"] == "REGRESSION"


# --- what fails --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "word", "code"), [("crash", "regression", 3), ("wrong-output", "regression", 3), ("tool-bug", "inconclusive", 4), ("lost", "lost", 5), ("unsupported", "lost", 5)])
def test_a_point_that_ran_before_and_does_not_now(fleet: Fleet, kind: str, word: str, code: int) -> None:
    fleet.replies[BAD] = {"kind": kind, "message": "what it said"}
    told = fleet.night()
    assert (words(told)[BAD], told["exit_code"]) == (word, code)
    assert "what it said" in told["cells"][0]["why"]
    assert Counter(words(told).values())["same"] == 7


def test_a_device_that_is_gone_is_not_asked_again_and_again(fleet: Fleet) -> None:
    fleet.replies = dict.fromkeys(POINTS, {"kind": "lost", "message": "no answer"})
    told = fleet.night()
    assert (told["verdict"], told["exit_code"], len(told["lost"])) == ("DEVICE-LOST", 5, 8)
    assert len(fleet.taken) == 3
    fleet.replies = {}
    assert fleet.night(hours=1)["exit_code"] == 0


def test_a_device_that_vanishes_by_exception_is_lost_too(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    class Vanishes(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            raise DeviceLost("the cable was pulled")

    fleet.replies = Vanishes()
    assert "the cable was pulled" in fleet.night()["cells"][0]["why"]


def test_a_regression_goes_before_a_lost_point(fleet: Fleet) -> None:
    fleet.replies = {POINTS[0]: {"kind": "lost", "message": ""}, POINTS[1]: {"kind": "crash", "message": ""}}
    assert fleet.night()["exit_code"] == 3


def test_a_metric_that_is_not_given_any_more_is_not_clear(fleet: Fleet) -> None:
    fleet.replies[BAD] = {"samples": {"latency": [0.1]}}
    told = fleet.night()
    assert (words(told)[BAD], told["exit_code"], told["cells"][0]["why"]) == ("inconclusive", 4, "it gave no decode_rate")


# --- time and interruptions --------------------------------------------------------------------------------------------


def test_a_killed_night_goes_on_with_what_it_measured(fleet: Fleet) -> None:
    fleet.stops_after = 13
    with pytest.raises(KeyboardInterrupt):
        fleet.night()
    first = list(fleet.taken)
    assert History(fleet.folder / "history", read(fleet.folder / "baseline.json").digest).nights(CLASS) == []
    fleet.stops_after = 10**9
    told = fleet.night(hours=0.5)
    assert len(first) == 13 and not set(first) & set(fleet.taken) and len({*first, *fleet.taken}) == 24
    assert told["processes"] == 24 and told["nights_before"] == 0 and all(len(row["values"]) == 3 for row in told["cells"])
    assert fleet.night()["nights_before"] == 1 and len(fleet.taken) == 24


def test_a_night_that_was_cut_off_long_ago_does_not_count(fleet: Fleet) -> None:
    fleet.stops_after = 13
    with pytest.raises(KeyboardInterrupt):
        fleet.night()
    fleet.stops_after = 10**9
    told = fleet.night(hours=24)
    assert len(fleet.taken) == 24 and any("cut off" in note for note in told["notes"])


def test_a_night_that_was_kept_but_not_cleared_is_not_kept_twice(fleet: Fleet) -> None:
    """Killed between the two: its journal is still there."""
    told = fleet.night()
    history = History(fleet.folder / "history", told["baseline"]["digest"])
    history.journal(CLASS).keep("begun", {"night": told["night"], "at": fleet.now.timestamp()})
    again = fleet.night(hours=0.1)
    assert again["night"] != told["night"] and len(history.nights(CLASS)) == 2


def test_a_budget_that_is_too_short_is_said(fleet: Fleet) -> None:
    told = fleet.night(budget=5)
    assert len(fleet.taken) == 4 and told["exit_code"] == 4
    assert [row["why"] for row in told["cells"] if row["word"] == "inconclusive"] == ["the budget did not reach it"] * 4


def test_a_suspect_that_the_budget_does_not_rerun_stays_one(fleet: Fleet) -> None:
    for _ in range(3):
        fleet.night()
    fleet.factors[CLASS, BAD], fleet.costs = 0.85, {24: 100.0}
    told = fleet.night(budget=60)
    assert (words(told)[BAD], told["exit_code"], told["suspects"]) == ("suspect", 4, [{"class": CLASS, "point": BAD, "metric": "decode_rate"}])


# --- a fleet -----------------------------------------------------------------------------------------------------------


def test_other_classes_are_told_as_their_own_nights_judged_them(tmp_path: Path) -> None:
    fleet = Fleet(folder=tmp_path, told=document(classes=(CLASS, "board")))
    fleet.factors["board", BAD] = 0.5
    first = fleet.night("board")
    assert {row["class"] for row in first["cells"] if row["word"] == "lost"} == {CLASS} and first["exit_code"] == 3
    told = fleet.night(hours=2)
    assert (told["exit_code"], told["regressions"], told["lost"]) == (3, [{"class": "board", "point": BAD, "metric": "decode_rate"}], [])
    assert {point for point, _ in fleet.taken} == set(POINTS)
    later = fleet.night(hours=72)
    assert later["exit_code"] == 5 and {row["class"] for row in later["lost"]} == {"board"}
    assert all(row["values"] == [] and row["change"] is None for row in later["cells"] if row["class"] == "board")


def test_a_machine_of_no_class_of_the_baseline_tells_of_the_others(fleet: Fleet) -> None:
    fleet.night()
    told = fleet.night("stranger", hours=1)
    assert told["exit_code"] == 0 and fleet.taken == [] and any("stranger" in note for note in told["notes"])


# --- the baseline ------------------------------------------------------------------------------------------------------


def test_only_the_best_and_the_front_unless_all_are_wanted(tmp_path: Path) -> None:
    told = document()
    told["classes"][CLASS] = {"best": 0, "pareto": [9]}
    path = written(tmp_path, told)
    assert [cell.point for cell in read(path).cells] == [POINTS[0], POINTS[3]]
    assert {cell.point for cell in read(path, takes_all=True).cells} == set(POINTS)


def test_a_figure_is_that_of_all_processes_of_its_point(tmp_path: Path) -> None:
    told = document(n=4)
    for trial, value in zip(told["trials"], (90, 100, 100, 110), strict=False):
        trial["metrics"]["decode_rate"]["value"] = value
    told["trials"][4]["state"] = "FAIL"
    told["trials"][5]["fidelity"] = "proxy"
    cells = {cell.point: cell for cell in read(written(tmp_path, told)).cells}
    assert cells[POINTS[0]].value == pytest.approx(100, rel=0.001) and cells[POINTS[0]].n == 4 and cells[POINTS[1]].n == 2


def test_a_class_whose_trials_are_elsewhere_has_its_winner(tmp_path: Path) -> None:
    told = document()
    told["classes"]["board"] = {"winner": POINTS[1], "metrics": {"decode_rate": {"value": 7.0, "n": 5}}, "best": 1, "pareto": [1]}
    [cell] = read(written(tmp_path, told)).of_class("board")
    assert (cell.point, cell.value, cell.n) == (POINTS[1], 7.0, 5)


@pytest.mark.parametrize(
    ("told", "said"),
    [("", "not a tune document"), ("[1]", "no `study`"), ('{"verdict": "TIE"}', "no `study`"), (document(objectives=[]), "names no `objectives`"), (document(objectives=[{"metric": "joy", "better": "up"}]), "objectives"),
     ({**document(), "trials": [7]}, "number 0 of its trials"), ({**document(), "trials": []}, "none of its trials can be compared by decode_rate"),
     (document(objectives=[{"metric": "file_size", "better": "down"}]), "none of its trials can be compared by file_size")],
)  # fmt: skip
def test_what_is_no_baseline_is_refused_with_a_hint(tmp_path: Path, told: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        read(written(tmp_path, told))
    assert str(tmp_path / "baseline.json") in error.value.message and error.value.hints


def test_a_baseline_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path / "none.json")
