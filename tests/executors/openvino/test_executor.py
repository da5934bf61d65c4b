"""Graphs in OpenVINO: what is really executed, in which precision and where, and what is refused instead of being run otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.executors import registry
from tests.executors.openvino.conftest import Made
from tests.executors.openvino.in_child import ask

pytest.importorskip("openvino")
INT8 = {"i8", "u8"}


@pytest.fixture(scope="session")
def sessions(cnn: Any, cnns: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The CNN under options of all kinds, or how it failed."""
    folder = tmp_path_factory.mktemp("sessions")
    (folder / "broken.xml").write_text("<net>", "utf-8")
    plain, static = cnns["F32"]["artifact"], cnns["int8-static"]["artifact"]
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "default": (plain, {}), "onnx": (str(cnn.model), {}), "f32": (plain, {"precision": "f32"}), "bf16": (plain, {"precision": "bf16"}),
        "f16": (plain, {"precision": "f16"}), "int8": (static, {"scheme": "int8-static"}), "no int8": (plain, {"scheme": "int8-static"}),
        "weights only": (cnns["int8-weights"]["artifact"], {"scheme": "int8-weights"}), "auto": (plain, {"execution_provider": "auto", "precision": "f32"}),
        "one thread": (plain, {"n_threads": 1}), "throughput": (plain, {"performance_hint": "throughput", "streams": 2}),
        "cold": (plain, {"cache_dir": str(folder / "cache")}), "cached": (plain, {"cache_dir": str(folder / "cache")}),
        "gpu": (plain, {"execution_provider": "openvino-gpu"}), "npu": (plain, {"execution_provider": "openvino-npu"}),
        "cuda": (plain, {"execution_provider": "cuda"}), "fp8": (plain, {"precision": "fp8"}), "hint": (plain, {"performance_hint": "best"}),
        "broken": (str(folder / "broken.xml"), {}), "absent": (str(folder / "absent.xml"), {}), "data": (str(cnn.test), {}),
    }
    return dict(zip(asked, ask("graphs", folder / "job", npz=str(cnn.calibration), asked=list(asked.values())), strict=True))


def products(row: dict[str, Any]) -> set[str]:
    return set(row["facts"]["product_precisions"])


def test_precision_is_the_device_s_own_unless_asked_and_is_recorded(sessions: Made) -> None:
    own = sessions["default"]["facts"]["precision"]
    assert own in products(sessions["default"]) and own in sessions["default"]["facts"]["runtime_precisions"]
    assert (sessions["f32"]["facts"]["precision"], products(sessions["f32"])) == ("f32", {"f32"})
    assert sessions["onnx"]["values"] == sessions["default"]["values"]
    same = sessions["default"]["values"] == sessions["f32"]["values"]
    assert same == (own == "f32")


@pytest.mark.parametrize("precision", ["bf16", "f16"])
def test_a_precision_the_processor_lacks_is_a_fallback(precision: str, sessions: Made) -> None:
    row = sessions[precision]
    assert products(row) == {precision} if "facts" in row else (row["kind"], precision in row["message"]) == ("fallback", True)


def test_int8_counts_only_when_it_is_executed(sessions: Made) -> None:
    assert products(sessions["int8"]) <= INT8 and sum(sessions["int8"]["facts"]["product_precisions"].values()) == 10
    assert not products(sessions["weights only"]) & INT8
    assert sessions["no int8"]["kind"] == "fallback" and "int8" in sessions["no int8"]["message"]


def test_compressed_weights_are_no_proof_of_int8(minilm: Any, minilms: Made, tmp_path: Path) -> None:
    asked = [(minilms[name]["artifact"], {"scheme": "int8-static", "n_threads": 1}) for name in ("int8-weights", "int8-static")]
    weights, static = ask("graphs", tmp_path, npz=str(minilm.calibration), asked=asked)
    assert weights["kind"] == "fallback"
    assert products(static) & INT8


def test_where_it_runs_is_read_back(sessions: Made) -> None:
    for name in ("default", "auto", "int8"):
        facts = sessions[name]["facts"]
        assert facts["execution_devices"] == ["CPU"] and facts["placement"] == {"CPU": sum(facts["runtime_precisions"].values())}
        assert facts["framework_version"] in facts["build"]
    assert sessions["auto"]["facts"]["execution_provider"] == "auto"
    assert np.allclose(sessions["auto"]["values"], sessions["f32"]["values"], atol=1e-5)


def test_settings_are_read_back(sessions: Made) -> None:
    assert sessions["one thread"]["facts"]["n_threads"] == 1
    assert [sessions["throughput"]["facts"][name] for name in ("performance_hint", "streams")] == ["THROUGHPUT", 2]
    assert sessions["default"]["facts"]["performance_hint"] == "LATENCY"
    assert [sessions[name]["facts"]["loaded_from_cache"] for name in ("cold", "cached")] == [False, True]
    assert sessions["default"]["inputs"] == [["image", "float32", [1, 1, 32, 32]]] and sessions["default"]["outputs"] == ["scores"]


def test_a_device_that_is_not_there_is_unsupported(sessions: Made, tmp_path: Path) -> None:
    present = ask("devices", tmp_path)
    for name, device in (("gpu", "GPU"), ("npu", "NPU")):
        if not any(each.startswith(device) for each in present):
            assert sessions[name]["kind"] == "unsupported" and device in sessions[name]["message"]
            assert all(each in sessions[name]["message"] for each in present)


@pytest.mark.parametrize("name", ["cuda", "fp8", "hint", "broken", "absent", "data"])
def test_what_cannot_be_opened_says_so(name: str, sessions: Made) -> None:
    assert sessions[name]["kind"] == "unsupported"
    assert {"hint": "BEST", "data": "test.npz"}.get(name, name) in sessions[name]["message"]


def test_many_at_once_are_the_same_and_all_done(cnn: Any, cnns: Made, tmp_path: Path) -> None:
    told = ask("many_at_once", tmp_path, artifact=cnns["F32"]["artifact"], npz=str(cnn.calibration), options={"streams": 2, "precision": "f32"})
    assert told["kept"]
    assert len(told["answers"]) == len(told["single"]) == 50
    assert sorted(told["answers"]) == pytest.approx(np.array(sorted(told["single"])), abs=1e-4)


def test_it_is_registered_and_pure_outside() -> None:
    runner = registry.runner("openvino")
    found = runner.availability()
    assert found.ok and found.version
    assert runner.environ({"n_threads": 2}) == {}
    assert [registry.preparer(name).environment for name in ("nncf", "optimum-intel")] == ["", "conversion"]
