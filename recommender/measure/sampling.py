"""How long and how often: the limits of each mode, the clock's own figures, and collecting samples until they hold still.

Runs in the child. A clock is any function that returns seconds; time stands in front of every loop, so a limit ends it and flags it, and
what was collected is kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from statistics import median
from typing import Any

from recommender.domain.errors import UsageError
from recommender.measure.statistics import stable

Clock = Callable[[], float]
RESOLUTIONS = 1000  # a sample lasts so many times the clock's resolution
SHORT_CALL, SHORT_SAMPLE = 1e-3, 0.04  # seconds: calls below the first are timed in batches of the second
_WINDOWS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much warm-up and how many samples; times in seconds. A plan overrides any of them by name under `limits`."""

    warm_up_calls: int = 10
    warm_up_seconds: float = 2.0
    warm_up_cap: float = 60.0
    samples: int = 30
    seconds: float = 10.0
    cap: float = 60.0


MODES = {
    "quick": Limits(warm_up_calls=3, warm_up_seconds=0.5, warm_up_cap=5.0, samples=10, seconds=2.0, cap=15.0),
    "normal": Limits(),
    "strict": Limits(),
}


def limits(mode: str, plan: Mapping[str, Any]) -> Limits:
    """The limits of a mode with the plan's own on top. Raises UsageError for a name that is none."""
    own = dict(plan.get("limits", {}))
    known = {each.name for each in fields(Limits)}
    if mode not in MODES or not known >= set(own):
        named = mode if mode not in MODES else sorted(set(own) - known)[0]
        raise UsageError(f"`{named}` is no mode and no limit (modes are {', '.join(MODES)}; limits {', '.join(sorted(known))})")
    return replace(MODES[mode], **own)


def calibrated(clock: Clock = time.perf_counter, tries: int = 2000) -> dict[str, float]:
    """`resolution`: the smallest step seen between two readings; `overhead`: what one reading takes. Both in seconds."""
    readings = [clock() for _ in range(tries)]
    steps = [after - before for before, after in zip(readings, readings[1:], strict=False) if after > before]
    return {"resolution": min(steps, default=0.0), "overhead": (readings[-1] - readings[0]) / (tries - 1)}


def calls_per_sample(seconds_per_call: float, resolution: float) -> int:
    """Calls that are timed together so that the clock's steps and our loop do not show."""
    least = RESOLUTIONS * resolution
    if seconds_per_call < SHORT_CALL:
        least = max(least, SHORT_SAMPLE)
    return max(1, math.ceil(least / max(seconds_per_call, 1e-9)))


def collect(take: Callable[[], float], limits: Limits, *, deadline: float = math.inf, clock: Clock = time.perf_counter) -> list[str]:
    """Call `take` (one sample; returns its seconds per call) until enough samples hold still. Returns flags.

    A window is a third of what is asked for, in samples and in seconds. Collecting ends when the last three windows agree within 5 %, after
    half of the cap also within 10 %, and at the cap or the deadline in any case. At least one sample is taken.

    Flags: `capped` ended by the cap or the deadline, `unstable` all samples together do not agree within 5 %.
    """
    began = clock()
    end = min(deadline, began + limits.cap)
    values: list[float] = []
    windows = [0]  # where each began
    opened = began
    while True:
        values.append(take())
        now = clock()
        n_inside = len(values) - windows[-1]
        if n_inside >= limits.samples / _WINDOWS and now - opened >= limits.seconds / _WINDOWS:
            windows.append(len(values))
            opened = now
            if len(windows) > _WINDOWS:
                state = stable(values[windows[-1 - _WINDOWS] :])
                if state == "ok" or (state == "unstable" and now - began >= limits.cap / 2):
                    break
        if now >= end:
            break
    flags = ["capped"] if clock() >= end else []
    return flags if stable(values) == "ok" else [*flags, "unstable"]


def typical(seconds: list[float]) -> float:
    """Seconds of a typical call among the last ones."""
    return median(seconds[-5:])
