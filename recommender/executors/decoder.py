"""PURE: the dimensions of a plain decoder (the layers of Llama and its close relatives) from a model's fields, for writers of shape proxies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

ROTARY_BASE, EPSILON = 10000.0, 1e-6  # no matter to speed, the same for all
_CLASSES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
_NEEDED = ("n_layers", "hidden_size", "n_heads", "ffn_size", "vocab_size", "tied_embeddings")


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoder:
    """Attributes:
    architecture: GGUF's spelling, which Hugging Face shares. n_layers: of the artifact. context: positions that it must know [tokens].
    has_bias: q, k and v have one. has_head_norms: q and k are normalized by head. is_tied: the output is the embedding.
    """

    architecture: str
    n_layers: int
    hidden: int
    ffn: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    n_vocab: int
    context: int
    is_tied: bool

    @property
    def has_bias(self) -> bool:
        return self.architecture == "qwen2"

    @property
    def has_head_norms(self) -> bool:
        return self.architecture == "qwen3"

    @property
    def queries(self) -> int:
        """Width of all query heads."""
        return self.n_heads * self.head_dim

    @property
    def keys(self) -> int:
        """Width of all key heads, and of all value heads."""
        return self.n_kv_heads * self.head_dim

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """Of one layer: (outputs, inputs) by name, in the order in which they run."""
        return {
            "q_proj": (self.queries, self.hidden), "k_proj": (self.keys, self.hidden), "v_proj": (self.keys, self.hidden), "o_proj": (self.hidden, self.queries),
            "gate_proj": (self.ffn, self.hidden), "up_proj": (self.ffn, self.hidden), "down_proj": (self.hidden, self.ffn),
        }

    @property
    def n_params(self) -> int:
        """Of the artifact, norms and biases included."""
        layer = sum(map(prod, self.matrices.values())) + 2 * self.hidden
        layer += (self.queries + 2 * self.keys) * self.has_bias + 2 * self.head_dim * self.has_head_norms
        return self.n_layers * layer + self.hidden + self.n_vocab * self.hidden * (1 if self.is_tied else 2)

    def config(self) -> dict[str, Any]:
        """Of Hugging Face's config.json."""
        return {
            "architectures": [_CLASSES[self.architecture]], "model_type": self.architecture, "vocab_size": self.n_vocab, "hidden_size": self.hidden,
            "intermediate_size": self.ffn, "num_hidden_layers": self.n_layers, "num_attention_heads": self.n_heads, "num_key_value_heads": self.n_kv_heads,
            "head_dim": self.head_dim, "hidden_act": "silu", "max_position_embeddings": self.context, "rms_norm_eps": EPSILON, "rope_theta": ROTARY_BASE,
            "tie_word_embeddings": self.is_tied, "attention_bias": self.has_bias, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0,
        }


def refusal(model: Mapping[str, Any]) -> str:
    """Why a model is no plain decoder of known dimensions, else empty."""
    architecture, attention = model.get("architecture"), model.get("attention") or {}
    if architecture not in _CLASSES:
        return f"layers of the architecture `{architecture}` are not known here (known: {', '.join(_CLASSES)})"
    if model.get("task") != "text-generation":
        return f"a model for {model.get('task')} is more than its decoder"
    if model.get("n_experts"):
        return "mixtures of experts are not known here"
    if attention.get("kind", "full") != "full":
        return f"attention of the kind `{attention['kind']}` is not known here"
    lacking = [name for name in _NEEDED if model.get(name) is None]
    return f"its {' and '.join(lacking)} is not known" if lacking else ""


def decoder(model: Mapping[str, Any], *, n_layers: int, context: int) -> Decoder:
    """Of a model that is not refused, with so many layers. The context is the model's own, and at least as long as the one asked for."""
    return Decoder(
        architecture=model["architecture"], n_layers=n_layers, hidden=model["hidden_size"], ffn=model["ffn_size"], n_heads=model["n_heads"],
        n_kv_heads=model.get("n_kv_heads") or model["n_heads"], head_dim=model.get("head_dim") or model["hidden_size"] // model["n_heads"],
        n_vocab=model["vocab_size"], context=max(context, model.get("context_length") or 0), is_tied=model["tied_embeddings"],
    )


def indivisible(sizes: Mapping[str, tuple[int, int]], group: int) -> str:
    """Why matrices (outputs, inputs) cannot be quantized in groups of so many weights of a row, else empty."""
    odd = [f"{columns} ({name})" for name, (_, columns) in sizes.items() if columns % group]
    return f"rows of {', '.join(odd)} are no multiple of the group of {group}" if odd else ""
