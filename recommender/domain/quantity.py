"""Units, sourced values and bases. Stored numbers are in base units: bytes, seconds, operations/s, bytes/s, watts."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

BASES = ("measured-here", "measured-elsewhere", "calibrated", "analytic", "claim", "unknown")  # best first
FROM_FILE: Any = {"extra": "forbid"}  # asked of types that are read from knowledge files: unknown keys are refused
ORIGINS = ("probed", "declared", "fact", "measured", "estimated", "assumed")

_SI = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_IEC = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}

# unit -> (dimension, factor to the base unit)
UNITS: dict[str, tuple[str, float]] = {
    **{f"{p}B": ("bytes", f) for p, f in {**_SI, "K": 1e3}.items()},
    **{f"{p}B": ("bytes", f) for p, f in _IEC.items()},
    **{f"{p}B/s": ("bytes/s", f) for p, f in _SI.items()},
    **{f"{p}OPS": ("ops/s", f) for p, f in _SI.items()},
    **{f"{p}FLOP/s": ("ops/s", f) for p, f in _SI.items()},
    **{f"{p}FLOPS": ("ops/s", f) for p, f in _SI.items()},
    **{f"{p}Hz": ("Hz", f) for p, f in _SI.items()},
    "s": ("s", 1.0), "ms": ("s", 1e-3), "us": ("s", 1e-6), "ns": ("s", 1e-9), "m": ("s", 60.0), "min": ("s", 60.0), "h": ("s", 3600.0),
    "tok/s": ("tok/s", 1.0), "tokens/s": ("tok/s", 1.0), "1/s": ("1/s", 1.0), "fps": ("1/s", 1.0), "FPS": ("1/s", 1.0),
    "J": ("J", 1.0), "mJ": ("J", 1e-3), "W": ("W", 1.0), "mW": ("W", 1e-3),
    "%": ("fraction", 1e-2), "fraction": ("fraction", 1.0),
    "bytes": ("bytes", 1.0),
}

_NUMBER = re.compile(r"^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S.*?)?\s*$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sourced:
    """A value a reader may doubt, in base units.

    Attributes:
        value: number, text or list in base units; None when the source says that it is not known.
        source: id in `knowledge/sources`.
        kind: vendor-specification, measured, third-party or derived.
        note: what the reader must know (sparse, peak, quoted, ...).
    """

    __pydantic_config__ = FROM_FILE

    value: Any
    source: str = ""
    kind: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """low <= central <= high, same unit."""

    low: float
    central: float
    high: float

    def scaled(self, factor: float) -> Interval:
        return Interval(low=self.low * factor, central=self.central * factor, high=self.high * factor)


def parse_quantity(text: str, dimension: str) -> float:
    """'8GiB' -> 8589934592.0 for dimension 'bytes'.

    Raises:
        ValueError: not a finite number, unit unknown, or unit of another dimension; the text names what would be valid.
    """
    match = _NUMBER.match(text)
    if not match:
        raise ValueError(f"`{text}` is not a number with a unit ({units_of(dimension)})")
    number, unit = float(match[1]), match[2] or ""
    if not math.isfinite(number):
        raise ValueError(f"`{text}` is not a finite number")
    if not unit:
        raise ValueError(f"`{text}` has no unit (one of {units_of(dimension)})")
    return to_base(number, unit, dimension)


def to_base(number: float, unit: str, dimension: str | None = None) -> float:
    """Number in `unit` -> base unit of its dimension. Raises ValueError for an unknown or unfit unit."""
    if unit not in UNITS:
        raise ValueError(f"unknown unit `{unit}`" + (f" (one of {units_of(dimension)})" if dimension else ""))
    found, factor = UNITS[unit]
    if dimension is not None and found != dimension:
        raise ValueError(f"`{unit}` measures {found}, not {dimension} (use one of {units_of(dimension)})")
    return number * factor


def units_of(dimension: str | None) -> str:
    """The units of one dimension, for messages."""
    return ", ".join(u for u, (d, _) in UNITS.items() if d == dimension)
