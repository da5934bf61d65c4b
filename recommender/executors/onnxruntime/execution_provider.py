"""Execution providers as ONNX Runtime and its generator spell them; everywhere else they go by our keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recommender.domain.errors import Unsupported


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """names: in ONNX Runtime, newest first. options: what makes it use the unit we mean.

    generator, builder: its name in onnxruntime-genai's Config and model builder, empty: not there. check: the generator's function that tells whether it is built in.
    """

    names: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    generator: str = ""
    builder: str = ""
    check: str = ""


PROVIDERS: Mapping[str, Provider] = {
    "cpu": Provider(names=("CPUExecutionProvider",), builder="cpu"),
    "cuda": Provider(names=("CUDAExecutionProvider",), generator="cuda", builder="cuda", check="is_cuda_available"),
    "dml": Provider(names=("DmlExecutionProvider",), generator="dml", builder="dml", check="is_dml_available"),
    "coreml": Provider(names=("CoreMLExecutionProvider",)),
    "ane": Provider(names=("CoreMLExecutionProvider",), options={"MLComputeUnits": "CPUAndNeuralEngine"}),
    "openvino-gpu": Provider(names=("OpenVINOExecutionProvider",), options={"device_type": "GPU"}),
    "openvino-npu": Provider(names=("OpenVINOExecutionProvider",), options={"device_type": "NPU"}),
    "rocm": Provider(names=("MIGraphXExecutionProvider", "ROCMExecutionProvider")),
    "tensorrt": Provider(names=("TensorrtExecutionProvider",)),
    "xnnpack": Provider(names=("XnnpackExecutionProvider",)),
    "webgpu": Provider(names=("WebGpuExecutionProvider",), generator="WebGPU", builder="webgpu", check="is_webgpu_available"),
    "vitisai": Provider(names=("VitisAIExecutionProvider",)),
}


def provider(key: str) -> Provider:
    """Raises Unsupported for a key that ONNX Runtime has no provider for."""
    if key not in PROVIDERS:
        raise Unsupported(f"ONNX Runtime has no execution provider `{key}` (there are {', '.join(PROVIDERS)})")
    return PROVIDERS[key]


def offered_name(key: str, offered: Sequence[str], version: str) -> str:
    """The installed build's name of a provider; raises Unsupported with what it offers when it lacks it."""
    for name in provider(key).names:
        if name in offered:
            return name
    here = [ours for ours, known in PROVIDERS.items() if set(known.names) & set(offered)]
    raise Unsupported(f"this build of onnxruntime {version} has no execution provider `{key}`; it offers {', '.join(here)}")


def key_of(name: str, asked: str) -> str:
    """Our key of a provider's name, where several fit the one that was asked for; the name itself for one we do not know."""
    fitting = [key for key, known in PROVIDERS.items() if name in known.names]
    return asked if asked in fitting else (fitting or [name])[0]


def key_of_generator(device: str) -> str:
    """Our key of the device type that the generator tells; in lower case where we do not know it."""
    return next((key for key, known in PROVIDERS.items() if known.generator.lower() == device.lower()), device.lower())
