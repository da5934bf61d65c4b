"""What GGUF needs to know of each architecture: hyper-parameters, the rotary embedding, and how tensors are laid out differently.

The key names are those of the GGUF specification (ggml `docs/gguf.md`); which keys llama.cpp reads follows its graph of each architecture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import ModelFileError, Unsupported

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """gguf: name in the file. interleaved: rows of q and k are ordered for rotation of neighbours. gemma: norms are stored minus one,
    the output is the embedding, and the activation is GELU. wide_layers: with so many layers attention is scaled by the width of a head
    as hidden size over heads, else by `head_dim`.
    """

    gguf: str
    interleaved: bool = False
    gemma: bool = False
    wide_layers: int = 0


ARCHITECTURES = {
    "LlamaForCausalLM": Architecture(gguf="llama", interleaved=True),
    "MistralForCausalLM": Architecture(gguf="llama", interleaved=True),
    "Qwen2ForCausalLM": Architecture(gguf="qwen2"),
    "Qwen3ForCausalLM": Architecture(gguf="qwen3"),
    "Phi3ForCausalLM": Architecture(gguf="phi3"),
    "GemmaForCausalLM": Architecture(gguf="gemma", gemma=True),
    "Gemma2ForCausalLM": Architecture(gguf="gemma2", gemma=True, wide_layers=46),
    "Gemma3ForCausalLM": Architecture(gguf="gemma3", gemma=True, wide_layers=62),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotary:
    """theta: base. scaling: rope_type and its numbers. local_theta: of layers that look at a window only, where it differs."""

    theta: float
    scaling: Mapping[str, Any]
    local_theta: float | None = None

    @property
    def kind(self) -> str:
        return str(self.scaling.get("rope_type", self.scaling.get("type", "default")))


def architecture_of(config: Mapping[str, Any]) -> Architecture:
    """Raises Unsupported, naming the architecture, when it is not one of ours."""
    names = config.get("architectures") or ["(none named)"]
    found = ARCHITECTURES.get(names[0])
    if found is None:
        raise Unsupported(f"architecture {names[0]} cannot be converted to GGUF here (can: {', '.join(ARCHITECTURES)})")
    activation = str(config.get("hidden_activation") or config.get("hidden_act") or "")
    if not activation.startswith("gelu" if found.gemma else "silu"):
        raise Unsupported(f"{names[0]} with activation `{activation}`: llama.cpp computes {'GELU' if found.gemma else 'SiLU'} for it")
    return found


def needed(config: Mapping[str, Any], key: str) -> Any:
    """Raises ModelFileError when the configuration lacks it."""
    if config.get(key) is None:
        raise ModelFileError(f"config.json lacks `{key}`")
    return config[key]


def head_size(config: Mapping[str, Any]) -> int:
    return int(config.get("head_dim") or needed(config, "hidden_size") // needed(config, "num_attention_heads"))


def rotary_of(config: Mapping[str, Any]) -> Rotary:
    """From `rope_parameters` (transformers 5; by kind of layer where they differ) or `rope_theta` and `rope_scaling` (before)."""
    given = config.get("rope_parameters") or {}
    whole = given.get("full_attention", given)
    scaling = whole or config.get("rope_scaling") or {}
    local = (given.get("sliding_attention") or {}).get("rope_theta", config.get("rope_local_base_freq"))
    return Rotary(theta=float(whole.get("rope_theta") or config.get("rope_theta") or 10000.0), scaling=scaling, local_theta=local)


def write_parameters(writer: Any, kind: Architecture, config: Mapping[str, Any]) -> None:
    """Hyper-parameters into an open `gguf.GGUFWriter`.

    Raises:
        Unsupported: a variant that llama.cpp would compute differently.
        ModelFileError: config.json lacks a number.
    """
    heads = needed(config, "num_attention_heads")
    width = head_size(config)
    _check_attention(kind, config, width)
    writer.add_context_length(needed(config, "max_position_embeddings"))
    writer.add_embedding_length(needed(config, "hidden_size"))
    writer.add_block_count(needed(config, "num_hidden_layers"))
    writer.add_feed_forward_length(needed(config, "intermediate_size"))
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_layer_norm_rms_eps(needed(config, "rms_norm_eps"))
    writer.add_vocab_size(needed(config, "vocab_size"))
    if kind.gguf in ("phi3", "gemma2", "gemma3") and config.get("sliding_window"):
        writer.add_sliding_window(config["sliding_window"])
    if softcap := config.get("attn_logit_softcapping"):
        writer.add_attn_logit_softcapping(softcap)
    if softcap := config.get("final_logit_softcapping"):
        writer.add_final_logit_softcapping(softcap)
    _write_rotary(writer, kind, config)


def _check_attention(kind: Architecture, config: Mapping[str, Any], width: int) -> None:
    """llama.cpp scales attention by a rule of its own and alternates windows in a fixed pattern."""
    layers = needed(config, "num_hidden_layers")
    scale = config.get("query_pre_attn_scalar")
    if kind.wide_layers and scale is not None:
        implied = config["hidden_size"] / config["num_attention_heads"] if layers == kind.wide_layers else width
        if scale != implied:
            raise Unsupported(f"{kind.gguf} with query_pre_attn_scalar {scale}: llama.cpp computes with {implied:g}")
    period = {"gemma2": 2, "gemma3": 6}.get(kind.gguf)
    pattern = config.get("layer_types")
    if period and pattern and pattern != ["sliding_attention" if (i + 1) % period else "full_attention" for i in range(layers)]:
        raise Unsupported(f"{kind.gguf} whose layers do not look at a window all but every {period}th")


def _write_rotary(writer: Any, kind: Architecture, config: Mapping[str, Any]) -> None:
    import gguf

    rotary = rotary_of(config)
    scaling = rotary.scaling
    share = scaling.get("partial_rotary_factor", config.get("partial_rotary_factor", 1.0))
    if share != 1.0 and kind.gguf != "phi3":
        raise Unsupported(f"{kind.gguf} with partial_rotary_factor {share}")
    writer.add_rope_dimension_count(int(head_size(config) * share))
    writer.add_rope_freq_base(rotary.theta)
    if rotary.local_theta and kind.gguf == "gemma3":
        writer.add_rope_freq_base_swa(float(rotary.local_theta))
    if rotary.kind in ("default", "llama3"):  # the latter is a tensor, see `rotary_tensors`
        return
    if rotary.kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(needed(scaling, "factor"))
    elif rotary.kind == "yarn":
        _check_yarn(scaling)
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(needed(scaling, "factor"))
        writer.add_rope_scaling_orig_ctx_len(_original_context(config))
    elif rotary.kind in ("longrope", "su") and kind.gguf == "phi3":
        writer.add_rope_scaling_orig_ctx_len(_original_context(config))
        writer.add_rope_scaling_attn_factors(_longrope_attention(config))
    else:
        raise Unsupported(f"{kind.gguf} with rotary scaling `{rotary.kind}`")


def _check_yarn(scaling: Mapping[str, Any]) -> None:
    """llama.cpp takes the constants of the YaRN paper (arXiv 2309.00071): 32, 1, and attention times 0.1 ln(factor) + 1."""
    usual = 0.1 * math.log(needed(scaling, "factor")) + 1
    for key, value in (("beta_fast", 32), ("beta_slow", 1), ("attention_factor", usual), ("mscale", 1), ("mscale_all_dim", 0)):
        given = scaling.get(key)
        if given is not None and abs(given - value) > 1e-3:
            raise Unsupported(f"rotary scaling `yarn` with {key} {given}: llama.cpp computes with {value:g}")


def _original_context(config: Mapping[str, Any]) -> int:
    scaling = rotary_of(config).scaling
    return int(scaling.get("original_max_position_embeddings") or config.get("original_max_position_embeddings") or config["max_position_embeddings"])


def _longrope_attention(config: Mapping[str, Any]) -> float:
    """Attention factor of LongRoPE (arXiv 2402.13753): sqrt(1 + ln(stretch) / ln(original context)); 1 where nothing is stretched."""
    if given := rotary_of(config).scaling.get("attention_factor"):
        return float(given)
    original = _original_context(config)
    stretch = config["max_position_embeddings"] / original
    return math.sqrt(1 + math.log(stretch) / math.log(original)) if stretch > 1 else 1.0


def rotary_tensors(config: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Divisors of the rotation frequencies as tensors [head_dim / 2] by GGUF name; empty where scaling needs none."""
    import numpy as np

    rotary = rotary_of(config)
    if rotary.kind == "llama3":
        return {"rope_freqs.weight": _llama3_divisors(rotary, head_size(config))}
    if rotary.kind in ("longrope", "su"):
        return {f"rope_factors_{which}.weight": np.array(needed(rotary.scaling, f"{which}_factor"), np.float32) for which in ("long", "short")}
    return {}


def _llama3_divisors(rotary: Rotary, width: int) -> np.ndarray:
    """Llama 3.1: long waves are slowed by `factor`, short ones kept, those between interpolated by their waves per original context."""
    import numpy as np

    low, high, factor = (float(needed(rotary.scaling, key)) for key in ("low_freq_factor", "high_freq_factor", "factor"))
    frequency = rotary.theta ** (-np.arange(0, width, 2, dtype=np.float64) / width)
    waves = needed(rotary.scaling, "original_max_position_embeddings") * frequency / (2 * math.pi)
    kept = np.clip((waves - low) / (high - low), 0.0, 1.0)
    divisors: np.ndarray = (1 / ((1 - kept) / factor + kept)).astype(np.float32)
    return divisors


def interleave(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows of q or k (weight [heads * d, ...] or bias [heads * d]) from halves (0, d/2, 1, ...) to neighbours, head by head."""
    split = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return split.swapaxes(1, 2).reshape(rows.shape)
