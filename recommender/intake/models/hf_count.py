"""Parameters of a transformer from its dimensions, where no header gives them.

Decoder: embedding + per layer (attention projections, gated feed-forward of three matrices or experts of them, norms) + output
table where it is not shared. Encoder: embeddings, per layer four attention matrices and two of the feed-forward, with biases.
"""

from __future__ import annotations

from typing import Any

from recommender.intake.models.hf_config import Config, experts_of

_UNGATED = ("gpt2", "gptj", "gpt_neox", "phi", "bloom", "mpt", "falcon", "starcoder2", "gpt_bigcode", "stablelm_alpha")


def count_decoder(config: Config, dims: dict[str, Any]) -> int | None:
    """All parameters of a decoder, None when a dimension is missing or the layers are of several kinds."""
    layers, hidden, heads, kv, head, vocab = (
        dims[name] for name in ("n_layers", "hidden_size", "n_heads", "n_kv_heads", "head_dim", "vocab_size")
    )
    ffn = dims["ffn_size"]
    if not all((layers, hidden, heads, kv, head, vocab)) or not (ffn or dims["expert_ffn_size"]):
        return None
    attention = _latent(config, hidden, heads) or hidden * head * (2 * heads + 2 * kv)
    matrices = 2 if config.model_type in _UNGATED else 3
    dense = matrices * hidden * (ffn or 0)
    experts, _ = experts_of(config)
    n_dense = dense_layers(config, layers) if experts else layers
    routed = experts * 3 * hidden * dims["expert_ffn_size"] + hidden * experts if experts and dims["expert_ffn_size"] else 0
    shared = _shared_experts(config, hidden, dims["expert_ffn_size"])
    blocks = layers * (attention + 2 * hidden) + n_dense * dense + (layers - n_dense) * (routed + shared)
    return int(vocab * hidden * (1 if dims["tied_embeddings"] else 2) + blocks + hidden)


def count_encoder(config: Config, dims: dict[str, Any]) -> int | None:
    """All parameters of an encoder of the BERT kind with its pooling layer."""
    layers, hidden, ffn, vocab, positions = (
        dims[name] for name in ("n_layers", "hidden_size", "ffn_size", "vocab_size", "context_length")
    )
    if not all((layers, hidden, ffn, vocab)):
        return None
    tables = (vocab + (positions or 0) + (config.number("type_vocab_size") or 0)) * hidden + 2 * hidden
    block = 4 * (hidden * hidden + hidden) + 2 * hidden * ffn + ffn + hidden + 4 * hidden
    return int(tables + layers * block + hidden * hidden + hidden)


def active_of(n_params: int | None, config: Config, dims: dict[str, Any]) -> int | None:
    """Parameters used per token: all less the experts that are not routed to."""
    experts, used = experts_of(config)
    if not n_params or not experts or not used or used > experts:
        return None
    layers, hidden, size = dims["n_layers"], dims["hidden_size"], dims["expert_ffn_size"]
    if not layers or not hidden or not size:
        return None
    idle = (layers - dense_layers(config, layers)) * (experts - used) * 3 * hidden * size
    return n_params - idle if idle < n_params else None


def dense_layers(config: Config, layers: int) -> int:
    """Layers without experts, in the spelling of DeepSeek, Llama 4 and Qwen."""
    dense = config.number("first_k_dense_replace") or 0
    step = config.number("interleave_moe_layer_step", "decoder_sparse_step", "moe_layer_freq") or 1
    only = config.get("mlp_only_layers")
    if isinstance(only, list):
        dense += len(only)
    if step > 1:
        dense = layers - layers // step
    return min(dense, layers)


def _shared_experts(config: Config, hidden: int, expert_ffn: int | None) -> int:
    explicit = config.number("shared_expert_intermediate_size")
    count = config.number("n_shared_experts", "num_shared_experts") or 0
    return 3 * hidden * (explicit or count * (expert_ffn or 0))


def _latent(config: Config, hidden: int, heads: int) -> int | None:
    """Projections of multi-head latent attention."""
    rank, rope, nope, value = (
        config.number(name) for name in ("kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim")
    )
    if not rank or not rope or not nope or not value:
        return None
    q_rank = config.number("q_lora_rank")
    query = hidden * q_rank + q_rank * heads * (nope + rope) if q_rank else hidden * heads * (nope + rope)
    return query + hidden * (rank + rope) + rank * heads * (nope + value) + heads * value * hidden
