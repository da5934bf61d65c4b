"""GGUF files of random weights with the exact layers of three published models, in four levels: what is computed does not hang on the values.

The F16 file repeats a block of normal numbers; the other levels are made of it by the product's own quantizer.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommender.executors.llama_cpp.quantize import PREPARER
from recommender.executors.llama_cpp.vocabulary import BYTE, CONTROL, NORMAL, UNKNOWN
from recommender.ports import PrepareJob

LEVELS = ("Q4_0", "Q4_K_M", "Q8_0", "F16")
_BLOCK = 1 << 22  # numbers that are repeated
_DEVIATION = 0.02  # of weights, as models are initialised


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Dimensions of a model with tied embeddings."""

    key: str
    architecture: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    ffn: int
    vocabulary: int

    @property
    def kv_bytes(self) -> float:
        """Of one token in a cache of fp16."""
        return 2.0 * 2 * self.layers * self.kv_heads * self.head_size


SHAPES = (
    Shape(key="qwen2.5-0.5b", architecture="qwen2", layers=24, hidden=896, heads=14, kv_heads=2, head_size=64, ffn=4864, vocabulary=151936),
    Shape(key="llama-3.2-1b", architecture="llama", layers=16, hidden=2048, heads=32, kv_heads=8, head_size=64, ffn=8192, vocabulary=128256),
    Shape(key="llama-3.2-3b", architecture="llama", layers=28, hidden=3072, heads=24, kv_heads=8, head_size=128, ffn=8192, vocabulary=128256),
)


def made(shape: Shape, level: str, folder: Path, threads: int) -> Path:
    """The file of a level, made where the folder does not have it yet."""
    path = folder / f"{shape.key}-{level}.gguf"
    if path.exists():
        return path
    with tempfile.TemporaryDirectory(dir=folder) as name:
        out = Path(name) / "out"
        out.mkdir()
        if level == "F16":
            write_half(shape, out / "model.gguf")
        else:
            job = PrepareJob(source=made(shape, "F16", folder, threads), out=out, scheme={"key": level}, threads=threads)
            PREPARER.prepare(job, lambda text: None)
        shutil.move(out / "model.gguf", path)
    return path


def write_half(shape: Shape, path: Path) -> None:
    """The F16 file; vectors in F32, as llama.cpp keeps them."""
    import gguf
    import numpy as np

    block = (np.random.default_rng(0).standard_normal(_BLOCK) * _DEVIATION).astype(np.float16)
    writer = gguf.GGUFWriter(path, shape.architecture)
    _write_parameters(writer, shape)
    tensors = [(name, sizes, np.dtype(np.float32 if len(sizes) == 1 else np.float16)) for name, sizes in _tensors(shape)]
    for name, sizes, kind in tensors:
        writer.add_tensor_info(name, sizes, kind, int(np.prod(sizes)) * kind.itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, sizes, kind in tensors:
        writer.write_tensor_data(np.ones(sizes, kind) if len(sizes) == 1 else np.resize(block, sizes))
    writer.close()


def _write_parameters(writer: Any, shape: Shape) -> None:
    """Hyper-parameters and a vocabulary in which every byte is a token."""
    writer.add_block_count(shape.layers)
    writer.add_embedding_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_size)
    writer.add_value_length(shape.head_size)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_context_length(131072)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.head_size)
    special, octets = ["<unk>", "<s>", "</s>"], [f"<0x{octet:02X}>" for octet in range(256)]
    others = [f"token{number}" for number in range(shape.vocabulary - len(special) - len(octets))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*special, *octets, *others])
    writer.add_token_types([UNKNOWN, CONTROL, CONTROL, *[BYTE] * len(octets), *[NORMAL] * len(others)])
    writer.add_token_scores([0.0] * shape.vocabulary)
    writer.add_add_bos_token(False)


def _tensors(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and dimensions, slowest first."""
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    yield "token_embd.weight", (shape.vocabulary, shape.hidden)
    yield "output_norm.weight", (shape.hidden,)
    for layer in range(shape.layers):
        yield from ((f"blk.{layer}.{name}.weight", sizes) for name, sizes in (
            ("attn_norm", (shape.hidden,)), ("ffn_norm", (shape.hidden,)), ("attn_q", (queries, shape.hidden)), ("attn_k", (keys, shape.hidden)),
            ("attn_v", (keys, shape.hidden)), ("attn_output", (shape.hidden, queries)), ("ffn_gate", (shape.ffn, shape.hidden)),
            ("ffn_up", (shape.ffn, shape.hidden)), ("ffn_down", (shape.hidden, shape.ffn)),
        ))
        if shape.architecture == "qwen2":
            yield from ((f"blk.{layer}.{name}.bias", (size,)) for name, size in (("attn_q", queries), ("attn_k", keys), ("attn_v", keys)))
