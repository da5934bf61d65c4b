from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import pytest

from recommender.domain.errors import ModelFileError
from recommender.intake.model_files import read_model
from recommender.intake.models.hf_config import Config, dimensions, task_of
from recommender.intake.models.huggingface import describe
from tests.model_files import DECODER_CONFIG, decoder_tensors, safetensors_bytes, write_hf_folder

N_PARAMS = sum(math.prod(shape) for _, shape in decoder_tensors(DECODER_CONFIG).values())


def test_folder_with_exact_count(tmp_path: Path) -> None:
    spec = read_model(str(write_hf_folder(tmp_path / "my-model")))
    assert (spec.key, spec.architecture, spec.family, spec.task) == ("my-model", "llama", "llama", "text-generation")
    assert spec.n_params == N_PARAMS and spec.n_embedding_params == 6400 and spec.tied_embeddings is False
    assert (spec.n_layers, spec.n_heads, spec.n_kv_heads, spec.head_dim, spec.context_length) == (3, 4, 2, 16, 4096)
    artifact = spec.artifact
    assert artifact is not None and (artifact.format, artifact.scheme, artifact.bits_per_weight) == ("safetensors", "BF16", 16.0)
    assert artifact.is_quantized is False and artifact.size == (tmp_path / "my-model" / "model.safetensors").stat().st_size


def test_count_from_config_agrees_with_headers() -> None:
    spec = describe(DECODER_CONFIG, None, key="k", path="p")
    assert spec.n_params == N_PARAMS and "computed" in spec.note


@pytest.mark.parametrize(
    ("config", "millions"),
    [  # published dimensions and their published totals
        (
            {
                "model_type": "llama",
                "hidden_size": 2048,
                "intermediate_size": 8192,
                "num_hidden_layers": 16,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "head_dim": 64,
                "vocab_size": 128256,
                "tie_word_embeddings": True,
                "architectures": ["LlamaForCausalLM"],
            },
            1236,
        ),
        (
            {
                "model_type": "qwen3_moe",
                "hidden_size": 2048,
                "intermediate_size": 6144,
                "moe_intermediate_size": 768,
                "num_hidden_layers": 48,
                "num_attention_heads": 32,
                "num_key_value_heads": 4,
                "head_dim": 128,
                "vocab_size": 151936,
                "tie_word_embeddings": False,
                "num_experts": 128,
                "num_experts_per_tok": 8,
                "architectures": ["Qwen3MoeForCausalLM"],
            },
            30532,
        ),
        (
            {
                "model_type": "bert",
                "hidden_size": 768,
                "intermediate_size": 3072,
                "num_hidden_layers": 12,
                "num_attention_heads": 12,
                "vocab_size": 30522,
                "max_position_embeddings": 512,
                "type_vocab_size": 2,
                "architectures": ["BertModel"],
            },
            109.5,
        ),
    ],
)
def test_count_from_config_of_known_models(config, millions) -> None:
    n_params = describe(config, None, key="k", path="p").n_params
    assert n_params is not None and n_params / 1e6 == pytest.approx(millions, rel=0.003)


def test_active_params_of_a_known_mixture() -> None:
    config = {
        "model_type": "qwen3_moe",
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "moe_intermediate_size": 768,
        "num_hidden_layers": 48,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "vocab_size": 151936,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "architectures": ["Qwen3MoeForCausalLM"],
    }
    spec = describe(config, None, key="k", path="p")
    assert spec.n_active_params is not None and spec.n_active_params / 1e9 == pytest.approx(3.35, abs=0.05)
    assert spec.architecture == "qwen3moe" and (spec.n_experts, spec.n_experts_used, spec.expert_ffn_size) == (128, 8, 768)


@pytest.mark.parametrize(
    ("raw", "kind", "window", "n_global"),
    [
        (
            {"model_type": "mistral", "sliding_window": 4096, "num_hidden_layers": 32, "max_position_embeddings": 32768},
            "sliding",
            4096,
            0,
        ),
        (
            {"model_type": "qwen2", "sliding_window": 4096, "use_sliding_window": False, "num_hidden_layers": 4},
            "full",
            None,
            None,
        ),
        (
            {"model_type": "gemma3_text", "sliding_window": 512, "sliding_window_pattern": 6, "num_hidden_layers": 26},
            "sliding",
            512,
            4,
        ),
        (
            {
                "model_type": "gpt_oss",
                "sliding_window": 128,
                "num_hidden_layers": 4,
                "layer_types": ["sliding_attention", "full_attention"] * 2,
            },
            "sliding",
            128,
            2,
        ),
        (
            {"model_type": "deepseek_v2", "kv_lora_rank": 512, "qk_rope_head_dim": 64, "num_hidden_layers": 27},
            "latent",
            None,
            None,
        ),
        (
            {"model_type": "gemma3", "vision_config": {}, "text_config": {"sliding_window": 1024, "num_hidden_layers": 34}},
            "sliding",
            1024,
            5,
        ),
        ({"model_type": "mamba", "num_hidden_layers": 4}, "none", None, None),
    ],
)
def test_attention(raw, kind, window, n_global) -> None:
    attention = dimensions(Config(raw))["attention"]
    assert (attention.kind, attention.window, attention.n_global_layers) == (kind, window, n_global)


