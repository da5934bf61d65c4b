"""Values <-> plain JSON documents: the probe document, and single observations for the cache.

`..._to_document` gives what json.dumps takes; `..._from_document` checks every field and names the one that is wrong.
Keys that we do not know are passed over, keys that are missing are unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from recommender.domain.errors import RecordingError
from recommender.domain.fingerprint import (
    DEVICE_KINDS,
    PROBE_STATUSES,
    SCHEMA_VERSION,
    Cache,
    Cores,
    Device,
    Fingerprint,
    HostMemory,
    InstalledFramework,
    Observation,
    ProbeOutcome,
)
from recommender.intake.digest import with_digest

CORE_FIELDS = ("physical", "logical", "performance", "efficiency")
NUMBERS = ("cpu_quota", "cpuset_cpus", "memory_bandwidth", "memory_bandwidth_1t", "read_bandwidth", "read_bandwidth_1t", "fp32_ops")  # of the limits and of the microbenchmark
MEMORY_FIELDS = ("total", "available", "limit", "limit_used", "swap_total")


def fingerprint_to_document(fingerprint: Fingerprint) -> dict[str, Any]:
    """The probe document: bytes, seconds, unknown is null."""
    return {
        "schema_version": fingerprint.schema_version,
        "os": plain(fingerprint.os),
        "architecture": fingerprint.architecture,
        "machine": plain(fingerprint.machine),
        "devices": [_device_to_document(device) for device in fingerprint.devices],
        "memory": _memory_to_document(fingerprint.memory),
        "frameworks": [_framework_to_document(found) for found in fingerprint.frameworks],
        "power": plain(fingerprint.power),
        "limits": plain(fingerprint.limits),
        "microbenchmark": plain(fingerprint.microbenchmark),
        "outcomes": [outcome_to_document(outcome) for outcome in fingerprint.outcomes],
        "digest": fingerprint.digest,
    }


def fingerprint_from_document(document: Any) -> Fingerprint:
    """A probe document (maybe edited by hand) -> Fingerprint; the digest is computed anew from what it says.

    Raises:
        RecordingError: a newer schema, or a field of the wrong type; the message names the field.
    """
    found = _mapping(document, "the probe document")
    version = _whole(found.get("schema_version"), "schema_version")
    if version is not None and version > SCHEMA_VERSION:
        raise RecordingError(
            f"schema_version {version} is newer than {SCHEMA_VERSION}, the newest that this program reads: upgrade it"
        )
    system = found.get("os")
    return with_digest(
        Fingerprint(
            os={"name": system} if isinstance(system, str) else _mapping(system, "os"),
            architecture=_text(found.get("architecture"), "architecture"),
            machine=_mapping(found.get("machine"), "machine"),
            devices=_devices(found.get("devices")),
            memory=_memory(found.get("memory")) or HostMemory(),
            frameworks=_frameworks(found.get("frameworks")),
            power=_mapping(found.get("power"), "power"),
            limits=_numbers(found.get("limits"), "limits"),
            microbenchmark=_numbers(found.get("microbenchmark"), "microbenchmark"),
            outcomes=tuple(outcome_from_document(item, where) for where, item in _items(found.get("outcomes"), "outcomes")),
            digest="",
        )
    )


def observation_to_document(observation: Observation) -> dict[str, Any]:
    """One observation as plain JSON."""
    return {
        "devices": [_device_to_document(device) for device in observation.devices],
        "host": plain(observation.host),
        "memory": _memory_to_document(observation.memory) if observation.memory else None,
        "frameworks": [_framework_to_document(found) for found in observation.frameworks],
        "power": plain(observation.power),
        "microbenchmark": plain(observation.microbenchmark),
    }


def observation_from_document(document: Any) -> Observation:
    """The inverse. Raises RecordingError for a field of the wrong type."""
    found = _mapping(document, "the observation")
    return Observation(
        devices=_devices(found.get("devices")),
        host=_mapping(found.get("host"), "host"),
        memory=_memory(found.get("memory")),
        frameworks=_frameworks(found.get("frameworks")),
        power=_mapping(found.get("power"), "power"),
        microbenchmark=_mapping(found.get("microbenchmark"), "microbenchmark"),
    )


def outcome_to_document(outcome: ProbeOutcome) -> dict[str, Any]:
    """One outcome as plain JSON; elapsed in seconds."""
    return {
        "probe": outcome.probe,
        "status": outcome.status,
        "reason": outcome.reason,
        "elapsed": outcome.elapsed,
        "produced": list(outcome.produced),
    }


def outcome_from_document(document: Any, where: str = "outcome") -> ProbeOutcome:
    """The inverse. Raises RecordingError for a field of the wrong type."""
    found = _mapping(document, where)
    elapsed = found.get("elapsed", 0.0)
    return ProbeOutcome(
        probe=_needed_text(found, "probe", where),
        status=_one_of(found.get("status"), PROBE_STATUSES, f"{where}.status"),
        reason=_text(found.get("reason"), f"{where}.reason") or "",
        elapsed=float(elapsed) if isinstance(elapsed, (int, float)) and not isinstance(elapsed, bool) else 0.0,
        produced=_texts(found.get("produced"), f"{where}.produced"),
    )


def plain(value: Any) -> Any:
    """The value in JSON's types: mappings with text keys, lists, numbers, text; what is not finite is unknown."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(inner) for inner in value), key=str)
    return str(value)


def _device_to_document(device: Device) -> dict[str, Any]:
    cores = device.cores
    return {
        "id": device.id,
        "kind": device.kind,
        "vendor": device.vendor,
        "name": device.name,
        "identifiers": plain(device.identifiers),
        "features": list(device.features),
        "cores": {name: getattr(cores, name) for name in CORE_FIELDS} if cores else None,
        "caches": [{"level": c.level, "type": c.type, "size": c.size, "instances": c.instances} for c in device.caches],
        "memory": {"kind": device.memory_kind, "total": device.memory_total, "available": device.memory_available},
        "driver": device.driver,
        "driver_version": device.driver_version,
        "attributes": plain(device.attributes),
    }


