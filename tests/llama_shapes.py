"""GGUF files with the exact tensors of published models and no data: a header, then a hole. For tests only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

QK_NORM = ("gemma3",)
POST_NORM = ("gemma3",)
BIASED = ("qwen2",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Dimensions of a model with tied embeddings."""

    architecture: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocabulary: int
    window: int | None = None


SHAPES = {
    "llama-3.2-1b": Shape(architecture="llama", layers=16, hidden=2048, heads=32, kv_heads=8, head_dim=64, ffn=8192, vocabulary=128256),
    "qwen2.5-0.5b": Shape(architecture="qwen2", layers=24, hidden=896, heads=14, kv_heads=2, head_dim=64, ffn=4864, vocabulary=151936),
    "gemma-3-1b": Shape(
        architecture="gemma3", layers=26, hidden=1152, heads=4, kv_heads=1, head_dim=256, ffn=6912, vocabulary=262144, window=512,
    ),
}


TABLE_TYPES = {"Q4_0": "Q6_K"}  # the type that llama-quantize gives to a tied token table under a level


def write_sparse(path: Path, shape: Shape, level: str) -> int:
    """A GGUF file of one level, vectors in F32, as llama-quantize mixes the types; returns the bytes of its tensors."""
    import gguf

    writer = gguf.GGUFWriter(path, shape.architecture)
    _write_metadata(writer, shape)
    total = 0
    for name, dimensions in _tensors(shape):
        matrix = TABLE_TYPES.get(level, level) if name == "token_embd.weight" else level
        total += _announce(writer, name, dimensions, "F32" if len(dimensions) == 1 else matrix)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    stream = writer.fout[0]
    stream.truncate(-(-stream.tell() // 32) * 32 + total)
    writer.close()
    return total


def _write_metadata(writer: Any, shape: Shape) -> None:
    writer.add_block_count(shape.layers)
    writer.add_embedding_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_context_length(131072)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_tokenizer_model("no_vocab")
    if shape.window:
        writer.add_sliding_window(shape.window)


def _tensors(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and dimensions in ggml order (fastest first)."""
    hidden, q_size, kv_size = shape.hidden, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    yield "token_embd.weight", (hidden, shape.vocabulary)
    yield "output_norm.weight", (hidden,)
    for layer in range(shape.layers):
        yield from ((f"blk.{layer}.{name}.weight", size) for name, size in (
            ("attn_norm", (hidden,)), ("ffn_norm", (hidden,)), ("attn_q", (hidden, q_size)), ("attn_k", (hidden, kv_size)),
            ("attn_v", (hidden, kv_size)), ("attn_output", (q_size, hidden)), ("ffn_gate", (hidden, shape.ffn)),
            ("ffn_up", (hidden, shape.ffn)), ("ffn_down", (shape.ffn, hidden)),
        ))
        if shape.architecture in POST_NORM:
            yield from ((f"blk.{layer}.{name}.weight", (hidden,)) for name in ("post_attention_norm", "post_ffw_norm"))
        if shape.architecture in QK_NORM:
            yield from ((f"blk.{layer}.{name}.weight", (shape.head_dim,)) for name in ("attn_q_norm", "attn_k_norm"))
        if shape.architecture in BIASED:
            yield f"blk.{layer}.attn_q.bias", (q_size,)
            yield from ((f"blk.{layer}.{name}.bias", (kv_size,)) for name in ("attn_k", "attn_v"))


def _announce(writer: Any, name: str, dimensions: tuple[int, ...], type_name: str) -> int:
    import gguf
    import numpy

    kind = gguf.GGMLQuantizationType[type_name]
    block, size = gguf.GGML_QUANT_SIZES[kind]
    count = 1
    for dimension in dimensions:
        count *= dimension
    stored = list(reversed(dimensions))
    if type_name == "F32":
        writer.add_tensor_info(name, stored, numpy.dtype(numpy.float32), count * 4)
        return -(-count * 4 // 32) * 32
    stored[-1] = stored[-1] // block * size
    writer.add_tensor_info(name, stored, numpy.dtype(numpy.uint8), count // block * size, raw_dtype=kind)
    return -(-(count // block * size) // 32) * 32