def test_hybrid_layers_without_cache() -> None:
    raw = {"model_type": "lfm2", "num_hidden_layers": 4, "layer_types": ["conv", "conv", "full_attention", "conv"]}
    assert dimensions(Config(raw))["attention"].n_kv_layers == 1


@pytest.mark.parametrize(
    ("raw", "experts"),
    [
        ({"model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2, "intermediate_size": 14336}, (8, 2, 14336)),
        (
            {"model_type": "deepseek_v3", "n_routed_experts": 256, "num_experts_per_tok": 8, "moe_intermediate_size": 2048},
            (256, 8, 2048),
        ),
        ({"model_type": "gpt_oss", "num_local_experts": 32, "experts_per_token": 4, "intermediate_size": 2880}, (32, 4, 2880)),
        (
            {
                "model_type": "llama4",
                "text_config": {"num_local_experts": 16, "num_experts_per_tok": 1, "intermediate_size": 8192},
            },
            (16, 1, 8192),
        ),
        ({"model_type": "olmoe", "num_experts": 64, "num_experts_per_tok": 8, "intermediate_size": 1024}, (64, 8, 1024)),
        ({"model_type": "llama"}, (None, None, None)),
    ],
)
def test_expert_keys_of_each_family(raw, experts) -> None:
    found = dimensions(Config(raw))
    assert (found["n_experts"], found["n_experts_used"], found["expert_ffn_size"]) == experts


@pytest.mark.parametrize(
    ("raw", "task"),
    [
        ({"model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"]}, "speech-recognition"),
        (
            {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "vision_config": {}},
            "image-text-to-text",
        ),
        ({"model_type": "vit", "architectures": ["ViTForImageClassification"]}, "image-classification"),
        ({"model_type": "clip", "architectures": ["CLIPModel"], "vision_config": {}, "text_config": {}}, "image-text-embedding"),
        ({"model_type": "bert", "architectures": ["BertForSequenceClassification"]}, "text-classification"),
        ({"model_type": "bert", "architectures": ["BertModel"]}, "embedding"),
        ({"model_type": "detr", "architectures": ["DetrForObjectDetection"]}, "object-detection"),
        ({"model_type": "wav2vec2", "architectures": ["Wav2Vec2ForCTC"]}, "speech-recognition"),
    ],
)
def test_task(raw, task) -> None:
    assert task_of(Config(raw)) == task


def packed(name: str, dtype: str, shape: tuple[int, ...], **side: tuple[str, tuple[int, ...]]):
    stem = name.rsplit(".", 1)[0]
    return {name: (dtype, shape), **{f"{stem}.{key}": value for key, value in side.items()}}


@pytest.mark.parametrize(
    ("tensors", "config", "n_params", "scheme", "format_"),
    [
        (
            packed("l.qweight", "I32", (8, 128), scales=("F16", (1, 128)), qzeros=("I32", (1, 16)), g_idx=("I32", (64,))),
            {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}},
            64 * 128,
            "int4-weights-g128",
            "safetensors",
        ),
        (
            packed("l.qweight", "I32", (64, 16), scales=("F16", (1, 128)), qzeros=("I32", (1, 16))),
            {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 64}},
            64 * 128,
            "int4-weights-g64",
            "safetensors",
        ),
        (
            packed("l.weight", "U32", (16, 8), scales=("F16", (16, 1)), biases=("F16", (16, 1))),
            {"quantization": {"bits": 4, "group_size": 64}},
            16 * 64,
            "int4-mlx-g64",
            "mlx",
        ),
        (
            packed("l.weight", "U32", (16, 12), scales=("F16", (16, 2)), biases=("F16", (16, 2))),
            {"quantization": {"bits": 3, "group_size": 64}},
            16 * 128,
            "int3-mlx-g64",
            "mlx",
        ),
        (
            {"l.weight": ("U8", (512, 1)), "l.weight.absmax": ("F32", (16,)), "l.weight.quant_map": ("F32", (16,))},
            {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}},
            1024,
            "NF4",
            "safetensors",
        ),
        (
            {"l.weight": ("F8_E4M3", (16, 16)), "l.weight_scale": ("F32", (1,))},
            {"quantization_config": {"quant_method": "fp8"}},
            256,
            "fp8",
            "safetensors",
        ),
    ],
)
def test_packed_weights_are_counted_as_weights(tmp_path: Path, tensors, config, n_params, scheme, format_) -> None:
    spec = read_model(str(write_hf_folder(tmp_path / "q", {**DECODER_CONFIG, **config}, tensors)))
    assert spec.n_params == n_params and spec.artifact is not None
    assert (spec.artifact.scheme, spec.artifact.is_quantized, spec.artifact.format) == (scheme, True, format_)


