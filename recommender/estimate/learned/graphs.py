"""Models that run once per input, on everything that publishes such figures: what was learned of paths, networks and units, added up.

The logarithm of the seconds per input is a sum: what the path costs, slopes over what is known of the network (operations, parameters, input) and of
the unit (clock, cores, bandwidth, peak operations), and effects of the network, the unit and the precision, each shrunk toward the sum of the
ones before it (partial pooling: Gelman and Hill, Data Analysis Using Regression and Multilevel Models, 2007, chapter 12). What was never seen adds nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from recommender.estimate.learned.case import GraphCase, Predicted, Silicon

METRICS = ("latency", "throughput")
# Effects from the general to the particular: those that all paths share, and those of one path.
SHARED = ("family", "network", "core", "core-precision", "unit")
OWN = ("precision", "facts", "network", "threads", "core", "unit", "unit-precision", "unit-threads")
NETWORK_NUMBERS = ("macs", "params", "activations", "input", "width", "resolution", "depth", "size", "batch")
UNIT_NUMBERS = ("threads", "bandwidth", "operations", "core-operations", "unknown-operations")
_CENTERS = {  # typical values, so that an unknown one (0 after centering) is an average one
    "macs": math.log(1.5e9), "params": math.log(1e7), "activations": math.log(1e7), "input": math.log(224.0**2), "bandwidth": math.log(3e10), "resolution": math.log(224.0), "depth": math.log(34.0),
}  # fmt: skip
_OPERATIONS = {"cpu": math.log(2e11), "gpu": math.log(4e12), "npu": math.log(6e12), "accelerator": math.log(1e13)}
_CORE_OPERATIONS = math.log(3e10)
_SIZES = {"nano": 0.0, "n": 0.0, "xs": 0.0, "t": 0.5, "tiny": 0.5, "s": 1.0, "small": 1.0, "m": 2.0, "medium": 2.0, "b": 2.5, "base": 2.5, "l": 3.0, "large": 3.0, "x": 4.0, "xl": 4.0, "xlarge": 4.0, "huge": 4.5}
_KNOWN = {"2": "known on this path", "1": "known elsewhere", "0": "unknown"}
_FAMILY = re.compile(r"[a-z]+?-?v\d+|[a-z]+")
_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)?")


def predict(case: GraphCase, learned: Mapping[str, Any]) -> dict[str, Predicted | str]:
    """Seconds of one input, and inputs per second of a pipeline, a batch or all streams, as far as this path publishes them.

    Args:
        learned: the content of `knowledge/calibration/graphs.json`.
    """
    paths = learned["paths"]
    known = [metric for metric in METRICS if f"{case.path}|{metric}" in paths]
    reason = f"no figures of `{case.path or case.framework}` are known"
    if not known:
        return dict.fromkeys(METRICS, reason)
    common, shared, own, numbers = 0.0, shared_keys(case), own_keys(case), numbers_of(case)
    for name, key in shared.items():
        common += learned["shared"][name].get(key, 0.0)
    slopes = learned["slopes"]
    for name, value in numbers.items():
        common += value * slopes.get(f"{case.silicon.kind} {name}", slopes.get(name, 0.0))
    found: dict[str, Predicted | str] = dict.fromkeys(METRICS, reason)
    for metric in known:
        path = paths[f"{case.path}|{metric}"]
        total = common + path["start"]
        for name, value in numbers.items():
            total += value * path["slopes"].get(name, 0.0)
        for name, key in own.items():
            total += path[name].get(key, 0.0)
        found[metric] = _predicted(total, metric, f"{case.path}|{metric}", level_of(shared, own, learned["shared"], path), learned["intervals"])
    return found


def _predicted(total: float, metric: str, path: str, level: str, intervals: Mapping[str, list[float]]) -> Predicted:
    low, high = intervals.get(f"{path}|{level}") or intervals.get(f"*|{level}") or intervals["*"]
    ends = (math.exp(total + low), math.exp(total), math.exp(total + high))
    if metric == "throughput":  # what was added up is seconds per input
        ends = (1 / ends[2], 1 / ends[1], 1 / ends[0])
    step = "exact" if level == "22" else "microarchitecture" if level[0] != "0" else "class"
    return Predicted(low=ends[0], central=ends[1], high=ends[2], step=step, parts={"unit": _KNOWN[level[0]], "network": _KNOWN[level[1]]})


def level_of(shared: Mapping[str, str], own: Mapping[str, str], everywhere: Mapping[str, Any], path: Mapping[str, Any]) -> str:
    """What the evidence knows: the unit (2 on this path, 1 elsewhere or its microarchitecture, 0 not), and the network likewise."""
    unit = "2" if own["unit"] in path["unit"] else "1" if shared["unit"] in everywhere["unit"] or own["core"] in path["core"] else "0"
    network = "2" if own["network"] in path["network"] else "1" if shared["network"] in everywhere["network"] else "0"
    return unit + network


def shared_keys(case: GraphCase) -> dict[str, str]:
    """The key of a case in each of SHARED."""
    unit, core = unit_of(case.silicon)
    return {"family": family_of(case.base_model), "network": case.base_model, "core": core, "core-precision": f"{core} {case.precision}", "unit": unit}


def own_keys(case: GraphCase) -> dict[str, str]:
    """The key of a case in each of OWN."""
    unit, core = unit_of(case.silicon)
    facts = ("macs " if case.macs else "") + ("params " if case.n_params else "") + ("input" if case.input_size else "")
    return {
        "precision": case.precision, "facts": facts, "network": case.base_model, "threads": str(case.threads or ""), "core": core, "unit": unit,
        "unit-precision": f"{unit} {case.precision}", "unit-threads": f"{unit} {case.threads or ''}",
    }  # fmt: skip


def unit_of(silicon: Silicon) -> tuple[str, str]:
    """A unit, and the microarchitecture that it shares with others."""
    return silicon.key or f"{silicon.kind}:{silicon.group or silicon.name.lower()}", f"{silicon.kind}:{silicon.generation or silicon.family}"


def numbers_of(case: GraphCase) -> dict[str, float]:
    """What is known of NETWORK_NUMBERS and UNIT_NUMBERS."""
    return {**network_numbers(case), **unit_numbers(case)}


def network_numbers(case: GraphCase) -> dict[str, float]:
    """What is known of NETWORK_NUMBERS, as logarithms around a typical value. Of a name only where the operations are not known."""
    raw = {"macs": case.macs, "params": case.n_params, "activations": case.activations, "input": case.input_size, "batch": case.batch}
    found = {name: math.log(value) - _CENTERS.get(name, 0.0) for name, value in raw.items() if value}
    return found if case.macs else {**found, **named_size(case.base_model)}


def unit_numbers(case: GraphCase) -> dict[str, float]:
    """What is known of UNIT_NUMBERS. Operations are in the precision of the case where that is known: of one core where the threads are
    told (they have a slope of their own, for they help less than in proportion), else of the whole unit."""
    silicon, peak = case.silicon, case.silicon.peak_ops
    wanted = ("int8", "fp16", "fp32") if case.precision.startswith("int8") else ("fp16", "fp32", "int8") if "16" in case.precision else ("fp32", "fp16", "int8")
    operations = next((peak[name] for name in wanted if name in peak), None)
    workers = min(case.threads, silicon.cores or case.threads) if case.threads else None
    found = {"threads": math.log(workers)} if workers else {}
    if silicon.memory_bandwidth and silicon.kind != "cpu":  # a processor's operations tell more, and few tables know its memory
        found["bandwidth"] = math.log(silicon.memory_bandwidth) - _CENTERS["bandwidth"]
    if operations and workers:
        found["core-operations"] = math.log(operations / (silicon.cores or 1)) - _CORE_OPERATIONS
    elif operations:
        found["operations"] = math.log(operations) - _OPERATIONS.get(silicon.kind, 0.0)
    else:
        found["unknown-operations"] = 1.0
    return found


@lru_cache(maxsize=10_000)
def family_of(network: str) -> str:
    """The first word of a name with its version: `yolov8n-seg` and `yolov8s` are of `yolov8`."""
    found = _FAMILY.match(network)
    return found[0].replace("-", "") if found else network


@lru_cache(maxsize=10_000)
def named_size(network: str) -> dict[str, float]:
    """What a name tells of the size: a width multiplier (0.25), a resolution (128), a depth (resnet-18), a word or letter of size."""
    found: dict[str, float] = {}
    for word in _WORD.findall(_FAMILY.sub("", network, count=1)):
        value = float(word) if word[0].isdigit() else 0.0
        if "." in word and 0 < value < 4:
            found["width"] = math.log(value)
        elif 64 <= value <= 1920 and value % 16 == 0:
            found["resolution"] = math.log(value) - _CENTERS["resolution"]
        elif 8 <= value <= 300 and "." not in word:
            found["depth"] = math.log(value) - _CENTERS["depth"]
        elif word in _SIZES:
            found.setdefault("size", _SIZES[word] - 2.0)
    return found
