"""Windows: processor, GPUs, NPU, memory and machine, from one PowerShell call or from the text of other tools."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from probes.printed import texts_of, without_none
from probes.windows_devices import graphics, neural, processors, split_named
from probes.windows_host import host_facts, host_memory
from probes.windows_text import Record, records
from recommender.domain.fingerprint import Observation
from recommender.ports import PROBE_API, HostAccess

name = "windows"
api = PROBE_API
volatile = False
platforms = ("windows",)

DISPLAY_CLASS = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Class\\{4d36e968-e325-11ce-bfc1-08002be10318}\\0*"
SCRIPT = (
    "$ErrorActionPreference='SilentlyContinue';[Console]::OutputEncoding=[Text.Encoding]::UTF8;"
    "$n=@(Get-CimInstance Win32_PnPEntity -Filter \"PNPClass='ComputeAccelerator'\"|ForEach-Object{"
    "[pscustomobject]@{Name=$_.Name;"
    "Manufacturer=$_.Manufacturer;PNPDeviceID=$_.PNPDeviceID;Status=$_.Status;DriverVersion="
    "(Get-PnpDeviceProperty -InstanceId $_.PNPDeviceID -KeyName DEVPKEY_Device_DriverVersion).Data}});"
    "[pscustomobject]@{"
    "os=Get-CimInstance Win32_OperatingSystem|Select-Object Caption,Version,OSArchitecture;"
    "system=Get-CimInstance Win32_ComputerSystem|Select-Object "
    "Manufacturer,Model,SystemType,PCSystemType,TotalPhysicalMemory,HypervisorPresent;"
    "chassis=Get-CimInstance Win32_SystemEnclosure|Select-Object ChassisTypes;"
    "cpu=@(Get-CimInstance Win32_Processor|Select-Object "
    "Name,Caption,Manufacturer,Architecture,NumberOfCores,NumberOfLogicalProcessors,"
    "L2CacheSize,L3CacheSize);"
    "gpu=@(Get-CimInstance Win32_VideoController|Select-Object "
    "Name,AdapterCompatibility,AdapterRAM,DriverVersion,PNPDeviceID,Status);"
    f"display=@(Get-ItemProperty '{DISPLAY_CLASS}'|Select-Object "
    "DriverDesc,MatchingDeviceId,DriverVersion,HardwareInformation.qwMemorySize);"
    "memory=@(Get-CimInstance Win32_PhysicalMemory|Select-Object Capacity,SMBIOSMemoryType);"
    "npu=$n}|ConvertTo-Json -Depth 4 -Compress"
)
COMMAND = ("powershell", "-NoProfile", "-NonInteractive", "-Command", SCRIPT)


def read(host: HostAccess) -> dict[str, Any] | None:
    """The answer of PowerShell as `cim`; where it does not answer, the text of `systeminfo`. None on other systems."""
    if host.platform().os not in ("windows", None):
        return None
    answer = host.run(COMMAND, timeout=20.0).stdout
    if answer.strip():
        return {"cim": answer}
    told = host.run(("systeminfo",), timeout=20.0).stdout
    return {"systeminfo": told} if told.strip() else None


def parse(raw: dict[str, Any]) -> Observation:
    """Facts from any of the outputs, recognised by their shape.

    The drivers that WSL2 shows belong to its host and are no devices.
    """
    texts = [text for _, text in texts_of(raw)]
    drivers = [text for text in texts if "/usr/lib/wsl/" in text]
    if drivers:
        return Observation(host=_wsl_facts("\n".join(drivers)))
    whole = "\n".join(texts)
    found: list[Record] = split_named(record for text in texts for record in records(text))
    devices = (*processors(found, whole), *graphics(found), *neural(found))
    facts, memory = host_facts(found), host_memory(found)
    if not devices and not facts and memory is None:
        return Observation()
    soc = next((device.identifiers["soc"] for device in devices if "soc" in device.identifiers), None)
    if soc:  # one chip holds all three; the name of a unit does not always repeat it
        devices = tuple(
            replace(device, identifiers={**device.identifiers, "soc": soc}) if device.vendor == "qualcomm" else device
            for device in devices
        )
    if soc and "architecture" not in facts:
        facts["architecture"] = "aarch64"
    return Observation(devices=devices, host={"os": "windows", **facts, **without_none({"soc": soc})}, memory=memory)


def _wsl_facts(text: str) -> dict[str, Any]:
    architecture = "aarch64" if re.search(r"\.inf_arm64_", text) else ("x86_64" if re.search(r"\.inf_amd64_", text) else None)
    return without_none({"os": "linux", "container": "wsl2", "architecture": architecture})
