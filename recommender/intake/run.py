"""Run the probes. A probe can never bring the program down: what goes wrong with one becomes its outcome."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from recommender.domain.fingerprint import (
    DEVICE_KINDS,
    Device,
    Fingerprint,
    HostMemory,
    InstalledFramework,
    Observation,
    ProbeOutcome,
)
from recommender.ports import PROBE_API, HostAccess, Probe

Result = tuple[Observation | None, ProbeOutcome]
ENTRY_POINT_GROUP = "recommender.probes"
PROBES_VARIABLE = "RECOMMEND_PROBES"  # comma list: only these probes are loaded
DEFAULT_TIMEOUT = 10.0  # seconds; a probe may ask for another with an attribute `timeout`
REASON_LENGTH = 300


class BrokenProbe:
    """Stands for a plug-in that could not be loaded; running it fails with the reason."""

    api = PROBE_API
    volatile = False
    platforms: tuple[str, ...] = ()

    def __init__(self, name: str, error: BaseException):
        self.name = name
        self.error = error

    def read(self, host: HostAccess) -> dict[str, Any] | None:
        raise self.error

    def parse(self, raw: dict[str, Any]) -> Observation:
        raise self.error


def run_probes(
    probes: Sequence[Probe],
    host: HostAccess,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    on_progress: Callable[[ProbeOutcome], None] | None = None,
) -> list[Result]:
    """Run them in parallel, each within `timeout` seconds; results in the order of `probes`.

    `on_progress` is called from this thread with each outcome as it comes. Nothing is raised for a probe's sake; a probe
    that hangs is left behind in a daemon thread.
    """
    results: list[Result | None] = [None] * len(probes)
    finished: list[int] = []
    bell = threading.Condition()

    def work(place: int, probe: Probe) -> None:
        result = _run_one(probe, host)
        with bell:
            results[place] = result
            finished.append(place)
            bell.notify()

    started = time.monotonic()
    for place, probe in enumerate(probes):
        threading.Thread(target=work, args=(place, probe), daemon=True, name=f"probe-{place}").start()
    limits = {place: _limit(probe, timeout) for place, probe in enumerate(probes)}
    final: dict[int, Result] = {}
    while limits:
        with bell:
            bell.wait_for(lambda: bool(finished), max(0.0, started + min(limits.values()) - time.monotonic()))
            ready, finished[:] = list(finished), []
        elapsed = time.monotonic() - started
        late = [place for place, limit in limits.items() if place not in ready and elapsed >= limit]
        for place in ready + late:
            limit = limits.pop(place, None)
            if limit is None:  # came after it was given up
                continue
            result = results[place] if place in ready else None
            final[place] = result or _timed_out(probes[place], limit)
            if on_progress is not None:
                on_progress(final[place][1])
    return [final[place] for place in range(len(probes))]


def load_probes(names: Iterable[str] | None = None) -> list[Probe]:
    """The installed probes (entry points of group `recommender.probes`), sorted by name; broken ones as BrokenProbe.

    `names`, and the variable RECOMMEND_PROBES, restrict which.
    """
    return import_probes(probe_entries(names))


def probe_entries(names: Iterable[str] | None = None) -> dict[str, str]:
    """Entry point name -> module path. Slow (scans package metadata): only when nothing is cached."""
    from importlib.metadata import entry_points

    found = {entry.name: entry.value for entry in entry_points(group=ENTRY_POINT_GROUP)}
    wanted = wanted_names() if names is None else list(names)
    if wanted is None:
        return dict(sorted(found.items()))
    return {name: found.get(name, "") for name in sorted(set(wanted))}


def wanted_names() -> list[str] | None:
    """Names that RECOMMEND_PROBES asks for, None when it is not set."""
    text = os.environ.get(PROBES_VARIABLE, "").strip()
    return [name.strip() for name in text.split(",") if name.strip()] if text else None


def import_probes(entries: Mapping[str, str]) -> list[Probe]:
    """Import each entry (`package.module` or `package.module:object`), sorted by name."""
    return [_import_probe(name, entries[name]) for name in sorted(entries)]


def observe(host: HostAccess, probes: Sequence[Probe] | None = None, *, timeout: float = DEFAULT_TIMEOUT) -> Fingerprint:
    """Run all probes (default: the installed ones) on a host, live or replayed, and merge what they say."""
    from recommender.intake.assemble import assemble

    chosen = load_probes() if probes is None else probes
    return assemble(run_probes(chosen, host, timeout=timeout), host.platform())


def _import_probe(name: str, value: str) -> Probe:
    from importlib import import_module

    try:
        if not value:
            raise LookupError(f"no probe of that name is installed (group {ENTRY_POINT_GROUP})")
        path, _, attribute = value.partition(":")
        probe: Any = import_module(path)
        for part in filter(None, attribute.split(".")):
            probe = getattr(probe, part)
        missing = [part for part in ("name", "api", "volatile", "platforms", "read", "parse") if not hasattr(probe, part)]
        if missing:
            raise AttributeError(f"{value} is not a probe: it has no {', '.join(missing)}")
        return probe  # type: ignore[no-any-return]
    except BaseException as error:  # a plug-in may even call sys.exit while it is imported
        if isinstance(error, KeyboardInterrupt):
            raise
        return BrokenProbe(name, error)


def _run_one(probe: Probe, host: HostAccess) -> Result:
    started = time.monotonic()
    observation: Observation | None = None
    try:
        unfit = _unfit(probe, host)
        if unfit:
            status, reason = "skipped", unfit
        else:
            observation = _observe(probe, host)
            status, reason = ("ok", "") if observation is not None else ("absent", "nothing of the kind here")
    except BaseException as error:  # SystemExit included: see the module's first sentence
        observation, status, reason = None, "failed", _one_line(error)
    return observation, ProbeOutcome(
        probe=_name(probe),
        status=status,
        reason=reason,
        elapsed=round(time.monotonic() - started, 6),
        produced=_produced(observation) if observation is not None else (),
    )


def _observe(probe: Probe, host: HostAccess) -> Observation | None:
    raw = probe.read(host)
    if not raw:
        return None
    observation = probe.parse(raw)
    _check(observation)
    return observation if _produced(observation) else None


def _unfit(probe: Probe, host: HostAccess) -> str:
    """Why the probe does not fit here; empty when it does. An operating system that is not known excludes nothing."""
    if probe.api != PROBE_API:
        return f"api {probe.api!r} of this probe is not {PROBE_API}, the one that this program speaks"
    system = host.platform().os
    if probe.platforms and system is not None and system not in probe.platforms:
        return f"is for {', '.join(probe.platforms)}, this is {system}"
    return ""


def _check(observation: Any) -> None:
    """Refuse junk at the border, so that assembly may trust what it merges. Raises TypeError."""
    if not isinstance(observation, Observation):
        raise TypeError(f"parse returned {type(observation).__name__}, not an Observation")
    for name, kind in (("devices", Device), ("frameworks", InstalledFramework)):
        items = getattr(observation, name)
        if not isinstance(items, tuple) or not all(isinstance(item, kind) for item in items):
            raise TypeError(f"{name} is not a tuple of {kind.__name__}")
    for name in ("host", "power", "microbenchmark"):
        if not isinstance(getattr(observation, name), Mapping):
            raise TypeError(f"{name} is not a mapping")
    if not isinstance(observation.memory, HostMemory | None):
        raise TypeError("memory is not HostMemory")
    for device in observation.devices:
        _check_device(device)


def _check_device(device: Device) -> None:
    if device.kind not in DEVICE_KINDS:
        raise TypeError(f"device kind {device.kind!r} is none of {', '.join(DEVICE_KINDS)}")
    for name in ("vendor", "name", "memory_kind", "driver", "driver_version"):
        if not isinstance(getattr(device, name), str | None):
            raise TypeError(f"{name} of a device is not text")
    for name in ("memory_total", "memory_available"):
        if not isinstance(getattr(device, name), int | None):
            raise TypeError(f"{name} of a device is not a whole number")
    if not isinstance(device.identifiers, Mapping) or not all(isinstance(v, str) for v in device.identifiers.values()):
        raise TypeError("identifiers of a device are not texts by name")
    if not isinstance(device.attributes, Mapping) or not all(isinstance(f, str) for f in device.features):
        raise TypeError("attributes or features of a device are of the wrong type")


def _produced(observation: Observation) -> tuple[str, ...]:
    facts = {f"host.{key}" for key, value in observation.host.items() if value is not None}
    facts |= {f"device.{device.kind}" for device in observation.devices}
    facts |= {f"power.{key}" for key, value in observation.power.items() if value is not None}
    if observation.memory is not None:
        memory = observation.memory
        facts |= {f"memory.{name}" for name in HostMemory.__dataclass_fields__ if getattr(memory, name) is not None}
    facts |= {f"framework.{found.framework}" for found in observation.frameworks}
    facts |= {f"microbenchmark.{key}" for key in observation.microbenchmark}
    return tuple(sorted(facts))


def _limit(probe: Probe, timeout: float) -> float:
    own = getattr(probe, "timeout", None)
    return float(own) if isinstance(own, (int, float)) and own > 0 else timeout


def _timed_out(probe: Probe, limit: float) -> Result:
    reason = f"TimeoutError: no answer in {limit:g} s"
    return None, ProbeOutcome(probe=_name(probe), status="failed", reason=reason, elapsed=limit)


def _name(probe: Any) -> str:
    return str(getattr(probe, "name", None) or getattr(probe, "__name__", None) or type(probe).__name__)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:REASON_LENGTH] if text else type(error).__name__
