"""Models: what an artifact asks of a device, independent of any device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recommender.domain.quantity import FROM_FILE

TASKS = (
    "text-generation", "image-text-to-text", "embedding", "text-classification", "image-classification", "object-detection",
    "segmentation", "pose-estimation", "image-text-embedding", "speech-recognition", "audio-classification", "image-generation",
    "super-resolution", "depth-estimation", "tabular",
)
STRUCTURES = ("cnn", "transformer", "hybrid", "encoder-decoder", "diffusion", "mlp", "tree-ensemble", "recurrent")
FORMATS = (
    "gguf", "onnx", "openvino-ir", "mlx", "dlc", "context-binary", "tflite", "mlpackage", "pte", "engine", "ncnn", "rknn", "hef",
    "safetensors",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attention:
    """What the KV cache needs to know.

    Attributes:
        kind: full; sliding (some or all layers see only the last `window` tokens); latent (multi-head latent attention:
            one compressed vector of `kv_lora_rank` + `rope_head_dim` elements per token and layer); none.
        window: tokens, for sliding.
        n_global_layers: of the layers with a KV cache, those that see the whole context (sliding only; 0 = none).
        n_kv_layers: layers that hold a KV cache at all, when fewer than n_layers (hybrids with state-space or convolution layers).
        n_global_kv_heads, global_head_dim: of the global layers, where they differ from the others.
    """

    __pydantic_config__ = FROM_FILE

    kind: str = "full"
    window: int | None = None
    n_global_layers: int | None = None
    n_kv_layers: int | None = None
    kv_lora_rank: int | None = None
    rope_head_dim: int | None = None
    n_global_kv_heads: int | None = None
    global_head_dim: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A model file (set) the user holds.

    Attributes:
        scheme: our scheme key when the header tells, else None.
        bits_per_weight: effective, from the tensors themselves; size: bytes of all its files.
        is_quantized: weights stored with fewer than 16 bits, or quantize operators in the graph.
        tensor_types: type name -> number of elements.
    """

    format: str
    path: str
    size: int
    scheme: str | None = None
    bits_per_weight: float | None = None
    is_quantized: bool | None = None
    tensor_types: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSpec:
    """A model. None = not known. Counts are absolute; `macs` are multiply-accumulates of one inference at `input`.

    Attributes:
        architecture: for language models the GGUF spelling (llama, qwen2, phi3, gemma3, ...); else a family of networks (mobilenet-v2).
        structure: one of STRUCTURES.
        n_active_params: parameters used per token (mixture of experts), else None.
        n_embedding_params: parameters of the input embedding table (vocab_size x hidden_size).
        macs: of one inference; for speech-recognition of the encoder over one window.
        activations: elements written by all operators of one inference.
        n_operators: nodes of the graph.
        decoder_params: for encoder-decoder models, parameters run per output token.
        operators: operator types that the graph uses.
        dynamic_shapes: the graph has at least one dimension that is not fixed.
    """

    __pydantic_config__ = FROM_FILE

    key: str
    name: str
    task: str
    structure: str
    family: str = ""
    architecture: str | None = None
    modality: str = "text"  # text, vision, audio, multimodal, tabular
    n_params: int | None = None
    n_active_params: int | None = None
    n_embedding_params: int | None = None
    n_layers: int | None = None
    hidden_size: int | None = None
    n_heads: int | None = None
    n_kv_heads: int | None = None
    head_dim: int | None = None
    ffn_size: int | None = None
    vocab_size: int | None = None
    context_length: int | None = None
    tied_embeddings: bool | None = None
    attention: Attention = Attention()
    n_experts: int | None = None
    n_experts_used: int | None = None
    expert_ffn_size: int | None = None
    macs: float | None = None
    activations: float | None = None
    n_operators: int | None = None
    decoder_params: int | None = None
    operators: tuple[str, ...] = ()
    input: str = ""
    dynamic_shapes: bool | None = None
    license: str | None = None
    gated: bool | None = None
    repository: str | None = None
    aliases: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    note: str = ""
    artifact: Artifact | None = None

    @property
    def is_language_model(self) -> bool:
        return self.task in ("text-generation", "image-text-to-text")
