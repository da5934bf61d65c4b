"""Intel GPUs: the i915 and xe drivers' files in /sys, `xpu-smi discovery` where it is installed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from probes.pci_bus import BUS, device_of, functions, kind_of, read_bus, vendor_of
from probes.tool_text import clean, drop_unknown, integer, known, load_json, pci_address, pci_id, size, walk
from recommender.domain.fingerprint import Device, Observation
from recommender.ports import PROBE_API, HostAccess

name = "gpu_intel"
api = PROBE_API
volatile = False
platforms = ("linux",)

_MODULES = ("i915", "xe")
_MEMORY_FILES = ("tile0/physical_vram_size_bytes", "drm/card0/lmem_total_bytes", "drm/card1/lmem_total_bytes", "lmem_total_bytes")


def read(host: HostAccess) -> dict[str, Any] | None:
    bus = {address: texts for address, texts in read_bus(host).items() if _is_intel_gpu(address, texts)}
    raw: dict[str, Any] = {
        "bus": bus,
        "memory": {address: _read_memory(host, f"{BUS}/{address}") for address in bus},
        "modules": {module: host.read_text(f"/sys/module/{module}/version") or "" for module in _MODULES},
    }
    if bus or not host.is_live:
        tool = host.run(["xpu-smi", "discovery", "-j"])
        raw["tool"] = tool.stdout if tool.ok else ""
    return raw if bus or raw.get("tool") else None


def _is_intel_gpu(address: str, texts: dict[str, str]) -> bool:
    return any(kind_of(function) == "gpu" and vendor_of(function) == "intel" for function in functions({address: texts}))


def _read_memory(host: HostAccess, folder: str) -> str:
    return next((text for name in _MEMORY_FILES if (text := host.read_text(f"{folder}/{name}"))), "")


def parse(raw: dict[str, Any]) -> Observation:
    """raw: `bus`, `memory`, `modules` as read from /sys, `tool` (JSON text of xpu-smi)."""
    memory = raw.get("memory") if isinstance(raw.get("memory"), dict) else {}
    modules = raw.get("modules") if isinstance(raw.get("modules"), dict) else {}
    seen: dict[str, Device] = {}
    for position, function in enumerate(functions(raw.get("bus"))):
        device = device_of(function, position)
        if device is None or device.kind != "gpu" or device.vendor != "intel":
            continue
        sizes = [integer(text) for address, text in (memory or {}).items() if pci_address(address) == function.address]
        seen[device.id] = replace(
            device,
            memory_total=sizes[0] if sizes and device.memory_kind != "shared" else None,
            driver_version=known(clean((modules or {}).get(function.driver or ""))),
        )
    for device in _from_tool(raw.get("tool")):
        seen[device.id] = _join(seen[device.id], device) if device.id in seen else device
    return Observation(devices=tuple(seen.values()))


def _join(seen: Device, told: Device) -> Device:
    return replace(seen, name=told.name or seen.name, memory_total=seen.memory_total or told.memory_total)


def _from_tool(text: Any) -> list[Device]:
    devices: list[Device] = []
    for node in walk(load_json(clean(text))):
        if "device_name" not in node or "pci_bdf_address" not in node or node.get("device_type", "GPU") != "GPU":
            continue
        address = pci_address(node["pci_bdf_address"])
        devices.append(
            Device(
                id=f"gpu@{address or f'intel:{len(devices)}'}",
                kind="gpu",
                vendor="intel",
                name=known(node["device_name"]),
                identifiers=drop_unknown({"pci": pci_id("8086", node.get("pci_device_id"))}),
                memory_total=size(node.get("memory_physical_size_byte")),
                attributes=drop_unknown({"pci_address": address}),
            )
        )
    return devices
