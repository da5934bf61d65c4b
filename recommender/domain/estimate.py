"""Numbers that were computed, with interval, basis and what bounds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """What one phase asks, without a device: operations, bytes moved, and how often (calls)."""

    operations: float
    bytes_moved: float
    calls: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """Phases by name (prefill, decode, inference, encode) and resident bytes by component (weights, kv_cache, ...)."""

    phases: Mapping[str, Phase]
    resident: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """One metric. All None with a `why` when it is not known.

    Attributes:
        bound: compute, memory-bandwidth, capacity, overhead, or empty.
        basis: one of quantity.BASES. inputs: what went in, for the trace.
    """

    metric: str
    unit: str
    central: float | None = None
    low: float | None = None
    high: float | None = None
    basis: str = "unknown"
    bound: str = ""
    proxy: bool = False
    sources: tuple[str, ...] = ()
    why: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
