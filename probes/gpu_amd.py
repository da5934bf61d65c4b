"""AMD GPUs: the amdgpu and kfd drivers' files in /sys, rocm-smi or amd-smi where they are installed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from probes.pci_bus import BUS, PciFunction, functions, kind_of, read_bus, usability, vendor_of
from probes.rocm_output import Facts, parse_any
from probes.tool_text import clean, drop_unknown, integer, known, pci_id
from recommender.domain.fingerprint import Device, Observation
from recommender.ports import PROBE_API, HostAccess

name = "gpu_amd"
api = PROBE_API
volatile = False
platforms = ("linux",)

_NODES = "/sys/class/kfd/kfd/topology/nodes"
_NAMES = "/usr/share/libdrm/amdgpu.ids"
_FILES = ("vendor", "device", "revision", "mem_info_vram_total", "mem_info_vram_used", "mem_info_gtt_total", "product_name")
_TOOLS = (
    ("amd-smi", "static", "--asic", "--bus", "--vram", "--driver", "--json"),
    ("rocm-smi", "--showproductname", "--showbus", "--showmeminfo", "vram", "--showdriverversion", "--json"),
    ("rocminfo",),
)
_TOOLS_OF_RECORDINGS = (("amd-smi", "static", "--json"), ("amd-smi", "static"), ("rocm-smi", "-a", "--json"), ("rocm-smi", "-a"))
# Targets that exist only inside a processor, after the list of processors in LLVM's guide for the AMDGPU backend.
_APU_TARGETS = {
    "gfx801", "gfx902", "gfx909", "gfx90c", "gfx1013", "gfx1033", "gfx1035", "gfx1036", "gfx1103",
    "gfx1150", "gfx1151", "gfx1152", "gfx1153",
}  # fmt: skip


def read(host: HostAccess) -> dict[str, Any] | None:
    bus = {address: texts for address, texts in read_bus(host).items() if _is_amd(address, texts)}
    cards = {address: _read_card(host, f"{BUS}/{address}") for address in bus if address.endswith(".0")}
    nodes = {node: host.read_text(f"{_NODES}/{node}/properties") or "" for node in host.list_dir(_NODES)}
    raw: dict[str, Any] = {"bus": bus, "cards": cards, "nodes": nodes, "tool": ""}
    if bus or nodes or not host.is_live:
        tools = _TOOLS if host.is_live else _TOOLS + _TOOLS_OF_RECORDINGS
        raw["tool"] = next((done.stdout for argv in tools if (done := host.run(argv)).ok and done.stdout.strip()), "")
    if bus:
        raw["names"] = host.read_text(_NAMES) or ""
        raw["module"] = host.read_text("/sys/module/amdgpu/version") or ""
    return raw if any(raw.values()) else None


def _is_amd(address: str, texts: Mapping[str, str]) -> bool:
    return any(vendor_of(function) == "amd" for function in functions({address: texts}))


def _read_card(host: HostAccess, folder: str) -> dict[str, str]:
    return {name: text for name in _FILES if (text := host.read_text(f"{folder}/{name}")) is not None}


def parse(raw: dict[str, Any]) -> Observation:
    """raw: `bus`, `cards`, `nodes`, `names`, `module` as read from /sys, `tool` (text of any of AMD's tools)."""
    driver = known(clean(raw.get("module")))
    seen = [facts | drop_unknown({"driver_version": driver}) for facts in _from_sysfs(raw)]
    told = parse_any(raw.get("tool"))
    return Observation(devices=tuple(_device(gpu, position) for position, gpu in enumerate(_join(seen, told))))


def _join(seen: list[Facts], told: list[Facts]) -> list[Facts]:
    """The tool's words over the kernel's. A card that the tool does not place goes to the first free one of its id."""
    if not seen:
        return told
    free = [dict(facts) for facts in seen]
    merged = list(free)
    for gpu in told:
        match = next((facts for facts in free if _is_one(facts, gpu, len(seen) == len(told) == 1)), None)
        if match is not None:
            free = [facts for facts in free if facts is not match]
            match |= {key: value for key, value in gpu.items() if key != "index"}
        elif "address" in gpu:
            merged.append(dict(gpu))
    return merged


def _is_one(facts: Facts, gpu: Facts, only_one: bool) -> bool:
    if "address" in gpu:
        return bool(facts.get("address") == gpu["address"])
    return bool(facts.get("pci") == gpu["pci"]) if "pci" in gpu else only_one


def _from_sysfs(raw: Mapping[str, Any]) -> list[Facts]:
    cards = raw.get("cards")
    cards = cards if isinstance(cards, dict) else {}
    targets = _targets(raw.get("nodes"))
    found = []
    bus = functions(raw.get("bus"))
    for function in bus:
        if kind_of(function) != "gpu" or vendor_of(function) != "amd" or function.address is None:
            continue
        card: Mapping[str, Any] = next((texts for address, texts in cards.items() if address.lower() == function.address), {})
        found.append(
            drop_unknown(
                {
                    "address": function.address,
                    "pci": function.id or pci_id(card.get("vendor"), card.get("device")),
                    "driver": function.driver or None,
                    "usability": usability(function.driver),
                    "apu": _beside_processor(function, bus) or None,
                    "name": known(card.get("product_name")) or _product(raw.get("names"), function.id, card.get("revision")),
                    "memory_total": integer(card.get("mem_info_vram_total")),
                    "memory_used": integer(card.get("mem_info_vram_used")),
                    "shared_limit": integer(card.get("mem_info_gtt_total")),
                }
            )
            | targets.get(function.address, {})
        )
    return found


def _beside_processor(gpu: PciFunction, bus: list[PciFunction]) -> bool:
    """In a processor the GPU's device also holds functions under the processor maker's id (1022); on a card it does not."""
    slot = (gpu.address or "").rpartition(".")[0]
    return any((other.id or "").startswith("1022:") and (other.address or "").startswith(f"{slot}.") for other in bus)


def _product(names: Any, identifier: str | None, revision: Any) -> str | None:
    """The product by device and revision in libdrm's own table; one device id stands for several products."""
    device, wanted = (identifier or "").rpartition(":")[2], (known(revision) or "").lower().removeprefix("0x")
    if not device or not wanted:
        return None
    found = re.search(rf"^{device},\s*{re.escape(wanted)},\s*(.+?)\s*$", clean(names), re.MULTILINE | re.IGNORECASE)
    return found[1] if found else None


def _targets(nodes: Any) -> dict[str, Facts]:
    """address -> what the compute driver's topology says. A node with a target of 0 is a processor."""
    found: dict[str, Facts] = {}
    for text in nodes.values() if isinstance(nodes, dict) else ():
        values = {key: int(value) for key, value in re.findall(r"^(\w+) (\d{1,20})$", clean(text), re.MULTILINE)}
        version, location = values.get("gfx_target_version", 0), values.get("location_id", 0)
        if not version:
            continue
        address = f"{values.get('domain', 0):04x}:{location >> 8 & 255:02x}:{location >> 3 & 31:02x}.{location & 7}"
        simd = values.get("simd_per_cu", 0)
        found[address] = drop_unknown(
            {
                "gfx": f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}",
                "compute_units": values.get("simd_count", 0) // simd if simd else None,
            }
        )
    return found


