"""The Hexagon NPU's emulator: quantized graphs, where their nodes go, compiled contexts. Correctness and placement only, never speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

from recommender.domain.errors import Unsupported
from recommender.executors.qualcomm import context, executor, plugin

_there = plugin.plugin_availability()
pytestmark = pytest.mark.skipif(not (_there.ok and plugin.is_emulated()), reason=_there.reason or "the emulator exists on x86-64 only")
COMPARE = "tests.executors.qualcomm.on_qnn:compare"
LOOK = "tests.executors.qualcomm.on_qnn:look"
N = 30


@pytest.mark.parametrize(("scheme", "share_of_span"), [("w8a8", 0.05), ("int8-static-a16", 0.02)])
def test_the_emulated_npu_computes_what_the_cpu_does(scheme: str, share_of_span: float, child: Any, quantized: Any, cnn: Any) -> None:
    path = str(Path(quantized(scheme).value["out"], "model.onnx"))
    done = child(COMPARE, artifact=path, reference=path, test=str(cnn.test), options={"performance_mode": "burst"}, n=N)
    assert done.ok, done.message
    told, facts = done.value, done.value["facts"]
    assert told["argmax"] >= 29 / 30 and told["accuracy"] >= 28 / 30
    assert 0 < told["difference"] < share_of_span * told["span"]  # 0 would be the CPU's own kernels
    assert facts["placement"]["cpu"] == 0 and facts["placement_operators"]["qnn-htp"]["Conv"] == 9
    assert facts["emulated"] is True and facts["speed_is_meaningful"] is False and "nothing about a device" in facts["note"]
    assert (facts["execution_provider"], facts["precision"], facts["performance_mode"]) == ("qnn-htp", "qdq", "burst")
    assert told["inputs"] == [["image", "float32", [1, 1, 32, 32]]]


@pytest.mark.parametrize("embed", [False, True])
def test_a_compiled_context_loads_again(embed: bool, child: Any, prepare: Any, quantized: Any, cnn: Any) -> None:
    source = Path(quantized("w8a8").value["out"])
    made = prepare("context", source, htp_arch="v75", embed=embed)
    assert made.ok, made.message
    facts, artifact = made.value["facts"], Path(made.value["out"], made.value["artifact"])
    assert facts["htp_arch"] == 75 and facts["n_contexts"] == 1 and "never loaded" in facts["note"] and facts["placement"]["cpu"] == 0
    assert set(facts["file_sizes"]) == ({"model_ctx.onnx"} if embed else {"model_ctx.onnx", "model_ctx_qnn.bin"})
    assert max(facts["file_sizes"].values()) > 100_000  # the weights are in it
    done = child(COMPARE, artifact=str(artifact), reference=str(source / "model.onnx"), test=str(cnn.test), options={}, n=10)
    assert done.ok, done.message
    assert done.value["argmax"] >= 0.9 and done.value["difference"] < 0.05 * done.value["span"]
    assert done.value["facts"]["placement_operators"] == {"qnn-htp": {"EPContext": 1}, "cpu": {}}
    assert done.value["facts"]["precision"] == "compiled"
    again = prepare("context", artifact)
    assert again.kind == "unsupported" and "compiled already" in again.message


def test_the_second_opening_takes_the_compiled_graph_from_the_cache(child: Any, quantized: Any, tmp_path: Path) -> None:
    options = {"context_binary": True, "cache_dir": str(tmp_path / "cache")}
    first, second = (child(LOOK, artifact=quantized("w8a8").value["out"], options=options) for _ in range(2))
    assert first.ok and second.ok, first.message or second.message
    assert (first.value["is_cache_hit"], second.value["is_cache_hit"]) == (False, True)
    assert first.value["placement"]["qnn-htp"] > 50 and second.value["placement"] == {"qnn-htp": 1, "cpu": 0}
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.fixture(scope="module")
def half(cnn: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CNN with an operator behind it that the NPU does not have."""
    model = onnx.load(cnn.model)
    model.graph.node[-1].output[0] = "inner"
    model.graph.node.append(helper.make_node("Shrink", ["inner"], ["scores"], lambd=0.0, bias=0.0))
    path = tmp_path_factory.mktemp("half") / "half.onnx"
    onnx.save(model, path)
    return path


def test_nodes_on_the_processor_are_a_fallback_that_is_counted(child: Any, prepare: Any, half: Path, cnn: Any) -> None:
    refused = child(LOOK, artifact=str(half), options={})
    assert refused.kind == "fallback" and "1 of " in refused.message and "1 Shrink" in refused.message
    assert prepare("context", half).kind == "fallback"
    done = child(COMPARE, artifact=str(half), reference=str(half), test=str(cnn.test), options={"allow_cpu_fallback": True}, n=2)
    assert done.ok, done.message
    assert done.value["facts"]["placement_operators"]["cpu"] == {"Shrink": 1} and done.value["facts"]["placement"]["qnn-htp"] > 20
    assert done.value["argmax"] == 1


def test_what_cannot_run_is_refused_in_one_line(child: Any, classic: Any, quantized: Any, tmp_path: Path) -> None:
    free = child(LOOK, artifact=str(Path(classic.folder, "mlp.onnx")), options={"allow_cpu_fallback": True})
    assert free.kind == "unsupported" and "has free dimensions" in free.message
    gpu = child(LOOK, artifact=quantized("w8a8").value["out"], options={"execution_provider": "qnn-gpu"})
    assert gpu.kind == "unsupported" and "Adreno" in gpu.message
    (tmp_path / "model.dlc").write_bytes(b"dlc")
    dlc = child(LOOK, artifact=str(tmp_path / "model.dlc"), options={})
    assert dlc.kind == "unsupported" and "model.dlc" in dlc.message


def test_settings_that_the_provider_would_ignore_are_refused() -> None:
    with pytest.raises(Unsupported, match="performance mode `fast`"):
        executor.wanted_of({"performance_mode": "fast"})
    with pytest.raises(Unsupported, match="htp_arch `77`: there are 0, 68"):
        context.settings_of({"htp_arch": 77})
    with pytest.raises(Unsupported, match="soc_model `SM8650`: a number"):
        context.settings_of({"soc_model": "SM8650"})
    assert context.settings_of({"htp_arch": "v81", "optimization": 3}) == {"htp_arch": "81", "htp_graph_finalization_optimization_mode": "3"}
