"""A trained language model from its Hugging Face folder through export and compression to generation, against what transformers makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recommender.executors import registry
from tests.executors.openvino.conftest import Made
from tests.executors.openvino.in_child import ask

pytest.importorskip("openvino_genai")
pytest.importorskip("nncf")
N_LAYERS = 29  # matrices of the model: 4 x (4 of attention, 3 of the feed-forward), and the embedding that is the output too


@pytest.fixture(scope="session")
def sessions(exports: dict[str, Any], llamas: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Generation and logits by artifact and options."""
    folder = tmp_path_factory.mktemp("languages")
    plain = {"precision": "f32"}
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        name: (llamas[name]["artifact"], plain) for name in ("fp16", "int8", "int4", "int4-r0.8", "int4-sym", "int4-channel", "gptq")
    }
    asked |= {
        "F32": (exports["made"]["F32"]["artifact"], plain), "awq": (exports["made"]["int4"]["artifact"], plain),
        "NF4": (llamas["NF4"]["artifact"], {}), "default": (llamas["fp16"]["artifact"], {}), "int4 default": (llamas["int4"]["artifact"], {}),
        "steps": (llamas["int4"]["artifact"], {**plain, "micro_batch": 16, "n_threads": 1}),
        "set apart": (llamas["int4"]["artifact"], {"kv_cache_type": "f16", "dynamic_quantization_group_size": 64}),
        "gpu": (llamas["int4"]["artifact"], {"execution_provider": "openvino-gpu"}), "cache": (llamas["int4"]["artifact"], {"kv_cache_type": "q9"}),
        "encoder": (exports["made"]["encoder"]["artifact"], {}), "no model": (str(folder), {}),
    }
    return dict(zip(asked, ask("languages", folder / "job", asked=list(asked.values()), text=exports["text"], logits=exports["logits"]), strict=True))


def generators(sessions: Made) -> Made:
    return {name: row for name, row in sessions.items() if "facts" in row}


def test_exports_hold_what_genai_needs(exports: dict[str, Any]) -> None:
    made = exports["made"]
    for name in ("F32", "fp16", "int4"):
        assert {"openvino_model.xml", "openvino_tokenizer.xml", "openvino_detokenizer.xml", "config.json"} <= made[name]["files"].keys()
        assert made[name]["facts"]["task"] == "text-generation-with-past"
        assert made[name]["facts"]["optimum_intel_version"]
    size = {name: made[name]["files"]["openvino_model.bin"] for name in ("F32", "fp16", "int4")}
    assert size["fp16"] == pytest.approx(size["F32"] / 2, rel=0.02) and size["int4"] < 0.35 * size["fp16"]
    assert made["int4"]["facts"]["methods"] == ["awq", "scale_estimation"] and made["int4"]["facts"]["n_samples"] == 8
    assert (made["encoder"]["facts"]["task"], made["encoder"]["facts"]["layers"]) == ("feature-extraction", {})
    assert {path.name for path in Path(made["int4"]["artifact"]).iterdir() if path.is_dir()} == set()  # nothing of the way is left


@pytest.mark.parametrize(("name", "words"), [("unknown", "Zorp"), ("no folder", "config.json"), ("Q4_0", "Q4_0")])
def test_what_cannot_be_exported_is_named(name: str, words: str, exports: dict[str, Any]) -> None:
    assert exports["made"][name]["kind"] == "unsupported"
    assert words in exports["made"][name]["message"]


@pytest.mark.parametrize(("name", "layers", "share"), [
    ("int8", {"int8": N_LAYERS}, 0.51), ("int4", {"int4": N_LAYERS - 1, "int8": 1}, 0.32), ("int4-sym", {"int4": N_LAYERS - 1, "int8": 1}, 0.31),
    ("int4-channel", {"int4": N_LAYERS - 1, "int8": 1}, 0.30), ("NF4", {"nf4": N_LAYERS - 1, "int8": 1}, 0.31),
    ("gptq", {"int4": N_LAYERS - 1, "int8": 1}, 0.32), ("awq without data", {"int4": N_LAYERS - 1, "int8": 1}, 0.32),
])
def test_compression_of_a_language_model(name: str, layers: dict[str, int], share: float, llamas: Made) -> None:
    assert llamas[name]["facts"]["layers"] == layers
    files = llamas[name]["files"]
    assert files["openvino_model.bin"] == pytest.approx(share * llamas["fp16"]["files"]["openvino_model.bin"], rel=0.03)
    assert {name for name in files if "model" not in name} == {name for name in llamas["fp16"]["files"] if "model" not in name}


