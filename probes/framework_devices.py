"""What OpenVINO and ONNX Runtime say of the devices they see. Not a probe; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from probes.tool_text import clean, drop_unknown, integer, known, pci_id
from probes.vendor_names import vendor_in
from recommender.domain.fingerprint import Device, InstalledFramework, Observation

_KINDS = {"CPU": "cpu", "GPU": "gpu", "NPU": "npu"}
_OPENVINO_PROVIDERS = {"cpu": "cpu", "gpu": "openvino-gpu", "npu": "openvino-npu"}
_PCI_VENDORS = {"nvidia": "10de", "amd": "1002", "intel": "8086"}
_NPU_VENDORS = {"amd": "1022", "intel": "8086"}  # AMD's NPUs bear the processor maker's number, not the graphics one
# The names under which ONNX Runtime registers its providers -> our keys; Azure's is no device.
_ORT_PROVIDERS = {
    "CPUExecutionProvider": "cpu", "CUDAExecutionProvider": "cuda", "TensorrtExecutionProvider": "tensorrt",
    "NvTensorRTRTXExecutionProvider": "tensorrt", "ROCMExecutionProvider": "rocm", "DmlExecutionProvider": "dml",
    "CoreMLExecutionProvider": "coreml", "XnnpackExecutionProvider": "xnnpack", "VitisAIExecutionProvider": "vitisai",
    "WebGpuExecutionProvider": "webgpu",
}  # fmt: skip


def parse_openvino(answer: Any) -> Observation:
    """Text of `hello_query_device` or of a listing, or `{device: {property: value}}`. A device may only be named."""
    if isinstance(answer, Mapping):
        version: str | None = None
        listed: dict[str, Mapping[str, Any]] = {key: value for key, value in answer.items() if isinstance(value, Mapping)}
    else:
        version, listed = _openvino_text(clean(answer))
    devices = [device for key, values in listed.items() if (device := _openvino_device(key, values))]
    framework = InstalledFramework(
        framework="openvino",
        package="openvino",
        version=version or "",
        execution_providers=tuple(dict.fromkeys(_OPENVINO_PROVIDERS[device.kind] for device in devices)) or None,
    )
    return Observation(devices=tuple(devices), frameworks=(framework,) if version else ())


def _openvino_text(text: str) -> tuple[str | None, dict[str, Mapping[str, Any]]]:
    listed: dict[str, Any] = {}
    version = re.search(r"^openvino:\s*(\d+(?:\.\d+)+)", text, re.MULTILINE | re.IGNORECASE)
    current: dict[str, str] = {}
    for line in text.splitlines():
        line = re.sub(r"^\[ ?INFO ?\]\s?", "", line)
        if names := re.match(r"\s*available_devices:\s*\[(.*)\]", line, re.IGNORECASE):
            if not current:
                listed |= {name: {} for name in re.findall(r"(?:CPU|GPU|NPU)(?:\.\d+)?", names[1])}
        elif heading := re.match(r"\s*(?:device:\s*)?((?:CPU|GPU|NPU)(?:\.\d+)?)\s*:?\s*$", line):
            current = listed.setdefault(heading[1], {})
        elif pair := re.match(r"\s+([A-Z][A-Z0-9_]+):\s*(.*?)\s*$", line):
            if pair[2]:
                current.setdefault(pair[1], pair[2])
    return (version[1] if version else None), listed


def _openvino_device(key: str, values: Mapping[str, Any]) -> Device | None:
    kind = _KINDS.get(key.split(".")[0])
    if kind is None:
        return None
    printed = known(values.get("FULL_DEVICE_NAME"))
    architecture = str(values.get("DEVICE_ARCHITECTURE", ""))
    by_id = re.search(r"vendor=0x([0-9a-f]{4})", architecture)
    vendor = next((name for name, ident in _PCI_VENDORS.items() if by_id and ident == by_id[1]), None)
    integrated = {"INTEGRATED": True, "DISCRETE": False}.get(str(values.get("DEVICE_TYPE", "")).rpartition(".")[2].upper())
    memory = integer(values.get("GPU_DEVICE_TOTAL_MEM_SIZE"))
    discrete_gpu = kind == "gpu" and integrated is False
    return Device(
        id=f"{kind}@openvino:{key}",
        kind=kind,
        vendor=vendor or vendor_in(printed),
        name=printed,
        memory_kind=("shared" if integrated else "dedicated") if kind == "gpu" and integrated is not None else None,
        memory_total=memory if discrete_gpu else None,
        attributes={
            "openvino": drop_unknown(
                {
                    "device": key,
                    "capabilities": _words(values.get("OPTIMIZATION_CAPABILITIES")),
                    "streams_max": _last_number(values.get("RANGE_FOR_STREAMS")),
                    "architecture": known(architecture),
                    "execution_units": integer(values.get("GPU_EXECUTION_UNITS_COUNT")),
                    "memory_usable": memory,
                }
            )
        },
    )


def _words(value: Any) -> tuple[str, ...]:
    text = " ".join(map(str, value)) if isinstance(value, (list, tuple, set, frozenset)) else str(value or "")
    return tuple(sorted(set(re.findall(r"[A-Z][A-Z0-9_]+", text))))


def _last_number(value: Any) -> int | None:
    numbers = re.findall(r"\d{1,9}", str(value or ""))
    return int(numbers[-1]) if numbers else None


def parse_ort(answer: Any) -> Observation:
    """Text of `onnxruntime_show_ep_devices`, or dicts with its labels as keys. One Device a unit, whoever serves it."""
    entries = answer if isinstance(answer, list) else _ort_text(clean(answer))
    devices: dict[tuple[Any, ...], Device] = {}
    providers: dict[tuple[Any, ...], list[str]] = {}
    versions: list[str] = []
    for entry in entries:
        if not isinstance(entry, Mapping) or known(entry.get("type")) is None:
            continue
        unit = entry.get("luid") or entry.get("pci_bus_id")  # two equal cards differ in these alone
        key = (entry.get("type"), entry.get("id") or entry.get("description"), unit)
        if key[1] is None and any(other[0] == key[0] for other in devices):
            continue  # a cut entry: nothing tells it from the unit before
        providers.setdefault(key, []).append(str(entry.get("ep_name")))
        if entry.get("ep_name") == "CPUExecutionProvider" and known(entry.get("version")):
            versions.append(str(entry["version"]))
        if device := _ort_device(entry, len(devices), providers[key]):
            devices[key] = device if key not in devices else devices[key]
    return Observation(devices=tuple(devices.values()), frameworks=_ort_framework(versions, providers))


def _ort_text(text: str) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = []
    section = ""
    for line in text.splitlines():
        if re.match(r"=+ EP Device \d+", line):
            entries.append({})
            section = ""
        elif entries and (pair := re.match(r"(\s*)([^:]+):\s*(.*?)\s*$", line)):
            if not pair[1]:
                section = pair[2]
            key = pair[2].strip().lower().replace(" ", "_")
            if pair[3] and not (section == "EP Metadata" and key != "version"):
                entries[-1].setdefault(key, pair[3])
    return entries


def _ort_device(entry: Mapping[str, Any], position: int, providers: list[str]) -> Device | None:
    kind = _KINDS.get(str(entry.get("type")).upper())
    if kind is None:
        return None
    printed = known(entry.get("description"))
    maker = vendor_in(known(entry.get("vendor")), printed)
    if known(entry.get("vendor")) in ("GenuineIntel", "AuthenticAMD"):
        maker = "intel" if entry["vendor"] == "GenuineIntel" else "amd"
    number = integer(entry.get("id"))
    numbers = {"gpu": _PCI_VENDORS, "npu": _NPU_VENDORS}.get(kind, {})
    has_pci = maker in numbers and number is not None and 0 < number <= 0xFFFF
    return Device(
        id=f"{kind}@onnxruntime:{position}",
        kind=kind,
        vendor=maker,
        name=printed,
        identifiers=drop_unknown({"pci": pci_id(numbers[maker or ""], f"{number:x}") if has_pci else None}),
        attributes={"onnxruntime_providers": providers},
    )


def _ort_framework(versions: list[str], providers: Mapping[Any, list[str]]) -> tuple[InstalledFramework, ...]:
    if not versions:
        return ()
    names = dict.fromkeys(_ORT_PROVIDERS[name] for served in providers.values() for name in served if name in _ORT_PROVIDERS)
    return (
        InstalledFramework(framework="onnxruntime", package="onnxruntime", version=versions[0], execution_providers=tuple(names)),
    )
