"""What a GPU's driver counts: processes on it and their memory, energy since start, clocks, temperature, throttling.

Two sources: NVIDIA's management library through its Python binding (`nvidia-ml-py`) or, for all but energy, its program; and the usage
statistics of the kernel's graphics drivers (`drm-*` in /proc/PID/fdinfo), which serve other vendors. Nothing here raises.
"""

from __future__ import annotations

import csv
import importlib
import io
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_PROGRAM = "nvidia-smi"
WHY_THROTTLED = f"{_PROGRAM} -q -d PERFORMANCE"
_TIME_LIMIT = 10.0  # seconds
_MIB = 1 << 20
_GPU_FIELDS = ("index", "memory.free", "memory.total", "temperature.gpu", "clocks.sm", "clocks.max.sm", "clocks_throttle_reasons.active")
_IDLE, _SETTING, _POWER_CAP = 0x1, 0x2, 0x4  # reasons that are no throttling by heat or by want of power: idle, chosen clocks, the usual power cap


def processes() -> dict[int, int] | None:
    """Process id -> bytes of GPU memory, of all compute processes; None where no driver tells."""
    if nvml := _binding():
        found: dict[int, int] = {}
        for handle in _handles(nvml):
            for each in _asked(nvml, "nvmlDeviceGetComputeRunningProcesses", handle) or ():
                found[each.pid] = found.get(each.pid, 0) + (each.usedGpuMemory or 0)
        return found
    text = _told("--query-compute-apps=pid,used_memory")
    return None if text is None else parse_processes(text)


def parse_processes(text: str) -> dict[int, int]:
    """Of lines `pid, MiB`; memory that is not told counts as none."""
    found: dict[int, int] = {}
    for row in csv.reader(io.StringIO(text), skipinitialspace=True):
        if len(row) == 2 and row[0].strip().isdecimal():
            pid, used = int(row[0]), row[1].strip()
            found[pid] = found.get(pid, 0) + (int(used) * _MIB if used.isdecimal() else 0)
    return found


def gpus() -> list[dict[str, Any]]:
    """Per GPU: index, memory_free, memory_total [bytes], temperature [deg C], clock, clock_max [Hz], is_throttled; empty where none tells."""
    text = _told(f"--query-gpu={','.join(_GPU_FIELDS)}")
    return parse_gpus(text) if text else []


def parse_gpus(text: str) -> list[dict[str, Any]]:
    """Of lines with the fields asked for, without units; what is not told is None."""
    found = []
    for row in csv.reader(io.StringIO(text), skipinitialspace=True):
        if len(row) != len(_GPU_FIELDS):
            continue
        index, free, total, temperature, clock, top = (int(each) if each.strip().isdecimal() else None for each in row[:6])
        try:
            reasons = int(row[6].strip(), 16)
        except ValueError:
            reasons = 0
        found.append({
            "index": index, "memory_free": free and free * _MIB, "memory_total": total and total * _MIB, "temperature": temperature,
            "clock": clock and clock * 1e6, "clock_max": top and top * 1e6, "is_throttled": bool(reasons & ~(_IDLE | _SETTING | _POWER_CAP)),
        })
    return found


def energy() -> tuple[float | None, str]:
    """Joules that all GPUs used since their driver was loaded, or None with the reason."""
    nvml = _binding()
    if nvml is None:
        return None, "no GPU energy counter: the binding nvidia-ml-py or its driver is not there"
    counts = [_asked(nvml, "nvmlDeviceGetTotalEnergyConsumption", handle) for handle in _handles(nvml)]
    if not counts or None in counts:
        return None, "no GPU energy counter: the GPU does not have one"
    return sum(counts) / 1e3, ""  # millijoules


def drm_memory(pids: Iterable[int], proc: Path = Path("/proc")) -> int:
    """Bytes of device memory that the processes hold, by the kernel's usage statistics; 0 where its drivers do not tell.

    A client (one opened device) may be seen through several descriptors and counts once (kernel documentation, DRM client usage stats).
    """
    clients: dict[tuple[str, str], int] = {}
    for pid in pids:
        try:
            descriptors = list((proc / str(pid) / "fdinfo").iterdir())
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                text = descriptor.read_text("ascii", "replace")
            except OSError:
                continue
            if "drm-client-id" in text:
                fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
                clients[fields.get("drm-pdev", ""), fields["drm-client-id"]] = _device_memory(fields)
    return sum(clients.values())


def _device_memory(fields: dict[str, str]) -> int:
    """Of the device's own regions: resident where told, else the older `drm-memory-`."""
    for prefix in ("drm-resident-", "drm-memory-"):
        found = [_bytes(value) for key, value in fields.items() if key.startswith((f"{prefix}vram", f"{prefix}local"))]
        if found:
            return sum(found)
    return 0


def _bytes(text: str) -> int:
    number, _, unit = text.partition(" ")
    return int(number) * {"KiB": 1 << 10, "MiB": _MIB}.get(unit, 1) if number.isdecimal() else 0


def _binding() -> Any | None:
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception:  # noqa: BLE001  the binding raises its own errors, and OSError where the library is missing
        return None
    return nvml


def _handles(nvml: Any) -> list[Any]:
    found = (_asked(nvml, "nvmlDeviceGetHandleByIndex", index) for index in range(_asked(nvml, "nvmlDeviceGetCount") or 0))
    return [handle for handle in found if handle is not None]


def _asked(nvml: Any, function: str, *arguments: Any) -> Any:
    """The answer, None where this GPU, driver or binding does not give it."""
    try:
        return getattr(nvml, function)(*arguments)
    except Exception:  # noqa: BLE001  every error means the same here: not told
        return None


def _told(query: str) -> str | None:
    program = shutil.which(_PROGRAM)
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=_TIME_LIMIT, stdin=subprocess.DEVNULL, check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
