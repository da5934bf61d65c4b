"""Decision tables: rows a domain expert can review, source, retire and test alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recommender.domain.quantity import FROM_FILE

HIT_POLICIES = ("collect", "unique", "rule-order", "first")
OUTCOMES = ("fired", "not-fired", "unknown")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One row.

    Attributes:
        id: three letters and three digits, never reused.
        when: attribute -> condition. All must hold.
        then: effect, by the table's outputs (verdict, prefer, avoid, warn, set, ...).
        sources: ids; a row of the chapter cites its id (`chapter:S6.tree`).
        overrides: ids or globs (`PLT0*`) of rows of the table that this better-sourced row overrides where both fire.
    """

    __pydantic_config__ = FROM_FILE

    id: str
    when: Mapping[str, Any]
    then: Mapping[str, Any]
    because: str
    sources: tuple[str, ...]
    status: str = "active"
    since: str = ""
    superseded_by: str = ""
    overrides: tuple[str, ...] = ()
    where: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionTable:
    """A question and its rows. `scope` says once per what it is evaluated: target, device, candidate."""

    __pydantic_config__ = FROM_FILE

    id: str
    question: str
    hit_policy: str
    scope: str
    rules: tuple[Rule, ...]
    excuse: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a condition read: value None = unknown."""

    attribute: str
    value: Any
    origin: str
    condition: Any = None
    outcome: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One row's evaluation for one subject. `subject` names a candidate id, a device id or `target`."""

    rule: str
    subject: str
    outcome: str
    readings: tuple[Reading, ...] = ()
    effect: Mapping[str, Any] = field(default_factory=dict)
    because: str = ""
    overridden_by: str = ""
