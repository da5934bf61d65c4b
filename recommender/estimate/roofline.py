"""The one place where demand meets capability: the larger of compute time and memory time, and what binds.

Roofline model: Williams, Waterman, Patterson, CACM 52(4), 2009.
"""

from __future__ import annotations

from dataclasses import dataclass

from recommender.domain.estimate import Phase
from recommender.domain.quantity import Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Capability:
    """What a device delivers: peaks and the shares of them that are reached. None = not known."""

    peak_ops: float | None
    memory_bandwidth: float | None
    compute_efficiency: Interval | None
    memory_efficiency: Interval | None
    call_overhead: Interval = Interval(low=0.0, central=0.0, high=0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """Seconds of one phase (low = optimistic) and the binding resource."""

    seconds: Interval
    resource: str  # compute, memory-bandwidth, overhead


def phase_time(phase: Phase, capability: Capability) -> Bound | str:
    """Seconds of a phase, or the reason (text) why it cannot be told.

    A resource that is not known may be left out only when the other one is: a lower bound would be sold as an estimate.
    Exception: a phase that moves no bytes, or computes nothing, does not need it.
    """
    missing = [
        name for amount, peak, efficiency, name in (
            (phase.operations, capability.peak_ops, True, "operations per second of the device"),
            (phase.operations, True, capability.compute_efficiency, "share of its operations that this framework reaches"),
            (phase.bytes_moved, capability.memory_bandwidth, True, "memory bandwidth of the device"),
            (phase.bytes_moved, True, capability.memory_efficiency, "share of its bandwidth that this framework reaches"),
        ) if amount and not (peak and efficiency)
    ]
    if missing:
        return f"not known: {', '.join(missing)}"
    compute = _seconds(phase.operations, capability.peak_ops, capability.compute_efficiency)
    memory = _seconds(phase.bytes_moved, capability.memory_bandwidth, capability.memory_efficiency)
    overhead = capability.call_overhead.scaled(phase.calls)
    work = Interval(low=max(compute.low, memory.low), central=max(compute.central, memory.central), high=max(compute.high, memory.high))
    total = Interval(low=work.low + overhead.low, central=work.central + overhead.central, high=work.high + overhead.high)
    if overhead.central > work.central:
        return Bound(seconds=total, resource="overhead")
    return Bound(seconds=total, resource="compute" if compute.central >= memory.central else "memory-bandwidth")


def _seconds(amount: float, peak: float | None, efficiency: Interval | None) -> Interval:
    if not amount or not peak or not efficiency:
        return Interval(low=0.0, central=0.0, high=0.0)
    return Interval(low=amount / (peak * efficiency.high), central=amount / (peak * efficiency.central), high=amount / (peak * efficiency.low))
