"""The device lines that ggml's backends log (llama.cpp, ollama, whisper.cpp) and `--list-devices`. Not a probe; pure."""

from __future__ import annotations

import re
from typing import Any

from probes.ollama_log import parse_ollama
from probes.tool_text import clean, drop_unknown, known
from probes.vendor_names import is_software_renderer, vendor_in
from recommender.domain.fingerprint import Device, HostMemory, Observation

_MIB = 1 << 20
_NOT_GPU = {"CPU", "BLAS", "ACCEL", "RPC", "AMX"}
# NVIDIA's parts without memory of their own; CUDA counts the host's memory there.
_ON_CHIP = re.compile(r"\b(?:GB10|Orin|Thor|Xavier|Tegra)\b", re.IGNORECASE)


def parse_log(text: Any) -> Observation:
    """Every backend's lines in one log. The same GPU under two backends becomes one device that carries both."""
    printed = clean(text)
    found = [
        *_vulkan(printed), *_cuda(printed), *_metal(printed), *_opencl(printed), *_hexagon(printed), *_device_list(printed),
        *parse_ollama(printed),
    ]  # fmt: skip
    memory = re.search(r"dsp arch version .*?system mem size (\d+) MiB", printed)
    return Observation(devices=tuple(_merge(found)), memory=HostMemory(total=int(memory[1]) * _MIB) if memory else None)


def _merge(found: list[Device]) -> list[Device]:
    """By id (one backend's numbering), and by name across backends where the name is one device's alone."""
    merged: dict[str, Device] = {}
    for device in found:
        names = [other.id for other in merged.values() if other.name and other.name == device.name]
        key = device.id if device.id in merged or len(names) != 1 or _backend(names[0]) == _backend(device.id) else names[0]
        merged[key] = _join(merged[key], device) if key in merged else device
    return list(merged.values())


def _backend(identity: str) -> str:
    return re.sub(r"\d+$", "", identity)


def _join(one: Device, other: Device) -> Device:
    return Device(
        id=one.id,
        kind=one.kind,
        vendor=one.vendor or other.vendor,
        name=one.name or other.name,
        identifiers={**one.identifiers, **other.identifiers},
        memory_kind=one.memory_kind or other.memory_kind,
        memory_total=one.memory_total or (other.memory_total if one.memory_kind in (None, "dedicated") else None),
        memory_available=one.memory_available or other.memory_available,
        attributes={**one.attributes, **other.attributes},
    )


_VULKAN = re.compile(r"^(?:ggml_vulkan: |Vulkan)(\d+)\s*[=:]\s*(.+?)\s*\|\s*(uma: .+)$", re.MULTILINE)
_DRIVER = re.compile(r"^(.+?)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)$")
_DXGI = re.compile(r"\[DXGI\] Adapter Description: (.+?), LUID: \S+, Dedicated: ([\d.]+) GB, Shared: ([\d.]+) GB")


def _vulkan(text: str) -> list[Device]:
    adapters = {name: (_gib(own), _gib(shared)) for name, own, shared in _DXGI.findall(text)}
    devices = []
    for index, described, rest in _VULKAN.findall(text):
        parts = _DRIVER.match(described)
        printed, driver = (parts[1], parts[2]) if parts else (described, None)
        if is_software_renderer(printed):
            continue
        values = {key.strip(): value.strip() for key, _, value in (part.partition(":") for part in rest.split("|"))}
        uma = {"1": True, "0": False}.get(values.get("uma", ""))
        own, shared = adapters.get(printed, (None, None))
        devices.append(
            Device(
                id=f"gpu@vulkan:{index}",
                kind="gpu",
                vendor=vendor_in(printed, driver),
                name=printed,
                memory_kind=None if uma is None else "shared" if uma else "dedicated",
                attributes=drop_unknown(
                    {"uma": uma, "vram_set_aside": own, "shared_limit": shared, "vulkan": _vulkan_features(values, driver)}
                ),
            )
        )
    return devices


def _gib(text: str) -> int:
    return int(float(text) * (1 << 30))


def _vulkan_features(values: dict[str, str], driver: str | None) -> dict[str, Any]:
    flags = {key.replace(" ", "_"): values[key] == "1" for key in ("fp16", "bf16", "int dot") if key in values}
    numbers = {key.replace(" ", "_"): int(values[key]) for key in ("warp size", "shared memory") if values.get(key, "").isdigit()}
    return drop_unknown({"driver": driver, **flags, **numbers, "matrix_cores": values.get("matrix cores")})


_CUDA = re.compile(r"^\s*Device (\d+): (.+?), (compute capability|gfx[0-9a-f]+)(.*)$", re.MULTILINE)


def _cuda(text: str) -> list[Device]:
    """`ggml_cuda_init`, which serves CUDA and ROCm alike."""
    devices = []
    for index, printed, kind, rest in _CUDA.findall(text):
        capability = re.match(r" (\d+\.\d+)", rest) if kind == "compute capability" else None
        memory = re.search(r"VRAM: (\d+) MiB", rest)
        backend = "cuda" if capability else "rocm"
        identity = {"compute_capability": capability[1]} if capability else {"gfx": kind}
        on_chip = bool(_ON_CHIP.search(printed))
        devices.append(
            Device(
                id=f"gpu@{backend}:{index}",
                kind="gpu",
                vendor="nvidia" if capability else "amd",
                name=printed.strip(),
                identifiers=identity,
                memory_kind="unified" if on_chip else None,
                memory_total=int(memory[1]) * _MIB if memory and capability and not on_chip else None,
            )
        )
    return devices


