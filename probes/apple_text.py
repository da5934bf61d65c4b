"""What macOS tools print about the machine, as plain mappings: `sysctl`, `sw_vers`, `system_profiler` as text and as JSON.

`system_profiler` translates its labels; where a label is not an English one, the shape of the value tells what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from probes.printed import first, integer, json_of, known, pairs, settings, size_in_bytes, without_none

CORES = re.compile(r"^(\d+)\s*\((\d+)\s+([^\d()]+?)\s+(\d+)\s+([^\d()]+)\)$")
CHIP = re.compile(r"^Apple [MA]\d+\b.*$")
MODEL = re.compile(r"^(?:[A-Z][A-Za-z]*Mac|Mac|iMac|MacBook)[A-Za-z]*\d+,\d+$")
GIGABYTES = re.compile(r"^\d+\s*(?:GB|Go|ГБ|TB|To)$")
SLOWER = re.compile(r"effic|effiz|éco|eco|エネ|能效|高効率|эффек", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What one output told. `graphics` are the controllers' own entries, with lower-case keys of our choice."""

    sysctl: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, Any] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    software: Mapping[str, str] = field(default_factory=dict)
    graphics: tuple[Mapping[str, Any], ...] = ()


def read_report(text: str) -> Report:
    """The facts of one output, whichever tool printed it; an empty report when it is none of them."""
    document = json_of(text) if text.lstrip().startswith(("{", "[")) else None
    if document is not None:
        return _json_report(document)
    lines = settings(text)
    found = {key: value for key, value in lines.items() if re.match(r"(hw|machdep|kern|iogpu|debug|sysctl)\.", key)}
    if found:
        return Report(sysctl=found)
    if "ProductVersion" in lines:
        return Report(software=without_none({"os_version": known(lines["ProductVersion"])}))
    return _plain_report(text)


def core_counts(value: Any) -> dict[str, int]:
    """`8`, `10 (8 performance and 2 efficiency)`, `proc 8:4:4`, `proc 18:6:0:12` -> total, performance, efficiency where told.

    Three fields are total, fast, slow. With four, the last one is a kind in between (total, fastest, slow, between), except
    where the first kind is 0: then fast and slow follow. Both fast kinds count as performance cores.
    """
    text = str(value).strip()
    words = CORES.match(text)
    if words:
        slow = int(words[4]) if SLOWER.search(words[5]) or not re.match(r"perf", words[5], re.IGNORECASE) else 0
        return {"total": int(words[1]), "performance": int(words[2]) + int(words[4]) - slow, "efficiency": slow}
    fields = re.fullmatch(r"(?:proc\s+)?(\d+)((?::\d+)*)", text)
    if not fields:
        return {}
    total, kinds = int(fields[1]), [int(count) for count in fields[2].split(":") if count]
    if len(kinds) not in (2, 3) or sum(kinds) != total:
        return {"total": total}
    if len(kinds) == 3:
        kinds = kinds[1:] if kinds[0] == 0 else [kinds[0] + kinds[2], kinds[1]]
    return {"total": total, "performance": kinds[0], "efficiency": kinds[1]}


def _json_report(document: Any) -> Report:
    if not isinstance(document, Mapping):
        return Report()
    hardware: dict[str, Any] = {}
    memory: dict[str, Any] = {}
    software: dict[str, str] = {}
    for entry in _entries(document, "SPHardwareDataType"):
        hardware |= without_none(
            {
                "chip": known(first(entry.get("chip_type"), entry.get("cpu_type"), entry.get("processor_name"))),
                "model": known(entry.get("machine_model")),
                "model_name": known(entry.get("machine_name")),
                "cores": entry.get("number_processors"),
                "memory": size_in_bytes(first(entry.get("physical_memory"), entry.get("memory"))),
            }
        )
    for entry in _entries(document, "SPMemoryDataType"):
        for part in (entry, *_entries(entry, "_items")):
            memory |= without_none(
                {
                    "total": size_in_bytes(part.get("SPMemoryDataType")),
                    "kind": known(part.get("dimm_type")),
                }
            )
    for entry in _entries(document, "SPSoftwareDataType"):
        software |= without_none({"os_version": _version(entry.get("os_version"))})
    graphics = tuple(_json_graphics(entry) for entry in _entries(document, "SPDisplaysDataType"))
    return Report(hardware=hardware, memory=memory, software=software, graphics=graphics)


