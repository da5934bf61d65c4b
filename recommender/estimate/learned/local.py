"""Speeds of a language model on the processor at hand, from the microbenchmark alone: nothing of the model needs to have run.

A token reads all active weights and the cache, and multiplies by every weight. Reading takes bytes over the bandwidth that so many threads reach;
multiplying takes, for each weight, what so many fp32 operations of the measured matrix rate would (`decode` of the costs). The two overlap in part:
they add up as squares, which fits published rates over thread counts better than their sum or their maximum. A prompt runs at a multiple of the
matrix rate (`prefill`). Coefficients: `benchmarks.fit.local`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, hypot, pow
from typing import Any

from recommender.estimate.learned.case import LanguageCase, Predicted, Silicon

_NEEDED = ("fp32_ops", "memory_bandwidth", "threads")
_WIDER = 1.2  # bits per weight over the level's own beyond which most tensors cannot have the level's type

_MATRIX_UNIT = 1.5  # times the vector units' rate: clocks that a system tells may be below what it runs at


def predict(case: LanguageCase, microbenchmark: Mapping[str, Any], learned: Mapping[str, Any]) -> dict[str, Predicted | str]:
    """decode_rate, prefill_rate [tok/s], tpot and, of a prompt, ttft [s]; or the reason why one cannot be told.

    Args:
        microbenchmark: as `intake.microbenchmark` returns it; what was recorded before it timed reading is read from copying.
        learned: knowledge/calibration/local.json.
    """
    metrics = ("decode_rate", "tpot", "prefill_rate", "ttft")
    why, kernels = _unfit(case, microbenchmark, learned), _kernels(case.silicon, learned)
    if why or not kernels:
        return dict.fromkeys(metrics, why or "no kernels were timed with this instruction set")
    assert case.n_params and case.weight_bytes and case.active_bytes
    kind, step, costs = kind_of(case, learned), kernels["step"], learned["costs"][kernels["costs"]]
    if kind not in costs["decode"] or kind not in costs["prefill"]:
        return dict.fromkeys(metrics, f"{case.scheme}: not timed with this instruction set")
    threads = _threads(case, microbenchmark)
    weights = case.n_params * case.active_bytes / case.weight_bytes
    rate = _matrix_rate(case.silicon, threads, microbenchmark, kernels)
    bandwidth = learned["read_share"] * _bandwidth(threads, microbenchmark, learned)
    reading = (case.active_bytes + (case.kv_bytes or 0.0) * (case.depth or 0.0)) / bandwidth
    multiplying = weights * costs["decode"][kind] / rate
    decode = hypot(reading, multiplying) + learned["call_seconds"]
    token = 2.0 * weights / (rate * costs["prefill"][kind])
    parts = {"threads": threads, "bandwidth": bandwidth, "matrix_rate": rate, "reading": reading, "multiplying": multiplying, "kind": kind}
    found: dict[str, Predicted | str] = {
        "decode_rate": _predicted(1 / decode, -1, step, learned, parts), "tpot": _predicted(decode, 1, step, learned, parts),
        "prefill_rate": _predicted(1 / token, -1, step, learned, parts), "ttft": "length of the prompt not known",
    }
    if case.prompt_tokens:
        found["ttft"] = _predicted(case.prompt_tokens * token, 1, step, learned, parts)
    return found


def _unfit(case: LanguageCase, microbenchmark: Mapping[str, Any], learned: Mapping[str, Any]) -> str:
    """Why this model of the machine does not hold for the case; empty when it does."""
    if case.silicon.kind != "cpu" or case.framework != learned["framework"]:
        return f"only {learned['framework']} on the processor is told from the microbenchmark"
    if not all(_number(microbenchmark, name) for name in _NEEDED):
        return "the microbenchmark has not run on this machine"
    if not (case.n_params and case.weight_bytes and case.active_bytes):
        return "number of parameters or bytes of the weights not known"
    if case.is_mixture or case.batch != 1:
        return "only dense models with one sequence are told from the microbenchmark"
    return ""


def _kernels(silicon: Silicon, learned: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first set of kernels whose instructions the processor has."""
    return next((row for row in learned["kernels"] if silicon.features.issuperset(row["needs"])), None)


def kind_of(case: LanguageCase, learned: Mapping[str, Any]) -> str:
    """ggml's type of most of the weights. Rows that do not divide into a super-block of 256 get a wider type: the bits show it."""
    level = case.scheme
    kind = level[:-2] if level.endswith(("_S", "_M", "_L")) else level
    stored = 8 * case.weight_bytes / case.n_params if case.weight_bytes and case.n_params else 0.0
    is_wider = case.bits_per_weight and stored > _WIDER * case.bits_per_weight
    return str(learned["fallbacks"].get(kind, kind)) if is_wider else kind


def _threads(case: LanguageCase, microbenchmark: Mapping[str, Any]) -> int:
    """As asked; else one for each core. More than the cores do no more than the cores."""
    most = _workers(case.silicon, microbenchmark)
    return max(1, min(case.threads or most, most))


def _workers(silicon: Silicon, microbenchmark: Mapping[str, Any]) -> int:
    """Cores that did the measured work: two threads of one core share its units."""
    measured = int(microbenchmark["threads"])
    return max(1, min(measured, silicon.cores or measured))


def _matrix_rate(silicon: Silicon, threads: int, microbenchmark: Mapping[str, Any], kernels: Mapping[str, Any]) -> float:
    """fp32 operations per second of so many threads. Where it is far beyond the vector units, a matrix unit was at work, which these kernels do not use."""
    each = _number(microbenchmark, "fp32_ops") / _workers(silicon, microbenchmark)
    units: float = (silicon.clock or 0.0) * kernels["operations_per_cycle"]
    return threads * (units if units and each > _MATRIX_UNIT * units else each)


def _bandwidth(threads: int, microbenchmark: Mapping[str, Any], learned: Mapping[str, Any]) -> float:
    """Bytes per second that so many threads read: they add up until the memory's own limit, which is rounded off (a 4-norm fits published rates)."""
    ratio: float = learned["read_over_copy"]
    most = _number(microbenchmark, "read_bandwidth") or ratio * _number(microbenchmark, "memory_bandwidth")
    one = _number(microbenchmark, "read_bandwidth_1t") or ratio * _number(microbenchmark, "memory_bandwidth_1t") or most
    measured = int(microbenchmark["threads"])
    if threads >= measured:
        return most
    alone = threads * one
    limit = most**-4 - (measured * one) ** -4  # of the memory alone, so that all threads together give what was measured
    return min(most, pow(alone**-4 + max(limit, 0.0), -0.25))


def _number(found: Mapping[str, Any], name: str) -> float:
    """0 where it is missing or no number: recordings come from elsewhere."""
    value = found.get(name)
    return float(value) if isinstance(value, (int, float)) and value > 0 else 0.0


def _predicted(central: float, side: int, step: str, learned: Mapping[str, Any], parts: Mapping[str, Any]) -> Predicted:
    """`side`: 1 for seconds, -1 for rates. The table holds logs of measured over predicted seconds."""
    ends = sorted(central * exp(side * end) for end in learned["interval"][step])
    return Predicted(central=central, low=ends[0], high=ends[1], step=step, sources=tuple(learned["sources"]), parts=parts)
