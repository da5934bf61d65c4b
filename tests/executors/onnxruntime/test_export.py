"""Real and small random encoders through PyTorch's exporter: the same numbers, free axes that are free, sentence embeddings that still find their paraphrase."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.executors import environment
from recommender.executors.onnxruntime.export import PREPARER
from tests.executors.conftest import Trained
from tests.executors.onnxruntime.exporting import answer
from tests.executors.trained.retrieval import top1


@pytest.fixture(scope="module")
def python() -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(environment.VARIABLE, str(Path(sys.prefix) / "side-environments"))
        return environment.make("conversion", print)


def order(source: Path, out: Path, key: str = "F32", **parameters: Any) -> tuple[str, str, str, dict[str, Any]]:
    return str(source), str(out), key, parameters


@pytest.fixture(scope="module")
def made(minilm: Trained, tmp_path_factory: pytest.TempPathFactory, python: Path) -> dict[str, dict[str, Any]]:
    """The trained encoder with free axes, and small ones with random weights: a classifier of pairs, one of pictures, and an encoder of fixed shape."""
    folder = tmp_path_factory.mktemp("export")
    answer("small_encoders", folder / "job-make", python, out=str(folder))
    orders = {
        "sentences": order(minilm.folder / "model", folder / "1"), "pairs": order(folder / "pairs", folder / "2"), "pictures": order(folder / "pictures", folder / "3"),
        "fixed": order(folder / "pairs", folder / "4", static_shape=[1, 12]), "copied": order(minilm.model, folder / "5"),
    }
    told = answer("prepare_all", folder / "job", python, orders=orders)
    assert all("artifact" in row for row in told.values()), told
    signatures = answer("signatures", folder / "job-look", artifacts={name: row["artifact"] for name, row in told.items()})
    return {name: {**row, **signatures[name]} for name, row in told.items()}


def test_all_of_them_compute_what_the_source_does(made: dict[str, dict[str, Any]]) -> None:
    facts = [made[name]["facts"] for name in ("sentences", "pairs", "pictures", "fixed")]
    assert all(0 < each["max_abs_difference"] < 1e-4 and each["max_rel_difference"] < 1e-4 for each in facts)


def test_a_file_that_computes_something_else_is_refused(made: dict[str, dict[str, Any]], python: Path, tmp_path: Path) -> None:
    artifact = Path(made["pairs"]["artifact"])
    kind, message = answer("spoiled", tmp_path / "job", python, source=str(artifact.parents[1] / "pairs"), artifact=str(artifact), out=str(tmp_path / "spoiled.onnx"))
    assert kind == "wrong-output" and "differs from PyTorch" in message


def test_sentence_embeddings_are_pooled_and_still_find_their_paraphrase(made: dict[str, dict[str, Any]], minilm: Trained) -> None:
    """In batches of 48, and as close to PyTorch's as rounding allows; of length 1."""
    told = made["sentences"]
    assert told["facts"]["pooling"] == "mean" and told["outputs"] == {"sentence_embedding": ["tensor(float)", ["batch", 384]]}
    assert told["inputs"] == {"input_ids": ["tensor(int64)", ["batch", "sequence"]], "attention_mask": ["tensor(int64)", ["batch", "sequence"]]}
    found = np.asarray(answer("embeddings", Path(told["artifact"]).with_name("job"), artifact=told["artifact"], test=str(minilm.test), batch=48), np.float32)
    reference = np.load(minilm.folder / "reference.npy")
    assert np.abs(found - reference).max() < 1e-5 and np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert top1(found) == top1(reference) > 0.9


def test_a_classifier_of_pairs_is_told_which_of_the_two_a_token_is_of(made: dict[str, dict[str, Any]]) -> None:
    told = made["pairs"]
    assert set(told["inputs"]) == {"input_ids", "attention_mask", "token_type_ids"} and told["outputs"] == {"logits": ["tensor(float)", ["batch", 3]]}
    assert told["facts"]["architecture"] == "BertForSequenceClassification" and told["facts"]["pooling"] == ""


def test_pictures_have_a_free_batch_and_the_models_own_size(made: dict[str, dict[str, Any]]) -> None:
    assert made["pictures"]["inputs"] == {"pixel_values": ["tensor(float)", ["batch", 3, 32, 32]]}
    assert made["pictures"]["outputs"] == {"logits": ["tensor(float)", ["batch", 5]]}


def test_a_static_shape_leaves_nothing_free(made: dict[str, dict[str, Any]]) -> None:
    assert {tuple(axes) for _, axes in made["fixed"]["inputs"].values()} == {(1, 12)} and made["fixed"]["outputs"] == {"logits": ["tensor(float)", [1, 3]]}


def test_a_file_that_is_onnx_already_is_copied(made: dict[str, dict[str, Any]], minilm: Trained) -> None:
    assert made["copied"]["facts"]["copied"] is True
    assert Path(made["copied"]["artifact"]).stat().st_size == minilm.model.stat().st_size


def test_what_it_does_not_export_is_named(tiny_llama: Trained, minilm: Trained, python: Path, tmp_path: Path) -> None:
    hf = minilm.folder / "model"
    strange = tmp_path / "strange"
    shutil.copytree(hf, strange, ignore=shutil.ignore_patterns("*.safetensors"))
    (strange / "config.json").write_text('{"model_type": "bert", "architectures": ["NoSuchModel"]}', "utf-8")
    dense = tmp_path / "dense"
    shutil.copytree(hf, dense)
    (dense / "modules.json").write_text('[{"type": "x.Transformer", "path": ""}, {"type": "x.Pooling", "path": "1_Pooling"}, {"type": "x.Dense", "path": "2_Dense"}]', "utf-8")
    (tmp_path / "forest.joblib").write_bytes(b"cos\nsystem\n(S'touch loaded'\ntR.")
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    (tmp_path / "empty").mkdir()
    orders = {
        "LlamaForCausalLM": order(tiny_llama.model, tmp_path / "1"), "int8-dynamic": order(hf, tmp_path / "2", "int8-dynamic"), "NoSuchModel": order(strange, tmp_path / "3"),
        "Dense": order(dense, tmp_path / "4"), "forest.joblib": order(tmp_path / "forest.joblib", tmp_path / "5"), "broken.onnx": order(tmp_path / "broken.onnx", tmp_path / "6"),
        "static_shape": order(hf, tmp_path / "7", static_shape=[1, 2, 3]), "empty": order(tmp_path / "empty", tmp_path / "8"),
    }
    told = answer("prepare_all", tmp_path / "job", python, orders=orders)
    for name, row in told.items():
        assert row["kind"] == "unsupported" and name in row["message"], (name, row)
    assert "skl2onnx" in " ".join(told["forest.joblib"]["hints"]) and not list(tmp_path.rglob("loaded"))


def test_it_is_available_where_pytorch_is() -> None:
    told = PREPARER.availability()
    assert PREPARER.environment == "conversion" and (told.ok or (told.reason and "on demand" in told.hint))
