"""The closed set of questions that a live host answers through this Python: see `HostAccess.python`.

Nothing here loads a framework into this process: versions come from package metadata, what a framework can use comes from
a child process of its own. The answers are raw; probes put them into our words.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

CHILD_TIMEOUT = 20.0  # seconds, for each framework
FRAMEWORK_PACKAGES = (
    "ai-edge-litert", "coremltools", "executorch", "hailort", "llama-cpp-python", "mlx", "mlx-lm", "ncnn", "onnxruntime",
    "onnxruntime-directml", "onnxruntime-genai", "onnxruntime-genai-cuda", "onnxruntime-genai-directml", "onnxruntime-gpu",
    "onnxruntime-openvino", "onnxruntime-qnn", "onnxruntime-rocm", "onnxruntime-migraphx", "onnxruntime-silicon",
    "onnxruntime-vitisai", "onnxruntime-windowsml", "openvino", "openvino-genai", "rknn-toolkit-lite2", "rknn-toolkit2",
    "tensorrt", "tensorrt-cu12", "tensorrt-cu13", "tensorrt-llm", "tflite-runtime", "vllm", "xllamacpp",
)  # fmt: skip

# Module name -> program for a child process. It sets `providers`, a list of what the framework itself lists, as it spells it,
# and `devices`, what it tells of each (None: it cannot).
_CHILDREN: dict[str, str] = {
    "onnxruntime": """
import onnxruntime as ort
providers, devices = list(ort.get_available_providers()), []
try:
    import onnxruntime_qnn as plugin
    ort.register_execution_provider_library("QNNExecutionProvider", plugin.get_library_path())
except Exception:
    pass
for e in ort.get_ep_devices() if hasattr(ort, "get_ep_devices") else ():
    device, told = e.device, dict(e.device.metadata)
    unit = str(device.type).rpartition(".")[2]
    providers.append(f"{e.ep_name}@{unit}")
    devices.append({"ep_name": e.ep_name, "type": unit, "id": device.device_id, "vendor": device.vendor or e.ep_vendor,
                    "description": told.get("Description", ""), "version": dict(e.ep_metadata).get("version", "")})
""",
    "openvino": """
import openvino
core, devices = openvino.Core(), {}
providers = list(core.available_devices)
for name in providers:
    told = {}
    for key in ("FULL_DEVICE_NAME", "DEVICE_TYPE", "DEVICE_ARCHITECTURE", "OPTIMIZATION_CAPABILITIES", "RANGE_FOR_STREAMS",
                "GPU_DEVICE_TOTAL_MEM_SIZE", "GPU_EXECUTION_UNITS_COUNT"):
        try:
            value = core.get_property(name, key)
            told[key] = list(value) if isinstance(value, (list, tuple)) else value if isinstance(value, int) else str(value)
        except Exception:
            pass
    devices[name] = told
""",
    "llama_cpp": """
import ctypes, glob, os, llama_cpp
here = os.path.dirname(llama_cpp.__file__)
def load(stem):
    patterns = [os.path.join(here, "**", f"*{stem}.{end}") for end in ("so", "dylib", "dll")]
    return ctypes.CDLL([name for pattern in patterns for name in glob.glob(pattern, recursive=True)][0])
base, ggml = load("ggml-base"), load("ggml")
ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
ggml.ggml_backend_dev_get.restype, ggml.ggml_backend_dev_get.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
base.ggml_backend_dev_name.restype, base.ggml_backend_dev_name.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
if ggml.ggml_backend_dev_count() == 0:  # a build whose backends are files of their own
    ggml.ggml_backend_load_all()
providers = [base.ggml_backend_dev_name(ggml.ggml_backend_dev_get(i)).decode() for i in range(ggml.ggml_backend_dev_count())]
devices = None
""",
    "mlx": """
import mlx.core as mx
def usable(name):
    try:
        return bool(getattr(mx, name).is_available())
    except Exception:
        return False
providers = [name for name in ("metal", "cuda") if usable(name)] + ["cpu"]
try:
    devices = dict(mx.device_info() if hasattr(mx, "device_info") else mx.metal.device_info())
