"""Boards: device-tree strings, Jetson modules and power modes, Raspberry Pi, Rockchip NPU, reports, broken outputs."""

from __future__ import annotations

import pytest

from probes import boards
from probes.device_tree import chip_of, compatibles, maker_of
from probes.jetson import default_power_mode, l4t_version, module_name, module_part, power_mode, power_modes, tegrastats
from recommender.domain.fingerprint import Observation
from recommender.intake.host import RecordedHost

MIB = 2**20


def parse(text: str) -> Observation:
    return boards.parse({"output": text})


@pytest.mark.parametrize(
    ("text", "chip", "maker"),
    [
        ("raspberrypi,5-model-b\0brcm,bcm2712\0", "BCM2712", "Raspberry Pi"),
        ("raspberrypi,5-model-bbrcm,bcm2712", "BCM2712", "Raspberry Pi"),
        ("nvidia,p3768-0000+p3767-0005nvidia,p3767-0005nvidia,tegra234nvidia,tegra23x", "TEGRA234", "NVIDIA"),
        ("hardkernel,odroid-n2\0amlogic,s922x\0amlogic,g12b\0", "S922X", "Hardkernel"),
        ("xunlong,orangepi-zero3 allwinner,sun50i-h618", "H618", "Xunlong"),
        ("apple,j314c\0apple,t6001\0apple,arm-platform\0", "T6001", "Apple"),
        ("lenovo,yoga-slim7x\0qcom,x1e80100\0", "X1E80100", "Lenovo"),
        ("fsl,imx8mp-evk\0fsl,imx8mp\0", "IMX8MP", "NXP"),
        ("acme,testboard\0rockchip,rk3576\0", "RK3576", None),
        ("linux,dummy-virt", None, None),
    ],
)
def test_compatible_strings(text: str, chip: str | None, maker: str | None) -> None:
    entries = compatibles(text)
    assert (chip_of(entries), maker_of(entries)) == (chip, maker)


@pytest.mark.parametrize(
    ("text", "part", "module"),
    [
        ("nvidia,p3768-0000+p3767-0000", "p3767-0000", "Jetson Orin NX 16GB"),
        ("nvidia,p3768-0000+p3767-0001-super", "p3767-0001", "Jetson Orin NX 8GB"),
        ("nvidia,p3768-0000+p3767-0004", "p3767-0004", "Jetson Orin Nano 4GB"),
        ("nvidia,p3768-0000+p3767-0005-super", "p3767-0005", "Jetson Orin Nano 8GB"),
        ("nvidia,p3737-0000+p3701-0000", "p3701-0000", "Jetson AGX Orin"),
        ("nvidia,p3509-0000+p3668-0001", "p3668-0001", "Jetson Xavier NX"),
        ("nvidia,p3450-0000 nvidia,p3448-0000", "p3448-0000", "Jetson Nano"),
        ("nvidia,p3767-0009", "p3767-0009", None),
        ("NVIDIA Jetson Orin NX Engineering Reference Developer Kit", None, None),
    ],
)
def test_the_part_number_names_the_module(text: str, part: str | None, module: str | None) -> None:
    assert (module_part(text), module_name(module_part(text))) == (part, module)


def test_a_descriptive_text_names_no_module() -> None:
    seen = boards.parse(
        {"/proc/device-tree/model": "NVIDIA Jetson Orin NX Developer Kit\0", "/proc/device-tree/compatible": "nvidia,tegra234\0"}
    )
    assert "module" not in seen.host and seen.devices[-1].name is None


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("# R36 (release), REVISION: 4.7, GCID: 42132812, BOARD: generic", "36.4.7"),
        ("# R32 (release), REVISION: 7.1, GCID: 1", "32.7.1"),
        ("# R38 (release)", None),
    ],
)
def test_l4t(text: str, version: str | None) -> None:
    assert l4t_version(text) == version


