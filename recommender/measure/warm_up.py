"""Warm-up: calls at the full shape until they no longer become faster or slower."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from recommender.measure.sampling import Clock, Limits
from recommender.measure.statistics import is_flat

_SAMPLE = 0.005  # seconds; faster calls are timed together, or there would be millions of them
_NEXT_LOOK = 1.25  # the slope is computed when the time has grown by this factor: its cost must not be part of the warm-up
_FEWEST = 6  # samples below which nothing can be said of a slope


@dataclass(frozen=True, kw_only=True, slots=True)
class WarmUp:
    """`samples`: seconds per call in the order taken. Flags: `short-warm-up` too short to tell, `not-flat` still changing at the end."""

    samples: list[float] = field(default_factory=list)
    calls: int = 0
    seconds: float = 0.0
    flags: tuple[str, ...] = ()


def warm_up(
    call: Callable[[], None], limits: Limits, *, calls_each: int = 1, deadline: float = math.inf, clock: Clock = time.perf_counter,
) -> WarmUp:
    """Call until both minima are met and the slope over the last half is flat, or until the cap or the deadline.

    `calls_each`: how often one call runs the model (a request for n tokens runs it n times).
    """
    began = now = clock()
    end = min(deadline, began + limits.warm_up_cap)
    samples: list[float] = []
    n_calls, look, is_ready = 0, 0.0, False
    while now < end and not is_ready:
        n = max(1, math.ceil(_SAMPLE / max(samples[-1], 1e-9))) if samples else 1
        n = min(n, 2 * n_calls + 1)  # one odd reading must not decide
        for _ in range(n):
            call()
        before, now = now, clock()
        samples.append((now - before) / n)
        n_calls += n
        elapsed = now - began
        if n_calls * calls_each >= limits.warm_up_calls and elapsed >= max(limits.warm_up_seconds, look):
            is_ready, look = is_flat(samples), elapsed * _NEXT_LOOK
            now = clock()
    is_short = n_calls * calls_each < limits.warm_up_calls or now - began < limits.warm_up_seconds or len(samples) < _FEWEST
    flags = () if is_ready else ("short-warm-up",) if is_short else ("not-flat",)
    return WarmUp(samples=samples, calls=n_calls, seconds=now - began, flags=flags)
