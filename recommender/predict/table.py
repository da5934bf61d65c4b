"""Tables in and out: CSV (also compressed) and Parquet, files and streams. What is written is whole or not there."""

from __future__ import annotations

import csv
import gzip
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

from recommender.domain.errors import ExecutorUnavailable, UsageError
from recommender.predict.batch import COLUMNS, NUMBERS, Row

STREAM = "-"
FORMATS = ("csv", "parquet")
_PARQUET = (".parquet", ".pq")
_MAGIC = b"PAR1"  # a Parquet file begins and ends with it
_BATCH = 10_000  # rows that are converted at once
_INSTALL = "pip install 'edge-recommender[team]'"


class Table:
    """The rows of one input, read once. `columns` without those that are answered anew; `format` as it was found.

    Raises:
        UsageError: no such file, no header, a column that occurs twice, or a Parquet file that is none. ExecutorUnavailable: pyarrow is missing.
    """

    def __init__(self, words: str):
        self.words = words
        raw = _opened(words)
        head = raw.peek(len(_MAGIC))[: len(_MAGIC)]
        self.format = "parquet" if head == _MAGIC else "csv"
        if self.format == "csv" and words.lower().endswith(_PARQUET):
            raise UsageError(f"`{words}` is no Parquet file: it does not begin with PAR1", hints=(f"recommend predict {words}.csv -o predicted.csv",))
        self.parquet: Any = _parquet_file(raw, words) if self.format == "parquet" else None
        self._lines = csv.reader(_text(raw)) if self.format == "csv" else iter(())
        header = self.parquet.schema_arrow.names if self.parquet else self._header()
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise UsageError(f"`{words}`: the column `{twice[0]}` occurs {header.count(twice[0])} times", hints=("name each column once",))
        self._all = header
        self.columns = [name for name in header if name not in COLUMNS]

    def _header(self) -> list[str]:
        csv.field_size_limit(sys.maxsize if sys.maxsize < 2**31 else 2**31 - 1)
        try:
            header = next(self._lines, [])
        except (csv.Error, OSError, EOFError) as error:
            raise UsageError(f"`{self.words}` cannot be read as CSV: {error}", hints=("recommend predict cases.csv -o predicted.csv",)) from None
        if not any(name.strip() for name in header):
            raise UsageError(f"`{self.words}` has no header line", hints=("its first line names the columns: device,framework,model,quant",))
        if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
            raise UsageError(f"`{self.words}`: its columns are not separated by commas (`{header[0][:60]}`)", hints=("write it with commas between the columns",))
        return [name.strip() for name in header]

    def rows(self) -> Iterator[Row]:
        """In order; a row that is too short or too long is kept as far as it goes, with its fault."""
        return self._parquet_rows() if self.parquet else self._csv_rows()

    def _csv_rows(self) -> Iterator[Row]:
        names, n = self._all, len(self._all)
        while True:
            try:
                cells = next(self._lines)
            except StopIteration:
                return
            except (csv.Error, OSError, EOFError) as error:
                yield Row(values={}, fault=f"cannot be read: {error}")
                if not isinstance(error, csv.Error):
                    return
                continue
            if len(cells) == n:
                yield Row(values=dict(zip(names, cells, strict=True)))
            elif cells:  # an empty line is no row
                yield Row(values=dict(zip(names, cells, strict=False)), fault=f"it has {len(cells)} fields, the header {n}")

    def _parquet_rows(self) -> Iterator[Row]:
        for batch in self.parquet.iter_batches(batch_size=_BATCH):
            for item in batch.to_pylist():
                yield Row(values={name: _as_text(value) for name, value in item.items()}, cells=item)


