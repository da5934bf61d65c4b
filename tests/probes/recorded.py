"""Where the recorded outputs lie, and how a test says what facts it expects of a Device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recommender.domain.fingerprint import Device

OUTPUTS = Path(__file__).resolve().parents[3] / "shared" / "snapshots" / "outputs"


def recorded_output(relative: str) -> str:
    """The text of one recorded output; the test is skipped, with the reason, where the recordings are not beside the checkout."""
    path = OUTPUTS / relative
    if not path.is_file():
        pytest.skip(f"no recorded output {relative} beside the checkout (shared/snapshots/outputs)")
    return path.read_text(encoding="utf-8", errors="replace")


def fact(device: Device, path: str) -> Any:
    """`name`, `identifiers.pci`, `attributes.vulkan.fp16`, `cores.physical`; None where a part is missing."""
    value: Any = device
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else getattr(value, part, None)
    return value


def missing_facts(devices: tuple[Device, ...], expected: list[dict[str, Any]]) -> list[str]:
    """What the devices, in order, do not show of what is expected; empty when they are as many and show it all."""
    if len(devices) != len(expected):
        return [f"{len(devices)} devices instead of {len(expected)}: {[device.id for device in devices]}"]
    return [
        f"device {number}: {path} is {fact(device, path)!r}, not {wanted!r}"
        for number, (device, facts) in enumerate(zip(devices, expected, strict=True))
        for path, wanted in facts.items()
        if fact(device, path) != wanted
    ]
