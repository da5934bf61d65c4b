"""Macs: chip, cores of each kind, GPU and its cores, Neural Engine, unified memory; Intel Macs and virtual Macs too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from probes.apple_features import features_of
from probes.apple_text import Report, core_counts, read_report
from probes.printed import first, integer, texts_of, without_none
from recommender.domain.fingerprint import Cache, Cores, Device, HostMemory, Observation
from recommender.ports import PROBE_API, HostAccess

name = "apple_silicon"
api = PROBE_API
volatile = False
platforms = ("macos",)

_COMMANDS = {
    "sysctl": ("sysctl", "hw", "machdep.cpu", "kern.osproductversion", "kern.hv_vmm_present", "iogpu"),
    "sw_vers": ("sw_vers",),
    "system_profiler": ("system_profiler", "-json", "SPHardwareDataType", "SPDisplaysDataType", "SPMemoryDataType"),
}
_CLASSES = (
    ("macbook", "laptop"),
    ("mac pro", "workstation"),
    ("macpro", "workstation"),
    ("mac mini", "desktop"),
    ("macmini", "desktop"),
    ("mac studio", "desktop"),
    ("imac", "desktop"),
    ("xserve", "server"),
)
_VENDORS = {"0x106b": "apple", "0x1002": "amd", "0x10de": "nvidia", "0x8086": "intel"}
_HYPERVISORS = (("vmware", "vmware"), ("parallels", "parallels"), ("virtualbox", "virtualbox"), ("qemu", "qemu"))


def read(host: HostAccess) -> dict[str, Any] | None:
    """Outputs by command name; None on other systems."""
    if host.platform().os not in ("macos", None):
        return None
    raw = {key: host.run(argv, timeout=15.0).stdout for key, argv in _COMMANDS.items()}
    return {key: text for key, text in raw.items() if text.strip()} or None


def parse(raw: dict[str, Any]) -> Observation:
    """Facts of a Mac from any of the outputs; each text is recognised by what it says, not by its name."""
    report = _merged([read_report(text) for _, text in texts_of(raw)])
    if not any((report.sysctl, report.hardware, report.memory, report.software, report.graphics)):
        return Observation()
    chip = _chip(report)
    virtualization = _virtualization(report)
    is_apple = _is_apple_silicon(report, chip)
    soc = _soc(chip) if is_apple else None
    devices = [*_cpu(report, chip, soc, is_apple), *_gpus(report, soc, virtualization is not None and virtualization != "none")]
    if soc and virtualization in (None, "none"):  # every Apple chip of this line has one; a virtual Mac is not given it
        devices.append(
            Device(
                id="npu0", kind="npu", vendor="apple", name="Apple Neural Engine", identifiers={"soc": soc}, memory_kind="unified"
            )
        )
    return Observation(
        devices=tuple(devices), host=_host(report, soc, is_apple, virtualization), memory=_memory(report, is_apple)
    )


def _merged(reports: list[Report]) -> Report:
    sysctl: dict[str, str] = {}
    hardware: dict[str, Any] = {}
    memory: dict[str, Any] = {}
    software: dict[str, str] = {}
    graphics: tuple[Mapping[str, Any], ...] = ()
    for report in reports:
        sysctl, hardware = {**report.sysctl, **sysctl}, {**report.hardware, **hardware}
        memory, software = {**report.memory, **memory}, {**report.software, **software}
        graphics = graphics or report.graphics
    return Report(sysctl=sysctl, hardware=hardware, memory=memory, software=software, graphics=graphics)


def _chip(report: Report) -> str | None:
    """The processor's name; a graphics-only report names the chip by its GPU."""
    named = next((str(gpu["name"]) for gpu in report.graphics if re.match(r"Apple [MA]\d", str(gpu.get("name", "")))), None)
    return first(report.sysctl.get("machdep.cpu.brand_string"), report.hardware.get("chip"), named)


def _soc(chip: str | None) -> str | None:
    plain = re.sub(r"\s*\(.*?\)\s*$", "", chip or "").strip()
    return plain if re.match(r"Apple [A-Z]\d", plain) else None


