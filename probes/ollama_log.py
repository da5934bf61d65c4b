"""The `inference compute` lines that ollama logs at its start. Not a probe; pure."""

from __future__ import annotations

import re

from probes.tool_text import drop_unknown, known, pci_address, size
from probes.vendor_names import is_software_renderer, vendor_in
from recommender.domain.fingerprint import Device

_LINE = re.compile(r'msg="inference compute"(.*)$', re.MULTILINE)
_VALUE = re.compile(r'(\w+)=("[^"]*"|\S+)')
_KINDS = {"discrete": "dedicated", "integrated": "shared", "igpu": "shared"}


def parse_ollama(text: str) -> list[Device]:
    """One Device a line. Sizes are what ollama may use; only on a card that it calls discrete are they the card's own."""
    devices = []
    for index, rest in enumerate(_LINE.findall(text)):
        values = {key: value.strip('"') for key, value in _VALUE.findall(rest)}
        library = values.get("library", "").lower()
        printed = known(values.get("description") or values.get("name"))
        if library in ("", "cpu") or is_software_renderer(printed):
            continue
        compute, address = values.get("compute", ""), pci_address(values.get("pci_id"))
        kind = "unified" if library == "metal" else _KINDS.get(values.get("type", "").lower())
        total, free = size(values.get("total")), size(values.get("available"))
        devices.append(
            Device(
                id=f"gpu@{address or f'ollama:{index}'}",
                kind="gpu",
                vendor=vendor_in(printed, library),
                name=printed,
                identifiers=drop_unknown(
                    {
                        "gfx": compute if re.fullmatch(r"gfx[0-9a-f]+", compute) else None,
                        "compute_capability": compute if library == "cuda" and re.fullmatch(r"\d+\.\d+", compute) else None,
                    }
                ),
                memory_kind=kind,
                memory_total=total if kind == "dedicated" else None,
                memory_available=free,
                attributes=drop_unknown({"pci_address": address, "memory_usable": None if kind == "dedicated" else total}),
            )
        )
    return devices
