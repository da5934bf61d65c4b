"""Numbers as tools write them: checked, and in base units."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

from recommender.domain.measurement import Summary
from recommender.domain.quantity import to_base
from recommender.domain.workload import METRICS

SIGNED = ("quality_drop",)  # the others are above zero
_VALUES = ("low", "high", "p50", "p90", "p95", "p99")
_SHOWN = 40  # letters of a wrong value in a message


def figure(metric: str, value: object, unit: str, **more: Any) -> Summary:
    """A value in the tool's unit as a Summary in the metric's base unit.

    Raises:
        ValueError: no number, not finite, or not above zero; the text quotes it.
    """
    return Summary(unit=METRICS[metric][0], value=based(metric, value, unit), **_further(metric, unit, more))


def sampled(metric: str, values: Iterable[object], unit: str, **more: Any) -> Summary:
    """The median of single samples. Raises ValueError as `figure` does, also for none at all."""
    found = [based(metric, value, unit) for value in values]
    if not found:
        raise ValueError(f"{metric}: there are no samples")
    return Summary(unit=METRICS[metric][0], value=median(found), n_samples=len(found), **_further(metric, unit, more))


def _further(metric: str, unit: str, more: dict[str, Any]) -> dict[str, Any]:
    """Further fields of a Summary; those that are values get the base unit."""
    return {name: based(metric, item, unit) if name in _VALUES else item for name, item in more.items()}


def based(metric: str, value: object, unit: str) -> float:
    """A value in the base unit of its metric. Raises ValueError, see `figure`."""
    found = to_base(number(value, metric), unit, METRICS[metric][0])
    if found <= 0 and metric not in SIGNED:
        raise ValueError(f"{metric}: `{shown(value)}` is not above zero")
    if not math.isfinite(found):
        raise ValueError(f"{metric}: `{shown(value)}` is not a finite number")
    return found


def number(value: object, what: str) -> float:
    """A plain number, or the text of one. Raises ValueError: it names what it was to be, and quotes it."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            found = math.nan
            if re.match(r"\s*[+-]?\d", str(value)):
                raise ValueError(f"{what}: `{shown(value)}` is not a plain number (a unit does not belong into the field)") from None
        if math.isfinite(found):
            return found
    raise ValueError(f"{what}: `{shown(value)}` is not a finite number")


def count(value: object, what: str) -> int:
    """A whole number, zero or more. Raises ValueError."""
    found = number(value, what)
    if found < 0 or found != int(found):
        raise ValueError(f"{what}: `{shown(value)}` is not a whole number, zero or more")
    return int(found)


def counts(raw: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, int]:
    """Our name -> whole number, of the fields that are there (their name -> ours)."""
    return {ours: count(raw[theirs], theirs) for theirs, ours in names.items() if raw.get(theirs) not in (None, "")}


def shown(value: object) -> str:
    """A value as a message quotes it: one short line."""
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
