"""Proposals come from the space, learn from what was found, and repeat themselves with the seed."""

from __future__ import annotations

import pytest

from recommender.tune.sampler import Proposals, sampler_for
from recommender.tune.storage import Row
from tests.tune import grids

pytest.importorskip("optuna", reason="the extra `tune` is not installed")
SPACE = grids.space()


def _rows(n: int, *, objectives: int = 1) -> list[Row]:
    points = [SPACE.points[number % len(SPACE.points)] for number in range(n)]
    return [Row(number=number, state="COMPLETE", point=point.id, round=1, params=point.parameters, values=(grids.rate(point),) * objectives) for number, point in enumerate(points)]


@pytest.mark.parametrize(("kind", "objectives"), [("tpe", 1), ("nsga2", 2)])
def test_it_proposes_better_points_than_chance_once_it_has_learned(kind: str, objectives: int) -> None:
    proposals = Proposals(SPACE, kind, better=["up"] * objectives, seed=1)
    proposals.learn(_rows(4 * len(SPACE.points), objectives=objectives))
    found = [point for attempt in range(80) if (point := proposals.propose(attempt))]
    by_chance = sum(map(grids.rate, SPACE.points)) / len(SPACE.points)
    assert len(found) > 20 and sum(map(grids.rate, found)) / len(found) > 1.1 * by_chance


def test_the_same_seed_and_the_same_trials_give_the_same_proposal() -> None:
    pair = [Proposals(SPACE, "tpe", better=["up"], seed=4) for _ in range(2)]
    for each in pair:
        each.learn(_rows(9))
    assert [pair[0].propose(attempt) for attempt in range(4)] == [pair[1].propose(attempt) for attempt in range(4)]


def test_the_kind_follows_objectives_and_trials_unless_it_was_asked_for() -> None:
    assert sampler_for("auto", 2, 50) == "nsga2" and sampler_for("auto", 1, 5000) == "tpe" and sampler_for("random", 1, 5) == "random"
