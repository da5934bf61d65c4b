"""Records of Windows tools -> devices. Pure; a record that does not fit is passed over."""

from __future__ import annotations

import re
from collections.abc import Iterable

from probes.printed import first, integer, known, size_in_bytes, without_none
from probes.snapdragon_names import soc_of
from probes.windows_names import (
    CAPPED_FROM,
    adapter_memory,
    is_software,
    kind_of,
    memory_kind_of,
    pci_of,
    vendor_of,
)
from probes.windows_text import Record
from recommender.domain.fingerprint import Cache, Cores, Device

_CPU_KEYS = {
    "numberofcores",
    "numberoflogicalprocessors",
    "l2cachesize",
    "l3cachesize",
    "maxclockspeed",
    "processorid",
    "processornamestring",
}
_GPU_KEYS = {
    "adapterram",
    "videoprocessor",
    "adaptercompatibility",
    "videomodedescription",
    "cardname",
    "chiptype",
    "videoarchitecture",
}
_DISPLAY_KEYS = {"hardwareinformationqwmemorysize", "hardwareinformationadapterstring", "hardwareinformationmemorysize"}
_FAMILY = re.compile(r"\b(\w{1,16}) Family (\d+) Model (\d+) Stepping (\d+)(?:\s*,?\s*(\w+))?")


def section_of(record: Record) -> str | None:
    """cpu, gpu, npu or display (a registry entry that adds to a gpu); None for the rest."""
    told = record.get("section", "")
    if told in ("cpu", "gpu", "npu", "display"):
        return str(told)
    keys = set(record)
    class_ = str(first(record.get("creationclassname"), "")).lower()
    if keys & _DISPLAY_KEYS:
        return "display"
    if str(record.get("pnpclass", record.get("class", ""))).lower() == "computeaccelerator":
        return "npu"
    if "cardname" in keys and kind_of(str(record["cardname"])) == "npu":
        return "npu"
    if class_ == "win32_videocontroller" or keys & _GPU_KEYS:
        return "gpu"
    if class_ == "win32_processor" or keys & _CPU_KEYS or _FAMILY.match(str(record.get("caption", ""))):
        return "cpu"
    name = name_of(record)
    return kind_of(name) if name and ("pnpdeviceid" in keys or keys <= {"name", "status", "friendlyname", "deviceid"}) else None


def name_of(record: Record) -> str | None:
    """The device's name as printed, None where the record has none."""
    keys = (
        "name",
        "cardname",
        "friendlyname",
        "processornamestring",
        "driverdesc",
        "hardwareinformationadapterstring",
        "description",
        "caption",
    )
    name = first(*(known(record.get(key)) for key in keys))
    return re.sub(r"\s+", " ", str(name)) if name else None


def split_named(records: Iterable[Record]) -> list[Record]:
    """Records of `gpu_name`, `cpu_name`, `npu_name` and a `processor` line as records of their own, the others as they are."""
    found: list[Record] = []
    for record in records:
        found.append(record)
        for section in ("cpu", "gpu", "npu"):
            name = known(record.get(f"{section}name"))
            if name:
                found.append({"section": section, "name": name})
        processor = known(str(record.get("processor") or "").strip("{} "))
        if processor:  # dxdiag and msinfo32: `Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz (8 CPUs), ~2.1GHz`
            count = re.search(r"\((\d+) CPUs?\)|(\d+) Logical Processor", processor)
            cores = re.search(r"(\d+) Core\(s\)", processor)
            found.append(
                without_none(
                    {
                        "section": "cpu",
                        "name": re.split(r",|\s*\(\d+ CPU", processor)[0].strip(),
                        "numberofcores": cores[1] if cores else None,
                        "numberoflogicalprocessors": (count[1] or count[2]) if count else None,
                    }
                )
            )
    return found


def processors(records: list[Record], text: str) -> list[Device]:
    """One cpu: sockets added up. Without a record of it, what a family line of `systeminfo` tells."""
    found = [record for record in records if section_of(record) == "cpu"]
    if not found:
        lines = [match for match in _FAMILY.finditer(text) if match[5] in ("GenuineIntel", "AuthenticAMD")]
        found = [{"caption": match[0], "manufacturer": match[5]} for match in lines]
    if not found:
        return []
    record, name = found[0], next((name for name in map(name_of, found) if name and not _FAMILY.match(name)), None)
    soc = soc_of(name or "")
    return [
        Device(
            id="cpu0",
            kind="cpu",
            vendor=vendor_of(None, record.get("manufacturer"), name, record.get("caption")),
            name=name,
            identifiers=without_none({"soc": soc, "cpuid": _cpuid(record)}),
            cores=_cores(found),
            caches=_caches(record),
            attributes=without_none({"sockets": len(found) if len(found) > 1 else None}),
        )
    ]


def graphics(records: list[Record]) -> list[Device]:
    """The GPUs that compute, in the order printed; registry entries give the memory that AdapterRAM cannot hold."""
    display = [record for record in records if section_of(record) == "display"]
    adapters = [record for record in records if section_of(record) == "gpu"] or display
    found: list[Device] = []
    for record in adapters:
        device = _adapter(len(found), record, display)
        if device is not None and device not in found:
            found.append(device)
    return found