def _device(gpu: Facts, position: int) -> Device:
    """A GPU inside a processor uses main memory; what the driver calls its VRAM is a part set aside (`vram_set_aside`)."""
    gfx, total = gpu.get("gfx"), gpu.get("memory_total")
    inside = gpu.get("apu") or gfx in _APU_TARGETS
    unified = not inside and "MI300A" in gpu.get("name", "")
    kind = "shared" if inside else "unified" if unified else "dedicated" if gfx or total else None
    own = kind == "dedicated"
    used = gpu.get("memory_used")
    address, place = gpu.get("address"), f"amd:{gpu.get('index', position)}"
    driver = gpu.get("driver") or ("amdgpu" if "driver_version" in gpu else None)
    return Device(
        id=f"gpu@{address or place}",
        kind="gpu",
        vendor="amd",
        name=gpu.get("name"),
        identifiers=drop_unknown({"pci": gpu.get("pci"), "gfx": gfx}),
        memory_kind=kind,
        memory_total=total if own else None,
        memory_available=max(0, total - used) if own and total is not None and used is not None else None,
        driver=driver,
        driver_version=gpu.get("driver_version"),
        attributes=drop_unknown(
            {
                "pci_address": address,
                "compute_units": gpu.get("compute_units"),
                "vram_set_aside": None if own else total,
                "shared_limit": None if own else gpu.get("shared_limit"),
            }
        )
        | gpu.get("usability", {}),
    )
