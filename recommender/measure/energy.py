"""The energy pass: counters that hardware keeps, read before and after a window in which a candidate runs, idle power subtracted and also raw.

Power samples are not used where a counter is missing, and no typical figure stands in for one: then energy is unavailable, with the reason.
"""

from __future__ import annotations

import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from recommender.domain.errors import ExecutorUnavailable
from recommender.measure import gpu_counters, isolate
from recommender.measure.take import Run, job

SHORTEST = 5.0  # seconds of a window
UPDATES = 100  # that a window lasts at least
_POWERCAP = Path("/sys/class/powercap")


class Counter(Protocol):
    """name; interval: seconds between two updates; joules(): since some start, never falling."""

    name: str
    interval: float

    def joules(self) -> float: ...


class Powercap:
    """Running average power limit counters of the kernel: the packages and the memory beside them.

    What a package contains (cores, graphics) is not added, nor a package that a second interface (mmio) shows again, nor the platform's total.
    """

    name = "processor"
    interval = 0.001

    def __init__(self, zones: Sequence[Path]):
        self._zones = zones
        self._ranges = [_number(zone / "max_energy_range_uj") for zone in zones]
        self._last = [_number(zone / "energy_uj") for zone in zones]
        self._total = 0

    def joules(self) -> float:
        """Sums what was counted since the last call, a counter that began again at 0 included: call it more often than it wraps around."""
        for at, zone in enumerate(self._zones):
            now = _number(zone / "energy_uj")
            passed = now - self._last[at]
            self._total += passed if passed >= 0 else passed + self._ranges[at]
            self._last[at] = now
        return self._total / 1e6


def powercap(root: Path = _POWERCAP) -> tuple[Counter | None, str]:
    """The counter, or None with the reason."""
    zones: dict[str, Path] = {}
    try:
        folders = sorted((path for path in root.iterdir() if (path / "energy_uj").exists()), key=lambda path: ("mmio" in path.name, path.name))
    except OSError:
        folders = []
    for folder in folders:
        name = _text(folder / "name")
        parent = folder.name.rpartition(":")[0] if folder.name.count(":") > 1 else ""
        if name.startswith("package") or name == "dram":
            zones.setdefault(f"{name} of {parent}" if name == "dram" else name, folder)
    if not zones:
        return None, f"no energy counter of the processor in {root}"
    try:
        return Powercap(list(zones.values())), ""
    except OSError as error:
        return None, f"{error.filename} cannot be read: {error.strerror} (hint: sudo chmod a+r {root}/*/energy_uj)"


class GPU:
    """Total energy counters of the GPUs."""

    name = "gpu"
    interval = 0.1

    def joules(self) -> float:
        found, why = gpu_counters.energy()
        if found is None:
            raise OSError(why)
        return found


def counters() -> tuple[list[Counter], list[str]]:
    """All energy counters of this machine, and the reasons for those that are not there."""
    if sys.platform == "darwin":
        return [], ["the system's energy counters are told by powermetrics only, to root only"]
    if sys.platform == "win32":
        return [], ["no reader for this system's energy meter interface"]
    processor, why = powercap()
    _, why_gpu = gpu_counters.energy()
    found: list[Counter] = [processor] if processor else []
    return (found if why_gpu else [*found, GPU()]), [each for each in (why, why_gpu) if each]


def measure(run: Run, *, found: Sequence[Counter] | None = None, idle: float = SHORTEST, seconds: float | None = None) -> dict[str, Any]:
    """Run a candidate through a window of at least 5 s and 100 updates of the slowest counter, after `idle` seconds without it.

    Returns unit (`J/token` or `J/inference`), net and raw [of that unit], window [s], idle_power [W], calls, and per counter joules and idle
    power; {"why"} where there is no counter, or the candidate failed (then with its kind).
    """
    present, missing = counters() if found is None else (list(found), [])
    if not present:
        return {"why": "; ".join(missing)}
    needed = max([SHORTEST, *(UPDATES * counter.interval for counter in present)]) if seconds is None else seconds
    try:
        child = job(run, "steady", "energy", seconds=needed)
        idle_power = _idle_power(present, max(idle, needed))
        outcome, rows = _watched(child, present)
    except ExecutorUnavailable as error:
        return {"why": error.message, "kind": "unsupported"}
    except OSError as error:
        return {"why": f"a counter could no longer be read: {error}"}
    if not outcome.ok:
        return {"why": outcome.message, "kind": outcome.kind}
    value = outcome.value
    start, end = value["marks"]["steady"], value["marks"]["end"]
    used = {counter.name: between([(at, row[n]) for at, row in rows], start, end) for n, counter in enumerate(present)}
    return {**per_unit(used, idle_power, end - start, calls=value["calls"], tokens=value["tokens"]), "missing": missing}


def _watched(child: isolate.Job, present: Sequence[Counter]) -> tuple[isolate.Outcome, list[tuple[float, list[float]]]]:
    """Run it, and (time, joules of each counter) before, during and after."""
    rows: list[tuple[float, list[float]]] = []

    def note(_: int) -> None:
        rows.append((time.monotonic(), [counter.joules() for counter in present]))

    note(0)
    outcome = isolate.run(child, watch=note)
    note(0)
    return outcome, rows


def per_unit(used: dict[str, float], idle_power: dict[str, float], window: float, *, calls: int, tokens: int) -> dict[str, Any]:
    """PURE: joules per token, or per inference where none are made, raw and less what the idle machine would have used."""
    raw, idle = sum(used.values()), sum(idle_power.values()) * window
    n = tokens or calls
    return {
        "unit": "J/token" if tokens else "J/inference", "net": (raw - idle) / n, "raw": raw / n, "window": window, "idle_power": sum(idle_power.values()),
        "calls": calls, "counters": {name: {"joules": joules, "idle_power": idle_power[name]} for name, joules in used.items()},
    }


def between(rows: Sequence[tuple[float, float]], start: float, end: float) -> float:
    """PURE: what a counter rose from one time to another, linear between its readings."""
    return _at(rows, end) - _at(rows, start)


def _at(rows: Sequence[tuple[float, float]], when: float) -> float:
    after = bisect_left(rows, when, key=lambda row: row[0])
    if after in (0, len(rows)):
        return rows[0 if after == 0 else -1][1]
    (early, low), (late, high) = rows[after - 1], rows[after]
    return low + (high - low) * (when - early) / (late - early)


def _idle_power(found: Sequence[Counter], seconds: float, sleep: Callable[[float], None] = time.sleep) -> dict[str, float]:
    """Watts of each counter over a time in which nothing of ours runs."""
    before, began = [counter.joules() for counter in found], time.monotonic()
    sleep(seconds)
    passed = max(time.monotonic() - began, 1e-9)
    return {counter.name: (counter.joules() - old) / passed for counter, old in zip(found, before, strict=True)}


def _number(path: Path) -> int:
    return int(path.read_text("ascii"))


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except OSError:
        return ""
