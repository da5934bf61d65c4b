"""The processor as Linux and Android show it: /proc/cpuinfo joined with /sys/devices/system/cpu.

The text alone is enough for names, features and counts that it states; the tree adds cores, caches, clocks and kinds.
A fact that neither tells is left out: nothing is taken from the machine that reads.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from probes.cpu_linux import cpuinfo as text
from probes.cpu_linux import kinds, tree
from probes.cpu_linux.arm_cores import IMPLEMENTERS, core_name, part_id
from probes.cpu_linux.cpuinfo import CpuInfo, parse_cpuinfo
from recommender.domain.fingerprint import Cores, Device, Observation
from recommender.ports import PROBE_API, HostAccess

__all__ = ["api", "name", "parse", "parse_cpuinfo", "platforms", "read", "volatile"]

name = "cpu_linux"
api = PROBE_API
volatile = False
platforms = ("linux", "android")

_PROCESSOR = re.compile(r"^processor\s*:\s*(\d{1,5})\s*$", re.MULTILINE)
_ONE_SOCKET_IS_A_CLUSTER = ("aarch64", "armv7l", "armv6l")  # their package ids name clusters unless memory nodes say otherwise


def read(host: HostAccess) -> dict[str, Any] | None:
    """`cpuinfo`: the text. `files`: those of /sys that are there, by path."""
    cpuinfo = host.read_text("/proc/cpuinfo") or ""
    described = frozenset(int(number) for number in _PROCESSOR.findall(cpuinfo))
    files = tree.read_tree(host, described)
    return {"cpuinfo": cpuinfo, "files": files} if cpuinfo.strip() or files else None


def parse(raw: dict[str, Any]) -> Observation:
    """One device `cpu0` and the host's architecture; either is left out when nothing tells of it."""
    info, files = parse_cpuinfo(raw.get("cpuinfo") or ""), raw.get("files") or {}
    found = tree.cpus(files)
    if not found and not info.processors and not text.features(info) and not info.first("model name", "CPU part", "# processors"):
        return Observation()
    architecture = text.architecture(info, files.get("/sys/kernel/cpu_byteorder"))
    parts = _parts(info, files)
    clusters, split = _clusters(info, files, found, parts)
    device = Device(
        id="cpu0",
        kind="cpu",
        vendor=IMPLEMENTERS.get(clusters[-1].part[0]) if clusters and clusters[-1].part else text.vendor(info),
        name=_name(info, clusters),
        identifiers=_identifiers(info, clusters, found),
        features=text.features(info),
        cores=_cores(info, found, split),
        caches=tree.caches(files),
        attributes=_attributes(info, files, found, clusters, architecture),
    )
    return Observation(devices=(device,), host={"architecture": architecture} if architecture else {})


def _parts(info: CpuInfo, files: Mapping[str, str]) -> dict[int, kinds.Part]:
    """Core designs by processor: the text's, and the tree's for processors that the text leaves out."""
    parts = text.arm_parts(info)
    for path, value in files.items():
        match = re.fullmatch(rf"{tree.CPU}/cpu(\d+)/regs/identification/midr_el1", path)
        if match and int(match[1]) not in parts and (part := tree.parse_midr(value)):
            parts[int(match[1])] = part
    return parts


def _clusters(
    info: CpuInfo, files: Mapping[str, str], found: tuple[tree.Cpu, ...], parts: Mapping[int, kinds.Part]
) -> tuple[tuple[kinds.Cluster, ...], kinds.Kinds]:
    if parts:
        clusters = kinds.arm_clusters(parts, found)
        return clusters, kinds.arm_kinds(clusters, found)
    split = kinds.x86_kinds(files, found) if info.first("vendor_id") else kinds.Kinds()
    return kinds.x86_clusters(split, found, text.model_name(info) or info.first("uarch")), split


def _name(info: CpuInfo, clusters: tuple[kinds.Cluster, ...]) -> str | None:
    """Arm: what the cores are, small to big. Others: the marketing name, or RISC-V's design."""
    if not clusters or not clusters[0].part:
        return text.model_name(info) or info.first("uarch")
    counts: Counter[kinds.Part] = Counter()
    for cluster in clusters:
        counts[cluster.part or (0, 0)] += len(cluster.numbers)
    return " + ".join(f"{count}x {core_name(part) or part_id(part)}" for part, count in counts.items())


def _identifiers(info: CpuInfo, clusters: tuple[kinds.Cluster, ...], found: tuple[tree.Cpu, ...]) -> dict[str, str]:
    """`part` names all designs of the chip, so it is left out when one of them is not known."""
    covered = {number for cluster in clusters for number in cluster.numbers}
    parts = list(dict.fromkeys(part_id(cluster.part) for cluster in clusters if cluster.part))
    told = {"part": "+".join(parts) if all(cpu.number in covered for cpu in found) else None, "cpuid": text.cpuid(info)}
    return {key: value for key, value in told.items() if value}


def _cores(info: CpuInfo, found: tuple[tree.Cpu, ...], split: kinds.Kinds) -> Cores:
    _, physical, logical = text.counts(info)
    counted = tree.physical_cores(frozenset(cpu.number for cpu in found), found)
    return Cores(
        physical=counted or physical,
        logical=len(found) or logical,
        performance=split.count("performance", found),
        efficiency=split.count("efficiency", found),
    )


def _attributes(
    info: CpuInfo,
    files: Mapping[str, str],
    found: tuple[tree.Cpu, ...],
    clusters: tuple[kinds.Cluster, ...],
    architecture: str | None,
) -> dict[str, Any]:
    """Facts by name; those that are not known are left out. max_hz in Hz, offline_cpus the numbers of CPUs that are off."""
    offline = tree.offline_cpus(files)
    told = {
        "clusters": [cluster.row(found) for cluster in clusters] or None,
        "numa_nodes": tree.numa_nodes(files),
        "sockets": _sockets(info, files, found, architecture),
        "max_hz": max((cpu.max_hz or 0 for cpu in found), default=0) or None,
        "offline_cpus": None if offline is None else list(offline),
        "smt": _smt(info, files, found),
        "isa": info.first("isa", "hart isa") if (architecture or "").startswith("riscv") else None,
        "uarch": info.first("uarch"),
        "cpu_model_name": text.model_name(info) or info.first("Processor"),
        "hardware_line": info.first("Hardware"),
    }
    return {key: value for key, value in told.items() if value is not None}


def _sockets(info: CpuInfo, files: Mapping[str, str], found: tuple[tree.Cpu, ...], architecture: str | None) -> int | None:
    packages = {cpu.package for cpu in found}
    counted = len(packages) if packages and None not in packages else None
    if counted and counted > 1 and architecture in _ONE_SOCKET_IS_A_CLUSTER and counted > (tree.numa_nodes(files) or 0):
        return None
    return counted or text.counts(info)[0]


def _smt(info: CpuInfo, files: Mapping[str, str], found: tuple[tree.Cpu, ...]) -> bool | None:
    told = tree.smt(files, found)
    _, physical, logical = text.counts(info)
    if told is not None or found or not physical or not logical:
        return told
    return logical > physical
