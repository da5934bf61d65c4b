"""A trained language model through the builder and the generator of onnxruntime-genai."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.domain.errors import Unsupported
from recommender.executors import environment
from recommender.executors.onnxruntime.builder import PREPARER
from recommender.executors.onnxruntime.genai import overlay
from tests.executors.onnxruntime.in_child import answer, ask

pytest.importorskip("onnxruntime_genai")
SCHEMES = {
    "F32": ({"key": "F32"}, {}), "int8": ({"key": "int8-weights"}, {}), "int4": ({"key": "int4-weights-g32", "group_size": 32}, {}),
    "fp16": ({"key": "fp16"}, {}), "NF4": ({"key": "NF4"}, {}), "provider": ({"key": "F32"}, {}), "parameter": ({"key": "F32"}, {"group": 4}),
    "zero points": ({"key": "int4-weights-g32", "group_size": 32}, {"symmetric": False}),
}
N_TOKENS = 24


@pytest.fixture(scope="session")
def built(tiny_llama: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """All schemes, and a model of an architecture that does not exist, in one child of the environment that has the builder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(environment.VARIABLE, str(Path(sys.prefix) / "side-environments"))
        python = environment.make(PREPARER.environment, print)
    folder = tmp_path_factory.mktemp("built")
    strange, empty = folder / "strange", folder / "empty"
    strange.mkdir(), empty.mkdir()
    for file in tiny_llama.model.iterdir():
        (strange / file.name).symlink_to(file)
    (strange / "config.json").unlink()
    config = json.loads((tiny_llama.model / "config.json").read_text("utf-8"))
    (strange / "config.json").write_text(json.dumps({**config, "architectures": ["HydraForCausalLM"]}), "utf-8")
    sources = {**dict.fromkeys(SCHEMES, tiny_llama.model), "strange": strange, "empty": empty}
    orders = []
    for name, source in sources.items():
        scheme, parameters = SCHEMES.get(name, SCHEMES["F32"])
        out = folder / f"out-{name.replace(' ', '-')}"
        orders.append({
            "preparer": "builder:PREPARER", "source": str(source), "out": str(out), "scheme": scheme, "parameters": parameters,
            "execution_provider": "coreml" if name == "provider" else "cpu",
        })
    return dict(zip(sources, answer("prepare_all", folder / "prepare", python, orders=orders), strict=True))


