"""Hailo, Coral and Ascend: presence is one thing, a working driver another."""

from __future__ import annotations

from typing import Any

import pytest

from probes import accelerators
from recommender.domain.fingerprint import Device
from tests.probes.fake_sys import host, pci

CORAL = pci("0000:0b:00.0", "1ac1:089a", "0880", "apex")
HAILO = pci("0001:01:00.0", "1e60:2864", "0b40", "hailo")
IDENTIFY = "hailortcli fw-control identify"


def observed(*parts: dict[str, str], **recording: Any) -> tuple[Device, ...]:
    raw = accelerators.read(host(*parts, **recording))
    return accelerators.parse(raw).devices if raw else ()


def usb(port: str, vendor: str, product: str) -> dict[str, str]:
    folder = f"/sys/bus/usb/devices/{port}"
    return {f"{folder}/idVendor": f"{vendor}\n", f"{folder}/idProduct": f"{product}\n"}


def test_a_coral_without_its_node_is_there_but_unusable() -> None:
    (device,) = observed(CORAL, dirs={"/dev": ["null", "tty"]})
    assert (device.vendor, device.identifiers["pci"]) == ("google", "1ac1:089a")
    assert device.attributes["usable"] is False and "/dev/apex_0" in device.attributes["why_unusable"]


def test_a_coral_with_its_node_is_usable() -> None:
    (device,) = observed(CORAL, dirs={"/dev": ["apex_0", "null"]})
    assert device.attributes["usable"] is True


def test_a_tree_without_dev_leaves_usability_open() -> None:
    (device,) = observed(CORAL)
    assert "usable" not in device.attributes


@pytest.mark.parametrize("ident", [("1a6e", "089a"), ("18d1", "9302")])
def test_a_coral_on_usb_before_and_after_its_firmware(ident: tuple[str, str]) -> None:
    (device,) = observed(usb("2-1", *ident), usb("1-1", "046d", "c52b"))
    assert (device.kind, device.vendor, device.identifiers["usb"]) == ("accelerator", "google", ":".join(ident))


def test_lsusb_shows_the_same() -> None:
    text = "Bus 001 Device 002: ID 046d:c52b Logitech, Inc.\nBus 002 Device 003: ID 18d1:9302 Google Inc.\n"
    (device,) = accelerators.parse({"lsusb": text}).devices
    assert device.identifiers == {"usb": "18d1:9302"}


def test_the_bus_names_no_hailo_chip_until_the_tool_does() -> None:
    (unnamed,) = observed(HAILO)
    assert unnamed.name is None
    report = (
        "Executing on device: 0001:01:00.0\nFirmware Version: 4.21.0 (release,app)\nBoard Name: Hailo-8\n"
        "Device Architecture: HAILO8L\n"
    )
    (device,) = observed(HAILO, commands={IDENTIFY: {"stdout": report}})
    assert (device.name, device.identifiers) == ("HAILO8L", {"pci": "1e60:2864", "model": "HAILO8L"})


def test_two_hailo_devices_and_a_newer_report_without_board_name() -> None:
    report = (
        "Executing on device: 0000:01:00.0\nIdentifying board\nControl Protocol Version: 2\n"
        "Firmware Version: 5.1.1 (release,app)\n"
        "Device Architecture: HAILO10H\n\nExecuting on device: 0000:02:00.0\nDevice Architecture: HAILO8\n"
    )
    first, second = accelerators.parse({"hailo": report}).devices
    assert (first.name, first.attributes["firmware_version"], second.name) == ("HAILO10H", "5.1.1", "HAILO8")
    assert "firmware_version" not in second.attributes


def test_a_report_of_a_failure_is_no_device() -> None:
    assert accelerators.parse({"hailo": "[HailoRT] [error] Failed to open device file /dev/hailo0\n"}).devices == ()


def test_an_ascend_card_without_high_bandwidth_memory_in_use_counts_zero_as_unknown() -> None:
    text = (
        "| npu-smi 23.0.0                   Version: 23.0.0                                               |\n"
        "| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|\n"
        "| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |\n"
        "| 4     910A                | OK            | 66.0        36                0    / 0             |\n"
        "| 0                         | 0000:81:00.0  | 0           1    / 0          0    / 0             |\n"
    )
    (device,) = accelerators.parse({"huawei": text}).devices
    assert (device.name, device.memory_total, device.attributes["card"]) == ("910A", None, 4)


def test_a_host_without_any_reads_nothing() -> None:
    assert accelerators.read(host(usb("1-1", "046d", "c52b"), dirs={"/dev": ["null"]})) is None
