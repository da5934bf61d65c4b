"""Something that was measured, here or elsewhere, as the decision receives it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One figure. `device` is a catalogue key, or `digest` names the very machine; empty fields are not known.

    `value` in the metric's base unit. `conditions` says what the source says (prompt, threads, batch, clocks).
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
    conditions: str = ""
    date: str = ""
    low: float | None = None
    high: float | None = None