def _is_apple_silicon(report: Report, chip: str | None) -> bool:
    return bool(
        report.sysctl.get("hw.optional.arm64") == "1"
        or report.sysctl.get("hw.cputype") == "16777228"
        or (chip or "").startswith(("Apple", "VirtualApple"))
    )


def _virtualization(report: Report) -> str | None:
    """`apple` for Apple's own framework, another hypervisor by its name, `none` where the kernel says so, None when untold."""
    told = f"{report.hardware.get('model', '')} {report.sysctl.get('hw.model', '')} {report.hardware.get('chip', '')}".lower()
    named = next((value for word, value in _HYPERVISORS if word in told), None)
    if named:
        return named
    flag = report.sysctl.get("kern.hv_vmm_present")
    if "virtual" in told or flag == "1":
        return "apple" if "virtual" in told or report.sysctl.get("hw.optional.arm64") == "1" else "vm-other"
    return "none" if flag == "0" else None


def _host(report: Report, soc: str | None, is_apple: bool, virtualization: str | None) -> dict[str, Any]:
    model = first(report.hardware.get("model"), report.sysctl.get("hw.model"))
    x86 = report.sysctl.get("machdep.cpu.vendor") or str(report.hardware.get("chip", "")).count("Intel")
    told = f"{report.hardware.get('model_name', '')} {model or ''}".lower()
    class_ = next((value for word, value in _CLASSES if word in told), None)
    return without_none(
        {
            "os": "macos",
            "os_version": first(report.sysctl.get("kern.osproductversion"), report.software.get("os_version")),
            "architecture": "aarch64" if is_apple else ("x86_64" if x86 else None),
            "machine_vendor": "Apple",
            "machine_model": model,
            "machine_class": "server" if virtualization not in (None, "none") else class_,
            "soc": soc,
            "virtualization": virtualization,
        }
    )


def _memory(report: Report, is_apple: bool) -> HostMemory | None:
    total = first(integer(report.sysctl.get("hw.memsize")), report.hardware.get("memory"), report.memory.get("total"))
    kind = report.memory.get("kind")
    return HostMemory(total=total, kind=kind) if total or kind else None


def _cpu(report: Report, chip: str | None, soc: str | None, is_apple: bool) -> list[Device]:
    if not report.sysctl and not report.hardware:
        return []
    cores = _cores(report)
    if chip is None and cores is None:
        return []
    vendor = (
        "apple"
        if is_apple
        else ("intel" if re.search("Intel", f"{chip} {report.sysctl.get('machdep.cpu.vendor', '')}") else None)
    )
    identifiers = without_none({"soc": soc, "cpuid": _cpuid(report.sysctl), "model": report.hardware.get("model")})
    label = re.sub(r"\s*\(Virtual\)$", "", chip) if chip else None
    return [
        Device(
            id="cpu0",
            kind="cpu",
            vendor=vendor,
            name=label,
            identifiers=identifiers,
            features=features_of(report.sysctl),
            cores=cores,
            caches=_caches(report.sysctl),
            memory_kind="unified" if is_apple else None,
        )
    ]


def _cores(report: Report) -> Cores | None:
    table = report.sysctl
    counts = core_counts(report.hardware.get("cores")) if "cores" in report.hardware else {}
    physical = first(
        *(integer(table.get(key)) for key in ("hw.physicalcpu_max", "hw.physicalcpu", "machdep.cpu.core_count")),
        counts.get("total"),
    )
    logical = first(
        *(integer(table.get(key)) for key in ("hw.logicalcpu_max", "hw.logicalcpu", "hw.ncpu", "machdep.cpu.thread_count"))
    )
    fast, slow = _levels(table)
    if physical is None and logical is None and fast is None:
        return None
    return Cores(
        physical=physical,
        logical=logical,
        performance=first(fast, counts.get("performance")),
        efficiency=first(slow, counts.get("efficiency")),
    )


