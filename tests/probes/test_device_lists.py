"""Frameworks' own device lists in other versions, structured answers, and what is asked of a host."""

from __future__ import annotations

from typing import Any

import pytest

from probes import device_lists
from recommender.domain.fingerprint import Device
from recommender.intake.host import RecordedHost

MIB = 1 << 20


def ggml(text: str) -> tuple[Device, ...]:
    return device_lists.parse({"ggml": text}).devices


def test_cuda_devices_with_their_capability() -> None:
    first, second = ggml(
        "ggml_cuda_init: found 2 CUDA devices:\n"
        "  Device 0: NVIDIA GeForce RTX 4090, compute capability 8.9, VMM: yes, VRAM: 24080 MiB\n"
        "  Device 1: NVIDIA GB10, compute capability 12.1, VMM: yes, VRAM: 122545 MiB\n"
    )
    assert (first.identifiers, first.memory_total) == ({"compute_capability": "8.9"}, 24080 * MIB)
    assert (second.memory_kind, second.memory_total) == ("unified", None)


def test_a_rocm_target_with_switches() -> None:
    (device,) = ggml("  Device 0: AMD Instinct MI210, gfx90a:sramecc+:xnack- (0x90a), VMM: no, Wave Size: 64\n")
    assert (device.name, device.identifiers) == ("AMD Instinct MI210", {"gfx": "gfx90a"})


def test_list_devices_leaves_out_what_is_no_local_gpu() -> None:
    devices = ggml(
        "Available devices:\n  CUDA0: NVIDIA RTX A4000 (16375 MiB, 15000 MiB free)\n"
        "  Vulkan0: AMD Radeon 780M (32000 MiB, 31000 MiB free)\n"
        "  RPC0: 10.0.0.2:50052 (24000 MiB, 23000 MiB free)\n  BLAS: OpenBLAS (0 MiB, 0 MiB free)\n"
        "  HTP0: Hexagon (2048 MiB, 2048 MiB free)\n"
    )
    cuda, vulkan, hexagon = devices
    assert (cuda.memory_kind, cuda.memory_total, cuda.memory_available) == ("dedicated", 16375 * MIB, 15000 * MIB)
    assert (vulkan.memory_kind, vulkan.memory_total, vulkan.attributes["memory_usable"]) == (None, None, 32000 * MIB)
    assert (hexagon.kind, hexagon.vendor) == ("npu", "qualcomm")


def test_one_gpu_under_two_backends_is_one_device() -> None:
    (device,) = ggml(
        "  Device 0: NVIDIA GeForce RTX 3060, compute capability 8.6, VMM: yes\n"
        "ggml_vulkan: 0 = NVIDIA GeForce RTX 3060 (NVIDIA) | uma: 0 | fp16: 1 | warp size: 32\n"
    )
    assert device.identifiers == {"compute_capability": "8.6"} and device.memory_kind == "dedicated"


def test_a_software_renderer_is_no_gpu() -> None:
    assert ggml("ggml_vulkan: 0 = llvmpipe (LLVM 20.1.2, 256 bits) (llvmpipe) | uma: 0 | fp16: 1 | warp size: 8\n") == ()


def test_a_place_in_the_list_is_no_name() -> None:
    assert ggml("ggml_metal_device_init: GPU name:   MTL0\nggml_metal_device_init: has unified memory    = true\n") == ()


def test_the_hexagon_backend_of_llama_cpp() -> None:
    (device,) = ggml(
        "ggml-hex: Hexagon backend (experimental) : allocating new registry : ndev 1\nggml-hex: Hexagon Arch version v81\n"
    )
    assert (device.kind, device.attributes["hexagon_arch"], device.identifiers["hexagon_arch"]) == ("npu", 81, "81")


def test_two_opencl_devices_keep_their_own_lines() -> None:
    first, second = ggml(
        "ggml_opencl: device: 'QUALCOMM Adreno(TM) 750 (OpenCL 3.0 Adreno(TM) 750)'\nggml_opencl: device FP16 support: true\n"
        "ggml_opencl: device: 'Intel(R) UHD Graphics (OpenCL 3.0 NEO)'\nggml_opencl: device FP16 support: false\n"
    )
    assert (first.attributes["opencl"]["fp16"], second.attributes["opencl"]["fp16"]) == (True, False)


