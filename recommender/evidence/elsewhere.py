"""Imported figures for a decision: those of the target's devices, as figures measured elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from recommender.domain.evidence import Evidence
from recommender.domain.workload import METRICS
from recommender.estimate.evidence import METHOD

if TYPE_CHECKING:
    from recommender.domain.measurement import Measurement

NEAR = 4096  # tokens in the cache up to which a rate speaks for any short conversation, as published figures do; the interval covers what it costs
_PLAIN = ("batch", "streams")
_HARMLESS = frozenset({"copied", "split"})  # flags of what the path does anyway


def evidence(measurements: Iterable[Measurement], model: str) -> tuple[Evidence, ...]:
    """One row a metric, without a digest: `estimate.evidence.measured` takes those of the candidate's device as measured elsewhere.

    What was taken by our own method on a machine of ours, a figure with a flag, and one network of several are left out. A figure that was taken
    with more inputs at once, or with much in the cache, speaks only for a request that says the same.
    """
    return tuple(
        Evidence(
            metric=metric, value=summary.value, low=summary.low, high=summary.high, model=model, framework=row.framework, execution_provider=row.execution_provider,
            scheme=row.scheme, version=row.version, device=str(row.candidate.get("device") or ""), source=f"measurement:{row.id}", conditions=_conditions(row),
            date=row.created[:10], workload=() if is_plain(row) else _workload(row),
        )
        for row in measurements if is_usable(row)
        for metric, summary in row.metrics.items() if metric in METRICS and summary.value is not None
    )


def is_usable(row: Measurement) -> bool:
    """Whether a row was imported and speaks for the whole model on one device."""
    is_imported = not row.digest and row.method != METHOD and row.valid
    return is_imported and not set(row.flags) - _HARMLESS and not row.candidate.get("component") and bool(row.candidate.get("device"))


def is_plain(row: Measurement) -> bool:
    """One input at a time, not much in the cache."""
    held = sum(int(row.workload.get(name) or 0) for name in ("depth", "prompt_tokens", "output_tokens"))
    return held <= NEAR and all((row.workload.get(name) or 1) == 1 for name in _PLAIN)


def _workload(row: Measurement) -> tuple[tuple[str, float], ...]:
    """By the names of a request: what is in the cache before the test counts as prompt."""
    told = {name: float(row.workload.get(name) or 0) for name in ("depth", "prompt_tokens", "output_tokens")}
    many = {name: float(row.workload.get(name) or 1) for name in _PLAIN}
    return tuple(sorted({"prompt_tokens": told["depth"] + told["prompt_tokens"], "output_tokens": told["output_tokens"], **many}.items()))


def _conditions(row: Measurement) -> str:
    told = " ".join(f"{name} {value}" for name, value in sorted(row.workload.items()))
    return ", ".join(filter(None, (row.method, told)))
