"""Builds the files of /sys that the probes read, for a RecordedHost."""

from __future__ import annotations

from typing import Any

from recommender.intake.host import RecordedHost

BUS = "/sys/bus/pci/devices"


def pci(address: str, ident: str, code: str, driver: str | None = None, **files: str) -> dict[str, str]:
    """The files of one function: its uevent, and others by name."""
    lines = [f"DRIVER={driver}"] if driver else []
    lines += [f"PCI_CLASS={code}00", f"PCI_ID={ident.upper()}", f"PCI_SLOT_NAME={address}"]
    named = {f"{BUS}/{address}/{name}": text for name, text in files.items()}
    return {f"{BUS}/{address}/uevent": "\n".join(lines) + "\n", **named}


def host(*parts: dict[str, str], **recording: Any) -> RecordedHost:
    """A Linux host with these files, and `links`, `dirs`, `commands`, `python` as given."""
    files = {path: text for part in parts for path, text in part.items()}
    return RecordedHost({"os": "linux", "files": files, **recording})
