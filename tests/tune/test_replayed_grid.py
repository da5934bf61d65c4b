"""A sweep on a grid that was recorded from real frameworks: near the best in a quarter of the exhaustive time, where chance is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.search.replay import NEAR, replayed

pytest.importorskip("optuna", reason="the extra `tune` is not installed")
GRID = Path(__file__).parents[2] / "benchmarks" / "search" / "grids" / "cnn.json"


def test_it_ends_near_the_best_in_a_quarter_of_the_time() -> None:
    ours, chance = replayed(GRID, 6, 0.25, ["sweep", "random"])
    good = [sum(seed["loss"] <= NEAR or seed["inside"] for seed in row["seeds"]) for row in (ours, chance)]
    assert good[0] >= 5 and good[0] > good[1] and max(seed["share"] for seed in ours["seeds"]) <= 0.25
