"""OpenVINO folders with the shape of a model: they run as they are, weigh what their scheme says, and are the graph that an export gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recommender.executors.decoder import decoder
from recommender.executors.openvino.compress import weight_plan
from recommender.executors.openvino.shape_proxy import PROXY, eight_bit_share
from tests.executors.proxies import LAYERS, answer, hugging_face, model

pytest.importorskip("openvino_genai")
WRITER, RUNNER = "recommender.executors.openvino.shape_proxy:PROXY", "recommender.executors.openvino.genai:RUNNER"
INT4 = {"key": "int4-weights-g64", "group_size": 64}
ORDERS: dict[str, dict[str, Any]] = {
    "F32": {"model": model("llama"), "scheme": {"key": "F32"}}, "fp16": {"model": model("llama", tied_embeddings=False), "scheme": {"key": "fp16"}},
    "int8": {"model": model("qwen2"), "scheme": {"key": "int8-weights"}}, "int4": {"model": model(), "scheme": INT4},
    "channel": {"model": model("mistral"), "scheme": {"key": "int4-weights-channel"}}, "r0.8": {"model": model(), "scheme": {"key": "int4-weights-g64-r0.8"}},
    "int4 of 3": {"model": model(), "scheme": INT4, "n_layers": 3}, "int4 of 4": {"model": model(), "scheme": INT4, "n_layers": 4},
}
BITS = {"F32": (32, 32), "fp16": (16, 16), "int8": (8 + 24 / 256, 8 + 24 / 256), "int4": (4 + 20 / 64, 8 + 24 / 256), "channel": (4 + 16 / 300, 8 + 24 / 256)}  # of a layer's weight, of the rest


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
    assert told["facts"]["attention_backend"] == "paged" and told["is_finite"] and told["spread"] > 0.01
    assert len(told["first"]) == 6 and told["again"] == told["first"] and len(told["ids"]) == len("A text of bytes: é".encode())


@pytest.mark.parametrize("name", BITS)
def test_it_weighs_what_its_scheme_says(name: str, written: dict[str, dict[str, Any]]) -> None:
    order, (layer, rest) = ORDERS[name], BITS[name]
    shape = decoder(order["model"], n_layers=LAYERS, context=0)
    outside = shape.n_vocab * shape.hidden * (1 if shape.is_tied else 2)
    wanted = ((shape.n_params - outside) * layer + outside * rest) / 8
    assert written[name]["sizes"]["openvino_model.bin"] == pytest.approx(wanted, rel=0.01)


def test_every_layer_adds_the_same(written: dict[str, dict[str, Any]]) -> None:
    sizes = [written[name]["sizes"]["openvino_model.bin"] for name in ("int4", "int4 of 3", "int4 of 4")]
    assert sizes[1] - sizes[0] == sizes[2] - sizes[1] > 0
    assert [written[name]["facts"]["layers"]["int4"] for name in ("int4", "int4 of 3", "int4 of 4")] == [14, 21, 28]


def test_a_ratio_leaves_its_share_in_8_bit(written: dict[str, dict[str, Any]]) -> None:
    shape = decoder(model(), n_layers=LAYERS, context=0)
    better = eight_bit_share(shape, weight_plan({"key": "int4-weights-g64-r0.8"}))
    sizes = {name: rows * columns for name, (rows, columns) in shape.matrices.items()}
    assert sum(sizes[name] for name in better) / sum(sizes.values()) == pytest.approx(0.2, abs=0.05)
    assert written["r0.8"]["facts"]["in_8_bit"] == list(better) and written["int4"]["facts"]["in_8_bit"] == []
    assert written["r0.8"]["facts"]["layers"] == {"int4": (7 - len(better)) * LAYERS, "int8": len(better) * LAYERS + 1}


def test_it_executes_as_an_exported_model_does(written: dict[str, dict[str, Any]], conversion: Path, tmp_path: Path) -> None:
    source = hugging_face(tmp_path / "source", model())
    preparer = "recommender.executors.openvino.export:PREPARER"
    exported = answer("prepare", tmp_path / "export", conversion, preparer=preparer, source=str(source), out=str(tmp_path / "exported"), scheme=INT4)
    ours, theirs = answer("executed", tmp_path / "executed", artifacts=[written["int4"]["artifact"], exported])
    assert any("FullyConnected" in kind for kind in ours)
    assert ours == theirs
    ours, theirs = (Path(folder, "openvino_model.bin").stat().st_size for folder in (written["int4"]["artifact"], exported))
    assert ours == pytest.approx(theirs, rel=0.005)


@pytest.mark.parametrize(
    ("fields", "scheme", "words"),
    [(model("gemma2"), INT4, "`gemma2`"), (model(), {"key": "NF4"}, "NF4"), (model(), {"key": "Q4_K_M"}, "`Q4_K_M`"), (model(ffn_size=528), INT4, "528 (down_proj)")],
)
def test_what_it_cannot_write_is_refused_with_the_reason(fields: dict[str, Any], scheme: dict[str, Any], words: str) -> None:
    assert PROXY.refusal(model(), INT4) == ""
    assert words in PROXY.refusal(fields, scheme)
