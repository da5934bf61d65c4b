"""How the numbers of a candidate stand against constraints: met, not-met, unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from recommender.domain.estimate import Estimate
from recommender.domain.workload import METRICS, Constraint


def level(constraints: Iterable[Constraint], estimates: Mapping[str, Estimate], *, pessimistic: bool = False) -> str:
    """All constraints together. One that is broken settles it; one that is not known leaves it open.

    Args:
        pessimistic: judge by the bad end of the interval instead of the central value (memory).
    """
    answer = "met"
    for constraint in constraints:
        value = reading(constraint, estimates, pessimistic=pessimistic)
        if value is None:
            answer = "unknown"
        elif not constraint.holds(value):
            return "not-met"
    return answer


def reading(constraint: Constraint, estimates: Mapping[str, Estimate], *, pessimistic: bool = False) -> float | None:
    """The number that a constraint is held against; None when not known. A percentile is never read off an estimate."""
    found = estimates.get(constraint.metric)
    if found is None or found.central is None:
        return None
    if constraint.statistic and found.basis != "measured-here":
        return None
    if constraint.statistic == "p95":
        return found.high
    if pessimistic or constraint.metric == "peak_memory":
        return found.low if METRICS[constraint.metric][1] == "up" else found.high
    return found.central


def known(constraints: Iterable[Constraint], estimates: Mapping[str, Estimate]) -> tuple[Constraint, ...]:
    """The constraints whose metric is known."""
    return tuple(row for row in constraints if reading(row, estimates) is not None)
