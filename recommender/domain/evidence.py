"""Something that was measured, here or elsewhere, as the decision receives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PROTOCOL = "1"  # of measuring; stored with every number
TUNED = "tuned"  # flag of a measurement with other run settings than the rules give: it speaks of those settings alone
SHAPE_PROXY = "shape-proxy"  # flag of a measurement that was taken of shape proxies: of the model's layers, not of its weights


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One figure. `device` is a catalogue key; where `digest` names the very machine, the id of the device there. Empty fields are not known.

    `value` in the metric's base unit. `conditions` says what the source says (prompt, threads, batch, clocks).
    `workload` holds what is known of prompt_tokens, output_tokens, context, batch, concurrency, streams; empty: not told.
    `options` holds the run options it was measured with, as far as they are known. `proxy`: shape proxies were measured, not the model.
    """

    metric: str
    value: float
    model: str
    framework: str
    scheme: str
    source: str
    device: str = ""
    digest: str = ""
    execution_provider: str = ""
    version: str = ""
    driver: str = ""
    conditions: str = ""
    date: str = ""
    low: float | None = None
    high: float | None = None
    workload: tuple[tuple[str, float], ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    proxy: bool = False
