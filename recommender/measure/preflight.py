"""Before measuring: what state the machine is in, what of it disturbs, and what can be done about it. Nothing is changed here.

`record` reads the machine, `findings` is pure. By policy a serious finding refuses (`strict`), warns (`normal`) or is only recorded (`quick`).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

import recommender
from recommender.domain.evidence import PROTOCOL
from recommender.intake.microbenchmark import usable_threads
from recommender.measure import gpu_counters
from recommender.measure.sampling import calibrated
from recommender.measure.surroundings import FOREIGN_LIMIT, ForeignLoad, busiest, clock_rates, hottest, sensor

START_TEMPERATURE = 75.0  # deg C; most processors begin to throttle 15 to 25 degrees above it
_LEAST_FREE = 0.10  # of the memory
_COARSE_CLOCK = 1e-5  # seconds
_ACTIONS = {"strict": "fail", "normal": "warn", "quick": "record"}
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OMP_PROC_BIND", "GOMP_SPINCOUNT", "GOMP_CPU_AFFINITY", "KMP_BLOCKTIME", "KMP_AFFINITY", "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS", "GGML_NUM_THREADS", "TBB_NUM_THREADS",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that disturbs: its key, what is seen, a line to paste (or a sentence) against it. Serious ones refuse under `strict`."""

    key: str
    what: str
    fix: str
    is_serious: bool = False


