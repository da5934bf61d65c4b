"""NVIDIA Jetson: the module by its part number, L4T, power modes, tegrastats. Pure.

The part number decides what a module is; descriptive texts name the carrier board or the family and are often wrong.
"""

from __future__ import annotations

import re
from typing import Any

# Part number -> module as sold. The series alone names what its members share.
_MODULES = {
    "p3767-0000": "Jetson Orin NX 16GB",
    "p3767-0001": "Jetson Orin NX 8GB",
    "p3767-0003": "Jetson Orin Nano 8GB",
    "p3767-0004": "Jetson Orin Nano 4GB",
    "p3767-0005": "Jetson Orin Nano 8GB",
    "p3701-0004": "Jetson AGX Orin 32GB",
    "p3701-0005": "Jetson AGX Orin 64GB",
    "p3701-0008": "Jetson AGX Orin Industrial",
    "p3701": "Jetson AGX Orin",
    "p3668": "Jetson Xavier NX",
    "p3448": "Jetson Nano",
    "p3834": "Jetson Thor",
    "p2888": "Jetson AGX Xavier",
    "p3310": "Jetson TX2",
    "p3489": "Jetson TX2i",
    "p3636": "Jetson TX2 NX",
    "p2180": "Jetson TX1",
}
_SERIES = "|".join(sorted({part[:5] for part in _MODULES}))
_PART = re.compile(rf"({_SERIES})-(\d{{4}})")


def module_part(text: str) -> str | None:
    """`nvidia,p3768-0000+p3767-0003-super` -> `p3767-0003`: the first module part; carriers have numbers of other series."""
    found = _PART.search(text)
    return found[0] if found else None


def module_name(part: str | None) -> str | None:
    """The module of a part number, None where neither it nor its series is known."""
    return _MODULES.get(part, _MODULES.get(part[:5])) if part else None


def l4t_version(text: str) -> str | None:
    """`# R36 (release), REVISION: 4.7, ...` -> `36.4.7`."""
    found = re.search(r"#\s*R(\d+)\s*\(release\),\s*REVISION:\s*([\d.]+)", text)
    printed = re.search(r"\bL4T:?\s+(\d+\.\d+(?:\.\d+)?)", text)  # jetson_release
    return f"{found[1]}.{found[2]}" if found else (printed[1] if printed else None)


def power_mode(text: str) -> str | None:
    """The mode that is on, by `nvpmodel -q` (`NV Power Mode: MAXN`)."""
    found = re.search(r"NV Power Mode(?:\[\d+\])?:\s*(\S+)", text)
    return found[1].removeprefix("MODE_") if found else None


def power_modes(text: str) -> dict[str, int]:
    """Mode -> CPUs that it leaves on, by `nvpmodel -q --verbose` or /etc/nvpmodel.conf."""
    found: dict[str, int] = {}
    mode = None
    for line in text.splitlines():
        start = re.search(r"POWER_MODEL:?\s+ID=\d+\s+NAME=(\S+)", line)
        if start:
            mode = start[1].rstrip(">")
            found[mode] = 0
        elif mode and re.search(r"CPU_ONLINE\s+CORE_\d+\s+1\b", line):
            found[mode] += 1
    return found


def default_power_mode(text: str) -> str | None:
    """The mode after a start (`PM_CONFIG: DEFAULT=MAXN(0)`)."""
    found = re.search(r"PM_CONFIG:?\s+DEFAULT=([^\s(>]+)", text)
    if not found or not found[1].isdigit():
        return found[1] if found else None
    named = re.search(rf"POWER_MODEL:?\s+ID={found[1]}\s+NAME=(\S+)", text)
    return named[1] if named else None


def tegrastats(text: str) -> dict[str, Any]:
    """One line of tegrastats -> memory_total, memory_used [bytes], cpus (all), cpus_online, gpu_clocks [Hz]."""
    memory = re.search(r"\bRAM (\d+)/(\d+)\s*MB", text)
    if not memory:
        return {}
    cpus = re.search(r"\bCPU \[([^\]]*)\]", text)
    each = [cpu.strip() for cpu in cpus[1].split(",") if cpu.strip()] if cpus else []
    clock = re.search(r"GR3D_FREQ \d+%@\[?([\d,]+)\]?", text)
    return {
        "memory_used": int(memory[1]) * 2**20,
        "memory_total": int(memory[2]) * 2**20,
        "cpus": len(each) or None,
        "cpus_online": sum(cpu != "off" for cpu in each) or None,
        "gpu_clocks": [int(value) * 1_000_000 for value in clock[1].split(",") if value] if clock else [],
    }
