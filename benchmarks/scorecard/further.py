"""What does not fit into one table: a few anchors of new silicon, picks that must keep the quality, losses of models that were left out, the noise floor."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.fit import graph as units
from benchmarks.fit import quality as losses
from benchmarks.scorecard.figures import rank_correlation
from benchmarks.scorecard.held import Held, folds
from benchmarks.scorecard.picks import Picks, usual_winner
from recommender.estimate.learned import graph, quality
from recommender.estimate.learned.case import Predicted
from recommender.estimate.learned.quality import QualityCase

KNOWLEDGE = Path(__file__).parents[2] / "knowledge"
REPEATS = KNOWLEDGE / "calibration" / "ai-hub-repeats.json"
PUBLISHED = KNOWLEDGE / "quality" / "published.csv"
_N_ANCHORS = 5
_N_DRAWS = 5  # sets of anchors of each chip
_LIMIT = 0.02  # what a choice may lose to count as safe
_LIKELY = 0.8  # how sure a call must be
_GGUF = ("gguf-legacy", "gguf-k", "gguf-i")


def further() -> dict[str, list[dict[str, Any]]]:
    """Tables by title, as rows of cells."""
    rows = units.rows()
    return {"New silicon, with and without anchors": anchors(rows), "Picking only what loses at most 2 %": safe_picks(rows), "Loss of quality, a model left out": quality_drop()}


def noise() -> dict[str, dict[str, float]]:
    """How much the same job moves from one release to the next."""
    told = json.loads(REPEATS.read_text("utf-8"))["noise"]
    return {"the same job on a hosted phone, at the next release": {"median": told["median"], "n": told["n"]}}


def anchors(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Known models on a chip that was left out: with a few latencies of it, with none, and by copying the median of the other chips, scaled by the same few."""
    errors: dict[str, list[float]] = {"none": [], "five": [], "copied": [], "copied and scaled": []}
    rng = np.random.default_rng(0)
    for known, held in folds(rows, "group", len({row.group for row in rows})):
        judged = [row for row in held if row.truth.get("latency")]
        if len(judged) <= _N_ANCHORS:
            continue
        learned, medians = units.fit(known), _medians(known)
        for _ in range(_N_DRAWS):
            chosen = {int(place) for place in rng.choice(len(judged), _N_ANCHORS, replace=False)}
            few = [judged[place] for place in sorted(chosen)]
            rest = [row for place, row in enumerate(judged) if place not in chosen and _way(row) in medians]
            told = graph.anchored(learned, [(row.case, row.truth["latency"]) for row in few])
            ratios = [row.truth["latency"] / medians[_way(row)] for row in few if _way(row) in medians]
            scale = median(ratios) if ratios else 1.0
            for row in rest:
                errors["none"].append(_error(graph.predict(row.case, learned)["latency"], row))
                errors["five"].append(_error(graph.predict(row.case, told)["latency"], row))
                errors["copied"].append(abs(medians[_way(row)] / row.truth["latency"] - 1))
                errors["copied and scaled"].append(abs(scale * medians[_way(row)] / row.truth["latency"] - 1))
    return [{"way": name, "cases": len(found), "median error, %": round(100 * float(np.median(found)), 1), "90 %, %": round(100 * float(np.quantile(found, 0.9)), 1)} for name, found in errors.items()]


def _way(row: Any) -> tuple[str, str, str, str]:
    return row.model, row.case.component, row.case.path, row.case.precision


def _medians(rows: Sequence[Any]) -> dict[tuple[str, str, str, str], float]:
    found: dict[tuple[str, str, str, str], list[float]] = {}
    for row in rows:
        if row.truth.get("latency"):
            found.setdefault(_way(row), []).append(row.truth["latency"])
    return {name: median(values) for name, values in found.items()}


def _error(value: Predicted | str, row: Any) -> float:
    return abs(value.central / row.truth["latency"] - 1) if isinstance(value, Predicted) else float("inf")


