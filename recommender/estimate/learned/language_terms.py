"""PURE: what the language-model estimator knows of a case: seconds by the roofline, and the terms that correct them.

A prediction is `seconds by the roofline x exp(sum of coefficient x variable)`. Each term names a variable (a number of the case) and the factors
(facts of the case) by whose levels its coefficient differs; `one` is 1. Fit and prediction read the same table.
Roofline: Williams, Waterman, Patterson, CACM 52(4), 2009.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from recommender.estimate.learned.case import LanguageCase, Silicon

PASS = 2048.0  # prompt tokens of one pass over the weights; runtimes take 512 to 2048
_HALF_PASS = 512.0  # from which more tokens at once hardly fill a unit better
_GROUP = 5.0  # query heads per head of the cache: typical of models with grouped queries
OPERATIONS_PER_PARAMETER = 2.0
_ANSWER = 128.0  # tokens, where a case does not say how many are generated
_PROMPT = 512.0
_KV_BYTES = 60e3  # of the cache per token of a model of 4 10^9 parameters whose heads are not known; grows with the square root of the parameters
_CLOCK = 3e9
_CORES = 8
_BITS = 4.5
# Bytes of weights that one thread unpacks and multiplies per cycle, by how they are stored: from 1 and 2 thread figures of two processors, 2024 and 2025.
_BYTES_PER_CYCLE = {
    "f32": 12.0, "bf16": 9.0, "f16": 9.0, "q8": 8.0, "int8": 6.0, "int4": 4.0, "codebook": 1.3, "ternary": 2.0,
    "q6": 6.0, "q5": 5.0, "q4": 5.0, "k8": 8.0, "k6": 6.0, "k5": 5.0, "k4": 5.5, "k3": 3.5, "k2": 3.3,
}  # fmt: skip
_OTHER_BYTES = 4.0
_OPERATIONS_PER_CYCLE = 32  # of a core, fp32 with 256-bit vectors; what an instruction set really gives is a level of `isa`
_SHARED_BANDWIDTH = 3e11  # bytes/s that one processor's cores draw at most, however wide the memory: half of it where the memory gives as much
_DEFAULT_THREADS = {"phone": 4, "tablet": 4}  # fast cores
_ISA = ("amx_int8", "avx512_vnni", "avx_vnni", "avx2", "i8mm", "asimddp", "asimd")
_PEAKS = (("int8", 0.5), ("fp16", 1.0), ("bf16", 1.0), ("fp32", 1.0))  # quantized weights are multiplied in integers where a unit has them

Assumed = Mapping[str, Mapping[str, float]]  # what stands in for an unknown fact: quantity -> family (or kind) -> value


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """A variable whose coefficient differs by the levels of some factors. `penalty`: of the ridge, in devices."""

    name: str
    variable: str
    by: tuple[str, ...]
    penalty: float


def _terms(*groups: tuple[str, tuple[str, ...], float]) -> tuple[Term, ...]:
    return tuple(
        Term(name=f"{variable} by {by.replace('.', ' and ')}", variable=variable, by=tuple(by.split(".")), penalty=penalty)
        for variable, names, penalty in groups for by in names
    )


DECODE = _terms(
    ("one", ("kind", "family", "family.generation", "framework", "framework.kind", "provider", "provider.family", "provider.generation"), 1.0),
    ("one", ("storage", "storage.kind", "storage.framework", "storage.provider", "mixture", "mixture.kind", "machine.kind"), 1.0),
    ("one", ("device", "device.framework"), 2.0),
    ("overhead_300us", ("kind",), 1.0),
    ("overhead_1ms", ("kind", "family", "provider", "mixture.kind"), 1.0),
    ("overhead_3ms", ("kind", "framework.kind", "provider"), 1.0),
    ("overhead_10ms", ("kind",), 1.0),
    ("bandwidth", ("kind",), 1.0),
    ("cache_share", ("kind", "provider"), 1.0),
    ("depth", ("kind", "framework"), 1.0),
    ("bits", ("kind",), 1.0),
    ("peak", ("kind",), 1.0),
    ("compute_share", ("kind", "storage", "framework", "family"), 1.0),
    ("threads", ("kind",), 1.0),
    ("thread_share", ("kind",), 1.0),
)
PREFILL = _terms(
    ("one", ("kind", "family", "family.generation", "framework", "framework.kind", "provider", "provider.family", "provider.generation"), 1.0),
    ("one", ("storage", "storage.kind", "storage.framework", "storage.provider", "mixture", "mixture.kind", "machine.kind", "isa"), 1.0),
    ("one", ("device", "device.framework"), 2.0),
    ("peak", ("kind", "family"), 1.0),
    ("bandwidth", ("kind", "family"), 1.0),
    ("size", ("kind", "provider"), 1.0),
    ("short_prompt", ("kind", "provider", "framework"), 1.0),
    ("attention", ("kind", "provider", "framework"), 1.0),
    ("memory_share", ("kind", "mixture", "provider"), 1.0),
    ("threads", ("kind",), 1.0),
    ("thread_share", ("kind",), 1.0),
)


@cache
def storage_of(scheme: str, bits: float | None) -> str:
    """How weights are stored, as coarsely as kernels differ: `f16`, `q8`, `q4`, `k4` (in blocks of blocks), `codebook`, `ternary`, `int4`, ..."""
    plain = scheme.lower()
    if "ternary" in plain or plain.endswith("_bn") or plain.startswith("i2_"):
        return "ternary"
    if plain.startswith(("f32", "fp32")):
        return "f32"
    if plain.startswith(("f16", "fp16", "bf16")):
        return "bf16" if plain.startswith("b") else "f16"
    if re.search(r"\biq[123]|\biq4_(xs|k)", plain):
        return "codebook"
    if plain.startswith("iq4_nl"):  # a table of 16 values: costs what unpacking blocks of blocks costs, not what plain 4 bits do
        return "k4"
    if found := re.search(r"\bq([234568])_(k?)", plain):
        return f"{found[2] or 'q'}{found[1]}"
    wide = bits > 6 if bits else plain.startswith(("int8", "w8", "fp8"))
    return "int8" if wide else "int4"


def levels(case: LanguageCase) -> dict[str, str]:
    """The facts of a case that coefficients differ by."""
    silicon = case.silicon
    return {
        "kind": silicon.kind, "family": silicon.family or silicon.kind, "generation": silicon.generation, "device": silicon.key or silicon.name,
        "machine": silicon.machine_class, "isa": next((name for name in _ISA if name in silicon.features), "") if silicon.kind == "cpu" else "",
        "framework": case.framework, "provider": case.execution_provider, "scheme": case.scheme, "storage": storage_of(case.scheme, case.bits_per_weight),
        "mixture": "mixture" if case.is_mixture else "dense",
    }  # fmt: skip


def threads_of(case: LanguageCase) -> tuple[int, int]:
    """Threads that do the work, and cores there are."""
    cores = case.silicon.cores or _CORES
    return min(case.threads or _DEFAULT_THREADS.get(case.silicon.machine_class, _CORES), cores), cores


def bandwidth_of(silicon: Silicon, assumed: Assumed) -> float | None:
    """Bytes per second: the unit's own, else what units of its family and class of machine have."""
    return silicon.memory_bandwidth or _stand_in("bandwidth", silicon, assumed)


