"""What text, Markdown and HTML show of the document of `recommend tune`, chosen once. All read the document, nothing else.

The figures of a point are those of all its processes together (`points`); a trial is one process (`trials`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recommender.cli.render import wording
from recommender.cli.render.wording import Document

SHOWN_TRIALS = 60  # in a table for people; all are in the JSON document
_ENDED = {
    "budget": "the budget was used up", "trials": "the trials asked for were made", "settled": "nothing left could beat the best by more than the tie band",
    "bound": "the best is within noise of the roofline bound", "stopped": "it was stopped", "": "it goes on elsewhere, or was cut off",
}
_STATES = ("COMPLETE", "FAIL", "PRUNED", "RUNNING")

Row = Mapping[str, Any]


def title(document: Document) -> str:
    """`qwen2.5-0.5b on box`."""
    study = document["study"]
    return f"{study['model']} on {study['target']['name']}"


def objectives(document: Document) -> list[str]:
    """Metrics that were searched for, the first first."""
    return [row["metric"] for row in document["study"]["objectives"]]


def given(document: Document) -> list[tuple[str, str]]:
    """(what, words): what was asked, how it was searched, and how it ended."""
    study, counts = document["study"], states(document)
    workload = study["workload"]
    goals = ", ".join(f"{wording.name_of(row['metric'])} ({'more' if row['better'] == 'up' else 'less'} is better)" for row in study["objectives"])
    searched = [f"{study[name]}" if name != "seed" else f"seed {study[name]}" for name in ("sampler", "mode", "seed") if study.get(name) is not None]
    rows = [
        ("Objective", goals), ("Needs", "; ".join(study["needs"])), ("Workload", workload if isinstance(workload, str) else _workload(workload)),
        ("Target", " ".join(str(study["target"][name]) for name in ("name", "class") if study["target"].get(name))),
        ("Study", ", ".join([study["name"], *searched, *([study["storage"]] if study.get("storage") else [])])),
        ("Trials", ", ".join(f"{count} {state.lower()}" for state, count in counts)), ("Spent", spent(document)),
    ]
    return [(what, words) for what, words in rows if words]


def _workload(workload: Row) -> str:
    told = [f"{wording.name_of(name)} {value}" for name, value in workload.items() if name != "key" and value]
    return ": ".join(filter(None, (str(workload["key"]), ", ".join(told))))


def states(document: Document) -> list[tuple[str, int]]:
    """(state, trials), those that occur."""
    found = [row["state"] for row in document["trials"]]
    return [(state, found.count(state)) for state in _STATES if state in found]


def spent(document: Document) -> str:
    """`310 s of 600 s: nothing left ...`."""
    budget = document["study"].get("budget_s")
    ended = document.get("ended") or ""
    return duration(document["spent_s"]) + (f" of {duration(budget)}" if budget else "") + f": {_ENDED.get(ended, ended)}"


def duration(seconds: float) -> str:
    """`85 s`, `12 min`, `3.5 h`."""
    return f"{wording.number(seconds)} s" if seconds < 90 else f"{wording.number(seconds / 60)} min" if seconds < 5400 else f"{wording.number(seconds / 3600)} h"


def winner(document: Document) -> str | None:
    """The point that won, or the best so far."""
    if document.get("winner"):
        return str(document["winner"])
    return next((row["point"] for row in document["trials"] if row["number"] == document["best"]), None)


def notes(document: Document) -> list[str]:
    """What limits the verdict."""
    found = [f"as good within the tie band: {', '.join(document['tied'])}"] if document["tied"] else []
    found += [f"settled by: {document['settle']}"] if document.get("settle") else []
    found += ["not confirmed: a further process of the winner gave another figure"] if document.get("confirmed") is False else []
    return found


def command(document: Document) -> str:
    """The line that makes and measures the winner again; empty where there is none."""
    return str(document["points"].get(winner(document) or "", {}).get("command") or "")


def figures(row: Row, metrics: Sequence[str]) -> list[str]:
    """Each metric of a point or trial in words, with interval and number of processes."""
    return [figure(row["metrics"].get(metric)) for metric in metrics]


def figure(found: Row | None) -> str:
    """`38 tok/s (36-41, n = 3)`."""
    if not found:
        return "not measured"
    unit, scale = wording.scaled_unit(found["unit"], abs(found["value"]))
    value, low, high = (wording.number(found[name] * scale) for name in ("value", "low", "high"))
    inside = ", ".join(filter(None, (f"{low}-{high}" if low != high else "", f"n = {found['n']}" if found.get("n") else "")))
    return f"{value} {unit}" + (f" ({inside})" if inside else "")


def columns(document: Document) -> list[str]:
    """Metrics of the tables: the objectives, then memory, size and loss where they were measured."""
    measured = {name for row in document["points"].values() for name in row["metrics"]}
    return [*objectives(document), *(name for name in ("peak_memory", "file_size", "quality_drop") if name in measured and name not in objectives(document))]


def ranked(document: Document) -> list[tuple[str, Row]]:
    """Points that meet the needs, best by the first objective first; then the rest."""
    first = document["study"]["objectives"][0]
    sign = -1.0 if first["better"] == "up" else 1.0

    def place(item: tuple[str, Row]) -> tuple[bool, bool, float, str]:
        found = item[1]["metrics"].get(first["metric"])
        return not item[1]["is_feasible"], found is None, sign * found["value"] if found else 0.0, item[0]

    return sorted(document["points"].items(), key=place)


def front(document: Document) -> list[tuple[str, Row]]:
    """The points that no other beats in all objectives, in the same order."""
    numbers = set(document["pareto"])
    names = {row["point"] for row in document["trials"] if row["number"] in numbers}
    return [(point, row) for point, row in ranked(document) if point in names]


def best_so_far(document: Document) -> list[tuple[str, str, str]]:
    """(clock, value, point) each time the best changed."""
    points = {row["number"]: row["point"] for row in document["trials"]}
    unit = unit_of(document, objectives(document)[0])
    return [(duration(row["spent_s"]), amount(row["value"], unit), points.get(row["number"], f"trial {row['number']}")) for row in document["history"]]


def unit_of(document: Document, metric: str) -> str:
    """The base unit of a metric, from what was measured."""
    return next((str(row["metrics"][metric]["unit"]) for row in (*document["points"].values(), *document["trials"]) if metric in row["metrics"]), "")


def amount(value: float, unit: str) -> str:
    name, scale = wording.scaled_unit(unit, abs(value))
    return f"{wording.number(value * scale)} {name}".strip()


def shares(document: Document) -> list[tuple[str, list[tuple[str, float]]]]:
    """Metric -> (parameter, share), the largest first."""
    return [(metric, sorted(found.items(), key=lambda item: (-item[1], item[0]))) for metric, found in document["importance"].items() if found]


def told_and_measured(document: Document, metric: str) -> list[tuple[str, Row, Row]]:
    """(point, estimate, figure) of every point that has both."""
    pairs = [(point, row["estimates"].get(metric), row["metrics"].get(metric)) for point, row in ranked(document)]
    return [(point, estimate, found) for point, estimate, found in pairs if found and estimate and estimate.get("central") is not None]


def agreement(document: Document) -> list[str]:
    """How far estimates of the answer's own settings lay from what was measured."""
    return [
        f"{wording.name_of(metric)}: half of {row['n']} estimates within {row['median']:.1%}, {row['within']} measured inside their interval"
        for metric, row in (document.get("estimate_error") or {}).items()
    ]