def test_power_modes_of_the_configuration_file() -> None:
    text = """< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online
< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
CPU_ONLINE CORE_1 1
< POWER_MODEL ID=1 NAME=7W >
CPU_ONLINE CORE_0 1
CPU_ONLINE CORE_1 0
< PM_CONFIG DEFAULT=1 >
"""
    assert power_modes(text) == {"15W": 2, "7W": 1}
    assert default_power_mode(text) == "7W"


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("NV Power Mode: MAXN\n0\n", "MAXN"),
        ("NVPM WARN: fan\nNV Power Mode: MODE_15W_6CORE\n2\n", "15W_6CORE"),
        ("permission denied", None),
    ],
)
def test_the_power_mode_that_is_on(text: str, mode: str | None) -> None:
    assert power_mode(text) == mode
    assert parse(text).power == ({"profile": mode} if mode else {})


def test_tegrastats_with_cpus_off_and_one_clock() -> None:
    line = "RAM 1903/3964MB (lfb 1x4MB) SWAP 0/1982MB CPU [10%@921,off,off,5%@921] EMC_FREQ 0% GR3D_FREQ 99%@921 PLL@30C"
    told = tegrastats(line)
    assert (told["memory_total"], told["cpus"], told["cpus_online"], told["gpu_clocks"]) == (3964 * MIB, 4, 2, [921_000_000])
    assert tegrastats("RAM 1903") == {}


def test_a_whole_jetson() -> None:
    host = RecordedHost(
        {
            "os": "linux",
            "files": {
                "/proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
                "/proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005-super\0nvidia,p3767-0005\0nvidia,tegra234\0",
                "/etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n",
            },
            "commands": {"nvpmodel -q": {"stdout": "NV Power Mode: MAXN_SUPER\n2\n"}},
        }
    )
    raw = boards.read(host)
    assert raw is not None
    seen = boards.parse(raw)
    gpu = next(device for device in seen.devices if device.kind == "gpu")
    assert (seen.host["board"], seen.host["soc"], seen.host["l4t_version"]) == ("p3767-0005", "TEGRA234", "36.4.3")
    assert (gpu.vendor, gpu.name, gpu.memory_kind) == ("nvidia", "NVIDIA Jetson Orin Nano 8GB", "unified")
    assert gpu.identifiers == {"soc": "TEGRA234", "board": "p3767-0005"}
    assert (gpu.attributes["power_mode"], gpu.attributes["is_super"], seen.power["profile"]) == ("MAXN_SUPER", True, "MAXN_SUPER")
    assert seen.host["machine_class"] == "module"


def test_a_whole_raspberry_pi() -> None:
    tree = "/sys/firmware/devicetree/base"
    host = RecordedHost(
        {
            "os": "linux",
            "files": {
                f"{tree}/model": "Raspberry Pi 5 Model B Rev 1.0\0",
                f"{tree}/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
                f"{tree}/axi/gpu@1002000000/compatible": "brcm,2712-v3d\0",
            },
        }
    )
    seen = boards.parse(boards.read(host) or {})
    assert dict(seen.host) == {
        "os": "linux",
        "machine_vendor": "Raspberry Pi",
        "machine_model": "Raspberry Pi 5 Model B Rev 1.0",
        "machine_class": "sbc",
        "board": "raspberrypi,5-model-b",
        "soc": "BCM2712",
    }
    assert [(device.id, device.vendor) for device in seen.devices] == [("cpu0", None), ("gpu0", "broadcom")]


@pytest.mark.parametrize("version", ["RKNPU driver: v0.9.8\n", "0.9.8\n"])
def test_a_whole_rockchip_board(version: str) -> None:
    path = "/sys/kernel/debug/rknpu/version" if "driver" in version else "/sys/module/rknpu/version"
    host = RecordedHost(
        {
            "os": "linux",
            "files": {
                "/proc/device-tree/model": "Orange Pi 5 Plus\0",
                "/proc/device-tree/compatible": "xunlong,orangepi-5-plus\0rockchip,rk3588\0",
                "/proc/device-tree/npu@fdab0000/compatible": "rockchip,rk3588-rknpu\0",
                "/proc/device-tree/npu@fdac0000/compatible": "rockchip,rk3588-rknpu\0",
                "/proc/device-tree/gpu@fb000000/compatible": "rockchip,rk3588-mali\0arm,mali-valhall-csf\0",
                path: version,
            },
        }
    )
    seen = boards.parse(boards.read(host) or {})
    cpu, gpu, npu = seen.devices
    assert (npu.vendor, npu.name, npu.identifiers, npu.driver, npu.driver_version) == (
        "rockchip",
        "Rockchip NPU",
        {"soc": "RK3588"},
        "rknpu",
        "0.9.8",
    )
    assert (gpu.vendor, gpu.name, gpu.memory_kind) == ("arm", "Mali", "unified")
    assert cpu.identifiers == {"soc": "RK3588"}


