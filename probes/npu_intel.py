"""Intel NPUs: PCI function, intel_vpu driver, accelerator node."""

from __future__ import annotations

from typing import Any

from probes.accel_nodes import npu_of, parse_log, read_nodes
from probes.pci_bus import functions, kind_of, read_bus, vendor_of
from recommender.domain.fingerprint import Observation
from recommender.ports import PROBE_API, HostAccess

name = "npu_intel"
api = PROBE_API
volatile = False
platforms = ("linux",)


def read(host: HostAccess) -> dict[str, Any] | None:
    bus = {address: texts for address, texts in read_bus(host).items() if _is_npu(address, texts)}
    return {"bus": bus, "nodes": read_nodes(host)} if bus else None


def _is_npu(address: str, texts: dict[str, str]) -> bool:
    return any(kind_of(function) == "npu" and vendor_of(function) == "intel" for function in functions({address: texts}))


def parse(raw: dict[str, Any]) -> Observation:
    """raw: `bus` and `nodes` as read, `log` (kernel log text, where a recording holds one)."""
    devices = {device.id: device for device in parse_log(raw.get("log"), "intel_vpu", "intel")}
    for function in functions(raw.get("bus")):
        device = npu_of(function, raw.get("nodes"))
        if device is not None and device.vendor == "intel":
            devices[device.id] = device
    return Observation(devices=tuple(devices.values()))
