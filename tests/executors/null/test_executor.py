from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from recommender.domain.errors import Unsupported
from recommender.executors import registry
from recommender.executors.null.executor import PREPARER, RUNNER
from recommender.ports import PrepareJob
from tests.measure.null_artifact import artifact


def test_it_is_found_by_name() -> None:
    assert registry.runner("null") is RUNNER and registry.preparer("null") is PREPARER
    assert RUNNER.availability().ok and PREPARER.availability().ok


def test_a_graph_gives_its_input_back(tmp_path: Path) -> None:
    session = RUNNER.open(artifact(tmp_path), {})
    x = np.arange(8, dtype=np.float32)[None]
    assert (session.run({"x": x})["y"] == x).all()
    session.run_all([{"x": x}] * 3)
    session.close()


def test_an_error_is_the_same_at_every_call(tmp_path: Path) -> None:
    session = RUNNER.open(artifact(tmp_path), {"error": 0.1})
    x = np.zeros((1, 8), np.float32)
    first, second = (session.run({"x": x})["y"] for _ in range(2))
    assert (first == second).all() and 0 < abs(first).max() < 1


def test_nan_begins_at_the_call_it_was_told_for(tmp_path: Path) -> None:
    session = RUNNER.open(artifact(tmp_path, nan=3), {})
    x = np.ones((1, 8), np.float32)
    assert [bool(np.isnan(session.run({"x": x})["y"]).any()) for _ in range(4)] == [False, False, True, True]


def test_tokens_follow_the_most_probable_path(tmp_path: Path) -> None:
    session = RUNNER.open(artifact(tmp_path, kind="tokens"), {})
    seen: list[int] = []
    prompt = session.tokenize("a text")
    tokens = session.generate(prompt, 5, lambda: seen.append(1))
    assert len(tokens) == len(seen) == 5
    logits = session.logits([*prompt, *tokens])
    assert logits.shape == (len(prompt) + 5, session.n_vocab)
    assert list(logits.argmax(axis=1)[len(prompt) - 1 : -1]) == tokens
    assert len(session.complete("a text", 5)) == 5


def test_noise_differs_between_processes_only(tmp_path: Path) -> None:
    path = artifact(tmp_path, latency=1e-4, noise=0.5)
    first, same, other = (RUNNER.open(path, {"seed": seed})._script._latency for seed in (1, 1, 2))
    assert first == same != other


@pytest.mark.parametrize("content", ["no JSON", "[1]", '{"kind": "video"}'])
def test_what_is_not_ours_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "model.json"
    path.write_text(content, "utf-8")
    with pytest.raises(Unsupported, match=re.escape(str(tmp_path))):
        RUNNER.open(tmp_path, {})


@pytest.mark.parametrize("is_folder", [True, False])
def test_preparing_copies(tmp_path: Path, is_folder: bool) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    out.mkdir()
    if is_folder:
        source.mkdir()
        artifact(source).rename(source / "model.json")
    else:
        artifact(tmp_path).rename(source)
    said: list[str] = []
    made = PREPARER.prepare(PrepareJob(source=source, out=out, scheme={"key": "F32"}), said.append)
    assert said == ["copying source"]
    RUNNER.open(out / made.artifact, {})
    json.dumps(made.facts)
