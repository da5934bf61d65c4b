"""A compute unit of the catalogue as the estimators read it."""

from __future__ import annotations

from recommender.domain.facts import DeviceFacts
from recommender.estimate.learned.case import Silicon


def silicon_of(device: DeviceFacts, *, group: str = "", machine_class: str = "") -> Silicon:
    """What is not known is None. `group`: of devices that are the same silicon; without one, units of one chip are a group."""
    known = {name: fact.value for name, fact in device.capability.items() if isinstance(fact.value, (int, float)) and fact.value}
    return Silicon(
        kind=device.kind, key=device.key, group=group or device.soc.lower().replace(" ", "-") or device.key, name=device.name, vendor=device.vendor,
        family=device.family, generation=device.generation, machine_class=machine_class, memory_bandwidth=known.get("memory_bandwidth"),
        peak_ops={name.partition(".")[2]: value for name, value in known.items() if name.startswith("peak_ops.")},
        cores=device.cores.physical if device.cores else None, clock=known.get("clock"), features=frozenset(device.features),
    )
