"""Conditions and effects of rows in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recommender.cli.render.quantity import readable

_WORDS: dict[str, Callable[[str], str]] = {
    "in": lambda bound: f"is one of {bound}",
    "not_in": lambda bound: f"is none of {bound}",
    "at_least": lambda bound: f"is at least {bound}",
    "above": lambda bound: f"is more than {bound}",
    "at_most": lambda bound: f"is at most {bound}",
    "below": lambda bound: f"is less than {bound}",
    "has": lambda bound: f"has {bound}",
    "has_any": lambda bound: f"has one of {bound}",
    "lacks": lambda bound: f"has none of {bound}",
    "version": lambda bound: f"is version {bound}",
    "matches": lambda bound: f"looks like {bound}",
    "is_unknown": lambda bound: "is not known" if bound == "yes" else "is known",
}


def conditions_in_words(when: Mapping[str, Any], vocabulary: Mapping[str, Any]) -> list[str]:
    """One line a condition: `device.kind is one of npu, accelerator`."""
    attributes = vocabulary.get("attribute", {})
    return [f"{name} {_condition(condition, attributes.get(name, {}).get('unit', ''))}" for name, condition in when.items()]


def _condition(condition: Any, unit: str) -> str:
    if not isinstance(condition, Mapping):
        return f"is {_bound(condition, unit)}"
    return " and ".join(_WORDS[name](_bound(bound, unit)) for name, bound in condition.items())


def _bound(bound: Any, unit: str) -> str:
    if isinstance(bound, (list, tuple)):
        return ", ".join(_bound(item, unit) for item in bound)
    if isinstance(bound, bool):
        return "yes" if bound else "no"
    return '""' if bound == "" else readable(bound, unit)


def effect_in_words(then: Mapping[str, Any]) -> list[str]:
    """What a row does when it fires, one line an effect."""
    lines = []
    if then.get("verdict") == "ineligible":
        lines.append("rules the candidate out")
    for name, verb in (("warn", "warns"), ("note", "notes")):
        if name in then:
            lines.append(f"{verb}: {then[name]}")
    for name in ("frameworks", "schemes", "units"):
        if name in then:
            lines.append(f"puts {', '.join(then[name])} in place {then['place']}{limits_in_words(then)}")
    for option, value in then.get("set", {}).items():
        is_attribute = isinstance(value, str) and value.startswith("@")
        lines.append(f"sets {option} = {value[1:] if is_attribute else value}")
    lines += [f"opens {option} to a search: {_values_in_words(values)}" for option, values in then.get("search", {}).items()]
    return lines


def _values_in_words(values: Any) -> str:
    if isinstance(values, Mapping) and "up_to" in values:
        return f"1, 2, 4, ... up to {str(values['up_to']).removeprefix('@')}"
    return _bound(values["values"] if isinstance(values, Mapping) else values, "")


def limits_in_words(then: Mapping[str, Any]) -> str:
    """Under which frameworks and through which execution providers a place counts."""
    under = f" under {', '.join(then['for_frameworks'])}" if "for_frameworks" in then else ""
    through = f" through {', '.join(then['execution_providers'])}" if "execution_providers" in then else ""
    return under + through
