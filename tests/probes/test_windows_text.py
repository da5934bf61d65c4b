"""The text formats of Windows tools: tables, lists, translations, dxdiag, the registry, sizes in every unit."""

from __future__ import annotations

import pytest

from probes import windows
from recommender.domain.fingerprint import Device, Observation

GIB, MIB = 2**30, 2**20


def parse(text: str) -> Observation:
    return windows.parse({"output": text})


def only(observation: Observation, kind: str) -> list[Device]:
    return [device for device in observation.devices if device.kind == kind]


@pytest.mark.parametrize(
    "text",
    [
        "Name                                 NumberOfCores  NumberOfLogicalProcessors  \n"
        "AMD Ryzen 9 7950X 16-Core Processor  16             32                         \n",
        "\r\nNode,Name,NumberOfCores,NumberOfLogicalProcessors\r\nPC,AMD Ryzen 9 7950X 16-Core Processor,16,32\r\n",
        "Name                      : AMD Ryzen 9 7950X 16-Core Processor\n"
        "NumberOfCores             : 16\nNumberOfLogicalProcessors : 32\n",
        "Name                                NumberOfCores NumberOfLogicalProcessors\n"
        "----                                ------------- -------------------------\n"
        "AMD Ryzen 9 7950X 16-Core Processor            16                        32\n",
        '{"Name":"AMD Ryzen 9 7950X 16-Core Processor","NumberOfCores":16,"NumberOfLogicalProcessors":32}',
    ],
    ids=["wmic table", "wmic csv", "format-list", "format-table", "json"],
)
def test_one_processor_in_every_shape(text: str) -> None:
    cpu = only(parse(text), "cpu")[0]
    assert (cpu.name, cpu.vendor) == ("AMD Ryzen 9 7950X 16-Core Processor", "amd")
    assert cpu.cores is not None and (cpu.cores.physical, cpu.cores.logical) == (16, 32)
    assert "virtualization" not in parse(text).host


@pytest.mark.parametrize(
    "text",
    [
        "Betriebssystemname:            Microsoft Windows 11 Pro\n"
        "Betriebssystemversion:         10.0.22631 Nicht zutreffend Build 22631\n"
        "Systemhersteller:              LENOVO\nSystemtyp:                     x64-based PC\n"
        "Gesamter physischer Speicher:  16.220 MB\n",
        "Nom du système d’exploitation:              Microsoft Windows 11 Professionnel\n"
        "Version du système:  10.0.22631 N/A build 22631\n"
        "Fabricant du système:    LENOVO\nType du système:      x64-based PC\nMémoire physique totale:         16\u202f220 Mo\n",
        "OS 名称:          Microsoft Windows 11 专业版\nOS 版本:          10.0.22631 暂缺 Build 22631\n系统制造商:       LENOVO\n"
        "系统类型:         x64-based PC\n物理内存总量:     16,220 MB\n",
    ],
    ids=["German", "French", "Chinese"],
)
def test_systeminfo_in_other_languages(text: str) -> None:
    seen = parse(text)
    assert seen.host["os_version"] == "10.0.22631"
    assert (seen.host["machine_vendor"], seen.host["architecture"]) == ("LENOVO", "x86_64")
    assert seen.memory is not None and seen.memory.total == 16220 * MIB


def test_a_full_dxdiag() -> None:
    text = """------------------
System Information
------------------
      Machine name: SCRUBBED
  Operating System: Windows 11 Home 64-bit (10.0, Build 22631) (22621.ni_release.220506-1250)
System Manufacturer: ASUSTeK COMPUTER INC.
      System Model: ROG Strix G513
         Processor: AMD Ryzen 7 5800H with Radeon Graphics          (16 CPUs), ~3.2GHz
            Memory: 16384MB RAM
Available OS Memory: 15774MB RAM
---------------
Display Devices
---------------
           Card name: NVIDIA GeForce RTX 3070 Laptop GPU
        Manufacturer: NVIDIA
           Chip type: NVIDIA GeForce RTX 3070 Laptop GPU
           Vendor ID: 0x10DE
           Device ID: 0x24DD
      Display Memory: 15867 MB
    Dedicated Memory: 7980 MB
       Shared Memory: 7887 MB
      Driver Version: 31.0.15.3713

           Card name: Microsoft Basic Render Driver
        Manufacturer: Microsoft
"""
    seen = parse(text)
    cpu, gpu = seen.devices
    assert (cpu.name, cpu.cores and cpu.cores.logical) == ("AMD Ryzen 7 5800H with Radeon Graphics", 16)
    assert (gpu.identifiers["pci"], gpu.memory_total, gpu.driver_version) == ("10de:24dd", 7980 * MIB, "31.0.15.3713")
    assert (seen.host["machine_model"], seen.host["os_version"]) == ("ROG Strix G513", "10.0.22631")
    assert seen.memory is not None and seen.memory.total == 16 * GIB


def test_a_registry_query() -> None:
    text = (
        "\r\nHKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Control\\Class\\{4d36e968-e325-11ce-bfc1-08002be10318}\\0000\r\n"
        "    DriverDesc    REG_SZ    AMD Radeon RX 6800\r\n    MatchingDeviceId    REG_SZ    PCI\\VEN_1002&DEV_73BF\r\n"
        "    HardwareInformation.qwMemorySize    REG_QWORD    0x3ff000000\r\n"
    )
    gpu = parse(text).devices[0]
    assert (gpu.identifiers["pci"], gpu.memory_total, gpu.memory_kind) == ("1002:73bf", 0x3FF000000, "dedicated")


def test_get_computerinfo() -> None:
    seen = parse(
        "OsName                  : Microsoft Windows 11 Enterprise\nOsVersion               : 10.0.22621\n"
        "CsManufacturer          : Dell Inc.\n"
        "CsModel                 : Latitude 5440\nCsSystemType            : x64-based PC\nCsTotalPhysicalMemory   : 16863420416\n"
        "CsProcessors            : {13th Gen Intel(R) Core(TM) i5-1345U}\n"
    )
    assert (seen.host["machine_vendor"], seen.host["machine_model"], seen.host["architecture"]) == (
        "Dell Inc.",
        "Latitude 5440",
        "x86_64",
    )
    assert seen.devices[0].name == "13th Gen Intel(R) Core(TM) i5-1345U"
    assert seen.memory is not None and seen.memory.total == 16863420416


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("Capacity    \n8589934592  \n8589934592  \n", 16 * GIB),
        ("TotalPhysicalMemory  \n17021599744          \n", 17021599744),
        ("TotalVisibleMemorySize=16622656\n", 16622656 * 1024),
        ("Total Physical Memory:     16,220 MB\n", 16220 * MIB),
        ("Installed Physical Memory (RAM)\t16,0 GB\n", 16 * GIB),
    ],
)
def test_memory_in_every_unit(text: str, total: int) -> None:
    memory = parse(text).memory
    assert memory is not None and memory.total == total


def test_names_alone() -> None:
    seen = parse(
        "Name                       \nNVIDIA GeForce RTX 3060    \nIntel(R) UHD Graphics 770  \nMicrosoft Basic Render Driver\n"
    )
    assert [(gpu.id, gpu.vendor) for gpu in seen.devices] == [("gpu0", "nvidia"), ("gpu1", "intel")]
