"""One repetition: one candidate, one fresh process. What the comparison and the store work with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Repetition:
    """The samples of one fresh process, or why there are none.

    Attributes:
        kind: `ok` or one of measurement.FAILURES.
        samples: metric -> values in the metric's base unit, in the order taken, warm-up excluded.
        single_calls: metrics whose samples are single timed calls (percentiles are allowed for these only).
        cold: import, load_time, first_call [s], and `is_cache_hit` where the framework tells.
        flags: unstable, capped, not-flat, throttled, clock-drop, foreign-load, ...
        foreign_load: processors that others used meanwhile, as a share of all. start_temperature: deg C.
        raw: everything the child returned (warm-up samples, timestamps), for the store.
    """

    candidate: str
    round: int
    kind: str = "ok"
    message: str = ""
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    single_calls: frozenset[str] = frozenset()
    cold: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    foreign_load: float | None = None
    start_temperature: float | None = None
    elapsed: float = 0.0
    raw: Mapping[str, Any] = field(default_factory=dict)
    reproducer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.kind == "ok"
