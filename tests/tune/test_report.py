"""The document, a fleet's document, evidence, and what parameters matter, from rows of a record."""

from __future__ import annotations

import pytest

from recommender.domain.workload import parse_constraint
from recommender.tune import fleet, report
from recommender.tune.importance import importance
from recommender.tune.space import Point
from recommender.tune.storage import Row
from tests.tune import grids

POINTS = grids.space().points


def row(number: int, point: Point, value: float, *, round: int = 1, memory: float = 1e9, state: str = "COMPLETE") -> Row:
    outcome = {
        "metrics": {"decode_rate": value, "peak_memory": memory}, "samples": {"decode_rate": [value * 0.99, value, value * 1.01]}, "spent_s": 10.0 * (number + 1), "cost_s": 5.0,
        "class": "c1", "flags": [], "artifact": "a", "reproducer": {},
    }
    is_done = state == "COMPLETE"
    return Row(number=number, state=state, point=point.id, round=round, params=point.parameters, values=(value,) if is_done else (), outcome=outcome if is_done else {}, why="" if is_done else "crash")


def _document(rows: list[Row], **more):
    return report.document(grids.meta(), rows, grids.space().by_id(), {}, **more)


def test_a_points_figure_is_the_median_of_its_processes_and_the_interval_where_a_further_one_is_expected() -> None:
    figure = _document([row(n, POINTS[0], value, round=n + 1) for n, value in enumerate((10.0, 11.0, 12.0))])["points"][POINTS[0].id]["metrics"]["decode_rate"]
    assert figure["value"] == 11.0 and figure["low"] < 10 and figure["high"] > 12 and figure["n"] == 3


def test_history_holds_each_new_best_and_what_is_not_feasible_makes_none() -> None:
    rows = [row(0, POINTS[0], 10.0), row(1, POINTS[1], 9.0), row(2, POINTS[2], 20.0, memory=9e9), row(3, POINTS[3], 15.0)]
    told = _document(rows, needs=(parse_constraint("peak_memory<=2 GB"),))
    assert [each["number"] for each in told["history"]] == [0, 3] and told["winner"] == POINTS[3].id
    assert told["points"][POINTS[2].id]["is_feasible"] is False


def test_failures_stay_in_the_trials_with_their_reason() -> None:
    told = _document([row(0, POINTS[0], 10.0), row(1, POINTS[1], 0.0, state="FAIL")])
    assert told["trials"][1]["why"] == "crash" and told["trials"][1]["metrics"] == {} and POINTS[1].id not in told["points"]


def test_a_sweep_without_a_final_is_inconclusive() -> None:
    assert _document([row(0, POINTS[0], 10.0)])["verdict"] == "INCONCLUSIVE" and _document([])["verdict"] == "INFEASIBLE"


def test_a_fleet_names_the_best_of_each_class_and_one_choice_for_all() -> None:
    a, b = grids.point("alpha", "Q4_0", n_threads=2), grids.point("beta", "Q4_0", n_threads=2, hint="a")
    c = grids.point("alpha", "Q8_0", n_threads=2)
    studies = {
        "s/one": (grids.meta(**{"class": "one"}), [row(0, a, 100.0), row(1, b, 50.0), row(2, c, 95.0)]),
        "s/two": (grids.meta(**{"class": "two"}), [row(0, a, 40.0), row(1, b, 80.0), row(2, c, 76.0)]),
    }
    told = fleet.merged(studies)
    assert {name: row["winner"] for name, row in told["classes"].items()} == {"one": a.id, "two": b.id}
    assert told["fleet"][0]["choice"] == "alpha/cpu/Q8_0" and told["fleet"][0]["by_class"]["one"] == pytest.approx(100 / 95 - 1)


def test_what_matters_is_what_makes_the_difference() -> None:
    rows = [row(n, point, grids.SCHEMES[point.scheme] * (3.0 if point.settings["n_threads"] == 2 else 1.0)) for n, point in enumerate(point for point in POINTS if point.framework == "beta")]
    shares = importance(rows, ["decode_rate"], ["up"])["decode_rate"]
    assert shares["beta.n_threads"] > 5 * shares["beta.hint"] and 0 <= shares["choice"] <= 1


def test_few_trials_tell_nothing_of_what_matters() -> None:
    assert importance([row(0, POINTS[0], 10.0)], ["decode_rate"], ["up"]) == {}