@contextmanager
def writer(words: str, table: Table, form: str) -> Iterator[Any]:
    """A sink with `write(row, answers)`: a file that appears whole at the end, or the standard output.

    Raises:
        UsageError: the folder is not there. ExecutorUnavailable: pyarrow is missing.
    """
    make = _ParquetSink if form == "parquet" else _CSVSink
    if words == STREAM:
        sink = make(sys.stdout.buffer, table)
        yield sink
        sink.close()
        return
    path = Path(words)
    if not path.parent.is_dir():
        raise UsageError(f"-o `{words}`: there is no folder `{path.parent}`", hints=(f"mkdir -p {path.parent}",))
    if path.is_dir():
        raise UsageError(f"-o `{words}` is a folder", hints=(f"recommend predict {table.words} -o {path / 'predicted.csv'}",))
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            sink = make(stream, table)
            yield sink
            sink.close()
        os.chmod(unfinished, 0o666 & ~_umask())
        os.replace(unfinished, path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def format_of(words: str, table: Table, asked: str | None) -> str:
    """What the user said, else what the name of the output says, else as the input is."""
    if asked:
        return asked
    if words.lower().endswith(_PARQUET):
        return "parquet"
    return table.format if words == STREAM else "csv"


class _CSVSink:
    def __init__(self, stream: IO[bytes], table: Table):
        self._text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="", write_through=False)
        self._write = csv.writer(self._text, lineterminator="\n").writerow
        self._columns = table.columns
        self._pick = itemgetter(*table.columns) if len(table.columns) > 1 else None
        self._write([*table.columns, *COLUMNS])

    def write(self, row: Row, answers: Mapping[str, float | str]) -> None:
        told = answers.get
        kept = [row.values.get(name, "") for name in self._columns] if row.fault or not self._pick else self._pick(row.values)
        self._write([*kept, *[f"{value:.6g}" if type(value := told(name, "")) is float else value for name in COLUMNS]])

    def close(self) -> None:
        self._text.flush()
        self._text.detach()


class _ParquetSink:
    """The columns of a Parquet input keep their types; those of a CSV are text."""

    def __init__(self, stream: IO[bytes], table: Table):
        arrow, parquet = _arrow()
        kept = [table.parquet.schema_arrow.field(name) for name in table.columns] if table.parquet else [arrow.field(name, arrow.string()) for name in table.columns]
        self._schema = arrow.schema([*kept, *(arrow.field(name, arrow.float64() if name in NUMBERS else arrow.string()) for name in COLUMNS)])
        self._kept = frozenset(table.columns)
        self._writer = parquet.ParquetWriter(stream, self._schema)
        self._arrow, self._rows = arrow, list[tuple[Row, Mapping[str, float | str]]]()

    def write(self, row: Row, answers: Mapping[str, float | str]) -> None:
        self._rows.append((row, answers))
        if len(self._rows) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        arrays = [self._arrow.array(self._column(field.name), field.type) for field in self._schema]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()

    def _column(self, name: str) -> list[Any]:
        if name in self._kept:
            return [row.cells[name] if row.cells is not None else row.values.get(name) for row, _ in self._rows]
        return [answers.get(name) for _, answers in self._rows]

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()


def _opened(words: str) -> io.BufferedReader:
    if words == STREAM:
        return sys.stdin.buffer  # type: ignore[return-value]
    try:
        return open(words, "rb")
    except FileNotFoundError:
        raise UsageError(f"`{words}`: there is no such file", hints=("recommend predict cases.csv -o predicted.csv",)) from None
    except IsADirectoryError:
        raise UsageError(f"`{words}` is a folder; name a CSV or Parquet file in it", hints=(f"ls {words}",)) from None


def _text(raw: io.BufferedReader) -> Iterable[str]:
    """UTF-8 with or without its mark; bytes that are not are kept as they are."""
    plain: IO[bytes] = gzip.open(raw) if raw.peek(2)[:2] == b"\x1f\x8b" else raw  # type: ignore[assignment]
    return io.TextIOWrapper(plain, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _parquet_file(raw: io.BufferedReader, words: str) -> Any:
    arrow, parquet = _arrow()
    try:
        return parquet.ParquetFile(raw if raw.seekable() else io.BytesIO(raw.read()))
    except (arrow.ArrowException, OSError) as error:
        raise UsageError(f"`{words}` is no whole Parquet file: {' '.join(str(error).split())}", hints=("recommend predict cases.csv -o predicted.csv",)) from None


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ExecutorUnavailable("Parquet needs pyarrow, which is not installed", hints=(_INSTALL,)) from None
    return pyarrow, pyarrow.parquet


def _as_text(value: Any) -> str:
    """A cell as the estimators read it; what is null or not a number is empty."""
    return "" if value is None or value != value else str(value)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
