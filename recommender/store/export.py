"""Measurements as files: JSON Lines, one object each with every field, and Parquet, one row each with JSON text for what is nested."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from recommender.domain.errors import ActionFailed
from recommender.domain.measurement import Measurement
from recommender.store.rows import finite, to_row

FORMATS = ("jsonl", "parquet")


def lines(measurements: Iterable[Measurement]) -> Iterable[str]:
    """One line of JSON for each."""
    for measurement in measurements:
        yield json.dumps(finite(asdict(measurement)), sort_keys=True, default=str)


def write(measurements: Iterable[Measurement], path: Path, form: str) -> None:
    """Write the file as a whole, or leave what is there.

    Raises:
        ActionFailed: Parquet without pyarrow. OSError: it cannot be written.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        if form == "parquet":
            _write_parquet(measurements, draft)
        else:
            with draft.open("w", encoding="utf-8") as stream:
                stream.writelines(f"{line}\n" for line in lines(measurements))
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _write_parquet(measurements: Iterable[Measurement], path: Path) -> None:
    """Columns as in the store, and `metrics.NAME` with the central value of each metric beside them."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ActionFailed("Parquet needs pyarrow", hints=("pip install 'edge-recommender[team]'", "recommend evidence export -o FILE.jsonl")) from None
    rows = list(measurements)
    metrics = sorted({name for row in rows for name in row.metrics})
    values = {f"metrics.{name}": pyarrow.array([_value(row, name) for row in rows], pyarrow.float64()) for name in metrics}
    stored = [to_row(row) for row in rows]
    kinds = {"valid": pyarrow.bool_()}
    columns = {name: pyarrow.array([row[name] for row in stored], kinds.get(name, pyarrow.string())) for name in Measurement.__dataclass_fields__}
    parquet.write_table(pyarrow.table({**columns, **values}), path)


def _value(row: Measurement, metric: str) -> float | None:
    return row.metrics[metric].value if metric in row.metrics else None