_METAL = re.compile(r"^ggml_metal(?:_device)?_init: ([^:=\n]+?)\s*[:=]\s*(.+?)\s*$", re.MULTILINE)


def _metal(text: str) -> list[Device]:
    """One Device for each GPU found; the properties are those of the one in use, the last named by `GPU name`."""
    names: dict[str, dict[str, Any]] = {}
    current: dict[str, Any] = {}
    for key, value in _METAL.findall(text):
        if key in ("found device", "GPU name"):
            wrapped = re.fullmatch(r"MTL\d+ \((.+)\)", value)
            if not re.fullmatch(r"MTL\d+", value):  # a place in the backend's list, no name
                current = names.setdefault(wrapped[1] if wrapped else value, {})
        elif key == "GPU family":
            current.setdefault("families", []).append(value.split(" ")[0])
        elif key in ("hasUnifiedMemory", "has unified memory"):
            current["unified"] = value == "true"
        elif key in ("has bfloat", "has tensor"):
            current[key.replace("has ", "")] = value == "true"
        elif key.startswith("simdgroup matrix mul."):
            current["simdgroup_matrix"] = value == "true"
        elif key == "recommendedMaxWorkingSetSize" and (number := re.match(r"[\d.]+", value)):
            current["working_set"] = int(float(number[0]) * 1_000_000)  # ggml divides by 10^6 for this line
    return [_metal_device(index, printed, told) for index, (printed, told) in enumerate(names.items())]


def _metal_device(index: int, printed: str, told: dict[str, Any]) -> Device:
    unified = told.pop("unified", None)
    working_set = told.pop("working_set", None)
    return Device(
        id=f"gpu@metal:{index}",
        kind="gpu",
        vendor=vendor_in(printed),
        name=printed,
        memory_kind=None if unified is None else "unified" if unified else "dedicated",
        attributes=drop_unknown({"memory_usable": working_set, "metal": told, "uma": unified}),
    )


def _opencl(text: str) -> list[Device]:
    devices = []
    starts = list(re.finditer(r"^ggml_opencl: (?:default )?device: '(.+?) \((OpenCL (\d\.\d)[^']*)\)'", text, re.MULTILINE))
    for index, start in enumerate(starts):
        block = text[start.end() : starts[index + 1].start() if index + 1 < len(starts) else len(text)]
        values = dict(re.findall(r"^ggml_opencl: ([^:\n]+): (.+?)\s*$", block, re.MULTILINE))
        allocation = re.match(r"(\d+) MB", values.get("max mem alloc size", ""))
        told = {
            "version": start[3],
            "driver_version": known(values.get("OpenCL driver")),
            "fp16": {"true": True, "false": False}.get(values.get("device FP16 support", "")),
            "max_allocation": int(allocation[1]) * _MIB if allocation else None,
        }
        devices.append(
            Device(
                id=f"gpu@opencl:{index}",
                kind="gpu",
                vendor=vendor_in(start[1], text),
                name=start[1],
                attributes={"opencl": drop_unknown(told)},
            )
        )
    return devices


def _hexagon(text: str) -> list[Device]:
    """The Hexagon backend of llama.cpp and an earlier one of the same name."""
    told = re.search(r"device info: (.+?), (\w*HTP\w*), dsp arch version 0x([0-9a-fA-F]+)", text)
    version = told[3] if told else None
    if version is None and (found := re.search(r"ggml-hex: .*?Hexagon Arch version v(\d+)", text)):
        version = found[1]
    if version is None or not version.isdigit():
        return []
    return [
        Device(
            id="npu@hexagon:0",
            kind="npu",
            vendor="qualcomm",
            name=told[2] if told else f"Hexagon v{version}",
            identifiers=drop_unknown({"soc": told[1] if told else None, "hexagon_arch": version}),
            attributes={"hexagon_arch": int(version)},
        )
    ]


_LISTED = re.compile(r"^\s*([A-Za-z]+?)(\d*): (.+?) \((\d+) MiB, (\d+) MiB free\)\s*$", re.MULTILINE)


def _device_list(text: str) -> list[Device]:
    """`--list-devices`. Only CUDA's sizes are the card's own for certain; elsewhere the size is what the backend may use."""
    devices = []
    for backend, index, printed, total, free in _LISTED.findall(text):
        if backend.upper() in _NOT_GPU or is_software_renderer(printed):
            continue
        metal = backend in ("MTL", "Metal")
        kind = "npu" if backend == "HTP" else "gpu"
        own = backend == "CUDA" and not _ON_CHIP.search(printed)
        on_chip = metal or (backend == "CUDA" and not own)
        devices.append(
            Device(
                id=f"{kind}@{'metal' if metal else backend.lower()}:{index or 0}",
                kind=kind,
                vendor="qualcomm" if backend == "HTP" else vendor_in(printed),
                name=printed,
                memory_kind="unified" if on_chip else "dedicated" if own else None,
                memory_total=int(total) * _MIB if own else None,
                memory_available=int(free) * _MIB,
                attributes={} if own else {"memory_usable": int(total) * _MIB},
            )
        )
    return devices