def record(*, digest: str = "", seconds: float = 1.0, root: Path = Path("/"), versions: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The state of the machine now; takes `seconds`, the time over which the load of others is seen. What is not known is None."""
    load = ForeignLoad()
    share = load.over(seconds)
    memory, battery = psutil.virtual_memory(), sensor("sensors_battery")
    governor = _governors(root)
    gpus = gpu_counters.gpus()
    return {
        "digest": digest,
        "protocol": PROTOCOL,
        "power_source": None if battery is None else ("mains" if battery.power_plugged in (True, None) else "battery"),
        "battery_percent": None if battery is None else battery.percent,
        **governor,
        "clock_rates": clock_rates(root),
        "temperature": hottest(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "runnable": _runnable(root),
        "foreign_load": share,
        "busiest": busiest() if share > FOREIGN_LIMIT else [],
        "memory_free": memory.available, "memory_total": memory.total,
        "gpus": gpus,
        "gpu_processes": sorted(gpu_counters.processes() or ()) if gpus else None,
        "processors": os.cpu_count(), "usable_processors": usable_threads(lambda path: _read(root / path.lstrip("/"))),
        "memory_limit": _number(_read(root / "sys/fs/cgroup/memory.max")),
        "thread_variables": {name: os.environ[name] for name in _THREAD_VARIABLES if name in os.environ},
        "versions": {"recommender": recommender.__version__, "python": platform.python_version(), "kernel": platform.release(), **(versions or {})},
        "clock": calibrated(),
    }


def findings(seen: Mapping[str, Any]) -> tuple[Finding, ...]:
    """PURE: what of a record disturbs measuring, the serious first."""
    found = [finding for check in _CHECKS if (finding := check(seen))]
    return tuple(sorted(found, key=lambda each: not each.is_serious))


def refused(seen: Mapping[str, Any], policy: str) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """PURE: (what refuses, what is only warned of) under `strict`, `normal` or `quick`."""
    found = findings(seen)
    action = _ACTIONS[policy]
    serious = tuple(each for each in found if each.is_serious and action == "fail")
    return serious, tuple(each for each in found if each not in serious and action != "record")


def spin_policy(foreign_load: float) -> str:
    """How waiting threads wait, the same for all candidates of a comparison: `shipped`, or `passive` where others need the processors.

    Spinning threads that share their processor with others collapse; on quiet ones they are up to 1.7 times faster.
    """
    return "passive" if foreign_load > FOREIGN_LIMIT else "shipped"


# --- checks, each pure -------------------------------------------------------------------------------------------------


def _gpu_is_used(seen: Mapping[str, Any]) -> Finding | None:
    pids = seen.get("gpu_processes")
    if not pids:
        return None
    return Finding(key="foreign-gpu-process", what=f"processes on the GPU: {', '.join(map(str, pids))}", fix=f"ps -fp {','.join(map(str, pids))}", is_serious=True)


def _load(seen: Mapping[str, Any]) -> Finding | None:
    share = seen.get("foreign_load") or 0.0
    if share <= FOREIGN_LIMIT:
        return None
    names = ", ".join(f"{row['name']} ({row['pid']})" for row in seen.get("busiest", ()))
    return Finding(
        key="foreign-load", what=f"others use {share:.0%} of the processors" + (f": {names}" if names else ""),
        fix="close what is not needed, or measure when it is done", is_serious=True,
    )


def _saver(seen: Mapping[str, Any]) -> Finding | None:
    if not seen.get("is_saving_power"):
        return None
    on_battery = seen.get("power_source") == "battery"
    what = f"power is being saved ({seen.get('governor') or seen.get('profile')})" + (" on battery" if on_battery else "")
    return Finding(key="power-saver", what=what, fix="sudo cpupower frequency-set -g performance", is_serious=on_battery)


def _battery(seen: Mapping[str, Any]) -> Finding | None:
    if seen.get("power_source") != "battery" or seen.get("is_saving_power"):
        return None
    return Finding(key="battery", what="the machine runs on battery", fix="connect the charger")


def _heat(seen: Mapping[str, Any]) -> Finding | None:
    warmest = max((value for value in (seen.get("temperature"), *(gpu["temperature"] for gpu in seen.get("gpus", ()))) if value is not None), default=None)
    if warmest is None or warmest <= START_TEMPERATURE:
        return None
    return Finding(key="hot", what=f"{warmest:.0f} °C at the start (limit {START_TEMPERATURE:.0f})", fix="let it cool down; see that its vents are free", is_serious=True)


def _throttled(seen: Mapping[str, Any]) -> Finding | None:
    slow = [str(gpu["index"]) for gpu in seen.get("gpus", ()) if gpu["is_throttled"]]
    return Finding(key="throttled", what=f"GPU {', '.join(slow)} is throttled", fix=gpu_counters.WHY_THROTTLED, is_serious=True) if slow else None


def _memory(seen: Mapping[str, Any]) -> Finding | None:
    free, total = seen["memory_free"], seen["memory_total"]
    if free >= _LEAST_FREE * total:
        return None
    return Finding(key="low-memory", what=f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB of memory are free", fix="close what is not needed")


def _container(seen: Mapping[str, Any]) -> Finding | None:
    usable, processors = seen["usable_processors"], seen.get("processors") or seen["usable_processors"]
    if usable >= processors:
        return None
    return Finding(key="limited-processors", what=f"{usable} of {processors} processors may be used here", fix="start the container with more, or say so with the numbers")


def _threads(seen: Mapping[str, Any]) -> Finding | None:
    names = seen["thread_variables"]
    if not names:
        return None
    return Finding(key="thread-variables", what=", ".join(f"{name}={value}" for name, value in names.items()) + " changes threads", fix=f"unset {' '.join(names)}")


def _coarse_clock(seen: Mapping[str, Any]) -> Finding | None:
    step = seen["clock"]["resolution"]
    return Finding(key="coarse-clock", what=f"the clock's step is {step:.1e} s", fix="samples are made longer by themselves") if step > _COARSE_CLOCK else None


_CHECKS: tuple[Callable[[Mapping[str, Any]], Finding | None], ...] = (
    _gpu_is_used, _load, _saver, _battery, _heat, _throttled, _memory, _container, _threads, _coarse_clock,
)


# --- reading -----------------------------------------------------------------------------------------------------------


def _governors(root: Path) -> dict[str, Any]:
    """governor, driver, preference and profile as the kernel spells them, and whether together they save power.

    The governor `powersave` of a `pstate` driver is the ordinary one; there the preference tells.
    """
    policies = sorted((root / "sys/devices/system/cpu/cpufreq").glob("policy*"))
    told = {
        name: "+".join(sorted({text for policy in policies if (text := _read(policy / file))})) or None
        for name, file in (("governor", "scaling_governor"), ("driver", "scaling_driver"), ("preference", "energy_performance_preference"))
    }
    profile = _read(root / "sys/firmware/acpi/platform_profile")
    is_slow = told["governor"] == "powersave" and "pstate" not in (told["driver"] or "")
    is_saving = is_slow or told["preference"] == "power" or profile in ("low-power", "quiet")
    return {**told, "profile": profile, "is_saving_power": is_saving if any((*told.values(), profile)) else None}


def _runnable(root: Path) -> int | None:
    parts = (_read(root / "proc/loadavg") or "").split()
    return _number(parts[3].partition("/")[0]) if len(parts) > 3 else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text("ascii", "replace").strip() or None
    except OSError:
        return None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


