"""What a device can deliver to one candidate: peaks from facts, from the microbenchmark or from its instruction set; shares from the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recommender.decide.tables import Attributes, evaluate
from recommender.domain.catalog import Catalog, Rate
from recommender.domain.facts import DeviceFacts
from recommender.domain.fingerprint import Device
from recommender.domain.quantity import Interval
from recommender.domain.quantization import QuantScheme
from recommender.estimate.roofline import Capability

# precision wanted -> what stands in when the device's figure for it is not known, with the factor on its rate
_STAND_INS: Mapping[str, tuple[tuple[str, float], ...]] = {
    "int8": (("int8", 1.0), ("fp8", 1.0), ("fp16", 1.0), ("bf16", 1.0), ("fp32", 1.0)),
    "int16": (("int16", 1.0), ("int8", 0.5), ("fp16", 1.0)),
    "fp16": (("fp16", 1.0), ("bf16", 1.0), ("int8", 0.5), ("fp32", 1.0)),
    "fp32": (("fp32", 1.0), ("fp16", 0.5)),
}


def compute_precision(scheme: QuantScheme, device_kind: str) -> str:
    """The precision the products run in."""
    if scheme.integer_compute:
        return "int8" if scheme.activation_bits <= 8 else "int16"
    if device_kind == "cpu":
        return "fp32"
    return "fp32" if scheme.scope == "float" and scheme.weight_bits > 16 and device_kind == "gpu" else "fp16"


def peak_ops(device: Device, facts: DeviceFacts | None, precision: str, attributes: Attributes, catalog: Catalog, microbenchmark: Mapping[str, float]) -> tuple[float | None, str]:
    """Operations per second at a precision, and where the figure is from."""
    if facts:
        for name, factor in _STAND_INS[precision]:
            found = facts.capability.get(f"peak_ops.{name}")
            if found and found.value:
                return found.value * factor, f"fact ({found.source})"
    if device.kind == "cpu":
        return _from_features(device, precision, attributes, catalog, facts, microbenchmark)
    return None, "unknown"


def _from_features(device: Device, precision: str, attributes: Attributes, catalog: Catalog, facts: DeviceFacts | None, microbenchmark: Mapping[str, float]) -> tuple[float | None, str]:
    """Cores x clock x operations per cycle; where the fp32 rate was measured, the ratio of the rates times that."""
    rate = _rate(precision, attributes, catalog)
    single = _rate("fp32", attributes, catalog)
    measured = microbenchmark.get("fp32_ops")
    if measured and rate and single:
        return measured * rate.operations_per_cycle / single.operations_per_cycle, "measured fp32 rate x instruction set"
    cores = attributes["device.cores_usable"][0]
    if not rate or not cores:
        return None, "unknown"
    clock = device.attributes.get("max_hz") or (facts.capability["clock"].value if facts and "clock" in facts.capability else None)
    return cores * (clock or rate.clock) * rate.operations_per_cycle, "cores x clock x instruction set"


def _rate(precision: str, attributes: Attributes, catalog: Catalog) -> Rate | None:
    for rate in catalog.rates:
        if rate.precision == precision and evaluate(rate.when, attributes):
            return rate
    return None


def is_on_chip(facts: DeviceFacts | None, weights: float, *, is_language_model: bool) -> bool:
    """Whether a network of `weights` bytes stays on the chip, so that an inference moves nothing over a memory bus.

    A chip that is built to hold its weights holds those of a vision network; of a language model only what fits its stated memory.
    """
    if facts is None:
        return False
    sram = facts.capability.get("sram")
    return bool((facts.attributes.get("weights_on_chip") and not is_language_model) or (sram and sram.value and weights <= sram.value))


def efficiency(phase: str, resource: str, attributes: Attributes, catalog: Catalog) -> tuple[Interval | None, str]:
    """The catalogue's share of the peak for a phase, first row that holds, and the row's id."""
    for row in catalog.efficiencies:
        if row.phase == phase and row.resource == resource and evaluate(row.when, attributes):
            return Interval(low=row.low, central=row.central, high=row.high), row.id
    return None, ""


def overhead(kind: str, attributes: Attributes, catalog: Catalog) -> Interval | None:
    """The first row of that kind that holds."""
    for row in catalog.overheads:
        if row.kind == kind and evaluate(row.when, attributes):
            return Interval(low=row.low, central=row.central, high=row.high)
    return None


def capability_of(phase: str, peak: float | None, attributes: Attributes, catalog: Catalog) -> tuple[Capability, dict[str, Any]]:
    """Peaks and shares for one phase, and what went in (for the trace)."""
    compute, compute_row = efficiency(phase, "compute", attributes, catalog)
    memory, memory_row = efficiency(phase, "memory-bandwidth", attributes, catalog)
    bandwidth, origin = attributes["device.memory_bandwidth"]
    call = overhead("operator" if phase == "inference" else "call", attributes, catalog)
    inputs = {
        "memory_bandwidth": bandwidth, "memory_bandwidth_origin": origin, "peak_ops": peak,
        "efficiency": [row for row in (compute_row, memory_row) if row],
    }
    zero = Interval(low=0.0, central=0.0, high=0.0)
    return Capability(peak_ops=peak, memory_bandwidth=bandwidth, compute_efficiency=compute, memory_efficiency=memory, call_overhead=call or zero), inputs
