"""What `lspci` and `lshw` print, as PCI functions. Not a probe; pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from probes.pci_bus import PciFunction
from probes.tool_text import clean, known, pci_address, pci_id
from probes.vendor_names import vendor_in

_CLASS_CODES = {
    "vga compatible controller": "0300", "xga compatible controller": "0301", "3d controller": "0302",
    "display controller": "0380", "processing accelerators": "1200", "co-processor": "0b40",
    "signal processing controller": "1180", "system peripheral": "0880", "multimedia video controller": "0400",
}  # fmt: skip
_ADDRESS = r"(?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]"
_LINE = re.compile(rf"^\s*({_ADDRESS})\s+(.+?)\s*$")
_NUMERIC = re.compile(r"^(?:Class )?([0-9a-f]{4}): ([0-9a-f]{4}):([0-9a-f]{4})\b")
_WITH_IDS = re.compile(r"^(.*?)\s*\[([0-9a-f]{4})\]: (.*?)\s*\[([0-9a-f]{4}):([0-9a-f]{4})\]")
_PLAIN = re.compile(r"^([A-Za-z0-9][\w /,&-]*): (.+?)(?: \(rev [0-9a-f]{2}\))?(?: \(prog-if .*\))?$")
_REVISION = re.compile(r"\(rev ([0-9a-f]{2})\)")
_BRACKETED = re.compile(r"\s*\[([0-9a-fA-F]{4})\]\s*$")


def parse_lspci(text: Any) -> list[PciFunction]:
    """Functions of `lspci` with any of -D, -n, -nn, -k, -v, -vmm; text around them is skipped."""
    lines = clean(text).splitlines()
    if any(line.startswith("Slot:") for line in lines):
        return _machine_readable(lines)
    found: list[PciFunction] = []
    for line in lines:
        start = _LINE.match(line)
        function = _one_line(start[1], start[2]) if start else None
        if function:
            found.append(function)
        elif found and (driver := re.match(r"\s+Kernel driver in use:\s*(\S+)", line)):
            found[-1] = replace(found[-1], driver=driver[1])
    return found


def _one_line(address: str, rest: str) -> PciFunction | None:
    revision = _REVISION.search(rest)
    shared: dict[str, Any] = {"address": pci_address(address), "revision": revision[1] if revision else None}
    if numeric := _NUMERIC.match(rest):
        return PciFunction(**shared, class_code=numeric[1], id=pci_id(numeric[2], numeric[3]))
    if with_ids := _WITH_IDS.match(rest):
        return PciFunction(
            **shared, class_code=with_ids[2], id=pci_id(with_ids[4], with_ids[5]), name=with_ids[3], vendor=vendor_in(with_ids[3])
        )
    if plain := _PLAIN.match(rest):
        if code := _CLASS_CODES.get(plain[1].lower()):
            return PciFunction(**shared, class_code=code, name=plain[2], vendor=vendor_in(plain[2]))
    return None


def _machine_readable(lines: list[str]) -> list[PciFunction]:
    found: list[PciFunction] = []
    block: dict[str, str] = {}
    for line in [*lines, ""]:
        key, separator, value = line.partition(":")
        if separator and not line.startswith((" ", "\t")):
            if key == "Slot" and "Slot" in block:
                found.append(_from_block(block))
                block = {}
            block[key.strip()] = value.strip()
        elif not line.strip() and block:
            found.append(_from_block(block))
            block = {}
    return found


def _from_block(block: dict[str, str]) -> PciFunction:
    ids = {}
    for key in ("Class", "Vendor", "Device"):
        value = block.get(key, "")
        bracketed = _BRACKETED.search(value)
        numeric = re.fullmatch(r"[0-9a-fA-F]{4}", value)
        ids[key] = bracketed[1] if bracketed else value if numeric else None
    words = [_BRACKETED.sub("", block.get(key, "")) for key in ("Vendor", "Device")]
    printed = None if re.fullmatch(r"[0-9a-fA-F]{4}", words[1] or "0000") else " ".join(word for word in words if word)
    return PciFunction(
        address=pci_address(block.get("Slot")),
        id=pci_id(ids["Vendor"], ids["Device"]),
        class_code=(ids["Class"] or _CLASS_CODES.get(block.get("Class", "").lower()) or "").lower() or None,
        revision=known(block.get("Rev")),
        driver=known(block.get("Driver")),
        name=printed,
        vendor=vendor_in(printed),
    )


def parse_lshw(text: Any) -> list[PciFunction]:
    """Functions of `lshw` as text, with or without -numeric."""
    found: list[PciFunction] = []
    node: dict[str, str] = {}
    for line in [*clean(text).splitlines(), "*-end"]:
        key, separator, value = line.strip().partition(": ")
        if line.lstrip().startswith("*-") or (key == "description" and "description" in node):
            if node.get("bus info", "").startswith("pci@"):
                found.append(_from_lshw(node))
            node = {}
        if separator:
            node[key] = value.strip()
    return found


def _from_lshw(node: dict[str, str]) -> PciFunction:
    product, vendor = node.get("product", ""), node.get("vendor", "")
    numeric = re.search(r"\[([0-9A-Fa-f]{1,4}):([0-9A-Fa-f]{1,4})\]\s*$", product)
    printed = re.sub(r"\s*\[[0-9A-Fa-f:]+\]\s*$", "", product)
    driver = re.search(r"\bdriver=(\S+)", node.get("configuration", ""))
    return PciFunction(
        address=pci_address(node["bus info"].removeprefix("pci@")),
        id=pci_id(numeric[1], numeric[2]) if numeric else None,
        class_code=_CLASS_CODES.get(node.get("description", "").lower()),
        revision=known(node.get("version")),
        driver=driver[1] if driver else None,
        name=None if printed in ("", vendor) else printed,  # without its own entry the product is the maker's name
        vendor=vendor_in(vendor, product),
    )
