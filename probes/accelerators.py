"""Add-in accelerators: Hailo, Coral Edge TPU (PCIe and USB), Huawei Ascend, and others that the bus shows.

`attributes["usable"]` is told only where /dev was there to look at: False with `why_unusable` when the device is present
but its node is not, which is how a missing driver shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from probes.ascend import parse_info
from probes.pci_bus import PciFunction, device_of, functions, kind_of, read_bus
from probes.pci_listing import parse_lspci
from probes.tool_text import clean, drop_unknown, known, pci_address
from recommender.domain.fingerprint import Device, Observation
from recommender.ports import PROBE_API, HostAccess

name = "accelerators"
api = PROBE_API
volatile = False
platforms = ("linux",)

_USB = "/sys/bus/usb/devices"
# usb id -> (vendor, name). The Edge TPU shows the first id until its firmware is loaded, then the second.
_USB_IDS = {
    "1a6e:089a": ("google", "Coral Edge TPU"),
    "18d1:9302": ("google", "Coral Edge TPU"),
    "03e7:2485": ("intel", "Movidius Myriad X"),
}
_NODES = {"google": "apex_", "hailo": "hailo", "huawei": "davinci"}
_TOOLS = {"hailo": ("hailortcli", "fw-control", "identify"), "huawei": ("npu-smi", "info")}


def read(host: HostAccess) -> dict[str, Any] | None:
    bus = {address: texts for address, texts in read_bus(host).items() if _is_accelerator(address, texts)}
    usb = {port: _read_usb(host, port) for port in host.list_dir(_USB)}
    dev = host.list_dir("/dev")
    raw: dict[str, Any] = {
        "bus": bus,
        "usb": {port: texts for port, texts in usb.items() if texts in _USB_IDS},
        "dev": [node for node in dev if node.startswith(tuple(_NODES.values()))] if dev else None,
    }
    if bus or not host.is_live:
        for vendor, argv in _TOOLS.items():
            done = host.run(argv, 10.0)
            raw[vendor] = done.stdout if done.ok else ""
    return raw if any(raw.get(key) for key in ("bus", "usb", *_TOOLS)) else None


def _is_accelerator(address: str, texts: Mapping[str, str]) -> bool:
    return any(kind_of(function) == "accelerator" for function in functions({address: texts}))


def _read_usb(host: HostAccess, port: str) -> str:
    return ":".join((host.read_text(f"{_USB}/{port}/{name}") or "").strip() for name in ("idVendor", "idProduct"))


def parse(raw: dict[str, Any]) -> Observation:
    """raw: `bus`, `usb` (port -> id), `dev` (node names, None when /dev was not seen) as read; `hailo` and `huawei` (tool texts);
    `lspci`, `lsusb`, and `log` (kernel log and listings) where a recording holds them."""
    nodes = raw.get("dev") if isinstance(raw.get("dev"), list) else None
    nodes = nodes or re.findall(r"/dev/((?:apex_|hailo|davinci)\d+)\b", clean(raw.get("log"))) or nodes
    on_bus = [*functions(raw.get("bus")), *parse_lspci(raw.get("lspci")), *parse_lspci(raw.get("log"))]
    devices = {device.id: _with_node(device, nodes) for device in map(_bus_device, on_bus) if device}
    for device in [*_usb_devices(raw), *parse_hailo(raw.get("hailo")), *parse_info(raw.get("huawei"))]:
        devices[device.id] = _join(devices[device.id], device) if device.id in devices else device
    return Observation(devices=tuple(devices.values()))


def _bus_device(function: PciFunction) -> Device | None:
    device = device_of(function)
    return device if device and device.kind == "accelerator" else None


def _with_node(device: Device, nodes: list[str] | None) -> Device:
    prefix = _NODES.get(device.vendor or "")
    if nodes is None or prefix is None:
        return device
    usable = any(node.startswith(prefix) for node in nodes)
    told = {"usable": usable} | ({} if usable else {"why_unusable": f"no /dev/{prefix}0: its kernel driver is not working"})
    return replace(device, attributes={**device.attributes, **told})


def _join(seen: Device, told: Device) -> Device:
    return replace(
        seen,
        name=told.name or seen.name,
        identifiers={**seen.identifiers, **told.identifiers},
        memory_kind=told.memory_kind or seen.memory_kind,
        memory_total=told.memory_total,
        memory_available=told.memory_available,
        driver_version=told.driver_version or seen.driver_version,
        attributes={**seen.attributes, **told.attributes},
    )


def _usb_devices(raw: Mapping[str, Any]) -> list[Device]:
    usb = raw.get("usb")
    seen = [(port, clean(ident)) for port, ident in usb.items()] if isinstance(usb, dict) else []
    seen += [(f"{bus}-{port}", ident.lower()) for bus, port, ident in re.findall(
        r"Bus (\d+) Device (\d+): ID ([0-9a-fA-F]{4}:[0-9a-fA-F]{4})", clean(raw.get("lsusb"))
    )]  # fmt: skip
    return [
        Device(
            id=f"accelerator@usb:{port}",
            kind="accelerator",
            vendor=_USB_IDS[ident][0],
            name=_USB_IDS[ident][1],
            identifiers={"usb": ident},
            attributes={"interface": "usb"},
        )
        for port, ident in seen
        if ident in _USB_IDS
    ]


def parse_hailo(text: Any) -> list[Device]:
    """`hailortcli fw-control identify`, one block a device. The architecture counts: the board name can be another chip's."""
    devices = []
    for position, block in enumerate(re.split(r"(?=^Executing on device:)", clean(text), flags=re.MULTILINE)):
        values = {key: known(value) for key, value in re.findall(r"^([A-Z][\w ]+?):[ \t]*(\S.*?)\s*$", block, re.MULTILINE)}
        if not any(key in values for key in ("Device Architecture", "Board Name")):
            continue
        address = pci_address(values.get("Executing on device"))
        architecture = values.get("Device Architecture")
        firmware = (values.get("Firmware Version") or "").split(" ")[0]
        devices.append(
            Device(
                id=f"accelerator@{address or f'hailo:{position}'}",
                kind="accelerator",
                vendor="hailo",
                name=architecture,
                identifiers=drop_unknown({"model": architecture}),
                attributes=drop_unknown(
                    {
                        "pci_address": address,
                        "firmware_version": known(firmware),
                        "board_name": values.get("Board Name"),
                        "product": values.get("Product Name"),
                        "usable": True if architecture else None,
                    }
                ),
            )
        )
    return devices
