"""Records of Windows tools -> facts of the machine: maker, model, class, system version, hypervisor, memory. Pure."""

from __future__ import annotations

import re
from typing import Any

from probes.printed import first, integer, known, size_in_bytes, without_none
from probes.windows_devices import name_of, section_of
from probes.windows_names import hypervisor_of
from probes.windows_text import Record
from recommender.domain.fingerprint import HostMemory

_ARCHITECTURES = {"0": "x86", "5": "armv7l", "9": "x86_64", "12": "aarch64"}
_CHASSIS = {
    "laptop": {8, 9, 10, 14, 31, 32},
    "tablet": {11, 30},
    "desktop": {3, 4, 5, 6, 7, 13, 15, 16, 24, 35, 36},
    "server": {17, 23, 25, 28, 29},
}
_SYSTEM_TYPES = {"1": "desktop", "2": "laptop", "3": "workstation", "4": "server", "5": "server", "7": "server", "8": "tablet"}
_MEMORY_TYPES = {
    "20": "DDR",
    "21": "DDR2",
    "24": "DDR3",
    "26": "DDR4",
    "27": "LPDDR",
    "28": "LPDDR2",
    "29": "LPDDR3",
    "30": "LPDDR4",
    "34": "DDR5",
    "35": "LPDDR5",
}


def host_memory(records: list[Record]) -> HostMemory | None:
    """Installed memory: what the system counts, else the modules added up."""
    values: dict[str, int | None] = {}
    modules = [record for record in records if "smbiosmemorytype" in record or "capacity" in record]
    for record in records:
        values["total"] = first(
            values.get("total"),
            size_in_bytes(record.get("totalphysicalmemory")),
            size_in_bytes(record.get("totalvisiblememorysize"), "k"),
            size_in_bytes(record.get("installedphysicalmemoryram")),
            size_in_bytes(record.get("systemmemorygb"), "g"),
            size_in_bytes(record.get("memory")),
        )
        values["available"] = first(
            values.get("available"),
            size_in_bytes(record.get("availablephysicalmemory")),
            size_in_bytes(record.get("freephysicalmemory"), "k"),
        )
    total = first(values.get("total"), sum(integer(record.get("capacity")) or 0 for record in modules) or None)
    kind = next(
        (_MEMORY_TYPES[code] for record in modules if (code := str(record.get("smbiosmemorytype"))) in _MEMORY_TYPES), None
    )
    return HostMemory(total=total, available=values.get("available"), kind=kind) if total or kind else None


def host_facts(records: list[Record]) -> dict[str, Any]:
    """Maker, model, class, version, architecture and hypervisor, as far as the records tell."""

    def told(*keys: str) -> str | None:
        return first(*(known(record.get(key)) for key in keys for record in records if record.get(key) not in (None, "")))

    adapters = " ".join(name_of(record) or "" for record in records if section_of(record) == "gpu")
    system = [record for record in records if section_of(record) is None]
    maker = told("systemmanufacturer") or next(
        (known(r.get("manufacturer")) for r in system if "model" in r or "totalphysicalmemory" in r), None
    )
    model = told("systemmodel") or next(
        (known(r.get("model")) for r in system if "manufacturer" in r or "totalphysicalmemory" in r), None
    )
    hypervisor = hypervisor_of(f"{maker or ''} {model or ''} {adapters}") or (
        "vm-other" if has_fewer_cores_than_named(records) else None
    )
    if hypervisor is None and any(record.get("hypervisorpresent") is False for record in records):
        hypervisor = "none"
    return without_none(
        {
            "os_version": _os_version(records),
            "architecture": _architecture(records),
            "machine_vendor": maker,
            "machine_model": model,
            "machine_class": "server" if hypervisor not in (None, "none") else _class(records),
            "virtualization": hypervisor,
        }
    )


def has_fewer_cores_than_named(records: list[Record]) -> bool:
    """A processor sold as `16-Core` of which a part is visible is a virtual machine's share of it."""
    for record in records:
        named = re.search(r"(\d+)-Core", name_of(record) or "") if section_of(record) == "cpu" else None
        seen = integer(record.get("numberofcores"))
        if named and seen is not None and seen < int(named[1]):
            return True
    return False


def _os_version(records: list[Record]) -> str | None:
    for record in records:
        caption = str(first(record.get("osname"), record.get("operatingsystem"), record.get("caption"), ""))
        if "Windows" not in caption and "osversion" not in record:
            continue
        told = re.search(r"\d+\.\d+\.\d+", str(first(record.get("osversion"), record.get("version"), "")))
        build = re.search(r"\((\d+\.\d+), Build (\d+)\)", caption)
        edition = re.search(r"Windows (?:Server )?(\d[\w.]*)", caption)
        return told[0] if told else (f"{build[1]}.{build[2]}" if build else (edition[1] if edition else None))
    return None


def _architecture(records: list[Record]) -> str | None:
    for record in records:
        code = _ARCHITECTURES.get(str(record.get("architecture"))) if section_of(record) == "cpu" else None
        told = f"{record.get('systemtype', '')} {record.get('osarchitecture', '')} {record.get('caption', '')}".lower()
        if code or "arm64" in told or "arm 64" in told or "armv8" in told:
            return code or "aarch64"
        if re.search(r"x64|amd64|intel64", told):
            return "x86_64"
    return None


def _class(records: list[Record]) -> str | None:
    for record in records:
        kind = _SYSTEM_TYPES.get(str(record.get("pcsystemtype")))
        if kind:
            return kind
        chassis = record.get("chassistypes")
        codes = {integer(code) for code in (chassis if isinstance(chassis, list) else re.findall(r"\d+", str(chassis or "")))}
        found = next((name for name, known_codes in _CHASSIS.items() if codes & known_codes), None)
        if found:
            return found
    return None