def _entries(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = document.get(key)
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def _json_graphics(entry: Mapping[str, Any]) -> dict[str, Any]:
    metal = str(
        first(entry.get("spdisplays_mtlgpufamilysupport"), entry.get("spdisplays_metal"), entry.get("spdisplays_metalfamily"), "")
    )
    level = re.search(r"metal(\d+)$", metal)
    family = re.search(r"(apple|mac|common)(\d+)$", metal)
    shared = first(entry.get("spdisplays_vram_shared"), entry.get("_spdisplays_vram") if "spdisplays_vram" not in entry else None)
    return without_none(
        {
            "name": known(first(entry.get("sppci_model"), entry.get("_name"))),
            "cores": integer(entry.get("sppci_cores")),
            "vendor": known(first(entry.get("spdisplays_vendor"), entry.get("sppci_vendor"))),
            "vendor_id": entry.get("spdisplays_vendor-id"),
            "device_id": entry.get("spdisplays_device-id"),
            "metal": f"Metal {level[1]}" if level else None,
            "metal_family": f"{family[1].capitalize()} {family[2]}" if family else None,
            "memory": size_in_bytes(entry.get("spdisplays_vram")),
            "shared_memory": size_in_bytes(shared),
        }
    )


def _plain_report(text: str) -> Report:
    hardware: dict[str, Any] = {}
    memory: dict[str, Any] = {}
    software: dict[str, str] = {}
    graphics: list[Mapping[str, Any]] = []
    for title, block in _blocks(text):
        if _is_graphics(block):
            graphics.append(_plain_graphics(block))
        elif "System Version" in block or "Systemversion" in block:
            software |= without_none({"os_version": _version(first(block.get("System Version"), block.get("Systemversion")))})
        elif "Size" in block and "DDR" in block.get("Type", ""):
            memory.setdefault("kind", block["Type"])
        elif title.startswith(("Memory", "Speicher", "Mémoire")) or ("Type" in block and "Memory" in block):
            memory |= without_none({"total": size_in_bytes(block.get("Memory")), "kind": known(block.get("Type"))})
        elif _is_hardware(block):
            hardware |= _plain_hardware(block)
    return Report(hardware=hardware, memory=memory, software=software, graphics=tuple(graphics))


def _blocks(text: str) -> Iterable[tuple[str, dict[str, str]]]:
    """The values that stand under one heading, with the heading; headings are the lines that end in a colon."""
    title, block = "", dict[str, str]()
    for line in text.splitlines():
        if re.match(r"^\s*\S.*:\s*$", line) and known(line.split(":", 1)[1]) is None:
            if block:
                yield title, block
            title, block = line.strip().rstrip(":"), {}
            continue
        for key, value in pairs(line):
            block.setdefault(key, value)
    if block:
        yield title, block


def _is_graphics(block: Mapping[str, str]) -> bool:
    return any(key in block for key in ("Chipset Model", "Chipsatz-Modell", "Chipsatzmodell", "Modèle du jeu de puces")) or (
        "Vendor" in block and any(key.startswith(("Metal", "VRAM")) for key in block)
    )


def _is_hardware(block: Mapping[str, str]) -> bool:
    return any(key in block for key in ("Chip", "Model Identifier", "Processor Name", "Total Number of Cores")) or any(
        CHIP.match(value) or MODEL.match(value) for value in block.values()
    )


def _plain_hardware(block: Mapping[str, str]) -> dict[str, Any]:
    def shaped(pattern: re.Pattern[str]) -> str | None:
        return next((value for value in block.values() if pattern.match(value)), None)

    return without_none(
        {
            "chip": known(first(block.get("Chip"), block.get("Processor Name"), shaped(CHIP))),
            "model": known(first(block.get("Model Identifier"), shaped(MODEL))),
            "model_name": known(
                first(
                    block.get("Model Name"),
                    next((v for v in block.values() if v.startswith(("Mac", "iMac")) and not MODEL.match(v)), None),
                )
            ),
            "cores": first(block.get("Total Number of Cores"), shaped(CORES)),
            "memory": size_in_bytes(first(block.get("Memory"), shaped(GIGABYTES))),
        }
    )


def _plain_graphics(block: Mapping[str, str]) -> dict[str, Any]:
    name = first(
        block.get("Chipset Model"), block.get("Chipsatz-Modell"), block.get("Chipsatzmodell"), block.get("Modèle du jeu de puces")
    )
    metal = " ".join(value for key, value in block.items() if key.startswith("Metal"))
    level, family = re.search(r"Metal (\d+)\b", metal), re.search(r"GPUFamily (Apple|Mac|macOS|Common)\s*(\d+)", metal)
    shared = [
        value
        for key, value in block.items()
        if key.startswith("VRAM") and re.search(r"dynamic|dynamisch|dynamique", key, re.IGNORECASE)
    ]
    own = [value for key, value in block.items() if key.startswith("VRAM") and value not in shared]
    cores = first(
        block.get("Total Number of Cores"),
        next((v for k, v in block.items() if re.search(r"cores|kerne|cœurs", k, re.IGNORECASE)), None),
    )
    return without_none(
        {
            "name": known(name),
            "cores": integer(cores),
            "vendor": known(block.get("Vendor")),
            "device_id": known(block.get("Device ID")),
            "metal": f"Metal {level[1]}" if level else None,
            "metal_family": f"{family[1]} {family[2]}" if family else None,
            "memory": size_in_bytes(own[0]) if own else None,
            "shared_memory": size_in_bytes(shared[0]) if shared else None,
        }
    )


def _version(value: Any) -> str | None:
    found = re.search(r"\d+(?:\.\d+)+", str(value or ""))
    return found[0] if found else None
