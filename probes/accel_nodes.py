"""Linux's compute accelerator nodes (/dev/accel, /sys/class/accel) and what the kernel log says of them. Not a probe."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from probes.pci_bus import PciFunction, device_of
from probes.tool_text import clean, pci_address
from recommender.domain.fingerprint import Device
from recommender.ports import HostAccess

_BOUND = re.compile(
    r"Initialized (\w+?) (\d+(?:\.\d+)+)(?: \d{8})? for ((?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) on minor (\d+)"
)


def read_nodes(host: HostAccess) -> dict[str, Any]:
    """links: node -> where its device link leads; dev: the names in /dev/accel; dev_seen: whether /dev was there to look at."""
    links = {node: host.read_link(f"/sys/class/accel/{node}/device") or "" for node in host.list_dir("/sys/class/accel")}
    return {"links": links, "dev": list(host.list_dir("/dev/accel")), "dev_seen": bool(host.list_dir("/dev"))}


def node_of(nodes: Any, address: str | None) -> str | None:
    """The node (`accel0`) of a PCI address."""
    links = nodes.get("links") if isinstance(nodes, dict) else None
    for node, link in (links or {}).items():
        if address and pci_address(str(link).rsplit("/", 1)[-1]) == address:
            return str(node)
    return None


def npu_of(function: PciFunction, nodes: Any) -> Device | None:
    """An NPU on the bus with its node; unusable where /dev was seen and the node is not there."""
    device = device_of(function)
    if device is None or device.kind != "npu":
        return None
    node = node_of(nodes, function.address)
    attributes = {**device.attributes, **({"accel_node": node} if node else {})}
    if isinstance(nodes, dict) and nodes.get("dev_seen") and "usable" not in attributes:
        usable = node in nodes.get("dev", ()) if node else bool(nodes.get("dev"))
        attributes["usable"] = usable
        if not usable:
            attributes["why_unusable"] = f"no /dev/accel/{node or 'accel*'}"
    return replace(device, attributes=attributes)


def parse_log(text: Any, driver_prefix: str, vendor: str) -> list[Device]:
    """NPUs that the kernel log says a driver took, `driver_prefix` being the driver's name (`amdxdna`, `intel_vpu`)."""
    printed = clean(text)
    listed = set(re.findall(r"\baccel\d+\b", printed))
    devices = []
    for found in _BOUND.finditer(printed):
        driver, version, address, minor = found.groups()
        if not driver.startswith(driver_prefix):
            continue
        known_address = pci_address(address)
        node = f"accel{minor}"
        usable = {"accel_node": node, "usable": True} if node in listed else {}
        devices.append(
            Device(
                id=f"npu@{known_address}",
                kind="npu",
                vendor=vendor,
                memory_kind="shared",
                driver=driver_prefix,
                driver_version=version,
                attributes={"pci_address": known_address, **usable},
            )
        )
    return devices
