"""Imported figures out of the store again: one row a figure, for fits, local calibration and whoever reads them as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommender.domain.measurement import Measurement
from recommender.estimate.evidence import METHOD
from recommender.store.database import Database, at, chosen
from recommender.store.evidence import EvidenceStore


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedRow:
    """One figure that another tool measured, in the metric's base unit. Empty or None: not told.

    Attributes:
        method: the format it was read from (`by-hand`: typed in). device, model: catalogue keys, empty where unknown; `..._name` as told.
        scheme: ours, else as told; precision: as told. low, high: where the source gives a range.
        prompt_tokens, output_tokens: of the test; depth: tokens in the cache before it. component: one network of several.
        flags: why it does not speak for the plain case (partial-offload, split, fallback, several-devices, copied, offline, server, ...).
        date: ISO 8601; empty: not told. version: of the framework or its tools. source: what the user or the file names.
    """

    id: str
    method: str
    device: str
    device_name: str
    model: str
    model_name: str
    framework: str
    execution_provider: str
    scheme: str
    precision: str
    metric: str
    value: float
    low: float | None
    high: float | None
    prompt_tokens: int | None
    output_tokens: int | None
    depth: int | None
    batch: int | None
    threads: int | None
    streams: int | None
    component: str
    flags: tuple[str, ...]
    source: str
    date: str
    version: str


def imported(place: str | Path | None = None) -> tuple[ImportedRow, ...]:
    """All of them, the newest measurement first; none where there is no store yet.

    Args:
        place: a store's file or PostgreSQL URL; None: the one that is in use.

    Raises:
        ActionFailed: the store cannot be read.
    """
    database: Database = chosen() if place is None else at(place)
    rows = EvidenceStore(database).elsewhere()
    return tuple(_row(row, metric) for row in rows if row.method != METHOD for metric, summary in row.metrics.items() if summary.value is not None)


def _row(row: Measurement, metric: str) -> ImportedRow:
    summary, told, work = row.metrics[metric], row.facts, row.workload
    assert summary.value is not None
    return ImportedRow(
        id=row.id, method=row.method, device=text(row.candidate, "device"), device_name=text(told, "device_name"), model=row.model if told.get("is_model_known") else "",
        model_name=text(told, "model_name"), framework=row.framework, execution_provider=row.execution_provider, scheme=row.scheme, precision=text(told, "scheme_name"),
        metric=metric, value=summary.value, low=summary.low, high=summary.high, prompt_tokens=work.get("prompt_tokens"), output_tokens=work.get("output_tokens"),
        depth=work.get("depth"), batch=work.get("batch"), threads=work.get("threads"), streams=work.get("streams"), component=text(told, "component"), flags=row.flags,
        source=text(told, "source"), date=text(told, "date"), version=row.version,
    )


def text(raw: Mapping[str, Any], name: str) -> str:
    return str(raw.get(name) or "")