def test_indexed_files(tmp_path: Path) -> None:
    folder = write_hf_folder(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    tensors = list(decoder_tensors(DECODER_CONFIG).items())
    parts = {"model-00001-of-00002.safetensors": dict(tensors[:4]), "model-00002-of-00002.safetensors": dict(tensors[4:])}
    for name, part in parts.items():
        (folder / name).write_bytes(safetensors_bytes(part))
    index = {"weight_map": {key: name for name, part in parts.items() for key in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert read_model(str(folder)).n_params == N_PARAMS
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelFileError, match="model-00002-of-00002"):
        read_model(str(folder))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../../etc/passwd"}}))
    with pytest.raises(ModelFileError, match="outside its folder"):
        read_model(str(folder))


def test_pickles_are_described_from_the_configuration_and_never_opened(tmp_path: Path) -> None:
    folder = write_hf_folder(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    marker = tmp_path / "executed"
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR.")
    spec = read_model(str(folder))
    assert spec.n_params == N_PARAMS and "pytorch_model.bin is a Python pickle and was not opened" in spec.note
    with pytest.raises(ModelFileError, match="execute code") as caught:
        read_model(str(folder / "pytorch_model.bin"))
    assert "pytorch_model.bin" in caught.value.message and caught.value.hints and not marker.exists()


def header(value: object) -> bytes:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return struct.pack("<Q", len(text)) + text


TENSOR = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}


@pytest.mark.parametrize(
    ("data", "because"),
    [
        (b"", "empty"),
        (struct.pack("<Q", 1 << 60) + b"{}", "header claims"),
        (struct.pack("<Q", 50_000_000) + b"{}", "ends early"),
        (header(b"[" * 3_000_000), "nested too deeply"),
        (header(b"{nope"), "not valid JSON"),
        (header([1]), "no JSON object"),
        (header({"a": TENSOR}) + b"\0" * 10, "6 bytes missing"),
        (header({"a": TENSOR, "b": {**TENSOR, "data_offsets": [8, 24]}}) + b"\0" * 24, "overlap"),
        (header({"a": {**TENSOR, "shape": [5]}}) + b"\0" * 16, "does not fit"),
        (header({"a": {**TENSOR, "shape": [-4]}}) + b"\0" * 16, "negative"),
        (header({"a": {**TENSOR, "shape": [1 << 61, 8]}}) + b"\0" * 16, "impossible shape"),
        (header({"a": {**TENSOR, "data_offsets": [16, 0]}}) + b"\0" * 16, "before its start"),
        (header({"a": {"dtype": "F32"}}), "wrongly"),
        (b"\x80\x02}q\x00." + b"\0" * 50, "pickle"),
    ],
)
def test_bad_safetensors(tmp_path: Path, data: bytes, because: str) -> None:
    folder = write_hf_folder(tmp_path / "m")
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(ModelFileError) as caught:
        read_model(str(folder))
    assert str(folder) in caught.value.message and because in caught.value.message and caught.value.hints


@pytest.mark.parametrize(
    ("text", "because"),
    [
        (b"[" * 3_000_000, "nested too deeply"),
        (b'{"a":' * 600_000, "nested too deeply"),
        (b"[]", "JSON object"),
        (b"{}", "describes no model"),
        (b"\xff\xfe\x00", "JSON"),
    ],
)
def test_bad_configuration(tmp_path: Path, text: bytes, because: str) -> None:
    folder = write_hf_folder(tmp_path / "m")
    (folder / "config.json").write_bytes(text)
    with pytest.raises(ModelFileError, match=because):
        read_model(str(folder))


@pytest.mark.parametrize("value", ["abc", -1, 1e300, None, True, [], {}, 1 << 70])
def test_senseless_dimensions_are_unknown(tmp_path: Path, value: object) -> None:
    config = {**DECODER_CONFIG, "hidden_size": value, "num_hidden_layers": value, "sliding_window": value, "layer_types": value}
    spec = read_model(str(write_hf_folder(tmp_path / "m", config, decoder_tensors(DECODER_CONFIG))))
    assert spec.hidden_size is None and spec.n_layers is None and spec.n_params == N_PARAMS