def _memory_to_document(memory: HostMemory) -> dict[str, Any]:
    sizes = {name: getattr(memory, name) for name in MEMORY_FIELDS}
    return {**sizes, "kind": memory.kind, "numa_nodes": memory.numa_nodes}


def _framework_to_document(found: InstalledFramework) -> dict[str, Any]:
    providers = found.execution_providers
    return {
        "framework": found.framework,
        "package": found.package,
        "version": found.version,
        "execution_providers": None if providers is None else list(providers),
    }


def _devices(value: Any) -> tuple[Device, ...]:
    counts: dict[str, int] = {}
    devices = []
    for where, item in _items(value, "devices"):
        found = _mapping(item, where)
        kind = _one_of(found.get("kind"), DEVICE_KINDS, f"{where}.kind")
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        devices.append(_device(found, where, kind, _text(found.get("id"), f"{where}.id") or f"{kind}{number}"))
    return tuple(devices)


def _device(found: Mapping[str, Any], where: str, kind: str, identity: str) -> Device:
    memory = _mapping(found.get("memory"), f"{where}.memory")
    identifiers = _mapping(found.get("identifiers"), f"{where}.identifiers")
    return Device(
        id=identity,
        kind=kind,
        vendor=_text(found.get("vendor"), f"{where}.vendor"),
        name=_text(found.get("name"), f"{where}.name"),
        identifiers={key: _needed_text(identifiers, key, f"{where}.identifiers") for key in identifiers},
        features=_texts(found.get("features"), f"{where}.features"),
        cores=_cores(found.get("cores"), f"{where}.cores"),
        caches=tuple(_cache(item, place) for place, item in _items(found.get("caches"), f"{where}.caches")),
        memory_kind=_text(memory.get("kind"), f"{where}.memory.kind"),
        memory_total=_whole(memory.get("total"), f"{where}.memory.total"),
        memory_available=_whole(memory.get("available"), f"{where}.memory.available"),
        driver=_text(found.get("driver"), f"{where}.driver"),
        driver_version=_text(found.get("driver_version"), f"{where}.driver_version"),
        attributes=_mapping(found.get("attributes"), f"{where}.attributes"),
    )


def _cores(value: Any, where: str) -> Cores | None:
    if value is None:
        return None
    found = _mapping(value, where)
    return Cores(**{name: _whole(found.get(name), f"{where}.{name}") for name in CORE_FIELDS})


def _cache(value: Any, where: str) -> Cache:
    found = _mapping(value, where)
    level, size = _whole(found.get("level"), f"{where}.level"), _whole(found.get("size"), f"{where}.size")
    if level is None or size is None:
        raise RecordingError(f"{where}: a cache needs `level` and `size`")
    kind = _text(found.get("type"), f"{where}.type")
    return Cache(
        level=level,
        type="unified" if kind is None else kind,
        size=size,
        instances=_whole(found.get("instances"), f"{where}.instances"),
    )


def _memory(value: Any) -> HostMemory | None:
    if value is None:
        return None
    found = _mapping(value, "memory")
    sizes = {name: _whole(found.get(name), f"memory.{name}") for name in MEMORY_FIELDS}
    return HostMemory(
        **sizes, kind=_text(found.get("kind"), "memory.kind"), numa_nodes=_whole(found.get("numa_nodes"), "memory.numa_nodes")
    )


def _frameworks(value: Any) -> tuple[InstalledFramework, ...]:
    frameworks = []
    for where, item in _items(value, "frameworks"):
        found = _mapping(item, where)
        providers = found.get("execution_providers")
        frameworks.append(
            InstalledFramework(
                framework=_needed_text(found, "framework", where),
                package=_text(found.get("package"), f"{where}.package") or "",
                version=_text(found.get("version"), f"{where}.version") or "",
                execution_providers=None if providers is None else _texts(providers, f"{where}.execution_providers"),
            )
        )
    return tuple(frameworks)


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object", value)
    return value


def _numbers(value: Any, where: str) -> Mapping[str, Any]:
    """A mapping some of whose values are computed with (NUMBERS): those are finite numbers, or null."""
    found = _mapping(value, where)
    for key in NUMBERS:
        item = found.get(key)
        if item is not None and (isinstance(item, bool) or not isinstance(item, (int, float)) or not math.isfinite(item)):
            raise _wrong(f"{where}.{key}", "a number", item)
    return found


def _items(value: Any, where: str) -> list[tuple[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise _wrong(where, "a list", value)
    return [(f"{where}[{number}]", item) for number, item in enumerate(value)]


def _texts(value: Any, where: str) -> tuple[str, ...]:
    return tuple(_needed(item, place) for place, item in _items(value, where))


def _text(value: Any, where: str) -> str | None:
    return None if value is None else _needed(value, where)


def _needed(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, "text", value)
    return value


def _needed_text(found: Mapping[str, Any], key: str, where: str) -> str:
    return _needed(found.get(key), f"{where}.{key}")


def _whole(value: Any, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _wrong(where, "a whole number", value)
    return value


def _one_of(value: Any, allowed: tuple[str, ...], where: str) -> str:
    if value not in allowed:
        raise _wrong(where, f"one of {', '.join(allowed)}", value)
    return str(value)


def _wrong(where: str, expected: str, value: Any) -> RecordingError:
    shown = repr(value)
    return RecordingError(f"{where}: expected {expected}, found {shown if len(shown) <= 60 else shown[:57] + '...'}")
