"""PURE: raw TOML rows -> rows in base units, with conditions in their final form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recommender.domain.quantity import parse_quantity, to_base
from recommender.domain.workload import parse_constraint

_BYTES_FIELDS = {"machine": ("memory_options",), "budget": ("cap", "reserve")}
_CONSTRAINT_FIELDS = ("floor", "comfort", "needs")
COMPARISONS = ("at_least", "above", "at_most", "below")


def normalise(table: str, row: Mapping[str, Any], vocabulary: Mapping[str, Any]) -> dict[str, Any]:
    """One row in base units. Raises ValueError with the offending text; `field` of the error names the key."""
    data = dict(row)
    for key, value in row.items():
        try:
            data[key] = _field(table, key, value, vocabulary)
        except ValueError as error:
            raise FieldError(key, str(error)) from None
    return data


class FieldError(ValueError):
    """A value that cannot be read; `field` is its key."""

    def __init__(self, field: str, message: str):
        super().__init__(message)
        self.field = field


def _field(table: str, key: str, value: Any, vocabulary: Mapping[str, Any]) -> Any:
    if key in _BYTES_FIELDS.get(table, ()):
        return [_bytes(item) for item in value] if isinstance(value, list) else _bytes(value)
    if table == "workload" and key in _CONSTRAINT_FIELDS:
        return [_plain_constraint(text) for text in value]
    if key == "when" and isinstance(value, dict):
        return {attribute: _condition(attribute, condition, vocabulary) for attribute, condition in value.items()}
    if key in ("support", "rules") and isinstance(value, list):
        return [normalise(key, child, vocabulary) for child in value]
    return _quantities(value)


def _quantities(value: Any) -> Any:
    """`{ value = 8, unit = "GB/s", ... }` -> value in base units, at any depth."""
    if isinstance(value, dict):
        if "value" in value and ("unit" in value or value["value"] == "unknown"):
            rest = {key: item for key, item in value.items() if key not in ("value", "unit")}
            return {"value": _quantity(value["value"], value.get("unit", "")), **rest}
        return {key: _quantities(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_quantities(item) for item in value]
    return value


def _quantity(value: Any, unit: str) -> Any:
    if value == "unknown":
        return None
    if isinstance(value, list):
        return [to_base(item, unit) for item in value]
    return to_base(value, unit)


def _bytes(value: Any) -> Any:
    return int(parse_quantity(value, "bytes")) if isinstance(value, str) else value


def _plain_constraint(text: str) -> dict[str, Any]:
    parsed = parse_constraint(text)
    return {name: getattr(parsed, name) for name in ("metric", "relation", "bound", "statistic", "text")}


def _condition(attribute: str, condition: Any, vocabulary: Mapping[str, Any]) -> Any:
    unit = vocabulary.get("attribute", {}).get(attribute, {}).get("unit")
    if not unit or not isinstance(condition, dict):
        return condition
    return {
        name: parse_quantity(bound, unit) if name in COMPARISONS and isinstance(bound, str) else bound
        for name, bound in condition.items()
    }
