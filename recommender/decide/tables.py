"""Evaluate decision tables: one Step for each row and subject, with the readings it used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from recommender.decide.matchers import holds
from recommender.domain.rule import DecisionTable, Reading, Rule, Step

# attribute -> (value or None, origin)
Attributes = Mapping[str, tuple[Any, str]]
_UNKNOWN = (None, "unknown")
_OUTCOME = {True: "fired", False: "not-fired", None: "unknown"}


def evaluate(when: Mapping[str, Any], attributes: Attributes) -> bool | None:
    """All conditions together: False as soon as one is false, else None if one is unknown, else True."""
    answer: bool | None = True
    for attribute, condition in when.items():
        found = holds(condition, attributes.get(attribute, _UNKNOWN)[0])
        if found is False:
            return False
        if found is None:
            answer = None
    return answer


def readings(when: Mapping[str, Any], attributes: Attributes) -> tuple[Reading, ...]:
    """What the conditions read, for the trace."""
    found = []
    for attribute, condition in when.items():
        value, origin = attributes.get(attribute, _UNKNOWN)
        outcome = _OUTCOME[holds(condition, value)]
        found.append(Reading(attribute=attribute, value=value, origin=origin, condition=condition, outcome=outcome))
    return tuple(found)


def evaluate_table(table: DecisionTable, subject: str, attributes: Attributes) -> list[Step]:
    """Every active row against one subject, in row order; a fired row marks the fired rows it overrides."""
    rules = [rule for rule in table.rules if rule.status == "active"]
    steps = [_step(rule, subject, attributes) for rule in rules]
    better = [(glob, rule.id) for rule, step in zip(rules, steps, strict=True) if step.outcome == "fired" for glob in rule.overrides]
    if not better:
        return steps
    return [replace(step, overridden_by=_overridden(step, better)) if step.outcome == "fired" else step for step in steps]


def _overridden(step: Step, better: list[tuple[str, str]]) -> str:
    """Id of the first fired row that overrides this one, by id or glob."""
    return next((rule for glob, rule in better if rule != step.rule and fnmatchcase(step.rule, glob)), "")


def _step(rule: Rule, subject: str, attributes: Attributes) -> Step:
    outcome = evaluate(rule.when, attributes)
    if outcome is False:
        return Step(rule=rule.id, subject=subject, outcome="not-fired")
    return Step(
        rule=rule.id, subject=subject, outcome=_OUTCOME[outcome], readings=readings(rule.when, attributes),
        effect=rule.then, because=rule.because,
    )


def effective(steps: Iterable[Step]) -> list[Step]:
    """Fired rows that no better-sourced row overrides."""
    return [step for step in steps if step.outcome == "fired" and not step.overridden_by]


def unknown(steps: Iterable[Step]) -> list[Step]:
    return [step for step in steps if step.outcome == "unknown"]
