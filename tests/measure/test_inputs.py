from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recommender.domain.errors import Unsupported, WrongOutput
from recommender.executors.null.executor import RUNNER
from recommender.measure.inputs import checked, default_text, file_feeds, graph_inputs, prompts
from recommender.ports import TensorSpec
from tests.measure.null_artifact import artifact

SPECS = (
    TensorSpec(name="input_ids", dtype="int64", shape=(None, None)),
    TensorSpec(name="attention_mask", dtype="int64", shape=(None, None)),
    TensorSpec(name="token_type_ids", dtype="int64", shape=(None, None)),
    TensorSpec(name="position_ids", dtype="int32", shape=(1, 16)),
    TensorSpec(name="pixels", dtype="float16", shape=(None, 3, 4, 4)),
)


def test_synthetic_inputs_are_what_their_names_say() -> None:
    found = graph_inputs(SPECS, {"batch": 2, "free_dimension": 16, "vocabulary": 50})
    assert found.kind == "synthetic" and len(found.items) == 8
    feed = found.items[0]
    assert {name: array.shape for name, array in feed.items()} == {
        "input_ids": (2, 16), "attention_mask": (2, 16), "token_type_ids": (2, 16), "position_ids": (1, 16), "pixels": (2, 3, 4, 4),
    }
    assert feed["input_ids"].max() < 50 and feed["input_ids"].std() > 0 and (feed["attention_mask"] == 1).all() and (feed["token_type_ids"] == 0).all()
    assert list(feed["position_ids"][0]) == list(range(16)) and feed["pixels"].dtype == np.float16
    assert len({item["pixels"].tobytes() for item in found.items}) == 8
    assert graph_inputs(SPECS, {"batch": 2, "free_dimension": 16, "vocabulary": 50}).sha256 == found.sha256
    assert graph_inputs(SPECS, {"seed": 1}).sha256 != graph_inputs(SPECS, {"seed": 2}).sha256
    assert graph_inputs(SPECS, {"shapes": {"pixels": [5, 3, 4, 4]}}).items[0]["pixels"].shape == (5, 3, 4, 4)


def test_a_file_gives_its_samples(tmp_path: Path) -> None:
    path = tmp_path / "test.npz"
    np.savez(path, x=np.arange(20, dtype=np.float64).reshape(10, 2), labels=np.arange(10))
    spec = TensorSpec(name="x", dtype="float32", shape=(None, 2))
    found = graph_inputs([spec], {"test": str(path), "batch": 3})
    assert found.kind == "file" and [len(item["x"]) for item in found.items] == [3, 3, 3]
    assert found.items[1]["x"].dtype == np.float32 and found.items[1]["x"][0, 0] == 6
    fixed = TensorSpec(name="renamed", dtype="float32", shape=(1, 2))
    assert len(file_feeds([fixed], path)) == 10


@pytest.mark.parametrize(("spec", "words"), [
    (TensorSpec(name="x", dtype="float32", shape=(1, 3)), "the model wants \\[1, 3\\]"),
    (TensorSpec(name="x", dtype="float32", shape=(64, 2)), "fewer samples than one batch of 64"),
])
def test_a_file_that_does_not_fit_is_named(tmp_path: Path, spec: TensorSpec, words: str) -> None:
    path = tmp_path / "test.npz"
    np.savez(path, x=np.zeros((10, 2)))
    with pytest.raises(Unsupported, match=words):
        file_feeds([spec], path)
    with pytest.raises(Unsupported, match="no array for the input `y`"):
        file_feeds([spec, TensorSpec(name="y", dtype="float32", shape=(1,))], path)
    path.write_text("no archive")
    with pytest.raises(Unsupported, match="cannot be read"):
        file_feeds([spec], path)


def test_prompts_are_distinct_windows_of_exact_length(tmp_path: Path) -> None:
    session = RUNNER.open(artifact(tmp_path, kind="tokens"), {})
    found = prompts(session, {"prompt_tokens": 100})
    assert found.kind == "text" and len(found.texts) == 8 and {len(item) for item in found.items} == {100}
    assert len({tuple(item[:10]) for item in found.items}) == 8
    short = tmp_path / "short.txt"
    short.write_text("abcdefghijklmnopqrstuvwxyz" * 5, "utf-8")
    overlapping = prompts(session, {"prompt_tokens": 100, "text": str(short)})
    assert overlapping.kind == "text" and len({tuple(item) for item in overlapping.items}) == 8
    seeded = prompts(session, {"prompt_tokens": 200, "text": str(short)})
    assert (seeded.kind, seeded.texts) == ("synthetic", ()) and {len(item) for item in seeded.items} == {200}
    assert seeded.items == prompts(session, {"prompt_tokens": 200, "text": str(short)}).items
    with pytest.raises(Unsupported, match="nowhere.txt"):
        prompts(session, {"prompt_tokens": 5, "text": str(tmp_path / "nowhere.txt")})


def test_the_default_text_is_long_enough_for_a_deep_context() -> None:
    assert len(default_text()) > 300_000


@pytest.mark.parametrize(("value", "words"), [(float("nan"), "NaN"), (float("inf"), "infinity")])
def test_outputs_are_checked(value: float, words: str) -> None:
    good = {"y": np.zeros((2, 3), np.float32)}
    shapes = checked(good)
    with pytest.raises(WrongOutput, match=f"`y` holds {words}"):
        checked({"y": np.full((2, 3), value, np.float32)}, shapes)
    with pytest.raises(WrongOutput, match="shape"):
        checked({"y": np.zeros((2, 4), np.float32)}, shapes)
    with pytest.raises(WrongOutput, match="no output"):
        checked({})
