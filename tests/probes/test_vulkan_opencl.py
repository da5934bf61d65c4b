"""vulkaninfo and clinfo: several GPUs, several drivers for one GPU, renderers that are none, other layouts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from probes import opencl, vulkan
from recommender.domain.fingerprint import Device
from recommender.intake.host import RecordedHost


def gpu(number: int, name: str, vendor: str, device: str, kind: str, driver: str) -> str:
    return (
        f"GPU{number}:\n\tapiVersion         = 1.3.289\n\tdriverVersion      = 25.1.0\n\tvendorID           = {vendor}\n"
        f"\tdeviceID           = {device}\n\tdeviceType         = PHYSICAL_DEVICE_TYPE_{kind}\n\tdeviceName         = {name}\n"
        f"\tdriverID           = {driver}\n\tdriverName         = {driver.lower()}\n\tdriverInfo         = Mesa 25.1.0\n"
    )


CARD = ("AMD Radeon RX 7900 XT (RADV NAVI31)", "0x1002", "0x744c", "DISCRETE_GPU", "DRIVER_ID_MESA_RADV")
INTEGRATED = ("Intel(R) Arc(tm) Graphics (MTL)", "0x8086", "0x7d55", "INTEGRATED_GPU", "DRIVER_ID_INTEL_OPEN_SOURCE_MESA")
SOFTWARE = ("llvmpipe (LLVM 20.1.8, 256 bits)", "0x10005", "0x0000", "CPU", "DRIVER_ID_MESA_LLVMPIPE")
ADRENO = ("Adreno (TM) 750", "0x5143", "0x43051401", "INTEGRATED_GPU", "DRIVER_ID_QUALCOMM_PROPRIETARY")


def seen(*gpus: tuple[str, ...]) -> tuple[Device, ...]:
    text = "==========\nVULKANINFO\n==========\nDevices:\n========\n" + "".join(gpu(n, *facts) for n, facts in enumerate(gpus))
    return vulkan.parse({"summary": text}).devices


def test_cards_and_integrated_gpus_are_told_apart_and_software_is_left_out() -> None:
    card, integrated = seen(CARD, INTEGRATED, SOFTWARE)
    assert (card.identifiers["pci"], card.memory_kind, card.vendor) == ("1002:744c", "dedicated", "amd")
    assert (integrated.identifiers["pci"], integrated.memory_kind) == ("8086:7d55", "shared")
    assert card.attributes["vulkan"]["api_version"] == "1.3.289"


def test_two_equal_cards_are_two_but_a_second_driver_is_the_same_card() -> None:
    assert len(seen(CARD, CARD)) == 2
    other_driver = (*CARD[:4], "DRIVER_ID_AMD_OPEN_SOURCE")
    assert len(seen(CARD, other_driver)) == 1


def test_numbers_of_a_system_on_chip_are_no_bus_id() -> None:
    (device,) = seen(ADRENO)
    assert (device.identifiers, device.vendor, device.name) == ({}, "qualcomm", "Adreno (TM) 750")


def test_the_full_report_has_the_same_properties() -> None:
    text = (
        "VkPhysicalDeviceProperties:\n---------------------------\n\tapiVersion     = 4206847 (1.3.255)\n"
        "\tvendorID       = 0x10de\n"
        "\tdeviceID       = 0x2684\n\tdeviceType     = PHYSICAL_DEVICE_TYPE_DISCRETE_GPU\n"
        "\tdeviceName     = NVIDIA GeForce RTX 4090\n"
    )
    (device,) = vulkan.parse({"summary": text}).devices
    assert (device.identifiers["pci"], device.attributes["vulkan"]["api_version"]) == ("10de:2684", "1.3.255")


def test_a_loader_without_devices_reads_nothing() -> None:
    commands = {"vulkaninfo --summary": {"stdout": "", "stderr": "ERROR_INCOMPATIBLE_DRIVER", "returncode": 1}}
    assert vulkan.read(RecordedHost({"os": "linux", "commands": commands})) is None


PLAIN = """
  Platform Name                                   AMD Accelerated Parallel Processing
Number of devices                                 1
  Device Name                                     gfx1100
  Device Vendor                                   Advanced Micro Devices, Inc.
  Device Vendor ID                                0x1002
  Device Version                                  OpenCL 2.0
  Driver Version                                  3590.0 (HSA1.1,LC)
  Device Type                                     GPU
  Device Board Name (AMD)                         Radeon RX 7900 XT
  Device Topology (AMD)                           PCI-E, 0000:0a:00.0
  Max compute units                               42
  Global memory size                              21458059264 (19.98GiB)
  Unified memory for Host and Device              No
  Device Extensions                               cl_khr_fp64 cl_khr_fp16

  Platform Name                                   Portable Computing Language
Number of devices                                 1
  Device Name                                     cpu-haswell-AMD Ryzen 9
  Device Type                                     CPU

  Platform Name                                   NVIDIA CUDA
Number of devices                                 2
  Device Name                                     NVIDIA RTX A2000
  Device Vendor ID                                0x10de
  Device Topology (NV)                            PCI-E, 0000:01:00.0
  Device Type                                     GPU
  Compute Capability (NV)                         8.6
  Device Name                                     NVIDIA RTX A2000
  Device Vendor ID                                0x10de
  Device Topology (NV)                            PCI-E, 0000:02:00.0
  Device Type                                     GPU

NULL platform behavior
  Device Name                                     gfx1100
"""


def test_the_plain_report_of_three_platforms() -> None:
    amd, first, second = opencl.parse({"clinfo": PLAIN}).devices
    assert (amd.name, amd.identifiers, amd.memory_total) == ("Radeon RX 7900 XT", {"gfx": "gfx1100"}, 21458059264)
    assert (amd.attributes["pci_address"], amd.memory_kind) == ("0000:0a:00.0", "dedicated")
    assert amd.attributes["opencl"]["fp16"] is True and amd.attributes["opencl"]["platform"].startswith("AMD")
    assert (first.identifiers, second.identifiers) == ({"compute_capability": "8.6"}, {})
    assert first.id != second.id


@pytest.mark.parametrize(("unified", "kind", "total"), [(True, "shared", None), (False, "dedicated", 1000), (None, None, None)])
def test_memory_is_the_cards_own_only_where_the_report_says_so(unified: bool | None, kind: str | None, total: int | None) -> None:
    values: dict[str, Any] = {"CL_DEVICE_NAME": "Some GPU", "CL_DEVICE_GLOBAL_MEM_SIZE": 1000}
    values |= {} if unified is None else {"CL_DEVICE_HOST_UNIFIED_MEMORY": unified}
    (device,) = opencl.parse({"clinfo": json.dumps({"platforms": [], "devices": [{"online": [values]}]})}).devices
    assert (device.memory_kind, device.memory_total) == (kind, total)


def test_one_card_under_two_platforms_is_one() -> None:
    values = {"CL_DEVICE_NAME": "A", "CL_DEVICE_PCI_BUS_INFO_KHR": "PCI-E, 0000:03:00.0"}
    document = {"devices": [{"online": [values]}, {"online": [{**values, "CL_DEVICE_NAME": "B"}]}]}
    (device,) = opencl.parse({"clinfo": json.dumps(document)}).devices
    assert device.name == "A"
