"""QDQ models: what was quantized and how, what it costs on samples that did not calibrate, mixed precision, and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from recommender.domain.errors import Unsupported
from recommender.executors.qualcomm import agreement, calibration, mixed, qdq
from recommender.ports import TensorSpec


def save(path: Path, nodes: list[Any], weights: dict[str, np.ndarray], shape: list[Any], n_out: int, **inputs: list[Any]) -> Path:
    """A model of `x` [shape] to `y` [., n_out]."""
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in {"x": shape, **inputs}.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [shape[0], n_out])], [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def scales(path: Path) -> dict[str, int]:
    """Type of the zero point -> number of QuantizeLinear nodes."""
    model = onnx.load(path)
    types = {tensor.name: helper.tensor_dtype_to_np_dtype(tensor.data_type).name for tensor in model.graph.initializer}
    found = [types[node.input[2]] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    return {name: found.count(name) for name in set(found)}


@pytest.mark.parametrize(("scheme", "activations"), [("w8a8", "uint8"), ("int8-static-a16", "uint16")])
def test_the_cnn_keeps_its_answers_in_a_quarter_of_the_bytes(scheme: str, activations: str, quantized: Any, cnn: Any) -> None:
    made = quantized(scheme)
    path, facts = Path(made.value["out"], made.value["artifact"]), made.value["facts"]
    assert set(scales(path)) == {activations}
    assert facts["quantized_weights"] == {"int8": 10}  # nine convolutions and the classifier
    assert facts["n_calibration"] + facts["agreement"]["n"] == 100
    assert facts["agreement"]["argmax_agreement"] >= 0.96 and facts["agreement"]["cosine"] > 0.999
    assert facts["agreement"]["max_abs_difference"] > 0
    assert path.stat().st_size < 0.3 * Path(cnn.model).stat().st_size
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]


def test_sixteen_bit_activations_are_closer_than_eight(quantized: Any) -> None:
    assert quantized("int8-static-a16").value["facts"]["agreement"]["cosine"] > quantized("w8a8").value["facts"]["agreement"]["cosine"]


@pytest.fixture(scope="module")
def outlier(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A network whose hidden activation `h` has channels a thousand times the others: in 8 bit for all of them nothing is left of the rest."""
    folder, draw = tmp_path_factory.mktemp("outlier"), np.random.default_rng(7)
    large, small, last = (draw.standard_normal(shape).astype(np.float32) for shape in ((16, 4), (16, 28), (32, 4)))
    last[:4] = 0
    nodes = [
        helper.make_node("MatMul", ["x", "w_large"], ["large"]), helper.make_node("MatMul", ["x", "w_small"], ["small"]),
        helper.make_node("Concat", ["large", "small"], ["h"], axis=1), helper.make_node("MatMul", ["h", "w_last"], ["y"]),
    ]
    model = save(folder / "outlier.onnx", nodes, {"w_large": 1000 * large, "w_small": small, "w_last": last}, ["batch", 16], 4)
    samples = folder / "samples.npz"
    np.savez(samples, x=draw.standard_normal((80, 16)).astype(np.float32))
    return model, samples


def test_mixed_precision_raises_the_worst_activations_until_the_other_half_agrees(prepare: Any, outlier: tuple[Path, Path]) -> None:
    model, samples = outlier
    made = prepare("qdq", model, scheme="w8a8", calibration=samples, mixed="auto", accuracy_drop=0.05)
    assert made.ok, made.message
    facts, tries = made.value["facts"], made.value["facts"]["tries"]
    assert tries[0]["n_raised"] == 0 and tries[0]["argmax_agreement"] < 0.9
    assert facts["agreement"]["argmax_agreement"] >= 0.95
    assert 0 < len(facts["mixed_to_16_bit"]) <= 4 and {"h", "small"} & set(facts["mixed_to_16_bit"])  # a Concat has one type: each brings the other
    assert set(scales(Path(made.value["out"], "model.onnx"))) == {"uint8", "uint16"}
    assert facts["fixed_shapes"] == {"x": [1, 16]}  # the NPU takes no free batch


def test_mixed_precision_by_name(prepare: Any, outlier: tuple[Path, Path]) -> None:
    model, samples = outlier
    made = prepare("qdq", model, scheme="w8a8", calibration=samples, mixed={"h": 16})
    assert made.value["facts"]["mixed_to_16_bit"] == ["h"]
    assert made.value["facts"]["agreement"]["argmax_agreement"] >= 0.95
    refused = prepare("qdq", model, scheme="w8a8", calibration=samples, mixed={"hh": 16})
    assert refused.kind == "unsupported" and "no tensor or node `hh` (near: h" in refused.message


def test_an_agreement_that_cannot_be_reached_is_not_delivered(prepare: Any, outlier: tuple[Path, Path]) -> None:
    model, samples = outlier
    refused = prepare("qdq", model, scheme="w8a8", calibration=samples, mixed="auto", accuracy_drop=0.0, criterion="cosine")
    assert refused.kind == "wrong-output" and "1 was asked for" in refused.message


