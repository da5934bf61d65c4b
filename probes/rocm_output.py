"""What AMD's tools print: rocm-smi (JSON, CSV, text), amd-smi static (JSON, text), rocminfo, amdgpu_top. Not a probe; pure.

A fact is a dict with the keys index, address, name, pci, gfx, memory_total, memory_used [bytes], apu, driver_version,
compute_units; a missing key was not told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from probes.tool_text import clean, csv_rows, drop_unknown, integer, known, load_json, pci_address, pci_id, size, walk

Facts = dict[str, Any]

_HEX = re.compile(r"^0x[0-9a-fA-F]+$")
_GFX = re.compile(r"\bgfx[0-9a-f]{3,5}\b", re.IGNORECASE)
_GENERIC = {"amd radeon graphics", "radeon graphics"}  # what the driver says when it knows no product


def parse_any(text: Any) -> list[Facts]:
    """Whatever form the text has; several forms in one text are put together where they can only mean one GPU."""
    printed = clean(text)
    document = load_json(printed) if printed.lstrip()[:1] in ("{", "[") or '{"' in printed or '"card' in printed else None
    if document is not None:
        return _from_json(document)
    return parse_csv(printed) or parse_smi_text(printed) or parse_static_text(printed) or parse_rocminfo(printed)


def _from_json(document: Any) -> list[Facts]:
    cards: list[Facts] = []
    top: list[Facts] = []
    for node in walk(document):
        driver = _driver_version(node)
        cards += [
            _card(key, card) | driver for key, card in node.items() if re.fullmatch(r"card\d+", key) and isinstance(card, dict)
        ]
        if isinstance(node.get("asic"), dict):
            cards.append(_static(node, len(cards)))
        if "asic_name" in node and "device_name" in node:
            top.append(_top(node))
    if len(top) == 1 and len(cards) == 1:
        return [cards[0] | top[0] | _better_name(cards[0], top[0])]
    return cards or top


def _driver_version(node: Mapping[str, Any]) -> Facts:
    system = node.get("system")
    return drop_unknown({"driver_version": known(system.get("Driver version"))}) if isinstance(system, dict) else {}


def _better_name(one: Facts, other: Facts) -> Facts:
    names = [facts["name"] for facts in (one, other) if "name" in facts]
    telling = [text for text in names if text.lower() not in _GENERIC]
    return {"name": (telling or names)[0]} if names else {}


def _card(key: str, card: Mapping[str, Any]) -> Facts:
    """One rocm-smi card. Releases differ in capitals, and old ones print the vendor id in the place of names and models."""
    values = {str(name).strip().lower().rstrip(":"): value for name, value in card.items()}

    def first(*names: str, hexadecimal: bool = False) -> str | None:
        for name in names:
            text = known(values.get(name))
            if text and bool(_HEX.match(text)) is hexadecimal:
                return text
        return None

    device = first("device id", "gpu id", hexadecimal=True) or first("card model", hexadecimal=True)
    gfx = _GFX.search(first("gfx version") or "")
    return drop_unknown(
        {
            "index": integer(key.removeprefix("card")),
            "address": pci_address(values.get("pci bus")),
            "name": first("card series", "device name", "card model", "market name"),
            "pci": pci_id("1002", device) if device and device.lower() != "0x1002" else None,
            "gfx": gfx[0].lower() if gfx else None,
            "memory_total": size(values.get("vram total memory (b)")),
            "memory_used": size(values.get("vram total used memory (b)")),
        }
    )


def parse_csv(text: str) -> list[Facts]:
    """rocm-smi --csv: one or more tables that start with a `device,...` line."""
    cards: dict[str, dict[str, str]] = {}
    header: list[str] = []
    for row in csv_rows(text.splitlines()):
        if row and row[0] == "device":
            header = row
        elif header and row and row[0].startswith("card"):
            cards.setdefault(row[0], {}).update(zip(header, _fold(row, header), strict=False))
    return [_card(key, card) for key, card in cards.items()]


def _fold(row: list[str], header: list[str]) -> list[str]:
    """Some releases print the maker's name, which holds a comma, without quotes."""
    surplus = len(row) - len(header)
    at = next((position for position, column in enumerate(header) if "vendor" in column.lower()), None)
    if surplus <= 0 or at is None:
        return row
    return [*row[:at], ",".join(row[at : at + surplus + 1]), *row[at + surplus + 1 :]]


