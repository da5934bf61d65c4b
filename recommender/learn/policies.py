"""PURE: what rows pick in a contest, and what the pick costs.

A pick is the names in the best place; within a name the best way counts, since later criteria choose there, and several names in one place cost
their mean, since nothing says which. Rows that place none of the names pick blindly: all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from recommender.decide.rank import UNRANKED
from recommender.decide.tables import effective, evaluate_table
from recommender.domain.rule import DecisionTable
from recommender.learn.contests import Contest, Way


@dataclass(frozen=True, kw_only=True, slots=True)
class Pick:
    """Names in the best place, the mean of their regrets, and the rows that placed them (none: a blind pick)."""

    names: tuple[str, ...]
    regret: float
    rules: tuple[str, ...]


class Policy:
    """The rows of one table. What fires is remembered by the attributes, which contests share."""

    def __init__(self, table: DecisionTable):
        self._table = table
        self._fired: dict[int, tuple[Contest, tuple[tuple[str, Mapping[str, Any]], ...]]] = {}  # the contest keeps its attributes alive

    def pick(self, contest: Contest) -> Pick:
        key = id(contest.attributes)
        if key not in self._fired:
            steps = effective(evaluate_table(self._table, contest.device, contest.attributes))
            self._fired[key] = contest, tuple((step.rule, step.effect) for step in steps)
        fired = self._fired[key][1]
        places = [_place(way, contest.question.effect, fired) for way in contest.ways]
        best = min(place for place, _ in places)
        regrets: dict[str, float] = {}
        for way, (place, _) in zip(contest.ways, places, strict=True):
            if place == best:
                regrets[way.name] = min(way.regret, regrets.get(way.name, way.regret))
        rules = sorted({rule for place, rule in places if place == best and rule})
        return Pick(names=tuple(sorted(regrets)), regret=sum(regrets.values()) / len(regrets), rules=tuple(rules))


def _place(way: Way, effect: str, fired: tuple[tuple[str, Mapping[str, Any]], ...]) -> tuple[float, str]:
    """The best place that one of the rows gives a way, and that row; as the ranking reads them."""
    listing = [
        (float(then["place"]), rule) for rule, then in fired
        if way.name in then.get(effect, ()) and way.execution_provider in then.get("execution_providers", (way.execution_provider,))
        and way.framework in then.get("for_frameworks", (way.framework,))
    ]
    return min(listing, default=(UNRANKED, ""))


def chapter_only(table: DecisionTable) -> DecisionTable:
    """The table as the chapter alone would fill it: rows that cite nothing else and override nothing."""
    rules = tuple(rule for rule in table.rules if not rule.overrides and all(source.startswith("chapter:") for source in rule.sources))
    return replace(table, rules=rules)
