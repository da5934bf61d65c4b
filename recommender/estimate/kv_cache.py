"""Bytes of the KV cache: grouped-query, sliding-window, hybrid and latent attention."""

from __future__ import annotations

from recommender.domain.model import ModelSpec

CELL_PADDING = 256  # llama.cpp rounds the number of cells up to this (llama-kv-cache.cpp, GGML_PAD of n_ctx)
SLIDING_PADDING = 512  # a sliding cache holds the window and one micro-batch (llama-kv-cache-iswa.cpp)


def _padded(tokens: float) -> float:
    return -(-tokens // CELL_PADDING) * CELL_PADDING


def kv_cache_bytes(model: ModelSpec, context: float, *, bytes_per_element: float = 2.0, streams: int = 1) -> float | None:
    """2 x layers x KV heads x head dim x tokens x bytes, by kind of attention. None when dimensions lack.

    Args:
        context: tokens reserved for one stream. bytes_per_element: 2 for fp16, 1.0625 for q8_0.
    """
    attention = model.attention
    if attention.kind == "none" or (attention.n_kv_layers == 0):
        return 0.0
    layers = attention.n_kv_layers or model.n_layers
    if not layers or not model.n_heads:
        return None
    if attention.kind == "latent":
        if not attention.kv_lora_rank:
            return None
        return layers * (attention.kv_lora_rank + (attention.rope_head_dim or 0)) * _padded(context) * bytes_per_element * streams
    heads = model.n_kv_heads or model.n_heads
    head_dim = model.head_dim or ((model.hidden_size or 0) // model.n_heads)
    if not head_dim:
        return None
    if attention.kind != "sliding" or not attention.window:
        return 2.0 * layers * heads * head_dim * _padded(context) * bytes_per_element * streams
    full = attention.n_global_layers if attention.n_global_layers is not None else 0
    global_width = (attention.n_global_kv_heads or heads) * (attention.global_head_dim or head_dim)
    window = min(_padded(context), _padded(attention.window + SLIDING_PADDING))
    cells = full * global_width * _padded(context) + (layers - full) * heads * head_dim * window
    return 2.0 * cells * bytes_per_element * streams


def kv_read_bytes(model: ModelSpec, depth: float, *, bytes_per_element: float = 2.0) -> float:
    """Bytes of cache read for one token at `depth` tokens (not padded); 0 when dimensions lack."""
    whole = kv_cache_bytes(model, depth, bytes_per_element=bytes_per_element)
    if not whole or depth <= 0:
        return 0.0
    return whole * depth / _padded(depth)
