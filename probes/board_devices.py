"""What was told of a board -> devices, host facts and memory. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from probes.device_tree import chip_of, chip_vendor, compatibles, maker_of
from probes.jetson import module_name, module_part
from probes.printed import first, integer, without_none
from probes.sbc_bench import SbcReport
from probes.snapdragon_names import adreno_of, soc_of
from recommender.domain.fingerprint import Cores, Device, HostMemory

DMI_KEYS = ("sys_vendor", "product_name", "product_family", "board_vendor", "board_name", "chassis_type")
_CHASSIS = {
    "laptop": {8, 9, 10, 14, 31, 32},
    "tablet": {11, 30},
    "desktop": {3, 4, 5, 6, 7, 13, 15, 16, 24, 35, 36},
    "server": {17, 23, 25, 28, 29},
}
_BOARD_MAKERS = {
    "Raspberry Pi",
    "Radxa",
    "Xunlong",
    "Hardkernel",
    "FriendlyElec",
    "Khadas",
    "Pine64",
    "Libre Computer",
    "Banana Pi",
    "BeagleBoard",
    "Milk-V",
    "Firefly",
    "ASUS",
}
# Maker in a GPU's or NPU's compatible string -> vendor and name.
_UNITS = {
    "arm": ("arm", "Mali"),
    "brcm": ("broadcom", "VideoCore"),
    "img": ("imagination", "PowerVR"),
    "vivante": ("vivante", "Vivante GC"),
    "rockchip": ("rockchip", "Rockchip NPU"),
    "qcom": ("qualcomm", "Adreno"),
    "nvidia": ("nvidia", None),
    "apple": ("apple", None),
}
_UNIT_DESIGNERS = ("arm", "img", "vivante")


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Everything that the sources of one board told; empty where they did not. `nodes`: device-tree node -> compatible text."""

    model: str | None = None
    compatible: tuple[str, ...] = ()
    part: str | None = None
    l4t: str | None = None
    rknpu: str | None = None
    kernel: str | None = None
    report: SbcReport | None = None
    dmi: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, str] = field(default_factory=dict)
    power: Mapping[str, Any] = field(default_factory=dict)
    tegrastats: Mapping[str, Any] = field(default_factory=dict)

    def joined(self, other: Facts) -> Facts:
        """Both; where both tell the same thing, the first word stands."""
        values: dict[str, Any] = {}
        for item in fields(self):
            mine, theirs = getattr(self, item.name), getattr(other, item.name)
            values[item.name] = {**theirs, **mine} if isinstance(mine, Mapping) else (mine or theirs)
        return Facts(**values)


def chassis_class(code: str | None) -> str | None:
    """SMBIOS chassis type -> class of machine."""
    number = integer(code)
    return next((kind for kind, codes in _CHASSIS.items() if number in codes), None)


def soc_of_board(facts: Facts) -> str | None:
    """The chip: a code in the firmware's processor fields, then the device tree, then a code that a report guesses."""
    report = facts.report
    if report:
        told = first(*(soc_of(text) for text in (report.smbios_family, report.cpu_version) if text))
        if told:
            return str(told)
    return first(chip_of(facts.compatible), report.guess if report else None)


def host_of(facts: Facts) -> dict[str, Any]:
    """Host facts. Descriptive texts name the machine; what module is in it is told by the part number alone."""
    report, part = facts.report, _part(facts)
    maker = first(
        facts.dmi.get("sys_vendor"), report.maker if report else None, maker_of(facts.compatible), facts.dmi.get("board_vendor")
    )
    model = first(facts.model, facts.dmi.get("product_name"), report.model if report else None)
    return without_none(
        {
            "os": "linux",
            "machine_vendor": maker,
            "machine_model": model,
            "machine_class": _class(facts, str(model or "")),
            "board": first(part, facts.compatible[0] if facts.compatible else None, facts.dmi.get("board_name")),
            "soc": soc_of_board(facts),
            "kernel": first(facts.kernel, report.kernel if report else None),
            "architecture": _architecture(report),
            "module": module_name(part),
            "l4t_version": facts.l4t,
        }
    )


def memory_of(facts: Facts) -> HostMemory | None:
    """Bytes of main memory as the kernel sees it (less than is soldered on)."""
    line = facts.tegrastats
    total = first(line.get("memory_total"), facts.report.memory if facts.report else None, integer(facts.dmi.get("local_memory")))
    if total is None:
        return None
    return HostMemory(total=total, available=line["memory_total"] - line["memory_used"] if line else None)


