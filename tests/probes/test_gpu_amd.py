"""AMD GPUs: /sys of cards and of processors with a GPU, and the tools in their other spellings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from probes import gpu_amd
from recommender.domain.fingerprint import Device
from tests.probes.fake_sys import host, pci

NODE = "/sys/class/kfd/kfd/topology/nodes"
CARD = pci("0000:03:00.0", "1002:744c", "0300", "amdgpu", revision="0xcc\n", mem_info_vram_total="21458059264\n",
           mem_info_vram_used="27856896\n", mem_info_gtt_total="33000000000\n")  # fmt: skip
CARD_AUDIO = pci("0000:03:00.1", "1002:ab30", "0403", "snd_hda_intel")
APU = pci("0000:c5:00.0", "1002:9999", "0300", "amdgpu", mem_info_vram_total="536870912\n", mem_info_gtt_total="16000000000\n")
APU_SECURITY = pci("0000:c5:00.2", "1022:17e0", "1080", "ccp")


def node(number: int, location: int, target: int, **more: int) -> dict[str, str]:
    values = {"location_id": location, "domain": 0, "gfx_target_version": target, **more}
    return {f"{NODE}/{number}/properties": "".join(f"{key} {value}\n" for key, value in values.items())}


def observed(*parts: dict[str, str], **recording: Any) -> tuple[Device, ...]:
    raw = gpu_amd.read(host(*parts, **recording))
    return gpu_amd.parse(raw).devices if raw else ()


def told(text: Any) -> tuple[Device, ...]:
    return gpu_amd.parse({"tool": text if isinstance(text, str) else json.dumps(text)}).devices


@pytest.mark.parametrize(
    ("version", "gfx"),
    [(110000, "gfx1100"), (90010, "gfx90a"), (90402, "gfx942"), (100301, "gfx1031"), (110501, "gfx1151"), (120001, "gfx1201")],
)
def test_the_target_comes_from_the_compute_topology(version: int, gfx: str) -> None:
    (device,) = observed(CARD, node(0, 0, 0), node(1, 0x0300, version, simd_count=192, simd_per_cu=2))
    assert (device.identifiers["gfx"], device.attributes["compute_units"]) == (gfx, 96)


def test_a_card_has_its_own_memory() -> None:
    (device,) = observed(CARD, CARD_AUDIO, node(1, 0x0300, 110000))
    assert (device.memory_kind, device.memory_total) == ("dedicated", 21458059264)
    assert device.memory_available == 21458059264 - 27856896
    assert (device.driver, device.identifiers["pci"]) == ("amdgpu", "1002:744c")


def test_a_gpu_beside_processor_functions_shares_main_memory_even_when_its_target_is_unknown() -> None:
    (device,) = observed(APU, APU_SECURITY)
    assert (device.memory_kind, device.memory_total, device.memory_available) == ("shared", None, None)
    assert (device.attributes["vram_set_aside"], device.attributes["shared_limit"]) == (536870912, 16000000000)


def test_a_known_processor_target_shares_main_memory() -> None:
    (device,) = observed(APU, node(1, 0xC500, 110501))
    assert (device.identifiers["gfx"], device.memory_kind, device.memory_total) == ("gfx1151", "shared", None)


def test_the_product_is_told_by_device_and_revision() -> None:
    table = "# List of AMDGPU IDs\n1.0.0\n744C,\tC8,\tAMD Radeon RX 7900 XTX\n744C,\tCC,\tAMD Radeon RX 7900 XT\n"
    (device,) = observed(CARD, {"/usr/share/libdrm/amdgpu.ids": table})
    assert device.name == "AMD Radeon RX 7900 XT"


def test_an_unserved_card_is_unusable() -> None:
    (device,) = observed(pci("0000:03:00.0", "1002:744c", "0300"))
    assert device.attributes["usable"] is False


def test_the_tool_adds_to_the_card_it_speaks_of() -> None:
    report = {"card0": {"Card Series": "AMD Radeon RX 7900 XT", "PCI Bus": "0000:03:00.0", "GFX Version": "gfx1100"}}
    argv = "rocm-smi --showproductname --showbus --showmeminfo vram --showdriverversion --json"
    first, second = observed(CARD, APU, APU_SECURITY, commands={argv: {"stdout": json.dumps(report)}})
    assert (first.name, first.identifiers["gfx"], first.memory_total) == ("AMD Radeon RX 7900 XT", "gfx1100", 21458059264)
    assert second.name is None


def test_no_amd_device_reads_nothing() -> None:
    raw = gpu_amd.read(host(pci("0000:01:00.0", "10de:1002", "0300", "nvidia")))  # the number alone must not count
    assert raw is None


def test_amd_smi_as_json_with_memory() -> None:
    gpu: dict[str, Any] = {"gpu": 1, "asic": {"market_name": "AMD Instinct MI300X", "vendor_id": "0x1002", "device_id": "0x74a1",
     "num_compute_units": 304,
           "target_graphics_version": "gfx942"}, "bus": {"bdf": "0000:0C:00.0"},
           "vram": {"type": "HBM", "size": {"value": 196592, "unit": "MB"}}, "driver": {"name": "amdgpu",
            "version": "6.12.12"}}  # fmt: skip
    for document in ([gpu], {"gpu_data": [gpu]}):
        (device,) = told(document)
        assert (device.name, device.memory_total, device.attributes["pci_address"]) == (
            gpu["asic"]["market_name"],
            196592 << 20,
            "0000:0c:00.0",
        )
        assert (device.memory_kind, device.driver_version) == ("dedicated", "6.12.12")


def test_one_pool_of_a_combined_part_is_unified() -> None:
    asic = {
        "market_name": "AMD Instinct MI300A",
        "target_graphics_version": "gfx942",
        "vendor_id": "0x1002",
        "device_id": "0x74a0",
    }
    (device,) = told([{"gpu": 0, "asic": asic, "vram": {"size": {"value": 131072, "unit": "MB"}}}])
    assert (device.memory_kind, device.memory_total) == ("unified", None)


def test_amd_smi_as_text_with_unknown_name() -> None:
    (device,) = told("GPU: 0\n    ASIC:\n        MARKET_NAME: N/A\n        VENDOR_ID: 0x1002\n        DEVICE_ID: 0x744c\n"
                     "    VRAM:\n        TYPE: GDDR6\n        SIZE: 20464 MB\n        TARGET: x\n")  # fmt: skip
    assert (device.name, device.identifiers["pci"], device.memory_total) == (None, "1002:744c", 20464 << 20)


def test_rocm_smi_as_text() -> None:
    first, second = told(
        "======= ROCm System Management Interface =======\nDriver version: 6.8.5\n"
        "GPU[0]\t\t: Card Series: \t\tRadeon RX 7900 XTX\nGPU[0]\t\t: Card Model: \t\t0x744c\n"
        "GPU[0]\t\t: GFX Version: \t\tgfx1100\n"
        "GPU[0]\t\t: VRAM Total Memory (B): 25753026560\nGPU[1]\t\t: Card Series: \t\tAMD Radeon Graphics\n"
    )
    assert (first.name, first.memory_total, first.driver_version) == ("Radeon RX 7900 XTX", 25753026560, "6.8.5")
    assert (second.name, second.memory_total, second.memory_kind) == ("AMD Radeon Graphics", None, None)


def test_a_csv_row_with_the_makers_comma() -> None:
    (device,) = told(
        "WARNING: something\ndevice,Card Series,Card Model,Card Vendor,Card SKU,GFX Version\n"
        "card0,AMD Radeon PRO W7900,0x7448,Advanced Micro Devices, Inc. [AMD/ATI],D7070100,gfx1100\nsystem,,,,,\n"
    )
    assert (device.name, device.identifiers) == ("AMD Radeon PRO W7900", {"pci": "1002:7448", "gfx": "gfx1100"})


def test_a_cut_json_report_keeps_the_whole_cards() -> None:
    report = {
        f"card{n}": {"Card Series": f"Card {n}", "VRAM Total Memory (B)": "1000", "GFX Version": "gfx1100"} for n in range(3)
    }
    text = json.dumps(report, indent=1)
    found = told(text[: text.index("Card 2")])
    assert [device.name for device in found][:2] == ["Card 0", "Card 1"]


def test_rocminfo_tells_gpu_agents_from_processors() -> None:
    (device,) = told(
        "*******\nAgent 1\n*******\n  Name:                    AMD Ryzen 9 9950X\n  Device Type:             CPU\n"
        "*******\nAgent 2\n*******\n  Name:                    gfx1201\n  Marketing Name:          AMD Radeon RX 9070 XT\n"
        "  Device Type:             GPU\n  Chip ID:                 30032(0x7550)\n  Compute Unit:            64\n"
        "  Pool Info:\n    Pool 1\n      Segment:                 GLOBAL; FLAGS: COARSE GRAINED\n"
        "      Size:                    16695296(0xfec000) KB\n"
    )
    assert device.identifiers == {"pci": "1002:7550", "gfx": "gfx1201"}
    assert (device.name, device.memory_total, device.attributes["compute_units"]) == ("AMD Radeon RX 9070 XT", 16695296 << 10, 64)
