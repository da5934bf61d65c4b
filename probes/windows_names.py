"""What the names and identifiers of Windows devices tell: kind, vendor, memory, software adapters, hypervisors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from probes.printed import integer

CAPPED_FROM = 0xFFF0_0000  # AdapterRAM is 32 bits wide: from here on it only says "4 GB or more"
_PCI_VENDORS = {
    "8086": "intel",
    "10de": "nvidia",
    "1002": "amd",
    "1022": "amd",
    "5143": "qualcomm",
    "17cb": "qualcomm",
    "1e60": "hailo",
}
_VENDOR_WORDS = (
    ("qualcomm", "qualcomm"),
    ("qcom", "qualcomm"),
    ("snapdragon", "qualcomm"),
    ("adreno", "qualcomm"),
    ("hexagon", "qualcomm"),
    ("nvidia", "nvidia"),
    ("geforce", "nvidia"),
    ("authenticamd", "amd"),
    ("advanced micro devices", "amd"),
    ("radeon", "amd"),
    ("amd", "amd"),
    ("ati technologies", "amd"),
    ("genuineintel", "intel"),
    ("intel", "intel"),
    ("hailo", "hailo"),
    ("apple", "apple"),
    ("ampere", "ampere"),
    ("microsoft", "microsoft"),
)
_SOFTWARE = re.compile(
    r"microsoft (basic|remote|indirect|hyper-v)|basic (render|display)|"
    r"remote ?display|indirect ?display|virtual (display|monitor)|"
    r"idd\b|mirror driver|displaylink|citrix|parsec|spacedesk|vmware svga|virtualbox|red ?hat (qxl|virtio)|\bqxl\b|"
    r"parallels (display|using)|standard vga|rdp|teamviewer",
    re.IGNORECASE,
)
_HYPERVISORS = (
    ("vmware", "vmware"),
    ("virtualbox", "virtualbox"),
    ("innotek", "virtualbox"),
    ("parallels", "parallels"),
    ("xen", "xen"),
    ("kvm", "kvm"),
    ("qemu", "qemu"),
    ("red hat", "kvm"),
    ("qxl", "kvm"),
    ("virtio", "kvm"),
    ("google compute engine", "kvm"),
    ("amazon ec2", "amazon"),
    ("openstack", "kvm"),
    ("bochs", "bochs"),
    ("nutanix", "nutanix"),
    ("hyper-v video", "hyper-v"),
    ("microsoft corporation virtual machine", "hyper-v"),
)
_NPU = re.compile(r"\bNPU\b|AI Boost|Hexagon|Neural|Compute Accelerator|Hailo|\bIPU Device\b", re.IGNORECASE)
_GPU = re.compile(
    r"\bGPU\b|Graphics|GeForce|Radeon|\bRTX\b|Quadro|\bTesla\b|\bArc\b|Adreno|\bIris\b|\bUHD\b|FirePro|Display|Render|SVGA|Video|\bQXL\b",
    re.IGNORECASE,
)
_CPU = re.compile(
    r"\bCPU\b|Processor|\bCore\b|Ryzen|EPYC|Xeon|Oryon|Kryo|Athlon|Celeron|Pentium|Threadripper|with Radeon|w/ Radeon",
    re.IGNORECASE,
)


def kind_of(name: str) -> str | None:
    """cpu, gpu or npu by the device's name, None when it names none of them."""
    if _CPU.search(name) and not re.search(r"GPU|NPU", name):
        return "cpu"
    return "npu" if _NPU.search(name) else ("gpu" if _GPU.search(name) else None)


def pci_of(device_id: str) -> str | None:
    r"""`PCI\VEN_8086&DEV_9BC4&...` -> `8086:9bc4`; None for ACPI and software devices."""
    match = re.search(r"PCI\\+VEN_([0-9A-F]{4})&DEV_([0-9A-F]{4})", device_id, re.IGNORECASE)
    return f"{match[1]}:{match[2]}".lower() if match else None


def vendor_of(pci: str | None, *told: Any) -> str | None:
    """Maker by PCI vendor number, else by the first word that names one in `told`."""
    if pci and pci[:4] in _PCI_VENDORS:
        return _PCI_VENDORS[pci[:4]]
    for text in told:
        found = next((vendor for word, vendor in _VENDOR_WORDS if word in str(text or "").casefold()), None)
        if found:
            return found
    return None


def is_software(name: str, device_id: str) -> bool:
    """Adapters that compute nothing of their own: remote, indirect, basic and virtual displays."""
    return bool(_SOFTWARE.search(name)) or device_id.upper().startswith(("ROOT\\", "SWD\\", "VMBUS\\"))


def hypervisor_of(text: str) -> str | None:
    """The hypervisor that a maker, model or adapter name betrays."""
    return next((value for word, value in _HYPERVISORS if word in text.casefold()), None)


def adapter_memory(value: Any) -> int | None:
    """AdapterRAM in bytes, None where its 32 bits ran over."""
    number = integer(value)
    return number if number is not None and 0 < number < CAPPED_FROM else None


def memory_kind_of(vendor: str | None, name: str, printed: Mapping[str, int | None]) -> str | None:
    """dedicated, shared, or None when neither the printed sizes nor the name decides.

    printed: bytes of `dedicated` and `shared` memory where the tool lists them apart.
    """
    if printed.get("dedicated") == 0 and printed.get("shared"):
        return "shared"
    if vendor == "nvidia":
        return None if re.search(r"Tegra|Orin|GB10|\bN1X?\b", name) else "dedicated"
    if vendor == "intel":
        own = re.search(r"Arc(\(TM\))?\s+(Pro\s+)?[AB]\d{2,3}|Iris.*\bMAX\b|Data Center GPU", name, re.IGNORECASE)
        return "dedicated" if own else "shared"
    if vendor == "qualcomm":
        return "shared"
    if vendor == "amd":
        if re.search(
            r"\bRX\s*(Vega|\d{3,4})|\bPRO W\d|\bWX\s*\d|\bVII\b|\bR9\b|Instinct|FirePro|AI PRO R\d|\bV\d{3}\b",
            name,
            re.IGNORECASE,
        ):
            return "dedicated"
        return "shared" if re.search(r"Graphics|\b\d{3}M\b|\b80\d0S\b", name) else None
    return None
