"""nvidia-smi of other versions and systems, broken reports, and what is read of a host."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from probes import gpu_nvidia, nvml
from recommender.domain.fingerprint import Device
from recommender.intake.host import RecordedHost

MIB = 1 << 20

OLD_TABLE = """
+-----------------------------------------------------------------------------+
| NVIDIA-SMI 390.116                Driver Version: 390.116                   |
|-------------------------------+----------------------+----------------------+
| GPU  Name        Persistence-M| Bus-Id        Disp.A | Volatile Uncorr. ECC |
| Fan  Temp  Perf  Pwr:Usage/Cap|         Memory-Usage | GPU-Util  Compute M. |
|===============================+======================+======================|
|   0  GeForce GTX 108...  Off  | 00000000:01:00.0  On |                  N/A |
| 23%   35C    P8    15W / 250W |    123MiB / 11178MiB |      0%      Default |
+-------------------------------+----------------------+----------------------+
|   1  Tesla K80           On   | 00000000:04:00.0 Off |                    0 |
| N/A   31C    P8    26W / 149W |      0MiB / 11441MiB |      0%      Default |
+-------------------------------+----------------------+----------------------+
"""
JETSON_TABLE = """
+---------------------------------------------------------------------------------------+
| NVIDIA-SMI 540.4.0                Driver Version: 540.4.0      CUDA Version: 12.6     |
|-----------------------------------------+----------------------+----------------------+
|   0  Orin (nvgpu)                  N/A  | N/A              N/A |                  N/A |
| N/A   N/A  N/A               N/A /  N/A | Not Supported        |     N/A          N/A |
|                                         |                      |                  N/A |
+-----------------------------------------+----------------------+----------------------+
"""
MIG_WITHOUT_RIGHTS = """
| NVIDIA-SMI 535.129.03             Driver Version: 535.129.03   CUDA Version: 12.2     |
|   0  NVIDIA A100-SXM4-40GB          On  | 00000000:07:00.0 Off |                   On |
| N/A   31C    P0              43W / 400W |                  N/A |     N/A      Default |
|                                         |                      |              Enabled |
"""
NEW_BANNER = """
| NVIDIA-SMI 610.10                 KMD Version: 610.10        CUDA UMD Version: 13.4     |
|   0  NVIDIA GeForce RTX 5090        Off |   00000000:01:00.0 Off |                  N/A |
|  0%   40C    P8             20W /  575W |     100MiB /  32607MiB |      0%      Default |
"""
PLAIN_QUERY = """
==============NVSMI LOG==============
Driver Version                            : 550.54.15
CUDA Version                              : 12.4
Attached GPUs                             : 1
GPU 00000000:65:00.0
    Product Name                          : NVIDIA RTX A4000
    Product Architecture                  : Ampere
    MIG Mode
        Current                           : N/A
        Pending                           : N/A
    PCI
        Bus                               : 0x65
        Device Id                         : 0x24B010DE
    FB Memory Usage
        Total                             : 16376 MiB
        Reserved                          : 223 MiB
        Used                              : 1 MiB
        Free                              : 16150 MiB
    BAR1 Memory Usage
        Total                             : 256 MiB
        Free                              : 254 MiB
"""
CSV = """index, pci.bus_id, name, pci.device_id, memory.total [MiB], memory.free [MiB], driver_version, compute_cap
0, 00000000:01:00.0, NVIDIA GeForce RTX 4090, 0x268410DE, 24564 MiB, 24000 MiB, 550.54.15, 8.9
1, 00000000:02:00.0, NVIDIA GeForce RTX 4090, 0x268410DE, 24564 MiB, [Unknown Error], 550.54.15, [N/A]
"""
XML = """<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
 <driver_version>550.54.15</driver_version><cuda_version>12.4</cuda_version>
 <gpu id="00000000:01:00.0"><product_name>NVIDIA A</product_name><fb_memory_usage><total>1000 MiB</total></fb_memory_usage></gpu>
 <gpu id="00000000:02:00.0"><product_name>NVIDIA B</product_name><broken & <fb_memory_usage><total>9 MiB</total></gpu>
 <gpu id="00000000:03:00.0"><product_name>NVIDIA C</product_name><fb_memory_usage><total>N/A</total></fb_memory_usage></gpu>
