"""PURE: what the probes said -> one Fingerprint.

Precedence is written once, in PRECEDENCE. Unknown never overrides known, and a malformed source only loses its own word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from recommender.domain.fingerprint import (
    DEVICE_KINDS,
    Cores,
    Device,
    Fingerprint,
    HostMemory,
    InstalledFramework,
    Observation,
    ProbeOutcome,
)
from recommender.intake.digest import with_digest
from recommender.intake.document import fingerprint_from_document, fingerprint_to_document
from recommender.intake.merge import Word, grouped
from recommender.ports import Platform

__all__ = ["PRECEDENCE", "assemble", "fingerprint_from_document", "fingerprint_to_document"]

# Whose word counts more, by fact: the first row whose fact begins like the asked one. Within a row, probes from most to
# least trusted; `x*` means any probe whose name begins so, `*` any that the row does not name. Equal trust: first by name.
PRECEDENCE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("device.cpu.name", ("cpu_*", "*", "machine_*", "microarchitecture", "device_lists")),
    # What the system lists is enabled; a data base only expects it, and a framework only repeats it.
    ("device.cpu.", ("cpu_*", "*", "microarchitecture", "device_lists")),
    # A bus listing names the chip and all cards that carry it; the drivers of programming interfaces name the card.
    ("device.gpu.name", ("gpu_*", "*", "vulkan", "opencl", "device_lists", "pci")),
    # The kernel driver and what it counts, before what a programming interface says of itself.
    ("device.gpu.", ("gpu_*", "*", "vulkan", "opencl", "device_lists")),
    ("device.npu.name", ("npu_*", "*", "device_lists", "pci")),
    ("device.npu.", ("npu_*", "*", "device_lists")),
    ("device.", ("*", "device_lists")),
    ("host.cpu_quota", ("limits*", "*")),
    ("host.cpuset_cpus", ("limits*", "*")),
    ("host.cgroup_version", ("limits*", "*")),
    ("host.container", ("limits*", "machine_*", "*")),
    ("host.virtualization", ("machine_*", "*", "cpu_*")),
    ("host.architecture", ("cpu_*", "*")),
    ("host.soc", ("board*", "*", "machine_*", "cpu_*")),  # who knows a family of chips, before the general reader
    ("host.board", ("board*", "machine_*", "*")),  # the module part, before the whole compatible string
    ("host.machine_vendor", ("board*", "machine_*", "*")),
    ("host.", ("machine_*", "board*", "*", "cpu_*", "gpu_*", "npu_*")),
    ("memory.limit", ("limits*", "*")),
    ("memory.", ("memory*", "*")),
    ("power.", ("power*", "*")),
    ("framework.", ("frameworks", "*")),
    ("", ("*",)),
)
OS_FACTS = {"os": "name", "os_version": "version", "kernel": "kernel"}
MACHINE_FACTS = {
    "machine_vendor": "vendor",
    "machine_model": "model",
    "board": "board",
    "machine_class": "class",
    "soc": "soc",
    "compatible": "compatible",
    "virtualization": "virtualization",
    "container": "container",
}
LIMIT_FACTS = ("cpu_quota", "cpuset_cpus", "memory_limit", "cgroup_version")


def assemble(results: Iterable[tuple[Observation | None, ProbeOutcome]], platform: Platform) -> Fingerprint:
    """Merge observations. `platform` fills in the operating system and architecture that no probe told.

    The result does not depend on the order of `results`, only on the probes' names.
    """
    ordered = sorted(results, key=lambda result: result[1].probe)
    heard = [(outcome.probe, seen) for seen, outcome in ordered if seen is not None]
    host = _host_facts(heard)
    memory = _memory([(probe, seen.memory) for probe, seen in heard if seen.memory is not None])
    return with_digest(
        Fingerprint(
            os=_renamed({"os": platform.os, **host}, OS_FACTS),
            architecture=host.get("architecture") or platform.architecture,
            machine=_machine(host),
            devices=_with_soc(_devices(heard), host.get("soc")),
            memory=memory,
            frameworks=_frameworks(heard),
            power=_merged_mapping("power.", [(probe, seen.power) for probe, seen in heard]),
            limits=_limits(host, memory),
            microbenchmark=_merged_mapping("microbenchmark.", [(probe, seen.microbenchmark) for probe, seen in heard]),
            outcomes=tuple(outcome for _, outcome in ordered),
            digest="",
        )
    )


def rank(fact: str, probe: str) -> int:
    """Place of a probe for a fact; 0 is trusted most."""
    row = next(probes for prefix, probes in PRECEDENCE if fact.startswith(prefix))
    named = [i for i, pattern in enumerate(row) if pattern != "*" and _fits(pattern, probe)]
    return named[0] if named else row.index("*")


def _fits(pattern: str, probe: str) -> bool:
    return probe.startswith(pattern[:-1]) if pattern.endswith("*") else probe == pattern


def _known(value: Any) -> bool:
    return value is not None and not (isinstance(value, (str, tuple, list, Mapping)) and not value)


def _pick(fact: str, words: Iterable[tuple[str, Any]]) -> Any:
    """The known value of the probe whose word counts most; None when nobody knows."""
    known = [(rank(fact, probe), probe, value) for probe, value in words if _known(value)]
    return min(known, key=lambda item: item[:2])[2] if known else None


def _merged_mapping(prefix: str, words: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    mappings = [(probe, value) for probe, value in words if isinstance(value, Mapping)]
    keys = sorted({str(key) for _, value in mappings for key in value})
    merged = {key: _pick(prefix + key, [(probe, value.get(key)) for probe, value in mappings]) for key in keys}
    return {key: value for key, value in merged.items() if value is not None}


def _host_facts(heard: Sequence[tuple[str, Observation]]) -> dict[str, Any]:
    return _merged_mapping("host.", [(probe, seen.host) for probe, seen in heard])


def _renamed(facts: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {name: facts[key] for key, name in names.items() if facts.get(key) is not None}


def _machine(host: Mapping[str, Any]) -> dict[str, Any]:
    """The named machine facts, and whatever else a probe told of the host, under its own name."""
    placed = {*OS_FACTS, *MACHINE_FACTS, *LIMIT_FACTS, "architecture"}
    rest = {key: value for key, value in host.items() if key not in placed}
    return {**_renamed(host, MACHINE_FACTS), **rest}


def _limits(host: Mapping[str, Any], memory: HostMemory) -> dict[str, Any]:
    facts = {"memory_limit": memory.limit, **host}
    return _renamed(facts, {name: name for name in LIMIT_FACTS})


def _memory(words: Sequence[tuple[str, HostMemory]]) -> HostMemory:
    def told(name: str) -> Any:
        return _pick(f"memory.{name}", [(probe, getattr(memory, name)) for probe, memory in words])

    return HostMemory(
        total=told("total"),
        available=told("available"),
        limit=told("limit"),
        limit_used=told("limit_used"),
        swap_total=told("swap_total"),
        kind=told("kind"),
        numa_nodes=told("numa_nodes"),
    )


def _frameworks(heard: Sequence[tuple[str, Observation]]) -> tuple[InstalledFramework, ...]:
    """One row a framework, package and version, with all execution providers that a probe saw there."""
    rows: dict[tuple[str, str, str], InstalledFramework] = {}
    for _, seen in sorted(heard, key=lambda word: (rank("framework.", word[0]), word[0])):
        for found in seen.frameworks:
            key = (found.framework, found.package, found.version)
            both = [row.execution_providers for row in (rows.get(key), found) if row and row.execution_providers is not None]
            merged = tuple(dict.fromkeys(provider for providers in both for provider in providers)) if both else None
            rows[key] = replace(found, execution_providers=merged)
    return tuple(rows[key] for key in sorted(rows))


def _devices(heard: Sequence[tuple[str, Observation]]) -> tuple[Device, ...]:
    devices: list[Device] = []
    for kind in DEVICE_KINDS:
        words = [(probe, tuple(d for d in seen.devices if d.kind == kind)) for probe, seen in heard]
        merged = sorted((_merged_device(kind, group) for group in grouped(kind, words)), key=_size_order)
        devices += [replace(device, id=f"{kind}{number}") for number, device in enumerate(merged)]
    return tuple(devices)


def _size_order(device: Device) -> tuple[Any, ...]:
    """Dedicated memory first, bigger first, then by name and place, so that ids do not depend on who answered first."""
    return (
        device.memory_kind != "dedicated",
        -(device.memory_total or 0),
        device.name or "",
        str(device.attributes.get("pci_address", "")),
        sorted((key, str(value)) for key, value in device.identifiers.items()),
    )


def _merged_device(kind: str, words: Sequence[Word]) -> Device:
    def told(name: str, read: Callable[[Device], Any] | None = None) -> Any:
        get = read or (lambda device: getattr(device, name))
        return _pick(f"device.{kind}.{name}", [(probe, get(device)) for probe, device in words])

    def mapping(name: str) -> dict[str, Any]:
        return _merged_mapping(f"device.{kind}.{name}.", [(probe, getattr(device, name)) for probe, device in words])

    return Device(
        id=kind,
        kind=kind,
        vendor=told("vendor"),
        name=told("name"),
        identifiers=mapping("identifiers"),
        features=tuple(sorted({feature for _, device in words for feature in device.features})),
        cores=_merged_cores(kind, words),
        caches=told("caches") or (),
        memory_kind=told("memory_kind"),
        memory_total=told("memory_total"),
        memory_available=told("memory_available"),
        driver=told("driver"),
        driver_version=told("driver_version"),
        attributes=mapping("attributes"),
    )


def _merged_cores(kind: str, words: Sequence[Word]) -> Cores | None:
    if all(device.cores is None for _, device in words):
        return None
    counts = {
        name: _pick(
            f"device.{kind}.cores.{name}", [(probe, getattr(device.cores, name)) for probe, device in words if device.cores]
        )
        for name in ("physical", "logical", "performance", "efficiency")
    }
    return Cores(**counts)


def _with_soc(devices: tuple[Device, ...], soc: Any) -> tuple[Device, ...]:
    """Name the chip on the devices that are part of it: the processor, and what has no bus of its own nor own memory."""
    if not isinstance(soc, str) or not soc:
        return devices
    return tuple(
        replace(device, identifiers={**device.identifiers, "soc": soc})
        if _is_on_chip(device) and "soc" not in device.identifiers
        else device
        for device in devices
    )


def _is_on_chip(device: Device) -> bool:
    if device.kind == "cpu":
        return True
    has_bus = "pci" in device.identifiers or "usb" in device.identifiers or "pci_address" in device.attributes
    return device.kind in ("gpu", "npu") and not has_bus and device.memory_kind in ("unified", "shared")