def test_an_attention_mask_is_clamped_and_recorded(prepare: Any, tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    lowest = float(np.finfo(np.float32).min)
    mask = np.array([[0, 0, 0, lowest]], np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Add", ["a", "mask"], ["b"]), helper.make_node("Softmax", ["b"], ["y"])]
    model = save(tmp_path / "masked.onnx", nodes, {"w": draw.standard_normal((8, 4)).astype(np.float32), "mask": mask}, [1, 8], 4)
    np.savez(tmp_path / "samples.npz", x=draw.standard_normal((20, 8)).astype(np.float32))
    made = prepare("qdq", model, scheme="w8a16", calibration=tmp_path / "samples.npz")
    assert made.ok, made.message
    assert made.value["facts"]["clamped"] == {"mask": lowest}
    assert made.value["facts"]["agreement"]["argmax_agreement"] >= 0.9


def test_a_model_without_weights_is_a_quantizer_that_did_nothing(prepare: Any, tmp_path: Path) -> None:
    model = save(tmp_path / "relu.onnx", [helper.make_node("Relu", ["x"], ["y"])], {}, [1, 4], 4)
    np.savez(tmp_path / "samples.npz", x=np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32))
    refused = prepare("qdq", model, scheme="w8a8", calibration=tmp_path / "samples.npz")
    assert refused.kind == "wrong-output" and "nothing in `relu.onnx` was quantized" in refused.message


def test_models_that_are_no_float_networks_are_refused(prepare: Any, quantized: Any, cnn: Any, classic: Any, tmp_path: Path) -> None:
    trees = prepare("qdq", Path(classic.folder, "forest.onnx"), scheme="w8a8", calibration=classic.calibration)
    assert trees.kind == "unsupported" and "TreeEnsembleClassifier of ai.onnx.ml" in trees.message
    again = prepare("qdq", Path(quantized("w8a8").value["out"]), scheme="w8a8", calibration=cnn.calibration)
    assert again.kind == "unsupported" and "quantized already" in again.message
    (tmp_path / "text.onnx").write_text("not a model")
    text = prepare("qdq", tmp_path / "text.onnx", scheme="w8a8", calibration=cnn.calibration)
    assert text.kind == "unsupported" and "not a readable ONNX model" in text.message


@pytest.mark.parametrize(
    ("scheme", "parameters", "words"),
    [
        ("w4a16", {}, "scheme `w4a16`: the QDQ step makes w8a8"),
        ("w8a8", {"calibration_method": "magic"}, "calibration method `magic`"),
        ("w8a8", {"criterion": "luck"}, "criterion `luck`"),
        ("w8a16", {"mixed": "auto"}, "starts from w8a8"),
        ("w8a8", {"mixed": "all"}, "mixed precision 'all'"),
    ],
)
def test_requests_are_checked_before_anything_runs(scheme: str, parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        qdq.request_of({"key": scheme}, parameters)


X = TensorSpec(name="x", dtype="float32", shape=(1, 3))


def test_samples_are_cut_into_calls_and_halves(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x=np.arange(15, dtype=np.float64).reshape(5, 3), labels=np.arange(5))
    samples = calibration.read_samples(tmp_path / "s.npz", [X])
    first, second = samples.halves()
    assert [len(first.feeds), len(second.feeds)] == [2, 3]
    assert second.feeds[0]["x"].tolist() == [[6, 7, 8]] and second.feeds[0]["x"].dtype == np.float32
    assert second.labels is not None and [list(each) for each in second.labels] == [[2], [3], [4]]
    batched = calibration.read_samples(tmp_path / "s.npz", [TensorSpec(name="x", dtype="float32", shape=(2, 3))])
    assert [each["x"].shape for each in batched.feeds] == [(2, 3), (2, 3)] and [list(each) for each in batched.labels or ()] == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"y": np.zeros((4, 3), np.float32)}, r"lacks the input x \(it has y\)"),
        ({"x": np.zeros((4, 5), np.float32)}, r"shape \[4, 5\], the model takes \[1, 3\]"),
        ({"x": np.zeros((1, 3), np.float32)}, "at least two samples"),
        ({"x": np.array([["a"] * 3] * 4)}, "the model takes float32"),
    ],
)
def test_samples_that_do_not_fit(arrays: dict[str, np.ndarray], words: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", **arrays)
    with pytest.raises(Unsupported, match=words):
        calibration.read_samples(tmp_path / "s.npz", [X])


def test_no_samples_or_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="none were given"):
        calibration.read_samples(None, [X])
    (tmp_path / "s.npz").write_bytes(b"no archive")
    with pytest.raises(Unsupported, match="not an .npz file"):
        calibration.read_samples(tmp_path / "s.npz", [X])


def test_agreement_of_outputs() -> None:
    one, other = np.array([[1.0, 2.0], [3.0, 0.0]], np.float32), np.array([[2.0, 1.0], [3.0, 0.0]], np.float32)
    same = agreement.agreement([[one]], [[one]])
    assert (same["argmax_agreement"], same["cosine"], same["max_abs_difference"], same["n"]) == (1.0, pytest.approx(1.0), 0.0, 1)
    apart = agreement.agreement([[one]], [[other]])
    assert apart["argmax_agreement"] == 0.5 and apart["max_abs_difference"] == 1.0 and apart["cosine"] == pytest.approx(13 / 14)
    assert agreement.accuracy([[one]], [np.array([1, 1])]) == 0.5
    assert agreement.accuracy([[one]], [np.array([1])]) is None


def test_tries_double_up_to_all() -> None:
    assert mixed.steps(16) == [1, 2, 4, 8, 16] and mixed.steps(5) == [1, 2, 4, 5] and mixed.steps(1) == [1] and mixed.steps(0) == []
