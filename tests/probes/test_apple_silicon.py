"""Macs: key spellings, kinds of cores, Intel Macs, virtual Macs, translated and broken outputs, and a whole recorded Mac."""

from __future__ import annotations

import json

import pytest

from probes import apple_silicon
from probes.apple_text import core_counts
from recommender.domain.fingerprint import Observation
from recommender.intake.host import RecordedHost, command_key

GIB = 2**30


def parse(text: str) -> Observation:
    return apple_silicon.parse({"output": text})


@pytest.mark.parametrize(
    ("printed", "counts"),
    [
        ("proc 16:12:4", {"total": 16, "performance": 12, "efficiency": 4}),
        ("proc 24:16:8:0", {"total": 24, "performance": 16, "efficiency": 8}),
        ("proc 18:6:0:12", {"total": 18, "performance": 18, "efficiency": 0}),
        ("proc 12:0:8:4", {"total": 12, "performance": 8, "efficiency": 4}),
        ("10 (8 performance and 2 efficiency)", {"total": 10, "performance": 8, "efficiency": 2}),
        ("15 (5 super and 10 performance)", {"total": 15, "performance": 15, "efficiency": 0}),
        ("8 (4 Leistung und 4 Effizienz)", {"total": 8, "performance": 4, "efficiency": 4}),
        (2, {"total": 2}),
        ("6", {"total": 6}),
        ("proc 8:9:9", {"total": 8}),
        ("many", {}),
    ],
)
def test_core_counts(printed: object, counts: dict[str, int]) -> None:
    assert core_counts(printed) == counts


@pytest.mark.parametrize(
    ("levels", "performance", "efficiency"),
    [
        ([("Super", 6), ("Performance", 12)], 18, 0),
        ([("Super", 2), ("Performance", 4), ("Efficiency", 6)], 6, 6),
        ([("", 4), ("", 4)], 4, 4),
        ([("Performance", 8)], 8, 0),
    ],
)
def test_levels_of_cores_by_their_names(levels: list[tuple[str, int]], performance: int, efficiency: int) -> None:
    lines = ["machdep.cpu.brand_string: Apple M9", "hw.optional.arm64: 1"]
    for number, (name, count) in enumerate(levels):
        lines.append(f"hw.perflevel{number}.physicalcpu: {count}")
        lines += [f"hw.perflevel{number}.name: {name}"] if name else []
    cores = parse("\n".join(lines)).devices[0].cores
    assert cores is not None
    assert (cores.performance, cores.efficiency) == (performance, efficiency)


def test_an_equals_sign_separates_too() -> None:
    seen = parse("hw.memsize = 8589934592\nmachdep.cpu.brand_string = Apple M3 Pro\n")
    assert seen.host["soc"] == "Apple M3 Pro"
    assert seen.memory is not None and seen.memory.total == 8 * GIB


def test_a_feature_that_is_printed_as_0_is_not_there() -> None:
    seen = parse("machdep.cpu.brand_string: Apple M1\nhw.optional.arm.FEAT_I8MM: 0\nhw.optional.arm.FEAT_DotProd: 1\n")
    assert seen.devices[0].features == ("asimddp",)


def test_avx512_of_an_intel_mac_in_linux_spelling() -> None:
    seen = parse("machdep.cpu.vendor: GenuineIntel\nmachdep.cpu.leaf7_features: AVX2 AVX512F AVX512VNNI\nhw.physicalcpu: 18\n")
    assert {"avx2", "avx512f", "avx512_vnni"} <= set(seen.devices[0].features)
    assert [device.kind for device in seen.devices] == ["cpu"]


def test_rosetta_hides_the_chip_but_not_its_maker() -> None:
    seen = parse("machdep.cpu.brand_string: VirtualApple @ 2.50GHz\nhw.physicalcpu: 8\n")
    assert seen.devices[0].vendor == "apple"
    assert "soc" not in seen.host and len(seen.devices) == 1


@pytest.mark.parametrize(
    ("text", "virtualization"),
    [
        ("kern.hv_vmm_present: 1\nhw.optional.arm64: 1\nmachdep.cpu.brand_string: Apple M2 (Virtual)\n", "apple"),
        ("kern.hv_vmm_present: 0\nhw.optional.arm64: 1\nmachdep.cpu.brand_string: Apple M2\n", "none"),
        ("hw.model: VMware7,1\nmachdep.cpu.vendor: GenuineIntel\nhw.physicalcpu: 2\n", "vmware"),
        ("hw.model: VirtualMac2,1\nhw.optional.arm64: 1\nmachdep.cpu.brand_string: Apple M1\n", "apple"),
    ],
)
def test_virtual_macs(text: str, virtualization: str) -> None:
    seen = parse(text)
    assert seen.host["virtualization"] == virtualization
    kinds = {device.kind for device in seen.devices}
    assert kinds == ({"cpu", "gpu", "npu"} if virtualization == "none" else {"cpu"})