def _levels(table: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Cores of the fast kinds and of the slow kind. Levels are numbered from the fastest; where they are named, only the one
    that is called Efficiency is slow (some chips have two fast kinds and none that is slow)."""
    counts = {
        level: integer(table.get(f"hw.perflevel{level}.physicalcpu_max", table.get(f"hw.perflevel{level}.physicalcpu")))
        for level in range(4)
    }
    found = {level: count for level, count in counts.items() if count is not None}
    if not found:
        return None, None
    names = {level: table.get(f"hw.perflevel{level}.name", "") for level in found}
    slow = {level for level in found if names[level].lower().startswith("eff")}
    if not any(names.values()) and len(found) > 1:
        slow = {max(found)}
    return sum(count for level, count in found.items() if level not in slow), sum(found[level] for level in slow)


def _cpuid(table: Mapping[str, str]) -> str | None:
    parts = [table.get(f"machdep.cpu.{key}") for key in ("vendor", "family", "model", "stepping")]
    return ":".join(part for part in parts if part) if all(parts) else None


def _caches(table: Mapping[str, str]) -> tuple[Cache, ...]:
    """One entry a kind of core and level; without levels the sizes hold for every core (L3: for the package)."""
    kinds = (
        ("l1dcachesize", 1, "data"),
        ("l1icachesize", 1, "instruction"),
        ("l2cachesize", 2, "unified"),
        ("l3cachesize", 3, "unified"),
    )
    prefixes = [f"hw.perflevel{level}." for level in range(4) if f"hw.perflevel{level}.l1dcachesize" in table] or ["hw."]
    found = []
    for prefix in prefixes:
        cores = integer(table.get(f"{prefix}physicalcpu"))
        for key, level, type_ in kinds:
            size = integer(table.get(prefix + key))
            if size:
                share = {1: 1, 2: integer(table.get(f"{prefix}cpusperl2")) or 1, 3: cores}[level]
                found.append(Cache(level=level, type=type_, size=size, instances=cores // share if cores and share else None))
    return tuple(found)


def _gpus(report: Report, soc: str | None, is_virtual: bool) -> list[Device]:
    printed = [gpu for gpu in report.graphics if gpu.get("name")]
    if printed:
        return [_gpu(index, gpu, soc, report.sysctl) for index, gpu in enumerate(printed)]
    if soc and not is_virtual:  # the chip holds its GPU; how many of its cores are on was not told
        return [_gpu(0, {"name": soc, "vendor": "Apple (0x106b)"}, soc, report.sysctl)]
    return []


def _gpu(index: int, gpu: Mapping[str, Any], soc: str | None, table: Mapping[str, str]) -> Device:
    vendor = _gpu_vendor(gpu)
    is_apple = vendor == "apple"
    code = re.search(r"0x([0-9a-f]{4})", f"{gpu.get('vendor_id', '')} {gpu.get('vendor', '')}", re.IGNORECASE)
    vendor_id = code[1].lower() if code else next((key[2:] for key, value in _VENDORS.items() if value == vendor), None)
    device_id = integer(gpu.get("device_id"))
    limit = integer(table.get("iogpu.wired_limit_mb"))
    return Device(
        id=f"gpu{index}",
        kind="gpu",
        vendor=vendor,
        name=str(gpu["name"]),
        identifiers=without_none(
            {
                "soc": soc if is_apple else None,
                "gpu_cores": str(gpu["cores"]) if gpu.get("cores") else None,
                "pci": f"{vendor_id}:{device_id:04x}" if vendor_id and device_id and not is_apple else None,
            }
        ),
        memory_kind="unified"
        if is_apple
        else ("shared" if gpu.get("shared_memory") else ("dedicated" if gpu.get("memory") else None)),
        memory_total=None if is_apple or gpu.get("shared_memory") else gpu.get("memory"),
        attributes=without_none(
            {
                "metal": gpu.get("metal"),
                "metal_family": gpu.get("metal_family"),
                "memory_shared": gpu.get("shared_memory"),
                "wired_limit": limit * 2**20 if limit and is_apple else None,
            }
        ),
    )


def _gpu_vendor(gpu: Mapping[str, Any]) -> str | None:
    told = f"{gpu.get('vendor', '')} {gpu.get('vendor_id', '')} {gpu['name']}".lower()
    by_code = next((vendor for code, vendor in _VENDORS.items() if code in told), None)
    return by_code or next(
        (vendor for vendor in ("apple", "amd", "nvidia", "intel") if vendor in told), "amd" if "radeon" in told else None
    )