def test_a_unit_that_the_tree_disables_is_not_there() -> None:
    tree = "/proc/device-tree"
    host = RecordedHost(
        {
            "os": "linux",
            "files": {
                f"{tree}/compatible": "radxa,rock-3a\0rockchip,rk3568\0",
                f"{tree}/npu@fde40000/compatible": "rockchip,rk3568-rknpu\0",
                f"{tree}/npu@fde40000/status": "disabled\0",
            },
        }
    )
    assert [device.kind for device in boards.parse(boards.read(host) or {}).devices] == ["cpu"]


def test_smbios_names_the_machine() -> None:
    files = {
        "sys_vendor": "LENOVO\n",
        "product_name": "21HMCTO1WW\n",
        "chassis_type": "10\n",
        "board_name": "To be filled by O.E.M.\n",
    }
    host = RecordedHost({"os": "linux", "files": {f"/sys/class/dmi/id/{key}": value for key, value in files.items()}})
    seen = boards.parse(boards.read(host) or {})
    assert dict(seen.host) == {
        "os": "linux",
        "machine_vendor": "LENOVO",
        "machine_model": "21HMCTO1WW",
        "machine_class": "laptop",
    }
    assert seen.devices == ()


def test_a_report_without_hardware_block_keeps_what_is_there() -> None:
    seen = parse(
        "sbc-bench v0.9.8 RPi 3 Model B Plus Rev 1.3 / BCM2837 Rev A0 (Wed, 01 Mar 2023 10:52:32 +0100)\n\nSoC guess: BCM2837B0\n"
    )
    assert (seen.host["machine_model"], seen.host["soc"]) == ("Raspberry Pi 3 Model B Plus Rev 1.3", "BCM2837B0")
    assert seen.memory is None


def test_nothing_is_read_on_other_systems() -> None:
    assert boards.read(RecordedHost({"os": "windows"})) is None
    assert boards.read(RecordedHost({"os": "linux"})) is None


@pytest.mark.parametrize(
    "junk", ["", "\0\0\0", "hello", "{}", "# R (release)", "CPU [", "DT compat", "POWER_MODEL", "a b,c d", "<topology"]
)
def test_junk_gives_nothing(junk: str) -> None:
    assert parse(junk) == Observation()


def test_jetson_release() -> None:
    seen = parse(
        "Software part of jetson-stats 4.2.8\nModel: NVIDIA Jetson Orin NX Developer Kit - Jetpack 6.0 [L4T 36.3.0]\n"
        "NV Power Mode[1]: 15W\n"
        "Hardware:\n - P-Number: p3767-0004\n - Module: NVIDIA Jetson Orin NX\n - SoC: tegra234\n"
    )
    assert (seen.host["module"], seen.host["l4t_version"], seen.host["soc"]) == ("Jetson Orin Nano 4GB", "36.3.0", "TEGRA234")
    assert seen.power == {"profile": "15W"}


def test_the_kernel_log_tells_the_rknpu_driver() -> None:
    seen = parse(
        "[    2.645140] RKNPU fdab0000.npu: RKNPU: rknpu iommu is enabled\n"
        "[    2.647077] [drm] Initialized rknpu 0.9.3 20231121 for fdab0000.npu\n"
    )
    assert (seen.devices[0].kind, seen.devices[0].driver_version) == ("npu", "0.9.3")
