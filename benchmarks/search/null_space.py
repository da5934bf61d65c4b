"""A space of made-up points with known figures, and benches that run them: replayed, or in real fresh processes of the null executor."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice, product
from math import sin
from pathlib import Path
from typing import Any

from recommender.domain.estimate import Estimate
from recommender.measure.repetition import Repetition
from recommender.measure.take import Run, take
from recommender.tune.bench import Judged
from recommender.tune.outlook import Outlook
from recommender.tune.replay import Replay
from recommender.tune.space import Point, Space

METRIC = "decode_rate"
_THREADS, _BATCHES = (4, 1, 2, 8), (512, 64)
_NOISE, _JITTER = 0.01, 0.002
_PLAN = {"prompt_tokens": 4, "output_tokens": 2, "limits": {"warm_up_calls": 1, "warm_up_seconds": 0.01, "warm_up_cap": 0.3, "samples": 3, "seconds": 0.1, "cap": 1.0}}


def space_of(n_points: int) -> Space:
    """Choices of eight points each; the last one may have fewer."""
    found = []
    for number in range(-(-n_points // (len(_THREADS) * len(_BATCHES)))):
        for n_threads, n_batch in product(_THREADS, _BATCHES):
            found.append(Point(
                choice=f"null/cpu/S{number}", framework="null", execution_provider="cpu", device="cpu0", scheme=f"S{number}",
                settings={"n_threads": n_threads, "n_batch": n_batch}, start={"n_threads": _THREADS[0], "n_batch": _BATCHES[0]},
            ))  # fmt: skip
    points = tuple(islice(found, n_points))
    domains: dict[str, dict[str, None]] = {}
    for point in points:
        for name, value in point.parameters.items():
            domains.setdefault(name, {})[value] = None
    return Space(points=points, domains={name: tuple(values) for name, values in domains.items()})


def rate(point: Point) -> float:
    """Tokens a second."""
    place = int(point.scheme[1:])
    return 50.0 * (1 + 0.2 * sin(place)) * (0.6 + 0.4 * point.settings["n_threads"] / 8) * (1.0 if point.settings["n_batch"] == 512 else 0.95)


def grid_of(space: Space, seconds: float) -> dict[str, Any]:
    """As `Replay` reads it: every point costs so many seconds, making an artifact none."""
    return {
        "points": {point.id: {"cost_s": seconds, "metrics": {METRIC: rate(point)}} for point in space.points},
        "choices": {point.choice: {"make_s": 0.0, "metrics": {"file_size": 1e6}} for point in space.points}, "noise": _NOISE, "jitter": _JITTER,
    }


class Unpruned(Outlook):
    """Every point is worth a trial: what a sweep does is then known beforehand."""

    def hopeless(self) -> dict[str, str]:
        return {}

    def can_be_beaten(self, by: float) -> bool:
        return len(self.measured.keys() | self.closed.keys()) < len(self.space.points)


def outlook_of(space: Space) -> Unpruned:
    """Estimates that know the choices, roughly, and not their settings."""
    starts = {point.choice: rate(point) for point in reversed(space.points)}
    return Unpruned(space=space, objectives=[METRIC], needs=(), estimates={choice: {METRIC: Estimate(metric=METRIC, central=0.9 * value, unit="1/s", basis="roofline-prior")} for choice, value in starts.items()})


class Waiting(Replay):
    """A replay that also takes the time it charges, so that there is a moment to kill it at."""

    def take(self, point: Point, round: int) -> Repetition:
        began = self.clock()
        found = super().take(point, round)
        time.sleep(self.clock() - began)
        return found


class Processes:
    """A `Bench` of fresh processes of the null executor."""

    def __init__(self, folder: Path):
        self._folder = folder

    def clock(self) -> float:
        return time.monotonic()

    def idle(self) -> None:
        time.sleep(0.2)

    def judge(self, point: Point) -> Judged:
        return Judged(metrics={"file_size": 100.0}, artifact=point.choice)

    def take(self, point: Point, round: int) -> Repetition:
        folder = self._folder / point.id.replace("/", "-").replace("?", "-")
        folder.mkdir(parents=True, exist_ok=True)
        behaviour: Mapping[str, Any] = {"kind": "tokens", "latency": 1 / rate(point), "seed": 0}
        artifact = folder / "model.json"
        artifact.write_text(json.dumps(behaviour), "utf-8")
        return replace(take(Run(candidate=point.id, runner="null", artifact=artifact, folder=folder, plan=_PLAN, mode="quick", wall=60.0), round), candidate=point.id)
