"""Folders for onnxruntime-genai with the shape of a model: they run as they are, weigh what their scheme says, and are the builder's graph."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from recommender.executors import environment
from recommender.executors.decoder import decoder
from recommender.executors.onnxruntime.shape_proxy import PROXY
from tests.executors.proxies import LAYERS, answer, hugging_face, model

pytest.importorskip("onnxruntime_genai")
WRITER, RUNNER = "recommender.executors.onnxruntime.shape_proxy:PROXY", "recommender.executors.onnxruntime.genai:RUNNER"
INT4 = {"key": "int4-weights-g32", "group_size": 32}
ORDERS: dict[str, dict[str, Any]] = {
    "F32": {"model": model("llama"), "scheme": {"key": "F32"}}, "int8": {"model": model("qwen2"), "scheme": {"key": "int8-weights"}},
    "int4": {"model": model(), "scheme": INT4}, "g128": {"model": model("mistral", tied_embeddings=False), "scheme": {"key": "int4-weights-g128", "group_size": 128}},
    "int4 of 3": {"model": model(), "scheme": INT4, "n_layers": 3}, "int4 of 4": {"model": model(), "scheme": INT4, "n_layers": 4},
}
BITS = {"F32": (32, 32, 0), "int8": (9, 9, 32), "int4": (5, 5, 0), "g128": (4.25, 4.25, 32)}  # of a layer's weight, of the output's, of an embedding apart


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("proxies")
    found: dict[str, dict[str, Any]] = answer("write_all", folder / "write", proxy=WRITER, orders=ORDERS, out=str(folder / "made"))
    return found


@pytest.fixture(scope="module")
def sessions(written: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    artifacts = {name: made["artifact"] for name, made in written.items()}
    found: dict[str, dict[str, Any]] = answer("run_all", tmp_path_factory.mktemp("run") / "child", runner=RUNNER, artifacts=artifacts)
    return found


@pytest.mark.parametrize("name", ORDERS)
def test_it_runs_as_the_model_would(name: str, sessions: dict[str, dict[str, Any]]) -> None:
    told = sessions[name]
    assert told["facts"]["placement"] == {"cpu": ORDERS[name].get("n_layers", LAYERS)} and told["is_finite"] and told["spread"] > 0.01
    assert len(told["first"]) == 6 and told["again"] == told["first"] and len(told["ids"]) == len("A text of bytes: é".encode())


@pytest.mark.parametrize("name", BITS)
def test_it_weighs_what_its_scheme_says(name: str, written: dict[str, dict[str, Any]]) -> None:
    layer, output, embedding = BITS[name]
    shape = decoder(ORDERS[name]["model"], n_layers=LAYERS, context=0)
    table = shape.n_vocab * shape.hidden
    layers = shape.n_params - table * (1 if shape.is_tied else 2)
    rotary = 2 * shape.context * shape.head_dim // 2 * 4
    wanted = (layers * layer + table * (output + embedding)) / 8 + rotary
    assert written[name]["sizes"]["model.onnx.data"] == pytest.approx(wanted, rel=0.01)


def test_every_layer_adds_the_same(written: dict[str, dict[str, Any]]) -> None:
    sizes = [written[name]["sizes"]["model.onnx.data"] for name in ("int4", "int4 of 3", "int4 of 4")]
    assert sizes[1] - sizes[0] == sizes[2] - sizes[1] > 0


def test_it_is_the_graph_that_the_builder_makes(written: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(environment.VARIABLE, str(Path(sys.prefix) / "side-environments"))
        python = environment.make("conversion", print)
    source = hugging_face(tmp_path / "source", model())
    preparer = "recommender.executors.onnxruntime.builder:PREPARER"
    built = answer("prepare", tmp_path / "build", python, preparer=preparer, source=str(source), out=str(tmp_path / "built"), scheme=INT4)
    ours, theirs = (answer("onnx_graph", tmp_path / name, artifact=artifact) for name, artifact in (("ours", written["int4"]["artifact"]), ("theirs", built)))
    assert ours["nodes"] == theirs["nodes"]
    assert ours["tensors"] == theirs["tensors"] and ours["ports"] == theirs["ports"]
    assert written["int4"]["sizes"]["model.onnx.data"] == Path(built, "model.onnx.data").stat().st_size


@pytest.mark.parametrize(
    ("fields", "scheme", "words"),
    [
        (model("gemma2"), INT4, "`gemma2`"), (model(), {"key": "fp16"}, "fp16"), (model(ffn_size=528), INT4, "528 (down_proj)"),
        (model(), {"key": "int4-weights-g48", "group_size": 48}, "48"),
    ],
)
def test_what_it_cannot_write_is_refused_with_the_reason(fields: dict[str, Any], scheme: dict[str, Any], words: str) -> None:
    assert PROXY.refusal(model(), INT4) == ""
    assert words in PROXY.refusal(fields, scheme)
