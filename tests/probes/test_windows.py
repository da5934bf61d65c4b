"""Windows: the answer of PowerShell, software adapters, kinds of memory, hypervisors, whole machines, broken outputs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from probes import windows
from recommender.domain.fingerprint import Device, Observation
from recommender.intake.host import RecordedHost, command_key

GIB = 2**30


def parse(*texts: str) -> Observation:
    return windows.parse({str(number): text for number, text in enumerate(texts)})


def only(observation: Observation, kind: str) -> list[Device]:
    return [device for device in observation.devices if device.kind == kind]


def answer(**parts: Any) -> str:
    base = {
        "os": {"Caption": "Microsoft Windows 11 Pro", "Version": "10.0.26100", "OSArchitecture": "64-bit"},
        "system": {
            "Manufacturer": "LENOVO",
            "Model": "21KCCTO1WW",
            "SystemType": "x64-based PC",
            "PCSystemType": 2,
            "TotalPhysicalMemory": 34029195264,
            "HypervisorPresent": True,
        },
        "cpu": [
            {
                "Name": "Intel(R) Core(TM) Ultra 7 155H",
                "Caption": "Intel64 Family 6 Model 170 Stepping 4",
                "Manufacturer": "GenuineIntel",
                "Architecture": 9,
                "NumberOfCores": 16,
                "NumberOfLogicalProcessors": 22,
                "L2CacheSize": 18432,
                "L3CacheSize": 24576,
            }
        ],
        "gpu": [
            {
                "Name": "Intel(R) Arc(TM) Graphics",
                "AdapterCompatibility": "Intel Corporation",
                "AdapterRAM": 2147479552,
                "DriverVersion": "32.0.101.6078",
                "PNPDeviceID": "PCI\\VEN_8086&DEV_7D55&SUBSYS_50B617AA&REV_08\\3&11583659&0&10",
            }
        ],
        "memory": [{"Capacity": 17179869184, "SMBIOSMemoryType": 35}, {"Capacity": 17179869184, "SMBIOSMemoryType": 35}],
        "npu": [
            {
                "Name": "Intel(R) AI Boost",
                "Manufacturer": "Intel Corporation",
                "DriverVersion": "32.0.100.3104",
                "PNPDeviceID": "PCI\\VEN_8086&DEV_7D1D&SUBSYS_50B617AA&REV_04\\3&11583659&0&58",
            }
        ],
    }
    return json.dumps({**base, **parts})


def test_a_whole_laptop() -> None:
    host = RecordedHost({"os": "windows", "commands": {command_key(windows.COMMAND): {"stdout": "\ufeff" + answer() + "\r\n"}}})
    raw = windows.read(host)
    assert raw is not None
    seen = windows.parse(raw)
    cpu, gpu, npu = seen.devices
    assert dict(seen.host) == {
        "os": "windows",
        "os_version": "10.0.26100",
        "architecture": "x86_64",
        "machine_vendor": "LENOVO",
        "machine_model": "21KCCTO1WW",
        "machine_class": "laptop",
    }
    assert cpu.cores is not None and (cpu.cores.physical, cpu.cores.logical) == (16, 22)
    assert cpu.identifiers["cpuid"] == "GenuineIntel:6:170:4"
    assert (gpu.identifiers["pci"], gpu.memory_kind, gpu.memory_total) == ("8086:7d55", "shared", None)
    assert (npu.vendor, npu.identifiers["pci"], npu.driver_version) == ("intel", "8086:7d1d", "32.0.100.3104")
    assert seen.memory is not None and (seen.memory.total, seen.memory.kind) == (34029195264, "LPDDR5")


def test_the_registry_tells_the_memory_that_adapterram_cannot() -> None:
    card = {
        "Name": "NVIDIA GeForce RTX 4090",
        "AdapterCompatibility": "NVIDIA",
        "AdapterRAM": 4293918720,
        "PNPDeviceID": "PCI\\VEN_10DE&DEV_2684&SUBSYS_40BF1458&REV_A1\\4&1",
    }
    entry = {
        "DriverDesc": "NVIDIA GeForce RTX 4090",
        "MatchingDeviceId": "PCI\\VEN_10DE&DEV_2684",
        "HardwareInformation.qwMemorySize": 25757220864,
    }
    assert only(parse(answer(gpu=[card], display=[entry])), "gpu")[0].memory_total == 25757220864
    other = {**entry, "MatchingDeviceId": "PCI\\VEN_10DE&DEV_1B80"}
    assert only(parse(answer(gpu=[card], display=[other])), "gpu")[0].memory_total is None
    as_bytes = {**entry, "HardwareInformation.qwMemorySize": [0, 0, 0, 0, 6, 0, 0, 0]}
    assert only(parse(answer(gpu=[card], display=[as_bytes])), "gpu")[0].memory_total == 24 * GIB


@pytest.mark.parametrize("value", [4293918720, 4294967295, "4293918720", -1048576, 0, None, ""])
def test_a_capped_or_missing_adapterram_is_unknown(value: object) -> None:
    card = {
        "Name": "AMD Radeon RX 7900 XT",
        "AdapterCompatibility": "Advanced Micro Devices, Inc.",
        "AdapterRAM": value,
        "PNPDeviceID": "",
    }
    gpu = only(parse(answer(gpu=[card])), "gpu")[0]
    assert (gpu.memory_total, gpu.memory_kind, gpu.vendor) == (None, "dedicated", "amd")


@pytest.mark.parametrize(
    "name",
    [
        "Microsoft Basic Render Driver",
        "Microsoft Basic Display Adapter",
        "Microsoft Remote Display Adapter",
        "Microsoft Indirect Display Driver",
        "Microsoft Hyper-V Video",
        "Parsec Virtual Display Adapter",
        "Citrix Indirect Display Adapter",
        "VMware SVGA 3D",
    ],
)
def test_software_adapters_are_no_gpu(name: str) -> None:
    assert only(parse(answer(gpu=[{"Name": name, "AdapterRAM": 1073741824, "PNPDeviceID": ""}])), "gpu") == []


@pytest.mark.parametrize(
    ("system", "gpu", "virtualization"),
    [
        ({"Manufacturer": "Microsoft Corporation", "Model": "Virtual Machine"}, "Microsoft Hyper-V Video", "hyper-v"),
        ({"Manufacturer": "QEMU", "Model": "Standard PC (Q35 + ICH9, 2009)"}, "Red Hat QXL controller", "qemu"),
        ({"Manufacturer": "innotek GmbH", "Model": "VirtualBox"}, "VirtualBox Graphics Adapter (WDDM)", "virtualbox"),
        ({"Manufacturer": "Dell Inc.", "Model": "XPS 13"}, "VMware SVGA 3D", "vmware"),
        ({"Manufacturer": "Microsoft Corporation", "Model": "Surface Laptop 7"}, "Intel(R) Iris(R) Xe Graphics", None),
        ({"Manufacturer": "Dell Inc.", "Model": "XPS 13", "HypervisorPresent": False}, "Intel(R) Iris(R) Xe Graphics", "none"),
    ],
)
def test_virtual_machines(system: dict[str, Any], gpu: str, virtualization: str | None) -> None:
    seen = parse(
        answer(system=system, gpu=[{"Name": gpu, "AdapterCompatibility": "x", "PNPDeviceID": "PCI\\VEN_1234&DEV_1111\\0"}])
    )
    assert seen.host.get("virtualization") == virtualization


@pytest.mark.parametrize(
    ("name", "vendor", "kind"),
    [
        ("AMD Radeon(TM) Graphics", "amd", "shared"),
        ("AMD Radeon 780M Graphics", "amd", "shared"),
        ("AMD Radeon RX 6700 XT", "amd", "dedicated"),
        ("AMD Radeon PRO W7900", "amd", "dedicated"),
        ("Intel(R) Arc(TM) A770 Graphics", "intel", "dedicated"),
        ("Intel(R) Arc(TM) 140V GPU (16GB)", "intel", "shared"),
        ("Intel(R) Arc(TM) B580 Graphics", "intel", "dedicated"),
        ("NVIDIA RTX A2000 8GB Laptop GPU", "nvidia", "dedicated"),
        ("Qualcomm(R) Adreno(TM) X1-85 GPU", "qualcomm", "shared"),
    ],
)
def test_kind_of_memory_by_name(name: str, vendor: str, kind: str) -> None:
    gpu = only(parse(answer(gpu=[{"Name": name, "AdapterRAM": 536870912, "PNPDeviceID": ""}])), "gpu")[0]
    assert (gpu.vendor, gpu.memory_kind) == (vendor, kind)


@pytest.mark.parametrize(
    ("name", "vendor", "kind"),
    [
        ("NPU Compute Accelerator Device", "amd", "npu"),
        ("Snapdragon(R) X Elite - X1E78100 - Qualcomm(R) Hexagon(TM) NPU", "qualcomm", "npu"),
        ("Hailo-8 AI Accelerator", "hailo", "accelerator"),
    ],
)
def test_compute_accelerators(name: str, vendor: str, kind: str) -> None:
    entry = {
        "Name": name,
        "PNPDeviceID": "PCI\\VEN_1022&DEV_17F0\\0" if vendor == "amd" else "ACPI\\QCOM0D0A\\0",
        "PNPClass": "ComputeAccelerator",
    }
    device = only(parse(json.dumps([entry])), kind)[0]
    assert device.vendor == vendor


def test_two_sockets_are_one_processor() -> None:
    cpu = {
        "Name": "Intel(R) Xeon(R) Gold 6230",
        "Manufacturer": "GenuineIntel",
        "NumberOfCores": 20,
        "NumberOfLogicalProcessors": 40,
    }
    device = only(parse(answer(cpu=[cpu, cpu])), "cpu")[0]
    assert device.cores is not None and (device.cores.physical, device.cores.logical) == (40, 80)
    assert device.attributes["sockets"] == 2


def test_windows_on_arm() -> None:
    cpu = {
        "Name": "Snapdragon(R) X Plus - X1P-64-100 - Qualcomm(R) Oryon(TM) CPU",
        "Caption": "ARMv8 (64-bit) Family 8 Model 1 Revision 201",
        "Manufacturer": "Qualcomm Technologies Inc",
        "Architecture": 12,
        "NumberOfCores": 10,
        "NumberOfLogicalProcessors": 10,
    }
    seen = parse(answer(cpu=[cpu], system={"Model": "Surface", "SystemType": "ARM64-based PC"}, gpu=[], npu=[]))
    assert (seen.host["architecture"], seen.host["soc"]) == ("aarch64", "X1P64100")
    assert seen.devices[0].identifiers == {"soc": "X1P64100"}


def test_systeminfo_is_asked_where_powershell_does_not_answer() -> None:
    host = RecordedHost(
        {"os": "windows", "commands": {"systeminfo": {"stdout": "OS Name: Microsoft Windows 10 Pro\nOS Version: 10.0.19045\n"}}}
    )
    assert windows.parse(windows.read(host) or {}).host["os_version"] == "10.0.19045"
    assert windows.read(RecordedHost({"os": "windows"})) is None
    assert windows.read(RecordedHost({"os": "linux"})) is None


@pytest.mark.parametrize(
    "junk", ["", "{", "[[[[[]]]]]", "null", "a,b\nc,d", "----\n----", '[HKEY_X]\n"a"=hex(b):zz', "#1 GPU", "=\n=", "\0"]
)
def test_junk_gives_nothing(junk: str) -> None:
    assert parse(junk) == Observation()