</nvidia_smi_log>
"""


def devices(*texts: Any) -> tuple[Device, ...]:
    return gpu_nvidia.parse({"tool": list(texts)}).devices


def test_an_old_table_with_two_cards_keeps_a_cut_name_apart() -> None:
    first, second = devices(OLD_TABLE)
    assert (first.name, first.attributes["name_start"], first.memory_total) == (None, "GeForce GTX 108", 11178 * MIB)
    assert (second.name, second.memory_total, second.driver_version) == ("Tesla K80", 11441 * MIB, "390.116")
    assert second.attributes["pci_address"] == "0000:04:00.0"


def test_a_cut_name_is_completed_by_the_list() -> None:
    first, second = devices(OLD_TABLE, "GPU 0: GeForce GTX 1080 Ti (UUID: GPU-0)\nGPU 1: Tesla K80 (UUID: GPU-1)\n")
    assert first.name == "GeForce GTX 1080 Ti" and "name_start" not in first.attributes
    assert second.name == "Tesla K80"


@pytest.mark.parametrize("name", ["Orin (nvgpu)", "NVIDIA Thor", "NVIDIA GB10"])
def test_a_chip_with_one_pool_has_no_memory_of_its_own(name: str) -> None:
    (device,) = devices(JETSON_TABLE.replace("Orin (nvgpu)", name))
    assert (device.name, device.memory_kind, device.memory_total) == (name, "unified", None)
    assert device.driver_version == "540.4.0"


def test_memory_hidden_by_mig_is_unknown_not_unified() -> None:
    (device,) = devices(MIG_WITHOUT_RIGHTS)
    assert (device.memory_kind, device.memory_total, device.attributes["mig"]) == (None, None, [])


def test_the_banner_that_tells_kernel_and_user_driver_apart() -> None:
    (device,) = devices(NEW_BANNER)
    assert (device.driver_version, device.attributes["cuda_version"], device.memory_total) == ("610.10", "13.4", 32607 * MIB)


def test_the_plain_query_takes_frame_buffer_not_bar_memory() -> None:
    (device,) = devices(PLAIN_QUERY)
    assert (device.name, device.identifiers["pci"], device.memory_total) == ("NVIDIA RTX A4000", "10de:24b0", 16376 * MIB)
    assert device.memory_available == 16150 * MIB and device.attributes["architecture"] == "Ampere"
    assert "mig" not in device.attributes


def test_two_equal_cards_stay_two_and_an_error_is_unknown() -> None:
    first, second = devices(CSV)
    assert first.identifiers == {"pci": "10de:2684", "compute_capability": "8.9"}
    assert second.identifiers == {"pci": "10de:2684"}
    assert (first.memory_available, second.memory_available) == (24000 * MIB, None)
    assert first.id != second.id


def test_a_table_without_units_uses_used_where_free_is_missing() -> None:
    (device,) = devices("name, memory.total, memory.used\nNVIDIA T4, 15360, 360\n")
    assert (device.name, device.memory_total, device.memory_available) == ("NVIDIA T4", 15360 * MIB, 15000 * MIB)


def test_a_broken_block_does_not_take_the_others_with_it() -> None:
    first, second, third = devices(XML)
    assert (first.name, first.memory_total, first.driver_version) == ("NVIDIA A", 1000 * MIB, "550.54.15")
    assert (second.name, second.memory_total) == ("NVIDIA B", None)
    assert (third.name, third.memory_kind, third.memory_total) == ("NVIDIA C", "unified", None)


def test_report_and_query_join_by_address() -> None:
    first, second, third = devices(XML, "index, pci.bus_id, compute_cap\n2, 00000000:03:00.0, 12.1\n")
    assert [gpu.identifiers.get("compute_capability") for gpu in (first, second, third)] == [None, None, "12.1"]


def test_the_tool_of_wsl_is_found_at_its_own_place() -> None:
    commands = {"/usr/lib/wsl/lib/nvidia-smi -q -x": {"stdout": XML}}
    raw = gpu_nvidia.read(RecordedHost({"os": "linux", "commands": commands}))
    assert raw is not None and len(gpu_nvidia.parse(raw).devices) == 3


def test_a_failing_report_falls_back_to_the_table() -> None:
    commands = {"nvidia-smi -q -x": {"stdout": "boom", "returncode": 9}, "nvidia-smi": {"stdout": JETSON_TABLE}}
    raw = gpu_nvidia.read(RecordedHost({"os": "linux", "commands": commands}))
    assert raw is not None and gpu_nvidia.parse(raw).devices[0].name == "Orin (nvgpu)"


def test_the_driver_files_are_enough_to_name_a_card() -> None:
    files = {
        "/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.03  Release Build\n",
        "/proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA GeForce RTX 3090\nIRQ:   \t\t 150\n",
    }
    raw = gpu_nvidia.read(RecordedHost({"os": "linux", "files": files}))
    assert raw is not None
    (device,) = gpu_nvidia.parse(raw).devices
    assert (device.name, device.driver, device.driver_version) == ("NVIDIA GeForce RTX 3090", "nvidia", "560.35.03")
    assert (device.memory_total, device.attributes["pci_address"]) == (None, "0000:01:00.0")


def test_without_the_tool_the_library_answers() -> None:
    gpu = {"index": 0, "name": "NVIDIA L4", "memory_total": 24 << 30, "memory_free": 23 << 30, "pci_bus_id": "00000000:31:00.0",
           "pci_device_id": 0x27B810DE, "compute_capability": "8.9"}  # fmt: skip
    answer = {"driver_version": "550.1", "cuda_version": "12.4", "gpus": [gpu]}
    raw = gpu_nvidia.read(RecordedHost({"os": "linux", "python": {"nvml": answer}}))
    assert raw is not None
    (device,) = gpu_nvidia.parse(raw).devices
    assert device.identifiers == {"pci": "10de:27b8", "compute_capability": "8.9"}
    assert (device.memory_total, device.driver_version) == (24 << 30, "550.1")


def test_nothing_of_nvidia_is_nothing_to_parse() -> None:
    assert gpu_nvidia.read(RecordedHost({"os": "linux"})) is None


class Library:
    """The management library with one GPU that refuses its memory."""

    def nvmlInit(self) -> None: ...
    def nvmlShutdown(self) -> None: ...
    def nvmlSystemGetCudaDriverVersion(self) -> int:
        return 12040

    def nvmlSystemGetDriverVersion(self) -> bytes:
        return b"550.1"

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return f"handle {index}"

    def nvmlDeviceGetName(self, handle: str) -> bytes:
        return b"NVIDIA GB10"

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> None:
        raise RuntimeError("Not Supported")

    def nvmlDeviceGetCudaComputeCapability(self, handle: str) -> tuple[int, int]:
        return 12, 1


def test_the_question_survives_what_a_driver_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Library())
    answer = nvml.ask()
    assert answer is not None and answer["cuda_version"] == "12.4"
    (device,) = gpu_nvidia.parse({"nvml": answer}).devices
    assert (device.name, device.memory_total, device.identifiers) == ("NVIDIA GB10", None, {"compute_capability": "12.1"})
