"""Recorded outputs of Windows tools and of boards -> the facts that each shows (see `outputs_table`)."""

from __future__ import annotations

from tests.probes.outputs_table import GIB, KIB, MIB, Output

WINDOWS = (
    Output(
        file="windows/amd-16gb_adapterram.Get-CimInstance.txt",
        probe="windows",
        facts={"gpu0.memory_total": None, "gpu0.attributes.memory_at_least": 4293918720},
    ),
    Output(
        file="windows/epyc-7302_server2019.Win32_Processor.txt",
        probe="windows",
        facts={
            "cpu0.name": "AMD EPYC 7302 16-Core Processor",
            "cpu0.vendor": "amd",
            "cpu0.cores.physical": 2,
            "cpu0.cores.logical": 4,
            "host.virtualization": "vm-other",
            "cpu0.identifiers.cpuid": "AuthenticAMD:23:49:0",
        },
    ),
    Output(
        file="windows/foundry-bench_x1p42100.json-lines.txt",
        probe="windows",
        facts={
            "host.soc": "X1P42100",
            "cpu0.vendor": "qualcomm",
            "gpu0.name": "Qualcomm(R) Adreno(TM) X1-45 GPU",
            "npu0.identifiers.soc": "X1P42100",
            "memory.total": round(31.57 * GIB),
        },
        devices=("cpu0", "gpu0", "npu0"),
    ),
    Output(
        file="windows/i5-4300u_win10.wmic-cpu.txt",
        probe="windows",
        facts={
            "cpu0.name": "Intel(R) Core(TM) i5-4300U CPU @ 1.90GHz",
            "cpu0.identifiers.cpuid": "GenuineIntel:6:69:1",
            "cpu0.caches.0.level": 2,
            "cpu0.caches.0.size": 512 * KIB,
            "cpu0.caches.1.size": 3072 * KIB,
        },
    ),
    Output(
        file="windows/intel-hd4600+gtx-950.Win32_VideoController.txt",
        probe="windows",
        facts={
            "gpu0.name": "Intel(R) HD Graphics 4600",
            "gpu0.identifiers.pci": "8086:0412",
            "gpu0.memory_kind": "shared",
            "gpu0.driver_version": "20.19.15.4624",
            "gpu1.name": "NVIDIA GeForce GTX 950",
            "gpu1.identifiers.pci": "10de:1402",
            "gpu1.memory_total": 2 * GIB,
        },
        devices=("gpu0", "gpu1"),
    ),
    Output(
        file="windows/intel-npu_rtx-5070.winml-sys.txt",
        probe="windows",
        facts={
            "npu0.name": "Intel(R) AI Boost",
            "npu0.vendor": "intel",
            "npu0.driver_version": "32.0.100.4724",
            "gpu0.name": "NVIDIA GeForce RTX 5070",
            "host.architecture": "x86_64",
        },
        devices=("gpu0", "npu0"),
    ),
    Output(
        file="windows/rtx-2060-super.Win32_VideoController.txt",
        probe="windows",
        facts={"gpu0.name": "NVIDIA GeForce RTX 2060 SUPER", "gpu0.memory_total": None, "gpu0.identifiers.pci": "10de:1f06"},
        devices=("gpu0",),
    ),
    Output(
        file="windows/rtx-2060-super.display-class.reg",
        probe="windows",
        facts={"gpu0.memory_total": 8 * GIB, "gpu0.driver_version": "31.0.15.1694", "gpu0.identifiers.pci": "10de:1f06"},
    ),
    Output(
        file="windows/snapdragon-x-elite_x1e80100.dxdispatch-adapters.txt",
        probe="windows",
        facts={"host.soc": "X1E80100", "gpu0.vendor": "qualcomm", "npu0.vendor": "qualcomm", "gpu0.identifiers.pci": None},
        devices=("gpu0", "npu0"),
    ),
    Output(
        file="windows/snapdragon-x-elite_x1e84100.dxdiag.txt",
        probe="windows",
        facts={
            "host.soc": "X1E84100",
            "gpu0.identifiers.model": "Adreno 741",
            "gpu0.identifiers.pci": None,
            "gpu0.memory_kind": "shared",
            "gpu0.memory_total": None,
            "gpu0.attributes.memory_shared": 7987 * MIB,
        },
    ),
    Output(
        file="windows/uhd-graphics.Get-CimInstance.txt",
        probe="windows",
        facts={"gpu0.name": "Intel(R) UHD Graphics", "gpu0.identifiers.pci": "8086:9bc4", "gpu0.vendor": "intel"},
        devices=("gpu0",),
    ),
    Output(
        file="windows/vmware-i9_win10.systeminfo.txt",
        probe="windows",
        facts={
            "host.virtualization": "vmware",
            "memory.total": 2047 * MIB,
            "memory.available": 1417 * MIB,
            "host.os_version": "10.0.19042",
            "cpu0.identifiers.cpuid": "GenuineIntel:6:158:13",
        },
        devices=("cpu0",),
    ),
    Output(
        file="windows/wsl2_snapdragon-x-elite_npu-inf.txt",
        probe="windows",
        facts={"host.container": "wsl2", "host.architecture": "aarch64"},
        devices=(),
    ),
)

