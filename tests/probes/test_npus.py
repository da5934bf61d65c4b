"""Intel and AMD NPUs: the bus, the driver's files, the accelerator node, reports of other versions."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from probes import npu_amd, npu_intel
from recommender.domain.fingerprint import Device
from tests.probes.fake_sys import host, pci

INTEL = pci("0000:00:0b.0", "8086:643e", "1200", "intel_vpu")
AMD = pci("0000:c6:00.1", "1022:17f0", "1180", "amdxdna", vbnv="RyzenAI-npu4\n", fw_version="1.0.0.63\n")
GPU = pci("0000:00:02.0", "8086:64a0", "0300", "xe")


def observed(probe: ModuleType, *parts: dict[str, str], **recording: Any) -> tuple[Device, ...]:
    raw = probe.read(host(*parts, **recording))
    found: tuple[Device, ...] = probe.parse(raw).devices if raw else ()
    return found


@pytest.mark.parametrize(
    ("probe", "function", "address", "vendor"),
    [(npu_intel, INTEL, "0000:00:0b.0", "intel"), (npu_amd, AMD, "0000:c6:00.1", "amd")],
)
def test_an_npu_with_its_node_is_usable(probe: ModuleType, function: dict[str, str], address: str, vendor: str) -> None:
    links = {"/sys/class/accel/accel0/device": f"../../../{address}"}
    (device,) = observed(probe, function, GPU, links=links, dirs={"/dev": ["accel", "null"], "/dev/accel": ["accel0"]})
    assert (device.kind, device.vendor, device.memory_kind) == ("npu", vendor, "shared")
    assert (device.attributes["usable"], device.attributes["accel_node"]) == (True, "accel0")


def test_a_bound_npu_without_node_is_unusable_and_says_which() -> None:
    links = {"/sys/class/accel/accel1/device": "../../../0000:00:0b.0"}
    (device,) = observed(npu_intel, INTEL, links=links, dirs={"/dev": ["null"]})
    assert device.attributes["usable"] is False and device.attributes["why_unusable"] == "no /dev/accel/accel1"


def test_an_npu_without_driver_names_that_reason_first() -> None:
    (device,) = observed(npu_intel, pci("0000:00:0b.0", "8086:b03e", "1200"), dirs={"/dev": ["null"]})
    assert device.attributes["usable"] is False and "driver" in device.attributes["why_unusable"]


def test_a_tree_without_dev_leaves_usability_open() -> None:
    (device,) = observed(npu_intel, INTEL)
    assert "usable" not in device.attributes


def test_the_driver_names_the_amd_npu_and_its_firmware() -> None:
    (device,) = observed(npu_amd, AMD)
    assert (device.name, device.attributes["firmware_version"], device.driver) == ("RyzenAI-npu4", "1.0.0.63", "amdxdna")


def test_the_report_joins_the_function_on_the_bus() -> None:
    report = (
        "XRT\n  Version              : 2.20.0\n  amdxdna              : 2.20.0_1, abc\n\n|[0000:c6:00.1]  |NPU Strix Halo  |\n"
    )
    (device,) = observed(npu_amd, AMD, commands={"xrt-smi examine": {"stdout": report}})
    assert (device.name, device.identifiers["pci"]) == ("NPU Strix Halo", "1022:17f0")
    assert (device.driver_version, device.attributes["xrt_version"]) == ("2.20.0_1", "2.20.0")


def test_a_card_in_the_report_is_no_npu() -> None:
    report = "XRT\n  Version : 2.17.0\nDevices present\nBDF  :  Name\n----\n[0000:65:00.1]  :  xilinx_u250_gen3x16_base_4\n"
    (device,) = npu_amd.parse({"tool": report}).devices
    assert (device.kind, device.vendor, device.name) == ("accelerator", "xilinx", "xilinx_u250_gen3x16_base_4")


def test_a_report_without_devices_gives_the_host_only() -> None:
    report = (
        "System Configuration\n  OS Name              : Linux\n  Memory               : 100 MB\nXRT\n"
        "  Version : 2.19.0\n\n0 devices found\n"
    )
    seen = npu_amd.parse({"tool": report})
    assert seen.devices == () and seen.memory is not None and seen.memory.total == 100 << 20


def test_the_kernel_log_of_the_intel_driver_with_a_date() -> None:
    log = (
        "[    5.1] [drm] Initialized intel_vpu 1.0.0 20230117 for 0000:00:0b.0 on minor 0\n"
        "[    5.2] [drm] Initialized i915 1.6.0 for 0000:00:02.0 on minor 1\n"
    )
    (device,) = npu_intel.parse({"log": log}).devices
    assert (device.driver, device.driver_version, device.attributes) == ("intel_vpu", "1.0.0", {"pci_address": "0000:00:0b.0"})


@pytest.mark.parametrize("probe", [npu_intel, npu_amd])
def test_a_host_without_npu_has_nothing_to_parse(probe: ModuleType) -> None:
    assert probe.read(host(GPU)) is None
