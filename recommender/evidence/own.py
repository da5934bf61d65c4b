"""Our own schema: CSV or JSON Lines with the columns of `knowledge/evidence/*.csv`, values in base units.

`metric value model framework scheme source device` are needed; `execution_provider version date low high component` and the workload's
`prompt_tokens output_tokens depth batch threads streams` may follow. What `conditions` says is kept as it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from recommender.domain.measurement import Measurement
from recommender.domain.workload import METRICS
from recommender.evidence.figures import counts, figure, number, shown
from recommender.evidence.json_text import objects
from recommender.evidence.told import Document, Fault, NotThisFormat, Rows, Told, attempt, text_of
from recommender.loader.plain import from_plain

_NEEDED = ("metric", "value", "model", "framework", "scheme")
_WORKLOAD = ("prompt_tokens", "output_tokens", "depth", "batch", "threads", "streams")


def read(document: Document) -> Rows:
    """Row by row."""
    text = document.text.lstrip()
    if text.startswith(("{", "[")):
        for row, value in objects(text):
            yield value if isinstance(value, Fault) else _exported(row, value) if "metrics" in value else attempt(row, _told, value)
        return
    rows = csv.DictReader(io.StringIO(text), restkey="")
    missing = [name for name in _NEEDED if name not in (rows.fieldnames or ())]
    if missing:
        raise NotThisFormat(f"its first line does not name {', '.join(missing)}")
    for count, raw in enumerate(rows, 1):
        row = f"row {count}"
        yield attempt(row, _told, raw) if "" not in raw and None not in raw.values() else Fault(row=row, reason="it has another number of fields than the first line")


def _exported(row: str, raw: Mapping[str, Any]) -> Measurement | Fault:
    """A line of `recommend evidence export`, as it was stored there: taken on its own machine, by the method it names."""
    try:
        return whole(raw)
    except (TypeError, ValueError) as error:
        return Fault(row=row, reason=str(error))


def whole(raw: Mapping[str, Any]) -> Measurement:
    """A measurement of plain data, every part of the kind it has in the store.

    Raises:
        TypeError, ValueError: it is not whole, or a figure of it is not finite.
    """
    for part in fields(Measurement):
        value, annotation = raw.get(part.name), str(part.type)
        kind = bool if annotation == "bool" else list if annotation.startswith("tuple[") else dict if annotation.startswith("Mapping[") else str
        is_needed = part.default is MISSING and part.default_factory is MISSING
        if not isinstance(value, kind) and (is_needed or part.name in raw):
            raise ValueError(f"`{part.name}` is missing or of another kind")
    for metric, summary in raw["metrics"].items():
        if not isinstance(summary, dict):
            raise ValueError(f"metrics: `{shown(metric)}` is no object")
        if summary.get("value") is not None:
            number(summary["value"], metric)
    found: Measurement = from_plain(Measurement, {name: raw[name] for name in Measurement.__dataclass_fields__ if name in raw})
    return found


def _told(row: str, raw: Mapping[str, Any]) -> Told:
    metric = text_of(raw["metric"])
    if metric not in METRICS:
        raise ValueError(f"unknown metric `{shown(metric)}` (one of {', '.join(METRICS)})")
    bounds = {name: raw[name] for name in ("low", "high") if raw.get(name) not in (None, "")}
    summary = figure(metric, raw["value"], METRICS[metric][0], **bounds)
    if (summary.low is not None and summary.low > summary.value) or (summary.high is not None and summary.high < summary.value):  # type: ignore[operator]
        raise ValueError(f"{metric}: the value lies outside its own bounds")
    conditions = text_of(raw.get("conditions"))
    provider, device = text_of(raw.get("execution_provider")), text_of(raw.get("device"))
    return Told(
        row=row, metrics={metric: summary}, models=(text_of(raw["model"]),), framework=text_of(raw["framework"]), scheme=text_of(raw["scheme"]),
        devices=(device,) if device else (), back_end=provider, unit="cpu" if provider == "cpu" else "", version=text_of(raw.get("version")),
        date=text_of(raw.get("date")), source=text_of(raw.get("source")), component=text_of(raw.get("component")),
        workload=counts(raw, {name: name for name in _WORKLOAD}), options={"conditions": conditions} if conditions else {},
    )
