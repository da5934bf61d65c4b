"""What a sweep expects: feasibility, the ceiling of a roofline, several objectives, plans."""

from __future__ import annotations

from random import Random

import pytest

from recommender.domain.estimate import Estimate
from recommender.domain.workload import parse_constraint
from recommender.tune.outlook import Outlook
from recommender.tune.plan import plan
from tests.tune import grids

SPACE = grids.space()
START = {"alpha": "alpha/cpu/Q4_0?n_threads=2", "beta": "beta/cpu/Q4_0?hint=a&n_threads=2"}


def outlook(**values) -> Outlook:
    return Outlook(**{"space": SPACE, "objectives": ("decode_rate",), "needs": (), "estimates": grids.estimates(), **values})


def test_the_best_is_measured_and_feasible() -> None:
    found = outlook(needs=(parse_constraint("peak_memory<=0.02 GB"),))
    found.observe(START["alpha"], {"decode_rate": 110.0, "peak_memory": 3e7})
    found.observe("alpha/cpu/Q8_0?n_threads=2", {"decode_rate": 70.0, "peak_memory": 1e7})
    assert found.best() == "alpha/cpu/Q8_0?n_threads=2"


def test_what_is_closed_is_neither_best_nor_left() -> None:
    found = outlook()
    found.observe(START["alpha"], {"decode_rate": 110.0})
    found.close("alpha/cpu/Q4_0", "the gate")
    assert found.best() is None and START["alpha"] not in found.ranges("decode_rate")
    assert not any(point.startswith("alpha/cpu/Q4_0") for point in found.promising({}, Random(0)))


def test_a_search_ends_where_no_roofline_lets_anything_be_better() -> None:
    free = outlook()
    bound = outlook(ceilings=dict.fromkeys(grids.estimates(), 111.0))
    for each in (free, bound):
        each.observe(START["alpha"], {"decode_rate": 110.0})
    assert free.can_be_beaten(0.02) and not bound.can_be_beaten(0.02)


def test_a_loss_of_quality_is_weighed_though_it_may_be_nought() -> None:
    estimates = {choice: {**row, "quality_drop": Estimate(metric="quality_drop", unit="fraction", central=0.0 if "F16" in choice else 0.05)} for choice, row in grids.estimates().items()}
    found = outlook(objectives=("quality_drop",), estimates=estimates)
    rows = found.ranges("quality_drop")
    lossless, lossy = rows["alpha/cpu/F16?n_threads=2"], rows[START["alpha"]]
    assert lossless.central == pytest.approx(0.0, abs=1e-9) and lossy.central == pytest.approx(0.05)
    assert lossy.optimistic < lossy.central < lossy.pessimistic


def test_of_two_objectives_only_what_loses_in_both_is_hopeless() -> None:
    found = outlook(objectives=("decode_rate", "file_size"), estimates={c: {**row, "file_size": Estimate(metric="file_size", unit="bytes", central=1e9 / grids.SCHEMES[c.rpartition("/")[2]])} for c, row in grids.estimates().items()})
    for framework in START:
        found.observe(START[framework], {"decode_rate": 1000.0, "file_size": 1e9 / 110})
    assert any("F16" in point for point in found.hopeless())
    found.observe("alpha/cpu/F16?n_threads=2", {"decode_rate": 1.0, "file_size": 1.0})
    assert found.best() == START["beta"] or found.best() == START["alpha"]


def test_chances_are_even_between_equals_and_certain_against_what_was_measured_worse() -> None:
    found = outlook()
    assert found.chance(START["beta"], START["alpha"], 0.0) == pytest.approx(0.5)
    found.observe(START["alpha"], {"decode_rate": 110.0})
    found.observe(START["beta"], {"decode_rate": 300.0})
    assert found.chance(START["beta"], START["alpha"], 0.02) > 0.99 > 0.01 > found.chance(START["alpha"], START["beta"], 0.02)


def test_a_plan_begins_with_the_answers_choice_looks_elsewhere_and_keeps_to_the_budget() -> None:
    choices = [
        {"id": each, "framework": each.partition("/")[0], "scheme": each.rpartition("/")[2], "estimates": {"decode_rate": {"basis": "analytic"}}, "recipe": {"steps": [{"preparer": "p", "size": 6e8}]}}
        for each in grids.estimates()
    ]
    told = plan(SPACE, outlook(), choices, grids.meta(), budget=200.0, mode="quick")
    points = [row["point"] for row in told["plan"]]
    assert points[0] == SPACE.points[0].id and len(points) == len(set(points)) and told["plan"][-1]["spent_s"] <= 200
    assert {point.partition("/")[0] for point in points[:3]} == {"alpha", "beta"}, "the second measurement is not more of the first"
    assert told["plan"][0]["seconds"] > 6 and told["exhaustive_s"] > told["spent_s"]