def peak_of(silicon: Silicon, assumed: Assumed) -> float | None:
    """Operations per second of a unit other than a processor: its own figure, else bandwidth times what is usual in its family."""
    own = next((silicon.peak_ops[name] * factor for name, factor in _PEAKS if silicon.peak_ops.get(name)), None)
    bandwidth, ratio = bandwidth_of(silicon, assumed), _stand_in("operations_per_byte", silicon, assumed)
    return own or (bandwidth * ratio if bandwidth and ratio else None)


def _stand_in(quantity: str, silicon: Silicon, assumed: Assumed) -> float | None:
    table = assumed.get(quantity, {})
    return next((table[name] for name in stand_in_keys(quantity, silicon) if name in table), None)


def stand_in_keys(quantity: str, silicon: Silicon) -> tuple[str, ...]:
    """What units must share for the one's figure to stand in for the other's: memories differ too much for less than family and class of machine."""
    if quantity == "bandwidth":
        return (f"{silicon.family} {silicon.machine_class}",) if silicon.machine_class else ()
    return f"{silicon.family} {silicon.generation}", silicon.family, silicon.kind


def partly_offloaded(silicon: Silicon, share: float, host_bandwidth: float) -> Silicon:
    """A unit that holds `share` of the layers, and a processor of `host_bandwidth` [bytes/s] the rest, as one unit: the layers run one after another.

    Its peaks shrink as its bandwidth does. It is no longer the very unit that was measured.
    """
    own = silicon.memory_bandwidth
    if not own:
        return silicon
    mixed = 1 / (share / own + (1 - share) / host_bandwidth)
    return replace(silicon, key="", name=f"{silicon.name} ({share:.0%} of the layers)", memory_bandwidth=mixed, peak_ops={name: ops * mixed / own for name, ops in silicon.peak_ops.items()})


