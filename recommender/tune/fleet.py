"""PURE: the studies of one sweep on several classes of machines, as one document: the best of each, and what does well on all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log
from typing import Any

from recommender.domain.workload import METRICS, Constraint, parse_constraint
from recommender.tune import report
from recommender.tune.importance import importance
from recommender.tune.space import Point, settings_in
from recommender.tune.storage import Row

TOLD = ("verdict", "why", "winner", "best", "tied", "settle", "confirmed", "ended", "spent_s", "pruned_by_estimate")  # of the last end, as long as no trial came after it


def merged(studies: Mapping[str, tuple[Mapping[str, Any], Sequence[Row]]]) -> dict[str, Any]:
    """`studies`: name/class -> (what it was begun with, its trials). The document of the class with the most trials, `classes` for all, and `fleet`."""
    documents = {name: _document(meta, rows) for name, (meta, rows) in studies.items()}
    first = max(documents.values(), key=lambda document: len(document["trials"]))
    classes = {document["study"]["class"]: _summary(document) for document in documents.values()}
    metric = first["study"]["objectives"][0]["metric"]
    return {**first, "study": {**first["study"], "name": next(iter(studies)).rpartition("/")[0]}, "classes": classes, "fleet": _fleet(documents, metric)}


def _document(meta: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    needs: list[Constraint] = [parse_constraint(text) for text in meta["needs"]]
    points = {row.point: _point(row) for row in rows if row.point}
    objectives = meta["objectives"]
    shares = importance(rows, [row["metric"] for row in objectives], [row["better"] for row in objectives])
    found = report.document({name: value for name, value in meta.items() if name not in ("estimates", "last")}, rows, points, meta.get("estimates", {}), needs=needs, importance=shares)
    last = meta.get("last") or {}
    return {**found, **{name: last[name] for name in TOLD}} if last.get("n_trials") == len(rows) else found


def _point(row: Row) -> Point:
    """A trial's point as far as its id tells it."""
    choice = row.point.partition("?")[0]
    path, _, device = choice.partition("@")
    framework, execution_provider, scheme = (path.split("/") + ["", ""])[:3]
    return Point(choice=choice, framework=framework, execution_provider=execution_provider, device=device, scheme=scheme, settings=settings_in(row.point))


def _summary(document: Mapping[str, Any]) -> dict[str, Any]:
    objectives = [row["metric"] for row in document["study"]["objectives"]]
    winner = document["winner"]
    figures = document["points"][winner]["metrics"] if winner else {}
    return {
        "n_trials": len(document["trials"]), "winner": winner, "verdict": document["verdict"], "why": document["why"], "target": document["study"]["target"],
        "metrics": {metric: figures[metric] for metric in objectives if metric in figures}, "pareto": document["pareto"], "best": document["best"],
    }


def _fleet(documents: Mapping[str, Mapping[str, Any]], metric: str) -> list[dict[str, Any]]:
    """Choices that were measured on every class, by the geometric mean of what they lose against the best there: one artifact for all."""
    by_class = {document["study"]["class"]: _best_by_choice(document, metric) for document in documents.values()}
    shared = set.intersection(*(set(found) for found in by_class.values())) if by_class else set()
    is_up = METRICS[metric][1] == "up"
    rows = []
    for choice in shared:
        losses = {}
        for name, found in by_class.items():
            best = (max if is_up else min)(found.values())
            losses[name] = (best / found[choice] if is_up else found[choice] / best) - 1
        rows.append({"choice": choice, "loss": exp(sum(log(1 + loss) for loss in losses.values()) / len(losses)) - 1, "by_class": losses})
    return sorted(rows, key=lambda row: (row["loss"], row["choice"]))


def _best_by_choice(document: Mapping[str, Any], metric: str) -> dict[str, float]:
    is_up = METRICS[metric][1] == "up"
    found: dict[str, float] = {}
    for row in document["points"].values():
        figure = row["metrics"].get(metric)
        if figure and row["is_feasible"]:
            known = found.get(row["choice"])
            found[row["choice"]] = figure["value"] if known is None else (max if is_up else min)(known, figure["value"])
    return found
