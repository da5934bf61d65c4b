"""What leaves the store comes back equal."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recommender.domain.errors import ActionFailed
from recommender.domain.measurement import Measurement
from recommender.loader.plain import from_plain
from recommender.store.evidence import measurement_of
from recommender.store.export import lines, write
from recommender.store.rows import columns
from recommender.testing.store import measurement

ROWS = (measurement(), measurement("m2", valid=False, metrics={}, samples={}, candidate={}), measurement("m3", model="ünï \"x\"\n", build="1\t2"))


def test_json_lines_come_back_equal(tmp_path: Path) -> None:
    write(ROWS, tmp_path / "all.jsonl", "jsonl")
    text = (tmp_path / "all.jsonl").read_text("utf-8").splitlines()
    assert text == list(lines(ROWS))
    assert tuple(from_plain(Measurement, json.loads(line)) for line in text) == ROWS
    assert set(json.loads(text[0])) == set(columns(Measurement))


def test_json_lines_are_json() -> None:
    [line] = lines([measurement(samples={"x": [math.nan, -math.inf, 1.0]})])
    assert json.loads(line, parse_constant=pytest.fail)["samples"] == {"x": [None, None, 1.0]}


def test_parquet_comes_back_equal_and_shows_its_metrics(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    write(ROWS, tmp_path / "all.parquet", "parquet")
    frame = pandas.read_parquet(tmp_path / "all.parquet")
    names = columns(Measurement)
    assert tuple(measurement_of(row) for row in frame[list(names)].to_dict("records")) == ROWS
    assert frame["metrics.decode_rate"].dropna().tolist() == [20.0, 20.0] and frame["valid"].tolist() == [True, False, True]


def test_parquet_of_nothing_has_its_columns(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    write((), tmp_path / "none.parquet", "parquet")
    frame = pandas.read_parquet(tmp_path / "none.parquet")
    assert tuple(frame.columns) == columns(Measurement) and len(frame) == 0


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "all.jsonl").write_text("before")

    def half() -> Iterator[Measurement]:
        yield ROWS[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write(half(), tmp_path / "all.jsonl", "jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["all.jsonl"] and (tmp_path / "all.jsonl").read_text() == "before"


def test_without_pyarrow_a_hint_unlocks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ActionFailed, match="pyarrow") as raised:
        write(ROWS, tmp_path / "all.parquet", "parquet")
    assert "pip install 'edge-recommender[team]'" in raised.value.hints and list(tmp_path.iterdir()) == []
