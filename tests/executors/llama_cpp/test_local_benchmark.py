"""The check of predictions on this machine: its files run, what was frozen cannot be changed, and the table counts what it shows."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks.local import freeze, measure, table, thawed
from benchmarks.local_models import Shape, made
from recommender.executors.llama_cpp.tensors import count_types, held_tensors

TINY = Shape(key="tiny-1m", architecture="qwen2", layers=2, hidden=128, heads=4, kv_heads=2, head_size=32, ffn=256, vocabulary=512)


def cell(**values: Any) -> dict[str, Any]:
    rates = {metric: {"predicted": [50.0, 100.0, 200.0], "rounds": [100.0]} for metric in ("decode_rate", "prefill_rate")}
    return {"shape": TINY.key, "level": "Q8_0", "threads": 1, "prompt": 8, **rates, **values}


@pytest.mark.skipif(find_spec("llama_cpp") is None or find_spec("gguf") is None, reason="llama.cpp is not installed")
def test_the_files_are_made_once_and_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.local.SHAPES", (TINY,))
    monkeypatch.setattr("benchmarks.local._PROMPT", 8)
    monkeypatch.setattr("benchmarks.local._OUTPUT", 8)
    monkeypatch.setattr("benchmarks.local._LIMITS", {"warm_up_calls": 1, "warm_up_seconds": 0.0, "samples": 1, "seconds": 0.1})
    path = made(TINY, "Q8_0", tmp_path)
    stamp = path.stat().st_mtime_ns
    assert set(count_types(held_tensors(path))) == {"Q8_0", "F32"}
    asked = [cell(decode_rate={"predicted": [0.0, 1.0, 1e9]}, prefill_rate={"predicted": [0.0, 1.0, 1e9]})]
    measure(asked, tmp_path, 2)
    assert all(len(asked[0][metric]["rounds"]) == 2 and min(asked[0][metric]["rounds"]) > 0 for metric in ("decode_rate", "prefill_rate"))
    assert made(TINY, "Q8_0", tmp_path).stat().st_mtime_ns == stamp
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tiny-1m-Q8_0.gguf"]


def test_what_was_frozen_comes_back_and_a_change_is_found(tmp_path: Path) -> None:
    path = tmp_path / "predictions.json"
    freeze({"machine": {}, "cells": [cell()]}, path)
    assert thawed(path)["cells"] == [cell()]
    path.write_text(path.read_text("utf-8").replace("200.0", "400.0"), encoding="utf-8")
    with pytest.raises(SystemExit, match="is not what was frozen"):
        thawed(path)


def test_the_table_counts_hits_and_misses() -> None:
    missed = cell(threads=2, decode_rate={"predicted": [50.0, 100.0, 200.0], "rounds": [20.0, 25.0, 900.0]})
    lines = table([cell(), missed]).splitlines()
    assert [line.endswith("MISS") for line in lines if "tiny-1m" in line] == [False, True, False, False]
    assert "decode_rate: median absolute error 150.0%, worst 300.0%; 1 of 2 within their intervals" in lines
    assert "prefill_rate: median absolute error 0.0%, worst 0.0%; 2 of 2 within their intervals" in lines
