"""Figures that were measured, in place of estimates: here (same machine) or elsewhere (same catalogue device, same model and path)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from recommender.domain.estimate import Estimate
from recommender.domain.measurement import Evidence
from recommender.domain.workload import METRICS

if TYPE_CHECKING:
    from recommender.estimate.estimates import Subject

_ELSEWHERE_SPREAD = 0.20  # another unit of the device, another version, another cooling


def measured(subject: Subject, estimates: Mapping[str, Estimate], evidence: tuple[Evidence, ...]) -> dict[str, Estimate]:
    """Estimates replaced by evidence of the very candidate; measured here wins over measured elsewhere.

    What follows from a measured figure is measured too: throughput from latency, time per token from the rate of decoding.
    """
    rows = [row for row in evidence if _fits(row, subject) and row.metric not in _not_comparable(subject)]
    found: dict[str, Estimate] = {}
    for metric in dict.fromkeys(row.metric for row in rows):
        same = [row for row in rows if row.metric == metric]
        here = [row for row in same if row.digest]
        found[metric] = _estimate(metric, here or same, "measured-here" if here else "measured-elsewhere", estimates.get(metric))
    for metric, source in (("throughput", "latency"), ("tpot", "decode_rate")):
        if metric not in found and source in found and found[source].low:
            found[metric] = _reciprocal(found[source], metric)
    if "decode_rate" in found and "throughput" not in found and subject.workload.concurrency == 1:
        found["throughput"] = replace(found["decode_rate"], metric="throughput", unit=METRICS["throughput"][0], inputs={})
    return found


def _not_comparable(subject: Subject) -> set[str]:
    """Metrics whose figures, taken of one model with one input at a time, do not speak of this workload."""
    found: set[str] = set()
    if subject.workload.batch > 1:
        found |= {"latency", "throughput", "peak_memory"}
    if subject.workload.concurrency > 1 or subject.beside_bytes != 0:
        found.add("peak_memory")
    return found


def _fits(row: Evidence, subject: Subject) -> bool:
    candidate = subject.candidate
    is_path = (row.framework, row.scheme) == (candidate.framework, candidate.scheme) and row.execution_provider in ("", candidate.execution_provider)
    if not is_path or row.model != subject.model.key:
        return False
    if row.digest:
        return row.digest == subject.digest
    return subject.facts is not None and row.device == subject.facts.key


def _estimate(metric: str, rows: list[Evidence], basis: str, computed: Estimate | None) -> Estimate:
    values = sorted(row.value for row in rows)
    central = median(values)
    low = min(row.low if row.low is not None else row.value for row in rows)
    high = max(row.high if row.high is not None else row.value for row in rows)
    if basis == "measured-elsewhere":
        low, high = min(low, central * (1 - _ELSEWHERE_SPREAD)), max(high, central * (1 + _ELSEWHERE_SPREAD))
    return Estimate(
        metric=metric, unit=METRICS[metric][0], low=low, central=central, high=high, basis=basis,
        bound=computed.bound if computed else "", sources=tuple(sorted({row.source for row in rows})),
        inputs={"n": len(rows), "conditions": sorted({row.conditions for row in rows if row.conditions})[:3], "computed": computed.central if computed else None},
    )


def _reciprocal(found: Estimate, metric: str) -> Estimate:
    assert found.low and found.central and found.high
    return Estimate(
        metric=metric, unit=METRICS[metric][0], low=1 / found.high, central=1 / found.central, high=1 / found.low, basis=found.basis,
        bound=found.bound, sources=found.sources, why=f"one over the measured {found.metric}",
    )
