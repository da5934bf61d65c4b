"""The memory pass: what a running candidate holds, sampled from another process every 10 ms; nothing is timed meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from recommender.domain.errors import ExecutorUnavailable
from recommender.measure import gpu_counters, isolate
from recommender.measure.take import Run, job

TICK = 0.01  # seconds
_SLOW_SHARE = 0.05  # of the time that costly readings may take
_SECONDS = 3.0  # of steady running


def measure(run: Run, *, seconds: float = _SECONDS) -> dict[str, Any]:
    """Run a candidate for `seconds` and report its memory [bytes], children included.

    Returns `peak_memory` and, of `resident`, `proportional` (Linux) and `device` memory: baseline (the bare interpreter with numpy), peak_load
    (until the first answer), peak_steady, steady (median), each raw, and `net` = peak less baseline; a kind that cannot be read is {"why"}.
    When the candidate fails: {"why", "kind"}.
    """
    try:
        child = job(run, "steady", "memory", seconds=seconds)
    except ExecutorUnavailable as error:
        return {"why": error.message, "kind": "unsupported"}
    sampler = Sampler()
    outcome = isolate.run(child, watch=sampler.note, tick=TICK)
    if not outcome.ok:
        return {"why": outcome.message, "kind": outcome.kind, "peak_memory": outcome.peak_memory}
    marks = outcome.value["marks"]
    told: dict[str, Any] = {name: summary(rows, marks) for name, rows in sampler.rows.items()}
    if not gpu_counters.gpus() and "why" not in told["device"] and not told["device"]["peak"]:
        told["device"] = {"why": "no driver tells the memory of a process on a device"}
    return {"peak_memory": told["resident"].get("peak"), **told, "facts": outcome.value["facts"], "n_samples": len(sampler.rows["resident"])}


def summary(rows: Iterable[tuple[float, int]], marks: Mapping[str, float]) -> dict[str, Any]:
    """PURE: peaks and levels of (monotonic time, bytes) by the phases between the marks `opening` and `steady`."""
    before: list[int] = []
    loading: list[int] = []
    running: list[int] = []
    for at, value in rows:
        (before if at < marks["opening"] else loading if at < marks["steady"] else running).append(value)
    everything = [*before, *loading, *running]
    if not everything:
        return {"why": "it could not be read"}
    baseline = max(before, default=None)
    peak = max(everything)
    return {
        "baseline": baseline, "peak_load": max(loading, default=None), "peak_steady": max(running, default=None),
        "steady": median(running) if running else None, "peak": peak, "net": None if baseline is None else peak - baseline,
    }


class Sampler:
    """Gives `note` to `isolate.run`. Proportional and device memory cost more to read and are read less often."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, proc: Path = Path("/proc")):
        self._clock, self._proc = clock, proc
        self.rows: dict[str, list[tuple[float, int]]] = {"resident": [], "proportional": [], "device": []}
        self._due: dict[str, float] = {"proportional": 0.0, "device": 0.0}

    def note(self, pid: int) -> None:
        pids = tree(pid)
        if resident := sum(_resident(each) for each in pids):
            self.rows["resident"].append((self._clock(), resident))
        self._slowly("proportional", lambda: proportional(pids, self._proc))
        self._slowly("device", lambda: device(pids, self._proc))

    def _slowly(self, name: str, read: Callable[[], int | None]) -> None:
        began = self._clock()
        if began < self._due[name]:
            return
        value = read()
        ended = self._clock()
        self._due[name] = ended + (ended - began) / _SLOW_SHARE
        if value is not None:
            self.rows[name].append((ended, value))


def tree(pid: int) -> list[int]:
    """A process and its descendants that live."""
    try:
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    except psutil.Error:
        return []


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def proportional(pids: Iterable[int], proc: Path = Path("/proc")) -> int | None:
    """Proportional set size: pages shared with others count in part. None where the system does not tell."""
    found = []
    for pid in pids:
        try:
            text = (proc / str(pid) / "smaps_rollup").read_text("ascii", "replace")
        except OSError:
            continue
        found += [int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith("Pss:")]
    return sum(found) if found else None


def device(pids: Iterable[int], proc: Path = Path("/proc")) -> int | None:
    """Device memory of the processes, by whichever driver tells it."""
    own = set(pids)
    by_process = gpu_counters.processes()
    told = sum(used for pid, used in (by_process or {}).items() if pid in own)
    return told or gpu_counters.drm_memory(own, proc)
