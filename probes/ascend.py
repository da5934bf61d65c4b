"""The table of `npu-smi info` for Huawei's Ascend chips. Not a probe; pure."""

from __future__ import annotations

import re
from typing import Any

from probes.tool_text import clean, drop_unknown, pci_address, size_pair
from recommender.domain.fingerprint import Device

_VERSION = re.compile(r"npu-smi\s+\S+\s+Version:\s*(\S+)")
_NAME_ROW = re.compile(r"^(\d+)\s+(\S.*?)$")


def parse_info(text: Any) -> list[Device]:
    """One Device a chip, with the card's name. HBM counts where the table has it, else the chip's own memory."""
    printed = clean(text)
    version = _VERSION.search(printed)
    has_hbm = "HBM-Usage" in printed
    devices: list[Device] = []
    card: tuple[str, str] | None = None
    for line in printed.splitlines():
        columns = [column.strip() for column in line.strip().strip("|").split("|")]
        if len(columns) != 3 or not line.startswith("|"):
            continue
        address = pci_address(columns[1])
        if address is None:
            named = _NAME_ROW.match(columns[0])
            card = (named[1], named[2]) if named and named[1].isdigit() and "Name" not in columns[0] else None
        elif card is not None:
            taken = {device.attributes.get("pci_address") for device in devices}
            chip = (columns[0].split() or ["0"])[0]
            memory = _memory(columns[2], has_hbm)
            devices.append(_chip(card, chip, address, address in taken, memory, version[1] if version else None))
    return devices


def _memory(column: str, has_hbm: bool) -> tuple[int, int] | None:
    pairs = [size_pair(found) for found in re.findall(r"\d+\s*/\s*\d+", column)]
    chosen = pairs[-1 if has_hbm else 0] if pairs else None
    return chosen if chosen and chosen[1] else None


def _chip(
    card: tuple[str, str], chip: str, address: str, shares_address: bool, memory: tuple[int, int] | None, version: str | None
) -> Device:
    """Two chips of one card can share a bus address: only the first may carry it, or they would be taken for one."""
    number, printed = card
    return Device(
        id=f"accelerator@ascend:{number}.{chip}" if shares_address else f"accelerator@{address}",
        kind="accelerator",
        vendor="huawei",
        name=printed,
        memory_kind="dedicated",
        memory_total=memory[1] if memory else None,
        memory_available=memory[1] - memory[0] if memory else None,
        driver_version=version,
        attributes=drop_unknown(
            {"pci_address": None if shares_address else address, "bus_id": address, "card": int(number), "chip": chip}
        ),
    )