def neural(records: list[Record]) -> list[Device]:
    """Compute accelerators: the NPUs of processor makers, and cards of others."""
    found: list[Device] = []
    for record in records:
        name = name_of(record)
        if section_of(record) != "npu" or not name or is_software(name, _device_id(record)):
            continue
        pci = pci_of(_device_id(record))
        vendor = vendor_of(pci, record.get("manufacturer"), name, _device_id(record))
        soc = soc_of(name)
        kind = "accelerator" if vendor == "hailo" else "npu"
        found.append(
            Device(
                id=f"{kind}{len(found)}",
                kind=kind,
                vendor=vendor,
                name=name,
                identifiers=without_none({"pci": pci, "soc": soc}),
                memory_kind="shared" if kind == "npu" else None,
                driver_version=known(record.get("driverversion")),
            )
        )
    return found


def _adapter(index: int, record: Record, display: list[Record]) -> Device | None:
    name, device_id = name_of(record), _device_id(record)
    if not name and "adapterram" in record and "name" not in record:  # only its memory was asked for
        return _nameless_adapter(index, record)
    if not name or is_software(name, device_id):
        return None
    pci = pci_of(device_id) or _pci_of_numbers(record)
    extra = next((entry for entry in display if _same(entry, name, pci)), record)
    vendor = vendor_of(pci, record.get("adaptercompatibility"), record.get("manufacturer"), name, device_id)
    dedicated = size_in_bytes(record.get("dedicatedmemory")) if "dedicatedmemory" in record else None
    shared = size_in_bytes(record.get("sharedmemory"))
    kind = memory_kind_of(vendor, name, {"dedicated": dedicated, "shared": shared})
    total = first(_wide_size(extra), dedicated, adapter_memory(record.get("adapterram")))
    return Device(
        id=f"gpu{index}",
        kind="gpu",
        vendor=vendor,
        name=name,
        identifiers=without_none({"pci": pci, "soc": soc_of(name), "model": _chip(record)}),
        memory_kind=kind,
        memory_total=total if kind == "dedicated" or (kind is None and total) else None,
        driver_version=known(first(record.get("driverversion"), extra.get("driverversion"))),
        attributes=without_none({"memory_shared": shared, "memory_at_least": _at_least(record) if total is None else None}),
    )


def _nameless_adapter(index: int, record: Record) -> Device | None:
    memory, at_least = adapter_memory(record["adapterram"]), _at_least(record)
    if memory is None and at_least is None:
        return None
    return Device(id=f"gpu{index}", kind="gpu", memory_total=memory, attributes=without_none({"memory_at_least": at_least}))


def _at_least(record: Record) -> int | None:
    """What an AdapterRAM that ran over still tells: the memory is not smaller."""
    number = integer(record.get("adapterram"))
    return CAPPED_FROM if number is not None and number >= CAPPED_FROM else None


def _wide_size(record: Record) -> int | None:
    """The registry's 64-bit size of a display adapter's memory."""
    value = record.get("hardwareinformationqwmemorysize", record.get("qwmemorysize"))
    if isinstance(value, list):  # some drivers store it as bytes, lowest first
        value = sum((integer(byte) or 0) << 8 * place for place, byte in enumerate(value[:8]))
    size = integer(value)
    return size if size and size > 0 else None


def _same(entry: Record, name: str, pci: str | None) -> bool:
    other = pci_of(_device_id(entry))
    return other == pci if other and pci else name_of(entry) == name


def _pci_of_numbers(record: Record) -> str | None:
    """dxdiag prints `Vendor ID: 0x10DE` and `Device ID: 0x1F06`."""
    vendor, device = integer(record.get("vendorid")), integer(record.get("deviceid"))
    return f"{vendor:04x}:{device:04x}" if vendor and device and vendor <= 0xFFFF and device <= 0xFFFF else None


def _chip(record: Record) -> str | None:
    chip = known(record.get("chiptype"))
    return chip if chip and chip != name_of(record) and "chip" not in chip.lower() else None


def _device_id(record: Record) -> str:
    for key in ("pnpdeviceid", "matchingdeviceid", "instanceid", "devicekey", "hardwareid", "deviceid"):
        if record.get(key) and "\\" in str(record[key]):
            return re.sub(r"^Enum\\+", "", str(record[key]))
    return ""


def _cpuid(record: Record) -> str | None:
    for key in ("caption", "description", "identifier", "name"):
        match = _FAMILY.search(str(record.get(key, "")))
        maker = first(known(record.get("manufacturer")), known(record.get("vendoridentifier")), match[5] if match else None)
        if match and maker in ("GenuineIntel", "AuthenticAMD"):
            return f"{maker}:{match[2]}:{match[3]}:{match[4]}"
    return None


def _cores(records: list[Record]) -> Cores | None:
    def total(key: str) -> int | None:
        counts = [integer(record.get(key)) for record in records]
        return sum(count for count in counts if count) or None

    physical, logical = total("numberofcores"), total("numberoflogicalprocessors")
    return Cores(physical=physical, logical=logical) if physical or logical else None


def _caches(record: Record) -> tuple[Cache, ...]:
    """Win32_Processor gives kilobytes, all instances of a level together."""
    sizes = ((level, integer(record.get(f"l{level}cachesize"))) for level in (2, 3))
    return tuple(Cache(level=level, type="unified", size=size * 1024) for level, size in sizes if size)
