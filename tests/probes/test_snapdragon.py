"""Qualcomm chips: codes in every spelling, and whole machines under Linux, Android and Windows on Arm."""

from __future__ import annotations

import pytest

from probes import snapdragon
from probes.snapdragon_names import adreno_of, soc_of
from recommender.domain.fingerprint import Observation
from recommender.intake.host import RecordedHost


@pytest.mark.parametrize(
    ("text", "soc"),
    [
        ("SM8550-AB", "SM8550"),
        ("sm8650", "SM8650"),
        ("X1E-80-100", "X1E80100"),
        ("X1P42100", "X1P42100"),
        ("Snapdragon(R) X - X126100 - Qualcomm(R) Oryon(TM) CPU", "X126100"),
        ("X2E-96-100", "X2E96100"),
        ("qcom,x1e80100-crd", "X1E80100"),
        ("SC8280XP", "SC8280XP"),
        ("qcs6490", "QCS6490"),
        ("MSM8998", "MSM8998"),
        ("MSM8996PRO-AC", "MSM8996PRO"),
        ("QCA6390 Wireless", None),
        ("SM-G950U", None),
        ("Adreno(TM) X1-85 GPU", None),
        ("GS201", None),
    ],
)
def test_chip_codes(text: str, soc: str | None) -> None:
    assert soc_of(text) == soc


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Adreno (TM) 740", "Adreno 740"),
        ("qcom,adreno-643.0", "Adreno 643"),
        ("Qualcomm(R) Adreno(TM) X1-85 GPU", "Adreno X1-85"),
        ("Adreno730v2", "Adreno 730"),
        ("adreno", "Adreno"),
        ("Mali-G78", None),
    ],
)
def test_adreno_names(text: str, name: str | None) -> None:
    assert adreno_of(text) == name


@pytest.mark.parametrize(
    ("files", "soc"),
    [
        ({"/sys/devices/soc0/machine": "X1E80100\n", "/sys/devices/soc0/family": "Snapdragon\n"}, "X1E80100"),
        (
            {
                "/sys/devices/soc0/machine": "KALAMAP\n",
                "/sys/devices/soc0/soc_id": "519\n",
                "/sys/devices/soc0/family": "Snapdragon\n",
            },
            "SM8550",
        ),
        ({"/proc/device-tree/compatible": "lenovo,thinkpad-t14s\0qcom,x1e78100\0qcom,x1e80100\0"}, "X1E78100"),
        ({"/sys/firmware/devicetree/base/compatible": "thundercomm,db845c\0qcom,sdm845\0"}, "SDM845"),
        ({"/sys/devices/soc0/machine": "X1P42100\n", "/proc/device-tree/compatible": "dell,x\0qcom,x1e80100\0"}, "X1P42100"),
    ],
)
def test_linux(files: dict[str, str], soc: str) -> None:
    raw = snapdragon.read(RecordedHost({"os": "linux", "files": files}))
    assert raw is not None
    assert snapdragon.parse(raw).host["soc"] == soc


def test_a_whole_phone() -> None:
    host = RecordedHost(
        {
            "os": "android",
            "files": {"/sys/class/kgsl/kgsl-3d0/gpu_model": "Adreno750v2\n", "/sys/devices/soc0/machine": "PINEAPPLE\n"},
            "commands": {
                "getprop": {
                    "stdout": "[ro.soc.model]: [SM8650]\n[ro.soc.manufacturer]: [QTI]\n[ro.board.platform]: [pineapple]\n"
                }
            },
        }
    )
    seen = snapdragon.parse(snapdragon.read(host) or {})
    assert [(device.id, device.name) for device in seen.devices] == [
        ("cpu0", None),
        ("gpu0", "Adreno 750"),
        ("npu0", "Qualcomm Hexagon NPU"),
    ]
    assert all(device.identifiers == {"soc": "SM8650"} for device in seen.devices)


def test_windows_on_arm() -> None:
    key = "reg query HKLM\\HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0 /v ProcessorNameString"
    told = (
        "\r\nHKEY_LOCAL_MACHINE\\HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0\r\n"
        "    ProcessorNameString    REG_SZ    Snapdragon(R) X Elite - X1E80100 - Qualcomm(R) Oryon(TM) CPU\r\n\r\n"
    )
    seen = snapdragon.parse(snapdragon.read(RecordedHost({"os": "windows", "commands": {key: {"stdout": told}}})) or {})
    cpu, gpu, npu = seen.devices
    assert (cpu.vendor, cpu.name) == ("qualcomm", "Snapdragon(R) X Elite - X1E80100 - Qualcomm(R) Oryon(TM) CPU")
    assert (gpu.vendor, gpu.name, npu.vendor, npu.name) == ("qualcomm", None, "qualcomm", None)
    assert seen.host == {"soc": "X1E80100"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz",
        "[ro.soc.model]: [Tensor G3]",
        "raspberrypi,5-model-b\0brcm,bcm2712\0",
        "[ro.qualcomm.cabl]: [0]\n[ro.board.platform]: [exynos5]",
        "/usr/lib/wsl/drivers/qcnspmcdm8380.inf_arm64_c41374b662899730/",
    ],
)
def test_other_chips_give_nothing(text: str) -> None:
    assert snapdragon.parse({"output": text}) == Observation()


def test_macs_are_not_asked() -> None:
    assert snapdragon.read(RecordedHost({"os": "macos"})) is None


def test_several_files_in_one_text() -> None:
    assert snapdragon.parse({"output": "== machine\nKALAMAP\n== soc_id\n519\n"}).host == {"soc": "SM8550"}
