"""PURE: which partial devices of different probes are one device.

Devices of one probe are always different ones. Of different probes they are one when they share an address on a bus, an
identifier or a name and contradict each other in none; a source that names nothing strong joins only what is unambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from recommender.domain.fingerprint import Device

Word = tuple[str, Device]  # who said it, and what
_MARKS = re.compile(r"\((?:r|tm|c)\)|[®™©]|\([^)]*\)", re.IGNORECASE)


def grouped(kind: str, words: Sequence[tuple[str, Sequence[Device]]]) -> list[list[Word]]:
    """Partial devices of one kind, a source at a time -> groups, each one device."""
    told = [(probe, devices) for probe, devices in words if devices]
    if kind == "cpu":  # several sockets or clusters are one unit for a framework
        return [[(probe, device) for probe, devices in told for device in devices]] if told else []
    told.sort(key=lambda word: -max(_strength(device) for device in word[1]))
    groups: list[list[Word]] = []
    for probe, devices in told:
        _add_source(groups, probe, devices)
    return groups


def _add_source(groups: list[list[Word]], probe: str, devices: Sequence[Device]) -> None:
    """Give each device of a source its group: first by what identifies it, then by what is left over on both sides."""
    free = list(range(len(groups)))
    waiting: list[Device] = []
    for device in devices:
        place = next((i for i in free if _agree(groups[i], device) and _share(groups[i], device)), None)
        if place is None:
            waiting.append(device)
        else:
            free.remove(place)
            groups[place].append((probe, device))
    for device in waiting:
        fitting = [i for i in free if _agree(groups[i], device) and _vague(groups[i], device)]
        rivals = [other for other in waiting if other is not device and other.vendor == device.vendor]
        if len(fitting) == 1 and not rivals:
            free.remove(fitting[0])
            groups[fitting[0]].append((probe, device))
        else:
            groups.append([(probe, device)])


def _strength(device: Device) -> int:
    return 4 * bool(_address(device)) + 2 * bool(_bus_id(device)) + bool(device.name)


def _address(device: Device) -> str:
    """`domain:bus:device.function` in one spelling; drivers write the domain with four or eight digits, or leave it out."""
    text = str(device.attributes.get("pci_address") or "").lower()
    if not text:
        return ""
    domain, *rest = text.split(":") if text.count(":") == 2 else ("0000", *text.split(":"))
    return ":".join((domain[-4:].rjust(4, "0"), *rest))


def _bus_id(device: Device) -> str:
    return device.identifiers.get("pci") or device.identifiers.get("usb") or ""


def _agree(group: Sequence[Word], device: Device) -> bool:
    """No contradiction in address, bus identifier or vendor."""
    return all(
        not (mine and theirs and mine != theirs)
        for _, other in group
        for mine, theirs in (
            (_address(device), _address(other)),
            (_bus_id(device).lower(), _bus_id(other).lower()),
            (device.vendor, other.vendor),
        )
    )


def _share(group: Sequence[Word], device: Device) -> bool:
    """Something that identifies is equal on both sides."""
    return any(
        bool(mine) and mine == theirs
        for _, other in group
        for mine, theirs in (
            (_address(device), _address(other)),
            (_bus_id(device).lower(), _bus_id(other).lower()),
            (device.identifiers.get("soc"), other.identifiers.get("soc")),
            (_plain_name(device), _plain_name(other)),
        )
    )


def _vague(group: Sequence[Word], device: Device) -> bool:
    """Nothing equal, yet one of the two sides does not say on which bus it is: a chip has one unit of a kind and vendor."""
    return not _bus_id(device) or not any(_bus_id(other) for _, other in group)


def _plain_name(device: Device) -> str:
    """Name without marks, remarks in brackets and the maker's own name."""
    words = _MARKS.sub(" ", device.name or "").lower().split()
    return " ".join(word for word in words if word != (device.vendor or "").lower())
