"""NVIDIA's management library through its Python binding, for machines without `nvidia-smi`. A question to Python, no probe."""

from __future__ import annotations

import importlib
from typing import Any


def ask() -> dict[str, Any] | None:
    """`{driver_version, cuda_version, gpus: [...]}` with memory in bytes, None without the binding or without a driver."""
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception:  # noqa: BLE001 - the binding raises its own errors, and OSError where the library is missing
        return None
    try:
        cuda = _try(nvml, "nvmlSystemGetCudaDriverVersion")
        return {
            "driver_version": _try(nvml, "nvmlSystemGetDriverVersion"),
            "cuda_version": f"{cuda // 1000}.{cuda % 1000 // 10}" if isinstance(cuda, int) else None,
            "gpus": [_gpu(nvml, index) for index in range(_try(nvml, "nvmlDeviceGetCount") or 0)],
        }
    finally:
        _try(nvml, "nvmlShutdown")


def _gpu(nvml: Any, index: int) -> dict[str, Any]:
    handle = _try(nvml, "nvmlDeviceGetHandleByIndex", index)
    if handle is None:
        return {"index": index}
    memory = _try(nvml, "nvmlDeviceGetMemoryInfo", handle)
    bus = _try(nvml, "nvmlDeviceGetPciInfo", handle)
    capability = _try(nvml, "nvmlDeviceGetCudaComputeCapability", handle)
    return {
        "index": index,
        "name": _try(nvml, "nvmlDeviceGetName", handle),
        "memory_total": getattr(memory, "total", None),
        "memory_free": getattr(memory, "free", None),
        "pci_bus_id": _text(getattr(bus, "busId", None)),
        "pci_device_id": getattr(bus, "pciDeviceId", None),
        "compute_capability": ".".join(str(part) for part in capability) if capability else None,
    }


def _try(nvml: Any, function: str, *arguments: Any) -> Any:
    """The answer, None where this GPU, driver or binding does not give it."""
    try:
        return _text(getattr(nvml, function)(*arguments))
    except Exception:  # noqa: BLE001 - every NVML error means the same here: not told
        return None


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
