"""What happens around a repetition: processors that others use, clocks that drop, heat that throttles. Seen from the parent, every second."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import psutil

FOREIGN_LIMIT = 0.10  # share of all processors; above it others disturb
CLOCK_DROP = 0.05
WARMER = 5.0  # degrees at most above the first start
_SECOND = 1.0


class ForeignLoad:
    """Share of all processors' time that others used since it was made: everything that ran, less ourselves and the children we waited for.

    Time that a hypervisor gave to other machines counts as others'.
    """

    def __init__(self, busy: Callable[[], float] | None = None, own: Callable[[], float] | None = None, clock: Callable[[], float] = time.monotonic):
        self._busy, self._own, self._clock = busy or busy_seconds, own or own_seconds, clock
        self._children: dict[int, float] = {}
        self._start = self._now()

    def _now(self) -> tuple[float, float, float]:
        return self._clock(), self._busy(), self._own()

    def note(self, pid: int) -> None:
        """Remember what a running child has used: not every system adds it to ours when it has ended."""
        try:
            process = psutil.Process(pid)
            self._children[pid] = sum(sum(each.cpu_times()[:2]) for each in (process, *process.children(recursive=True)))
        except psutil.Error:
            pass

    def share(self) -> float:
        """0 .. 1."""
        clock, busy, own = (now - then for now, then in zip(self._now(), self._start, strict=True))
        ours = max(own, sum(self._children.values()))
        return min(1.0, max(0.0, (busy - ours) / max(clock * (os.cpu_count() or 1), 1e-9)))

    def over(self, seconds: float) -> float:
        """The share over the next `seconds`."""
        self._start = self._now()
        time.sleep(seconds)
        return self.share()


def busy_seconds() -> float:
    """Time that all processors worked since start, for anyone."""
    times = psutil.cpu_times()
    return float(sum(times[:]) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0))


def own_seconds() -> float:
    """Time that this process and its ended, waited-for children used."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def busiest(count: int = 3, seconds: float = 0.3) -> list[dict[str, Any]]:
    """The processes of others that use most of the processors just now: pid, name, share of one processor."""
    seen = {process.pid: process for process in psutil.process_iter(["name"]) if process.pid != os.getpid()}
    for process in seen.values():
        _percent(process)
    time.sleep(seconds)
    used = sorted(((_percent(process), pid) for pid, process in seen.items()), reverse=True)[:count]
    return [{"pid": pid, "name": seen[pid].info["name"], "share": percent / 100} for percent, pid in used if percent >= 10]


def _percent(process: psutil.Process) -> float:
    try:
        return float(process.cpu_percent())
    except psutil.Error:
        return 0.0


class Surroundings:
    """Watches while a child runs: give `note` to `isolate.run` as its watch, then ask for `flags`."""

    def __init__(self, root: Path = Path("/"), clock: Callable[[], float] = time.monotonic):
        self._root, self._clock = root, clock
        self._throttled, self._rates = throttle_count(root), []  # type: ignore[var-annotated]
        self._next = clock()
        self.load = ForeignLoad()
        self.start_temperature = hottest()

    def note(self, pid: int) -> None:
        """Once a second, whatever the tick."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _SECOND
        self.load.note(pid)
        if rates := clock_rates(self._root):
            self._rates.append(max(rates))

    def flags(self, foreign_load: float) -> tuple[str, ...]:
        """`foreign-load`, `throttled` (the kernel counted it), `clock-drop` (the last third is 5 % below the first)."""
        found = []
        if foreign_load > FOREIGN_LIMIT:
            found.append("foreign-load")
        if throttle_count(self._root) > self._throttled:
            found.append("throttled")
        third = len(self._rates) // 3
        if third and median(self._rates[-third:]) < (1 - CLOCK_DROP) * median(self._rates[:third]):
            found.append("clock-drop")
        return tuple(found)


def throttle_count(root: Path = Path("/")) -> int:
    """How often the processors were slowed down for heat, where the kernel counts it."""
    return sum(_numbers(root, "cpu[0-9]*/thermal_throttle/*_throttle_count"))


def hottest() -> float | None:
    """Highest plausible temperature of any sensor [deg C]; None where no sensor is readable."""
    groups = sensor("sensors_temperatures") or {}
    return max((row.current for rows in groups.values() for row in rows if 0 < row.current < 150), default=None)


def clock_rates(root: Path = Path("/")) -> list[float]:
    """Present clock of each processor [Hz], where the kernel tells it."""
    return [kilohertz * 1e3 for kilohertz in _numbers(root, "cpu[0-9]*/cpufreq/scaling_cur_freq")]


def sensor(name: str) -> Any:
    """What psutil reads of a sensor; None where the system or this build has none."""
    try:
        return getattr(psutil, name)()
    except (AttributeError, OSError, RuntimeError, NotImplementedError):
        return None


def _numbers(root: Path, pattern: str) -> list[int]:
    found = []
    for path in sorted((root / "sys/devices/system/cpu").glob(pattern)):
        try:
            found.append(int(path.read_text("ascii")))
        except (OSError, ValueError):
            continue
    return found


def cool_down(first: float | None, *, most: float = 60.0, pause: float = 1.0, read: Callable[[], float | None] = hottest, sleep: Callable[[float], None] = time.sleep) -> float | None:
    """Wait until the machine is within 5 degrees of `first` [deg C], at most `most` seconds; a fixed pause where there is no sensor.

    Returns the temperature now.
    """
    now = read()
    if now is None or first is None:
        sleep(pause)
        return now
    waited = 0.0
    while now is not None and now > first + WARMER and waited < most:
        sleep(pause)
        waited += pause
        now = read()
    return now
