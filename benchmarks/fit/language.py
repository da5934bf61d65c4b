"""Fit of `recommender.estimate.learned.language` -> knowledge/calibration/language.json: python -m benchmarks.fit.language

Rates: ridge regression of log(measured rate x seconds by the roofline) on the terms, each device with the same weight. Intervals: conformal, from errors on
silicon that was left out, and, for devices that were measured themselves, on models that were left out.
"""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import Ridge

from benchmarks.fit.conformal import interval_table
from recommender.compose import load_catalog
from recommender.estimate.learned.case import LanguageCase, Silicon
from recommender.estimate.learned.language import first_token, footprint, memory_path, predict, step_of
from recommender.estimate.learned.language_terms import (
    DECODE,
    PREFILL,
    Term,
    decode_time,
    level_of,
    levels,
    peak_of,
    prefill_time,
    stand_in_keys,
)
from recommender.predict.language_rows import language_case
from recommender.predict.spelling import names_of, read_aliases

KNOWLEDGE = Path(__file__).parents[2] / "knowledge"
EVIDENCE = KNOWLEDGE / "evidence" / "language-models.csv"
TARGET = KNOWLEDGE / "calibration" / "language.json"
N_FOLDS = 4
_MIN_TTFT_PROMPT = 100.0  # tokens from which the time to the first token tells the rate of prefilling
_HUBER = 0.4  # of log(measured / predicted): beyond it something else than the terms is at work
_ROUNDS = 4
_LEAST = 0.002  # coefficients below it are left out
_SEPARATOR = "\t"
_ASSUMED_WEIGHT = 0.3  # of a device whose bandwidth had to be assumed
_FEW_ROWS = 2.0
_CLASS = 3  # groups of silicon that make a class: fewer say more of themselves than of it
_FEW = 3.0  # devices that the mean over all weighs, where a framework's own factor is taken


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One measured figure. `group`: silicon; `class_`: what error figures are told by; `is_implied`: follows from another figure, for the fit only."""

    case: LanguageCase
    truth: Mapping[str, float]
    device: str
    group: str
    model: str
    class_: str
    is_implied: bool = False


def rows(path: Path = EVIDENCE) -> list[Row]:
    """The evidence as cases."""
    names = names_of(load_catalog(), read_aliases(KNOWLEDGE / "aliases"))
    found = []
    with open(path, newline="", encoding="utf-8") as stream:
        for line in csv.DictReader(stream):
            case = language_case(line, names)
            if not isinstance(case, str):
                device = case.silicon.key or case.silicon.name
                found.append(Row(
                    case=case, truth={line["metric"]: float(line["value"])}, device=device, group=case.silicon.group or device, model=case.model,
                    class_=case.silicon.kind,
                ))  # fmt: skip
    return found


def fit(rows: Sequence[Row]) -> dict[str, Any]:
    """Coefficients, stand-ins for unknown facts, and intervals."""
    learned = _coefficients(rows)
    held = [(row, _coefficients(known)) for known, left in _folds(rows, "group") for row in [left]]
    apart = [(row, _coefficients(known)) for known, left in _folds(rows, "model") for row in [left]]
    for metric in ("decode_rate", "prefill_rate", "ttft", "peak_memory"):
        errors, keys, groups = _errors(metric, held, "group", lambda step: step != "exact")
        own = _errors(metric, apart, "model", lambda step: step == "exact")
        learned[metric]["intervals"] = _table(errors + own[0], keys + own[1], groups + own[2])
    return learned


def _coefficients(rows: Sequence[Row]) -> dict[str, Any]:
    """Everything but the intervals, which are taken as open here."""
    assumed = _assumed([row.case.silicon for row in rows])
    learned: dict[str, Any] = {"assumed": assumed}
    implied = [*rows, *_implied(rows)]
    learned["decode_rate"] = _rate_part("decode_rate", rows, DECODE, lambda case: decode_time(case, assumed))
    learned["prefill_rate"] = _rate_part("prefill_rate", implied, PREFILL, lambda case: prefill_time(case, assumed))
    learned["ttft"] = {"known": _known(rows, "ttft"), "overhead": {"*": 1.0}, "intervals": {"*": [0.0, 0.0]}}
    learned["peak_memory"] = {"known": _known(rows, "peak_memory"), "copies": _copies(rows), "intervals": {"*": [0.0, 0.0]}}
    learned["ttft"]["overhead"] = _overhead(rows, learned)
    return learned


def _assumed(units: Sequence[Silicon]) -> dict[str, dict[str, float]]:
    """Medians over the measured units that share what `stand_in_keys` names."""
    bandwidths: dict[str, dict[str, float]] = {}
    ratios: dict[str, dict[str, float]] = {}
    for unit in units:
        if unit.memory_bandwidth:
            own = peak_of(unit, {})
            for name in stand_in_keys("bandwidth", unit):
                bandwidths.setdefault(name, {})[unit.key or unit.name] = unit.memory_bandwidth
            for name in stand_in_keys("operations_per_byte", unit) if own else ():
                ratios.setdefault(name, {})[unit.key or unit.name] = own / unit.memory_bandwidth
    tables = {"bandwidth": bandwidths, "operations_per_byte": ratios}
    return {quantity: {name: float(f"{median(values.values()):.4g}") for name, values in table.items()} for quantity, table in tables.items()}


def _implied(rows: Sequence[Row]) -> list[Row]:
    """Rates of prefilling that follow from a time to the first token."""
    return [
        replace(row, truth={"prefill_rate": row.case.prompt_tokens / row.truth["ttft"]}, is_implied=True)
        for row in rows if "ttft" in row.truth and (row.case.prompt_tokens or 0.0) >= _MIN_TTFT_PROMPT
    ]


def _rate_part(metric: str, rows: Sequence[Row], terms: tuple[Term, ...], time_of: Callable[[LanguageCase], Any]) -> dict[str, Any]:
    usable = [(row, time) for row in rows if metric in row.truth for time in [time_of(row.case)] if not isinstance(time, str)]
    counts = Counter(row.device for row, _ in usable)
    found, variables = [levels(row.case) for row, _ in usable], [variables for _, (_, variables) in usable]
    target = np.array([math.log(row.truth[metric] * seconds) for row, (seconds, _) in usable])
    weights = np.array([(1.0 if row.case.silicon.memory_bandwidth else _ASSUMED_WEIGHT) / counts[row.device] for row, _ in usable])
    coefficients = _ridge(terms, found, variables, target, weights)
    shared, own = [term for term in terms if "device" not in term.by], [term for term in terms if "device" in term.by]
    residual = target - [
        sum(coefficients.get(term.name, {}).get(level_of(term, at), 0.0) * values[term.variable] for term in shared) for at, values in zip(found, variables, strict=True)
    ]
    for term in own:
        coefficients[term.name], residual = _own_factors([level_of(term, at) for at in found], residual)
    return {"known": _known([row for row, _ in usable], metric), "coefficients": coefficients, "intervals": {"*": [0.0, 0.0]}}


def _own_factors(owners: Sequence[str], residual: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """What is left of each owner's rows, shrunk as if `_FEW_ROWS` further rows said nothing; and what is left after it.

    Apart from the ridge, where each device weighs the same however many rows it has: a device with many rows knows its own factor well.
    """
    rows_of: dict[str, list[int]] = {}
    for place, owner in enumerate(owners):
        rows_of.setdefault(owner, []).append(place)
    factors = {owner: round(float(np.median(residual[places]) * len(places) / (len(places) + _FEW_ROWS)), 4) for owner, places in rows_of.items()}
    return factors, residual - [factors[owner] for owner in owners]


def _ridge(terms: Sequence[Term], levels_of: Sequence[Mapping[str, str]], variables: Sequence[Mapping[str, float]], target: np.ndarray, weights: np.ndarray) -> dict[str, dict[str, float]]:
    """Term -> level -> coefficient, penalized in terms of weights; residuals beyond `_HUBER` count less (Huber's weights)."""
    keys = DictVectorizer(separator=_SEPARATOR)
    scale = {term.name: 1 / math.sqrt(term.penalty) for term in terms}
    named: dict[tuple[str, ...], list[tuple[str, str, float]]] = {}  # of each combination of levels: column, variable, scale
    for found in levels_of:
        if (combination := tuple(found.values())) not in named:
            named[combination] = [(f"{term.name}{_SEPARATOR}{level_of(term, found)}", term.variable, scale[term.name]) for term in terms]
    design = keys.fit_transform([
        {column: factor * values[variable] for column, variable, factor in named[tuple(found.values())] if values[variable]}
        for found, values in zip(levels_of, variables, strict=True)
    ])
    ridge, counted = Ridge(alpha=1.0, fit_intercept=False, solver="cholesky"), weights
    for _ in range(_ROUNDS):
        ridge.fit(design, target, sample_weight=counted)
        counted = weights * np.minimum(1.0, _HUBER / np.maximum(np.abs(target - design @ ridge.coef_), 1e-9))
    coefficients: dict[str, dict[str, float]] = {}
    for key, value in zip(keys.get_feature_names_out(), ridge.coef_, strict=True):
        name, _, level = key.partition(_SEPARATOR)
        if abs(value * scale[name]) >= _LEAST:
            coefficients.setdefault(name, {})[level] = round(float(value * scale[name]), 4)
    return coefficients


def _known(rows: Sequence[Row], metric: str) -> dict[str, list[str]]:
    """Silicon that the metric was measured on; a family counts as a class from `_CLASS` groups of silicon on."""
    units = {row.device: row.case.silicon for row in rows if metric in row.truth}
    families = Counter(family for family, _ in {(row.case.silicon.family, row.group) for row in rows if metric in row.truth and row.case.silicon.family})
    return {
        "device": sorted(units), "generation": sorted({f"{unit.family} {unit.generation}" for unit in units.values() if unit.generation}),
        "family": sorted(family for family, count in families.items() if count >= _CLASS), "kind": sorted({unit.kind for unit in units.values()}),
    }  # fmt: skip


def _overhead(rows: Sequence[Row], learned: Mapping[str, Any]) -> dict[str, float]:
    """Framework -> measured time to the first token over that of prompt and token; shrunk toward that of all."""
    ratios: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if "ttft" in row.truth:
            seconds = first_token(row.case, predict(row.case, learned))
            if not isinstance(seconds, str):
                ratios.setdefault(row.case.framework, {}).setdefault(row.device, []).append(math.log(row.truth["ttft"] / seconds))
    return _shrunk(ratios)


def _copies(rows: Sequence[Row]) -> dict[str, float]:
    """Framework (and provider) -> measured peak over weights, cache and program; shrunk toward that of all."""
    fine: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        base = footprint(row.case)
        if "peak_memory" in row.truth and not isinstance(base, str):
            for name in memory_path(row.case):
                fine.setdefault(name, {}).setdefault(row.device, []).append(math.log(row.truth["peak_memory"] / base))
    return _shrunk(fine)


def _shrunk(logs: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, float]:
    """Medians over devices of medians over rows, each shrunk toward the median of all; exponentials, `*` for all."""
    if not logs:
        return {"*": 1.0}
    medians = {name: [median(values) for values in devices.values()] for name, devices in logs.items()}
    everyone = median(value for values in medians.values() for value in values)
    found = {name: everyone + (median(values) - everyone) * len(values) / (len(values) + _FEW * 0.1) for name, values in medians.items()}
    return {name: round(math.exp(value), 4) for name, value in {**found, "*": everyone}.items()}


def _folds(rows: Sequence[Row], what: str) -> list[tuple[list[Row], list[Row]]]:
    """Known rows and rows left out; every group is left out once, whole."""
    owners = sorted({str(getattr(row, what)) for row in rows})
    number = {owner: place % N_FOLDS for place, owner in enumerate(np.random.default_rng(0).permutation(owners))}
    of_row = [number[str(getattr(row, what))] for row in rows]
    return [([r for r, n in zip(rows, of_row, strict=True) if n != fold], [r for r, n in zip(rows, of_row, strict=True) if n == fold]) for fold in range(N_FOLDS)]


def _errors(
    metric: str, held: Sequence[tuple[Sequence[Row], Mapping[str, Any]]], what: str, wanted: Callable[[str], bool]
) -> tuple[list[float], list[str], list[str]]:
    """log(truth / predicted), kind and step, and what was left out with it, of the rows that were left out."""
    errors, keys, groups = [], [], []
    for left, learned in held:
        for row in left:
            if metric in row.truth and wanted(step_of(row.case.silicon, learned[metric]["known"])):
                answer = predict(row.case, learned)[metric]
                if not isinstance(answer, str):
                    errors.append(math.log(row.truth[metric] / answer.central))
                    keys.append(f"{row.class_} {answer.step}")
                    groups.append(str(getattr(row, what)))
    return errors, keys, groups


def _table(errors: Sequence[float], keys: Sequence[str], groups: Sequence[str]) -> dict[str, list[float]]:
    """Intervals by kind and step, by step, and of all."""
    if not errors:
        return {"*": [-1.0, 1.0]}
    table = interval_table(errors, keys, groups)
    by_step = interval_table(errors, [f"* {key.split()[1]}" for key in keys], groups)
    return {key: [round(low, 4), round(high, 4)] for key, (low, high) in {**by_step, **table}.items()}


def main() -> None:
    learned = fit(rows())
    TARGET.write_text(json.dumps(learned, indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
