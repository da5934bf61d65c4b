"""What a candidate is judged against: the unquantized source, run by a framework that converts it without loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recommender.domain.model import ModelSpec

# how the source is made runnable without loss: (framework, format, preparers), by what comes in
_FLOAT = {"F32": "F32", "BF16": "BF16", "F16": "F16"}
_LANGUAGE: Mapping[str, tuple[str, str, tuple[str, ...]]] = {"gguf": ("llama-cpp", "gguf", ()), "safetensors": ("llama-cpp", "gguf", ("hf-to-gguf",))}
_GRAPH: Mapping[str, tuple[str, str, tuple[str, ...]]] = {"onnx": ("onnxruntime", "onnx", ()), "safetensors": ("onnxruntime", "onnx", ("onnx-export",)), "openvino-ir": ("openvino", "openvino-ir", ())}


def reference_choice(model: ModelSpec) -> Mapping[str, Any] | str:
    """A choice like those of an answer, or why there is no reference."""
    artifact = model.artifact
    if artifact is None:
        return "no source weights are here"
    if artifact.is_quantized:
        return "the source is quantized itself: there is nothing to compare with"
    paths = _LANGUAGE if model.is_language_model else _GRAPH
    if artifact.format not in paths:
        return f"no lossless path from {artifact.format} is known"
    framework, form, preparers = paths[artifact.format]
    return _choice(framework, form, _FLOAT.get(artifact.scheme or "", "F32") if model.is_language_model else "F32", preparers)


def _choice(framework: str, form: str, scheme: str, preparers: tuple[str, ...]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"action": "convert", "preparer": name, "where": "here", "size": None, "parameters": {}} for name in preparers]
    return {
        "id": f"{framework}/cpu/{scheme}", "rank": 0, "framework": framework, "execution_provider": "cpu", "format": form, "scheme": scheme,
        "options": {"precision": "f32", "kv_cache_type": "f16"}, "estimates": {}, "recipe": {"steps": steps, "launch": None}, "is_as_is": not preparers,
    }
