"""GPUs, NPUs and accelerators on the PCI bus, whatever their maker: from /sys and from what lspci and lshw print."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from probes.pci_bus import PciFunction, device_of, functions, read_bus
from probes.pci_listing import parse_lshw, parse_lspci
from recommender.domain.fingerprint import Device, Observation
from recommender.ports import PROBE_API, HostAccess

name = "pci"
api = PROBE_API
volatile = False
platforms = ("linux",)

# A live machine is asked the first; a recording may hold any.
_LISTINGS = (
    ("lspci", "-Dnnk"),
    ("lspci", "-vmmnD"),
    ("lspci", "-vmmnnD"),
    ("lspci", "-nnk"),
    ("lspci", "-nn"),
    ("lspci", "-n"),
    ("lspci",),
)


def read(host: HostAccess) -> dict[str, Any] | None:
    bus = read_bus(host)
    listings = _LISTINGS if not host.is_live else _LISTINGS[:1] if bus else ()
    raw: dict[str, Any] = {"bus": bus, "lspci": _first_output(host, listings)}
    if not host.is_live:
        raw["lshw"] = _first_output(host, (("lshw", "-numeric"), ("lshw",)))
    return raw if any(raw.values()) else None


def _first_output(host: HostAccess, commands: tuple[tuple[str, ...], ...]) -> str:
    return next((done.stdout for argv in commands if (done := host.run(argv)).ok and done.stdout.strip()), "")


def parse(raw: dict[str, Any]) -> Observation:
    """raw: `bus` as read from /sys, `lspci` in any of its layouts, `lshw` as text; each may be missing."""
    listed = parse_lspci(raw.get("lspci")) + parse_lshw(raw.get("lshw"))
    seen = functions(raw.get("bus"))
    names = {function.address: function for function in listed if function.address}
    merged = [_join(function, names.pop(function.address or "", None)) for function in seen]
    merged += [function for function in listed if not seen or function.address in names]
    devices = [device_of(function, index) for index, function in enumerate(merged)]
    return Observation(devices=tuple(_unique(device for device in devices if device)))


def _join(function: PciFunction, listed: PciFunction | None) -> PciFunction:
    return replace(function, name=listed.name, revision=listed.revision) if listed else function


def _unique(devices: Iterator[Device]) -> list[Device]:
    return list({device.id: device for device in devices}.values())
