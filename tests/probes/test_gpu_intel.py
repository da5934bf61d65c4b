"""Intel GPUs from /sys and from xpu-smi."""

from __future__ import annotations

import json

from probes import gpu_intel
from tests.probes.fake_sys import host, pci

INTEGRATED = pci("0000:00:02.0", "8086:7dd5", "0300", "i915")
CARD = pci("0000:03:00.0", "8086:e20b", "0300", "xe", **{"tile0/physical_vram_size_bytes": "12884901888\n"})


def test_integrated_and_discrete_are_told_apart() -> None:
    raw = gpu_intel.read(host(INTEGRATED, CARD))
    assert raw is not None
    integrated, card = gpu_intel.parse(raw).devices
    assert (integrated.memory_kind, integrated.memory_total, integrated.driver) == ("shared", None, "i915")
    assert (card.memory_kind, card.memory_total, card.driver) == ("dedicated", 12884901888, "xe")


def test_the_tool_names_the_card() -> None:
    listing = {"device_list": [{"device_id": 0, "device_name": "Intel(R) Data Center GPU Flex 170", "device_type": "GPU",
                                "pci_bdf_address": "0000:03:00.0", "pci_device_id": "0x56c0"}]}  # fmt: skip
    raw = gpu_intel.read(host(CARD, commands={"xpu-smi discovery -j": {"stdout": json.dumps(listing)}}))
    assert raw is not None
    (device,) = gpu_intel.parse(raw).devices
    assert (device.name, device.identifiers["pci"]) == ("Intel(R) Data Center GPU Flex 170", "8086:e20b")


def test_other_makers_cards_are_left_alone() -> None:
    assert gpu_intel.read(host(pci("0000:01:00.0", "10de:2684", "0300", "nvidia"))) is None
