"""Main memory as Linux and Android show it: /proc/meminfo, the memory nodes, and the type of the modules."""

from __future__ import annotations

import re
from typing import Any

from recommender.domain.fingerprint import HostMemory, Observation
from recommender.ports import PROBE_API, HostAccess

name = "memory"
api = PROBE_API
volatile = True
platforms = ("linux", "android")

_NODE = "/sys/devices/system/node"
_CONTROLLERS = "/sys/devices/system/edac/mc"  # types of the modules; DMI's own table also holds serial numbers and is not read
_LINE = re.compile(r"^(?:Node\s+\d+\s+)?([\w()]+):\s*(\d{1,19})(?:\s*([A-Za-z]+))?\s*$")
_UNITS = {"b": 1, "bytes": 1, "kb": 1 << 10, "kib": 1 << 10, "mb": 1 << 20, "mib": 1 << 20, "gb": 1 << 30, "gib": 1 << 30}
_PAGE = 4096
_LEAST_BARE_BYTES = 1 << 28  # a smaller bare number would be a machine below 256 MiB if it were bytes
_MOST_BARE_KB = 1 << 36  # a larger bare number would be a machine above 64 TiB if it were kB
_TYPE = re.compile(r"(?:LP)?DDR\d?X?|HBM\d?E?|GDDR\dX?", re.IGNORECASE)


def read(host: HostAccess) -> dict[str, Any] | None:
    """`meminfo`: the text. `nodes`: that of every memory node. `types`: what the memory controllers say of their modules."""
    nodes = {node: host.read_text(f"{_NODE}/{node}/meminfo") for node in host.list_dir(_NODE) if re.fullmatch(r"node\d+", node)}
    types = []
    for controller in host.list_dir(_CONTROLLERS):
        modules = [module for module in host.list_dir(f"{_CONTROLLERS}/{controller}") if re.fullmatch(r"(dimm|rank)\d+", module)]
        types += [host.read_text(f"{_CONTROLLERS}/{controller}/{module}/dimm_mem_type") or "" for module in modules]
    raw = {"meminfo": host.read_text("/proc/meminfo") or "", "nodes": {k: v for k, v in nodes.items() if v}, "types": types}
    return raw if any(raw.values()) else None


def parse(raw: dict[str, Any]) -> Observation:
    """Bytes. Without /proc/meminfo the total is the sum of the nodes; what is free is then not known."""
    told = parse_meminfo(raw.get("meminfo") or "")
    nodes = [parse_meminfo(text).get("MemTotal") for text in (raw.get("nodes") or {}).values()]
    known = [size for size in nodes if size]
    memory = HostMemory(
        total=told.get("MemTotal") or (sum(known) if known and None not in nodes else None),
        available=told.get("MemAvailable"),
        swap_total=told.get("SwapTotal"),
        kind=memory_type(raw.get("types") or ()),
        numa_nodes=len(known) or None,
    )
    return Observation(memory=memory if memory != HostMemory() else None)


def parse_meminfo(text: str) -> dict[str, int]:
    """Field -> bytes, of /proc/meminfo or of a node's; counts of pages (HugePages_*) are left out.

    The kernel writes kB and means 1024 bytes. Some programs write the same table without a unit, as plain bytes or as bare kB.
    A bare MemTotal is taken for bytes when it is whole pages and would be 256 MiB or more, or when it would exceed 64 TiB as kB:
    a number of kB is a whole number of 4096 in one case of a thousand, a number of bytes always. The other bare fields follow it.
    """
    found: dict[str, tuple[int, str | None]] = {}
    for line in text.splitlines():
        match = _LINE.match(line.strip())
        if match and not match[1].startswith("HugePages_"):
            found.setdefault(match[1], (int(match[2]), match[3]))
    total, _ = found.get("MemTotal", (max((value for value, unit in found.values() if not unit), default=0), None))
    bare = 1 if (total % _PAGE == 0 and total >= _LEAST_BARE_BYTES) or total > _MOST_BARE_KB else 1 << 10
    sizes = {key: value * (_UNITS.get(unit.lower(), 0) if unit else bare) for key, (value, unit) in found.items()}
    return {key: size for key, size in sizes.items() if size or not found[key][0]}


def memory_type(texts: list[str] | tuple[str, ...]) -> str | None:
    """`Unbuffered-DDR4` -> DDR4, when all modules that tell it tell the same."""
    types = {match[0].upper() for text in texts if (match := _TYPE.search(text))}
    return types.pop() if len(types) == 1 else None

