"""The digest of a fingerprint: equal for the same machine on another day, different for another machine.

It leaves out what moves (load, power, free memory, limits, kernel, attributes of devices), what is private, and the versions of frameworks
and drivers: they are compared where they matter, so that an update makes a measurement stale, not an orphan.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from recommender.domain.fingerprint import Device, Fingerprint

MEMORY_STEP = 256 << 20  # bytes; what the kernel keeps for itself differs from boot to boot
DIGITS = 16


def with_digest(fingerprint: Fingerprint) -> Fingerprint:
    """The same fingerprint with its digest computed."""
    return replace(fingerprint, digest=digest_of(fingerprint))


def digest_of(fingerprint: Fingerprint) -> str:
    """First 16 hexadecimal digits of SHA-256 over canonical JSON of the static, non-private facts."""
    from hashlib import sha256

    return sha256(_canonical(_static_facts(fingerprint)).encode("utf-8", "replace")).hexdigest()[:DIGITS]


def _static_facts(fingerprint: Fingerprint) -> dict[str, Any]:
    machine = fingerprint.machine
    return {
        "os": fingerprint.os.get("name"),
        "architecture": fingerprint.architecture,
        "machine": [machine.get(key) for key in ("vendor", "model", "soc")],
        "memory": _rounded(fingerprint.memory.total),
        "devices": sorted((_device_facts(device) for device in fingerprint.devices), key=_canonical),
    }


def _device_facts(device: Device) -> list[Any]:
    cores = device.cores
    return [
        device.kind,
        device.vendor,
        device.name,
        sorted([key, str(value)] for key, value in device.identifiers.items()),
        sorted(device.features),
        [cores.physical, cores.logical, cores.performance, cores.efficiency] if cores else None,
        sorted([cache.level, cache.type, cache.size, cache.instances or 0] for cache in device.caches),
        device.memory_kind,
        # Only memory of its own: what is shared follows the host's and may move.
        _rounded(device.memory_total) if device.memory_kind == "dedicated" else None,
        device.driver,
    ]


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def _rounded(size: int | None) -> int | None:
    return None if size is None else round(size / MEMORY_STEP)
