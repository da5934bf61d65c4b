"""PURE: the value of information: which measurements a sweep would make, in which order, how long each takes, and what each could change in the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from recommender.decide.document import rounded
from recommender.domain.workload import TIE_BAND
from recommender.tune.outlook import Outlook
from recommender.tune.space import Choice, Space

_SECONDS = {"quick": 6.0, "normal": 20.0, "strict": 60.0}  # of a repetition: start, load, warm-up and samples, before anything was measured here
_MAKING_RATE = 60e6  # bytes of source weights a second that a preparer works through on two cores (own trials of llama-quantize and NNCF)
_GATE = 8.0  # seconds of judging an artifact
_MOST = 40  # rows shown


def plan(space: Space, outlook: Outlook, choices: Sequence[Choice], meta: Mapping[str, Any], *, budget: float, mode: str) -> dict[str, Any]:
    """A document like a sweep's, with `plan` in place of trials. Before anything is measured `could_change` is the chance that the point beats the first."""
    metric = outlook.objectives[0]
    settled = outlook.hopeless()
    known = {choice["id"]: choice for choice in choices}
    seconds = {point.id: _SECONDS[mode] for point in space.points}
    making = {choice["id"]: _making(choice) for choice in choices}
    by_id, first = space.by_id(), space.points[0].id
    chances = {point.id: outlook.chance(point.id, first, TIE_BAND) for point in space.points}
    expected, spent, made = dict(outlook.ranges(metric)), 0.0, set[str]()
    found: list[dict[str, Any]] = []
    for name in _order(space, outlook, first, {name: value + making[by_id[name].choice] for name, value in seconds.items()}):
        point = by_id[name]
        cost = seconds[name] + (0.0 if point.choice in made else making[point.choice])
        if found and (spent + cost > budget or len(found) == _MOST):
            break
        made.add(point.choice)
        spent += cost
        row = expected[name]
        found.append({
            "point": name, "seconds": cost, "seconds_basis": "analytic", "spent_s": spent, "expected": {"central": row.central, "pessimistic": row.pessimistic, "optimistic": row.optimistic},
            "basis": known[point.choice]["estimates"].get(metric, {}).get("basis", "unknown"), "could_change": chances[name], "what": _what(name, first, known[point.choice]),
        })  # fmt: skip
    return dict(rounded({
        "schema_version": 1, "study": {name: value for name, value in meta.items() if name != "estimates"}, "plan": found, "n_planned": len(found), "n_points": len(space.points),
        "n_choices": len(choices), "never_run": len(settled), "spent_s": spent, "budget_s": budget, "exhaustive_s": sum(seconds.values()) + sum(making.values()),
        "verdict": "RECOMMENDED", "winner": first, "why": "nothing was measured: this is what would be",
    }))  # fmt: skip


def _order(space: Space, outlook: Outlook, first: str, seconds: Mapping[str, float]) -> Iterator[str]:
    """The first choice, then always the point that promises most a second, if those before it gave what is expected of them."""
    yield first
    outlook.suppose(first)
    while left := outlook.promising(seconds, Random(0)):
        yield left[0]
        outlook.suppose(left[0])


def _making(choice: Choice) -> float:
    sizes = [float(step["size"] or 0) for step in choice["recipe"]["steps"] if step["preparer"]]
    return _GATE + sum(sizes) / _MAKING_RATE


def _what(name: str, first: str, choice: Choice) -> str:
    if name == first:
        return "whether the first choice is as fast as it is said to be"
    setting = name.partition("?")[2]
    if name.partition("?")[0] == first.partition("?")[0]:
        return f"the first choice's settings: {setting.replace('&', ', ')}"
    return f"whether {choice['framework']} {choice['scheme']} takes the first place"
