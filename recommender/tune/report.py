"""PURE: what a sweep found, as the document of `recommend tune`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from statistics import median
from typing import Any

from recommender.decide.document import rounded
from recommender.domain.workload import METRICS, Constraint
from recommender.measure.compare import Comparison
from recommender.measure.statistics import bootstrap_interval, prediction_interval
from recommender.tune.racing import dominated, is_worse
from recommender.tune.space import Point
from recommender.tune.storage import Row
from recommender.tune.sweep import Ended

SCHEMA_VERSION = 1
_EXAMPLES = 12  # of points that were never run
_CONFIRMATION = 0
Estimates = Mapping[str, Mapping[str, Mapping[str, Any]]]  # choice -> metric -> estimate of the answer


def document(
    meta: Mapping[str, Any], rows: Sequence[Row], points: Mapping[str, Point], estimates: Estimates, *, needs: Sequence[Constraint] = (), ended: Ended | None = None,
    pruned: Mapping[str, Mapping[str, Any]] | None = None, importance: Mapping[str, Mapping[str, float]] | None = None, reproducer: Callable[[str], str] = lambda point: "",
) -> dict[str, Any]:
    """`meta`: of the study. `points`: by id, as far as they are known here. `pruned`: point -> why it was never run. `reproducer`: point -> a line to paste."""
    objectives = [(row["metric"], row["better"]) for row in meta["objectives"]]
    taken = [row for row in rows if row.state != "PRUNED"]
    trials = [_trial(row, points.get(row.point), estimates, needs) for row in taken]
    figures = _figures(taken)
    fit = {point: found for point, found in figures.items() if _is_feasible(found, needs) and all(name in found for name, _ in objectives)}
    best = _best(fit, objectives[0], ended.comparison if ended else None)
    front = set(fit) - dominated({point: [found[name]["value"] for name, _ in objectives] for point, found in fit.items()}, [better for _, better in objectives])
    first = {row.point: row.number for row in reversed(taken) if row.state == "COMPLETE"}
    judgement = ended.comparison.judgement if ended and ended.comparison else None
    word, why = _verdict(best, fit, judgement, len(objectives), meta)
    return dict(rounded({
        "schema_version": SCHEMA_VERSION, "study": dict(meta), "trials": trials, "points": {point: _shown(point, found, fit, points, estimates, reproducer) for point, found in figures.items()},
        "best": first.get(best) if best else None, "pareto": sorted(first[point] for point in front),
        "pruned_by_estimate": {"count": len(pruned or {}), "examples": [{"point": point, **told} for point, told in list((pruned or {}).items())[:_EXAMPLES]]},
        "importance": importance or {}, "history": _history(taken, objectives[0], needs), "estimate_error": _errors(figures, points, estimates),
        "spent_s": ended.spent if ended else max((row.outcome.get("spent_s", 0.0) for row in taken), default=0.0),
        "ended": ended.ended if ended else "", "verdict": word, "winner": best, "tied": list(judgement.tied) if judgement else [], "why": why,
        "settle": judgement.settle or None if judgement else None, "confirmed": ended.comparison.confirmed if ended and ended.comparison else None,
        "classes": {},
    }))  # fmt: skip


def _trial(row: Row, point: Point | None, estimates: Estimates, needs: Sequence[Constraint]) -> dict[str, Any]:
    told = row.outcome
    metrics = {name: {"value": value, "unit": METRICS[name][0] if name in METRICS else "", **_ends(told.get("samples", {}).get(name), value), "basis": "measured-here"} for name, value in told.get("metrics", {}).items()}
    return {
        "number": row.number, "point": row.point, "round": row.round, "choice": row.params.get("choice", row.point), "state": row.state, "why": row.why,
        **({name: getattr(point, name) for name in ("framework", "execution_provider", "device", "scheme")} if point else {}),
        "options": dict(point.settings) if point else {}, "fidelity": "confirmation" if row.round == _CONFIRMATION else "short" if row.round == 1 else "full",
        "metrics": metrics, "estimates": dict(estimates.get(row.params.get("choice", ""), {})), "cost_s": told.get("cost_s"), "spent_s": told.get("spent_s"), "worker": row.worker,
        "class": told.get("class", ""), "is_feasible": _is_feasible(metrics, needs) if row.state == "COMPLETE" else False, "flags": told.get("flags", []),
        "kind": told.get("kind", "ok" if row.state == "COMPLETE" else ""), "artifact": told.get("artifact", ""), "quality": told.get("quality", {}), "reproducer": told.get("reproducer", {}),
    }


def _ends(samples: Sequence[float] | None, value: float) -> dict[str, Any]:
    if not samples:
        return {"low": value, "high": value, "n": 1}
    low, high = bootstrap_interval([samples], Random(0))
    return {"low": low, "high": high, "n": len(samples)}


def _figures(rows: Iterable[Row]) -> dict[str, dict[str, dict[str, Any]]]:
    """Point -> metric -> median over its processes, with the interval that a further process is expected in (one process: what holds 80 % of its samples)."""
    found: dict[str, dict[str, list[tuple[float, Sequence[float]]]]] = {}
    for row in rows:
        if row.state == "COMPLETE":
            for name, value in row.outcome["metrics"].items():
                found.setdefault(row.point, {}).setdefault(name, []).append((value, row.outcome.get("samples", {}).get(name, ())))
    return {point: {name: _figure(name, each) for name, each in metrics.items()} for point, metrics in found.items()}


def _figure(name: str, processes: Sequence[tuple[float, Sequence[float]]]) -> dict[str, Any]:
    values = [value for value, _ in processes]
    low, high = prediction_interval(values) or (min(values), max(values))
    if len(values) == 1 and len(samples := sorted(processes[0][1])) > 1:
        low, high = samples[len(samples) // 10], samples[-1 - len(samples) // 10]
    return {"value": median(values), "low": low, "high": high, "unit": METRICS[name][0] if name in METRICS else "", "basis": "measured-here", "n": len(values)}


def _is_feasible(metrics: Mapping[str, Mapping[str, Any]], needs: Sequence[Constraint]) -> bool:
    """What was not measured breaks nothing: the estimate let the point through."""
    return all(need.metric not in metrics or need.holds(metrics[need.metric]["value"]) for need in needs)


def _best(fit: Mapping[str, Mapping[str, Any]], objective: tuple[str, str], comparison: Comparison | None) -> str | None:
    """The final's winner, else the best median; several objectives have none of their own but the first's."""
    if comparison and comparison.judgement.winner in fit:
        return comparison.judgement.winner
    pool = [name for name in comparison.counted if name in fit] if comparison else []
    return (max if objective[1] == "up" else min)(pool or fit, key=lambda point: fit[point][objective[0]]["value"], default=None)


def _verdict(best: str | None, fit: Mapping[str, Any], judgement: Any, n_objectives: int, meta: Mapping[str, Any]) -> tuple[str, str]:
    if best is None:
        return "INFEASIBLE", "no point that was measured meets what is asked"
    if n_objectives > 1:
        return "RECOMMENDED", f"{len(fit)} points were measured; no one of the front is best in all objectives"
    if judgement is None:
        return "INCONCLUSIVE", "the sweep ended before its best points were repeated"
    if judgement.word in ("RECOMMENDED", "KEEP-BASELINE"):  # the comparison's baseline is whoever was in the final; here it is what the answer would ship
        return "KEEP-BASELINE" if best == meta.get("baseline") else "RECOMMENDED", judgement.reason
    return judgement.word, judgement.reason


def _history(rows: Sequence[Row], objective: tuple[str, str], needs: Sequence[Constraint]) -> list[dict[str, Any]]:
    """The best so far, each time it changed, by the order in which trials ended."""
    found: list[dict[str, Any]] = []
    for row in sorted((row for row in rows if row.state == "COMPLETE"), key=lambda row: row.outcome["spent_s"]):
        value = row.outcome["metrics"].get(objective[0])
        if value is None or not _is_feasible({name: {"value": each} for name, each in row.outcome["metrics"].items()}, needs):
            continue
        if not found or is_worse(found[-1]["value"], value, objective[1]):
            found.append({"spent_s": row.outcome["spent_s"], "number": row.number, "value": value})
    return found


def _errors(figures: Mapping[str, Mapping[str, Any]], points: Mapping[str, Point], estimates: Estimates) -> dict[str, Any]:
    """By metric, over points with the answer's own settings: measured against estimated, and how many lie within the interval."""
    found: dict[str, list[tuple[float, bool]]] = {}
    for point, metrics in figures.items():
        if point not in points or points[point].changed:
            continue
        for name, figure in metrics.items():
            row = estimates.get(points[point].choice, {}).get(name)
            if row and row.get("central"):
                inside = row.get("low") is not None and row["low"] <= figure["value"] <= row["high"]
                found.setdefault(name, []).append((abs(row["central"] / figure["value"] - 1) if figure["value"] else 0.0, inside))
    return {name: {"n": len(rows), "median": median(error for error, _ in rows), "within": sum(inside for _, inside in rows)} for name, rows in found.items()}


def _shown(point: str, figures: Mapping[str, Any], fit: Mapping[str, Any], points: Mapping[str, Point], estimates: Estimates, reproducer: Callable[[str], str]) -> dict[str, Any]:
    known = points.get(point)
    return {
        "choice": known.choice if known else point.partition("?")[0], "options": dict(known.settings) if known else {}, "metrics": dict(figures), "is_feasible": point in fit,
        "estimates": dict(estimates.get(known.choice, {})) if known else {}, "command": reproducer(point),
    }
