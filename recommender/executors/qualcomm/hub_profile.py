"""PURE: what AI Hub's profile of a model on a device says, in our units.

The client hands it out as a dictionary: `execution_summary` (times in microseconds, memory in bytes) and `execution_detail` (a list of layers
with their `compute_unit`: NPU, GPU or CPU). Fields that a service or a runtime does not fill are absent, null or 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from recommender.domain.errors import WrongOutput

UNITS = ("npu", "gpu", "cpu")
_MICROSECOND = 1e-6


def parse(profile: Mapping[str, Any]) -> dict[str, Any]:
    """metrics: latency, load_time, first_load_time, compile_time [s], peak_memory [bytes], of those that are told (peak_memory_range: low, high).

    samples: latency [s], every iteration of the service. placement: unit -> number of layers. placement_time: unit -> share of the layers' time.

    Raises:
        WrongOutput: there is no inference time in it.
    """
    summary, layers = profile.get("execution_summary") or {}, profile.get("execution_detail") or []
    latency = _seconds(summary.get("estimated_inference_time"))
    if latency is None:
        raise WrongOutput("the service's profile holds no inference time")
    metrics: dict[str, Any] = {
        "latency": latency, "load_time": _seconds(summary.get("warm_load_time")), "first_load_time": _seconds(summary.get("first_load_time")),
        "compile_time": _seconds(summary.get("compile_time")), "peak_memory": _peak_memory(summary),
    }
    peak_range = summary.get("inference_memory_peak_range")
    return {
        "metrics": {name: value for name, value in metrics.items() if value is not None},
        "peak_memory_range": list(peak_range) if peak_range else None,
        "samples": {"latency": [micro * _MICROSECOND for micro in summary.get("all_inference_times") or []]},
        "placement": placement(layers), "placement_time": _shares(layers), "n_layers": len(layers),
    }


def placement(layers: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Unit -> number of layers; `unknown` where the service does not say."""
    counts = Counter(_unit(layer) for layer in layers)
    return {unit: counts[unit] for unit in (*UNITS, "unknown") if counts[unit] or unit in UNITS}


def off_unit(profile: Mapping[str, Any], unit: str) -> dict[str, int]:
    """Layer type -> number of those that ran elsewhere than on the unit."""
    types = Counter(str(layer.get("type") or "?") for layer in profile.get("execution_detail") or [] if _unit(layer) != unit)
    return dict(sorted(types.items()))


def _unit(layer: Mapping[str, Any]) -> str:
    name = str(layer.get("compute_unit") or "").lower()
    return name if name in UNITS else "unknown"


def _shares(layers: Sequence[Mapping[str, Any]]) -> dict[str, float] | None:
    """None where no layer has a time; cycles are used where the runtime counts these."""
    for key in ("execution_time", "execution_cycles"):
        total = sum(layer.get(key) or 0 for layer in layers)
        if total:
            return {unit: sum(layer.get(key) or 0 for layer in layers if _unit(layer) == unit) / total for unit in UNITS}
    return None


def _peak_memory(summary: Mapping[str, Any]) -> int | None:
    """The high end of the range where there is one, else the estimate."""
    peak = summary.get("inference_memory_peak_range")
    return int(peak[1] if peak else summary.get("estimated_inference_peak_memory") or 0) or None


def _seconds(microseconds: Any) -> float | None:
    return float(microseconds) * _MICROSECOND if microseconds else None
