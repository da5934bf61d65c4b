"""Measurements and failures as rows: a column for every field, JSON text for what is nested."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from recommender.loader.plain import from_plain, to_plain

T = TypeVar("T")


def columns(cls: type) -> tuple[str, ...]:
    """Names of the columns, in the order of the fields."""
    return tuple(field.name for field in dataclasses.fields(cls))


def to_row(value: Any) -> dict[str, Any]:
    """A dataclass as column -> text, flag or JSON text. What is not finite is `null`: it is no JSON."""
    return {field.name: _stored(getattr(value, field.name)) for field in dataclasses.fields(value)}


def from_row(cls: type[T], names: Sequence[str], row: Sequence[Any]) -> T:
    """The inverse of `to_row`; columns that were not read keep their defaults.

    Raises:
        ValueError, TypeError: the row is damaged.
    """
    types = _types(cls)  # type: ignore[arg-type]
    found: T = from_plain(cls, {name: _read(name, value, types[name]) for name, value in zip(names, row, strict=True)})
    return found


@functools.cache
def _types(cls: type) -> dict[str, str]:
    return {field.name: str(field.type) for field in dataclasses.fields(cls)}


def _read(name: str, value: Any, annotation: str) -> Any:
    if annotation == "bool":
        return bool(value)
    kind = dict if annotation.startswith("Mapping[") else list if annotation.startswith("tuple[") else None
    if kind is None:
        return value
    found = json.loads(value) if isinstance(value, str) else value  # PostgreSQL's driver has parsed it already
    if not isinstance(found, kind):
        raise ValueError(f"`{name}` is no JSON {'object' if kind is dict else 'list'}")
    return found


def _stored(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):  # NUL is no letter of a text column, and half a surrogate pair no text at all
        return value.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")
    return json.dumps(finite(to_plain(value)), ensure_ascii=True, default=str)


def finite(value: Any) -> Any:
    """Plain data without NaN and infinities, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value
