"""The estimators that answer rows, as the catalogue's fitted data make them; measured cases of a device (anchors) make it known to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from statistics import median
from typing import Any

from recommender.domain.catalog import Catalog
from recommender.domain.quantization import QuantScheme
from recommender.estimate.learned import graph, graphs, language, quality
from recommender.estimate.learned.case import GraphCase, LanguageCase, Predicted, Silicon
from recommender.estimate.learned.quality import QualityCase
from recommender.predict.batch import BOTH, GRAPH, LANGUAGE, Answers, Estimators
from recommender.predict.cells import positive
from recommender.predict.graph_rows import graph_case
from recommender.predict.language_rows import language_case
from recommender.predict.spelling import Names

# column with a measured figure -> metric and the factor to its base unit
MEASURED: Mapping[str, tuple[str, float]] = {"decode_tok_s": ("decode_rate", 1.0), "prefill_tok_s": ("prefill_rate", 1.0), "inference_ms": ("latency", 1e-3)}
_WEIGHT = 1.0  # what the fit expects of a device weighs as much as that many anchors of it
_NOT_FITTED = "the catalogue holds no fitted estimator for it"

Factors = Mapping[tuple[str, str], float]  # (unit, metric) -> measured over predicted, of its anchors


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """A measured case: one metric in its base unit."""

    case: LanguageCase | GraphCase
    metric: str
    value: float


def estimators(catalog: Catalog, names: Names, anchors: Sequence[Anchor] = ()) -> Estimators:
    """Both kinds, with what the anchors say of their devices."""
    fitted = {**catalog.learned}
    on_units = [(anchor.case, anchor.value) for anchor in anchors if isinstance(anchor.case, GraphCase) and anchor.metric == "latency"]
    if on_units and "graph" in fitted:
        fitted["graph"] = graph.anchored(fitted["graph"], on_units)
    factors = _factors([anchor for anchor in anchors if not (isinstance(anchor.case, GraphCase) and _is_on_unit(anchor.case, fitted))], fitted)
    kept: dict[tuple[Any, ...], Predicted | str] = {}

    def answer_language(row: Mapping[str, str]) -> Answers:
        case = language_case(row, names)
        if isinstance(case, str):
            return dict.fromkeys((*LANGUAGE, *BOTH), case)
        return {**_scaled(_of_language(case, fitted), case.silicon, factors), **_loss(_quality_of(case, catalog), fitted, kept)}

    def answer_graph(row: Mapping[str, str]) -> Answers:
        case = graph_case(row, names)
        if isinstance(case, str):
            return dict.fromkeys((*GRAPH, *BOTH), case)
        return {**_scaled(_of_graph(case, fitted), case.silicon, factors), **_loss(_quality_of_graph(case), fitted, kept)}

    return Estimators(language=answer_language, graph=answer_graph)


def anchors_of(rows: Iterable[Mapping[str, str]], names: Names) -> list[Anchor]:
    """Rows that hold measured figures in the columns of MEASURED; those that cannot be read are left out."""
    found = []
    for row in rows:
        case = language_case(row, names) if row.get("quant") else graph_case(row, names)
        for column, (metric, factor) in MEASURED.items():
            value = positive(row.get(column))
            if value and not isinstance(case, str):
                found.append(Anchor(case=case, metric=metric, value=value * factor))
    return found


def _of_language(case: LanguageCase, fitted: Mapping[str, Mapping[str, Any]]) -> Answers:
    return language.predict(case, fitted["language"]) if "language" in fitted else dict.fromkeys(LANGUAGE, _NOT_FITTED)


def _is_on_unit(case: GraphCase, fitted: Mapping[str, Mapping[str, Any]]) -> bool:
    return case.path in fitted.get("graph", {}).get("paths", ())


def _of_graph(case: GraphCase, fitted: Mapping[str, Mapping[str, Any]]) -> Answers:
    if _is_on_unit(case, fitted):
        return graph.predict(case, fitted["graph"])
    if "graphs" not in fitted:
        return dict.fromkeys(GRAPH, _NOT_FITTED)
    return {"peak_memory": "no figures of memory are published for this path", **graphs.predict(case, fitted["graphs"])}


def _factors(anchors: Sequence[Anchor], fitted: Mapping[str, Mapping[str, Any]]) -> Factors:
    """The median ratio of a unit's anchors, drawn toward one."""
    told: dict[tuple[str, str], list[float]] = {}
    for anchor in anchors:
        found = _of_language(anchor.case, fitted) if isinstance(anchor.case, LanguageCase) else _of_graph(anchor.case, fitted)
        expected = found.get(anchor.metric)
        if isinstance(expected, Predicted):
            told.setdefault((_unit(anchor.case.silicon), anchor.metric), []).append(log(anchor.value / expected.central))
    return {unit: exp(median(ratios) * len(ratios) / (len(ratios) + _WEIGHT)) for unit, ratios in told.items()}


def _unit(silicon: Silicon) -> str:
    return silicon.key or silicon.name


def _scaled(found: Answers, silicon: Silicon, factors: Factors) -> Answers:
    if not factors:
        return found
    scaled = dict(found)
    for metric, value in found.items():
        factor = factors.get((_unit(silicon), metric))
        if factor and isinstance(value, Predicted):
            scaled[metric] = replace(value, central=value.central * factor, low=value.low * factor, high=value.high * factor, step="exact", parts={**value.parts, "anchors": factor})
    return scaled


def _quality_of(case: LanguageCase, catalog: Catalog) -> QualityCase:
    scheme: QuantScheme | None = catalog.schemes.get(case.scheme)
    return QualityCase(
        scheme=case.scheme, bits_per_weight=case.bits_per_weight, scope=scheme.scope if scheme else "", activation_bits=scheme.activation_bits if scheme else None,
        family=case.family, n_params=case.n_params, task="text-generation", framework=case.framework, model=case.model,
        metric="" if scheme is None or "gguf" in scheme.formats else "accuracy",
    )


def _quality_of_graph(case: GraphCase) -> QualityCase:
    return QualityCase(
        scheme=case.scheme, n_params=case.n_params, task=case.task, structure=case.structure, framework=case.framework, precision=case.precision, model=case.base_model or case.model,
    )


def _loss(case: QualityCase, fitted: Mapping[str, Mapping[str, Any]], kept: dict[tuple[Any, ...], Predicted | str]) -> dict[str, Predicted | str]:
    """The same model under the same scheme occurs on many devices."""
    asked = (case.scheme, case.precision, case.model, case.framework, case.n_params, case.task)
    if asked not in kept:
        kept[asked] = quality.predict(case, fitted["quality"]) if "quality" in fitted else _NOT_FITTED
    return {"quality_drop": kept[asked]}