def safe_picks(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Among ways whose loss was measured, on chips that were left out: the fastest that is called safe, against the fastest that is. The loss is predicted for models that were left out too."""
    drops = _measured_drops()
    judged = [row for row in rows if row.truth.get("latency") and _loss_key(row) in drops]
    chance = _chances({row.case.base_model or row.case.model for row in judged})
    cases = []
    for _, held in folds(judged, "group"):
        learned = units.fit([row for row in rows if row.group not in {each.group for each in held}])
        for row in held:
            value = graph.predict(row.case, learned)["latency"]
            cases.append(Held(split="group", metric="latency", row=row, truth=row.truth["latency"], predicted=value if isinstance(value, Predicted) else None, baselines={}))
    safe = [case for case in cases if drops[_loss_key(case.row)] <= _LIMIT]

    def contest(case: Held) -> tuple[str, str, str]:
        return case.row.device, case.row.model, case.row.case.component

    least = {name: min(case.truth for case in safe if contest(case) == name) for name in {contest(case) for case in safe}}
    open_to = [case for case in cases if contest(case) in least]

    def ours(ways: Sequence[Held]) -> Held | None:
        told = [way for way in ways if way.predicted and chance(way.row) >= _LIKELY] or [max(ways, key=lambda way: chance(way.row))]
        return min(told, key=lambda way: way.predicted.central if way.predicted else np.inf)

    def fastest(ways: Sequence[Held]) -> Held | None:
        return min((way for way in ways if way.predicted), key=lambda way: way.predicted.central if way.predicted else np.inf, default=None)

    usual = usual_winner(safe, lambda case: (case.row.case.path, case.row.case.precision), contest)
    return [
        _safe_row("among what was measured to be safe, by predicted speed", _judged(safe, contest, fastest, drops, least)),
        _safe_row("among what was measured to be safe, usual winner", _judged(safe, contest, usual, drops, least)),
        _safe_row("by predicted speed and predicted safety", _judged(open_to, contest, ours, drops, least)), _safe_row("usual winner, safety unknown", _judged(open_to, contest, usual, drops, least)),
    ]


def _judged(cases: Sequence[Held], contest: Any, choose: Any, drops: Mapping[Any, float], least: Mapping[Any, float]) -> tuple[Picks, float]:
    """Regret over the picks that are safe, against the fastest safe way; and the share of picks that are not safe."""
    groups: dict[Any, list[Held]] = {}
    for case in cases:
        groups.setdefault(contest(case), []).append(case)
    several = {name: ways for name, ways in groups.items() if len(ways) > 1}
    chosen = {name: choose(ways) for name, ways in several.items()}
    safe = {name: pick for name, pick in chosen.items() if pick and drops[_loss_key(pick.row)] <= _LIMIT}
    ratios = np.array([pick.truth / least[name] for name, pick in safe.items()] or [np.nan])
    found = Picks(n=len(several), regret=float(np.exp(np.log(ratios).mean())), close=float((ratios <= 1.05).sum() / len(several)), best=float((ratios <= 1.0).sum() / len(several)))
    return found, 1 - len(safe) / len(several)


def _safe_row(name: str, judged: tuple[Picks, float]) -> dict[str, Any]:
    found, unsafe = judged
    return {
        "way": name, "contests": found.n, "regret of safe picks": round(found.regret, 3), "best": f"{100 * found.best:.1f} %", "within 5 %": f"{100 * found.close:.1f} %",
        "picks that lose more": f"{100 * unsafe:.1f} %",
    }


def _measured_drops() -> dict[tuple[str, str, str], float]:
    """(model, framework, precision) -> loss on a hosted phone."""
    with PUBLISHED.open(encoding="utf-8", newline="") as stream:
        return {(quality.base_name(row["base_model"]), row["framework"], row["scheme"]): float(row["drop"]) for row in csv.DictReader(stream) if row["source"] == "ev-aihub" and row["drop"]}


def _loss_key(row: Any) -> tuple[str, str, str]:
    precision = row.case.precision
    return quality.base_name(row.case.base_model or row.case.model), row.case.framework, "fp16" if precision.startswith("float") else precision


def _chances(models: set[str]) -> Any:
    """Probability of a small loss, by fits that never saw the model's own losses."""
    found: dict[tuple[str, str, str], float] = {}
    known = losses.rows()
    names = sorted({quality.base_name(model) for model in models})
    order = np.random.default_rng(0).permutation(len(names))
    for part in np.array_split(order, min(8, len(names))):
        out = {names[place] for place in part}
        learned = losses.fit([row for row in known if quality.base_name(row.group) not in out])
        for row in known:
            if quality.base_name(row.group) in out:
                key = (quality.base_name(row.group), row.case.framework, quality.precision_of(row.case))
                chance = quality.is_safe(row.case, learned, _LIMIT)
                found[key] = chance if chance is not None else 0.0
    return lambda row: found.get(_loss_key(row), 0.0)


def quality_drop() -> list[dict[str, Any]]:
    """Rank correlation over schemes, and how often `loses at most 2 %` was right."""
    pairs: dict[str, list[tuple[str, float, float]]] = {"GGUF": [], "GGUF, by bits alone": []}
    calls: dict[str, list[tuple[bool, bool]]] = {}
    for known, held in folds(losses.rows(), "group", 15):
        learned = losses.fit(known)
        for row in held:
            value = quality.predict(row.case, learned)
            truth = row.truth["quality_drop"]
            if not isinstance(value, Predicted):
                continue
            if row.case.is_language and quality.kind_of(row.case.scheme) in _GGUF:
                table = f"{row.model} {row.source} {quality.metric_kind(row.case)}"
                pairs["GGUF"].append((table, truth, value.central))
                pairs["GGUF, by bits alone"].append((table, truth, -_bits(row.case, learned)))
            elif not row.case.is_language and row.device:
                chance = quality.is_safe(row.case, learned, _LIMIT)
                calls.setdefault(quality.precision_of(row.case), []).append(((chance or 0.0) >= 0.5, truth <= _LIMIT))
    lines = [_rank_row(name, found) for name, found in pairs.items()]
    calls["all precisions"] = [call for found in calls.values() for call in found]
    return lines + [_call_row(name, found) for name, found in calls.items() if len(found) >= 30]


def _bits(case: QualityCase, learned: Mapping[str, Any]) -> float:
    return float(learned["bits"].get(case.scheme) or case.bits_per_weight or quality.bits_of(case.scheme) or 16.0)


def _rank_row(name: str, found: Sequence[tuple[str, float, float]]) -> dict[str, Any]:
    correlation, n = rank_correlation(found)
    return {"what": f"{name}: rank correlation over schemes", "figure": f"{correlation:.3f}", "cases": len(found), "models or tables": n}


def _call_row(name: str, found: Sequence[tuple[bool, bool]]) -> dict[str, Any]:
    right = sum(call == truth for call, truth in found) / len(found)
    always = sum(truth for _, truth in found) / len(found)
    return {"what": f"{name}: calls of `at most 2 %` that were right", "figure": f"{100 * right:.1f} % (always `safe`: {100 * always:.1f} %)", "cases": len(found)}
