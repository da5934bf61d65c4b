"""Which cores of a processor are alike, and which of them are the fast ones."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from probes.cpu_linux.arm_cores import SIZES, core_name, core_size, part_id
from probes.cpu_linux.tree import KINDS, Cpu, parse_cpu_list, physical_cores

HALF = 0.5  # cores of one design are told apart as fast and slow only below this share of the biggest capacity
COMPACT = 0.85  # x86 cores of one design: slower than this share of the highest clock is a compact core, not a poorer sample

Part = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """CPUs of one design and one highest clock."""

    numbers: frozenset[int]
    name: str | None = None
    part: Part | None = None
    capacity: int | None = None
    max_hz: int | None = None

    def row(self, found: tuple[Cpu, ...]) -> dict[str, Any]:
        """As it is shown: `count` are physical cores where the tree tells, else processors; `max_hz` in Hz."""
        return {
            "part": part_id(self.part) if self.part else None,
            "name": self.name,
            "count": physical_cores(self.numbers, found) or len(self.numbers),
            "max_hz": self.max_hz,
            "size": core_size(self.part) if self.part else None,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Kinds:
    """Processors of each kind; both empty where all are alike or the tree does not tell."""

    performance: frozenset[int] = frozenset()
    efficiency: frozenset[int] = frozenset()

    def count(self, kind: str, found: tuple[Cpu, ...]) -> int | None:
        """Physical cores of a kind; None where the kinds are not told apart."""
        numbers: frozenset[int] = getattr(self, kind)
        return (physical_cores(numbers, found) or len(numbers)) or None


def arm_clusters(parts: Mapping[int, Part], found: tuple[Cpu, ...]) -> tuple[Cluster, ...]:
    """Clusters from small to big: by the design's size, then by capacity and clock, then in the order of the processors."""
    by_number = {cpu.number: cpu for cpu in found} or {number: Cpu(number=number) for number in parts}
    groups: dict[Hashable, Cluster] = {}
    for number, cpu in sorted(by_number.items()):
        part = parts.get(number)
        empty = Cluster(
            numbers=frozenset(), part=part, capacity=cpu.capacity, max_hz=cpu.max_hz,
            name=(core_name(part) or part_id(part)) if part else None,
        )
        known = groups.get((part, cpu.capacity, cpu.max_hz), empty)
        groups[part, cpu.capacity, cpu.max_hz] = replace(known, numbers=known.numbers | {number})
    clusters = [cluster for cluster in groups.values() if cluster.part]
    return tuple(sorted(clusters, key=_order(clusters)))


def _order(clusters: list[Cluster]) -> Callable[[Cluster], tuple[float, ...]]:
    """By size where all designs are in the table, so that one chip is written alike whatever else the tree holds."""
    rank = {part: (size or strength, first) for part, (size, strength, first) in _ranks(clusters).items()}
    return lambda c: (*rank[c.part or (0, 0)], c.capacity or 0, c.max_hz or 0, min(c.numbers))


def _ranks(clusters: Iterable[Cluster]) -> dict[Part, tuple[int, int, int]]:
    """Design -> (size from 1, 0 where one of them has none; capacity or else clock; its first processor)."""
    designs: dict[Part, list[Cluster]] = {}
    for cluster in clusters:
        if cluster.part:
            designs.setdefault(cluster.part, []).append(cluster)
    sizes = {part: core_size(part) for part in designs}
    known = all(sizes.values())
    return {
        part: (
            SIZES.index(sizes[part] or "") + 1 if known else 0,
            max(((c.capacity or 0) << 40) + (c.max_hz or 0) for c in group),
            min(min(c.numbers) for c in group),
        )
        for part, group in designs.items()
    }


