"""The devices that installed frameworks themselves list: llama.cpp, MLX, OpenVINO, ONNX Runtime.

The Python frameworks are asked through the host (`python("mlx_device_info")`, `python("openvino_devices")`,
`python("onnxruntime_ep_devices")`), which answers from a child process or from a recording.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from probes.framework_devices import parse_openvino, parse_ort
from probes.ggml_log import parse_log
from probes.tool_text import clean, drop_unknown, integer, known
from probes.vendor_names import vendor_in
from recommender.domain.fingerprint import Device, Observation
from recommender.ports import PROBE_API, HostAccess

name = "device_lists"
api = PROBE_API
volatile = False
platforms = ()
timeout = 45.0  # seconds: frameworks are asked in child processes

_LLAMA_TOOLS = ("llama-server", "llama-cli", "llama-bench")
_QUESTIONS = {"mlx": "mlx_device_info", "openvino": "openvino_devices", "onnxruntime": "onnxruntime_ep_devices"}


def read(host: HostAccess) -> dict[str, Any] | None:
    raw: dict[str, Any] = {key: host.python(question) for key, question in _QUESTIONS.items()}
    for tool in _LLAMA_TOOLS:
        done = host.run([tool, "--list-devices"], 10.0)
        if done.ok:
            raw["ggml"] = f"{done.stdout}\n{done.stderr}"
            break
    return raw if any(raw.values()) else None


def parse(raw: dict[str, Any]) -> Observation:
    """raw: `ggml` (log text), `mlx`, `openvino`, `onnxruntime` (each a text as printed or the structure that Python gave)."""
    ggml = parse_log(raw.get("ggml"))
    openvino = parse_openvino(raw.get("openvino"))
    ort = parse_ort(raw.get("onnxruntime"))
    return Observation(
        devices=(*ggml.devices, *parse_mlx(raw.get("mlx")), *openvino.devices, *ort.devices),
        memory=ggml.memory,
        frameworks=(*openvino.frameworks, *ort.frameworks),
    )


def parse_mlx(answer: Any) -> tuple[Device, ...]:
    """`mx.device_info()`, as a dict or as Python prints one. On a machine without a GPU it describes the processor: no device."""
    values = answer if isinstance(answer, dict) else _literal(answer)
    architecture = known(values.get("architecture")) or ""
    working_set = integer(values.get("max_recommended_working_set_size"))
    apple = re.search(r"applegpu_\w+", architecture)
    if not apple and working_set is None:
        return ()
    printed = known(values.get("device_name"))
    return (
        Device(
            id="gpu@metal:0",
            kind="gpu",
            vendor="apple" if apple else vendor_in(printed),
            name=printed,
            identifiers=drop_unknown({"apple_gpu": apple[0] if apple else None}),
            memory_kind="unified" if apple else None,
            attributes=drop_unknown(
                {
                    "memory_usable": working_set,
                    "memory_pool": integer(values.get("memory_size")),
                    "max_allocation": integer(values.get("max_buffer_length")),
                }
            ),
        ),
    )


def _literal(text: Any) -> dict[str, Any]:
    found = re.search(r"\{[^{}]{0,4000}\}", clean(text))
    try:
        value = ast.literal_eval(found[0]) if found else {}
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
