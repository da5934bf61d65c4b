"""Writers of small but real files of language models: GGUF, safetensors, Hugging Face folders. For tests only."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recommender.intake.models.gguf_types import BLOCKS

TYPE_IDS = {name: number for number, (name, _, _) in BLOCKS.items()}
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


# --- GGUF -------------------------------------------------------------------------------------------------------------


def gguf_bytes(
    metadata: Mapping[str, Any], tensors: Sequence[tuple[str, tuple[int, ...], str]], *, version: int = 3, order: str = "<"
) -> bytes:
    """A GGUF file; tensors as (name, shape in ggml order, type name), their data zeros.

    Metadata: int -> uint32, float -> float32, bool, str, list of str / int / float / bool -> arrays (int32 for int).
    """
    wide = "I" if version == 1 else "Q"

    def text(value: str) -> bytes:
        data = value.encode()
        return struct.pack(order + wide, len(data)) + data

    out = b"GGUF" + struct.pack(order + "I" + wide + wide, version, len(tensors), len(metadata))
    for key, value in metadata.items():
        out += text(key) + _gguf_value(value, order, wide, text)
    offset, data_size = 0, []
    for name, shape, type_name in tensors:
        _, block, size = BLOCKS[TYPE_IDS[type_name]]
        elements = 1
        for dimension in shape:
            elements *= dimension
        out += text(name) + struct.pack(order + "I", len(shape))
        out += struct.pack(f"{order}{len(shape)}{wide}", *shape) + struct.pack(order + "IQ", TYPE_IDS[type_name], offset)
        data_size.append(elements // block * size)
        offset += -(-data_size[-1] // 32) * 32
    out += b"\0" * (-len(out) % 32)
    for size in data_size:
        out += b"\0" * (-(-size // 32) * 32)
    return out


def _gguf_value(value: Any, order: str, wide: str, text: Any) -> bytes:
    def kind_of(item: Any) -> tuple[int, str]:
        return (BOOL, "?") if isinstance(item, bool) else (U32, "I") if isinstance(item, int) else (F32, "f")

    if isinstance(value, str):
        return struct.pack(order + "I", STRING) + text(value)
    if isinstance(value, list):
        if value and isinstance(value[0], str):
            head = struct.pack(order + "II" + wide, ARRAY, STRING, len(value))
            return head + b"".join(text(item) for item in value)
        kind, code = kind_of(value[0])
        kind, code = (I32, "i") if code == "I" else (kind, code)
        return struct.pack(order + "II" + wide, ARRAY, kind, len(value)) + struct.pack(f"{order}{len(value)}{code}", *value)
    kind, code = kind_of(value)
    return struct.pack(order + "I" + code, kind, value)


LLAMA = {"hidden": 256, "ffn": 512, "heads": 4, "kv_heads": 2, "layers": 2, "vocab": 64}


def llama_metadata(architecture: str = "llama", **more: Any) -> dict[str, Any]:
    """Keys of a tiny language model that llama.cpp loads."""
    size = LLAMA
    keys: dict[str, Any] = {
        "general.architecture": architecture,
        "general.name": "Tiny Test 1B",
        "general.license": "apache-2.0",
        "general.file_type": 15,
        f"{architecture}.block_count": size["layers"],
        f"{architecture}.context_length": 2048,
        f"{architecture}.embedding_length": size["hidden"],
        f"{architecture}.feed_forward_length": size["ffn"],
        f"{architecture}.attention.head_count": size["heads"],
        f"{architecture}.attention.head_count_kv": size["kv_heads"],
        f"{architecture}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{architecture}.rope.dimension_count": size["hidden"] // size["heads"],
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>"] + [f"t{i}" for i in range(size["vocab"] - 3)],
        "tokenizer.ggml.scores": [0.0] * size["vocab"],
        "tokenizer.ggml.token_type": [2, 3, 3] + [1] * (size["vocab"] - 3),
    }
    return {**keys, **more}


def llama_tensors(weight: str = "Q4_K", better: str = "Q6_K", *, tied: bool = False) -> list[tuple[str, tuple[int, ...], str]]:
    """Tensors of that model, mixed as llama-quantize mixes: attn_v and ffn_down of the first layer in the better type."""
    size = LLAMA
    hidden, ffn = size["hidden"], size["ffn"]
    kv = hidden // size["heads"] * size["kv_heads"]
    tensors = [("token_embd.weight", (hidden, size["vocab"]), weight), ("output_norm.weight", (hidden,), "F32")]
    if not tied:
        tensors.append(("output.weight", (hidden, size["vocab"]), better))
    for layer in range(size["layers"]):
        best = better if layer == 0 else weight
        tensors += [
            (f"blk.{layer}.attn_norm.weight", (hidden,), "F32"),
            (f"blk.{layer}.attn_q.weight", (hidden, hidden), weight),
            (f"blk.{layer}.attn_k.weight", (hidden, kv), weight),
            (f"blk.{layer}.attn_v.weight", (hidden, kv), best),
            (f"blk.{layer}.attn_output.weight", (hidden, hidden), weight),
            (f"blk.{layer}.ffn_norm.weight", (hidden,), "F32"),
            (f"blk.{layer}.ffn_gate.weight", (hidden, ffn), weight),
            (f"blk.{layer}.ffn_up.weight", (hidden, ffn), weight),
            (f"blk.{layer}.ffn_down.weight", (ffn, hidden), best),
        ]
    return tensors


def write_llama_gguf(
    path: Path, weight: str = "Q4_K", better: str = "Q6_K", *, tied: bool = False, version: int = 3, **more: Any
) -> Path:
    path.write_bytes(gguf_bytes(llama_metadata(**more), llama_tensors(weight, better, tied=tied), version=version))
    return path


# --- safetensors and Hugging Face folders -----------------------------------------------------------------------------

_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "U8": 1, "I8": 1, "F8_E4M3": 1}


def safetensors_bytes(tensors: Mapping[str, tuple[str, tuple[int, ...]]], metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file; tensors as name -> (dtype, shape), their data zeros."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    offset = 0
    for name, (dtype, shape) in tensors.items():
        size = _BYTES[dtype]
        for dimension in shape:
            size *= dimension
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"\0" * offset


def decoder_tensors(config: Mapping[str, Any], dtype: str = "BF16") -> dict[str, tuple[str, tuple[int, ...]]]:
    """Tensors of a dense decoder with these dimensions."""
    hidden, ffn, vocab = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    head = config.get("head_dim") or hidden // config["num_attention_heads"]
    query, kv = head * config["num_attention_heads"], head * config["num_key_value_heads"]
    found: dict[str, tuple[str, tuple[int, ...]]] = {
        "model.embed_tokens.weight": (dtype, (vocab, hidden)),
        "model.norm.weight": (dtype, (hidden,)),
    }
    if not config.get("tie_word_embeddings"):
        found["lm_head.weight"] = (dtype, (vocab, hidden))
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}."
        for name, shape in {
            "self_attn.q_proj": (query, hidden),
            "self_attn.k_proj": (kv, hidden),
            "self_attn.v_proj": (kv, hidden),
            "self_attn.o_proj": (hidden, query),
            "mlp.gate_proj": (ffn, hidden),
            "mlp.up_proj": (ffn, hidden),
            "mlp.down_proj": (hidden, ffn),
            "input_layernorm": (hidden,),
            "post_attention_layernorm": (hidden,),
        }.items():
            found[f"{stem}{name}.weight"] = (dtype, shape)
    return found


DECODER_CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}


def write_hf_folder(folder: Path, config: Mapping[str, Any] | None = None, tensors: Any = None, metadata: Any = None) -> Path:
    """A folder with config.json and model.safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    config = dict(config or DECODER_CONFIG)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(safetensors_bytes(tensors or decoder_tensors(config), metadata))
    return folder
