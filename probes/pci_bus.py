"""The PCI bus as Linux shows it, and what class, vendor and driver say of a function. Not a probe: several probes read it.

Class codes are those of the PCI Code and ID Assignment Specification; ids of single chips are those that the Linux drivers
amdxdna, intel_vpu, hailo and apex claim.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from probes.tool_text import clean, drop_unknown, pci_address, pci_id
from recommender.domain.fingerprint import Device
from recommender.ports import HostAccess

BUS = "/sys/bus/pci/devices"
VENDORS = {
    "10de": "nvidia", "1002": "amd", "1022": "amd", "8086": "intel", "106b": "apple", "17cb": "qualcomm", "5143": "qualcomm",
    "1e60": "hailo", "1ac1": "google", "19e5": "huawei", "1f4b": "axera", "1ff4": "deepx", "1da3": "habana",
        "1e52": "tenstorrent",
    "1ed5": "moore-threads", "10ee": "xilinx",
}  # fmt: skip
# Display adapters of servers' management controllers, hypervisors and software renderers: they compute nothing.
_NO_COMPUTE = {"1414", "1234", "1af4", "15ad", "80ee", "1b36", "1013", "1a03", "102b", "5333", "1ab8", "5853"}
_NPU_IDS = {"8086:7d1d", "8086:ad1d", "8086:643e", "8086:b03e", "8086:fd3e", "1022:1502", "1022:17f0"}
_NPU_DRIVERS = {"intel_vpu", "amdxdna"}
_ACCELERATOR_IDS = {"1ac1:089a"}
_ACCELERATOR_VENDORS = {"hailo", "axera", "deepx", "habana", "tenstorrent"}
_NPU_NAME = re.compile(r"neural processing unit|\bNPU\b|AMD IPU", re.IGNORECASE)
# One id for several chips, told apart by the vendor's tool only: the name that pci.ids gives would be a guess.
_AMBIGUOUS_NAMES = {"1e60:2864"}
_PASSED_THROUGH = {"vfio-pci", "pci-stub", "xen-pciback"}


@dataclass(frozen=True, kw_only=True, slots=True)
class PciFunction:
    """One function. `class_code` has four hexadecimal digits; `driver` "" means seen to have none, None not seen."""

    address: str | None
    id: str | None = None
    class_code: str | None = None
    revision: str | None = None
    driver: str | None = None
    name: str | None = None
    vendor: str | None = None


def read_bus(host: HostAccess) -> dict[str, dict[str, str]]:
    """address -> raw texts. One small file for each function (`uevent`); the older single files only where it is missing."""
    found: dict[str, dict[str, str]] = {}
    for address in host.list_dir(BUS):
        folder = f"{BUS}/{address}"
        raw = {"uevent": host.read_text(f"{folder}/uevent") or ""}
        if "PCI_ID=" not in raw["uevent"]:
            raw |= {name: host.read_text(f"{folder}/{name}") or "" for name in ("vendor", "device", "class")}
        if "DRIVER=" not in raw["uevent"]:
            raw["driver"] = (host.read_link(f"{folder}/driver") or "").rsplit("/", 1)[-1]
        found[address] = raw
    return found


def functions(raw: Any) -> list[PciFunction]:
    """What `read_bus` returned, parsed."""
    if not isinstance(raw, Mapping):
        return []
    return [_function(address, texts) for address, texts in raw.items() if isinstance(texts, Mapping)]


def _function(address: str, texts: Mapping[str, str]) -> PciFunction:
    uevent = dict(line.split("=", 1) for line in clean(texts.get("uevent")).splitlines() if "=" in line)
    vendor, _, device = uevent.get("PCI_ID", "").partition(":")
    vendor, device = vendor or clean(texts.get("vendor")).strip(), device or clean(texts.get("device")).strip()
    code = re.sub(r"^0x", "", uevent.get("PCI_CLASS") or clean(texts.get("class")).strip()).rjust(6, "0")
    return PciFunction(
        address=pci_address(uevent.get("PCI_SLOT_NAME") or address),
        id=pci_id(vendor, device),
        class_code=code[:4].lower() if re.fullmatch(r"[0-9a-fA-F]{6}", code) and code != "000000" else None,
        driver=uevent.get("DRIVER") or texts.get("driver", ""),
    )


def kind_of(function: PciFunction) -> str | None:
    """gpu, npu, accelerator, or None for everything else."""
    code = function.class_code or ""
    vendor = vendor_of(function)
    if function.id in _NPU_IDS or function.driver in _NPU_DRIVERS or (not function.id and _NPU_NAME.search(function.name or "")):
        return "npu"
    if function.id in _ACCELERATOR_IDS or (vendor in _ACCELERATOR_VENDORS and not code.startswith("06")):
        return "accelerator"
    if code.startswith("03"):
        return None if _computes_nothing(function) else "gpu"
    if code == "1200":
        if vendor == "amd":  # AMD's large accelerators are GPUs that drive no display
            return "gpu"
        return "npu" if vendor == "intel" and _part_of_processor(function) else "accelerator"
    return None


def _computes_nothing(function: PciFunction) -> bool:
    if function.id:
        return function.id.split(":")[0] in _NO_COMPUTE
    return function.vendor is None


def vendor_of(function: PciFunction) -> str | None:
    return VENDORS.get(function.id.split(":")[0]) if function.id else function.vendor


def _part_of_processor(function: PciFunction) -> bool:
    return function.address is not None and function.address.startswith("0000:00:")


def memory_kind_of(function: PciFunction, kind: str) -> str | None:
    """Only what the bus shows: NPUs sit in processors; Intel's integrated GPU is 00:02.0, its cards are on other buses."""
    if kind == "npu":
        return "shared"
    if kind != "gpu" or vendor_of(function) != "intel" or not function.address:
        return None
    if function.address == "0000:00:02.0":
        return "shared"
    return None if _part_of_processor(function) else "dedicated"


def device_of(function: PciFunction, index: int = 0) -> Device | None:
    """The function as a Device, None when it computes nothing."""
    kind = kind_of(function)
    if kind is None:
        return None
    return Device(
        id=f"{kind}@{function.address or f'pci:{index}'}",
        kind=kind,
        vendor=vendor_of(function),
        name=None if function.id in _AMBIGUOUS_NAMES else function.name,
        identifiers=drop_unknown({"pci": function.id}),
        memory_kind=memory_kind_of(function, kind),
        driver=function.driver or None,
        attributes=drop_unknown(
            {"pci_address": function.address, "pci_class": function.class_code, "pci_revision": function.revision}
        )
        | usability(function.driver),
    )


def usability(driver: str | None) -> dict[str, Any]:
    """{} when nothing speaks against it; `usable` False with `why_unusable` when it was seen that no driver serves it."""
    if driver == "":
        return {"usable": False, "why_unusable": "no kernel driver is bound to it"}
    if driver in _PASSED_THROUGH:
        return {"usable": False, "why_unusable": f"held by {driver} for a virtual machine"}
    return {}
