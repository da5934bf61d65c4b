"""Figures that were measured, in place of estimates: here (same machine) or elsewhere (same catalogue device, same model and path)."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import TYPE_CHECKING

from recommender.domain.estimate import Estimate
from recommender.domain.measurement import Evidence
from recommender.domain.workload import METRICS

if TYPE_CHECKING:
    from recommender.estimate.estimates import Subject

_ELSEWHERE_SPREAD = 0.20  # another unit of the device, another version, another cooling


def measured(subject: Subject, estimates: Mapping[str, Estimate], evidence: tuple[Evidence, ...]) -> dict[str, Estimate]:
    """Estimates replaced by evidence of the very candidate; measured here wins over measured elsewhere."""
    rows = [row for row in evidence if _fits(row, subject)]
    found: dict[str, Estimate] = {}
    for metric in dict.fromkeys(row.metric for row in rows):
        same = [row for row in rows if row.metric == metric]
        here = [row for row in same if row.digest]
        found[metric] = _estimate(metric, here or same, "measured-here" if here else "measured-elsewhere", estimates.get(metric))
    if "latency" in found and "throughput" not in found:
        found["throughput"] = _throughput(found["latency"], subject.workload.batch)
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


def _throughput(latency: Estimate, batch: int) -> Estimate:
    assert latency.low and latency.central and latency.high
    return Estimate(
        metric="throughput", unit="1/s", low=batch / latency.high, central=batch / latency.central, high=batch / latency.low,
        basis=latency.basis, sources=latency.sources, why="one over the measured latency",
    )
