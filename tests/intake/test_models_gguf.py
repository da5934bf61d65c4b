from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest

from recommender.domain.errors import ModelFileError
from recommender.intake.model_files import read_model
from recommender.intake.models.gguf_types import BLOCKS
from tests.model_files import LLAMA, TYPE_IDS, gguf_bytes, llama_metadata, llama_tensors, write_llama_gguf

N_PARAMS = sum(math.prod(shape) for _, shape, _ in llama_tensors())


def data_bytes(tensors) -> int:
    return sum(math.prod(shape) // BLOCKS[TYPE_IDS[kind]][1] * BLOCKS[TYPE_IDS[kind]][2] for _, shape, kind in tensors)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_dimensions_and_exact_counts(tmp_path: Path, version: int) -> None:
    path = write_llama_gguf(tmp_path / "tiny-Q4_K_M.gguf", version=version)
    spec = read_model(str(path))
    assert (spec.architecture, spec.family, spec.task, spec.structure) == ("llama", "llama", "text-generation", "transformer")
    assert (spec.n_layers, spec.hidden_size, spec.n_heads, spec.n_kv_heads, spec.head_dim) == (2, 256, 4, 2, 64)
    assert (spec.ffn_size, spec.vocab_size, spec.context_length) == (512, 64, 2048)
    assert spec.n_params == N_PARAMS and spec.n_embedding_params == 256 * 64 and spec.tied_embeddings is False
    assert spec.license == "apache-2.0" and spec.name == "Tiny Test 1B" and spec.key == "tiny-Q4_K_M"
    artifact = spec.artifact
    assert artifact is not None and artifact.format == "gguf" and artifact.scheme == "Q4_K_M" and artifact.is_quantized is True
    assert artifact.size == path.stat().st_size
    assert artifact.bits_per_weight == pytest.approx(data_bytes(llama_tensors()) * 8 / N_PARAMS, abs=1e-3)
    assert sum(artifact.tensor_types.values()) == N_PARAMS and set(artifact.tensor_types) == {"Q4_K", "Q6_K", "F32"}


def test_agrees_with_llama_cpp(tmp_path: Path) -> None:
    llama_cpp = pytest.importorskip("llama_cpp")
    path = write_llama_gguf(tmp_path / "tiny.gguf")
    model = llama_cpp.Llama(str(path), vocab_only=False, n_ctx=64, verbose=False)
    try:
        theirs = llama_cpp.llama_model_n_params(model._model.model)
    finally:
        model.close()
    assert read_model(str(path)).n_params == theirs


@pytest.mark.parametrize(
    ("weight", "better", "file_type", "scheme", "quantized"),
    [
        ("Q4_K", "Q6_K", 15, "Q4_K_M", True),
        ("Q8_0", "Q8_0", 15, "Q8_0", True),  # the header says Q4_K_M, the tensors do not
        ("Q4_K", "Q5_K", 7, "Q4_K_S", True),
        ("F16", "F16", 1, "F16", False),
        ("BF16", "BF16", 32, "BF16", False),
        ("IQ3_S", "IQ3_S", 27, "IQ3_M", True),
        ("MXFP4", "Q8_0", 38, "MXFP4", True),
        ("Q6_K", "Q6_K", 1024 + 18, "Q6_K", True),
        ("Q3_K", "Q5_K", 13, "Q3_K_L", True),
    ],
)
def test_scheme_is_borne_out_by_tensors(tmp_path: Path, weight, better, file_type, scheme, quantized) -> None:
    artifact = read_model(
        str(write_llama_gguf(tmp_path / "named-Q4_K_M.gguf", weight, better, **{"general.file_type": file_type}))
    ).artifact
    assert artifact is not None and (artifact.scheme, artifact.is_quantized) == (scheme, quantized)


def test_substituted_types_of_narrow_rows_keep_the_declared_scheme(tmp_path: Path) -> None:
    """Rows of 896 do not fit blocks of 256: llama-quantize writes Q5_0 into a Q4_K_M file."""
    tensors = [("token_embd.weight", (896, 64), "Q8_0"), ("blk.0.attn_q.weight", (896, 896), "Q5_0")]
    path = tmp_path / "x.gguf"
    path.write_bytes(gguf_bytes(llama_metadata("qwen2"), tensors))
    artifact = read_model(str(path)).artifact
    assert artifact is not None and artifact.scheme == "Q4_K_M"


def test_tied_embeddings(tmp_path: Path) -> None:
    assert read_model(str(write_llama_gguf(tmp_path / "t.gguf", tied=True))).tied_embeddings is True


def test_split_files_are_summed_and_missing_parts_named(tmp_path: Path) -> None:
    tensors = llama_tensors()
    first, second = tmp_path / "m-00001-of-00002.gguf", tmp_path / "m-00002-of-00002.gguf"
    first.write_bytes(gguf_bytes(llama_metadata(), tensors[:5]))
    second.write_bytes(gguf_bytes({"split.no": 1}, tensors[5:]))
    spec = read_model(str(second))
    assert spec.n_params == N_PARAMS and spec.key == "m"
    assert spec.artifact is not None and spec.artifact.size == first.stat().st_size + second.stat().st_size
    second.unlink()
    with pytest.raises(ModelFileError, match="m-00002-of-00002.gguf") as caught:
        read_model(str(first))
    assert str(first) in caught.value.message


def expert_model(tmp_path: Path, **more) -> Path:
    tensors = [
        ("token_embd.weight", (256, 64), "F16"),
        ("blk.0.attn_q.weight", (256, 256), "F16"),
        ("blk.0.ffn_gate_exps.weight", (256, 128, 8), "Q4_K"),
        ("blk.0.ffn_up_exps.weight", (256, 128, 8), "Q4_K"),
    ]
    keys = {"qwen3moe.expert_count": 8, "qwen3moe.expert_used_count": 2, "qwen3moe.expert_feed_forward_length": 128, **more}
    path = tmp_path / "moe.gguf"
    path.write_bytes(gguf_bytes(llama_metadata("qwen3moe", **keys), tensors))
    return path


def test_mixture_of_experts(tmp_path: Path) -> None:
    spec = read_model(str(expert_model(tmp_path)))
    experts, rest = 2 * 256 * 128 * 8, 256 * 64 + 256 * 256
    assert spec.n_params == experts + rest and spec.n_active_params == experts // 4 + rest
    assert (spec.n_experts, spec.n_experts_used, spec.expert_ffn_size, spec.family) == (8, 2, 128, "qwen")


@pytest.mark.parametrize(
    ("architecture", "keys", "expected"),
    [
        ("gemma3", {"block_count": 26, "attention.sliding_window": 512}, ("sliding", 512, 4, None)),
        ("gpt-oss", {"block_count": 24, "attention.sliding_window": 128}, ("sliding", 128, 12, None)),
        ("llama", {"block_count": 24, "attention.sliding_window": 128}, ("full", None, None, None)),
        (
            "new-kind",
            {"block_count": 4, "attention.sliding_window": 64, "attention.sliding_window_pattern": [True, True, True, False]},
            ("sliding", 64, 1, None),
        ),
        ("lfm2", {"block_count": 4, "attention.head_count_kv": [0, 0, 8, 0]}, ("full", None, None, 1)),
        ("mamba", {"block_count": 4}, ("none", None, None, None)),
    ],
)
def test_attention(tmp_path: Path, architecture, keys, expected) -> None:
    path = write_llama_gguf(
        tmp_path / "a.gguf", architecture=architecture, **{f"{architecture}.{key}": value for key, value in keys.items()}
    )
    attention = read_model(str(path)).attention
    assert (attention.kind, attention.window, attention.n_global_layers, attention.n_kv_layers) == expected


def test_latent_attention_needs_its_tensors(tmp_path: Path) -> None:
    keys = {"deepseek2.attention.kv_lora_rank": 512, "deepseek2.rope.dimension_count": 64, "deepseek2.attention.key_length": 192}
    new = llama_metadata("deepseek2", **keys, **{"deepseek2.attention.key_length_mla": 192})
    path = tmp_path / "d.gguf"
    path.write_bytes(gguf_bytes(new, [*llama_tensors(), ("blk.0.attn_k_b.weight", (256, 64), "F16")]))
    attention = read_model(str(path)).attention
    assert (attention.kind, attention.kv_lora_rank, attention.rope_head_dim) == ("latent", 512, 64)
    path.write_bytes(
        gguf_bytes(llama_metadata("deepseek2", **keys), [*llama_tensors(), ("blk.0.attn_kv_b.weight", (256, 64), "F16")])
    )
    assert read_model(str(path)).attention.kind == "full"


@pytest.mark.parametrize(
    ("keys", "task"),
    [({"qwen3.pooling_type": 3}, "embedding"), ({"qwen3.pooling_type": 4}, "text-classification"), ({}, "text-generation")],
)
def test_task_by_pooling(tmp_path: Path, keys, task) -> None:
    assert read_model(str(write_llama_gguf(tmp_path / "e.gguf", architecture="qwen3", **keys))).task == task


def test_unknown_tensor_type_is_kept_as_unknown(tmp_path: Path) -> None:
    path = write_llama_gguf(tmp_path / "u.gguf", "F16", "F16")
    data = path.read_bytes()
    name = b"blk.0.attn_q.weight"
    at = data.index(name) + len(name) + 4 + 16
    path.write_bytes(data[:at] + struct.pack("<I", 99) + data[at + 4 :])
    artifact = read_model(str(path)).artifact
    assert artifact is not None and artifact.tensor_types["type-99"] == LLAMA["hidden"] ** 2
    assert artifact.details["unknown_tensor_types"] == ["type-99"]


def test_truncated_file_says_how_many_bytes_are_missing(tmp_path: Path) -> None:
    path = write_llama_gguf(tmp_path / "cut.gguf", "F32", "F32")
    data = path.read_bytes()
    path.write_bytes(data[:-1000])
    with pytest.raises(ModelFileError, match="truncated: 1000 bytes missing") as caught:
        read_model(str(path))
    assert str(path) in caught.value.message and caught.value.hints


@pytest.mark.parametrize(
    ("data", "because"),
    [
        (b"", "empty"),
        (b"GGUF", "ends early"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 100, "JPEG"),
        (gguf_bytes(llama_metadata(), llama_tensors(), order=">"), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "version 9"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "keys"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1 << 60), "ends early"),
        (
            gguf_bytes({"a": ["x"]}, llama_tensors()).replace(struct.pack("<IIQ", 9, 8, 1), struct.pack("<IIQ", 9, 8, 1 << 50)),
            "strings",
        ),
        (gguf_bytes(llama_metadata(), []), "no tensors"),
        (gguf_bytes({"general.file_type": 1}, llama_tensors()), "architecture"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "web page"),
    ],
)
def test_bad_files_are_one_line_errors(tmp_path: Path, data: bytes, because: str) -> None:
    path = tmp_path / "bad file.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelFileError) as caught:
        read_model(str(path))
    assert str(path) in caught.value.message and because in caught.value.message
    assert "\n" not in caught.value.message and caught.value.hints
