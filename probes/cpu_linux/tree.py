"""What /sys tells of the processors: which are online, their siblings, packages, clocks, capacities and caches."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from recommender.domain.fingerprint import Cache
from recommender.ports import HostAccess

CPU = "/sys/devices/system/cpu"
NODE = "/sys/devices/system/node"
KINDS = {"performance": ("cpu_core",), "efficiency": ("cpu_atom", "cpu_lowpower")}  # perf devices of hybrid x86
MAX_CPUS = 1 << 14  # a longer list is garbage
_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cpu:
    """One online logical CPU. siblings: CPUs of the same physical core. capacity: the scheduler's, 1024 for the biggest."""

    number: int
    siblings: frozenset[int] | None = None
    package: int | None = None
    capacity: int | None = None
    max_hz: int | None = None
    caches: tuple[tuple[int, str, int], ...] = ()  # (level, type, size) of the caches it uses


def read_tree(host: HostAccess, in_cpuinfo: frozenset[int]) -> dict[str, str]:
    """The files that `parse` needs, by path. `in_cpuinfo`: processors that /proc/cpuinfo already describes."""
    files: dict[str, str] = {}

    def take(*paths: str) -> str:
        """The first of the paths that holds something."""
        for path in paths:
            text = host.read_text(path)
            if text and text.strip():
                return files.setdefault(path, text)
        return ""

    for name in ("online", "present", "smt/active"):
        take(f"{CPU}/{name}")
    for device in sum(KINDS.values(), ()):
        take(f"/sys/devices/{device}/cpus")
    take("/sys/kernel/cpu_byteorder")
    for node in _numbered(host.list_dir(NODE), "node"):
        take(f"{NODE}/node{node}/cpulist", f"{NODE}/node{node}/cpumap")
    for policy in _numbered(host.list_dir(f"{CPU}/cpufreq"), "policy"):
        take(f"{CPU}/cpufreq/policy{policy}/cpuinfo_max_freq")
        take(f"{CPU}/cpufreq/policy{policy}/related_cpus")
    numbers = _numbered(host.list_dir(CPU), "cpu")
    online = parse_cpu_list(files.get(f"{CPU}/online", "")) or frozenset(numbers)
    clocked = frozenset().union(*_policies(files)) if files else frozenset()
    done: dict[str, set[int]] = {}
    for number in sorted(online.intersection(numbers)):
        base = f"{CPU}/cpu{number}"
        if number not in done.setdefault("", set()):
            done[""] |= _read_core(take, base) or {number}
        if f"{CPU}/online" not in files:
            take(f"{base}/online")
        if number not in clocked:
            take(f"{base}/cpufreq/cpuinfo_max_freq")
        if number not in in_cpuinfo:
            take(f"{base}/regs/identification/midr_el1")
        for index in host.list_dir(f"{base}/cache"):
            if index.startswith("index") and number not in done.setdefault(index, set()):
                done[index] |= _read_cache(take, f"{base}/cache/{index}", number)
    return files


def _read_core(take: Callable[..., str], base: str) -> frozenset[int]:
    """A physical core is read once: what holds for one of its threads holds for the others, which it returns."""
    siblings = take(f"{base}/topology/core_cpus_list", f"{base}/topology/thread_siblings_list")
    take(f"{base}/topology/physical_package_id")
    take(f"{base}/cpu_capacity")
    return parse_cpu_list(siblings)


def _read_cache(take: Callable[..., str], path: str, number: int) -> frozenset[int]:
    shared = parse_cpu_list(take(f"{path}/shared_cpu_list")) or frozenset({number})
    for name in ("level", "type", "size"):
        take(f"{path}/{name}")
    return shared


def _numbered(names: tuple[str, ...], prefix: str) -> list[int]:
    return sorted(int(match[1]) for name in names if (match := re.fullmatch(rf"{prefix}(\d{{1,5}})", name)))


def parse_cpu_list(text: str) -> frozenset[int]:
    """`0-3,7` or `0 1` -> {0, 1, 2, 3, 7}; empty for anything that is not a list of CPUs."""
    found: set[int] = set()
    for part in re.split(r"[,\s]+", text.strip("\0 \n")):
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", part)
        if not match:
            return frozenset()
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(found) if len(found) <= MAX_CPUS else frozenset()


def parse_size(text: str) -> int | None:
    """`48K` -> 49152 bytes; None for anything else or for nothing."""
    match = re.fullmatch(r"(\d{1,12})([KMG]?)", text.strip())
    return int(match[1]) * _SIZE_UNITS[match[2]] or None if match else None


def parse_midr(text: str) -> tuple[int, int] | None:
    """Arm's main identification register -> (implementer, part)."""
    match = re.fullmatch(r"0x([0-9a-fA-F]{8,16})", text.strip())
    value = int(match[1], 16) if match else 0
    return (value >> 24 & 0xFF, value >> 4 & 0xFFF) if value else None


def whole(text: str | None) -> int | None:
    """A whole number that is not negative, else None."""
    text = (text or "").strip()
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None


