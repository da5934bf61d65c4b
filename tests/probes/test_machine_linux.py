"""Identity of the machine: firmware, device tree, hypervisor, system."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes import machine_linux
from probes.machine_linux import clean, parse_compatible, parse_kernel, parse_os_release, soc_of_bus, soc_of_compatible
from recommender.intake.host import RecordingHost

from .trees import recorded_output, recorded_tree, tree, x86_cpuinfo

DMI = "sys/class/dmi/id"
TREE = "proc/device-tree"
GUEST = x86_cpuinfo(1, flags="fpu lm hypervisor")
BARE = x86_cpuinfo(1)


def told(root: Path, files: dict[str, str]) -> dict:
    raw = machine_linux.read(tree(root, {"proc/uptime": "1", **files}))
    return dict(machine_linux.parse(raw).host) if raw else {}


def test_recorded_laptop(tmp_path: Path) -> None:
    raw = machine_linux.read(recorded_tree(tmp_path, "hybrid-i7-1370P.tar.bz2"))
    assert dict(machine_linux.parse(raw or {}).host) == {
        "os": "linux",
        "kernel": "6.1.0-13-amd64",
        "machine_vendor": "HP",
        "machine_model": "HP EliteBook 840 14 inch G10 Notebook PC",
        "board": "8B41",
        "machine_class": "laptop",
        "virtualization": "none",
    }


@pytest.mark.parametrize("archive", ["arm-A510-A710-A715-X3.tar.gz", "armv7.tar.gz", "rv64-visionfive2.tar.gz"])
def test_recorded_trees_that_name_no_machine(tmp_path: Path, archive: str) -> None:
    raw = machine_linux.read(recorded_tree(tmp_path, archive))
    assert dict(machine_linux.parse(raw or {}).host) == {"os": "linux"}


def test_recorded_board_text_names_its_model(tmp_path: Path) -> None:
    found = told(tmp_path, {"proc/cpuinfo": recorded_output("boards/raspberry-pi-5.cpuinfo")})
    assert found["machine_model"] == "Raspberry Pi 5 Model B Rev 1.0" and "soc" not in found


@pytest.mark.parametrize(
    ("compatible", "soc", "kind"),
    [
        ("raspberrypi,5-model-b\0brcm,bcm2712\0", "BCM2712", "sbc"),
        ("raspberrypi,5-compute-module\0brcm,bcm2712\0", "BCM2712", "module"),
        ("radxa,rock-5b\0rockchip,rk3588\0", "RK3588", "sbc"),
        ("radxa,rock-5a\0rockchip,rk3588s\0", "RK3588S", "sbc"),
        ("nvidia,p3768-0000+p3767-0003\0nvidia,p3767-0003\0nvidia,tegra234\0nvidia,tegra23x\0", "TEGRA234", "module"),
        ("radxa,dragon-q6a\0qcom,qcm6490\0", "QCM6490", "sbc"),
        ("khadas,vim3\0amlogic,a311d\0amlogic,g12b\0", "A311D", "sbc"),
        ("pine64,pinephone-1.2\0pine64,pinephone\0allwinner,sun50i-a64\0", "SUN50I-A64", None),
        ("apple,j314s\0apple,t6000\0apple,arm-platform\0", "T6000", None),
        ("bananapi,bpi-f3\0spacemit,k1-x\0", "K1-X", "sbc"),
        ("fsl,imx8mp-evk\0fsl,imx8mp\0", "IMX8MP", None),
        ("linux,dummy-virt\0", None, "server"),
        ("", None, None),
    ],
)
def test_device_tree(tmp_path: Path, compatible: str, soc: str | None, kind: str | None) -> None:
    found = told(tmp_path, {f"{TREE}/compatible": compatible, f"{TREE}/model": "Some Board Rev 1\0"})
    strings = compatible.rstrip("\0").split("\0") if compatible else None
    assert (found.get("soc"), found.get("machine_class"), found.get("compatible")) == (soc, kind, strings)
    assert found["machine_model"] == "Some Board Rev 1"


@pytest.mark.parametrize(
    ("name", "strings", "soc"),
    [
        (
            "boards/jetson-agx-orin-64gb.compatible.txt",
            ["nvidia,p3737-0000+p3701-0005", "nvidia,p3701-0005", "nvidia,tegra234"],
            "TEGRA234",
        )
    ],
)
def test_recorded_strings_without_their_bytes_between(name: str, strings: list[str], soc: str) -> None:
    found = parse_compatible(recorded_output(name))
    assert list(found[:3]) == strings and soc_of_compatible(found) == soc


@pytest.mark.parametrize(
    ("chassis", "kind"),
    [("10", "laptop"), ("3", "desktop"), ("23", "server"), ("138", "laptop"), ("30", "tablet"), ("2", None), ("x", None)],
)
def test_class_by_chassis(tmp_path: Path, chassis: str, kind: str | None) -> None:
    found = told(tmp_path, {"proc/cpuinfo": BARE, f"{DMI}/chassis_type": f"{chassis}\n", f"{DMI}/sys_vendor": "ACME\n"})
    assert found.get("machine_class") == kind


def test_class_by_the_device_tree(tmp_path: Path) -> None:
    files = {f"{TREE}/compatible": "acme,phone1\0qcom,sm8550\0", f"{TREE}/chassis-type": "handset\0"}
    assert told(tmp_path, files)["machine_class"] == "phone"


@pytest.mark.parametrize(
    ("files", "hypervisor", "kind"),
    [
        ({"proc/cpuinfo": BARE}, "none", None),
        ({"proc/cpuinfo": GUEST, f"{DMI}/sys_vendor": "QEMU", f"{DMI}/chassis_type": "1"}, "kvm", "server"),
        (
            {"proc/cpuinfo": GUEST, f"{DMI}/sys_vendor": "VMware, Inc.", f"{DMI}/product_name": "VMware Virtual Platform"},
            "vmware",
            "server",
        ),
        (
            {"proc/cpuinfo": GUEST, f"{DMI}/sys_vendor": "Microsoft Corporation", f"{DMI}/product_name": "Virtual Machine"},
            "hyper-v",
            "server",
        ),
        ({"proc/cpuinfo": GUEST, "sys/hypervisor/type": "xen\n"}, "xen", "server"),
        (
            {"proc/cpuinfo": GUEST, "sys/devices/system/clocksource/clocksource0/available_clocksource": "kvm-clock tsc"},
            "kvm",
            "server",
        ),
        ({"proc/cpuinfo": GUEST}, "vm-other", "server"),
        ({"proc/cpuinfo": BARE, f"{DMI}/sys_vendor": "Amazon EC2", f"{DMI}/product_name": "c5.metal"}, "none", None),
        ({f"{DMI}/sys_vendor": "Apple Inc.", f"{DMI}/product_name": "Apple Virtualization Generic Platform"}, "apple", "server"),
        ({f"{TREE}/hypervisor/compatible": "linux,kvm\0", f"{TREE}/compatible": "linux,dummy-virt\0"}, "kvm", "server"),
        ({"proc/version": "Linux version 5.15.133.1-microsoft-standard-WSL2 (x)", "proc/cpuinfo": GUEST}, "hyper-v", None),
        ({"proc/cpuinfo": BARE.rstrip("\n")[:-3]}, None, None),
        ({f"{DMI}/sys_vendor": "Xenon Computers"}, None, None),
    ],
    ids=[
        "bare",
        "qemu",
        "vmware",
        "hyper-v",
        "xen",
        "clock",
        "unnamed",
        "cloud metal",
        "apple",
        "device tree",
        "wsl2",
        "cut flags",
        "Arm",
    ],
)
def test_virtualization(tmp_path: Path, files: dict[str, str], hypervisor: str | None, kind: str | None) -> None:
    found = told(tmp_path, files)
    assert (found.get("virtualization"), found.get("machine_class")) == (hypervisor, kind)


def test_recorded_wsl2_kernel(tmp_path: Path) -> None:
    found = told(tmp_path, {"proc/version": recorded_output("containers/wsl2_5.15.133.proc-version.txt")})
    assert (found["kernel"], found["virtualization"]) == ("5.15.133.1-microsoft-standard-WSL2", "hyper-v")


@pytest.mark.parametrize(
    ("told_by_bus", "soc"),
    [
        ({"machine": "SM8550\n", "family": "Snapdragon", "soc_id": "519"}, "SM8550"),
        ({"machine": "NXP i.MX8MPlus EVK board", "soc_id": "i.MX8MP"}, "IMX8MP"),
        ({"machine": "KALAMA", "soc_id": "519"}, None),
        ({}, None),
    ],
)
def test_soc_of_the_bus(told_by_bus: dict[str, str], soc: str | None) -> None:
    assert soc_of_bus(told_by_bus) == soc


@pytest.mark.parametrize(
    "blank", ["To Be Filled By O.E.M.", "Default string", "System Product Name", "None", " ", "\0", "Not Specified"]
)
def test_fields_that_the_maker_left_are_unknown(blank: str) -> None:
    assert clean(blank) is None


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n', "Debian GNU/Linux 12 (bookworm)"),
        ("NAME=Alpine\nVERSION='3.20'\n", "Alpine 3.20"),
        ("junk", None),
    ],
)
def test_system_release(text: str, version: str | None) -> None:
    assert parse_os_release(text) == version


def test_kernel() -> None:
    assert parse_kernel("Linux version 6.1.0-13-amd64 (x@y) #1 SMP") == "6.1.0-13-amd64"
    assert parse_kernel("something else") is None


def test_private_files_are_never_read(tmp_path: Path) -> None:
    private = [
        f"{DMI}/{name}" for name in ("product_serial", "product_uuid", "board_serial", "chassis_serial", "chassis_asset_tag")
    ]
    private += [f"{TREE}/serial-number", "sys/devices/soc0/serial_number", "etc/machine-id"]
    files = {path: "SECRET-1" for path in private} | {
        f"{DMI}/sys_vendor": "ACME",
        f"{TREE}/model": "Board",
        "sys/devices/soc0/machine": "SM1",
    }
    recorder = RecordingHost(tree(tmp_path, files))
    raw = machine_linux.read(recorder)
    assert "ACME" in str(raw) and "SECRET-1" not in str(raw) and "SECRET-1" not in str(recorder.taken)