def test_ollama_tells_discrete_from_integrated() -> None:
    card, integrated = ggml(
        'time=x level=INFO msg="inference compute" id=0 library=CUDA compute=8.6 name=CUDA0 description="NVIDIA GeForce RTX 3060"'
        ' driver=12.8 pci_id=0000:01:00.0 type=discrete total="12.0 GiB" available="10.9 GiB"\n'
        'time=x level=INFO msg="inference compute" id=1 library=ROCm compute=gfx1103 description="AMD Radeon 780M"'
        ' type=iGPU total="16.0 GiB"\n'
        'time=x level=INFO msg="inference compute" id=cpu library=cpu compute="" name=cpu description=cpu total="31 GiB"\n'
    )
    assert (card.memory_total, card.attributes["pci_address"]) == (12 << 30, "0000:01:00.0")
    assert card.identifiers == {"compute_capability": "8.6"}
    assert (integrated.memory_kind, integrated.memory_total, integrated.identifiers) == ("shared", None, {"gfx": "gfx1103"})


M4_MAX = {"architecture": "applegpu_g16s", "device_name": "Apple M4 Max", "max_recommended_working_set_size": 55662788608}


@pytest.mark.parametrize("answer", [M4_MAX, repr(M4_MAX), f"device info: {M4_MAX}"])
def test_mlx_answers_as_dict_or_text(answer: Any) -> None:
    (device,) = device_lists.parse({"mlx": answer}).devices
    assert (device.name, device.attributes["memory_usable"], device.memory_total) == ("Apple M4 Max", 55662788608, None)


def test_mlx_without_a_gpu_is_no_device() -> None:
    assert device_lists.parse({"mlx": {"architecture": "x86_64", "device_name": "AMD EPYC"}}).devices == ()


def test_openvino_as_structure() -> None:
    answer = {
        "GPU": {"FULL_DEVICE_NAME": "Intel(R) Arc(TM) B580 Graphics (dGPU)", "DEVICE_TYPE": "Type.DISCRETE",
         "GPU_DEVICE_TOTAL_MEM_SIZE": 12168933376},
        "NPU": {"FULL_DEVICE_NAME": "Intel(R) AI Boost", "DEVICE_ARCHITECTURE": "4000", "OPTIMIZATION_CAPABILITIES": ["FP16",
         "INT8"]},
        "AUTO": {"FULL_DEVICE_NAME": "AUTO"},
    }  # fmt: skip
    gpu, npu = device_lists.parse({"openvino": answer}).devices
    assert (gpu.memory_kind, gpu.memory_total, gpu.vendor) == ("dedicated", 12168933376, "intel")
    assert (npu.kind, npu.name, npu.attributes["openvino"]["capabilities"]) == ("npu", "Intel(R) AI Boost", ("FP16", "INT8"))


def test_onnxruntime_lists_units_once_each_with_all_their_providers() -> None:
    def entry(number: int, provider: str, kind: str, ident: int, vendor: str, described: str, luid: str) -> str:
        return (
            f"===== EP Device {number} =====\nEP Name: {provider}\nEP Vendor: Microsoft\nEP Metadata:\nDevice:\n"
            f"  Type: {kind}\n  ID: {ident}\n"
            f"  Vendor: {vendor}\n  Metadata:\n    Description: {described}\n    LUID: {luid}\n\n"
        )

    text = (
        entry(0, "DmlExecutionProvider", "GPU", 9860, "NVIDIA", "NVIDIA GeForce RTX 4090", "1")
        + entry(1, "NvTensorRTRTXExecutionProvider", "GPU", 9860, "NVIDIA", "NVIDIA GeForce RTX 4090", "1")
        + entry(2, "DmlExecutionProvider", "GPU", 9860, "NVIDIA", "NVIDIA GeForce RTX 4090", "2")
        + entry(3, "VitisAIExecutionProvider", "NPU", 6128, "AMD", "NPU Compute Accelerator Device", "3")
    )
    first, second, npu = device_lists.parse({"onnxruntime": text}).devices
    assert first.attributes["onnxruntime_providers"] == ["DmlExecutionProvider", "NvTensorRTRTXExecutionProvider"]
    assert second.attributes["onnxruntime_providers"] == ["DmlExecutionProvider"]
    assert (first.identifiers["pci"], npu.identifiers["pci"], npu.kind) == ("10de:2684", "1022:17f0", "npu")


def test_a_host_is_asked_once_and_nothing_is_nothing() -> None:
    listing = "Available devices:\n  MTL0: Apple M1 (10922 MiB, 10000 MiB free)\n"
    raw = device_lists.read(RecordedHost({"os": "macos", "commands": {"llama-cli --list-devices": {"stdout": listing}}}))
    assert raw is not None and device_lists.parse(raw).devices[0].name == "Apple M1"
    assert device_lists.read(RecordedHost({"os": "macos"})) is None