def never_run(document: Document) -> list[str]:
    """How many points were never run and why, with examples."""
    found = document["pruned_by_estimate"]
    if not found["count"]:
        return ["None: every estimate left room to win."]
    lines = [f"{found['count']} points, since even their optimistic end is worse than the pessimistic end of one that was measured."]
    for row in found["examples"]:
        unit = unit_of(document, row["metric"])
        mark = amount(row["best_pessimistic"], unit) if row.get("best_pessimistic") is not None else "what was measured"
        lines.append(f"{row['point']}: {wording.name_of(row['metric'])} {amount(row['optimistic'], unit)} at best, against {mark}")
    return lines + ([f"and {found['count'] - len(found['examples'])} more"] if found["count"] > len(found["examples"]) > 0 else [])


def trial_rows(document: Document) -> list[tuple[str, ...]]:
    """(number, point, how, state, clock, worker, figures ...) of the trials that are shown, in the order they were asked."""
    metrics = columns(document)
    return [
        (str(row["number"]), row["point"], row["fidelity"], _state(row), duration(row["spent_s"]) if row.get("spent_s") is not None else "", row.get("worker") or "", *figures(row, metrics))
        for row in document["trials"][:SHOWN_TRIALS]
    ]


def _state(row: Row) -> str:
    remarks = [row["why"] if row["state"] != "COMPLETE" else "", "" if row["is_feasible"] or row["state"] != "COMPLETE" else "does not meet the needs", *row.get("flags", ())]
    return ": ".join(filter(None, (row["state"].lower(), "; ".join(filter(None, remarks)))))


def class_rows(document: Document) -> list[tuple[str, ...]]:
    """(class, verdict, winner, trials, figures of the objectives ...)."""
    return [
        (name, row.get("verdict", ""), row.get("winner") or "none", str(row["n_trials"]), *(figure(row.get("metrics", {}).get(metric)) for metric in objectives(document)))
        for name, row in sorted(document["classes"].items())
    ]


def fleet_rows(document: Document) -> list[tuple[str, ...]]:
    """(choice, loss over all classes, loss by class ...) of what was measured on every class."""
    return [(row["choice"], f"{row['loss']:.1%}", *(f"{row['by_class'][name]:.1%}" for name in sorted(row["by_class"]))) for row in document.get("fleet") or ()]