def parse_smi_text(text: str) -> list[Facts]:
    """rocm-smi's long text: `GPU[0] : Card Series: Radeon RX 7900 XT`."""
    cards: dict[str, dict[str, str]] = {}
    for found in re.finditer(r"^GPU\[(\d{1,3})\]\s*:\s*([^:\n]+):\s*(.+?)\s*$", text, re.MULTILINE):
        cards.setdefault(f"card{found[1]}", {})[found[2]] = found[3]
    driver = re.search(r"^Driver version:\s*(\S+)", text, re.MULTILINE)
    return [_card(key, card) | ({"driver_version": driver[1]} if driver else {}) for key, card in cards.items()]


def parse_static_text(text: str) -> list[Facts]:
    """`amd-smi static`: `GPU: 0`, then indented sections."""
    gpus: list[dict[str, Any]] = []
    section: dict[str, str] = {}
    for line in text.splitlines():
        found = re.match(r"(\s*)([A-Z][A-Z0-9_]*):\s*(.*)$", line)
        if not found:
            continue
        if found[2] == "GPU" and not found[1]:
            gpus.append({"gpu": found[3]})
        elif gpus and found[1] and not found[3]:
            section = gpus[-1].setdefault(found[2].lower(), {})
            section = section if isinstance(section, dict) else {}
        elif gpus and found[1]:
            section[found[2].lower()] = found[3].strip()
    return [_static(gpu, position) for position, gpu in enumerate(gpus)]


def _static(gpu: Mapping[str, Any], position: int) -> Facts:
    def section(key: str) -> dict[str, Any]:
        found = gpu.get(key)
        return found if isinstance(found, dict) else {}

    asic, bus, driver = section("asic"), section("bus"), section("driver")
    amount = section("vram").get("size")
    if isinstance(amount, dict):
        amount = f"{amount.get('value')} {amount.get('unit', 'MB')}"
    gfx = _GFX.search(known(asic.get("target_graphics_version")) or "")
    index = integer(gpu.get("gpu"))
    return drop_unknown(
        {
            "index": position if index is None else index,
            "address": pci_address(bus.get("bdf")),
            "name": known(asic.get("market_name")),
            "pci": pci_id(asic.get("vendor_id"), asic.get("device_id")),
            "gfx": gfx[0].lower() if gfx else None,
            "compute_units": integer(asic.get("num_compute_units")),
            "memory_total": size(amount, "mb"),
            "driver_version": known(driver.get("version") or driver.get("driver_version")),
        }
    )


def _top(node: Mapping[str, Any]) -> Facts:
    """One device of `amdgpu_top --json`."""
    gfx = _GFX.search(known(node.get("asic_name")) or "")
    return drop_unknown(
        {
            "name": known(node.get("device_name")),
            "gfx": gfx[0].lower() if gfx else None,
            "apu": True if node.get("gpu_type") == "APU" else None,
        }
    )


def parse_rocminfo(text: str) -> list[Facts]:
    """The GPU agents of `rocminfo`."""
    gpus: list[Facts] = []
    for block in re.split(r"^\*+\s*\n\s*Agent \d+\s*\n\*+\s*$", text, flags=re.MULTILINE)[1:]:
        values = dict(re.findall(r"^  ([A-Z][\w ()-]*?):\s+(\S.*?)\s*$", block, re.MULTILINE))
        if values.get("Device Type") != "GPU":
            continue
        chip = re.match(r"(\d+)\(", values.get("Chip ID", ""))
        pools = re.findall(r"Segment:\s+GLOBAL.*?\n\s+Size:\s+(\d+)", block)
        gpus.append(
            drop_unknown(
                {
                    "index": len(gpus),
                    "name": known(values.get("Marketing Name")),
                    "gfx": (known(values.get("Name")) or "").lower() or None,
                    "pci": pci_id("1002", f"{int(chip[1]):x}") if chip else None,
                    "compute_units": integer(values.get("Compute Unit")),
                    "apu": True if "APU" in values.get("Memory Properties", "") else None,
                    "memory_total": int(pools[0]) << 10 if pools else None,
                }
            )
        )
    return gpus
