"""PURE: Fingerprint x DeviceFacts -> Target, and a machine of the catalogue -> Target."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from recommender.domain.catalog import Catalog, MatchRow
from recommender.domain.facts import DeviceFacts, MachineFacts
from recommender.domain.fingerprint import Device, Fingerprint, HostMemory
from recommender.domain.names import normalise_name
from recommender.domain.target import Target


def _key(text: str) -> str:
    """Chip names compare without case, spaces and hyphens (X1E-80-100 = X1E80100)."""
    return re.sub(r"[\s\-_]", "", text).lower()


def match_device(device: Device, rows: Iterable[MatchRow], architecture: str | None) -> MatchRow | None:
    """The entry whose match set fits; exact identifiers beat patterns, more identifiers beat fewer, generic entries come last."""
    observed = {**device.identifiers, "architecture": architecture or "", "vendor": device.vendor or ""}
    name = normalise_name(device.name or "")
    best: tuple[tuple[int, int, int], MatchRow] | None = None
    for row in rows:
        if row.kind != device.kind:
            continue
        for wanted in row.match:
            strength = _strength(wanted, observed, name)
            if strength is None:
                continue
            score = (0 if row.generic else 1, *strength)
            if best is None or score > best[0]:
                best = (score, row)
    return best[1] if best else None


def _strength(wanted: Mapping[str, str], observed: Mapping[str, str], name: str) -> tuple[int, int] | None:
    """(is exact, how much it pins down) when all of `wanted` fits, else None. A longer pattern pins down more."""
    exact, weight = int(any(key not in ("vendor", "architecture", "name_pattern") for key in wanted)), 0
    for key, value in wanted.items():
        if key == "name_pattern":
            if not name or not _fits_pattern(name, value):
                return None
            exact, weight = 0, weight + len(value)
        elif key == "name":
            if value != name:
                return None
            weight += 100
        elif not observed.get(key) or _key(str(value)) != _key(str(observed[key])):
            return None
        else:
            weight += 1 if key in ("vendor", "architecture") else 100
    return exact, weight


def _fits_pattern(name: str, pattern: str) -> bool:
    """As fnmatch; the plain parts are looked for first, since compiling hundreds of patterns takes longer than all else."""
    return all(part in name for part in pattern.split("*") if "[" not in part and "?" not in part) and fnmatchcase(name, pattern)


def identify(fingerprint: Fingerprint, catalog: Catalog, *, kind: str, name: str) -> Target:
    """Join what was observed with what is known."""
    matched: dict[str, DeviceFacts] = {}
    unmatched: list[str] = []
    for device in fingerprint.devices:
        row = match_device(device, catalog.matches, fingerprint.architecture)
        if row:
            matched[device.id] = catalog.devices[row.key]
        if row is None or row.generic:
            unmatched.append(device.id)
    machine = _machine_of(fingerprint, catalog)
    assumptions = tuple(
        f"{device.id} ({device.name or device.kind}): not in the catalogue, treated as {matched[device.id].name}"
        if device.id in matched else f"{device.id} ({device.name or device.kind}): not in the catalogue"
        for device in fingerprint.devices if device.id in unmatched
    )
    return Target(kind=kind, name=name, fingerprint=fingerprint, machine=machine, matched=matched, unmatched=tuple(unmatched), assumptions=assumptions)


def _machine_of(fingerprint: Fingerprint, catalog: Catalog) -> MachineFacts | None:
    """The machine entry by product name or chip, when exactly one fits."""
    observed = {key: str(value) for key, value in fingerprint.machine.items() if isinstance(value, (str, int))}
    fitting = [
        machine for machine in catalog.machines.values()
        if any(wanted and all(_key(str(value)) == _key(observed.get(key, "")) for key, value in wanted.items()) for wanted in machine.match)
    ]
    return fitting[0] if len(fitting) == 1 else None


def find_machine(words: str, catalog: Catalog) -> MachineFacts | None:
    """A machine by key, name or alias, as people type it."""
    wanted = _key(words)
    for machine in catalog.machines.values():
        if wanted in (_key(machine.key), _key(machine.name)) or any(wanted == _key(alias) for alias in machine.aliases):
            return machine
    return None


def target_of_machine(machine: MachineFacts, catalog: Catalog, *, memory: int | None = None, vram: int | None = None) -> Target:
    """A machine nobody has to hold: its devices' facts stand for observations.

    Memory not given: the smallest sold configuration, said as an assumption.
    """
    assumptions: list[str] = []
    if machine.default_host:
        assumptions.append(machine.default_host)
    total = memory
    if total is None and machine.memory_options:
        total = min(machine.memory_options)
        sizes = ", ".join(f"{size / 2**30:g}" for size in machine.memory_options)
        assumptions.append(f"memory: {total / 2**30:g} GiB, the smallest sold configuration (of {sizes} GiB); say --memory for another")
    counts: dict[str, int] = {}
    devices: list[Device] = []
    matched: dict[str, DeviceFacts] = {}
    for key in machine.devices:
        facts = catalog.devices[key]
        number = counts.get(facts.kind, 0)
        counts[facts.kind] = number + 1
        device = _device_of(facts, f"{facts.kind}{number}", vram)
        devices.append(device)
        matched[device.id] = facts
    fingerprint = Fingerprint(
        os={"name": machine.os}, architecture=machine.architecture, machine={"model": machine.name, "class": machine.class_},
        devices=tuple(devices), memory=HostMemory(total=total), frameworks=(), power={}, limits={}, microbenchmark={}, outcomes=(),
        digest=f"catalogue:{machine.key}",
    )
    return Target(kind="catalogue", name=machine.key, fingerprint=fingerprint, machine=machine, matched=matched, assumptions=tuple(assumptions))


def _device_of(facts: DeviceFacts, device_id: str, vram: int | None) -> Device:
    capacity = facts.capability.get("memory_capacity")
    total = capacity.value if capacity and facts.memory_kind == "dedicated" else None
    if vram is not None and facts.memory_kind == "dedicated":
        total = vram
    identifiers = {name: str(facts.attributes[name]) for name in ("compute_capability", "gfx") if name in facts.attributes}
    if facts.soc:
        identifiers["soc"] = facts.soc
    return Device(
        id=device_id, kind=facts.kind, vendor=facts.vendor, name=facts.name, identifiers=identifiers, features=facts.features,
        cores=facts.cores, memory_kind=facts.memory_kind, memory_total=int(total) if total else None,
    )
