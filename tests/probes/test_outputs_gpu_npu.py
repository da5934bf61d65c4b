"""Recorded outputs of GPU, NPU and framework tools against the facts that their list states.

One row a file: the probe, the raw key its text goes to, the facts of each device in order, and what else it tells.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from probes import accelerators, device_lists, gpu_amd, gpu_nvidia, inxi, npu_amd, opencl, pci
from recommender.domain.fingerprint import Observation
from tests.probes.recorded import OUTPUTS, missing_facts, recorded_output

MIB = 1 << 20
ELSEWHERE = (".cpuinfo.txt", ".meminfo.txt")  # read by the probes of the processor and of memory


@dataclass(frozen=True)
class Case:
    file: str
    probe: ModuleType
    key: str
    devices: list[dict[str, Any]]
    memory_total: int | None = None
    host: dict[str, Any] = field(default_factory=dict)
    frameworks: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)


def nvidia(file: str, **facts: Any) -> Case:
    named = {path.replace("__", "."): value for path, value in facts.items()}
    return Case(f"linux-gpu/{file}", gpu_nvidia, "tool", [{"kind": "gpu", "vendor": "nvidia", **named}])


def amd(file: str, *devices: dict[str, Any]) -> Case:
    return Case(f"linux-gpu/{file}", gpu_amd, "tool", [{"kind": "gpu", "vendor": "amd", **device} for device in devices])


def ggml(file: str, *devices: dict[str, Any], **more: Any) -> Case:
    return Case(f"frameworks/{file}", device_lists, "ggml", list(devices), **more)


def mig(position: int, path: str) -> str:
    return f"attributes.mig.{position}.{path}"


INTEL_IGPU = {"kind": "gpu", "vendor": "intel", "memory_kind": "shared", "attributes.pci_address": "0000:00:02.0"}
INTEL_NPU = {"kind": "npu", "vendor": "intel", "memory_kind": "shared", "attributes.pci_address": "0000:00:0b.0"}
RX7900XT = {"name": "Radeon RX 7900 XT", "identifiers.gfx": "gfx1100", "identifiers.pci": "1002:744c",
            "memory_kind": "dedicated", "memory_total": 21458059264, "memory_available": 21458059264 - 27856896}  # fmt: skip
RX6700XT = {"identifiers.pci": "1002:73df", "memory_kind": "dedicated", "memory_total": 12868124672, "driver": "amdgpu",
            "attributes.pci_address": "0000:07:00.0"}  # fmt: skip
MI100 = {"name": "Arcturus GL-XL [Instinct MI100]", "identifiers.pci": "1002:738c", "memory_total": 34342961152,
         "memory_kind": "dedicated"}  # fmt: skip
R9700 = {"kind": "gpu", "vendor": "amd", "name": "AMD Radeon AI PRO R9700"}
ADRENO = {"kind": "gpu", "vendor": "qualcomm", "attributes.opencl.version": "3.0", "attributes.opencl.fp16": True}

CASES = [
    # NVIDIA
    nvidia(
        "a100-sxm4-mig.nvidia-smi.xml", name="NVIDIA A100-SXM4-40GB", driver_version="510.47.03", attributes__cuda_version="11.6",
        identifiers__pci="10de:20b0", attributes__mig_mode="enabled", memory_kind="dedicated", memory_total=40960 * MIB,
        attributes__mig=[
            {"index": index, "gpu_instance": index + 1, "compute_instance": 0, "multiprocessors": 42,
             "memory_total": 19968 * MIB, "memory_available": 19948 * MIB}
            for index in (0, 1)
        ],
    ),
    nvidia("dgx-spark_gb10.nvidia-smi-query.csv", memory_kind="unified", memory_total=None, memory_available=None),
    nvidia(
        "dgx-spark_gb10.nvidia-smi.txt", name="NVIDIA GB10", driver_version="580.95.05", attributes__cuda_version="13.0",
        memory_kind="unified", memory_total=None, attributes__pci_address="000f:01:00.0",
    ),
    nvidia("l40s.nvidia-smi.txt", name="NVIDIA L40S", memory_total=46068 * MIB, driver_version="595.80", memory_kind="dedicated"),
    nvidia(
        "rtx-2080-super_windows.nvidia-smi.txt", name="NVIDIA GeForce RTX 2080 SUPER", driver_version="591.86",
        attributes__driver_model="WDDM", memory_total=8192 * MIB, attributes__cuda_version="13.1", attributes__mig=None,
    ),
    nvidia(
        "rtx-2080_windows.nvidia-smi.xml", name="NVIDIA GeForce RTX 2080", memory_total=8192 * MIB,
         attributes__driver_model="WDDM",
        memory_available=7147 * MIB, identifiers__pci="10de:1e87", driver_version="516.59", attributes__mig=None,
    ),
    nvidia(
        "rtx-4080-super.nvidia-smi.txt", name="NVIDIA GeForce RTX 4080 SUPER", memory_total=16376 * MIB,
         driver_version="595.71.05",
        attributes__cuda_version="13.2", attributes__pci_address="0000:01:00.0",
    ),
    nvidia(
        "rtx-pro-6000.nvidia-smi.xml", name="NVIDIA RTX PRO 6000 Blackwell", memory_total=None, memory_kind=None,
        attributes__pci_address="0000:01:00.0",
    ),
    nvidia(
        "tesla-p100.nvidia-smi.xml", name="Tesla P100-PCIE-16GB", memory_total=16384 * MIB, driver_version="510.47.03",
        attributes__mig=None, attributes__mig_mode=None,
    ),
    nvidia(
        "h200-mig.nvidia-smi.txt", name="NVIDIA H200", memory_total=143771 * MIB, attributes__mig_mode="enabled",
        driver_version="590.48.01", attributes__cuda_version="13.1",
        attributes__mig=[
            {"index": 0, "profile": "1c.3g.71gb", "gpu_instance": 2, "compute_instance": 0, "multiprocessors": 16,
             "memory_total": 71424 * MIB, "memory_available": (71424 - 16925) * MIB},
            {"index": 1, "profile": "2c.3g.71gb", "gpu_instance": 2, "compute_instance": 1, "multiprocessors": 32,
             "memory_total": 71424 * MIB, "memory_available": (71424 - 16925) * MIB},
            {"index": 2, "profile": "2g.35gb", "gpu_instance": 3, "compute_instance": 0, "multiprocessors": 32,
             "memory_total": 33280 * MIB, "memory_available": (33280 - 17) * MIB},
            *({"index": index, "profile": "1g.18gb", "gpu_instance": index + 6, "compute_instance": 0, "multiprocessors": 16,
               "memory_total": 16384 * MIB, "memory_available": (16384 - 9) * MIB} for index in (3, 4)),
        ],
    ),
    # AMD. The list says two MI100, the file holds card0 to card3.
    amd("mi100_rocm602.rocm-smi.json", *[{**MI100, "attributes.pci_address": f"0000:{bus}:00.0"} for bus in ("83", "a3",
     "c3", "e3")]),
    amd(
        "mi350x.amd-smi-static.txt",
        {"name": "AMD Instinct MI350X", "identifiers.pci": "1002:75a0", "identifiers.gfx": "gfx950",
         "attributes.compute_units": 128,
         "attributes.pci_address": "0000:05:00.0", "driver": "amdgpu", "driver_version": "6.18.3"},
    ),
    amd("rx6700xt_rocm430.rocm-smi.json", {**RX6700XT, "name": None}),
    amd("rx6700xt_rocm612.rocm-smi.json",
        {**RX6700XT, "name": "Navi 22 [Radeon RX 6700/6700 XT / 6800M]", "identifiers.gfx": "gfx1031"}),
    amd("rx7900xt.rocm-smi.csv", RX7900XT),
    amd("rx7900xt.rocm-smi.json", RX7900XT),
    amd("strix-halo-395.system_info.json",
        {"name": "Radeon 8060S Graphics", "identifiers.gfx": "gfx1151", "identifiers.pci": "1002:1586", "memory_kind": "shared",
         "memory_total": None}),
    Case("linux-gpu/strix-halo-395.system_info.json", inxi, "inxi",
         [{"kind": "cpu", "cores.physical": 16, "name": "AMD RYZEN AI MAX+ 395 w/ Radeon 8060S"}, {"kind": "gpu",
          "driver": "amdgpu"}],
         memory_total=128 << 30, host={"machine_vendor": "Framework"}),
    # The bus
    Case("linux-gpu/i5-3570k_arc-a580_gtx1080ti.lspci.txt", pci, "lspci",
         [{**INTEL_IGPU, "identifiers.pci": "8086:0162"}, {"kind": "gpu", "vendor": "nvidia", "identifiers.pci": "10de:1b06"},
          {"kind": "gpu", "vendor": "intel", "identifiers.pci": "8086:56a2", "memory_kind": "dedicated"}]),
    Case("linux-gpu/system76-addw4_i9-14900hx.lspci.txt", pci, "lspci",
         [{**INTEL_IGPU, "identifiers.pci": "8086:a788"},
          {"kind": "gpu", "vendor": "nvidia", "identifiers.pci": "10de:28a1", "attributes.pci_address": "0000:01:00.0"}]),
    Case("linux-gpu/wsl2_gpu.lspci.txt", pci, "lspci", []),
    Case("npu/hp-zbook-g11-ultra7-165h.lspci.txt", pci, "lspci",
         [{**INTEL_IGPU, "identifiers.pci": "8086:7dd5"}, {**INTEL_NPU, "identifiers.pci": "8086:7d1d",
          "attributes.pci_class": "1200"},
          {"kind": "gpu", "vendor": "nvidia", "identifiers.pci": "10de:28b9", "attributes.pci_class": "0302"}]),
    Case("npu/intel-core-ultra-7-256v.lspci.txt", pci, "lspci",
         [{**INTEL_IGPU, "identifiers.pci": "8086:64a0"}, {**INTEL_NPU, "identifiers.pci": "8086:643e",
          "attributes.pci_class": "1200"}]),
    Case("npu/msi-claw-258v.lspci-npu.txt", pci, "lspci",
         [{**INTEL_IGPU, "identifiers.pci": "8086:64a0", "driver": "xe"},
          {**INTEL_NPU, "identifiers.pci": "8086:643e", "driver": "intel_vpu", "name": "Intel Corporation Lunar Lake NPU"}]),
    Case("npu/panther-lake.lshw-npu.txt", pci, "lshw", [{**INTEL_NPU, "driver": "intel_vpu", "name": None}]),
    Case("npu/ryzen-ai-9-hx-pro-370.lspci-nn.txt", pci, "lspci",
         [{"kind": "npu", "vendor": "amd", "identifiers.pci": "1022:17f0", "attributes.pci_class": "1180"}]),
    Case("npu/raspberry-pi-5-hailo-8.lspci.txt", accelerators, "lspci",
         [{"kind": "accelerator", "vendor": "hailo", "identifiers.pci": "1e60:2864", "attributes.pci_class": "0b40",
          "name": None}]),
    # NPUs and accelerators
    Case("npu/ascend-310p3.npu-smi.txt", accelerators, "huawei",
         [{"kind": "accelerator", "vendor": "huawei", "name": "310P3", "memory_total": 44280 * MIB, "attributes.chip": "0"},
          {"kind": "accelerator", "vendor": "huawei", "name": "310P3", "memory_total": 43693 * MIB, "attributes.chip": "1"}]),
    Case("npu/ascend-910b3.npu-smi.txt", accelerators, "huawei",
         [{"name": "910B3", "memory_total": 65536 * MIB, "memory_kind": "dedicated", "driver_version": "23.0.5.1",
           "attributes.pci_address": f"0000:{bus}:00.0"} for bus in ("c1", "c2")]),
    Case("npu/coral-m2_esxi-vm.lspci-nn.txt", accelerators, "lspci",
         [{"kind": "accelerator", "vendor": "google", "identifiers.pci": "1ac1:089a", "attributes.pci_class": "0880"}]),
    Case("npu/coral_proxmox.apex.txt", accelerators, "log",
         [{"vendor": "google", "identifiers.pci": "1ac1:089a", "attributes.usable": True,
          "attributes.pci_address": "0000:09:00.0"}]),
    Case("npu/evo-x1_npu4.xrt-smi-examine.txt", npu_amd, "tool",
         [{"kind": "npu", "vendor": "amd", "name": "RyzenAI-npu4", "attributes.pci_address": "0000:67:00.1", "driver": "amdxdna",
           "attributes.firmware_version": "1.0.0.63", "attributes.xrt_version": "2.19.0"}, {"kind": "cpu", "cores.logical": 24}],
         memory_total=15597 * MIB, host={"machine_model": "NucBox EVO-X1", "os": "linux"}),
    Case("npu/gem12-8845hs_npu1.xbutil-examine.txt", npu_amd, "tool",
         [{"kind": "npu", "vendor": "amd", "name": "RyzenAI-npu1", "attributes.pci_address": "0000:c7:00.1",
           "attributes.firmware_version": None, "attributes.xrt_version": "2.17.0"}, {"kind": "cpu", "cores.logical": 16}],
         memory_total=27885 * MIB, host={"machine_model": "GEM12"}),
    Case("npu/gpd-pocket-4.accel.txt", npu_amd, "log",
         [{"kind": "npu", "vendor": "amd", "driver": "amdxdna", "driver_version": "0.6.0",
          "attributes.pci_address": "0000:c6:00.1",
           "attributes.accel_node": "accel0", "attributes.usable": True}]),
    Case("npu/raspberry-pi-5_hailo-8.hailortcli.txt", accelerators, "hailo",
         [{"kind": "accelerator", "vendor": "hailo", "name": "HAILO8", "attributes.pci_address": "0001:01:00.0",
           "attributes.product": None}]),
    Case("npu/raspberry-pi-5_hailo-8l.hailortcli.txt", accelerators, "hailo",
         [{"kind": "accelerator", "vendor": "hailo", "name": "HAILO8L", "identifiers.model": "HAILO8L",
           "attributes.board_name": "Hailo-8", "attributes.firmware_version": "4.23.0"}]),
    # OpenCL
    Case("linux-gpu/adreno-750.clinfo.txt", opencl, "clinfo",
         [{"kind": "gpu", "vendor": "qualcomm", "name": "QUALCOMM Adreno(TM) 750", "attributes.opencl.version": "3.0"}]),
    Case("linux-gpu/arc-b580.clinfo.json", opencl, "clinfo",
         [{"kind": "gpu", "vendor": "intel", "name": "Intel(R) Arc(TM) B580 Graphics", "memory_kind": "dedicated",
           "memory_total": 12168933376, "identifiers.pci": "8086:e20b", "attributes.opencl.platform": "Intel(R) OpenCL Graphics",
           "attributes.pci_address": "0000:03:00.0"}]),
    Case("linux-gpu/no-opencl-devices.clinfo.json", opencl, "clinfo", []),
    # Frameworks
    Case("frameworks/core-ultra-155u.openvino-query-device.txt", device_lists, "openvino",
         [{"kind": "cpu", "name": "Intel(R) Core(TM) Ultra 7 155U", "attributes.openvino.streams_max": 14}]),
    Case("frameworks/core-ultra-270k_rtx-5090d.openvino-devices.txt", device_lists, "openvino",
         [{"kind": "cpu", "name": "Intel(R) Core(TM) Ultra 7 270K Plus"},
          {"kind": "gpu", "vendor": "intel", "name": "Intel(R) Graphics (iGPU)", "memory_kind": "shared", "memory_total": None,
           "attributes.openvino.execution_units": 64},
          {"kind": "gpu", "vendor": None, "name": None, "attributes.openvino.device": "GPU.1"}, {"kind": "npu"}],
         frameworks=[("openvino", "2026.3.0", ("cpu", "openvino-gpu", "openvino-npu"))]),
    Case("frameworks/i7-1270p.ort-ep-devices.txt", device_lists, "onnxruntime",
         [{"kind": "cpu", "vendor": "intel", "name": "12th Gen Intel(R) Core(TM) i7-1270P",
           "attributes.onnxruntime_providers": ["CPUExecutionProvider", "example_ep"]}],
         frameworks=[("onnxruntime", "1.23.0", ("cpu",))]),
    Case("frameworks/m2-ultra.mlx-device-info.txt", device_lists, "mlx",
         [{"kind": "gpu", "vendor": "apple", "identifiers.apple_gpu": "applegpu_g14d", "memory_kind": "unified",
           "attributes.memory_usable": 188743680000}]),
    ggml("lunar-lake_arc-130v.ollama-vulkan.log",
         {"name": "Intel(R) Arc(TM) 130V GPU (16GB)", "vendor": "intel", "memory_kind": "shared", "memory_total": None,
          "attributes.vram_set_aside": int(0.12 * 2**30), "attributes.shared_limit": int(27.45 * 2**30)}),
    ggml("m1-max_32gb.llama-list-devices.txt",
         {"name": "Apple M1 Max", "vendor": "apple", "memory_kind": "unified", "memory_total": None,
          "attributes.memory_usable": 26000 * MIB, "memory_available": 25999 * MIB}),
    ggml("m4_16gb.ggml-metal.log",
         {"name": "Apple M4", "vendor": "apple", "memory_kind": "unified", "attributes.memory_usable": 11453250000,
          "attributes.metal.families": ["MTLGPUFamilyApple9", "MTLGPUFamilyCommon3", "MTLGPUFamilyMetal3"]}),
    ggml("m5-max.ggml-metal.log",
         {"name": "Apple M5 Max", "memory_kind": "unified", "attributes.metal.tensor": True,
          "attributes.memory_usable": 40200900000,
          "attributes.metal.families": ["MTLGPUFamilyApple10", "MTLGPUFamilyCommon3", "MTLGPUFamilyMetal4"]}),
    ggml("mac_radeon-vii+pro-570.ggml-metal.log",
         {"name": "AMD Radeon VII", "vendor": "amd", "memory_kind": "dedicated", "attributes.uma": False},
         {"name": "AMD Radeon Pro 570", "vendor": "amd"}),
    ggml("meteor-lake_arc.ggml-vulkan.log",
         {"name": "Intel(R) Arc(tm) Graphics (MTL)", "vendor": "intel", "attributes.uma": True, "memory_kind": "shared",
          "attributes.vulkan.matrix_cores": "none", "attributes.vulkan.driver": "Intel open-source Mesa driver"}),
    ggml("r9700x2_rocm.llama.log", *[{**R9700, "identifiers.gfx": "gfx1201"}] * 2),
    ggml("r9700x2_vulkan-amdvlk.llama.log", *[{**R9700, "attributes.uma": False, "memory_kind": "dedicated"}] * 2,
         {"kind": "gpu", "vendor": "amd", "name": "AMD Ryzen 9 9900X3D 12-Core Processor", "attributes.uma": True}),
    ggml("rtx3060-laptop.ggml-vulkan.log",
         {"vendor": "nvidia", "name": "NVIDIA GeForce RTX 3060 Laptop GPU", "attributes.uma": False,
          "attributes.vulkan.fp16": True}),
    ggml("rx570_windows.ggml-vulkan.log",
         {"vendor": "amd", "name": "Radeon RX 570 Series", "attributes.uma": False, "attributes.vulkan.fp16": False}),
    ggml("snapdragon-8-elite_adreno830.ggml-opencl.log",
         {**ADRENO, "name": "QUALCOMM Adreno(TM) 830", "attributes.opencl.max_allocation": 1024 * MIB}),
    ggml("snapdragon-x-elite_adreno-x1-85.ggml-opencl.log",
         {**ADRENO, "name": "Qualcomm(R) Adreno(TM) X1-85 GPU", "attributes.opencl.max_allocation": 2048 * MIB}),
    ggml("snapdragon-8-elite_hexagon-v79.ggml.log",
         {"kind": "npu", "vendor": "qualcomm", "name": "QCOM_HTP_V79", "attributes.hexagon_arch": 79}, memory_total=24834 * MIB),
    ggml("strix-halo_vulkan.llama.log", {"vendor": "amd", "name": "Radeon 8060S Graphics", "attributes.uma": True}),
]  # fmt: skip


def faults(case: Case, seen: Observation) -> list[str]:
    found = missing_facts(seen.devices, case.devices)
    total = seen.memory.total if seen.memory else None
    found += [f"memory is {total}, not {case.memory_total}"] if total != case.memory_total else []
    found += [f"host.{key} is {seen.host.get(key)!r}" for key, wanted in case.host.items() if seen.host.get(key) != wanted]
    told = [(row.framework, row.version, row.execution_providers) for row in seen.frameworks]
    return found + ([f"frameworks are {told}"] if told != case.frameworks else [])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}:{case.probe.name}")
def test_recorded_output_gives_its_stated_facts(case: Case) -> None:
    assert faults(case, case.probe.parse({case.key: recorded_output(case.file)})) == []


def test_every_recorded_output_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    if not OUTPUTS.is_dir():
        pytest.skip("no recorded outputs beside the checkout (shared/snapshots/outputs)")
    listed = {f"{folder}/{path.name}" for folder in ("linux-gpu", "npu", "frameworks") for path in (OUTPUTS / folder).iterdir()}
    wanted = {file for file in listed if not file.endswith(ELSEWHERE)}
    good = {case.file for case in CASES if faults(case, case.probe.parse({case.key: recorded_output(case.file)})) == []}
    with capsys.disabled():
        print(f"\n{len(good & wanted)} of {len(wanted)} recorded outputs of GPUs, NPUs and frameworks give their stated facts")
    assert {case.file for case in CASES} == wanted
    assert good == wanted


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}:{case.probe.name}")
def test_a_cut_output_loses_facts_but_never_raises_nor_invents(case: Case) -> None:
    text = recorded_output(case.file)
    whole = case.probe.parse({case.key: text})
    sizes = {device.memory_total for device in whole.devices} | {None}
    for part in range(1, 24):
        seen = case.probe.parse({case.key: text[: len(text) * part // 24]})
        assert len(seen.devices) <= len(whole.devices)
        assert {device.memory_total for device in seen.devices} <= sizes


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}:{case.probe.name}")
def test_line_endings_and_nul_bytes_change_nothing(case: Case) -> None:
    text = recorded_output(case.file)
    plain = case.probe.parse({case.key: text})
    assert case.probe.parse({case.key: text.replace("\r\n", "\n").replace("\n", "\r\n")}) == plain
    assert case.probe.parse({case.key: "\ufeff" + text + "\x00\x00"}) == plain
