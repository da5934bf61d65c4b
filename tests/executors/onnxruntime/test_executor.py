"""Running graphs with ONNX Runtime: what a session says of itself is what it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.domain.errors import Unsupported
from recommender.executors.onnxruntime.execution_provider import PROVIDERS, key_of, offered_name
from tests.executors.onnxruntime.in_child import answer

pytest.importorskip("onnxruntime")
CPU = "CPUExecutionProvider"
OPTIONS = [{"n_threads": 1}, {"n_threads": 3, "spin": "passive"}, {"n_threads": 1, "graph_optimization": "none"}, {"n_threads": 1, "graph_optimization": "basic"}]


@pytest.fixture(scope="session")
def sessions(cnn: Any, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer("run_facts", tmp_path_factory.mktemp("sessions"), artifact=str(cnn.model), test=str(cnn.test), options=OPTIONS)
    return found


def test_answers_repeat_and_do_not_depend_on_the_options(sessions: list[dict[str, Any]]) -> None:
    assert all(session["outputs"][0] == session["outputs"][1] for session in sessions)
    values = [np.asarray(session["outputs"][0]["scores"]) for session in sessions]
    assert all(np.allclose(value, values[0], rtol=1e-3, atol=1e-3) for value in values)


def test_threads_spinning_and_optimization_are_what_was_asked(sessions: list[dict[str, Any]]) -> None:
    one, three, none, basic = sessions
    assert three["threads"] - none["threads"] == 2  # the caller is one of them
    assert [session["facts"]["n_threads"] for session in sessions] == [1, 3, 1, 1]
    assert three["spinning"] == "0" and (one["facts"]["spin"], three["facts"]["spin"]) == ("shipped", "passive")
    assert [session["level"].rpartition(".")[2] for session in (one, none, basic)] == ["ORT_ENABLE_ALL", "ORT_DISABLE_ALL", "ORT_ENABLE_BASIC"]


def test_facts_say_where_it_runs(sessions: list[dict[str, Any]]) -> None:
    facts = sessions[2]["facts"]  # without optimization the graph is as it is stored
    assert facts["execution_provider"] == "cpu" and facts["providers"] == [CPU]
    assert facts["operators"]["Conv"] == 9 and facts["placement"] == {"cpu": sum(facts["operators"].values())}
    assert facts["framework_version"] and "Build" in facts["build"] and facts["left_out"] == []


def test_inputs_are_described(cnn: Any, classic: Any, tmp_path: Path) -> None:
    told = [answer("described", tmp_path / name, artifact=str(file)) for name, file in (("cnn", cnn.model), ("mlp", classic.folder / "mlp.onnx"))]
    assert told == [[["image", "float32", [1, 1, 32, 32]]], [["X", "float32", [None, 64]]]]


def test_streams_run_at_the_same_time(cnn: Any, tmp_path: Path) -> None:
    assert answer("at_once", tmp_path, artifact=str(cnn.model), test=str(cnn.test), streams=4, n=12) == 12


def test_what_is_no_number_passes(cnn: Any, tmp_path: Path) -> None:
    spoiled = answer("spoil", tmp_path / "spoil", source=str(cnn.model), out=str(tmp_path / "spoiled.onnx"))
    (values,) = answer("predictions", tmp_path / "run", artifacts=[spoiled], test=str(cnn.test), limit=2)
    assert np.isnan(np.asarray(values)).any()


def test_what_cannot_be_opened_is_named(cnn: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model at all")
    (tmp_path / "none").mkdir()
    model = str(cnn.model)
    orders = [
        (model, {"execution_provider": "cuda"}), (model, {"execution_provider": "metal"}), (model, {"graph_optimization": "much"}),
        (str(tmp_path / "broken.onnx"), {}), (str(tmp_path / "none"), {}), (str(cnn.model.parent), {}),
    ]
    *failures, folder = answer("open_all", tmp_path / "open", runner="executor:RUNNER", orders=orders)
    assert {failure["kind"] for failure in failures} == {"unsupported"}
    for failure, word in zip(failures, ("it offers cpu", "`metal`", "`much`", "broken.onnx", "0 ONNX files"), strict=True):
        assert word in failure["message"]
    assert folder["facts"]["placement"]  # a folder with one graph is an artifact too


def test_providers_go_by_our_keys() -> None:
    assert set(PROVIDERS) >= {"cpu", "cuda", "dml", "coreml", "openvino-gpu", "openvino-npu", "rocm", "tensorrt", "xnnpack", "webgpu", "vitisai"}
    assert offered_name("rocm", ["ROCMExecutionProvider", CPU], "1.20") == "ROCMExecutionProvider"
    assert key_of("OpenVINOExecutionProvider", "openvino-npu") == "openvino-npu" and key_of(CPU, "openvino-npu") == "cpu"
    assert key_of("SomeExecutionProvider", "cpu") == "SomeExecutionProvider"
    with pytest.raises(Unsupported, match="it offers cpu, rocm$"):
        offered_name("cuda", ["AzureExecutionProvider", "MIGraphXExecutionProvider", CPU], "1.32")