def cache_bytes(case: LanguageCase) -> float:
    """Bytes of the cache per token of depth."""
    return case.kv_bytes if case.kv_bytes is not None else _KV_BYTES * math.sqrt((case.n_active_params or 4e9) / 4e9)


def depth_of(case: LanguageCase) -> float:
    """Tokens in the cache in the middle of decoding."""
    return case.depth if case.depth is not None else (case.prompt_tokens or 0.0) + (case.output_tokens or _ANSWER) / 2


def decode_time(case: LanguageCase, assumed: Assumed) -> tuple[float, dict[str, float]] | str:
    """Seconds of one token by the roofline, and the variables of its correction; or what is not known."""
    bandwidth = bandwidth_of(case.silicon, assumed)
    if not bandwidth:
        return "memory bandwidth of the device not known, and no device of its family was measured"
    if not case.active_bytes:
        return "size of the weights not known: neither parameters and scheme nor a file size"
    depth = depth_of(case)
    cache = cache_bytes(case) * depth
    reach, compute, threads, cores, peak = bandwidth, 0.0, _CORES, _CORES, None
    if case.silicon.kind == "cpu":
        threads, cores = threads_of(case)
        rate = _BYTES_PER_CYCLE.get(storage_of(case.scheme, case.bits_per_weight), _OTHER_BYTES) * (case.silicon.clock or _CLOCK)
        compute = case.active_bytes / (threads * rate)
        reach = bandwidth / (1 + bandwidth / _SHARED_BANDWIDTH)
    else:
        peak = peak_of(case.silicon, assumed)
    seconds = math.hypot((case.active_bytes + cache) / reach, compute)
    return seconds, {
        "one": 1.0, "overhead_300us": math.log1p(3e-4 / seconds), "overhead_1ms": math.log1p(1e-3 / seconds), "overhead_3ms": math.log1p(3e-3 / seconds),
        "overhead_10ms": math.log1p(1e-2 / seconds), "bandwidth": math.log(bandwidth / 2e11), "cache_share": cache / (cache + case.active_bytes),
        "depth": math.log1p(depth / 2048), "bits": math.log((case.bits_per_weight or _BITS) / _BITS), "peak": math.log(peak / bandwidth / 100) if peak else 0.0,
        "compute_share": (compute / seconds) ** 2, "threads": math.log(threads / _CORES), "thread_share": math.log(threads / cores),
    }  # fmt: skip


def prefill_time(case: LanguageCase, assumed: Assumed) -> tuple[float, dict[str, float]] | str:
    """Seconds per prompt token by the roofline, and the variables of its correction; or what is not known."""
    bandwidth = bandwidth_of(case.silicon, assumed)
    if not case.n_active_params or not case.weight_bytes:
        return "number of parameters not known"
    if not bandwidth:
        return "memory bandwidth of the device not known, and no device of its family was measured"
    threads, cores = threads_of(case) if case.silicon.kind == "cpu" else (_CORES, _CORES)
    peak = threads * (case.silicon.clock or _CLOCK) * _OPERATIONS_PER_CYCLE if case.silicon.kind == "cpu" else peak_of(case.silicon, assumed)
    if not peak:
        return "operations per second of the device not known, and no device of its family was measured"
    prompt = case.prompt_tokens or _PROMPT
    start = max(0.0, depth_of(case) - (case.output_tokens or _ANSWER) / 2 - prompt)
    compute = OPERATIONS_PER_PARAMETER * case.n_active_params / peak
    memory = case.weight_bytes / bandwidth / min(prompt, PASS)
    seconds = math.hypot(compute, memory)
    attention = _GROUP * cache_bytes(case) * (start + prompt / 2) / (OPERATIONS_PER_PARAMETER * case.n_active_params)
    return seconds, {
        "one": 1.0, "peak": math.log(peak / 1e13), "bandwidth": math.log(bandwidth / 2e11), "size": math.log(case.n_active_params / 4e9),
        "short_prompt": math.log(min(prompt, _HALF_PASS) / _HALF_PASS), "attention": math.log1p(attention), "memory_share": (memory / seconds) ** 2,
        "threads": math.log(threads / _CORES), "thread_share": math.log(threads / cores),
    }  # fmt: skip


def level_of(term: Term, found: Mapping[str, Any]) -> str:
    """The level of a term's factors in a case: `apple-gpu`, or `apple-gpu apple9` for two factors."""
    return found[term.by[0]] if len(term.by) == 1 else " ".join(found[name] for name in term.by)
