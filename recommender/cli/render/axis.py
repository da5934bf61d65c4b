"""One axis of a plot: from values to pixels, and ticks that a person would choose."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

LOG_FROM = 20.0  # a span beyond this is drawn on a logarithmic axis
_TICKS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """`low` lies at pixel `start`, `high` at pixel `end`."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool

    def at(self, value: float) -> float:
        """Pixel of a value; what lies outside is put on the edge."""
        inside = min(max(value, self.low), self.high)
        share = math.log(inside / self.low) / math.log(self.high / self.low) if self.is_log else (inside - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values inside the axis."""
        if not self.is_log:
            return _linear(self.low, self.high)
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        steps = (1.0, 2.0, 5.0) if len(decades) <= 4 else (1.0,)
        return [step * 10.0**decade for decade in decades for step in steps if self.low <= step * 10.0**decade <= self.high]


def axis(values: Iterable[float], start: float, end: float) -> Axis:
    """The axis that holds all values, with a little room; logarithmic where they span more than LOG_FROM times."""
    found = list(values)
    low, high = min(found), max(found)
    if low > 0 and high / low > LOG_FROM:
        return Axis(low=low / 1.2, high=high * 1.2, start=start, end=end, is_log=True)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return Axis(low=max(0.0, low - room) if low >= 0 else low - room, high=high + room, start=start, end=end, is_log=False)


def _linear(low: float, high: float) -> list[float]:
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
