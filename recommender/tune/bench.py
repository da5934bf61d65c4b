"""What a sweep asks of the world: to make a point's artifact, to judge it, to run it. Live (`live`), or replayed from a recording (`replay`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from recommender.measure.repetition import Repetition
from recommender.tune.space import Point


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """An artifact that was made and passed the correctness gate, or why not.

    metrics: file_size [bytes] and, where it could be told, quality_drop. artifact: its hash. quality: the gate's figures.
    """

    refusal: str = ""
    kind: str = "ok"
    metrics: Mapping[str, float] = field(default_factory=dict)
    artifact: str = ""
    quality: Mapping[str, Any] = field(default_factory=dict)


class Bench(Protocol):
    """Where points are measured."""

    def judge(self, point: Point) -> Judged:
        """Make the artifact, once for all points that share it, and judge it, once for all that give the same output. Never raises for what they do."""

    def take(self, point: Point, round: int) -> Repetition:
        """One fresh process. Never raises for what the point does."""

    def clock(self) -> float:
        """Seconds that passed, as the budget counts them."""

    def idle(self) -> None:
        """Let a second pass: the sweep waits for what another worker is at."""
