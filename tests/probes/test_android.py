"""Android: chips by every property that names one, GPUs, memory, classes, Termux, broken outputs, and whole phones."""

from __future__ import annotations

import json

import pytest

from probes import android
from recommender.domain.fingerprint import Observation
from recommender.intake.host import RecordedHost


def parse(text: str) -> Observation:
    return android.parse({"output": text})


@pytest.mark.parametrize(
    ("lines", "soc"),
    [
        ({"ro.soc.model": "SM8550"}, "SM8550"),
        ({"ro.soc.model": "SM8750-AB"}, "SM8750"),
        ({"ro.soc.model": "s5e9945", "ro.soc.manufacturer": "Samsung"}, "S5E9945"),
        ({"ro.soc.model": "s5e9945", "ro.hardware.chipname": "exynos2400"}, "EXYNOS 2400"),
        ({"ro.soc.model": "MT6989W", "ro.board.platform": "mt6989"}, "MT6989W"),
        ({"ro.soc.model": "Tensor G4"}, "Tensor G4"),
        ({"ro.soc.model": "unknown", "ro.board.platform": "mt6893"}, "MT6893"),
        ({"ro.hardware.chipname": "SM8350", "ro.board.platform": "lahaina"}, "SM8350"),
        ({"ro.board.platform": "sdm845"}, "SDM845"),
        ({"ro.board.platform": "kalama"}, None),
        ({"ro.board.platform": "exynos5", "ro.product.board": "universal8890"}, "EXYNOS 8890"),
        ({"ro.board.platform": "gs201"}, "GS201"),
        ({"ro.board.platform": "kirin990", "ro.hardware": "kirin990"}, "KIRIN990"),
        ({"ro.board.platform": "rk3588"}, "RK3588"),
        ({"ro.soc.model": "", "ro.product.model": "SM-G9500"}, None),
    ],
)
def test_the_chip(lines: dict[str, str], soc: str | None) -> None:
    for text in (
        "\n".join(f"[{key}]: [{value}]" for key, value in lines.items()),
        "\n".join(f"{key}={value}" for key, value in lines.items()),
        json.dumps(lines),
    ):
        assert parse(text).host.get("soc") == soc


@pytest.mark.parametrize(
    ("lines", "vendor", "name"),
    [
        ({"ro.hardware.egl": "adreno", "ro.hardware.vulkan": "adreno"}, "qualcomm", "Adreno"),
        ({"ro.hardware.egl": "mali"}, "arm", "Mali"),
        ({"ro.hardware.vulkan": "powervr"}, "imagination", "PowerVR"),
        ({"ro.gfx.driver.1": "com.samsung.gpudriver.S20Adreno650_100"}, "qualcomm", "Adreno 650"),
    ],
)
def test_the_gpu_by_properties(lines: dict[str, str], vendor: str, name: str) -> None:
    gpu = parse("\n".join(f"[{key}]: [{value}]" for key, value in lines.items())).devices[0]
    assert (gpu.kind, gpu.vendor, gpu.name, gpu.memory_kind) == ("gpu", vendor, name, "unified")


@pytest.mark.parametrize(
    ("line", "vendor", "name"),
    [
        ("GLES: Qualcomm, Adreno (TM) 740, OpenGL ES 3.2 V@0676.42", "qualcomm", "Adreno 740"),
        ("GLES: ARM, Mali-G715, OpenGL ES 3.2 v1.r38p1", "arm", "Mali-G715"),
        ("GLES: ARM, Immortalis-G720 MC12, OpenGL ES 3.2", "arm", "Immortalis-G720 MC12"),
        ("GLES: Samsung Electronics Co. Ltd., ANGLE (Samsung Xclipse 940) on Vulkan 1.3.279, OpenGL ES 3.2", "samsung", None),
    ],
)
def test_the_gpu_by_its_renderer(line: str, vendor: str, name: str | None) -> None:
    gpu = android.parse({"getprop": "[ro.hardware.egl]: [angle]", "surfaceflinger": f"Build configuration\n{line}\n"}).devices[0]
    assert gpu.vendor == vendor
    assert name is None or gpu.name == name


@pytest.mark.parametrize(
    ("characteristics", "more", "class_"),
    [
        ("tablet,nosdcard", "", "tablet"),
        ("phone,emulator", "", "phone"),
        ("nosdcard", "\n[gsm.version.baseband]: [g5123b]", "phone"),
        ("nosdcard", "", None),
        ("tv", "\n[ro.telephony.default_network]: [9]", None),
    ],
)
def test_the_class_of_machine(characteristics: str, more: str, class_: str | None) -> None:
    assert parse(f"[ro.build.characteristics]: [{characteristics}]{more}").host.get("machine_class") == class_


