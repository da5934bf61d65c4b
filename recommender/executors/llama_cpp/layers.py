"""PURE: the tensors and hyper-parameters that llama.cpp wants of an architecture, from a model's dimensions alone (its `llama-model.cpp`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Model = Mapping[str, Any]  # fields of a `ModelSpec` by name

_NEEDED = ("n_layers", "hidden_size", "n_heads", "ffn_size", "vocab_size")


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """What a layer has beyond plain attention and a gated feed-forward part.

    biased: of q, k, v. head_norms: of q and k. post_norms: after attention and after the feed-forward part. fused: q, k, v in one matrix, gate
    and up in another. experts: may be a mixture. gemma: the output is always the embedding. windowed: some layers look at a window only.
    """

    biased: bool = False
    head_norms: bool = False
    post_norms: bool = False
    fused: bool = False
    experts: bool = False
    gemma: bool = False
    windowed: bool = False


LAYOUTS = {
    "llama": Layout(experts=True),
    "qwen2": Layout(biased=True),
    "qwen3": Layout(head_norms=True),
    "qwen3moe": Layout(head_norms=True, experts=True),
    "phi3": Layout(fused=True),
    "gemma": Layout(gemma=True),
    "gemma2": Layout(gemma=True, post_norms=True, windowed=True),
    "gemma3": Layout(gemma=True, post_norms=True, head_norms=True, windowed=True),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """shape: slowest dimension first. is_plain: stays F32 whatever the level (vectors, and the matrix that chooses experts)."""

    name: str
    shape: tuple[int, ...]

    @property
    def is_plain(self) -> bool:
        return len(self.shape) == 1 or "ffn_gate_inp" in self.name

    @property
    def elements(self) -> int:
        count = 1
        for length in self.shape:
            count *= length
        return count


def refusal(model: Model) -> str:
    """Why the tensors of a model are not known here, else empty."""
    layout = LAYOUTS.get(str(model.get("architecture")))
    if layout is None:
        return f"the layers of `{model.get('architecture')}` are not known here (known: {', '.join(LAYOUTS)})"
    lacking = [name for name in _NEEDED if not model.get(name) and not (name == "ffn_size" and model.get("expert_ffn_size"))]
    if lacking:
        return f"its {lacking[0]} is not known"
    attention = model.get("attention") or {}
    kind = attention.get("kind", "full")
    if kind not in ("full", "sliding") or any(attention.get(name) for name in ("n_kv_layers", "n_global_kv_heads", "global_head_dim")):
        return f"attention of the kind `{kind}` with layers that differ is not known here"
    if model.get("n_experts") and not (layout.experts and model.get("n_experts_used")):
        return f"mixtures of experts of `{model['architecture']}` are not known here"
    return ""


def head_size(model: Model) -> int:
    return int(model.get("head_dim") or model["hidden_size"] // model["n_heads"])


def tensors(model: Model, n_layers: int) -> Iterator[Tensor]:
    """Of the whole model with so many layers, in the order of the file."""
    hidden, vocabulary = model["hidden_size"], model["vocab_size"]
    yield Tensor(name="token_embd.weight", shape=(vocabulary, hidden))
    yield Tensor(name="output_norm.weight", shape=(hidden,))
    if not (model.get("tied_embeddings") or LAYOUTS[model["architecture"]].gemma):
        yield Tensor(name="output.weight", shape=(vocabulary, hidden))
    for layer in range(n_layers):
        yield from (Tensor(name=f"blk.{layer}.{name}", shape=shape) for name, shape in (*_attention(model), *_feed_forward(model)))


def _attention(model: Model) -> Iterator[tuple[str, tuple[int, ...]]]:
    layout, hidden, width = LAYOUTS[model["architecture"]], model["hidden_size"], head_size(model)
    queries, keys = model["n_heads"] * width, (model.get("n_kv_heads") or model["n_heads"]) * width
    yield "attn_norm.weight", (hidden,)
    if layout.fused:
        yield "attn_qkv.weight", (queries + 2 * keys, hidden)
    else:
        for name, rows in (("attn_q", queries), ("attn_k", keys), ("attn_v", keys)):
            yield f"{name}.weight", (rows, hidden)
            if layout.biased:
                yield f"{name}.bias", (rows,)
    if layout.head_norms:
        yield from ((f"{name}.weight", (width,)) for name in ("attn_q_norm", "attn_k_norm"))
    yield "attn_output.weight", (hidden, queries)
    if layout.post_norms:
        yield from ((f"{name}.weight", (hidden,)) for name in ("post_attention_norm", "post_ffw_norm"))


def _feed_forward(model: Model) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, experts = model["hidden_size"], model.get("n_experts")
    yield "ffn_norm.weight", (hidden,)
    if experts:
        width = model.get("expert_ffn_size") or model["ffn_size"]
        yield "ffn_gate_inp.weight", (experts, hidden)
        yield from ((f"{name}_exps.weight", (experts, width, hidden)) for name in ("ffn_gate", "ffn_up"))
        yield "ffn_down_exps.weight", (experts, hidden, width)
    elif LAYOUTS[model["architecture"]].fused:
        yield "ffn_up.weight", (2 * model["ffn_size"], hidden)
        yield "ffn_down.weight", (hidden, model["ffn_size"])
    else:
        yield from ((f"{name}.weight", (model["ffn_size"], hidden)) for name in ("ffn_gate", "ffn_up"))
        yield "ffn_down.weight", (hidden, model["ffn_size"])


def write_parameters(writer: Any, model: Model, n_layers: int, context: int) -> None:
    """Hyper-parameters into an open `gguf.GGUFWriter`. There is no tokenizer: prompts are token ids."""
    width = head_size(model)
    writer.add_block_count(n_layers)
    writer.add_context_length(max(context, model.get("context_length") or 0))
    writer.add_embedding_length(model["hidden_size"])
    writer.add_feed_forward_length(model.get("ffn_size") or model["expert_ffn_size"])
    writer.add_head_count(model["n_heads"])
    writer.add_head_count_kv(model.get("n_kv_heads") or model["n_heads"])
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(model["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    if model.get("n_experts"):
        writer.add_expert_count(model["n_experts"])
        writer.add_expert_used_count(model["n_experts_used"])
        writer.add_expert_feed_forward_length(model.get("expert_ffn_size") or model["ffn_size"])
    window = (model.get("attention") or {}).get("window")
    if window and LAYOUTS[model["architecture"]].windowed:
        writer.add_sliding_window(window)
