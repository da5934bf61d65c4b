"""Conversion keeps what a model computes and how it reads text, and refuses what it cannot keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recommender.domain.errors import ModelFileError, Unsupported, WrongOutput
from recommender.executors.llama_cpp.architectures import architecture_of, rotary_of
from recommender.executors.llama_cpp.checkpoint import open_checkpoint
from recommender.executors.llama_cpp.convert import PREPARER, cast
from recommender.executors.llama_cpp.vocabulary import PRE_TOKENIZERS, read_sentencepiece, read_vocabulary
from recommender.ports import PrepareJob
from tests.executors.llama_cpp.conftest import Step

MODELS = {
    "gemma": "gemma", "gemma2": "gemma2", "gemma3": "gemma3", "llama": "llama", "llama-linear": "llama", "llama-llama3": "llama", "mistral": "llama", "phi3": "phi3",
    "phi3-longrope": "phi3", "qwen2": "qwen2", "qwen2-bf16": "qwen2", "qwen2-yarn": "qwen2", "qwen3": "qwen3",
}  # fmt: skip
SENTENCE_PIECES = {"byte-fallback": "llama", "sentencepiece-bpe": "llama", "sentencepiece-unigram": "t5"}


@pytest.fixture(scope="session")
def parity(made: Path, inside: Step, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = inside("parity", models=str(made / "models"), out=str(tmp_path_factory.mktemp("converted")))
    assert found.keys() == MODELS.keys()
    return found


@pytest.fixture(scope="session")
def read(made: Path, inside: Step, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    arguments = {"folder": str(made / "tokenizers"), "model": str(made / "models" / "llama"), "out": str(tmp_path_factory.mktemp("read"))}
    found: dict[str, Any] = inside("tokenizers", **arguments)
    assert found.keys() == {*PRE_TOKENIZERS.values(), *SENTENCE_PIECES}
    return found


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_those_of_the_source(name: str, parity: dict[str, Any]) -> None:
    assert 0 <= parity[name]["kl"] < 1e-5
    assert parity[name]["top1"] == 1.0
    assert parity[name]["facts"]["architecture"] == MODELS[name]


def test_facts_say_what_was_met(parity: dict[str, Any]) -> None:
    assert parity["qwen2-yarn"]["facts"]["rotary_scaling"] == "yarn"
    assert parity["mistral"]["facts"]["sliding_window_ignored"] == 4096
    assert parity["qwen2"]["facts"]["sliding_window_ignored"] is None
    assert parity["llama"]["facts"]["tensor_types"].keys() == {"F32"}


def test_precision_is_the_schemes_or_else_as_stored(made: Path, inside: Step, tmp_path: Path) -> None:
    found = inside("precisions", model=str(made / "models" / "qwen2-bf16"), out=str(tmp_path))
    assert found["Q4_K_M"]["types"].keys() == {"BF16", "F32"}
    assert found["Q4_K_M"]["kl"] == found["BF16"]["kl"]
    for key, most in (("F32", 1e-9), ("F16", 1e-4), ("BF16", 1e-3)):
        assert max(found[key]["types"], key=found[key]["types"].get) == key
        assert found[key]["kl"] < most


@pytest.mark.parametrize("name", [*PRE_TOKENIZERS.values(), *SENTENCE_PIECES])
def test_text_becomes_the_same_tokens(name: str, read: dict[str, Any]) -> None:
    found = read[name]
    assert found["ids"] == found["expected"]
    assert found["facts"]["tokenizer"] == SENTENCE_PIECES.get(name, "gpt2")
    assert found["facts"]["pre_tokenizer"] == ("default" if name in SENTENCE_PIECES else name)
    if name != "sentencepiece-unigram":  # which normalizes, and loses what it does not know
        assert found["again"] == found["texts"]


# --- refusals, in this process: no framework is imported ---------------------------------------------------------------


def config(**changes: Any) -> dict[str, Any]:
    return {"architectures": ["LlamaForCausalLM"], "hidden_act": "silu", **changes}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architectures": ["MambaForCausalLM"]}, "MambaForCausalLM"),
        ({"architectures": None}, "none named"),
        ({"hidden_act": "relu"}, "relu"),
        ({"architectures": ["GemmaForCausalLM"]}, "GELU"),
    ],
)
def test_unknown_architectures_are_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        architecture_of(config(**changes))


def test_rotary_settings_are_read_in_every_spelling() -> None:
    old = rotary_of({"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2.0}})
    new = rotary_of({"rope_parameters": {"rope_theta": 5e5, "rope_type": "linear", "factor": 2.0}})
    assert (old.theta, old.kind) == (new.theta, new.kind) == (5e5, "linear")
    by_layer = rotary_of({"rope_parameters": {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}})
    before = rotary_of({"rope_theta": 1e6, "rope_local_base_freq": 1e4, "rope_scaling": None})
    assert (by_layer.theta, by_layer.local_theta, by_layer.kind) == (before.theta, before.local_theta, before.kind) == (1e6, 1e4, "default")


@pytest.fixture
def model(made: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in (made / "models" / "llama").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), "utf-8")


def prepare(model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    PREPARER.prepare(PrepareJob(source=model, out=tmp_path / "out", scheme={"key": "F16"}), lambda line: None)


def test_a_truncated_file_is_named(model: Path, tmp_path: Path) -> None:
    part = sorted(model.glob("*.safetensors"))[1]
    part.write_bytes(part.read_bytes()[:-1000])
    with pytest.raises(ModelFileError, match=f"{part.name}.*truncated"):
        prepare(model, tmp_path)
    part.write_bytes(b"not what it says")
    with pytest.raises(ModelFileError, match=part.name):
        open_checkpoint(model)


def test_a_missing_part_is_named(model: Path) -> None:
    part = sorted(model.glob("*.safetensors"))[1]
    part.unlink()
    with pytest.raises(ModelFileError, match=part.name):
        open_checkpoint(model)


def test_what_is_no_model_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="config.json"):
        open_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config()), "utf-8")
    with pytest.raises(ModelFileError, match="safetensors"):
        open_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config(quantization_config={"quant_method": "gptq"})), "utf-8")
    with pytest.raises(Unsupported, match="gptq"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"num_hidden_layers": 3}, ModelFileError, "incomplete.*blk.2"),
        ({"rms_norm_eps": None}, ModelFileError, "rms_norm_eps"),
        ({"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}, Unsupported, "dynamic"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0, "beta_fast": 8}}, Unsupported, "beta_fast"),
        ({"architectures": ["Phi3ForCausalLM"]}, Unsupported, "tensor .*_proj.*phi3"),
        ({"vocab_size": 100}, ModelFileError, "100 rows"),
    ],
)
def test_variants_that_would_be_computed_wrongly_are_refused(changes: dict[str, Any], error: type[Exception], words: str, model: Path, tmp_path: Path) -> None:
    change(model / "config.json", **changes)
    with pytest.raises(error, match=words):
        prepare(model, tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pre_tokenizer": {"type": "Whitespace"}}, "Whitespace"),
        ({"normalizer": {"type": "Lowercase"}}, "Lowercase"),
        ({"model": {"type": "WordPiece"}}, "WordPiece"),
    ],
)
def test_tokenizers_that_would_be_read_wrongly_are_refused(changes: dict[str, Any], words: str, model: Path) -> None:
    change(model / "tokenizer.json", **changes)
    with pytest.raises(Unsupported, match=words):
        read_vocabulary(model, 512)


def test_no_tokenizer_and_a_broken_one_are_refused(model: Path) -> None:
    (model / "tokenizer.json").unlink()
    with pytest.raises(ModelFileError, match="neither"):
        read_vocabulary(model, 512)
    with pytest.raises(ModelFileError, match="SentencePiece"):
        read_sentencepiece(b"\xff" * 40)


def test_a_number_too_large_for_half_precision_is_not_made_infinite() -> None:
    import numpy as np

    with pytest.raises(WrongOutput, match="`w`"):
        cast(np.array([1.0, 1e6], np.float32), "F32", "F16", "w")
