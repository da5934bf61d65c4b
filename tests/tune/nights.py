"""A device with known levels under a fake clock, and the documents of sweeps: what a night is tested with."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, inf
from pathlib import Path
from random import Random
from typing import Any

from recommender.measure.repetition import Repetition
from recommender.tune.baseline import read
from recommender.tune.history import History
from recommender.tune.nightly import Nightly, Settings

POINTS = tuple(f"null/cpu/int8?n_threads={n}" for n in range(1, 9))
START = datetime.datetime(2026, 11, 1, 2, tzinfo=datetime.UTC)
CLASS = "bench"


def document(points: tuple[str, ...] = POINTS, *, classes: tuple[str, ...] = (CLASS,), level: float = 100.0, n: int = 3, needs: tuple[str, ...] = (), **study: Any) -> dict[str, Any]:
    """A sweep's document; its trials are processes, `n` of each point; every point is on the front."""
    trials = [
        {"number": number, "point": point, "state": "COMPLETE", "class": name, "fidelity": "full", "metrics": {"decode_rate": {"value": level, "unit": "tok/s"}, "peak_memory": {"value": 1e9, "unit": "bytes"}}}
        for number, (name, point, _) in enumerate((name, point, process) for name in classes for point in points for process in range(n))
    ]
    by_class = {name: {"best": next(t["number"] for t in trials if t["class"] == name), "pareto": [t["number"] for t in trials if t["class"] == name]} for name in classes}
    return {
        "schema_version": 1, "study": {"name": "sweep", "model": "tiny", "class": classes[0], "objectives": [{"metric": "decode_rate", "better": "up"}], "needs": list(needs), **study},
        "trials": trials, "best": 0, "pareto": [], "classes": by_class,
    }  # fmt: skip


def written(folder: Path, told: Any) -> Path:
    path = folder / "baseline.json"
    path.write_text(told if isinstance(told, str) else json.dumps(told))
    return path


@dataclass
class Fleet:
    """Devices that share one history. `factors`: (class, point) -> what its level is multiplied with; `replies`: point -> what it answers instead;
    `costs`: seconds of the n-th repetition of a night, where that is not 1."""

    folder: Path
    told: Mapping[str, Any] = field(default_factory=document)
    noise: float = 0.01
    factors: dict[tuple[str, str], float] = field(default_factory=dict)
    replies: dict[str, dict[str, Any]] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    costs: dict[int, float] = field(default_factory=dict)
    stops_after: int = 10**9
    now: datetime.datetime = START
    seconds: float = 0.0
    taken: list[tuple[str, int]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = Random(4)

    def night(self, device_class: str = CLASS, *, hours: float = 24, takes_all: bool = False, **settings: Any) -> dict[str, Any]:
        """The document of the next night, so many hours after the last."""
        self.now += datetime.timedelta(hours=hours)
        self.taken.clear()

        def take(point: str, number: int) -> Repetition:
            if len(self.taken) >= self.stops_after:
                raise KeyboardInterrupt
            self.taken.append((point, number))
            self.seconds += self.costs.get(len(self.taken), 1.0)
            if reply := self.replies.get(point):
                return Repetition(candidate=point, round=number, **reply)
            rate = 100 * self.factors.get((device_class, point), 1.0) * exp(self.rng.gauss(0, self.noise))
            return Repetition(candidate=point, round=number, samples={"decode_rate": [rate] * 3}, raw={"peak_memory": 1e9, "facts": object()}, flags=self.flags)

        baseline = read(written(self.folder, self.told), takes_all=takes_all)
        history = History(self.folder / "history", baseline.digest)
        return Nightly(
            baseline=baseline, device_class=device_class, history=history, take=take, settings=Settings(**{"budget": inf, **settings}), now=lambda: self.now,
            clock=lambda: self.seconds, say=self.said.append,
        ).run()  # fmt: skip
