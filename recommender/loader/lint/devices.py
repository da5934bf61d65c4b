"""Devices: the family belongs to the kind, identifiers tell one device from another, figures are sane."""

from __future__ import annotations

from collections.abc import Iterator

from recommender.domain.facts import DeviceFacts
from recommender.domain.names import normalise_name
from recommender.domain.quantity import Sourced
from recommender.loader.lint.finding import Finding, Knowledge, Reporter

# figure -> what a real device can have, in base units
RANGES = {
    "memory_bandwidth": (1e9, 20e12),
    "memory_capacity": (2.0**20, 2.0**40),
    "memory_options": (64 * 2.0**20, 2.0**43),
    "clock": (50e6, 7e9),
    "peak_ops": (1e8, 4e16),
    "sram": (2.0**10, 2.0**30),
}
MEMORY_KINDS = (None, "dedicated", "unified", "shared")


def check(knowledge: Knowledge) -> Iterator[Finding]:
    report = Reporter("devices", knowledge)
    families = knowledge.catalog.vocabulary.get("families", {})
    taken: dict[tuple[str, frozenset[tuple[str, str]]], str] = {}
    for device in knowledge.catalog.devices.values():
        if device.family not in families.get(device.kind, ()):
            yield report.error("devices", device.key, f"family `{device.family}` is none of kind {device.kind}")
        if device.key != device.key.lower() or " " in device.key:
            yield report.error("devices", device.key, "keys are lower case with dots")
        if device.memory_kind not in MEMORY_KINDS:
            yield report.error("devices", device.key, f"memory kind `{device.memory_kind}`")
        if not device.match and not device.generic:
            yield report.warning("devices", device.key, "nothing identifies it: it can only be named")
        for wanted in device.match:
            identity = (device.kind, _normalised(wanted))
            other = taken.setdefault(identity, device.key)
            if other != device.key:
                yield report.error("devices", device.key, f"is identified by {dict(wanted)}, as `{other}` is")
        yield from _figures(device, report, knowledge.listed("precisions"))


def _normalised(wanted: object) -> frozenset[tuple[str, str]]:
    assert hasattr(wanted, "items")
    return frozenset(
        (name, normalise_name(str(value)).replace(" ", "").replace("-", "").replace("_", "")) for name, value in wanted.items()
    )


def _figures(device: DeviceFacts, report: Reporter, precisions: tuple[str, ...]) -> Iterator[Finding]:
    for precision in device.precisions:
        if precisions and precision not in precisions:
            yield report.error("devices", device.key, f"precision `{precision}` is not known")
    for name, fact in device.capability.items():
        quantity, _, precision = name.partition(".")
        if (
            quantity not in RANGES
            or (quantity == "peak_ops") != bool(precision)
            or (precision and precisions and precision not in precisions)
        ):
            yield report.error("devices", device.key, f"unknown figure `{name}`")
            continue
        yield from _figure(device.key, name, fact, RANGES[quantity], report)
    if device.cores and any(count is not None and count < 0 for count in (device.cores.physical, device.cores.logical)):
        yield report.error("devices", device.key, "a negative number of cores")


def _figure(key: str, name: str, fact: Sourced, bounds: tuple[float, float], report: Reporter) -> Iterator[Finding]:
    for value in fact.value if isinstance(fact.value, (list, tuple)) else [fact.value]:
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield report.error("devices", key, f"`{name}` is not a number: `{value}`")
        elif not bounds[0] <= value <= bounds[1]:
            yield report.error("devices", key, f"`{name}` is {value:g}, outside {bounds[0]:g} to {bounds[1]:g}: check the unit")