def arm_kinds(clusters: tuple[Cluster, ...], found: tuple[Cpu, ...]) -> Kinds:
    """The smallest design is the efficient one, all others perform; nothing when a processor's design is not known.

    Cores of one design differ only where a large gap of capacity says so.
    """
    if {cpu.number for cpu in found} - {number for cluster in clusters for number in cluster.numbers}:
        return Kinds()
    ranks = {part: rank[:2] for part, rank in _ranks(clusters).items()}
    if len(ranks) > 1:
        smallest = min(ranks.values())
        small = [part for part, rank in ranks.items() if rank == smallest]
        return _split(clusters, [c for c in clusters if c.part == small[0]]) if len(small) == 1 else Kinds()
    capacities = [cluster.capacity for cluster in clusters if cluster.capacity]
    if len(capacities) == len(clusters) > 1 and min(capacities) < HALF * max(capacities):
        return _split(clusters, [cluster for cluster in clusters if cluster.capacity == min(capacities)])
    return Kinds()


def _split(clusters: tuple[Cluster, ...], small: list[Cluster]) -> Kinds:
    efficient = frozenset().union(*(cluster.numbers for cluster in small))
    return Kinds(performance=frozenset().union(*(cluster.numbers for cluster in clusters)) - efficient, efficiency=efficient)


def x86_kinds(files: Mapping[str, str], found: tuple[Cpu, ...]) -> Kinds:
    """By the kernel's lists of both kinds, else by what the cores are made of: inner caches, threads, highest clock."""
    online = frozenset(cpu.number for cpu in found)
    lists = {
        kind: frozenset().union(*(parse_cpu_list(files.get(f"/sys/devices/{name}/cpus", "")) for name in names)) & online
        for kind, names in KINDS.items()
    }
    if not all(cpu.siblings for cpu in found):
        return Kinds()  # threads cannot be told from cores
    if all(lists.values()):
        return Kinds(performance=lists["performance"], efficiency=lists["efficiency"])
    if not all(cpu.max_hz for cpu in found):
        return Kinds()
    designs: dict[Hashable, list[Cpu]] = {}
    for cpu in found:
        designs.setdefault(tuple(row for row in cpu.caches if row[0] < 3), []).append(cpu)
    groups = sorted(designs.values(), key=_clock)
    if len(groups) < 2 or len({tuple(row[:2] for row in group[0].caches if row[0] < 3) for group in groups}) > 1:
        return _kinds_by_clock(found)  # one design, or caches that the tree tells in part
    fastest = _numbers(groups[-1])
    apart = _clock(groups[-1]) > _clock(groups[-2])
    return Kinds(performance=fastest, efficiency=_numbers(found) - fastest) if apart else Kinds()


def _kinds_by_clock(found: tuple[Cpu, ...]) -> Kinds:
    """One design or unknown: threads and clock must agree, or the clock alone must differ by far."""
    single = [cpu for cpu in found if len(cpu.siblings or ()) == 1]
    multi = [cpu for cpu in found if len(cpu.siblings or ()) > 1]
    if single and multi and max(c.max_hz or 0 for c in single) < COMPACT * max(c.max_hz or 0 for c in multi):
        return Kinds(performance=_numbers(multi), efficiency=_numbers(single))
    slow = [cpu for cpu in found if (cpu.max_hz or 0) < COMPACT * _clock(list(found))]
    return Kinds(performance=_numbers(found) - _numbers(slow), efficiency=_numbers(slow)) if slow else Kinds()


def _clock(group: list[Cpu]) -> int:
    return max(cpu.max_hz or 0 for cpu in group)


def _numbers(group: list[Cpu] | tuple[Cpu, ...]) -> frozenset[int]:
    return frozenset(cpu.number for cpu in group)


def x86_clusters(kinds: Kinds, found: tuple[Cpu, ...], name: str | None) -> tuple[Cluster, ...]:
    """The two kinds small to big, or one cluster of like cores; their highest clock is the best sample's."""
    if not found:
        return ()
    groups: list[tuple[str | None, frozenset[int]]] = [("efficiency", kinds.efficiency), ("performance", kinds.performance)]
    chosen = [(kind, numbers) for kind, numbers in groups if numbers] or [(name, _numbers(found))]
    return tuple(
        Cluster(numbers=numbers, name=label, max_hz=_clock([c for c in found if c.number in numbers]) or None)
        for label, numbers in chosen
    )
