"""Conditions read attributes that exist, compare with values that can occur, and use matchers that the engine knows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from recommender.decide.matchers import MATCHERS
from recommender.domain.model import FORMATS, TASKS
from recommender.loader.lint.finding import Finding, Knowledge, Reporter, conditions

TYPES = ("text", "number", "flag", "list")
_NUMERIC = ("at_least", "above", "at_most", "below")
_MEMBERS = ("in", "not_in", "has", "has_any", "lacks")


def check(knowledge: Knowledge) -> Iterator[Finding]:
    report = Reporter("vocabulary", knowledge)
    attributes = knowledge.catalog.vocabulary.get("attribute", {})
    names = knowledge.catalog.vocabulary.get("matchers", {}).get("names", [])
    if sorted(names) != sorted(MATCHERS):
        differ = ", ".join(sorted(set(names) ^ set(MATCHERS))) or "a name stands twice"
        yield report.error("vocabulary", "matchers", f"not those of the engine: {differ}")
    for name, row in attributes.items():
        if row.get("type") not in TYPES or not row.get("meaning"):
            yield report.error("vocabulary", name, f"needs a meaning and a type (one of {', '.join(TYPES)})")
    values = _values(knowledge)
    for section, key, when in conditions(knowledge.catalog):
        for attribute, condition in when.items():
            if attribute not in attributes:
                yield report.error(section, key, f"unknown attribute `{attribute}`")
                continue
            for message in _faults(condition, attributes[attribute], values.get(attribute)):
                yield report.error(section, key, f"`{attribute}`: {message}")


def _values(knowledge: Knowledge) -> dict[str, Collection[Any]]:
    """What text attributes can be, from the vocabulary itself and from the rest of the catalogue."""
    catalog = knowledge.catalog
    found: dict[str, Collection[Any]] = {
        "device.family": [family for families in catalog.vocabulary.get("families", {}).values() for family in families],
        "device.key": catalog.devices,
        "device.precisions": knowledge.listed("precisions"),
        "framework.key": catalog.frameworks,
        "candidate.framework": catalog.frameworks,
        "candidate.execution_provider": knowledge.listed("execution_providers"),
        "candidate.format": FORMATS,
        "candidate.scheme": catalog.schemes,
        "quantization.key": catalog.schemes,
        "model.format": FORMATS,
        "model.scheme": catalog.schemes,
        "model.task": TASKS,
        "workload.key": catalog.workloads,
    }
    for name, row in catalog.vocabulary.get("attribute", {}).items():
        if "values" in row:
            found[name] = row["values"]
    return found


def _faults(condition: Any, row: Mapping[str, Any], values: Collection[Any] | None) -> Iterator[str]:
    if not isinstance(condition, Mapping):
        yield from _value(condition, row, values)
        if row.get("type") == "list":
            yield "is a list: use has, has_any or lacks"
        return
    if not condition:
        yield "an empty condition"
    for name, bound in condition.items():
        if name not in MATCHERS:
            yield f"unknown matcher `{name}` (one of {', '.join(MATCHERS)})"
        elif name in _NUMERIC:
            if row.get("type") != "number" or isinstance(bound, bool) or not isinstance(bound, (int, float)):
                yield f"`{name}` compares numbers, not {row.get('type')} with `{bound}`"
        elif name in _MEMBERS:
            if name in ("in", "not_in") and not isinstance(bound, (list, tuple)):
                yield f"`{name}` needs a list"
                continue
            if (name in ("has", "has_any", "lacks")) != (row.get("type") == "list"):
                yield f"`{name}` does not fit an attribute of type {row.get('type')}"
            for value in bound if isinstance(bound, (list, tuple)) else [bound]:
                yield from _value(value, row, values)
        elif name == "is_unknown" and not isinstance(bound, bool):
            yield "`is_unknown` is true or false"


def _value(value: Any, row: Mapping[str, Any], values: Collection[Any] | None) -> Iterator[str]:
    kind = row.get("type")
    fits = {"flag": isinstance(value, bool), "number": isinstance(value, (int, float)) and not isinstance(value, bool)}
    if not fits.get(str(kind), isinstance(value, str)):
        yield f"`{value}` is no {kind}"
    elif values is not None and kind in ("text", "list") and value not in values:
        yield f"`{value}` never occurs"
