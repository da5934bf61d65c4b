"""The processors of recorded machines and of recorded /proc/cpuinfo texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes import cpu_linux
from recommender.domain.fingerprint import Cache, Cores, Observation
from recommender.ports import HostAccess

from .trees import recorded_output, recorded_tree


def observe(host: HostAccess) -> Observation:
    raw = cpu_linux.read(host)
    return cpu_linux.parse(raw) if raw else Observation()


def from_text(text: str) -> Observation:
    return cpu_linux.parse({"cpuinfo": text})


RECORDED = {
    "arm-A510-A710-A715-X3.tar.gz": dict(
        architecture="aarch64",
        vendor="arm",
        name="3x Cortex-A510 + 2x Cortex-A715 + 2x Cortex-A710 + 1x Cortex-X3",
        identifiers={"part": "0x41:0xd46+0x41:0xd4d+0x41:0xd47+0x41:0xd4e"},
        cores=Cores(physical=8, logical=8, performance=5, efficiency=3),
        features=37,
        has="i8mm",
        lacks="sve2",
        caches=(),
        attributes={"max_hz": 3_187_200_000, "smt": False, "numa_nodes": None, "sockets": None},
    ),
    "armv7.tar.gz": dict(
        architecture="armv7l",
        vendor="arm",
        name="2x Cortex-A15",
        identifiers={"part": "0x41:0xc0f"},
        cores=Cores(physical=2, logical=2),
        features=13,
        has="neon",
        lacks="asimd",
        caches=(),
        attributes={"max_hz": 1_700_000_000, "hardware_line": "SAMSUNG EXYNOS5 (Flattened Device Tree)", "sockets": 1},
    ),
    "rv64-visionfive2.tar.gz": dict(
        architecture="riscv64",
        vendor="sifive",
        name="sifive,u74-mc",
        identifiers={},
        cores=Cores(physical=4, logical=4),
        features=12,
        has="zbb",
        lacks="v",
        caches=((1, "data", 32 << 10, 4), (1, "instruction", 32 << 10, 4), (2, "unified", 2 << 20, 1)),
        attributes={"isa": "rv64imafdc_zicntr_zicsr_zifencei_zihpm_zba_zbb", "numa_nodes": 1, "max_hz": None, "smt": False},
    ),
    "x86_64-64cpu-linux6.2.tar.gz": dict(
        architecture="x86_64",
        vendor="intel",
        name="11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz",
        identifiers={"cpuid": "GenuineIntel:6:140:1"},
        cores=Cores(physical=4, logical=8),
        features=147,
        has="avx512_vnni",
        lacks="amx_int8",
        caches=(
            (1, "data", 48 << 10, 4),
            (1, "instruction", 32 << 10, 4),
            (2, "unified", 1280 << 10, 4),
            (3, "unified", 12 << 20, 1),
        ),
        attributes={"max_hz": 4_700_000_000, "smt": True, "sockets": 1, "numa_nodes": 1},
    ),
    "x86_64-epyc_7451.tar.gz": dict(
        architecture="x86_64",
        vendor="amd",
        name="AMD EPYC 7451 24-Core Processor",
        identifiers={"cpuid": "AuthenticAMD:23:1:2"},
        cores=Cores(physical=48, logical=96),
        features=111,
        has="avx2",
        lacks="avx512f",
        caches=(
            (1, "data", 32 << 10, 48),
            (1, "instruction", 64 << 10, 48),
            (2, "unified", 512 << 10, 48),
            (3, "unified", 8 << 20, 16),
        ),
        attributes={"max_hz": 2_300_000_000, "smt": True, "sockets": 2, "numa_nodes": 8},
    ),
    "hybrid-i7-1370P.tar.bz2": dict(
        architecture="x86_64",
        vendor="intel",
        name="13th Gen Intel(R) Core(TM) i7-1370P",
        identifiers={"cpuid": "GenuineIntel:6:186:2"},
        cores=Cores(physical=14, logical=20, performance=6, efficiency=8),
        features=137,
        has="avx_vnni",
        lacks="avx512f",
        caches=(
            (1, "data", 32 << 10, 8),
            (1, "data", 48 << 10, 6),
            (1, "instruction", 32 << 10, 6),
            (1, "instruction", 64 << 10, 8),
            (2, "unified", 1280 << 10, 6),
            (2, "unified", 2 << 20, 2),
            (3, "unified", 24 << 20, 1),
        ),
        attributes={"max_hz": 5_200_000_000, "smt": True, "sockets": 1, "numa_nodes": 1},
    ),
}


@pytest.mark.parametrize("archive", RECORDED)
def test_a_recorded_machine_gives_what_its_tree_holds(tmp_path: Path, archive: str) -> None:
    expected = RECORDED[archive]
    seen = observe(recorded_tree(tmp_path, archive))
    found = seen.devices[0]
    assert seen.host == {"architecture": expected["architecture"]}
    assert (found.id, found.kind, found.vendor, found.name) == ("cpu0", "cpu", expected["vendor"], expected["name"])
    assert dict(found.identifiers) == expected["identifiers"]
    assert found.cores == expected["cores"]
    assert len(found.features) == expected["features"] and list(found.features) == sorted(found.features)
    assert expected["has"] in found.features and expected["lacks"] not in found.features
    assert found.caches == tuple(Cache(level=a, type=b, size=c, instances=d) for a, b, c, d in expected["caches"])
    assert {key: found.attributes.get(key) for key in expected["attributes"]} == expected["attributes"]
    assert found.attributes["offline_cpus"] == []


def test_clusters_of_a_recorded_phone_carry_their_clocks(tmp_path: Path) -> None:
    rows = observe(recorded_tree(tmp_path, "arm-A510-A710-A715-X3.tar.gz")).devices[0].attributes["clusters"]
    assert [(row["name"], row["part"], row["count"], row["max_hz"], row["size"]) for row in rows] == [
        ("Cortex-A510", "0x41:0xd46", 3, 2_016_000_000, "little"),
        ("Cortex-A715", "0x41:0xd4d", 2, 2_803_200_000, "middle"),
        ("Cortex-A710", "0x41:0xd47", 2, 2_803_200_000, "middle"),
        ("Cortex-X3", "0x41:0xd4e", 1, 3_187_200_000, "big"),
    ]


@pytest.mark.parametrize(
    ("name", "architecture", "vendor", "part", "logical", "performance", "efficiency", "title"),
    [
        (
            "android/galaxy-s22-ultra_sd8gen1.cpuinfo",
            "aarch64",
            "arm",
            "0x41:0xd46+0x41:0xd47+0x41:0xd48",
            8,
            4,
            4,
            "4x Cortex-A510 + 3x Cortex-A710 + 1x Cortex-X2",
        ),
        (
            "android/galaxy-s24plus_exynos2400.cpuinfo",
            "aarch64",
            "arm",
            "0x41:0xd80+0x41:0xd81+0x41:0xd82",
            10,
            6,
            4,
            "4x Cortex-A520 + 5x Cortex-A720 + 1x Cortex-X4",
        ),
        ("android/galaxy-s25plus_sd8elite.cpuinfo", "aarch64", "qualcomm", "0x51:0x001", 8, None, None, "8x Oryon"),
        (
            "android/iqoo-neo9-pro_dimensity9300.cpuinfo",
            "aarch64",
            "arm",
            "0x41:0xd81+0x41:0xd82",
            8,
            4,
            4,
            "4x Cortex-A720 + 4x Cortex-X4",
        ),
        (
            "android/pixel-8-pro_tensor-g3.cpuinfo",
            "aarch64",
            "arm",
            "0x41:0xd46+0x41:0xd4d+0x41:0xd4e",
            9,
            5,
            4,
            "4x Cortex-A510 + 4x Cortex-A715 + 1x Cortex-X3",
        ),
        (
            "android/pixel_tensor-g2.cpuinfo",
            "aarch64",
            "arm",
            "0x41:0xd05+0x41:0xd41+0x41:0xd44",
            8,
            4,
            4,
            "4x Cortex-A55 + 2x Cortex-A78 + 2x Cortex-X1",
        ),
        (
            "android/xiaomi-13-pro_sd8gen2.cpuinfo",
            "aarch64",
            "arm",
            "0x41:0xd46+0x41:0xd4d+0x41:0xd47+0x41:0xd4e",
            8,
            5,
            3,
            "3x Cortex-A510 + 2x Cortex-A715 + 2x Cortex-A710 + 1x Cortex-X3",
        ),
        ("boards/dell-gb10.cpuinfo", "aarch64", "arm", "0x41:0xd87+0x41:0xd85", 20, 10, 10, "10x Cortex-A725 + 10x Cortex-X925"),
        ("boards/qcs6490.cpuinfo", "aarch64", "arm", "0x41:0xd05+0x41:0xd41", 8, 4, 4, "4x Cortex-A55 + 4x Cortex-A78"),
        ("boards/raspberry-pi-5.cpuinfo", "aarch64", "arm", "0x41:0xd0b", 4, None, None, "4x Cortex-A76"),
        ("boards/rk3588.cpuinfo", "aarch64", "arm", "0x41:0xd05+0x41:0xd0b", 8, 4, 4, "4x Cortex-A55 + 4x Cortex-A76"),
        ("npu/raspberry-pi-5-hailo-8.cpuinfo.txt", "aarch64", "arm", "0x41:0xd0b", 4, None, None, "4x Cortex-A76"),
        (
            "macos/asahi-linux_m1-max.cpuinfo",
            "aarch64",
            "apple",
            "0x61:0x028+0x61:0x029",
            10,
            8,
            2,
            "2x Icestorm-M1-Max + 8x Firestorm-M1-Max",
        ),
        ("macos/asahi-linux_m2.cpuinfo", "aarch64", "apple", "0x61:0x032", 1, None, None, "1x Blizzard-M2"),
        ("windows/snapdragon-x-elite_linux.cpuinfo", "aarch64", "qualcomm", "0x51:0x001", 12, None, None, "12x Oryon"),
        ("boards/orange-pi-rv2.cpuinfo.txt", "riscv64", "ky", None, 8, None, None, "Ky(R) X1"),
        ("npu/intel-core-ultra-7-256v.cpuinfo.txt", "x86_64", "intel", None, 8, None, None, "Intel(R) Core(TM) Ultra 7 256V"),
        ("npu/hp-zbook-g11-ultra7-165h.cpuinfo.txt", "x86_64", "intel", None, 22, None, None, "Intel(R) Core(TM) Ultra 7 165H"),
        (
            "linux-gpu/i5-3570k_arc-a580_gtx1080ti.cpuinfo.txt",
            "x86_64",
            "intel",
            None,
            4,
            None,
            None,
            "Intel(R) Core(TM) i5-3570K CPU @ 3.40GHz",
        ),
    ],
)
def test_the_text_alone_is_enough(name, architecture, vendor, part, logical, performance, efficiency, title) -> None:
    seen = from_text(recorded_output(name))
    found = seen.devices[0]
    assert (seen.host["architecture"], found.vendor, found.name, found.identifiers.get("part")) == (
        architecture,
        vendor,
        title,
        part,
    )
    assert (found.cores.logical, found.cores.performance, found.cores.efficiency) == (logical, performance, efficiency)
    assert "soc" not in found.identifiers and found.caches == ()


@pytest.mark.parametrize(
    ("name", "has", "lacks"),
    [
        ("android/galaxy-s25plus_sd8elite.cpuinfo", {"i8mm", "bf16"}, {"sve", "sve2"}),
        ("boards/orange-pi-rv2.cpuinfo.txt", {"v", "zvfh", "zba", "i", "m"}, {"rv64", ""}),
        ("linux-gpu/i5-3570k_arc-a580_gtx1080ti.cpuinfo.txt", {"avx"}, {"avx2"}),
        ("npu/intel-core-ultra-7-256v.cpuinfo.txt", {"avx_vnni"}, {"avx512f"}),
    ],
)
def test_features_of_a_text(name: str, has: set[str], lacks: set[str]) -> None:
    features = set(from_text(recorded_output(name)).devices[0].features)
    assert has <= features and not lacks & features


def test_a_hardware_line_is_a_hint_and_never_the_chip() -> None:
    found = from_text(recorded_output("boards/raspberry-pi-5.cpuinfo")).devices[0]
    assert found.attributes["hardware_line"] == "BCM2835"
    assert "BCM2835" not in found.identifiers.values()
