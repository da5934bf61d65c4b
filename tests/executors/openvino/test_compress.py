"""Real graphs through NNCF: what is stored, how large it is, how well it still answers, and what is refused instead of being passed through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.executors.openvino.conftest import Made, made
from tests.executors.openvino.in_child import ask
from tests.executors.trained.retrieval import top1

pytest.importorskip("nncf")


def accuracy(row: dict[str, Any], labels: np.ndarray) -> float:
    return float((np.argmax(row["values"], axis=-1) == labels).mean())


@pytest.fixture(scope="session")
def answers(cnn: Any, cnns: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """What each artifact of the CNN answers to the test set, in the precision it was made for."""
    options: dict[str, dict[str, Any]] = {"source": {"precision": "f32"}, "F32": {"precision": "f32"}, "fp16": {"precision": "f32"}, "int8-weights": {}}
    options |= dict.fromkeys(("int8-static", "mixed", "slow"), {"scheme": "int8-static"})
    asked = [(str(cnn.model) if name == "source" else cnns[name]["artifact"], each) for name, each in options.items()]
    return dict(zip(options, ask("graphs", tmp_path_factory.mktemp("answers"), npz=str(cnn.test), asked=asked), strict=True))


@pytest.mark.parametrize(("name", "ratio", "types"), [
    ("F32", 1.0, {"f32"}), ("fp16", 0.5, {"f16"}), ("int8-weights", 0.25, {"u8", "f16"}), ("int8-static", 0.25, {"i8", "f32"}), ("mixed", 0.25, {"i8", "f32"}),
])
def test_what_is_stored_is_what_the_scheme_says(name: str, ratio: float, types: set[str], cnns: Made) -> None:
    facts = cnns[name]["facts"]
    assert cnns[name]["files"]["model.bin"] == pytest.approx(ratio * cnns["F32"]["files"]["model.bin"], rel=0.03)
    assert set(facts["element_types"]) == types
    assert (facts["layers"], facts["n_fake_quantize"] > 0) == ({} if name in ("F32", "fp16") else {"int8": 10}, "f32" in types and "i8" in types)
    assert facts["nncf_version"] and facts["openvino_version"]


def test_a_compressed_network_still_reads_digits(cnn: Any, answers: Made) -> None:
    labels = np.load(cnn.test)["labels"]
    reference = accuracy(answers["source"], labels)
    assert reference > 0.95
    assert np.allclose(answers["F32"]["values"], answers["source"]["values"], atol=1e-4)
    for name in answers:
        assert abs(accuracy(answers[name], labels) - reference) <= 0.02, name


def test_quantization_changes_what_it_should(answers: Made) -> None:
    distance = {name: np.abs(np.array(answers[name]["values"]) - answers["source"]["values"]).mean() for name in answers}
    assert distance["F32"] < distance["fp16"] < distance["int8-static"]
    assert distance["mixed"] != distance["int8-static"] != distance["slow"]


def test_a_bound_on_the_loss_of_accuracy_is_kept_on_samples_apart(cnn: Any, tmp_path: Path) -> None:
    labelled = tmp_path / "labelled.npz"
    with np.load(cnn.test) as test:
        np.savez(labelled, image=test["image"][:121], labels=test["labels"][:121])
    orders = {"bound": {"key": "int8-static", "calibration": str(labelled), "parameters": {"accuracy_drop": 0.01, "subset_size": 50}}}
    facts = made(tmp_path, cnn.model, orders)["bound"]["facts"]
    assert (facts["n_samples"], facts["n_validation"]) == (50, 61)
    assert facts["accuracy"] >= facts["accuracy_before"] * 0.99 > 0.9
    assert facts["n_fake_quantize"] > 0


@pytest.mark.parametrize(("name", "kind", "words"), [
    ("int4", "wrong-output", "10 layers in int8"), ("no data", "unsupported", "calibration"), ("Q4_K_M", "unsupported", "Q4_K_M"),
    ("unlabelled", "unsupported", "labels"), ("misspelt", "unsupported", "subsetsize"),
])
def test_what_cannot_be_made_is_refused(name: str, kind: str, words: str, cnns: Made) -> None:
    assert cnns[name]["kind"] == kind
    assert words in cnns[name]["message"]


def test_a_quantizer_that_did_nothing_is_found_out(tmp_path: Path) -> None:
    source = tmp_path / "negation.onnx"
    np.savez(tmp_path / "x.npz", x=np.ones((4, 8), np.float32))
    ask("without_weights", tmp_path / "make", out=str(source))
    orders = {key: {"key": key, "calibration": str(tmp_path / "x.npz")} for key in ("F32", "fp16", "int8-weights", "int8-static", "NF4")}
    told = made(tmp_path, source, orders)
    assert "facts" in told.pop("F32")
    assert {row["kind"] for row in told.values()} == {"wrong-output"}


def test_sources_and_data_that_do_not_fit(cnns: Made, cnn: Any, classic: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph" * 9)
    orders: dict[str, dict[str, Any]] = {
        "quantized": {"key": "fp16", "source": cnns["int8-static"]["artifact"]}, "compressed": {"key": "int4-weights-g64", "source": cnns["int8-weights"]["artifact"]},
        "half": {"key": "F32", "source": cnns["fp16"]["artifact"]}, "broken": {"key": "fp16", "source": str(broken)},
        "empty": {"key": "fp16", "source": str(tmp_path)}, "other": {"key": "fp16", "source": str(cnn.test)},
        "inputs": {"key": "int8-static", "calibration": str(classic.calibration)},
    }
    told = made(tmp_path / "out", cnn.model, orders)
    assert told.pop("half")["kind"] == "wrong-output"
    assert {row["kind"] for row in told.values()} == {"unsupported"}
    words = {"quantized": "already", "compressed": "10 layers in int8", "broken": "broken.onnx", "empty": "model.xml", "other": "test.npz", "inputs": "image"}
    assert all(words[name] in row["message"] for name, row in told.items()), told


def test_classic_models(classic: Any, tmp_path: Path) -> None:
    """A perceptron needs the operators of its kind for the label only; a forest for everything."""
    ask("rewritten", tmp_path / "make", source=str(classic.model), out=str(tmp_path / "zipmap.onnx"))
    orders: dict[str, dict[str, Any]] = {
        "perceptron": {"key": "F32"}, "zipmap": {"key": "F32", "source": str(tmp_path / "zipmap.onnx")},
        "int8": {"key": "int8-static", "calibration": str(classic.calibration)}, "forest": {"key": "F32", "source": str(classic.folder / "forest.onnx")},
    }
    told = made(tmp_path / "out", classic.model, orders)
    assert told["forest"]["kind"] == "unsupported" and "ai.onnx.ml.TreeEnsembleClassifier" in told["forest"]["message"]
    assert [told[name]["facts"]["left_out_outputs"] for name in ("perceptron", "zipmap", "int8")] == [["label"], ["label"], ["label"]]
    asked = [(told[name]["artifact"], {}) for name in ("perceptron", "zipmap", "int8")] + [(str(classic.model), {})]
    answers = ask("graphs", tmp_path / "run", npz=str(classic.test), asked=asked)
    labels = np.load(classic.test)["labels"]
    assert [row["outputs"] for row in answers] == [["probabilities"]] * 4
    assert [row["inputs"] for row in answers] == [[["X", "float32", [None, 64]]]] * 4
    assert all(accuracy(row, labels) > 0.9 for row in answers)
    assert answers[0]["values"] == answers[1]["values"] == answers[3]["values"] != answers[2]["values"]


def test_a_sentence_encoder_keeps_its_meaning(minilm: Any, minilms: Made, tmp_path: Path) -> None:
    """Retrieval among near misses; the attention mask survives static quantization."""
    reference = np.load(minilm.folder / "reference.npy")
    answers = ask("graphs", tmp_path, npz=str(minilm.test), asked=[(row["artifact"], {"n_threads": 1}) for row in minilms.values()])
    found = {name: np.array(row["values"]) for name, row in zip(minilms, answers, strict=True)}
    cosines = {name: float((each * reference).sum(-1).mean()) for name, each in found.items()}  # all of length 1
    tasks = {name: top1(each) for name, each in found.items()}
    assert all(cosines[name] > bound for name, bound in {"fp16": 0.9999, "int8-weights": 0.998, "int4": 0.9, "int8-static": 0.95}.items()), cosines
    assert all(tasks[name] > top1(reference) - drop for name, drop in {"fp16": 0.03, "int8-weights": 0.05, "int4": 0.25, "int8-static": 0.1}.items()), tasks
    assert cosines["fp16"] > cosines["int8-weights"] > cosines["int4"]
    assert minilms["int8-static"]["facts"]["model_type"] == "transformer"
    sizes = {name: row["files"]["model.bin"] / minilms["fp16"]["files"]["model.bin"] for name, row in minilms.items()}
    assert 0.5 < sizes["int8-weights"] < 0.53 and 0.25 < sizes["int4"] < 0.45
    layers = minilms["int4"]["facts"]["layers"]
    assert layers["int4"] > layers["int8"] > 0


def test_a_step_keeps_to_its_processors(tmp_path: Path) -> None:
    assert ask("confined", tmp_path, n=1) == 1


def test_nothing_is_reported_to_anyone(cnn: Any, tmp_path: Path) -> None:
    told = {}
    for silently in (True, False):
        home = tmp_path / f"home-{silently}"
        home.mkdir()
        environ = {"HOME": str(home), "LOCALAPPDATA": str(home), "CI": "", "NNCF_CI": ""}
        told[silently] = ask(
            "compressed_in_silence", tmp_path / f"job-{silently}", environ=environ, source=str(cnn.model), out=str(tmp_path / "out"), silently=silently
        )
    assert told[True] == {"network": [], "files": []}
    assert any("intel" in name.lower() for name in told[False]["files"])  # as it comes it leaves the id of a client: the switch is what keeps it off
