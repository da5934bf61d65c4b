"""GPUs as Vulkan shows them: `vulkaninfo --summary`, and the properties of a full `vulkaninfo`."""

from __future__ import annotations

import re
from typing import Any

from probes.tool_text import clean, drop_unknown, integer, known, pci_id
from probes.vendor_names import is_software_renderer, vendor_in
from recommender.domain.fingerprint import Device, Observation
from recommender.ports import PROBE_API, HostAccess

name = "vulkan"
api = PROBE_API
volatile = False
platforms = ("linux", "windows", "android", "macos")

_MEMORY_KINDS = {"DISCRETE_GPU": "dedicated", "INTEGRATED_GPU": "shared"}
_PCI_VENDORS = {0x10DE, 0x1002, 0x8086}  # elsewhere the two ids are Khronos or system-on-chip numbers, not PCI ids
_VENDORS = {0x10DE: "nvidia", 0x1002: "amd", 0x8086: "intel", 0x106B: "apple", 0x5143: "qualcomm", 0x13B5: "arm",
            0x1010: "imagination", 0x14E4: "broadcom", 0x144D: "samsung"}  # fmt: skip


def read(host: HostAccess) -> dict[str, Any] | None:
    done = host.run(["vulkaninfo", "--summary"], 10.0)
    return {"summary": done.stdout} if "GPU" in done.stdout else None


def parse(raw: dict[str, Any]) -> Observation:
    """raw: `summary`, the text of vulkaninfo. A GPU that several drivers show is kept once, by the first driver."""
    devices: list[Device] = []
    drivers: dict[str, str] = {}
    for position, values in enumerate(_blocks(clean(raw.get("summary")))):
        device = _device(values, position)
        if device is None:
            continue
        key = device.identifiers.get("pci") or device.name or device.id
        driver = values.get("driverID") or values.get("driverName") or ""
        if drivers.setdefault(key, driver) == driver:
            devices.append(device)
    return Observation(devices=tuple(devices))


def _blocks(text: str) -> list[dict[str, str]]:
    blocks: list[dict[str, str]] = []
    for line in text.splitlines():
        if re.match(r"^\s*GPU\s*\d+\s*:\s*$", line) or line.strip() == "VkPhysicalDeviceProperties:":
            if not blocks or blocks[-1]:
                blocks.append({})
        elif blocks and (pair := re.match(r"^\s*(\w+)\s*=\s*(.+?)\s*$", line)):
            blocks[-1].setdefault(pair[1], pair[2])
    return [block for block in blocks if "deviceName" in block]


def _device(values: dict[str, str], position: int) -> Device | None:
    printed = known(values.get("deviceName"))
    kind = values.get("deviceType", "").removeprefix("PHYSICAL_DEVICE_TYPE_").split(" ")[0]
    if kind == "CPU" or is_software_renderer(printed):
        return None
    vendor_id, device_id = integer(values.get("vendorID")), integer(values.get("deviceID"))
    has_pci = vendor_id in _PCI_VENDORS and device_id is not None
    version = re.search(r"\d+\.\d+\.\d+", values.get("apiVersion", ""))
    told = {
        "api_version": version[0] if version else None,
        "driver": known(values.get("driverName")),
        "driver_id": known(values.get("driverID")),
        "driver_info": known(values.get("driverInfo")),
        "device_type": kind.lower() or None,
    }
    return Device(
        id=f"gpu@vulkan:{position}",
        kind="gpu",
        vendor=_VENDORS.get(vendor_id or 0) or vendor_in(printed),
        name=printed,
        identifiers=drop_unknown({"pci": pci_id(vendor_id, device_id) if has_pci else None}),
        memory_kind=_MEMORY_KINDS.get(kind),
        attributes={"vulkan": drop_unknown(told)},
    )