def online_cpus(files: Mapping[str, str]) -> frozenset[int]:
    """CPUs that run now; empty when the tree does not tell."""
    told = parse_cpu_list(files.get(f"{CPU}/online", ""))
    if told:
        return told
    seen = {int(match[1]) for path in files if (match := re.match(rf"{CPU}/cpu(\d+)/topology/", path))}
    return frozenset(number for number in seen if files.get(f"{CPU}/cpu{number}/online", "1").strip() != "0")


def offline_cpus(files: Mapping[str, str]) -> tuple[int, ...] | None:
    """CPUs that are there but switched off; None when the tree does not tell."""
    present, online = (parse_cpu_list(files.get(f"{CPU}/{name}", "")) for name in ("present", "online"))
    return tuple(sorted(present - online)) if present and online else None


def _policies(files: Mapping[str, str]) -> dict[frozenset[int], int]:
    """CPUs of a clock policy -> its highest clock [Hz]."""
    found = {}
    for path, text in files.items():
        khz = whole(text) if path.startswith(f"{CPU}/cpufreq/policy") and path.endswith("/cpuinfo_max_freq") else None
        if khz:
            policy = path.rpartition("/")[0]
            members = parse_cpu_list(files.get(f"{policy}/related_cpus", ""))
            found[members or frozenset({int(policy.rpartition("policy")[2])})] = khz * 1000
    return found


def cpus(files: Mapping[str, str]) -> tuple[Cpu, ...]:
    """Every online CPU with what the tree tells of it."""
    online = online_cpus(files)
    clocks = {number: hz for members, hz in _policies(files).items() for number in members}
    cores: dict[int, tuple[frozenset[int] | None, str]] = {}
    for number in sorted(online):
        base = f"{CPU}/cpu{number}"
        text = files.get(f"{base}/topology/core_cpus_list") or files.get(f"{base}/topology/thread_siblings_list", "")
        core = parse_cpu_list(text) & online
        if number in core:
            cores.update({member: (core, base) for member in core if member not in cores})
    used = _caches_by_cpu(files)
    found = []
    for number in sorted(online):
        siblings, base = cores.get(number, (None, f"{CPU}/cpu{number}"))
        own = whole(files.get(f"{CPU}/cpu{number}/cpufreq/cpuinfo_max_freq"))
        found.append(
            Cpu(
                number=number,
                siblings=siblings,
                package=whole(files.get(f"{base}/topology/physical_package_id")),
                capacity=whole(files.get(f"{base}/cpu_capacity")) or None,
                max_hz=clocks.get(number) or (own * 1000 if own else None),
                caches=tuple(sorted(used.get(number, ()))),
            )
        )
    return tuple(found)


def _cache_instances(files: Mapping[str, str]) -> dict[tuple[int, str, int], set[frozenset[int]] | None]:
    """(level, type, size) -> the sets of CPUs that share one instance; None where a sharing is not told."""
    online = online_cpus(files)
    found: dict[tuple[int, str, int], set[frozenset[int]] | None] = {}
    for path in sorted(files):
        match = re.fullmatch(rf"({CPU}/cpu(\d+)/cache/[^/]+)/size", path)
        if not match or (online and int(match[2]) not in online):
            continue
        level, size = whole(files.get(f"{match[1]}/level")), parse_size(files[path])
        kind = files.get(f"{match[1]}/type", "").strip().lower()
        if level is None or size is None or kind not in ("data", "instruction", "unified"):
            continue
        shared = parse_cpu_list(files.get(f"{match[1]}/shared_cpu_list", ""))
        known = found.setdefault((level, kind, size), set())
        if known is not None and shared:
            known.add(shared & online or shared)
        else:
            found[level, kind, size] = None
    return found


def _caches_by_cpu(files: Mapping[str, str]) -> dict[int, set[tuple[int, str, int]]]:
    used: dict[int, set[tuple[int, str, int]]] = {}
    for row, instances in _cache_instances(files).items():
        for number in frozenset().union(*(instances or ())):
            used.setdefault(number, set()).add(row)
    return used


def caches(files: Mapping[str, str]) -> tuple[Cache, ...]:
    """One row for each level, type and size."""
    return tuple(
        Cache(level=level, type=kind, size=size, instances=None if sets is None else len(sets))
        for (level, kind, size), sets in sorted(_cache_instances(files).items())
    )


def numa_nodes(files: Mapping[str, str]) -> int | None:
    """Memory nodes that have processors; None when the tree shows no node."""
    told = [
        bool(parse_cpu_list(text) if path.endswith("/cpulist") else re.search("[1-9a-f]", text))
        for path, text in files.items()
        if path.startswith(f"{NODE}/node")
    ]
    return sum(told) or None


def smt(files: Mapping[str, str], found: tuple[Cpu, ...]) -> bool | None:
    """Whether a physical core runs several threads now."""
    sizes = [len(cpu.siblings) for cpu in found if cpu.siblings]
    active = files.get(f"{CPU}/smt/active", "").strip()
    if sizes and len(sizes) == len(found):
        return max(sizes) > 1
    return active == "1" if active in ("0", "1") else None


def physical_cores(numbers: frozenset[int], found: tuple[Cpu, ...]) -> int | None:
    """Physical cores among these CPUs; None where the siblings of one are not known."""
    chosen = [cpu.siblings for cpu in found if cpu.number in numbers]
    return len({siblings for siblings in chosen if siblings}) if chosen and all(chosen) else None
