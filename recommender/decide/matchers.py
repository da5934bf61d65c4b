"""The closed set of conditions, in Kleene's three values: True, False, None (unknown)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

_VERSION = re.compile(r"^\s*(>=|<=|==|>|<)?\s*v?(\d+(?:\.\d+)*)")


def _version_tuple(text: str) -> tuple[int, ...]:
    found = _VERSION.match(text)
    numbers = tuple(int(part) for part in found[2].split(".")) if found else ()
    return numbers + (0,) * (4 - len(numbers))


def _version(value: Any, bound: Any) -> bool | None:
    """None when the value is no version (a rolling release, a code name): that is neither older nor newer."""
    if not _VERSION.match(str(value)):
        return None
    relation = (_VERSION.match(str(bound)) or [None, None])[1] or "=="
    left, right = _version_tuple(str(value)), _version_tuple(str(bound))
    return {">=": left >= right, "<=": left <= right, "==": left == right, ">": left > right, "<": left < right}[relation]


def _as_list(bound: Any) -> list[Any]:
    return list(bound) if isinstance(bound, (list, tuple)) else [bound]


MATCHERS: dict[str, Callable[[Any, Any], bool | None]] = {
    "in": lambda value, bound: value in bound,
    "not_in": lambda value, bound: value not in bound,
    "at_least": lambda value, bound: value >= bound,
    "above": lambda value, bound: value > bound,
    "at_most": lambda value, bound: value <= bound,
    "below": lambda value, bound: value < bound,
    "has": lambda value, bound: all(item in value for item in _as_list(bound)),
    "has_any": lambda value, bound: any(item in value for item in _as_list(bound)),
    "lacks": lambda value, bound: not any(item in value for item in _as_list(bound)),
    "version": _version,
    "matches": lambda value, bound: any(fnmatchcase(str(value).lower(), str(glob).lower()) for glob in _as_list(bound)),
    "is_unknown": lambda value, bound: (value is None) == bound,
}


def holds(condition: Any, value: Any) -> bool | None:
    """Whether `value` meets `condition`: a plain value (equality) or a table of matchers, all of which must hold.

    None when the value is not known, except for `is_unknown`, which always knows.
    """
    if not isinstance(condition, Mapping):
        return None if value is None else value == condition
    answer: bool | None = True
    for name, bound in condition.items():
        if name == "is_unknown":
            found: bool | None = MATCHERS[name](value, bound)
        elif value is None:
            found = None
        else:
            found = MATCHERS[name](value, bound)
        if found is False:
            return False
        if found is None:
            answer = None
    return answer
