"""AMD NPUs: PCI function, amdxdna driver with its files in /sys, `xrt-smi examine` and the older `xbutil examine`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from probes.accel_nodes import npu_of, parse_log, read_nodes
from probes.pci_bus import BUS, functions, kind_of, read_bus, vendor_of
from probes.tool_text import clean, drop_unknown, integer, known, pci_address, size
from recommender.domain.fingerprint import Cores, Device, HostMemory, Observation
from recommender.ports import PROBE_API, HostAccess

name = "npu_amd"
api = PROBE_API
volatile = False
platforms = ("linux", "windows")

_TOOLS = ("xrt-smi", "/opt/xilinx/xrt/bin/xrt-smi", "xbutil")
_ROW = re.compile(
    r"^\s*\|?\s*\[([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])\]\s*[|:]\s*([^|\n]+?)\s*(?:\||$)", re.MULTILINE | re.IGNORECASE
)
_NPU_NAME = re.compile(r"npu|ryzenai|phoenix|strix|krackan|hawk", re.IGNORECASE)


def read(host: HostAccess) -> dict[str, Any] | None:
    bus = {address: texts for address, texts in read_bus(host).items() if _is_npu(address, texts)}
    raw: dict[str, Any] = {"bus": bus, "tool": ""}
    if bus:
        raw["nodes"] = read_nodes(host)
        raw["files"] = {
            address: {name: host.read_text(f"{BUS}/{address}/{name}") or "" for name in ("vbnv", "fw_version")} for address in bus
        }
    if bus or not host.is_live or host.platform().os == "windows":
        raw["tool"] = next((done.stdout for tool in _TOOLS if (done := host.run([tool, "examine"])).ok and done.stdout), "")
    return raw if any(raw.values()) else None


def _is_npu(address: str, texts: dict[str, str]) -> bool:
    return any(kind_of(function) == "npu" and vendor_of(function) == "amd" for function in functions({address: texts}))


def parse(raw: dict[str, Any]) -> Observation:
    """raw: `bus`, `nodes`, `files` as read from /sys, `tool` (text of xrt-smi or xbutil), `log` (kernel log text)."""
    told = parse_examine(raw.get("tool"))
    devices = {device.id: device for device in parse_log(raw.get("log"), "amdxdna", "amd")}
    files = raw.get("files") if isinstance(raw.get("files"), dict) else {}
    for function in functions(raw.get("bus")):
        device = npu_of(function, raw.get("nodes"))
        if device is not None and device.vendor == "amd":
            devices[device.id] = _with_files(device, (files or {}).get(function.address))
    for device in told.devices:
        devices[device.id] = _join(devices[device.id], device) if device.id in devices else device
    return replace(told, devices=tuple(devices.values()))


def _with_files(device: Device, files: Any) -> Device:
    if not isinstance(files, dict):
        return device
    firmware = drop_unknown({"firmware_version": known(clean(files.get("fw_version")))})
    return replace(device, name=known(clean(files.get("vbnv"))) or device.name, attributes={**device.attributes, **firmware})


def _join(seen: Device, told: Device) -> Device:
    return replace(
        seen,
        name=told.name or seen.name,
        driver_version=told.driver_version or seen.driver_version,
        attributes={**seen.attributes, **told.attributes},
    )


def parse_examine(text: Any) -> Observation:
    """The examine report: devices in either table layout, and what it says of the host."""
    printed = clean(text)
    if "System Configuration" not in printed and "XRT" not in printed and not _ROW.search(printed):
        return Observation()
    values: dict[str, str] = {}
    for found in re.finditer(r"^\s+([A-Za-z][\w ()-]*?)\s*:\s*(.+?)\s*$", printed, re.MULTILINE):
        values.setdefault(found[1].lower(), found[2])
    if version := re.search(r"^XRT\s*\n\s+Version\s*:\s*(\S+)", printed, re.MULTILINE):
        values["xrt version"] = version[1]
    devices = [_device(row[1], row[2], values) for row in _ROW.finditer(printed)]
    logical = integer(values.get("cpu cores"))
    if logical:
        devices.append(Device(id="cpu0", kind="cpu", cores=Cores(logical=logical)))
    total = size(values.get("memory"))
    system = known(values.get("os name"))
    return Observation(
        devices=tuple(devices),
        host=drop_unknown(
            {
                "os": system.lower() if system and system.lower() in ("linux", "windows") else None,
                "kernel": known(values.get("release")) if system == "Linux" else None,
                "architecture": known(values.get("machine")),
                "machine_model": known(values.get("model")),
            }
        ),
        memory=HostMemory(total=total) if total else None,
    )


def _device(address: str, printed: str, values: dict[str, str]) -> Device:
    is_npu = bool(_NPU_NAME.search(printed))
    kind = "npu" if is_npu else "accelerator"
    driver = known((values.get("amdxdna") or "").split(",")[0]) if is_npu else None
    firmware = values.get("npu firmware version") or values.get("firmware version")
    return Device(
        id=f"{kind}@{pci_address(address)}",
        kind=kind,
        vendor="amd" if is_npu else "xilinx",
        name=known(printed),
        memory_kind="shared" if is_npu else None,
        driver="amdxdna" if driver else None,
        driver_version=driver,
        attributes=drop_unknown(
            {
                "pci_address": pci_address(address),
                "firmware_version": known(firmware) if is_npu else None,
                "xrt_version": known(values.get("xrt version")),
            }
        ),
    )