def test_a_ratio_leaves_some_layers_in_8_bit(llamas: Made) -> None:
    """The ratio is of the weights that could be in 4 bit, by their number of elements."""
    layers = llamas["int4-r0.8"]["facts"]["layers"]
    assert sum(layers.values()) == N_LAYERS and 1 < layers["int8"] < layers["int4"]
    elements = {name: llamas[name]["facts"]["element_types"]["u4"] for name in ("int4", "int4-r0.8")}
    assert 0.7 < elements["int4-r0.8"] / elements["int4"] <= 0.8  # whole layers, as many as fit


def test_what_compression_refuses(llamas: Made) -> None:
    assert {llamas[name]["kind"] for name in ("gptq without data", "group of 100")} == {"unsupported"}
    assert "calibration" in llamas["gptq without data"]["message"] and "100" in llamas["group of 100"]["message"]
    assert llamas["F32"]["kind"] == "wrong-output"
    assert llamas["adjusted"]["facts"]["layers"]["int4"] == N_LAYERS - 1


def test_generation_is_exact_greedy_and_forgets(sessions: Made, exports: dict[str, Any]) -> None:
    for name, row in generators(sessions).items():
        assert row["ids"] == exports["ids"], name
        assert len(row["first"]) == row["n_calls"] == 24, name
        assert row["again"] == row["first"], name
        assert row["text"], name
    assert sessions["steps"]["first"] == sessions["int4"]["first"]


def test_logits_are_those_of_transformers(sessions: Made, exports: dict[str, Any]) -> None:
    for name, row in generators(sessions).items():
        assert (row["shape"], row["dtype"], row["n_vocab"]) == ([len(exports["ids"]), 2048], "float32", 2048), name
        assert row["repeats"], name
        assert row["nll"] < 6.5, name  # the untrained guess is ln 2048 = 7.6
        if "precision" in row["facts"]["asked"] or row["facts"]["precision"] == "f32":
            assert row["as_logits_say"] == 1.0, name
    assert sessions["F32"]["kl"] < 1e-6
    assert sessions["F32"]["kl"] < sessions["fp16"]["kl"] + 1e-7 and sessions["fp16"]["kl"] < 1e-4
    assert sessions["default"]["kl"] < 5e-4
    assert sessions["fp16"]["kl"] < sessions["int8"]["kl"] < 5e-4
    for name in ("int4", "int4-r0.8", "int4-sym", "int4-channel", "gptq", "awq", "NF4", "int4 default"):
        assert sessions["int8"]["kl"] < sessions[name]["kl"] < 0.05 and sessions[name]["top1"] > 0.8, name
    assert sessions["int4-r0.8"]["kl"] < 1.1 * sessions["int4"]["kl"]


def test_precision_of_activations_and_cache_is_recorded(sessions: Made) -> None:
    facts = {name: row["facts"] for name, row in generators(sessions).items()}
    names = ("precision", "kv_cache_precision", "dynamic_quantization_group_size")
    assert [facts["int4"][name] for name in names] == ["f32", "f32", 0]
    assert [facts["set apart"][name] for name in names[1:]] == ["f16", 64]
    assert facts["default"]["kv_cache_precision"] == "f16"  # the exporter's mark on 16-bit models, which compressed ones do not carry
    assert facts["int4 default"]["kv_cache_precision"] != "f16"
    for row in facts.values():
        assert [row["logits"][name] for name in names] == [row[name] for name in names]  # the same settings, read back from the real graph
        assert (row["attention_backend"], row["prefix_caching"]) == ("paged", False)
    assert facts["steps"]["n_threads"] == facts["steps"]["logits"]["n_threads"] == 1


@pytest.mark.parametrize(("name", "words"), [("gpu", "CPU"), ("cache", "q9"), ("encoder", "logits"), ("no model", "openvino_model.xml")])
def test_what_cannot_be_opened_says_so(name: str, words: str, sessions: Made) -> None:
    if name == "gpu" and "facts" in sessions[name]:
        pytest.skip("there is a GPU")
    assert sessions[name]["kind"] == "unsupported"
    assert words in sessions[name]["message"]


def test_a_prompt_that_comes_again_is_computed_again(llamas: Made, tiny_llama: Any, tmp_path: Path) -> None:
    told = ask("prefill_work", tmp_path, artifact=llamas["fp16"]["artifact"], text=tiny_llama.test.read_text("utf-8"))
    assert told["ours"] > 0.6
    assert told["shipped"] < 0.5  # as it comes, the pipeline keeps earlier prompts: the measure would show it


def test_it_is_registered() -> None:
    found = registry.runner("openvino-genai").availability()
    assert found.ok and found.version