BOARDS = (
    Output(
        file="boards/aaeon-boxer-8654ai.sbc-bench.txt",
        probe="boards",
        facts={
            "host.board": "p3767-0003",
            "host.module": "Jetson Orin Nano 8GB",
            "gpu0.identifiers.board": "p3767-0003",
            "gpu0.attributes.is_super": True,
            "memory.total": round(7.4 * GIB),
            "host.soc": "TEGRA234",
            "cpu0.cores.physical": 6,
        },
        has=("asimddp",),
    ),
    Output(
        file="boards/dgx-spark-gb10.lstopo-head.txt",
        probe="boards",
        facts={"host.machine_model": "NVIDIA_DGX_Spark", "cpu0.cores.logical": 20, "memory.total": 128520671232},
    ),
    Output(
        file="boards/dragon-q6a.sbc-bench.txt",
        probe="boards",
        facts={"host.soc": "QCS6490", "host.machine_model": "Radxa Dragon Q6A", "memory.total": round(5.5 * GIB)},
    ),
    Output(
        file="boards/dragon-q6a.sbc-bench.txt",
        probe="snapdragon",
        facts={"host.soc": "QCS6490", "npu0.name": "Qualcomm Hexagon NPU", "gpu0.name": "Adreno", "gpu0.memory_kind": "unified"},
    ),
    Output(
        file="boards/jetson-agx-orin-64gb.compatible.txt",
        probe="boards",
        facts={"host.board": "p3701-0005", "host.soc": "TEGRA234", "host.module": "Jetson AGX Orin 64GB"},
    ),
    Output(
        file="boards/jetson-agx-orin_jp7.tegrastats.txt",
        probe="boards",
        facts={"cpu0.cores.logical": 12, "memory.total": 62817 * MIB, "gpu0.attributes.clock": 1_300_000_000},
    ),
    Output(
        file="boards/jetson-agx-thor.jtop-raw.txt",
        probe="boards",
        facts={"host.l4t_version": "38.2.0", "host.soc": "TEGRA264", "host.board": "p3834-0008", "host.kernel": "6.8.12-tegra"},
    ),
    Output(
        file="boards/jetson-nano.nvpmodel-verbose.txt",
        probe="boards",
        facts={"gpu0.attributes.power_modes": {"MAXN": 4, "5W": 2}, "gpu0.attributes.power_mode": None, "power.profile": None},
    ),
    Output(
        file="boards/jetson-orin-nano-8gb.jtop-raw.txt",
        probe="boards",
        facts={
            "host.l4t_version": "35.3.1",
            "host.machine_model": "NVIDIA Orin Nano Developer Kit",
            "host.board": "p3767-0003",
            "host.module": "Jetson Orin Nano 8GB",
        },
    ),
    Output(
        file="boards/jetson-orin-nano-super.nv_tegra_release.txt",
        probe="boards",
        facts={"host.l4t_version": "36.4.7", "gpu0.vendor": "nvidia", "host.board": None},
    ),
    Output(
        file="boards/jetson-orin-nano.sbc-bench.txt",
        probe="boards",
        facts={
            "host.board": "p3767-0003",
            "gpu0.name": "NVIDIA Jetson Orin Nano 8GB",
            "cpu0.cores.physical": 6,
            "cpu0.name": "Cortex-A78AE",
            "memory.total": round(7.2 * GIB),
        },
    ),
    Output(
        file="boards/raspberry-pi-4-1gb.sbc-bench.txt",
        probe="boards",
        facts={
            "host.soc": "BCM2711",
            "host.architecture": "armv7l",
            "host.machine_model": "Raspberry Pi 4 Model B Rev 1.1",
            "memory.total": 921 * MIB,
        },
        devices=("cpu0",),
    ),
    Output(
        file="boards/raspberry-pi-5-16gb.sbc-bench.txt",
        probe="boards",
        facts={
            "host.soc": "BCM2712",
            "host.board": "raspberrypi,5-model-b",
            "memory.total": 15 * GIB,
            "host.kernel": "6.6.69-v8-16k+",
            "host.machine_class": "sbc",
        },
    ),
    Output(
        file="boards/rock-5b.rknpu-version.txt",
        probe="boards",
        facts={
            "npu0.vendor": "rockchip",
            "npu0.driver": "rknpu",
            "npu0.driver_version": "0.9.6",
            "host.kernel": "6.1.43-20-rk2312",
        },
    ),
    Output(
        file="boards/rock-5b.sbc-bench.txt",
        probe="boards",
        facts={
            "host.soc": "RK3588",
            "host.board": "radxa,rock-5b",
            "cpu0.cores.logical": 8,
            "cpu0.attributes.clusters": 3,
            "cpu0.cores.performance": 4,
            "cpu0.cores.efficiency": 4,
        },
    ),
)
