"""Real models through ONNX Runtime's quantizers: size, agreement with the fp32 source on held-out samples, and the places where the tools fail in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.executors.onnxruntime.in_child import answer

pytest.importorskip("onnxruntime")
PREPARER = "quantize:PREPARER"
SAMPLES = 200  # of a test set at most
INT4 = {"key": "int4-weights-g32", "group_size": 32}
CNN = {
    "F32": ({"key": "F32"}, {}), "fp16": ({"key": "fp16"}, {}), "dynamic": ({"key": "int8-dynamic"}, {}), "static": ({"key": "int8-static"}, {}),
    "entropy": ({"key": "int8-static"}, {"calibration_method": "entropy", "samples": 32}),
    "percentile": ({"key": "int8-static"}, {"calibration_method": "percentile", "samples": 32}),
    "per-tensor": ({"key": "int8-static"}, {"per_channel": False, "activation_type": "int8"}),
    "convolutions": ({"key": "int8-static"}, {"op_types": ["Conv"]}), "a16": ({"key": "int8-static-a16"}, {}),
}
CNN_FAILS = {
    "int4": (INT4, {}), "int8-weights": ({"key": "int8-weights"}, {}), "unknown": ({"key": "int3-weights-g32"}, {}), "ratio": ({"key": "int4-weights-g64-r0.8"}, {}),
    "method": ({"key": "int8-static"}, {"calibration_method": "guess"}), "parameter": ({"key": "fp16"}, {"bits": 12}), "nothing": ({"key": "int8-static"}, {"op_types": ["LSTM"]}),
}
MLP = {
    "fp16": ({"key": "fp16"}, {}), "dynamic": ({"key": "int8-dynamic"}, {}), "static": ({"key": "int8-static"}, {}), "a16": ({"key": "int8-static-a16"}, {}),
    "int8": ({"key": "int8-weights"}, {}), "int4": (INT4, {}), "zero points": (INT4, {"symmetric": False}), "NF4": ({"key": "NF4", "group_size": 64}, {}),
    "group": ({"key": "int4-weights-g48", "group_size": 48}, {}),
}
MINILM = {
    "fp16": ({"key": "fp16"}, {}), "dynamic": ({"key": "int8-dynamic"}, {}), "a16": ({"key": "int8-static-a16"}, {"samples": 8}),
    "static": ({"key": "int8-static"}, {"samples": 8}), "int4": (INT4, {}),
}


def made(model: Any, schemes: dict[str, Any], folder: Path, source: Path | None = None, limit: int = SAMPLES) -> dict[str, dict[str, Any]]:
    """All schemes of a model in one child, and what each of them answers to the test samples in another."""
    orders = [
        {"preparer": PREPARER, "source": str(source or model.model), "out": str(folder / name.replace(" ", "-")), "scheme": scheme, "parameters": parameters,
         "calibration": str(model.calibration)}
        for name, (scheme, parameters) in schemes.items()
    ]
    told = dict(zip(schemes, answer("prepare_all", folder / "prepare", orders=orders), strict=True))
    ran = [name for name, row in told.items() if "artifact" in row]
    artifacts = [str(source or model.model), *(told[name]["artifact"] for name in ran)]
    values = answer("predictions", folder / "run", artifacts=artifacts, test=str(model.test), limit=limit) if ran else []
    for name, row in zip(["source", *ran], values, strict=bool(ran)):
        told.setdefault(name, {})["values"] = np.asarray(row, np.float32)
    return told


def ratio(row: dict[str, Any]) -> float:
    return float(row["facts"]["bytes"] / row["facts"]["source_bytes"])


def agreement(row: dict[str, Any], source: dict[str, Any]) -> float:
    return float((row["values"].argmax(-1) == source["values"].argmax(-1)).mean())


def cosine(row: dict[str, Any], source: dict[str, Any]) -> float:
    left, right = row["values"], source["values"]
    return float(((left * right).sum(-1) / (np.linalg.norm(left, axis=-1) * np.linalg.norm(right, axis=-1))).mean())


@pytest.fixture(scope="session")
def cnns(cnn: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return made(cnn, {**CNN, **CNN_FAILS}, tmp_path_factory.mktemp("cnn"))


@pytest.fixture(scope="session")
def mlps(classic: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return made(classic, MLP, tmp_path_factory.mktemp("mlp"), classic.folder / "mlp.onnx")


@pytest.fixture(scope="session")
def minilms(minilm: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return made(minilm, MINILM, tmp_path_factory.mktemp("minilm"), limit=48)


# --- a convolutional network -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "low", "high"), [("F32", 0.99, 1.01), ("fp16", 0.49, 0.55), ("dynamic", 0.24, 0.3), ("static", 0.24, 0.3), ("a16", 0.24, 0.3)])
def test_files_shrink_by_the_bits_of_their_weights(name: str, low: float, high: float, cnns: dict[str, dict[str, Any]]) -> None:
    assert low < ratio(cnns[name]) < high
    assert (Path(cnns[name]["artifact"]).stat().st_size) == cnns[name]["facts"]["bytes"]


@pytest.mark.parametrize("name", [name for name in CNN if name != "F32"])
def test_an_easy_network_survives_every_scheme(name: str, cnns: dict[str, dict[str, Any]]) -> None:
    assert agreement(cnns[name], cnns["source"]) > 0.98
    assert not np.array_equal(cnns[name]["values"], cnns["source"]["values"])  # a lossy scheme that loses nothing did nothing
    assert cnns[name]["facts"]["quantized_weights"] >= 9


def test_F32_is_the_source(cnns: dict[str, dict[str, Any]]) -> None:
    assert np.array_equal(cnns["F32"]["values"], cnns["source"]["values"])


def test_the_labels_are_met(cnn: Any, cnns: dict[str, dict[str, Any]]) -> None:
    labels = np.load(cnn.test)["labels"][:SAMPLES]
    accuracy = {name: float((cnns[name]["values"].argmax(-1) == labels).mean()) for name in (*CNN, "source")}
    assert accuracy["source"] > 0.9 and min(accuracy.values()) > accuracy["source"] - 0.02


def test_facts_tell_how_it_was_made(cnns: dict[str, dict[str, Any]]) -> None:
    static, dynamic, a16 = (cnns[name]["facts"] for name in ("static", "dynamic", "a16"))
    assert static["quantize_nodes"] > 9 and static["calibration"] == {"method": "minmax", "batches": 100} and static["preprocessing"] == "full"
    assert static["weights"]["int8"]["bytes"] > 20 * static["weights"]["float"]["bytes"]
    assert a16["weights"]["uint16"]["tensors"] == a16["quantize_nodes"]  # zero points of the activations
    assert dynamic["operators"]["ConvInteger"] == 9 and "slower" in dynamic["slow"] and "slow" not in static
    assert cnns["entropy"]["facts"]["calibration"] == {"method": "entropy", "batches": 32}
    assert set(static["versions"]) == {"onnxruntime", "onnx"}


def test_calibration_methods_and_granularities_differ(cnns: dict[str, dict[str, Any]]) -> None:
    names = ["static", "entropy", "percentile", "per-tensor", "convolutions"]
    different = {cnns[name]["values"].tobytes() for name in names}
    assert len(different) == len(names)
    assert cnns["convolutions"]["facts"]["quantized_weights"] == cnns["static"]["facts"]["quantized_weights"] - 1  # the last layer is left out


@pytest.mark.parametrize(
    ("name", "kind", "word"),
    [("int4", "wrong-output", "9 Conv"), ("int8-weights", "wrong-output", "changed nothing"), ("nothing", "wrong-output", "changed nothing"),
     ("unknown", "unsupported", "int3-weights-g32"), ("ratio", "unsupported", "int4-weights-g64-r0.8"), ("method", "unsupported", "guess"),
     ("parameter", "unsupported", "bits")],
)
def test_what_does_nothing_or_is_unknown_fails_by_name(name: str, kind: str, word: str, cnns: dict[str, dict[str, Any]]) -> None:
    assert cnns[name]["kind"] == kind and word in cnns[name]["message"]


def test_weights_beside_the_graph_are_taken_along(cnn: Any, cnns: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    source = Path(answer("split", tmp_path / "split", source=str(cnn.model), out=str(tmp_path / "source")))
    before = {file.name: file.read_bytes() for file in source.iterdir()}
    told = made(cnn, {"F32": CNN["F32"], "static": ({"key": "int8-static"}, {"samples": 4})}, tmp_path, source, limit=8)
    assert told["F32"]["facts"]["source_bytes"] == sum(map(len, before.values()))
    assert ratio(told["static"]) < 0.3 and np.array_equal(told["F32"]["values"], cnns["source"]["values"][:8])
    assert {file.name: file.read_bytes() for file in source.iterdir()} == before  # and nothing was written beside them


# --- classical models --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "high"), [("fp16", 0.7), ("dynamic", 0.35), ("static", 0.35), ("a16", 0.35), ("int8", 0.35), ("int4", 0.2), ("zero points", 0.22), ("NF4", 0.18)])
def test_a_perceptron_of_scikit_learn(name: str, high: float, mlps: dict[str, dict[str, Any]]) -> None:
    assert ratio(mlps[name]) < high and agreement(mlps[name], mlps["source"]) > 0.97
    assert mlps[name]["facts"]["quantized_weights"] >= 3


def test_weights_alone_tell_their_blocks(mlps: dict[str, dict[str, Any]]) -> None:
    four, eight, zero_points = (mlps[name]["facts"] for name in ("int4", "int8", "zero points"))
    assert four["operators"]["MatMulNBits"] == 3 and (four["block_size"], four["symmetric"], four["accuracy_level"]) == (32, True, 4)
    assert eight["weights"]["uint8"]["bytes"] == 2 * four["weights"]["uint8"]["bytes"] < zero_points["weights"]["uint8"]["bytes"] * 2
    assert mlps["NF4"]["facts"]["operators"]["MatMulBnb4"] == 3
    assert mlps["group"]["kind"] == "unsupported" and "48" in mlps["group"]["message"]


def test_the_prepared_form_that_the_quantizer_cannot_take_is_given_up(mlps: dict[str, dict[str, Any]]) -> None:
    assert mlps["static"]["facts"]["preprocessing"].startswith("none (") and mlps["dynamic"]["facts"]["preprocessing"] == "full"


def test_tree_ensembles_are_refused(classic: Any, tmp_path: Path) -> None:
    schemes = {"F32": ({"key": "F32"}, {}), "fp16": ({"key": "fp16"}, {}), "dynamic": ({"key": "int8-dynamic"}, {}), "int4": (INT4, {})}
    told = made(classic, schemes, tmp_path, classic.folder / "forest.onnx")
    assert np.array_equal(told["F32"]["values"], told["source"]["values"])
    assert {told[name]["kind"] for name in ("fp16", "dynamic", "int4")} == {"unsupported"} and "tree ensembles" in told["fp16"]["message"]


# --- attention ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "ratios", "least"), [("fp16", (0.49, 0.52), 0.999), ("dynamic", (0.24, 0.28), 0.98), ("int4", (0.5, 0.7), 0.95)],
)
def test_a_sentence_encoder(name: str, ratios: tuple[float, float], least: float, minilms: dict[str, dict[str, Any]]) -> None:
    assert ratios[0] < ratio(minilms[name]) < ratios[1]
    assert least < cosine(minilms[name], minilms["source"]) < 1.0
    assert minilms[name]["facts"]["quantized_weights"] >= 24


def test_static_quantization_of_a_sentence_encoder_is_told_as_it_is(minilms: dict[str, dict[str, Any]], record_property: Any) -> None:
    a16, static = minilms["a16"], minilms["static"]
    record_property("cosine", {name: cosine(row, minilms["source"]) for name, row in (("a16", a16), ("a8", static))})
    assert static["facts"]["quantized_weights"] >= 24 and np.isfinite(static["values"]).all()  # no claim that 8-bit activations are good
    assert cosine(a16, minilms["source"]) > 0.98


def test_mask_fills_are_clamped_for_static_quantization(tmp_path: Path) -> None:
    source = answer("masked_product", tmp_path / "make", out=str(tmp_path / "masked.onnx"), fill=-3.4e38)
    model = type("Model", (), {"model": Path(source), "calibration": Path(source).with_suffix(".npz"), "test": Path(source).with_suffix(".npz")})
    keys = {"minmax": {}, "entropy": {"calibration_method": "entropy"}}
    told = made(model, {**{name: ({"key": "int8-static-a16"}, parameters) for name, parameters in keys.items()}, "fp16": ({"key": "fp16"}, {})}, tmp_path)
    assert told["minmax"]["facts"]["clamped_mask_fills"] == 1 and "clamped_mask_fills" not in told["fp16"]["facts"]
    assert cosine(told["minmax"], told["source"]) > 0.99 and cosine(told["entropy"], told["source"]) > 0.9


def test_a_range_without_bins_is_refused_with_a_hint(tmp_path: Path) -> None:
    source = answer("masked_product", tmp_path / "make", out=str(tmp_path / "masked.onnx"), fill=0.0)
    samples = dict(np.load(Path(source).with_suffix(".npz")))
    np.savez(tmp_path / "huge.npz", query=samples["query"] * 3e37, mask=samples["mask"])
    order = {"preparer": PREPARER, "source": source, "out": str(tmp_path / "out"), "scheme": {"key": "int8-static"}, "calibration": str(tmp_path / "huge.npz")}
    (told,) = answer("prepare_all", tmp_path / "prepare", orders=[{**order, "parameters": {"calibration_method": "entropy"}}])
    assert told["kind"] == "unsupported" and "bins" in told["message"] and "minmax" in told["hints"][0]


def test_calibration_samples_that_do_not_fit_are_named(cnn: Any, classic: Any, tmp_path: Path) -> None:
    orders = [
        {"preparer": PREPARER, "source": str(cnn.model), "out": str(tmp_path / str(i)), "scheme": {"key": "int8-static"}, "parameters": {}, "calibration": samples}
        for i, samples in enumerate((None, str(classic.calibration)))
    ]
    without, others = answer("prepare_all", tmp_path / "prepare", orders=orders)
    assert without["kind"] == others["kind"] == "unsupported"
    assert ".npz" in without["message"] and "`image`" in others["message"] and "X" in others["message"]
    assert [path for i in "01" for path in (tmp_path / i).iterdir()] == []  # nothing half-written
