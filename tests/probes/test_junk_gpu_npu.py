"""Whatever a tool prints or a recording holds, these probes return an Observation of well-formed devices and never raise."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes import accelerators, device_lists, gpu_amd, gpu_intel, gpu_nvidia, inxi, npu_amd, npu_intel, opencl, pci, vulkan
from recommender.domain.fingerprint import DEVICE_KINDS, Observation
from recommender.intake.host import RecordedHost
from recommender.ports import PROBE_API

KEYS: dict[ModuleType, tuple[str, ...]] = {
    accelerators: ("bus", "usb", "dev", "hailo", "huawei", "lspci", "lsusb", "log"),
    device_lists: ("ggml", "mlx", "openvino", "onnxruntime"),
    gpu_amd: ("bus", "cards", "nodes", "names", "module", "tool"),
    gpu_intel: ("bus", "memory", "modules", "tool"),
    gpu_nvidia: ("tool", "module", "cards", "nvml"),
    inxi: ("inxi",),
    npu_amd: ("bus", "nodes", "files", "tool", "log"),
    npu_intel: ("bus", "nodes", "log"),
    opencl: ("clinfo",),
    pci: ("bus", "lspci", "lshw"),
    vulkan: ("summary",),
}
# Words that the parsers look for, so that random text reaches their depths.
WORDS = (
    "<nvidia_smi_log>", '<gpu id="0">', "</gpu>", "<total>", "MiB", "N/A", "|", "  0  ", "0000:01:00.0", "[0300]:",
     "[10de:2684]", "\n",
    '{"card0": {', '"Card Series": ', '"gpu": 0, "asic": {', "}", "GPU: 0", "    ASIC:", "GPU[0] : Card Series: x",
     "device,Card", "Slot:\t",
    "*-display", "bus info: pci@", "ggml_vulkan: 0 = ", "(x) | uma: 1", "  Device 0: x, gfx", "ggml_metal_init: GPU name: ",
     "\x00", "é",
    "Executing on device: ", "Device Architecture: ", "| 0     910B3  | OK | 1 |", "System Configuration",
     "Device Name    x", "Platform Name  y",
    "GPU0:", "deviceName = x", "EP Device 0 =", "EP Name: x", "  Type: GPU", "device: GPU", "FULL_DEVICE_NAME: x",
     "99999999999999999999999",
    "CPU:\n  Info: 16-core x", "Device-1: AMD x driver: y", "Initialized amdxdna_accel_driver 0.6.0 for ", " on minor 0",
     '{"devices": [{"online": [',
)  # fmt: skip
TEXT = st.lists(st.sampled_from(WORDS) | st.text(max_size=12), max_size=30).map("".join)
VALUE: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("uevent", "0000:01:00.0", "gpus", "links",
     "GPU")), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@pytest.mark.parametrize("probe", KEYS, ids=lambda probe: probe.name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_junk_never_raises(probe: ModuleType, data: st.DataObject) -> None:
    raw = {key: data.draw(TEXT if key in ("tool", "log", "ggml") else VALUE) for key in KEYS[probe]}
    seen = probe.parse(raw)
    assert isinstance(seen, Observation)
    assert all(device.kind in DEVICE_KINDS for device in seen.devices)
    assert all(device.memory_total is None or device.memory_total >= 0 for device in seen.devices)
    assert len({device.id for device in seen.devices}) == len(seen.devices)


@pytest.mark.parametrize("probe", KEYS, ids=lambda probe: probe.name)
def test_every_probe_keeps_to_the_port(probe: ModuleType) -> None:
    assert (probe.api, probe.volatile) == (PROBE_API, False)
    assert set(probe.platforms) <= {"linux", "windows", "macos", "android"}
    assert probe.read(RecordedHost({})) is None
    assert probe.parse({}) == Observation()


def test_names_are_unique() -> None:
    assert len({probe.name for probe in KEYS}) == len(KEYS)
