"""Trained models through Olive's workflows: smaller, quantized, close to the source on samples it has not seen; what Olive does silently is told."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.executors import environment
from recommender.executors.olive.prepare import PREPARER
from recommender.measure.isolate import Job, run
from tests.executors.conftest import Trained

TESTS = Path(__file__).parents[2]
CNN = {
    "fp16": ("fp16", {}), "static": ("int8-static", {}), "few": ("int8-static", {"samples": 4}), "a16": ("int8-static-a16", {"samples": 16}), "dynamic": ("int8-dynamic", {}),
    "int4": ("int4-weights-g32", {}), "unknown": ("NF4", {}),
}
MLP = {
    "static": ("int8-static", {}), "as it is": ("int8-static", {"preprocess": False}), "int8": ("int8-weights-g32", {}), "int4": ("int4-weights-g32", {}),
    "symmetric": ("int4-weights-sym-g32", {}), "kquant": ("int4-weights-g32", {"algorithm": "kquant"}),
}


@dataclass(frozen=True, kw_only=True)
class Results:
    told: dict[str, dict[str, Any]]  # by name: artifact, facts and files, or kind and message
    values: dict[str, np.ndarray]  # outputs for the test samples, [samples, classes]; "source": the source's
    labels: np.ndarray


def answer(function: str, folder: Path, interpreter: Path, environ: dict[str, str] | None = None, **arguments: Any) -> Any:
    outcome = run(Job(
        function=f"tests.executors.olive.in_child:{function}", arguments=arguments, folder=folder, interpreter=interpreter, environ=environ or {},
        packages={"tests": str(TESTS)}, wall=400,
    ))
    assert outcome.ok, (outcome.kind, outcome.message, outcome.log and outcome.log.read_text("utf-8", "replace")[-2000:])
    return outcome.value


@pytest.fixture(scope="module")
def python() -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(environment.VARIABLE, str(Path(sys.prefix) / "side-environments"))
        return environment.make("olive", print)


def order(model: Path, out: Path, key: str, parameters: dict[str, Any], calibration: Path | None) -> dict[str, Any]:
    return {"source": str(model), "out": str(out), "scheme": {"key": key}, "parameters": parameters, "calibration": str(calibration) if calibration else None}


def results(model: Trained, schemes: dict[str, tuple[str, dict[str, Any]]], folder: Path, python: Path) -> Results:
    """All schemes of a model in one child, and in another what each artifact answers to the test samples."""
    orders = [order(model.model, folder / name, key, parameters, model.calibration) for name, (key, parameters) in schemes.items()]
    told = dict(zip(schemes, answer("prepare_all", folder / "job-prepare", python, orders=orders), strict=True))
    made = {"source": str(model.model), **{name: row["artifact"] for name, row in told.items() if "artifact" in row}}
    answer("outputs", folder / "job-outputs", Path(sys.executable), artifacts=list(made.values()), test=str(model.test), out=str(folder))
    values = {name: np.load(folder / f"{at}.npy") for at, name in enumerate(made)}
    return Results(told=told, values=values, labels=np.load(model.test)["labels"])


@pytest.fixture(scope="module")
def of_cnn(cnn: Trained, python: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    return results(cnn, CNN, tmp_path_factory.mktemp("olive-cnn"), python)


@pytest.fixture(scope="module")
def of_mlp(classic: Trained, python: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    return results(classic, MLP, tmp_path_factory.mktemp("olive-mlp"), python)


def agreement(found: Results, name: str) -> float:
    return float((found.values[name].argmax(-1) == found.values["source"].argmax(-1)).mean())


@pytest.mark.parametrize("name", ["fp16", "static", "few", "a16", "dynamic"])
def test_a_network_of_convolutions_keeps_its_answers(of_cnn: Results, name: str) -> None:
    assert (of_cnn.values[name].argmax(-1) == of_cnn.labels).mean() > 0.9
    assert agreement(of_cnn, name) > 0.95 and not np.array_equal(of_cnn.values[name], of_cnn.values["source"])


def test_files_shrink_by_their_bits(of_cnn: Results, cnn: Trained) -> None:
    share = {name: row["facts"]["bytes"] / cnn.model.stat().st_size for name, row in of_cnn.told.items() if "facts" in row}
    assert 0.5 < share["fp16"] < 0.55 and all(0.25 < share[name] < 0.32 for name in ("static", "a16", "dynamic"))


def test_operators_tell_what_was_done(of_cnn: Results) -> None:
    facts = {name: row["facts"] for name, row in of_cnn.told.items() if "facts" in row}
    assert facts["static"]["quantized_weights"] == facts["dynamic"]["quantized_weights"] == 10  # nine convolutions and the last layer
    assert facts["static"]["operators"]["QuantizeLinear"] > 9 and "ConvInteger" not in facts["static"]["operators"]
    assert facts["dynamic"]["operators"]["ConvInteger"] == 9  # the form that is slow on processors: whoever measures it shall know
    assert facts["a16"]["weights"]["uint16"] > 9 and "uint16" not in facts["static"]["weights"]
    assert facts["fp16"]["weights"] == {"float16": 18, "int64": 2} and facts["fp16"]["quantized_nodes"] == 0


def test_calibration_reads_the_samples_it_is_told(of_cnn: Results) -> None:
    """4 samples span smaller ranges than 100: other scales, other outputs."""
    assert not np.array_equal(of_cnn.values["few"], of_cnn.values["static"])


def test_a_run_that_changed_nothing_is_no_success(of_cnn: Results) -> None:
    """Weights in groups are for products of matrices, and this model has none; Olive says nothing and writes a copy."""
    told = of_cnn.told["int4"]
    assert told["kind"] == "wrong-output" and "changed nothing" in told["message"] and told["files"] == []


def test_a_pass_that_failed_tells_its_first_cause(of_mlp: Results) -> None:
    """Olive logs it and ends well. The cause: preprocessing turns the products into Gemm, whose scales per channel the quantizer then cannot compare."""
    told = of_mlp.told["static"]
    assert told["kind"] == "unsupported" and "OnnxStaticQuantization" in told["message"] and "ValueError: The truth value" in told["message"] and told["files"] == []


@pytest.mark.parametrize(("name", "at_least"), [("as it is", 0.95), ("int8", 0.99), ("int4", 0.95), ("symmetric", 0.93), ("kquant", 0.95)])
def test_a_perceptron_keeps_its_answers(of_mlp: Results, name: str, at_least: float) -> None:
    assert agreement(of_mlp, name) >= at_least


def test_weights_in_groups_say_their_bits(of_mlp: Results) -> None:
    facts = {name: row["facts"] for name, row in of_mlp.told.items() if "facts" in row}
    assert all(facts[name]["operators"]["MatMulNBits"] == 3 for name in ("int8", "int4", "symmetric", "kquant"))
    weights = 64 * 256 + 256 * 128 + 128 * 10
    assert facts["int8"]["bytes"] - facts["int4"]["bytes"] == pytest.approx(weights / 2, rel=0.1)
    assert facts["symmetric"]["bytes"] < facts["int4"]["bytes"]  # it has no zero points
    distance = {name: np.abs(of_mlp.values[name] - of_mlp.values["source"]).mean() for name in ("int8", "int4")}
    assert 0 < distance["int8"] < distance["int4"]


def test_an_artifact_comes_with_the_workflow_that_made_it(of_cnn: Results) -> None:
    told = of_cnn.told["static"]
    assert told["files"] == ["model.onnx", "workflow.json"]
    assert json.loads(Path(told["artifact"]).with_name("workflow.json").read_text("utf-8"))["passes"]["quantize"] == told["facts"]["pass"]
    assert set(told["facts"]["versions"]) == {"olive-ai", "onnxruntime", "torch", "onnx"}


def test_failures_name_the_thing_and_nothing_leaves_the_machine(cnn: Trained, classic: Trained, python: Path, tmp_path: Path) -> None:
    """Olive keeps the machine's identity, which its messages carry, in the home folder: as long as it sends none it makes none."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    orders = {
        "without": order(cnn.model, tmp_path / "a", "int8-static", {}, None), "other": order(cnn.model, tmp_path / "b", "int8-static", {}, classic.calibration),
        "broken": order(tmp_path / "broken.onnx", tmp_path / "c", "fp16", {}, None), "folder": order(home, tmp_path / "d", "fp16", {}, None),
        "scheme": order(cnn.model, tmp_path / "e", "NF4", {}, None), "fine": order(classic.model, tmp_path / "f", "int4-weights-g32", {}, None),
    }
    told = dict(zip(orders, answer("prepare_all", tmp_path / "job", python, {"HOME": str(home), "CI": ""}, orders=list(orders.values())), strict=True))
    assert "artifact" in told.pop("fine")
    assert {row["kind"] for row in told.values()} == {"unsupported"} and all(row["files"] == [] for row in told.values())
    for name, words in {"without": "calibration samples", "other": "`image`", "broken": "broken.onnx", "folder": "one ONNX file", "scheme": "NF4"}.items():
        assert words in told[name]["message"]
    assert [file for file in home.rglob("*") if "deviceid" in file.name.lower()] == []


def test_weights_beside_the_file_come_along(python: Path, classic: Trained, tmp_path: Path) -> None:
    """The source moves away afterwards: what was made of it must stand alone."""
    answer("with_external_weights", tmp_path / "job-save", Path(sys.executable), source=str(classic.model), out=str(tmp_path / "outside"))
    (told,) = answer("prepare_all", tmp_path / "job", python, orders=[order(tmp_path / "outside", tmp_path / "made", "int4-weights-g32", {}, None)])
    shutil.rmtree(tmp_path / "outside")
    answer("outputs", tmp_path / "job-outputs", Path(sys.executable), artifacts=[told["artifact"]], test=str(classic.test), out=str(tmp_path))
    assert (np.load(tmp_path / "0.npy").argmax(-1) == np.load(classic.test)["labels"]).mean() > 0.9


def test_it_is_available_in_its_own_environment_only() -> None:
    assert PREPARER.environment == "olive"
    told = PREPARER.availability()
    assert told.ok or ("olive-ai" in told.reason and told.hint)
