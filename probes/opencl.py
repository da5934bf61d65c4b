"""GPUs and accelerators as OpenCL shows them: `clinfo --json` and the plain report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from probes.tool_text import clean, drop_unknown, integer, known, load_json, pci_address, pci_id
from probes.vendor_names import is_software_renderer, vendor_in
from recommender.domain.fingerprint import Device, Observation
from recommender.ports import PROBE_API, HostAccess

name = "opencl"
api = PROBE_API
volatile = False
platforms = ("linux", "windows", "android")

_VENDOR_IDS = {0x10DE: "nvidia", 0x1002: "amd", 0x8086: "intel", 0x5143: "qualcomm", 0x13B5: "arm", 0x106B: "apple"}
# plain label -> property of the JSON report
_LABELS = {
    "Device Name": "CL_DEVICE_NAME",
    "Device Vendor": "CL_DEVICE_VENDOR",
    "Device Vendor ID": "CL_DEVICE_VENDOR_ID",
    "Device Version": "CL_DEVICE_VERSION",
    "Driver Version": "CL_DRIVER_VERSION",
    "Device Type": "CL_DEVICE_TYPE",
    "Device Board Name (AMD)": "CL_DEVICE_BOARD_NAME_AMD",
    "Device Topology (AMD)": "CL_DEVICE_TOPOLOGY_AMD",
    "Device Topology (NV)": "CL_DEVICE_PCI_BUS_INFO_KHR",
    "Device PCI bus info (KHR)": "CL_DEVICE_PCI_BUS_INFO_KHR",
    "Device PCI-e ID (AMD)": "CL_DEVICE_PCIE_ID_AMD",
    "Device ID": "CL_DEVICE_ID_INTEL",
    "Device ID (Intel)": "CL_DEVICE_ID_INTEL",
    "Compute Capability (NV)": "CL_DEVICE_COMPUTE_CAPABILITY_NV",
    "Max compute units": "CL_DEVICE_MAX_COMPUTE_UNITS",
    "Global memory size": "CL_DEVICE_GLOBAL_MEM_SIZE",
    "Max memory allocation": "CL_DEVICE_MAX_MEM_ALLOC_SIZE",
    "Unified memory for Host and Device": "CL_DEVICE_HOST_UNIFIED_MEMORY",
    "Device Extensions": "CL_DEVICE_EXTENSIONS",
}
_TYPES = {"GPU": "gpu", "ACCELERATOR": "accelerator", "CPU": "cpu", "CUSTOM": "accelerator"}


def read(host: HostAccess) -> dict[str, Any] | None:
    for argv in (["clinfo", "--json"], ["clinfo"]):
        done = host.run(argv, 10.0)
        if done.ok and done.stdout.strip():
            return {"clinfo": done.stdout}
    return None


def parse(raw: dict[str, Any]) -> Observation:
    """raw: `clinfo`, the text of either report. CPU devices are left out; one card shown by two platforms is kept once."""
    printed = clean(raw.get("clinfo"))
    listed = _from_json(printed) if printed.lstrip()[:1] == "{" else _from_plain(printed)
    devices: dict[Any, Device] = {}
    for position, values in enumerate(listed):
        device = _device(values, position)
        if device is not None:
            same_card = device.attributes.get("pci_address") or (device.name, values.get("platform_copy"))
            devices.setdefault(same_card, device)
    return Observation(devices=tuple(devices.values()))


def _from_json(text: str) -> list[dict[str, Any]]:
    document = load_json(text)
    groups = document.get("devices") if isinstance(document, dict) else None
    platforms = document.get("platforms") if isinstance(document, dict) else None
    names = [node.get("CL_PLATFORM_NAME") for node in platforms or () if isinstance(node, dict)]
    found: list[dict[str, Any]] = []
    for number, group in enumerate(groups if isinstance(groups, list) else ()):
        online = group.get("online") if isinstance(group, dict) else None
        members = [values for values in online or () if isinstance(values, dict)]
        platform = names[number] if number < len(names) else None
        found += [{**values, "platform": platform, "platform_copy": position} for position, values in enumerate(members)]
    return found


def _from_plain(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    copy = 0
    platform: str | None = None
    for line in text.splitlines():
        pair = re.match(r"^\s{0,6}(\S.*?)(?:\s{2,}|\t+)(\S.*?)\s*$", line)
        if line.startswith("NULL platform behavior") or line.startswith("ICD loader properties"):
            break
        if not pair:
            continue
        if pair[1] == "Platform Name":
            platform, copy = pair[2], 0
        if pair[1] == "Device Name":
            found.append({"platform": platform, "platform_copy": copy})
            copy += 1
        if found and pair[1] in _LABELS:
            found[-1].setdefault(_LABELS[pair[1]], pair[2])
    return found


def _type(value: Any) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(str(part) for part in value.get("type") or ())
    return next((kind for word, kind in _TYPES.items() if word in str(value)), "gpu")


def _device(values: Mapping[str, Any], position: int) -> Device | None:
    printed = known(values.get("CL_DEVICE_NAME"))
    kind = _type(values.get("CL_DEVICE_TYPE", ""))
    if kind == "cpu" or printed is None or is_software_renderer(printed):
        return None
    vendor = _VENDOR_IDS.get(integer(values.get("CL_DEVICE_VENDOR_ID")) or 0)
    vendor = vendor or vendor_in(known(values.get("CL_DEVICE_VENDOR")), printed)
    gfx = re.match(r"gfx[0-9a-f]{3,5}\b", printed)
    unified = _flag(values.get("CL_DEVICE_HOST_UNIFIED_MEMORY"))
    address = pci_address(values.get("CL_DEVICE_PCI_BUS_INFO_KHR") or values.get("CL_DEVICE_TOPOLOGY_AMD"))
    return Device(
        id=f"{kind}@{address or f'opencl:{position}'}",
        kind=kind,
        vendor=vendor,
        name=known(values.get("CL_DEVICE_BOARD_NAME_AMD")) or printed,
        identifiers=drop_unknown(
            {
                "pci": _pci(vendor, values),
                "gfx": gfx[0] if gfx else None,
                "compute_capability": known(values.get("CL_DEVICE_COMPUTE_CAPABILITY_NV")),
            }
        ),
        memory_kind=None if unified is None else "shared" if unified else "dedicated",
        memory_total=integer(values.get("CL_DEVICE_GLOBAL_MEM_SIZE")) if unified is False else None,
        attributes=drop_unknown({"pci_address": address, "opencl": _told(values)}),
    )


def _pci(vendor: str | None, values: Mapping[str, Any]) -> str | None:
    if vendor == "intel":
        return pci_id("8086", _hexadecimal(values.get("CL_DEVICE_ID_INTEL")))
    return pci_id("1002", _hexadecimal(values.get("CL_DEVICE_PCIE_ID_AMD"))) if vendor == "amd" else None


def _hexadecimal(value: Any) -> int | None:
    number = value if isinstance(value, int) else integer(value)
    return number if number is not None and 0 < number <= 0xFFFF else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else {"yes": True, "no": False}.get(str(value).strip().lower())


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    version = re.search(r"OpenCL (\d+\.\d+)", str(values.get("CL_DEVICE_VERSION", "")))
    extensions = values.get("CL_DEVICE_EXTENSIONS")
    return drop_unknown(
        {
            "version": version[1] if version else None,
            "platform": known(values.get("platform")),
            "driver_version": known(values.get("CL_DRIVER_VERSION")),
            "compute_units": integer(values.get("CL_DEVICE_MAX_COMPUTE_UNITS")),
            "memory_size": integer(values.get("CL_DEVICE_GLOBAL_MEM_SIZE")),
            "max_allocation": integer(values.get("CL_DEVICE_MAX_MEM_ALLOC_SIZE")),
            "fp16": "cl_khr_fp16" in extensions if isinstance(extensions, str) else None,
        }
    )