def devices_of(facts: Facts) -> tuple[Device, ...]:
    """cpu where something is known of it, then gpu and npu that the sources show."""
    soc = soc_of_board(facts)
    found = [*_processor(facts, soc), *_tree_units(facts, soc)]
    if _is_jetson(facts):
        found = [device for device in found if device.kind != "gpu"] + [_jetson_gpu(facts, soc)]
    if facts.rknpu and not any(device.kind == "npu" for device in found):
        found.append(_npu("rockchip", "Rockchip NPU", facts, soc))
    return tuple(found)


def _part(facts: Facts) -> str | None:
    return facts.part or module_part(" ".join(facts.compatible))


def _is_jetson(facts: Facts) -> bool:
    return bool(facts.l4t or facts.tegrastats or facts.power or _part(facts) or (soc_of_board(facts) or "").startswith("TEGRA"))


def _class(facts: Facts, model: str) -> str | None:
    if _is_jetson(facts) or re.search(r"Compute Module", model):
        return "module"
    chassis = chassis_class(facts.dmi.get("chassis_type"))
    if chassis:
        return chassis
    maker = maker_of(facts.compatible) or (facts.report.maker if facts.report else None) or ""
    return "sbc" if any(maker.startswith(name) for name in _BOARD_MAKERS) else None


def _architecture(report: SbcReport | None) -> str | None:
    return report.architecture if report else None


def _processor(facts: Facts, soc: str | None) -> list[Device]:
    report, line = facts.report, facts.tegrastats
    cores = report.cores if report else None
    if cores is None and line.get("cpus"):
        cores = Cores(logical=line["cpus"])
    if cores is None and "pus" in facts.dmi:
        cores = Cores(logical=int(facts.dmi["pus"]))
    identifiers = without_none({"soc": soc, "board": _part(facts)})
    if not identifiers and cores is None:
        return []
    types = report.core_types if report else ()
    return [
        Device(
            id="cpu0",
            kind="cpu",
            vendor="arm" if any(type_.startswith("Cortex") for type_ in types) else None,
            name=" + ".join(types) or None,
            identifiers=identifiers,
            cores=cores,
            features=report.features if report else (),
            caches=report.caches if report else (),
            memory_kind="unified" if soc or line else None,
            attributes=without_none({"clusters": report.clusters if report else None, "cpus_online": line.get("cpus_online")}),
        )
    ]


def _jetson_gpu(facts: Facts, soc: str | None) -> Device:
    """Every Jetson module has one; its name is the module's, by part number."""
    part = _part(facts)
    is_super = any("-super" in entry for entry in facts.compatible)
    clocks = facts.tegrastats.get("gpu_clocks") or []
    return Device(
        id="gpu0",
        kind="gpu",
        vendor="nvidia",
        name=f"NVIDIA {module_name(part)}" if module_name(part) else None,
        identifiers=without_none({"soc": soc, "board": part}),
        memory_kind="unified",
        attributes=without_none(
            {
                "l4t": facts.l4t,
                "power_mode": facts.power.get("profile"),
                "default_power_mode": facts.power.get("default_mode"),
                "power_modes": facts.power.get("modes"),
                "is_super": True if is_super else None,
                "clock": max(clocks) if clocks else None,
            }
        ),
    )


def _tree_units(facts: Facts, soc: str | None) -> list[Device]:
    """GPU and NPU nodes of the device tree; several nodes of one unit (cores of an NPU) are one device."""
    found: dict[str, Device] = {}
    for node, text in sorted(facts.nodes.items()):
        entries = compatibles(text)
        kind = "npu" if node.startswith(("npu", "rknpu")) else ("gpu" if node.startswith(("gpu", "v3d")) else None)
        if kind is None or kind in found or not entries:
            continue
        makers = [entry.partition(",")[0] for entry in entries]
        maker = next(
            (maker for maker in makers if maker in _UNIT_DESIGNERS), makers[0]
        )  # a chip maker may stand before the designer
        vendor, label = _UNITS.get(maker, (maker, None))
        if kind == "npu":
            found[kind] = _npu(
                chip_vendor(facts.compatible) or vendor, "Rockchip NPU" if vendor == "rockchip" else None, facts, soc
            )
        else:
            found[kind] = Device(
                id="gpu0",
                kind="gpu",
                vendor=vendor,
                name=adreno_of(text) or label,
                identifiers={"soc": soc} if soc else {},
                memory_kind="unified",
            )
    return list(found.values())


def _npu(vendor: str, label: str | None, facts: Facts, soc: str | None) -> Device:
    return Device(
        id="npu0",
        kind="npu",
        vendor=vendor,
        name=label,
        identifiers={"soc": soc} if soc else {},
        memory_kind="unified",
        driver="rknpu" if facts.rknpu else None,
        driver_version=facts.rknpu,
    )
