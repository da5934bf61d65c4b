"""PURE: speed and memory of a language model on a unit, corrected by what was measured on others.

`learned` is `knowledge/calibration/language.json`, made by `benchmarks/fit/language.py`; `language_terms` says what a prediction is made of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from recommender.estimate.learned.case import STEPS, LanguageCase, Predicted, Silicon
from recommender.estimate.learned.language_terms import (
    DECODE,
    PREFILL,
    Assumed,
    Term,
    cache_bytes,
    decode_time,
    depth_of,
    level_of,
    levels,
    prefill_time,
)

METRICS = ("decode_rate", "prefill_rate", "ttft", "peak_memory")
SOURCES = ("evidence:language-models",)
_TERMS: Mapping[str, tuple[Term, ...]] = {"decode_rate": DECODE, "prefill_rate": PREFILL}
_TIMES: Mapping[str, Callable[[LanguageCase, Assumed], tuple[float, dict[str, float]] | str]] = {"decode_rate": decode_time, "prefill_rate": prefill_time}
_RUNTIME = 2.0**28  # bytes of program and buffers beside weights and cache, before any correction
_NO_CONTEXT = 2048.0  # tokens reserved, where a case does not say

Answers = dict[str, Predicted | str]
_remembered: dict[tuple[Any, ...], Any] = {}  # what was looked up for combinations of facts, which tables repeat
_owner: list[Mapping[str, Any]] = []  # where it was looked up


def predict(case: LanguageCase, learned: Mapping[str, Any]) -> Answers:
    """Each of METRICS in base units, or the reason why it cannot be told."""
    if not _owner or _owner[0] is not learned:
        _owner[:] = [learned]
        _remembered.clear()
    found: Answers = {metric: _rate(metric, case, learned) for metric in _TERMS}
    found["ttft"] = _ttft(case, found, learned)
    found["peak_memory"] = _peak_memory(case, learned)
    return found


def step_of(silicon: Silicon, known: Mapping[str, Any]) -> str:
    """How near the measured silicon is. A unit whose bandwidth had to be assumed is nearer than `analytic` only if it was measured itself."""
    if (silicon.key or silicon.name) in known["device"]:
        return "exact"
    if not silicon.memory_bandwidth:
        return "analytic"
    if silicon.generation and f"{silicon.family} {silicon.generation}" in known["generation"]:
        return "microarchitecture"
    return "class" if silicon.family in known["family"] else "analytic"


def interval_of(table: Mapping[str, Any], kind: str, step: str) -> tuple[float, float]:
    """Both ends, in log(truth / predicted), of a kind of unit and step: never narrower than those of nearer steps."""
    low, high = table.get(f"{kind} {step}") or table.get(f"* {step}") or table["*"]
    for nearer in STEPS[: STEPS.index(step)]:
        near = table.get(f"{kind} {nearer}")
        if near:
            low, high = min(low, near[0]), max(high, near[1])
    return low, high


def _rate(metric: str, case: LanguageCase, learned: Mapping[str, Any]) -> Predicted | str:
    part = learned[metric]
    time = _TIMES[metric](case, learned["assumed"])
    if isinstance(time, str):
        return time
    if case.silicon.kind not in part["known"]["kind"]:
        return f"no {case.silicon.kind} was measured with a language model"
    seconds, variables = time
    slopes = _slopes_of(metric, case, part["coefficients"])
    correction = math.exp(sum([slope * variables[name] for name, slope in slopes]))
    return _predicted(metric, correction / seconds, case, part, {"roofline": 1 / seconds, "correction": correction})


def _slopes_of(metric: str, case: LanguageCase, coefficients: Mapping[str, Mapping[str, float]]) -> list[tuple[str, float]]:
    """Variable and the sum of the coefficients of all its terms at the case's levels. A table repeats them: each combination is summed once."""
    silicon = case.silicon
    asked = (
        metric, silicon.key or silicon.name, silicon.kind, silicon.family, silicon.generation, silicon.machine_class, silicon.features, case.framework,
        case.execution_provider, case.scheme, case.bits_per_weight, case.is_mixture,
    )  # fmt: skip
    known = _remembered.get(asked)
    if known is None:
        found, slopes = levels(case), dict[str, float]()
        for term in _TERMS[metric]:
            value = coefficients.get(term.name, {}).get(level_of(term, found))
            if value is not None:
                slopes[term.variable] = slopes.get(term.variable, 0.0) + value
        known = _remembered[asked] = list(slopes.items())
    return known


def _predicted(metric: str, central: float, case: LanguageCase, part: Mapping[str, Any], parts: Mapping[str, Any]) -> Predicted:
    silicon = case.silicon
    asked = (metric, silicon.key or silicon.name, silicon.kind, silicon.family, silicon.generation, bool(silicon.memory_bandwidth))
    known = _remembered.get(asked)
    if known is None:
        step = step_of(silicon, part["known"])
        low, high = interval_of(part["intervals"], silicon.kind, step)
        known = _remembered[asked] = (step, math.exp(low), math.exp(high))
    step, low, high = known
    return Predicted(central=central, low=central * low, high=central * high, step=step, sources=SOURCES, parts=parts)


def first_token(case: LanguageCase, rates: Mapping[str, Predicted | str]) -> float | str:
    """Seconds to the first token, before its correction: the prompt at the rate of prefilling, then one token."""
    prefill, decode = rates["prefill_rate"], rates["decode_rate"]
    if not case.prompt_tokens:
        return "length of the prompt not known"
    if isinstance(prefill, str):
        return prefill
    return case.prompt_tokens / prefill.central + (0.0 if isinstance(decode, str) else 1 / decode.central)


def _ttft(case: LanguageCase, rates: Mapping[str, Predicted | str], learned: Mapping[str, Any]) -> Predicted | str:
    part, seconds = learned["ttft"], first_token(case, rates)
    if isinstance(seconds, str):
        return seconds
    overhead = part["overhead"].get(case.framework, part["overhead"]["*"])
    return _predicted("ttft", seconds * overhead, case, part, {"prompt_and_token": seconds, "factor": overhead})


def footprint(case: LanguageCase) -> float | str:
    """Bytes of weights, cache for the whole context and program, before the framework's own copies."""
    if not case.weight_bytes:
        return "size of the weights not known: neither parameters and scheme nor a file size"
    context = case.context or max(depth_of(case) + (case.output_tokens or 0.0) / 2, 0.0) or _NO_CONTEXT
    return case.weight_bytes + cache_bytes(case) * context + _RUNTIME


def memory_path(case: LanguageCase) -> tuple[str, str]:
    """What a framework's own copies differ by, from the finest."""
    return f"{case.framework} {case.execution_provider}", case.framework


def _peak_memory(case: LanguageCase, learned: Mapping[str, Any]) -> Predicted | str:
    part, base = learned["peak_memory"], footprint(case)
    if isinstance(base, str):
        return base
    factor = next((part["copies"][name] for name in memory_path(case) if name in part["copies"]), part["copies"]["*"])
    return _predicted("peak_memory", base * factor, case, part, {"weights_cache_program": base, "copies": factor})
