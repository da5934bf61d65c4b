"""Candidates with known distributions under a fake clock: what a comparison is tested with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import exp
from random import Random
from typing import Any

from recommender.measure.compare import Comparison, compare
from recommender.measure.repetition import Repetition


@dataclass
class Lab:
    """A machine that measures in no time. `levels`: candidate -> its true rate; `noise`: standard deviation between processes, on the log scale.

    first_in_round: factor on whoever runs first in a round. replies: (candidate, attempt counted from 1) -> changes of that repetition.
    """

    levels: Mapping[str, float]
    noise: float = 0.0
    seconds: Mapping[str, float] = field(default_factory=dict)
    first_in_round: float = 1.0
    replies: Mapping[tuple[str, int], Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 1
    now: float = 0.0
    taken: list[Repetition] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)

    def clock(self) -> float:
        return self.now

    def take(self, candidate: str, round: int) -> Repetition:
        is_first = not any(each.round == round for each in self.taken)
        rate = self.levels[candidate] * exp(self.rng.gauss(0, self.noise)) * (self.first_in_round if is_first else 1.0)
        elapsed = self.seconds.get(candidate, 1.0)
        self.now += elapsed
        attempt = 1 + sum(each.candidate == candidate for each in self.taken)
        found = {"samples": {"throughput": [rate]}, "elapsed": elapsed, **self.replies.get((candidate, attempt), {})}
        self.taken.append(Repetition(candidate=candidate, round=round, **found))
        return self.taken[-1]

    def compare(self, *, take: Callable[[str, int], Repetition] | None = None, rng: Random | None = None, **options: Any) -> Comparison:
        """The first candidate is the baseline."""
        first, *others = self.levels
        return compare(others, first, take or self.take, metric="throughput", rng=rng or Random(f"order {self.seed}"), clock=self.clock, **options)

    def rounds_of(self, candidate: str) -> list[int]:
        return [each.round for each in self.taken if each.candidate == candidate]
