"""Rows in, rows out: which estimator answers a row, and the columns it is answered with. One bad row never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from recommender.estimate.learned.case import Predicted

# metric -> (column, factor from base units to the column's)
LANGUAGE: Mapping[str, tuple[str, float]] = {
    "decode_rate": ("predicted_decode_tok_s", 1.0), "prefill_rate": ("predicted_prefill_tok_s", 1.0), "ttft": ("predicted_ttft_ms", 1e3),
    "peak_memory": ("predicted_peak_mem_gib", 2.0**-30),
}  # fmt: skip
GRAPH: Mapping[str, tuple[str, float]] = {"latency": ("predicted_inference_ms", 1e3), "peak_memory": ("predicted_peak_mem_mb", 2.0**-20)}
BOTH: Mapping[str, tuple[str, float]] = {"quality_drop": ("predicted_quality_drop_pct", 100.0)}
WHY = "why_unknown"
_ENDS = ("", "_low", "_high", "_basis")
COLUMNS: tuple[str, ...] = (*(f"{column}{end}" for table in (LANGUAGE, GRAPH, BOTH) for column, _ in table.values() for end in _ENDS), WHY)
NUMBERS = frozenset(column for column in COLUMNS if not column.endswith(("_basis", WHY)))

_TOLD: Mapping[str, list[tuple[str, str, str, str, str, float]]] = {  # metric, its four columns, factor
    form: [(metric, column, f"{column}_low", f"{column}_high", f"{column}_basis", factor) for table in (own, BOTH) for metric, (column, factor) in table.items()]
    for form, own in (("language", LANGUAGE), ("graph", GRAPH))
}

Answers = Mapping[str, Predicted | str]  # metric -> number with interval, or the reason why there is none
Estimator = Callable[[Mapping[str, str]], Answers]


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimators:
    """What answers a row of a language model, and one of a graph."""

    language: Estimator
    graph: Estimator


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row as text; `cells`: as a table with types has them. `fault`: what is wrong with it as a row (too short, too long), empty if nothing is."""

    values: Mapping[str, str]
    fault: str = ""
    cells: Mapping[str, Any] | None = None


def answered(rows: Iterable[Row], estimators: Estimators) -> Iterator[tuple[Row, dict[str, float | str]]]:
    """Each row with its columns of COLUMNS, in the order of the rows. A column that is left out is empty."""
    for row in rows:
        yield row, _answer(row, estimators)


def _answer(row: Row, estimators: Estimators) -> dict[str, float | str]:
    if row.fault:
        return {WHY: row.fault}
    is_language, is_graph = row.values.get("quant", "").strip(), row.values.get("precision", "").strip()
    if bool(is_language) == bool(is_graph):
        return {WHY: "both `quant` and `precision` are filled in: a language model or a graph?" if is_language else "neither `quant` nor `precision` is filled in"}
    try:
        found = (estimators.language if is_language else estimators.graph)(row.values)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # a fault of ours must not cost the user his other rows
        return {WHY: f"could not be computed ({type(error).__name__}: {error})"}
    told: dict[str, float | str] = {}
    reasons: dict[str, None] = {}
    for metric, column, low, high, basis, factor in _TOLD["language" if is_language else "graph"]:
        value = found.get(metric, "")
        if isinstance(value, str):
            told[basis] = "unknown"
            reasons[f"{metric}: {value or 'nothing is known of it'}"] = None
        else:
            told[column], told[low], told[high] = value.central * factor, value.low * factor, value.high * factor
            told[basis] = basis_of(value)
    if reasons:
        told[WHY] = "; ".join(reasons)
    return told


def basis_of(value: Predicted) -> str:
    """`calibrated` as far as evidence of the class went in."""
    return "analytic" if value.step == "analytic" else "calibrated"
