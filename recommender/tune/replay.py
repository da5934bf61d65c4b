"""A recorded grid as a bench: every point costs the seconds it took and gives what it gave, with the noise that was recorded between processes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import exp
from random import Random
from typing import Any

from recommender.measure.repetition import Repetition
from recommender.tune.bench import Judged
from recommender.tune.space import Point

_SAMPLES = 12  # of a replayed repetition
_POLL = 0.5  # seconds of real time: none of a replay's pass


class Replay:
    """A `Bench` with a clock of its own.

    grid: `points`: id -> {cost_s, metrics} or {cost_s, kind, message}; `choices`: id -> {make_s, metrics, refusal}; `noise`: standard deviation of the
    log between processes; `jitter`: of the samples of one.
    """

    def __init__(self, grid: Mapping[str, Any], *, seed: int = 0):
        self._grid, self._seed, self._now = grid, seed, 0.0
        self._made: set[str] = set()

    def clock(self) -> float:
        return self._now

    def idle(self) -> None:
        time.sleep(_POLL)

    def judge(self, point: Point) -> Judged:
        told = self._grid["choices"][point.choice]
        if point.choice not in self._made:
            self._made.add(point.choice)
            self._now += float(told["make_s"])
        return Judged(refusal=told.get("refusal", ""), metrics=told.get("metrics", {}), artifact=point.choice)

    def take(self, point: Point, round: int) -> Repetition:
        told = self._grid["points"][point.id]
        self._now += float(told["cost_s"])
        if "metrics" not in told:
            return Repetition(candidate=point.id, round=round, kind=told["kind"], message=told["message"], elapsed=told["cost_s"])
        draw = Random(f"{self._seed}/{point.id}/{round}")
        factor = exp(draw.gauss(0.0, float(self._grid["noise"])))
        samples = {
            name: tuple(value * factor * exp(draw.gauss(0.0, float(self._grid.get("jitter", 0.0)))) for _ in range(_SAMPLES)) for name, value in told["metrics"].items()
        }
        return Repetition(candidate=point.id, round=round, samples=samples, elapsed=told["cost_s"])

    def exhaustive(self) -> float:
        """Seconds that every artifact and every point once would take."""
        return sum(float(row["cost_s"]) for row in self._grid["points"].values()) + sum(float(row["make_s"]) for row in self._grid["choices"].values())
