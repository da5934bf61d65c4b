"""MLX folders with the shape of a model: they run as they are, weigh what their scheme says, and have the tensors that mlx-lm makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recommender.executors.decoder import decoder
from recommender.executors.mlx.shape_proxy import PROXY
from tests.executors.proxies import LAYERS, answer, hugging_face, model, safetensors

pytest.importorskip("mlx_lm")
WRITER, RUNNER = "recommender.executors.mlx.shape_proxy:PROXY", "recommender.executors.mlx.executor:RUNNER"
INT4 = {"key": "int4-mlx-g64"}
ORDERS: dict[str, dict[str, Any]] = {
    "BF16": {"model": model("llama"), "scheme": {"key": "BF16"}}, "fp16": {"model": model("mistral"), "scheme": {"key": "fp16"}},
    "int8": {"model": model("qwen2", tied_embeddings=False), "scheme": {"key": "int8-mlx-g64"}}, "int4": {"model": model(), "scheme": INT4},
    "int4 of 3": {"model": model(), "scheme": INT4, "n_layers": 3}, "int4 of 4": {"model": model(), "scheme": INT4, "n_layers": 4},
}
BITS = {"BF16": 16, "fp16": 16, "int8": 8.5, "int4": 4.5}


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
    assert sum(told["facts"]["placement"].values()) == ORDERS[name].get("n_layers", LAYERS) and told["is_finite"] and told["spread"] > 0.01
    assert len(told["first"]) == 6 and told["again"] == told["first"] and len(told["ids"]) == len("A text of bytes: é".encode())


@pytest.mark.parametrize("name", BITS)
def test_it_weighs_what_its_scheme_says(name: str, written: dict[str, dict[str, Any]]) -> None:
    shape = decoder(ORDERS[name]["model"], n_layers=LAYERS, context=0)
    assert written[name]["facts"]["n_params"] == shape.n_params
    assert written[name]["sizes"]["model.safetensors"] == pytest.approx(shape.n_params * BITS[name] / 8, rel=0.02)


def test_every_layer_adds_the_same(written: dict[str, dict[str, Any]]) -> None:
    found = [safetensors(written[name]["artifact"]) for name in ("int4", "int4 of 3", "int4 of 4")]
    counts = [len(tensors) for tensors in found]
    assert counts[1] - counts[0] == counts[2] - counts[1] > 0
    assert {name.replace(".1.", ".3."): told for name, told in found[0].items() if ".1." in name} == {name: told for name, told in found[2].items() if ".3." in name}


def test_it_has_the_tensors_that_the_converter_makes(written: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    source = hugging_face(tmp_path / "source", model())
    preparer = "recommender.executors.mlx.convert:PREPARER"
    made = answer("prepare", tmp_path / "convert", preparer=preparer, source=str(source), out=str(tmp_path / "converted"), scheme=INT4)
    assert safetensors(written["int4"]["artifact"]) == safetensors(made)


@pytest.mark.parametrize(
    ("fields", "scheme", "words"),
    [(model("gemma2"), INT4, "`gemma2`"), (model(), {"key": "MXFP4"}, "MXFP4"), (model(), {"key": "Q4_0"}, "`Q4_0`"), (model(n_experts=8), INT4, "mixtures")],
)
def test_what_it_cannot_write_is_refused_with_the_reason(fields: dict[str, Any], scheme: dict[str, Any], words: str) -> None:
    assert PROXY.refusal(model(), INT4) == ""
    assert words in PROXY.refusal(fields, scheme)
