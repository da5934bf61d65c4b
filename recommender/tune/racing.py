"""PURE: which points of a sweep deserve more repetitions, and which are never run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ROUNDS = 3  # of a finalist in quick mode, the one of the screening among them


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """80 % interval of a point in one metric, by what is good: `pessimistic` is the bad end whatever the metric's direction."""

    pessimistic: float
    central: float
    optimistic: float


def is_worse(value: float, other: float, better: str) -> bool:
    return value < other if better == "up" else value > other


def hopeless(ranges: Mapping[str, Sequence[Range]], measured: Sequence[str], better: Sequence[str]) -> dict[str, str]:
    """Points that are not measured and whose optimistic ends are all worse than the pessimistic ends of one measured point: point -> that point."""
    marks = {point: [row.pessimistic for row in ranges[point]] for point in measured if point in ranges}
    front = [point for point in marks if point not in dominated(marks, better)]
    known, found = set(measured), dict[str, str]()
    for point, row in ranges.items():
        if point not in known:
            ends = [mine.optimistic for mine in row]
            settles = next((other for other in front if all(map(is_worse, ends, marks[other], better))), "")
            if settles:
                found[point] = settles
    return found


def finalists(ranges: Mapping[str, Range], best: str, better: str, *, seconds: Mapping[str, float], left: float) -> list[str]:
    """Measured points that may be the best, the likeliest first: as many as can be repeated within the seconds that are left; the best alone if it is clear.

    Each needs ROUNDS - 1 further repetitions, the winner one more.
    """
    near = [point for point, row in ranges.items() if point == best or not is_worse(row.optimistic, ranges[best].pessimistic, better)]
    near.sort(key=lambda point: (point != best, -ranges[point].central if better == "up" else ranges[point].central))
    found: list[str] = []
    rest = left - seconds[best]
    for point in near:
        rest -= (ROUNDS - 1) * seconds[point]
        if found and rest < 0:
            break
        found.append(point)
    return found


def dominated(values: Mapping[str, Sequence[float]], better: Sequence[str]) -> set[str]:
    """Keys that another one beats in one value and in none falls behind; of equals the first stays."""
    signed = sorted(((tuple(-value if each == "up" else value for value, each in zip(row, better, strict=True)), place, key) for place, (key, row) in enumerate(values.items())))
    front: list[tuple[float, ...]] = []
    found: set[str] = set()
    for row, _, key in signed:  # sorted: who beats a row stands before it
        if any(all(a <= b for a, b in zip(other, row, strict=True)) for other in front):
            found.add(key)
        else:
            front.append(row)
    return found
