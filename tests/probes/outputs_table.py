"""Recorded outputs of hardware queries -> the facts that each shows; here macOS and Android.

The outputs themselves lie beside the checkout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommender.domain.fingerprint import Observation

OUTPUTS = Path(__file__).resolve().parents[3] / "shared" / "snapshots" / "outputs"
FOLDERS = ("macos", "android", "windows", "boards")
KIB, MIB, GIB = 2**10, 2**20, 2**30


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """One file, the probe that reads it, and facts by path (`host.soc`, `cpu0.cores.physical`, `gpu0.identifiers.pci`).

    `has`: cpu features that must be there; `lacks`: features that must not; `devices`: ids of all devices, in order.
    """

    file: str
    probe: str
    facts: dict[str, Any]
    devices: tuple[str, ...] | None = None
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    line: int | None = None  # only this line of the file: it holds answers of several machines


def fact(observation: Observation, path: str) -> Any:
    """The value at a path; None where anything on the way is unknown."""
    head, *rest = path.split(".")
    if head in ("host", "power"):
        return getattr(observation, head).get(rest[0])
    device = next((device for device in observation.devices if device.id == head), None)
    value: Any = observation.memory if head == "memory" else device
    for step in rest:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, tuple):
            value = value[int(step)] if int(step) < len(value) else None
        elif value is not None:
            value = getattr(value, step)
    return value


def shortfalls(observation: Observation, output: Output) -> list[str]:
    """What the observation says otherwise than the table; empty when all stated facts are there."""
    found = [
        f"{path}: {fact(observation, path)!r} instead of {wanted!r}"
        for path, wanted in output.facts.items()
        if fact(observation, path) != wanted
    ]
    features = set(observation.devices[0].features) if observation.devices else set()
    found += [f"feature {name} is missing" for name in output.has if name not in features]
    found += [f"feature {name} is not shown" for name in output.lacks if name in features]
    ids = tuple(device.id for device in observation.devices)
    if output.devices is not None and ids != output.devices:
        found.append(f"devices {ids} instead of {output.devices}")
    return found


MACOS = (
    Output(
        file="macos/intel-i5-8279u_mojave.sysctl.txt",
        probe="apple_silicon",
        facts={
            "cpu0.cores.physical": 4,
            "cpu0.cores.logical": 8,
            "memory.total": 16 * GIB,
            "cpu0.vendor": "intel",
            "cpu0.identifiers.cpuid": "GenuineIntel:6:142:10",
            "host.architecture": "x86_64",
            "host.soc": None,
        },
        devices=("cpu0",),
        has=("avx2", "fma", "f16c", "sse4_2"),
        lacks=("avx512f", "rtm"),
    ),
    Output(
        file="macos/intel-i7-6700k_mojave.sysctl.txt",
        probe="apple_silicon",
        facts={
            "cpu0.name": "Intel(R) Core(TM) i7-6700K CPU @ 4.00GHz",
            "cpu0.vendor": "intel",
            "cpu0.cores": None,
            "memory": None,
        },
        devices=("cpu0",),
        has=("avx2", "avx", "bmi2"),
    ),
    Output(
        file="macos/m1-macbook-air.sysctl.txt",
        probe="apple_silicon",
        facts={
            "host.soc": "Apple M1",
            "cpu0.cores.physical": 8,
            "cpu0.cores.logical": 8,
            "cpu0.cores.performance": None,
            "memory": None,
        },
        devices=("cpu0", "gpu0", "npu0"),
    ),
    Output(
        file="macos/m1-macbook-air.system_profiler.txt",
        probe="apple_silicon",
        facts={
            "host.soc": "Apple M1",
            "host.machine_model": "MacBookAir10,1",
            "host.machine_class": "laptop",
            "cpu0.cores.physical": 8,
            "cpu0.cores.performance": 4,
            "cpu0.cores.efficiency": 4,
            "memory.total": 16 * GIB,
            "memory.kind": "LPDDR4",
            "gpu0.identifiers.gpu_cores": "8",
            "gpu0.memory_kind": "unified",
            "gpu0.attributes.metal_family": "Apple 7",
        },
        devices=("cpu0", "gpu0", "npu0"),
    ),
    Output(
        file="macos/m1-pro-macbook-pro.system_profiler.txt",
        probe="apple_silicon",
        facts={
            "host.soc": "Apple M1 Pro",
            "host.machine_model": "MacBookPro18,3",
            "cpu0.cores.physical": 10,
            "cpu0.cores.performance": 8,
            "cpu0.cores.efficiency": 2,
            "memory.total": 16 * GIB,
            "gpu0.identifiers.gpu_cores": None,
        },
    ),
    Output(
        file="macos/m1_bigsur-11.0.sysctl.txt",
        probe="apple_silicon",
        facts={"cpu0.name": "Apple processor", "cpu0.cores.physical": 8, "cpu0.cores.performance": None, "host.soc": None},
        devices=("cpu0",),
        has=("asimd", "asimdhp"),
        lacks=("i8mm", "asimddp"),
    ),
    Output(
        file="macos/m2-macbook-pro.SPHardware.json",
        probe="apple_silicon",
        facts={
            "host.soc": "Apple M2",
            "host.machine_model": "Mac14,7",
            "cpu0.cores.physical": 8,
            "cpu0.cores.performance": 4,
            "cpu0.cores.efficiency": 4,
            "memory.total": 16 * GIB,
        },
    ),
    Output(
        file="macos/m2_monterey.sysctl.txt",
        probe="apple_silicon",
        facts={
            "cpu0.cores.logical": 8,
            "memory.total": 16 * GIB,
            "cpu0.cores.performance": 4,
            "cpu0.cores.efficiency": 4,
            "host.soc": "Apple M2",
        },
        has=("asimd", "asimddp", "asimdhp", "bf16", "i8mm"),
        lacks=("sme", "avx2"),
    ),
    Output(
        file="macos/m3-macbook-pro.SPDisplays.txt",
        probe="apple_silicon",
        facts={
            "gpu0.name": "Apple M3",
            "gpu0.identifiers.gpu_cores": "10",
            "gpu0.attributes.metal": "Metal 3",
            "gpu0.memory_kind": "unified",
            "gpu1": None,
        },
    ),
    Output(
        file="macos/m4-max-vm.SPHardware.json",
        probe="apple_silicon",
        facts={
            "host.soc": "Apple M4 Max",
            "host.virtualization": "apple",
            "cpu0.cores.physical": 2,
            "cpu0.cores.performance": None,
            "memory.total": 4 * GIB,
            "host.machine_class": "server",
        },
        devices=("cpu0",),
    ),
    Output(
        file="macos/m4-max_sequoia.sysctl.txt",
        probe="apple_silicon",
        facts={
            "host.soc": "Apple M4 Max",
            "cpu0.cores.logical": 16,
            "memory.total": 64 * GIB,
            "cpu0.cores.performance": 12,
            "cpu0.cores.efficiency": 4,
        },
        has=("sme", "sme2", "i8mm", "bf16"),
        lacks=("sve", "ebf16", "ssbs"),
    ),
)

ANDROID = (
    Output(
        file="android/fire-hd-10_mt8173.getprop.txt",
        probe="android",
        facts={"host.soc": "MT8173", "host.board": "mt8173", "host.machine_class": "tablet"},
    ),
    Output(
        file="android/galaxy-s7-global_exynos8890.build.prop",
        probe="android",
        facts={
            "host.soc": "EXYNOS 8890",
            "host.board": "exynos5",
            "host.os_version": "7.0",
            "host.machine_model": "SM-G930F",
            "host.machine_vendor": "samsung",
            "host.architecture": "aarch64",
            "host.machine_class": "phone",
        },
    ),
    Output(
        file="android/galaxy-s8-us_msm8998.build.prop",
        probe="android",
        facts={
            "host.soc": "MSM8998",
            "host.board": "msm8998",
            "gpu0.vendor": "qualcomm",
            "gpu0.name": "Adreno 540",
            "host.machine_model": "SM-G950U",
        },
    ),
    Output(
        file="android/galaxy-s8-us_msm8998.build.prop",
        probe="snapdragon",
        facts={"host.soc": "MSM8998", "gpu0.name": "Adreno 540", "npu0": None},
    ),
    Output(
        file="android/pixel-8_tensor-g3.getprop.txt",
        probe="android",
        facts={"host.soc": "Tensor G3", "host.machine_vendor": "Google", "host.machine_model": "Pixel 8"},
    ),
    *(
        Output(file="android/pixels_6-10.getprop-soc-model.txt", probe="android", facts={"host.soc": soc}, line=line)
        for line, soc in enumerate(("Tensor G5", "Tensor G4", "Tensor G3", "GS201", "Tensor"))
    ),
    Output(
        file="android/realme-rmx3710.termux-info.txt",
        probe="android",
        facts={
            "host.machine_vendor": "realme",
            "host.machine_model": "RMX3710",
            "host.os_version": "14",
            "host.kernel": "4.19.191+",
            "host.architecture": "aarch64",
            "host.soc": None,
        },
        devices=(),
    ),
)
