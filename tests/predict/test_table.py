"""Tables in and out: nothing of a row is lost, one bad row stops nothing, a file is whole or not there."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from recommender.domain.errors import UsageError
from recommender.estimate.learned.case import Predicted
from recommender.predict.batch import COLUMNS, WHY, Estimators, answered
from recommender.predict.table import Table, format_of, writer

RATE = Predicted(central=20.0, low=15.0, high=25.0, step="class")


def _language(row: Mapping[str, str]) -> dict[str, Predicted | str]:
    if row["model"] == "broken":
        raise ZeroDivisionError("division by zero")
    return {"decode_rate": RATE, "prefill_rate": "the device's operations per second are not known", "ttft": RATE, "peak_memory": RATE, "quality_drop": RATE}


def _graph(row: Mapping[str, str]) -> dict[str, Predicted | str]:
    return {"latency": Predicted(central=0.01, low=0.005, high=0.02, step="analytic"), "peak_memory": Predicted(central=2.0**20, low=0.0, high=2.0**21, step="exact"), "quality_drop": "no"}


ESTIMATORS = Estimators(language=_language, graph=_graph)


def _run(source: Path, out: Path) -> list[dict[str, str]]:
    table = Table(str(source))
    with writer(str(out), table, format_of(str(out), table, None)) as sink:
        for row, answers in answered(table.rows(), ESTIMATORS):
            sink.write(row, answers)
    return list(csv.DictReader(io.StringIO(out.read_text("utf-8", "surrogateescape")))) if out.suffix == ".csv" else []


def test_rows_keep_their_order_number_and_columns(tmp_path: Path) -> None:
    source = tmp_path / "cases.csv"
    source.write_text('model,quant,precision,note\nm1,Q4_0,,"a, b"\nm2,,w8a8,"two\nlines"\nm3,,,\nm4,Q4_0,float,\n', "utf-8")
    rows = _run(source, tmp_path / "out.csv")
    assert [(row["model"], row["note"]) for row in rows] == [("m1", "a, b"), ("m2", "two\nlines"), ("m3", ""), ("m4", "")]
    assert list(rows[0]) == ["model", "quant", "precision", "note", *COLUMNS]
    assert (rows[0]["predicted_decode_tok_s"], rows[0]["predicted_decode_tok_s_low"], rows[0]["predicted_decode_tok_s_basis"]) == ("20", "15", "calibrated")
    assert rows[0]["predicted_ttft_ms"] == "20000" and rows[0]["predicted_inference_ms"] == "" and rows[0]["predicted_prefill_tok_s"] == ""
    assert rows[0][WHY] == "prefill_rate: the device's operations per second are not known"
    assert (rows[1]["predicted_inference_ms"], rows[1]["predicted_inference_ms_basis"], rows[1]["predicted_peak_mem_mb_high"]) == ("10", "analytic", "2")
    assert "neither" in rows[2][WHY] and "both" in rows[3][WHY]


def test_bad_rows_say_why_and_stop_nothing(tmp_path: Path) -> None:
    source = tmp_path / "cases.csv"
    source.write_bytes(b"model,quant\nm1,Q4_0,surplus\nm2\nbroken,Q4_0\n\nm\xff5,Q4_0\n")
    rows = _run(source, tmp_path / "out.csv")
    assert len(rows) == 4
    assert rows[0][WHY] == "it has 3 fields, the header 2" and rows[1][WHY] == "it has 1 fields, the header 2"
    assert "ZeroDivisionError" in rows[2][WHY]
    assert rows[3]["predicted_decode_tok_s"] == "20" and rows[3]["model"].encode("utf-8", "surrogateescape") == b"m\xff5"


def test_answers_that_are_there_already_are_replaced(tmp_path: Path) -> None:
    source = tmp_path / "cases.csv"
    source.write_text("model,quant,predicted_decode_tok_s,why_unknown,decode_tok_s\nm1,Q4_0,99999,old,3\n", "utf-8")
    (row,) = _run(source, tmp_path / "out.csv")
    assert row["predicted_decode_tok_s"] == "20" and row["decode_tok_s"] == "3" and "old" not in row[WHY]


def test_compressed_and_marked_files_are_read(tmp_path: Path) -> None:
    source = tmp_path / "cases.csv.gz"
    source.write_bytes(gzip.compress("\ufeffmodel,quant\r\nm1,Q4_0\r\n".encode()))
    (row,) = _run(source, tmp_path / "out.csv")
    assert row["model"] == "m1" and row["predicted_decode_tok_s"] == "20"


def test_parquet_keeps_types_and_nulls(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns: dict[str, Any] = {"model": ["m1", "m2"], "quant": ["Q4_0", None], "threads": arrow.array([4, None], arrow.int64()), "params_b": [float("nan"), 1.5]}
    parquet.write_table(arrow.table(columns), tmp_path / "cases.parquet")
    _run(tmp_path / "cases.parquet", tmp_path / "out.parquet")
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found.column_names == ["model", "quant", "threads", "params_b", *COLUMNS]
    assert found.schema.field("threads").type == arrow.int64() and found["threads"].to_pylist() == [4, None]
    assert found["predicted_decode_tok_s"].to_pylist() == [20.0, None] and "neither" in found[WHY].to_pylist()[1]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "header"), (b"a,b,a\n1,2,3\n", "`a` occurs 2 times"), (b"model;quant\nm;Q4_0\n", "commas"), (b"PAR1 nothing", "Parquet")],
)
def test_what_is_no_table_is_refused_with_its_name(content: bytes, words: str, tmp_path: Path) -> None:
    source = tmp_path / "cases.csv"
    source.write_bytes(content)
    with pytest.raises(UsageError) as raised:
        Table(str(source))
    assert words in raised.value.message and str(source) in raised.value.message and raised.value.hints


def test_nothing_is_half_written(tmp_path: Path) -> None:
    source, out = tmp_path / "cases.csv", tmp_path / "out.csv"
    source.write_text("model,quant\nm1,Q4_0\n", "utf-8")
    out.write_text("before", "utf-8")
    table = Table(str(source))
    with pytest.raises(KeyboardInterrupt), writer(str(out), table, "csv") as sink:
        sink.write(next(iter(table.rows())), {})
        raise KeyboardInterrupt
    assert out.read_text("utf-8") == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cases.csv", "out.csv"]


def test_an_output_without_a_folder_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "cases.csv"
    source.write_text("model,quant\n", "utf-8")
    with pytest.raises(UsageError, match="no folder"), writer(str(tmp_path / "absent" / "out.csv"), Table(str(source)), "csv"):
        pass
