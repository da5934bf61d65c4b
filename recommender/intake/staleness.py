"""What must be unchanged for a cached answer to hold: the boot, drivers, buses, packages, programs, and this program itself.

Everything here is a handful of stat calls and small reads: it is asked at every run.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from recommender import __version__
from recommender.intake.run import PROBES_VARIABLE

BOOT_ID = "/proc/sys/kernel/random/boot_id"
BOOT_TOLERANCE = 120.0  # seconds; where only the boot time is known, it is computed from two clocks
_DRIVER_FOLDER = "/proc/driver"
_DEVICE_CLASSES = ("/sys/class/drm", "/sys/class/accel", "/sys/class/misc")
_BUSES = ("/sys/bus/pci/devices", "/sys/bus/usb/devices")


def stamp() -> dict[str, Any]:
    """The state of the machine as far as static facts depend on it; plain JSON."""
    return {
        "engine": __version__,
        "python": [sys.version, sys.executable],
        "user": os.geteuid() if hasattr(os, "geteuid") else os.environ.get("USERNAME", ""),
        "asked": os.environ.get(PROBES_VARIABLE, ""),
        "boot": _text(BOOT_ID),
        "root": _folder_state("/"),
        "drivers": _drivers(),
        "buses": [sorted(_names(bus)) for bus in _BUSES],
        "packages": {path: _folder_state(path) for path in _package_folders()},
        "programs": {path: _modified(path) for path in os.environ.get("PATH", "").split(os.pathsep) if path},
    }


def boot_time() -> float:
    """Seconds since the epoch at which this machine started, to within a few seconds."""
    # Clocks that go on while the machine sleeps: Linux, macOS; Windows' only one does so too.
    clock = getattr(time, "CLOCK_BOOTTIME", None) or getattr(time, "CLOCK_MONOTONIC", None)
    running = time.clock_gettime(clock) if clock is not None else time.monotonic()
    return time.time() - running


def is_same(kept: Any, kept_boot_time: Any, now: Mapping[str, Any]) -> bool:
    """Whether a kept stamp still holds. The boot time counts only where the system gives no boot id."""
    if kept != now:
        return False
    if now["boot"] is not None:
        return True
    return isinstance(kept_boot_time, (int, float)) and abs(kept_boot_time - boot_time()) < BOOT_TOLERANCE


def file_states(paths: Iterable[str]) -> dict[str, int | None]:
    """Time of change by path: probes that were edited or upgraded must run anew."""
    return {path: _modified(path) for path in paths}


def _drivers() -> dict[str, Any]:
    """Versions of loaded drivers: what they publish below /proc/driver, and modules that hold a graphics or accelerator node."""
    found: dict[str, Any] = {}
    for name in _names(_DRIVER_FOLDER):
        text = _text(f"{_DRIVER_FOLDER}/{name}/version")
        if text is not None:
            found[name] = text
    for folder in _DEVICE_CLASSES:
        for node in _names(folder):
            module = f"{folder}/{node}/device/driver/module"
            if "-" not in node and os.path.exists(module):
                # The folder of a module appears when it is loaded.
                found[f"{folder}/{node}"] = [os.path.realpath(module), _modified(module), _text(f"{module}/version")]
    return found


def _package_folders() -> list[str]:
    """Folders on sys.path that may hold packages. Their entries change when one is installed, upgraded or removed."""
    return [path for path in sys.path if path and path.rstrip("/\\").endswith(("site-packages", "dist-packages"))]


def _folder_state(path: str) -> list[int] | None:
    try:
        found = os.stat(path)
        return [found.st_dev, found.st_ino] if path == "/" else [found.st_mtime_ns, len(os.listdir(path))]
    except OSError:
        return None


def _modified(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except (OSError, ValueError):
        return None


def _names(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def _text(path: str) -> str | None:
    try:
        with open(path, "rb") as stream:
            return stream.read(4096).decode("utf-8", "replace").strip() or None
    except OSError:
        return None