@pytest.fixture(scope="session")
def spoken(built: dict[str, dict[str, Any]], tiny_llama: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    text = tiny_llama.test.read_text("utf-8")[:2000]
    folder = tmp_path_factory.mktemp("spoken")
    told = {}
    for name in ("F32", "int8", "int4"):
        arguments = {"artifact": built[name]["artifact"], "text": text, "prompt": text[:120], "n_tokens": N_TOKENS, "options": {"n_threads": 2, "spin": "passive"}}
        told[name] = answer("language", folder / name, **arguments)
        logits = np.load(told[name]["logits"]).astype(np.float64)
        told[name]["logprobs"] = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    return told


# --- the builder -------------------------------------------------------------------------------------------------------


def test_folders_shrink_by_the_bits_of_their_weights(built: dict[str, dict[str, Any]]) -> None:
    size = {name: built[name]["facts"]["bytes"] for name in ("F32", "int8", "int4")}
    assert 0.2 < size["int4"] / size["F32"] < 0.3 and 0.4 < size["int8"] / size["F32"] < 0.6
    for name in size:
        assert sum(file.stat().st_size for file in Path(built[name]["artifact"]).iterdir() if file.name != "logits.npy") == size[name]


def test_facts_tell_how_it_was_built(built: dict[str, dict[str, Any]]) -> None:
    facts = built["int4"]["facts"]
    assert facts["architecture"] == "LlamaForCausalLM" and (facts["precision"], facts["block_size"], facts["is_symmetric"]) == ("int4", "32", "true")
    assert facts["operators"]["MatMulNBits"] >= 4 * 4 and facts["quantized_weights"] > built["F32"]["facts"]["quantized_weights"] == 0
    assert {"torch", "transformers", "onnxruntime-genai"} < set(facts["versions"])


@pytest.mark.parametrize(
    ("name", "kind", "word"),
    [("strange", "unsupported", "HydraForCausalLM"), ("empty", "unsupported", "no Hugging Face folder"), ("NF4", "unsupported", "`NF4`"),
     ("fp16", "unsupported", "fp16 on `cpu`"), ("provider", "unsupported", "`coreml`"), ("parameter", "unsupported", "group"), ("zero points", "wrong-output", "cannot load")],
)
def test_what_cannot_be_built_is_named(name: str, kind: str, word: str, built: dict[str, dict[str, Any]]) -> None:
    assert built[name]["kind"] == kind and word in built[name]["message"]


def test_nothing_is_left_in_the_folder_but_the_model(built: dict[str, dict[str, Any]]) -> None:
    assert {file.name for file in Path(built["int4"]["artifact"]).iterdir()} - {"logits.npy"} >= {"genai_config.json", "model.onnx", "tokenizer.json"}
    assert not [file for file in Path(built["int4"]["artifact"]).iterdir() if file.is_dir()]


# --- the generator -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["F32", "int8", "int4"])
def test_generation_is_greedy_exact_and_keeps_nothing(name: str, spoken: dict[str, dict[str, Any]]) -> None:
    told = spoken[name]
    assert len(told["first"]) == told["calls"] == N_TOKENS
    assert told["again"] == told["first"]
    assert told["text"]


def test_generation_follows_the_logits(spoken: dict[str, dict[str, Any]]) -> None:
    assert spoken["F32"]["first"] == spoken["F32"]["steps"]  # each token by the logits of all before it


def test_logits_of_every_position(spoken: dict[str, dict[str, Any]]) -> None:
    told = spoken["F32"]
    assert told["shape"] == [len(told["tokens"]), told["n_vocab"]] and told["dtype"] == "float32"
    true = told["logprobs"][np.arange(len(told["tokens"]) - 1), told["tokens"][1:]]
    assert -true.mean() < 0.9 * np.log(told["n_vocab"])  # a trained model knows the text better than chance


@pytest.mark.parametrize(("name", "kl", "top1"), [("int8", 1e-3, 0.97), ("int4", 0.1, 0.8)])
def test_quantized_models_stay_near_the_source(name: str, kl: float, top1: float, spoken: dict[str, dict[str, Any]]) -> None:
    reference, found = spoken["F32"]["logprobs"], spoken[name]["logprobs"]
    divergence = float((np.exp(reference) * (reference - found)).sum(-1).mean())
    assert 0 < divergence < kl  # zero would be a scheme that did nothing
    assert (reference.argmax(-1) == found.argmax(-1)).mean() > top1


def test_the_end_token_is_generated_like_any_other(built: dict[str, dict[str, Any]], spoken: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    told = spoken["F32"]
    first = told["first"]
    later = next(i for i in range(1, N_TOKENS) if first[i] not in first[:i])  # a token that is new there
    for at in (0, later):
        arguments = {"source": built["F32"]["artifact"], "out": str(tmp_path / f"ends-{at}"), "token": first[at], "prompt": told["ids"], "n": N_TOKENS}
        assert answer("end_with", tmp_path / f"child-{at}", **arguments) == {"free": at + 1, "ours": first}


def test_no_special_tokens(built: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    told = answer("add_start_token", tmp_path / "child", source=built["int4"]["artifact"], out=str(tmp_path / "start"))
    assert told["ours"] and told["special"][: len(told["ours"]) + 1] == [*told["token"], *told["ours"]]


def test_threads_and_spinning_reach_the_session(built: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    outcome = ask("open_generator_verbosely", tmp_path, artifact=built["int4"]["artifact"], options={"n_threads": 3, "spin": "passive", "graph_optimization": "basic"})
    assert outcome.ok and outcome.log
    (told,) = (line for line in outcome.log.read_text("utf-8", "replace").splitlines() if "TraceSessionOptions" in line)
    assert "session.intra_op.allow_spinning: 0" in told and "thread_pool_size: 3" in told and "graph_optimization_level:1" in told


def test_facts_of_a_session(built: dict[str, dict[str, Any]], spoken: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    facts = spoken["int4"]["facts"]
    assert facts["execution_provider"] == "cpu" and facts["placement"] == {"cpu": 4} and facts["spin"] == "passive" and facts["n_threads"] == 2
    artifact = built["int4"]["artifact"]
    told = answer("open_all", tmp_path, runner="genai:RUNNER", orders=[(artifact, {"n_threads": n}) for n in (1, 2, 4)])
    workers = [row["facts"]["worker_threads"] for row in told]
    assert workers[2] - workers[1] == 2


def test_what_cannot_be_opened_is_named(built: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    artifact = built["int4"]["artifact"]
    orders = [(artifact, {"execution_provider": "cuda"}), (artifact, {"execution_provider": "vitisai"}), (artifact, {"graph_optimization": "much"}), (str(tmp_path), {})]
    told = answer("open_all", tmp_path / "child", runner="genai:RUNNER", orders=orders)
    assert {row["kind"] for row in told} == {"unsupported"}
    for row, word in zip(told, ("it offers cpu", "`vitisai`", "`much`", "genai_config.json"), strict=True):
        assert word in row["message"]


def test_what_does_not_fit_is_refused(built: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    small, large, nothing = answer("too_long", tmp_path, artifact=built["int4"]["artifact"], context=32)
    assert "32" in small and "context_length" in large and "empty" in nothing


def test_the_overlay_holds_only_what_was_asked() -> None:
    assert overlay({}) == overlay({"spin": "shipped"}) == {"model": {"decoder": {"session_options": {}}}}
    assert overlay({"n_threads": 2})["model"]["decoder"]["session_options"] == {"intra_op_num_threads": 2}
    with pytest.raises(Unsupported, match="`much`"):
        overlay({"graph_optimization": "much"})
