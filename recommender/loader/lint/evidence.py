"""Evidence: keys exist, values are positive, dates are dates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from recommender.domain.evidence import Evidence
from recommender.domain.workload import METRICS
from recommender.loader.lint.finding import Finding, Knowledge

_MAY_BE_NEGATIVE = ("quality_drop",)  # a quantized model may do better than its source


def check(knowledge: Knowledge) -> Iterator[Finding]:
    rows = [(row, number) for model in knowledge.catalog.evidence.values() for number, row in enumerate(model)]
    for row, number in rows:
        places = knowledge.evidence_places.get(row.model, ())
        where = places[number] if number < len(places) else f"evidence:{row.model}"
        for message in _faults(row, knowledge):
            yield Finding(
                lint="evidence", level="error", where=where, message=f"{row.model} on {row.device or row.digest}: {message}"
            )


def _faults(row: Evidence, knowledge: Knowledge) -> Iterator[str]:
    catalog = knowledge.catalog
    if row.metric not in METRICS:
        yield f"unknown metric `{row.metric}`"
    elif row.value <= 0 and row.metric not in _MAY_BE_NEGATIVE:
        yield f"`{row.metric}` is {row.value:g}"
    for name, valid in (("model", catalog.models), ("framework", catalog.frameworks), ("scheme", catalog.schemes)):
        if getattr(row, name) not in valid:
            yield f"{name} `{getattr(row, name)}` does not exist"
    if not row.device and not row.digest:
        yield "names neither a device nor a machine"
    if row.device and row.device not in catalog.devices:
        yield f"device `{row.device}` does not exist"
    if row.execution_provider and row.execution_provider not in knowledge.listed("execution_providers"):
        yield f"execution provider `{row.execution_provider}` is not known"
    if row.low is not None and row.high is not None and not row.low <= row.value <= row.high:
        yield f"{row.low:g} <= {row.value:g} <= {row.high:g} does not hold"
    if row.date and not _is_date(row.date):
        yield f"`{row.date}` is no date"


def _is_date(text: str) -> bool:
    """An ISO date, or a year with or without a month."""
    try:
        date.fromisoformat(text if len(text) == 10 else f"{text}-01" if len(text) == 7 else f"{text}-01-01")
    except ValueError:
        return False
    return True
