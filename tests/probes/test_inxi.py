"""inxi in the layouts of several versions."""

from __future__ import annotations

from probes import inxi
from recommender.intake.host import RecordedHost

REPORT = """System:
  Host: x Kernel: 6.8.0-45-generic arch: x86_64
Machine:
  Type: Laptop System: LENOVO product: 21K5 v: ThinkPad serial: <filter>
CPU:
  Info: 8-core model: AMD Ryzen 7 PRO 7840U w/ Radeon 780M Graphics bits: 64 type: MT MCP
Graphics:
  Device-1: AMD Phoenix1 vendor: Lenovo driver: amdgpu v: kernel
  Device-2: Chicony Integrated Camera driver: uvcvideo type: USB
Info:
  Memory: total: 32 GiB available: 29.9 GiB used: 5 GiB (17%)
"""


def test_a_laptop() -> None:
    raw = inxi.read(RecordedHost({"os": "linux", "commands": {"inxi -Fxx": {"stdout": REPORT}}}))
    assert raw is not None
    seen = inxi.parse(raw)
    cpu, gpu = seen.devices
    assert cpu.cores is not None and (cpu.cores.physical, cpu.vendor) == (8, "amd")
    assert cpu.name == "AMD Ryzen 7 PRO 7840U w/ Radeon 780M Graphics"
    assert (gpu.driver, gpu.name) == ("amdgpu", "AMD Phoenix1")
    assert seen.memory is not None and seen.memory.total == 32 << 30
    assert seen.host["machine_vendor"] == "LENOVO"


def test_two_sockets_and_words_for_counts() -> None:
    seen = inxi.parse({"inxi": "CPU:\n  Info: 2x quad-core model: Intel Xeon E5-2609 bits: 64\n"})
    assert seen.devices[0].cores is not None and seen.devices[0].cores.physical == 8