def test_partitions_name_the_product_where_the_whole_does_not() -> None:
    text = (
        "[ro.product.system.model]: [mainline]\n[ro.product.vendor.model]: [Pixel 9]\n[ro.product.vendor.manufacturer]: [Google]"
    )
    assert parse(text).host["machine_model"] == "Pixel 9"
    assert parse("[ro.product.system.model]: [mainline]").host["machine_model"] == "mainline"


def test_memory_and_neural_unit_of_a_phone_whose_software_names_them() -> None:
    seen = parse(
        "[ro.soc.model]: [Tensor G3]\n[ro.boot.hardware.ddr]: [12GB,Samsung,LPDDR5]\n"
        "[vendor.edgetpu.service.allow_unlisted_app]: [false]"
    )
    assert seen.memory is not None and (seen.memory.total, seen.memory.kind) == (12 * 2**30, "LPDDR5")
    npu = seen.devices[-1]
    assert (npu.kind, npu.vendor, npu.identifiers["soc"]) == ("npu", "google", "Tensor G3")


def test_an_emulator_is_virtual() -> None:
    assert parse("[ro.kernel.qemu]: [1]\n[ro.hardware]: [ranchu]").host["virtualization"] == "qemu"


@pytest.mark.parametrize(
    ("abi", "architecture"), [("arm64-v8a", "aarch64"), ("armeabi-v7a", "armv7l"), ("x86_64", "x86_64"), ("vax", None)]
)
def test_architecture(abi: str, architecture: str | None) -> None:
    assert parse(f"ro.product.cpu.abi={abi}").host.get("architecture") == architecture


def test_a_whole_phone() -> None:
    getprop = "\n".join(
        f"[{key}]: [{value}]"
        for key, value in {
            "ro.build.version.release": "15",
            "ro.product.manufacturer": "Xiaomi",
            "ro.product.model": "2211133C",
            "ro.soc.model": "SM8550",
            "ro.soc.manufacturer": "QTI",
            "ro.board.platform": "kalama",
            "ro.hardware.egl": "adreno",
            "ro.product.cpu.abi": "arm64-v8a",
            "ro.build.characteristics": "default",
            "gsm.sim.state": "ABSENT",
        }.items()
    )
    host = RecordedHost(
        {
            "os": "android",
            "files": {"/system/build.prop": "ro.product.system.model=generic\nro.build.version.release=14\n"},
            "commands": {
                "getprop": {"stdout": getprop},
                "dumpsys SurfaceFlinger": {"stdout": "GLES: Qualcomm, Adreno (TM) 740, OpenGL ES 3.2\n"},
            },
        }
    )
    raw = android.read(host)
    assert raw is not None
    seen = android.parse(raw)
    assert (seen.host["soc"], seen.host["machine_model"], seen.host["machine_class"]) == ("SM8550", "2211133C", "phone")
    assert [(device.id, device.name) for device in seen.devices] == [("cpu0", None), ("gpu0", "Adreno 740")]
    assert all(device.identifiers == {"soc": "SM8550"} for device in seen.devices)


def test_the_running_system_is_believed_before_its_files() -> None:
    host = RecordedHost(
        {
            "os": "android",
            "files": {"/system/build.prop": "ro.build.version.release=14\n"},
            "commands": {"getprop": {"stdout": "[ro.build.version.release]: [15]"}},
        }
    )
    assert android.parse(android.read(host) or {}).host["os_version"] == "15"


def test_other_systems_are_not_asked() -> None:
    assert android.read(RecordedHost({"os": "linux"})) is None
    assert android.read(RecordedHost({"os": "android"})) is None


@pytest.mark.parametrize("junk", ["", "{", "{}", "[]: []", "[a]: [b]", "getprop: not found", "\0", "Tensor G5\nTensor G4\n"])
def test_junk_gives_nothing(junk: str) -> None:
    assert parse(junk) == Observation()


def test_the_driver_names_the_adreno() -> None:
    files = {"/sys/class/kgsl/kgsl-3d0/gpu_model": "Adreno830v2\n", "/vendor/build.prop": "ro.soc.model=SM8750\n"}
    gpu = android.parse(android.read(RecordedHost({"os": "android", "files": files})) or {}).devices[-1]
    assert (gpu.kind, gpu.vendor, gpu.name, gpu.identifiers) == ("gpu", "qualcomm", "Adreno 830", {"soc": "SM8750"})
