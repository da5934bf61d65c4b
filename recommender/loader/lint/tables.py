"""Decision tables: ids, hit policies, effects, overrides, overlap."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import combinations
from typing import Any

from recommender.decide.rank import MEASURES
from recommender.domain.fingerprint import DEVICE_KINDS
from recommender.domain.rule import HIT_POLICIES, DecisionTable, Rule
from recommender.loader.lint.finding import Finding, Knowledge, Reporter

STATUSES = ("active", "retired")
VERDICTS = ("ineligible",)
PLACED = ("frameworks", "schemes", "units")
_ID = re.compile(r"^[A-Z]{3}\d{3}$")


def check(knowledge: Knowledge) -> Iterator[Finding]:
    report = Reporter("tables", knowledge)
    catalog = knowledge.catalog
    seen: dict[str, str] = {}
    for table in catalog.tables.values():
        if table.hit_policy not in HIT_POLICIES:
            yield report.error("tables", table.id, f"hit policy `{table.hit_policy}` is none of {', '.join(HIT_POLICIES)}")
        if table.hit_policy == "first" and not table.excuse:
            yield report.error("tables", table.id, "hit policy `first` needs a written excuse")
        if knowledge.listed("scopes") and table.scope not in knowledge.listed("scopes"):
            yield report.error("tables", table.id, f"scope `{table.scope}` is none of {', '.join(knowledge.listed('scopes'))}")
        for rule in table.rules:
            yield from _identity(rule.id, "rules", table.id, seen, report)
            for message in (*_lifecycle(rule, table, catalog.tables), *_effect(rule, knowledge)):
                yield report.error("rules", rule.id, message)
        if table.hit_policy == "unique":
            yield from _overlap(table, report)
    for row in catalog.ranking:
        yield from _identity(row.id, "ranking", "ranking", seen, report)
        if row.measure not in MEASURES:
            yield report.error("ranking", row.id, f"measure `{row.measure}` is none of {', '.join(MEASURES)}")


def _identity(key: str, section: str, table: str, seen: dict[str, str], report: Reporter) -> Iterator[Finding]:
    if not _ID.match(key):
        yield report.error(section, key, "an id is three letters and three digits")
    if key in seen:
        yield report.error(section, key, f"is already used in `{seen[key]}`; ids are never reused")
    seen.setdefault(key, table)


def _lifecycle(rule: Rule, table: DecisionTable, tables: Mapping[str, DecisionTable]) -> Iterator[str]:
    if rule.status not in STATUSES:
        yield f"status `{rule.status}` is none of {', '.join(STATUSES)}"
    if not rule.because:
        yield "says no `because`"
    if rule.superseded_by and not any(other.id == rule.superseded_by for found in tables.values() for other in found.rules):
        yield f"superseded_by `{rule.superseded_by}` does not exist"
    if rule.superseded_by and rule.status == "active":
        yield "is superseded and still active"
    for glob in rule.overrides:
        if not any(fnmatchcase(other.id, glob) for other in table.rules if other.id != rule.id):
            yield f"overrides `{glob}`, which is no row of its table"


def _effect(rule: Rule, knowledge: Knowledge) -> Iterator[str]:
    catalog, effects = knowledge.catalog, knowledge.listed("effects")
    for name in rule.then:
        if effects and name not in effects:
            yield f"unknown effect `{name}` (one of {', '.join(effects)})"
    if not rule.then:
        yield "has no effect"
    known: dict[str, Any] = {
        "frameworks": catalog.frameworks,
        "for_frameworks": catalog.frameworks,
        "schemes": catalog.schemes,
        "execution_providers": knowledge.listed("execution_providers"),
        "units": DEVICE_KINDS,
    }
    for name, valid in known.items():
        for value in rule.then.get(name, ()):
            if value not in valid:
                yield f"{name}: `{value}` does not exist"
    if rule.then.get("verdict", VERDICTS[0]) not in VERDICTS:
        yield f"verdict `{rule.then['verdict']}` is none of {', '.join(VERDICTS)}"
    places = any(name in rule.then for name in ("frameworks", "schemes", "units"))
    if places != ("place" in rule.then):
        yield "a place needs frameworks, schemes or units, and they need a place"
    for value in rule.then.get("set", {}).values():
        if isinstance(value, str) and value.startswith("@") and value[1:] not in catalog.vocabulary.get("attribute", {}):
            yield f"sets an option to the unknown attribute `{value[1:]}`"


def _overlap(table: DecisionTable, report: Reporter) -> Iterator[Finding]:
    """Two active rows of a `unique` table that one subject can meet, unless one overrides the other."""
    for first, second in combinations([rule for rule in table.rules if rule.status == "active"], 2):
        is_settled = any(fnmatchcase(b.id, glob) for a, b in ((first, second), (second, first)) for glob in a.overrides)
        if not is_settled and not disjoint(first.when, second.when):
            yield report.error("rules", second.id, f"may hold together with {first.id}, and the table is unique")


def disjoint(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Whether two sets of conditions can be shown never to hold together."""
    return any(_excludes(condition, right[name]) for name, condition in left.items() if name in right)


def _excludes(left: Any, right: Any) -> bool:
    """Whether no value meets both conditions, as far as can be told."""
    allowed, also = _allowed(left), _allowed(right)
    if allowed is not None and also is not None:
        return not [value for value in allowed if value in also]
    for values, condition in ((allowed, right), (also, left)):
        if values is not None:
            return not [value for value in values if _may(value, condition)]
    (low, high), (other_low, other_high) = _range(left), _range(right)
    return low > other_high or other_low > high or _touch(left, right) or _touch(right, left)


def _allowed(condition: Any) -> list[Any] | None:
    """The finite set of values that meet a condition, None when it is not finite."""
    if not isinstance(condition, Mapping):
        return [condition]
    return list(condition["in"]) if "in" in condition else None


def _may(value: Any, condition: Mapping[str, Any]) -> bool:
    if value in condition.get("not_in", ()):
        return False
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = _range(condition)
        return low <= value <= high and value != condition.get("above") and value != condition.get("below")
    return True


def _range(condition: Any) -> tuple[float, float]:
    if not isinstance(condition, Mapping):
        return float("-inf"), float("inf")
    low = [condition[name] for name in ("at_least", "above") if isinstance(condition.get(name), (int, float))]
    high = [condition[name] for name in ("at_most", "below") if isinstance(condition.get(name), (int, float))]
    return max(low, default=float("-inf")), min(high, default=float("inf"))


def _touch(left: Any, right: Any) -> bool:
    """`below x` against `at_least x`, and `at_most x` against `above x`: the ranges meet in a point that one leaves out."""
    if not isinstance(left, Mapping) or not isinstance(right, Mapping):
        return False
    bounds = (
        (left.get("below"), right.get("at_least")),
        (left.get("below"), right.get("above")),
        (left.get("at_most"), right.get("above")),
    )
    return any(high is not None and high == low for high, low in bounds)