def test_an_intel_mac_with_two_gpus_as_json() -> None:
    document = {
        "SPHardwareDataType": [
            {
                "cpu_type": "6-Core Intel Core i7",
                "machine_model": "MacBookPro16,1",
                "machine_name": "MacBook Pro",
                "number_processors": 6,
                "physical_memory": "32 GB",
            },
        ],
        "SPDisplaysDataType": [
            {
                "sppci_model": "Intel UHD Graphics 630",
                "spdisplays_vendor": "Intel",
                "spdisplays_device-id": "0x3e9b",
                "_spdisplays_vram": "1536 MB",
                "spdisplays_vram_shared": "1536 MB",
            },
            {
                "sppci_model": "AMD Radeon Pro 5300M",
                "spdisplays_vendor": "sppci_vendor_amd",
                "spdisplays_device-id": "0x7340",
                "spdisplays_vram": "4 GB",
                "spdisplays_mtlgpufamilysupport": "spdisplays_metal3",
            },
        ],
    }
    seen = parse(json.dumps(document))
    cpu, intel, amd = seen.devices
    assert (cpu.vendor, cpu.cores and cpu.cores.physical) == ("intel", 6)
    assert (intel.identifiers["pci"], intel.memory_kind, intel.memory_total) == ("8086:3e9b", "shared", None)
    assert (amd.identifiers["pci"], amd.memory_kind, amd.memory_total) == ("1002:7340", "dedicated", 4 * GIB)
    assert seen.host["architecture"] == "x86_64"


def test_a_translated_report_is_read_by_the_shape_of_its_values() -> None:
    report = """Hardware:

    Hardwareübersicht:

      Modellname: MacBook Air
      Modell-Identifizierung: MacBookAir10,1
      Chip: Apple M1
      Gesamtanzahl der Kerne: 8 (4 Leistung und 4 Effizienz)
      Speicher: 16 GB
"""
    seen = parse(report)
    cores = seen.devices[0].cores
    assert (seen.host["soc"], seen.host["machine_model"], seen.host["machine_class"]) == ("Apple M1", "MacBookAir10,1", "laptop")
    assert cores is not None and (cores.performance, cores.efficiency) == (4, 4)
    assert seen.memory is not None and seen.memory.total == 16 * GIB


def test_a_whole_mac() -> None:
    commands = {key: {"stdout": ""} for key in map(command_key, apple_silicon._COMMANDS.values())}
    sysctl, versions, profiler = commands
    commands[sysctl]["stdout"] = (
        "hw.ncpu: 10\nhw.memsize: 25769803776\nhw.physicalcpu: 10\nhw.logicalcpu: 10\nhw.perflevel0.physicalcpu: 4\n"
        "hw.perflevel0.name: Performance\nhw.perflevel1.physicalcpu: 6\nhw.perflevel1.name: Efficiency\nhw.optional.arm64: 1\n"
        "hw.optional.arm.FEAT_I8MM: 1\nmachdep.cpu.brand_string: Apple M4\nkern.hv_vmm_present: 0\niogpu.wired_limit_mb: 20000\n"
    )
    commands[versions]["stdout"] = "ProductName:\t\tmacOS\nProductVersion:\t\t15.5\nBuildVersion:\t\t24F74\n"
    commands[profiler]["stdout"] = json.dumps(
        {
            "SPHardwareDataType": [
                {
                    "chip_type": "Apple M4",
                    "machine_model": "Mac16,10",
                    "machine_name": "Mac mini",
                    "number_processors": "proc 10:4:6",
                    "physical_memory": "24 GB",
                }
            ],
            "SPDisplaysDataType": [
                {
                    "sppci_model": "Apple M4",
                    "sppci_cores": "10",
                    "spdisplays_vendor": "sppci_vendor_Apple",
                    "spdisplays_mtlgpufamilysupport": "spdisplays_metal3",
                }
            ],
            "SPMemoryDataType": [{"SPMemoryDataType": "24 GB", "dimm_type": "LPDDR5", "dimm_manufacturer": "Micron"}],
        }
    )
    host = RecordedHost({"os": "macos", "architecture": "aarch64", "commands": commands})
    raw = apple_silicon.read(host)
    assert raw is not None
    seen = apple_silicon.parse(raw)
    cpu, gpu, npu = seen.devices
    assert dict(seen.host) == {
        "os": "macos",
        "os_version": "15.5",
        "architecture": "aarch64",
        "machine_vendor": "Apple",
        "machine_model": "Mac16,10",
        "machine_class": "desktop",
        "soc": "Apple M4",
        "virtualization": "none",
    }
    assert cpu.cores is not None and (cpu.cores.performance, cpu.cores.efficiency) == (4, 6)
    assert "i8mm" in cpu.features
    assert (gpu.identifiers["gpu_cores"], gpu.memory_kind, gpu.attributes["wired_limit"]) == ("10", "unified", 20000 * 2**20)
    assert npu.identifiers == {"soc": "Apple M4"}
    assert seen.memory is not None and (seen.memory.total, seen.memory.kind) == (24 * GIB, "LPDDR5")


def test_other_systems_are_not_asked() -> None:
    assert apple_silicon.read(RecordedHost({"os": "linux"})) is None
    assert apple_silicon.read(RecordedHost({"os": "macos"})) is None


@pytest.mark.parametrize(
    "junk", ["", "{", "[]", "null", '{"SPHardwareDataType": 3}', '{"SPHardwareDataType": [1]}', "hw.", "\0\0", "a: b\n"]
)
def test_junk_gives_nothing(junk: str) -> None:
    assert parse(junk) == Observation()


def test_memory_modules_of_an_intel_mac() -> None:
    seen = parse(
        "Memory:\n\n    Memory Slots:\n\n      ECC: Disabled\n\n"
        "        BANK 0/ChannelA-DIMM0:\n\n          Size: 8 GB\n          Type: DDR4\n"
    )
    assert seen.memory is not None and seen.memory.kind == "DDR4"