except Exception:
    devices = None
""",
}
_ANSWERS_HOLD = 30.0  # seconds: several questions of one run share one round of child processes
_lock = threading.Lock()
_answers: dict[str, Any] = {}
_asked_at = 0.0


def framework_versions() -> dict[str, str]:
    """Distribution name -> version, of FRAMEWORK_PACKAGES that are installed for this interpreter."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in FRAMEWORK_PACKAGES:
        try:
            found[package] = str(version(package))
        except PackageNotFoundError:
            continue
    return found


def execution_providers() -> dict[str, Any]:
    """Module name -> list of what the framework lists, or `{"error": why}`."""
    return {module: answer.get("providers", answer) for module, answer in _frameworks_asked().items()}


def _devices_told(module: str) -> Any:
    return _frameworks_asked().get(module, {}).get("devices") or None


def _frameworks_asked() -> dict[str, Any]:
    """The answers of all frameworks' child processes, asked once for the questions of one run."""
    global _answers, _asked_at
    with _lock:
        if not _asked_at or time.monotonic() - _asked_at > _ANSWERS_HOLD:
            _answers, _asked_at = ask_children(_CHILDREN), time.monotonic()
        return _answers


def ask_children(programs: Mapping[str, str], timeout: float = CHILD_TIMEOUT) -> dict[str, Any]:
    """Run each program whose module is installed in a child, side by side; `timeout` in seconds for each."""
    from importlib.util import find_spec

    answers: dict[str, Any] = {}

    def ask(module: str, program: str) -> None:
        answers[module] = _ask_child(program, timeout)

    installed = [item for item in programs.items() if find_spec(item[0]) is not None]
    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in installed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return dict(sorted(answers.items()))


def microarchitecture() -> dict[str, Any] | None:
    """archspec's name for this host's processor, with its vendor, generation and ancestors; None without archspec."""
    try:
        import archspec.cpu
    except ImportError:
        return None
    found = archspec.cpu.host()
    return {
        "name": found.name,
        "vendor": found.vendor,
        "generation": found.generation,
        "ancestors": [parent.name for parent in found.ancestors],
        "generic": found.generic.name,
    }


def processor_information() -> dict[str, Any] | None:
    """py-cpuinfo's answer, which may take seconds; None without it."""
    try:
        from cpuinfo import get_cpu_info
    except ImportError:
        return None
    found = get_cpu_info()
    keys = ("arch", "brand_raw", "vendor_id_raw", "family", "model", "stepping", "count", "flags")
    return {key: found[key] for key in keys if key in found}


QUESTIONS: dict[str, Callable[[], Any]] = {
    "frameworks": framework_versions,
    "execution_providers": execution_providers,
    "archspec": microarchitecture,
    "cpuinfo": processor_information,
    "mlx_device_info": partial(_devices_told, "mlx"),
    "openvino_devices": partial(_devices_told, "openvino"),
    "onnxruntime_ep_devices": partial(_devices_told, "onnxruntime"),
}


def _ask_child(program: str, timeout: float) -> dict[str, Any]:
    """`{"providers", "devices"}` that the child printed in its last line, or `{"error": ...}`."""
    import subprocess

    ending = "import json\nprint('\\n' + json.dumps({'providers': providers, 'devices': devices}, default=str))"
    command = [sys.executable, "-P", "-c", f"{program}\n{ending}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=timeout, stdin=subprocess.DEVNULL, check=False,
            env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"},  # it keeps an identity of the device otherwise
        )
        if done.returncode == 0:
            return dict(json.loads(done.stdout.strip().splitlines()[-1]))
        lines = done.stderr.strip().splitlines()
        return {"error": lines[-1][:300] if lines else f"ended with {done.returncode}"}
    except subprocess.TimeoutExpired:
        return {"error": f"no answer in {timeout:g} s"}
    except (OSError, TypeError, ValueError, IndexError) as error:
        return {"error": f"{type(error).__name__}: {error}"[:300]}
