"""Installed frameworks: Python packages with their versions, programs on the path, and the execution providers they offer.

The packages and what each framework lists are asked of Python (`frameworks`, `execution_providers`), so that a replay never
looks at the machine that reads it. A framework's own list says what its build offers, not that a model will run on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from recommender.domain.fingerprint import InstalledFramework, Observation
from recommender.ports import PROBE_API, HostAccess

name = "frameworks"
api = PROBE_API
volatile = False
platforms: tuple[str, ...] = ()
timeout = 45.0  # seconds: child processes of 20 s each run side by side, then the programs

# distribution -> (framework, module that was asked for its execution providers)
PACKAGES: dict[str, tuple[str, str]] = {
    "ai-edge-litert": ("litert", ""),
    "coremltools": ("coreml", ""),
    "executorch": ("executorch", ""),
    "hailort": ("hailo", ""),
    "llama-cpp-python": ("llama-cpp", "llama_cpp"),
    "mlx": ("mlx", "mlx"),
    "mlx-lm": ("mlx", "mlx"),
    "ncnn": ("ncnn", ""),
    "onnxruntime": ("onnxruntime", "onnxruntime"),
    "onnxruntime-directml": ("onnxruntime", "onnxruntime"),
    "onnxruntime-genai": ("onnxruntime-genai", ""),
    "onnxruntime-genai-cuda": ("onnxruntime-genai", ""),
    "onnxruntime-genai-directml": ("onnxruntime-genai", ""),
    "onnxruntime-gpu": ("onnxruntime", "onnxruntime"),
    "onnxruntime-migraphx": ("onnxruntime", "onnxruntime"),
    "onnxruntime-openvino": ("onnxruntime", "onnxruntime"),
    "onnxruntime-qnn": ("qnn", "onnxruntime"),
    "onnxruntime-rocm": ("onnxruntime", "onnxruntime"),
    "onnxruntime-silicon": ("onnxruntime", "onnxruntime"),
    "onnxruntime-vitisai": ("onnxruntime", "onnxruntime"),
    "onnxruntime-windowsml": ("onnxruntime", "onnxruntime"),
    "openvino": ("openvino", "openvino"),
    "openvino-genai": ("openvino-genai", "openvino"),
    "rknn-toolkit-lite2": ("rknn", ""),
    "rknn-toolkit2": ("rknn", ""),
    "tensorrt": ("tensorrt", ""),
    "tensorrt-cu12": ("tensorrt", ""),
    "tensorrt-cu13": ("tensorrt", ""),
    "tensorrt-llm": ("tensorrt-llm", ""),
    "tflite-runtime": ("litert", ""),
    "vllm": ("vllm", ""),
    "xllamacpp": ("llama-cpp", ""),
}
# program -> (framework it runs, arguments for its version, arguments for its devices)
PROGRAMS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "llama-server": ("llama-cpp", ("--version",), ("--list-devices",)),
    "ollama": ("llama-cpp", ("--version",), ()),
}
# How a framework's list begins (lower case) -> our key. None: listed, but no unit of computation of its own.
_ONNX_RUNTIME: dict[str, str | None] = {
    "cpu": "cpu", "cuda": "cuda", "rocm": "rocm", "migraphx": "rocm", "tensorrt": "tensorrt", "nvtensorrtrtx": "tensorrt",
    "dml": "dml", "coreml": "coreml", "xnnpack": "xnnpack", "vitisai": "vitisai", "webgpu": "webgpu", "rknpu": "rknpu",
    "qnn@npu": "qnn-htp", "qnn@gpu": "qnn-gpu", "qnn@cpu": None, "qnn": "qnn-htp",
    "openvino@gpu": "openvino-gpu", "openvino@npu": "openvino-npu",
}  # fmt: skip
_OPENVINO = {"cpu": "cpu", "gpu": "openvino-gpu", "npu": "openvino-npu"}
_GGML: dict[str, str | None] = {
    "cpu": "cpu", "cuda": "cuda", "rocm": "rocm", "hip": "rocm", "metal": "metal", "mtl": "metal", "vulkan": "vulkan",
    "sycl": "sycl", "opencl": "opencl", "gpuopencl": "opencl", "htp": "hexagon", "hexagon": "hexagon", "webgpu": "webgpu",
}  # fmt: skip
_MLX = {"cpu": "cpu", "metal": "metal", "gpu": "metal", "cuda": "cuda"}
_VERSION = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+)*(?:[-+.][0-9A-Za-z]+)*)")
_LLAMA_BUILD = re.compile(r"(?im)^version:\s*(\S+)")
_LISTED = re.compile(r"(?m)^\s+([A-Za-z][A-Za-z_]*?)\d*:\s")


def read(host: HostAccess) -> dict[str, Any] | None:
    """`packages` and `providers` as Python answers them, `programs`: printed versions and devices by program."""
    programs = {program: found for program in PROGRAMS if (found := _ask_program(host, program))}
    raw = {"packages": host.python("frameworks"), "programs": programs}
    if raw["packages"]:
        raw["providers"] = host.python("execution_providers")
    return raw if raw["packages"] or programs else None


def parse(raw: dict[str, Any]) -> Observation:
    """One row a package or program; execution providers None where the framework was not asked or did not answer."""
    providers = raw.get("providers")
    answers = _in_our_keys(providers if isinstance(providers, Mapping) else {})
    packages = raw.get("packages")
    rows = [
        InstalledFramework(
            framework=framework, package=package, version=str(version), execution_providers=_offered(framework, module, answers)
        )
        for package, version in sorted((packages if isinstance(packages, Mapping) else {}).items())
        for framework, module in [PACKAGES.get(package, ("", ""))]
        if framework
    ]
    programs = raw.get("programs")
    for program, printed in sorted((programs if isinstance(programs, Mapping) else {}).items()):
        if program in PROGRAMS and isinstance(printed, Mapping):
            rows.append(_program_row(program, printed))
    return Observation(frameworks=tuple(rows))


def providers_of_llama(text: str) -> tuple[str, ...] | None:
    """What `--list-devices` of a llama.cpp program prints -> our keys, `cpu` among them; None when it is no such list."""
    if "Available devices:" not in text:
        return None
    return _keys(["CPU", *_LISTED.findall(text.partition("Available devices:")[2])], _GGML)


def _ask_program(host: HostAccess, program: str) -> dict[str, str]:
    _, version, devices = PROGRAMS[program]
    done = host.run([program, *version], 10.0)
    if not done.ok:
        return {}
    printed = {"version": f"{done.stdout}\n{done.stderr}"}
    if devices:
        listed = host.run([program, *devices], 20.0)
        printed["devices"] = f"{listed.stdout}\n{listed.stderr}" if listed.ok else ""
    return printed


def _program_row(program: str, printed: Mapping[str, Any]) -> InstalledFramework:
    text = str(printed.get("version") or "")
    found = _LLAMA_BUILD.search(text) or _VERSION.search(text)
    return InstalledFramework(
        framework=PROGRAMS[program][0],
        package=program,
        version=found[1] if found else "",
        execution_providers=providers_of_llama(str(printed.get("devices") or "")),
    )


def _in_our_keys(providers: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    readers = {"onnxruntime": _onnx_runtime, "openvino": _openvino, "llama_cpp": _ggml, "mlx": _mlx}
    return {
        module: readers[module]([str(item) for item in listed])
        for module, listed in providers.items()
        if module in readers and isinstance(listed, (list, tuple))
    }


def _offered(framework: str, module: str, answers: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    """The part of an answer that belongs to this framework: the plug-in for Hexagon is a framework of its own here."""
    keys = answers.get(module)
    if keys is None or framework != "qnn":
        return keys
    return tuple(key for key in keys if key.startswith("qnn-"))


def _onnx_runtime(listed: list[str]) -> tuple[str, ...]:
    """`CUDAExecutionProvider`, or `OpenVINOExecutionProvider@NPU` where the runtime tells the unit as well."""
    short = [item.lower().replace("executionprovider", "") for item in listed]
    told = {item.partition("@")[0] for item in short if "@" in item}
    return _keys([item for item in short if "@" in item or item not in told], _ONNX_RUNTIME, exact=True)


def _openvino(listed: list[str]) -> tuple[str, ...]:
    return _keys([item.partition(".")[0] for item in listed], _OPENVINO)


def _ggml(listed: list[str]) -> tuple[str, ...]:
    return _keys([item.rstrip("0123456789") for item in listed], _GGML)


def _mlx(listed: list[str]) -> tuple[str, ...]:
    return _keys(listed, _MLX)


def _keys(listed: Iterable[str], table: Mapping[str, str | None], *, exact: bool = False) -> tuple[str, ...]:
    """Our keys of what is listed, in its order, each once; what the table does not hold is left out.

    With `exact` a `name@unit` is looked up whole first, then by its name alone.
    """
    found = []
    for item in listed:
        word = item.lower()
        key = table[word] if word in table else table.get(word.partition("@")[0]) if exact else None
        if key and key not in found:
            found.append(key)
    return tuple(found)
