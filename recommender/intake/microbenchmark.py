"""What the processor really reaches: bandwidth of copying and of reading, and fp32 matrix rate, by numpy in a child process, in at most 3 s.

It runs once a machine: the result is kept under the digest of the fingerprint.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from math import ceil
from typing import Any

from recommender.domain.fingerprint import QUIET_SHARE
from recommender.intake.cache_folder import read_cached, write_cached

CACHE_SCHEMA = 2  # 2: reading too
TRIES = 4
_RATES = ("memory_bandwidth", "memory_bandwidth_1t", "read_bandwidth", "read_bandwidth_1t", "fp32_ops")
TIME_LIMIT = 8.0  # seconds until the child is ended; it measures for less than 3 and a loaded machine starts slowly
_GROUP_FOLDERS = ("/sys/fs/cgroup", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct")
_THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS")

# A copy counts its bytes once read and once written. Reading is timed by an operation that is cheaper than memory (a bitwise or):
# np.sum would measure the adder. The four rates take turns, so that a neighbour's burst does not fall on one of them alone.
_PROGRAM = """
import json, sys, threading, time
import numpy as np
threads, size = int(sys.argv[1]), int(sys.argv[2])
began = time.perf_counter()
source, target = np.ones(size // 8, np.int64), np.zeros(size // 8, np.int64)

def copy(part):
    np.copyto(target[part], source[part])

def read(part):
    np.bitwise_or.reduce(source[part])

def seconds(work, n):
    parts = [slice(len(source) * i // n, len(source) * (i + 1) // n) for i in range(n)]
    workers = [threading.Thread(target=work, args=(part,)) for part in parts]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - start

def multiply():
    start = time.perf_counter()
    np.matmul(left, right, out=product)
    return time.perf_counter() - start

def is_over(start, limit):
    now = time.perf_counter()
    return now - start > limit or now - began > 2.5

asked = [(work, n) for n in sorted({1, threads}) for work in (copy, read)]
times = {each: [] for each in asked}
start = time.perf_counter()
while len(times[asked[-1]]) < 3 or not is_over(start, 0.75):
    for work, n in asked:
        times[work, n].append(seconds(work, n))
    if is_over(start, 1.5):
        break
copied, reread = ({n: size / min(times[work, n]) for n in (1, threads)} for work in (copy, read))
n = 512
left, right, product = np.ones((n, n), np.float32), np.ones((n, n), np.float32), np.empty((n, n), np.float32)
multiply()
if multiply() < 0.02:  # larger ones are closer to the peak, where they do not take long
    n = 1536
    left, right, product = np.ones((n, n), np.float32), np.ones((n, n), np.float32), np.empty((n, n), np.float32)
multiply()
used, start, products = time.process_time(), time.perf_counter(), []  # the share of the processors we got tells whether others were at work
while len(products) < 2 or not is_over(start, 0.4):
    products.append(multiply())
share = (time.process_time() - used) / ((time.perf_counter() - start) * threads)
print(json.dumps({"memory_bandwidth": 2 * max(copied.values()), "memory_bandwidth_1t": 2 * copied[1], "read_bandwidth": max(reread.values()),
                  "read_bandwidth_1t": reread[1], "fp32_ops": 2.0 * n**3 / min(products), "threads": threads,
                  "elapsed": time.perf_counter() - began, "processor_share": min(1.0, share)}))
"""


def microbenchmark(digest: str, *, allow_run: bool = True, again: bool = False) -> dict[str, Any]:
    """Kept under the digest. A run that others disturbed is repeated at the next calls, `TRIES` at most; `again` asks for one more.
    Of several runs the better of each rate is kept: a neighbour only takes away.

    `memory_bandwidth` of a copy and `memory_bandwidth_1t` of one by one thread, `read_bandwidth` and `read_bandwidth_1t` likewise [bytes/s],
    `fp32_ops` [ops/s], `threads`, `elapsed` [s].

    Only `why` when it is not known: not yet run, numpy missing, or the child failed.
    """
    kept, known = _kept(digest)
    if known and not again and not (allow_run and is_due(digest)):
        return known
    if not allow_run:
        return {"why": "the microbenchmark has not run on this machine yet"}
    result = run_microbenchmark()
    if "why" in result and known:
        return known
    if "why" not in result:
        result |= {name: max(result[name], known[name]) for name in (*_RATES, "processor_share") if name in known and name in result}
        write_cached(_name(digest), {"schema": CACHE_SCHEMA, "result": result, "tries": kept.get("tries", 0) + 1})
    return result


def is_due(digest: str) -> bool:
    """Whether the next call should measure: never measured, or disturbed and not yet tried often enough."""
    kept, known = _kept(digest)
    return not known or (known.get("processor_share", 1.0) < QUIET_SHARE and kept.get("tries", 1) < TRIES)


def _name(digest: str) -> str:
    return f"microbenchmark-{digest}.json"


def _kept(digest: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The cached file and the result in it, empty when there is none."""
    kept = read_cached(_name(digest))
    result = kept.get("result")
    if kept.get("schema") != CACHE_SCHEMA or not isinstance(kept.get("tries", 1), int) or not isinstance(result, dict):
        return {}, {}
    return (kept, dict(result)) if all(isinstance(value, (int, float)) for value in result.values()) else ({}, {})


def run_microbenchmark(threads: int | None = None, size: int | None = None) -> dict[str, Any]:
    """Measure now, with `threads` threads and two arrays of `size` bytes; by default what this process may use."""
    import subprocess
    from importlib.util import find_spec

    if find_spec("numpy") is None:
        return {"why": "numpy is not installed"}
    workers = threads or usable_threads()
    command = [sys.executable, "-P", "-c", _PROGRAM, str(workers), str(size or _array_size())]
    environment = {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(workers))}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIME_LIMIT, stdin=subprocess.DEVNULL, env=environment, check=True
        )
        found = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"why": f"the microbenchmark did not end in {TIME_LIMIT:g} s"}
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()
        return {"why": f"the microbenchmark failed: {lines[-1] if lines else error.returncode}"}
    except (OSError, ValueError) as error:
        return {"why": f"the microbenchmark failed: {error}"}
    return found if isinstance(found, dict) else {"why": "the microbenchmark printed no result"}


def usable_threads(read: Callable[[str], str | None] | None = None) -> int:
    """Threads that this process may really use: its affinity, within the container's quota of processor time."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(read or _read)
    return max(1, min(allowed, ceil(quota)) if quota else allowed)


def _quota(read: Callable[[str], str | None]) -> float | None:
    """CPUs' worth of time of the innermost control group that is shown here, either version; None without a limit."""
    found = []
    for folder in _GROUP_FOLDERS:
        both = (read(f"{folder}/cpu.max") or "").split()
        if len(both) != 2:
            both = [(read(f"{folder}/cpu.cfs_{part}_us") or "").strip() for part in ("quota", "period")]
        if all(part.isdigit() and int(part) > 0 for part in both):
            found.append(int(both[0]) / int(both[1]))
    return min(found, default=None)


def _array_size() -> int:
    """128 MiB, more than any cache of an edge device; an eighth of what is free where that is less, 16 MiB at least."""
    free = None
    for line in (_read("/proc/meminfo") or "").splitlines():
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) << 10
    limit = (_read("/sys/fs/cgroup/memory.max") or "").strip()
    if limit.isdigit():
        free = min(free or int(limit), int(limit))
    return max(16 << 20, min(128 << 20, (free or 1 << 30) // 8))


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            return stream.read(1 << 16)
    except OSError:
        return None
