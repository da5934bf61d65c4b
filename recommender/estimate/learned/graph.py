"""PURE: latency and peak memory of one network on a neural unit, as `benchmarks/fit/graph.py` learned them from published jobs.

The logarithm of a figure is a sum of effects, each shrunk toward none where evidence is thin: of the network (or what facts about its graph say of it), of the
path and the precision, of both with the network, and of the silicon (one speed factor a chip, or what its generation and peak say of it). Where a path leaves
the unit, another sum holds: its probability and its cost stand beside each other. One file of data a family of such paths; nothing here knows which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log
from statistics import median
from typing import Any

from recommender.estimate.learned.case import GraphCase, Predicted, Silicon
from recommender.estimate.learned.networks import estimated, is_told

_PLAIN = re.compile(r"[^a-z0-9]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_FLOATS = ("float", "fp", "bf", "mixed_with_float")
SYSTEM = "os="  # a feature of the silicon's machine: what its memory figures count hangs on the operating system
SENSITIVITY = "response"  # in a network's record: how much more than usual it gains from faster silicon, as a power
_DOUBT = 0.05  # a fallback less probable than that (or its opposite) does not widen the interval
SILICON_FACTS = ("generation", "peak")
_OWN_SILICON = ("exact", "anchored")
_KEPT = 4  # fitted files whose look-ups are remembered
_EXPECTED = 0.3  # measured cases of some silicon that outweigh what its facts say of it


@dataclass(frozen=True, kw_only=True, slots=True)
class Effects:
    """What a network and a way to run it add to a figure on one unit, as logarithms: the network, the way, the two together, and how it responds to silicon."""

    network: float
    way: float
    own: float
    sensitivity: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What of a case does not hang on the silicon, looked up once. `name`: of the network in the tables, empty for a new one."""

    name: str
    effects: dict[tuple[str, str], Effects] = field(default_factory=dict)
    chances: dict[tuple[str, str], float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What of a case hangs on the silicon alone. `near`: the step, or that a few measured cases gave its factor. `factors`: (unit, way of counting) -> its factor and how far that is from the usual one, as logarithms."""

    step: str
    near: str
    memory_step: str
    floats: str
    counting: str
    factors: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)


def predict(case: GraphCase, learned: Mapping[str, Any]) -> dict[str, Predicted | str]:
    """Latency [s] and peak memory [bytes, the high end of what a profiler tells], each with its interval, or why it cannot be told."""
    why = _unknown(case, learned)
    if why:
        return {"latency": why, "peak_memory": why}
    work = _work(case, learned)
    if not work.name and not is_told(case):
        why = f"no evidence of the model `{case.base_model or case.model}`, and neither its parameters nor its size are told"
        return {"latency": why, "peak_memory": why}
    place = _place(case.silicon, learned)
    chance = _chance(case, work, place, learned)
    return {"latency": _latency(case, work, place, chance, learned), "peak_memory": _peak_memory(case, work, place, chance, learned)}


def anchored(learned: Mapping[str, Any], anchors: Sequence[tuple[GraphCase, float]]) -> dict[str, Any]:
    """What was learned, with the speed factor of the anchors' silicon from a few measured latencies [s] of it (five are enough for a good one).

    The factor of a unit is the median of what the anchors say, drawn toward what the silicon's facts say as if those were `_EXPECTED` anchors.
    """
    told: dict[tuple[str, str], list[float]] = {}
    silicon: dict[str, Silicon] = {}
    for case, seconds in anchors:
        if not _unknown(case, learned):
            work, place = _work(case, learned), _place(case.silicon, learned)
            unit = case.silicon.kind if _chance(case, work, place, learned) < 0.5 else learned["fallback"]["unit"]
            block, effects = learned["latency"][unit], _effects(case, work, learned["latency"][unit], unit)
            rest = log(seconds) - effects.network - effects.way - effects.own + effects.sensitivity * block["silicon"][""]["centre"]
            told.setdefault((unit, case.silicon.group), []).append(rest / (1 + effects.sensitivity))
            silicon[case.silicon.group] = case.silicon
    blocks = {unit: {**block, "group": dict(block["group"])} for unit, block in learned["latency"].items()}
    for (unit, group), factors in told.items():
        expected = expected_factor(silicon[group], learned["latency"][unit]["silicon"][""])
        blocks[unit]["group"][group] = (len(factors) * median(factors) + _EXPECTED * expected) / (len(factors) + _EXPECTED)
    return {**learned, "latency": blocks, "anchored": sorted({*learned.get("anchored", ()), *silicon})}


def arithmetic(precision: str) -> str:
    """What of a precision changes how networks compare: the type of most products."""
    return "float" if precision.startswith(_FLOATS) else precision.partition("_")[0]


def spelled(text: str) -> str:
    """A name as the look-ups have it: lower case, letters and digits."""
    return _PLAIN.sub("", text.lower())


def system(silicon: Silicon) -> str:
    """The operating system and its version, as far as a row told them."""
    return next((feature[len(SYSTEM):] for feature in silicon.features if feature.startswith(SYSTEM)), "")


def unversioned(system: str) -> str:
    """`android 15` -> `android`."""
    return system.rstrip("0123456789. ")


def has_floats(silicon: Silicon) -> str:
    """Whether the unit itself computes in floating point: `yes`, `no`, or `?` where the catalogue does not know the unit."""
    return "?" if not silicon.key else "yes" if "fp16" in silicon.features else "no"


def counting(silicon: Silicon, ways: Mapping[str, str]) -> str:
    """How the machine's profiler counts memory: machines of one way differ little from one another, those of two ways have little in common."""
    told = system(silicon)
    return ways.get(silicon.name) or ways.get(told or f"class {silicon.machine_class}") or ways.get(unversioned(told)) or ways[""]


def fallback_keys(path: str, precision: str, name: str, floats: str) -> tuple[str, ...]:
    """What the probability of leaving the unit hangs on, the most telling first."""
    return (f"{name}|{path}|{precision}|{floats}", f"{path}|{arithmetic(precision)}|{floats}", f"{path}|{floats}", path, "")


def effect_keys(case: GraphCase, name: str, unit: str, way: str = "") -> dict[str, str]:
    """Table -> key: the effects that make up a figure of a case on a unit (empty: its own). `way`: of counting, for memory."""
    kind, end = arithmetic(case.precision), f"|{way}" if way else ""
    path = f"{unit}{case.path}"
    return {
        "network": f"{name}{end}", "path": f"{path}{end}", "precision": f"{case.precision}{end}", "way": f"{path}|{case.precision}{end}",
        "network arithmetic": f"{name}|{kind}{end}", "network way": f"{name}|{path}|{case.precision}{end}", "sensitivity": f"{name}{end}",
        "group": f"{case.silicon.group}{end}", "machine": f"{case.silicon.name}{end}",
    }  # fmt: skip


def split_key(key: str) -> tuple[str, str]:
    """Network (which has a bar itself) and what of it."""
    model, _, rest = key.partition("|")
    component, _, part = rest.partition("|")
    return f"{model}|{component}", part


def silicon_facts(silicon: Silicon) -> dict[str, float | None]:
    """Numbers that a speed factor is expected from, where they are known: the generation's, and the logarithm of the peak."""
    number = _NUMBER.search(silicon.generation)
    peak = silicon.peak_ops.get("int8")
    return {"generation": float(number[0]) if number else None, "peak": log(peak) if peak else None}


def expected_factor(silicon: Silicon, prior: Mapping[str, Any]) -> float:
    """Logarithm of the factor of silicon that has no evidence: the mean of what its facts say; without any, what is usual of its class."""
    told = [line[0] + line[1] * value for name, value in silicon_facts(silicon).items() if value is not None and (line := prior["lines"].get(name))]
    return float(sum(told) / len(told) if told else prior["classes"].get(silicon.machine_class, prior["usual"]))


def _latency(case: GraphCase, work: Work, place: Place, chance: float, learned: Mapping[str, Any]) -> Predicted:
    own, other = case.silicon.kind, learned["fallback"]["unit"]
    unit = own if chance < 0.5 else other
    centre, parts = _sum(case, work, place, learned["latency"][unit], unit)
    key = _key(case, unit, place.near, work)
    low, high = _interval(learned["latency intervals"], key)
    parts |= {"unit": unit, "fallback_probability": chance, "failure_probability": learned["failures"].get(case.path, 0.0), "class": key}
    if chance >= _DOUBT:
        away, _ = _sum(case, work, place, learned["latency"][other if unit == own else own], other if unit == own else own)
        parts["fallback_cost"] = exp(away - centre if unit == own else centre - away)
        if chance <= 1 - _DOUBT:
            low, high = min(low, away - centre), max(high, away - centre)
    return Predicted(central=exp(centre), low=exp(centre + low), high=exp(centre + high), step=place.step, sources=tuple(learned["sources"]), parts=parts)


def _peak_memory(case: GraphCase, work: Work, place: Place, chance: float, learned: Mapping[str, Any]) -> Predicted:
    unit = case.silicon.kind if chance < 0.5 else learned["fallback"]["unit"]
    centre, parts = _sum(case, work, place, learned["memory"], unit, place.counting)
    key = _key(case, place.counting, place.memory_step, work)
    low, high = _interval(learned["memory intervals"], key)
    parts |= {"unit": unit, "counting": place.counting, "class": key}
    return Predicted(central=exp(centre), low=exp(centre + low), high=exp(centre + high), step=place.memory_step, sources=tuple(learned["sources"]), parts=parts)


def _sum(case: GraphCase, work: Work, place: Place, block: Mapping[str, Any], unit: str, way: str = "") -> tuple[float, dict[str, Any]]:
    """The logarithm of a figure, and its parts: the network's seconds or bytes, and factors on them."""
    asked = (unit, way)
    effects = work.effects.get(asked) or _effects(case, work, block, unit, way)
    factor = place.factors.get(asked) or _factor(case, place, block, unit, way)
    response = effects.sensitivity * factor[1]
    parts = {
        "network": exp(effects.network), "way": exp(effects.way), "network_way": exp(effects.own), "silicon": exp(factor[0]), "network_silicon": exp(response),
    }  # fmt: skip
    return effects.network + effects.way + effects.own + factor[0] + response, parts


def _effects(case: GraphCase, work: Work, block: Mapping[str, Any], unit: str, way: str = "") -> Effects:
    keys = effect_keys(case, work.name, "" if unit == case.silicon.kind else unit, way)
    record: Mapping[str, float] = block["networks"].get(work.name, {})
    network = record.get(split_key(keys["network"])[1])
    if network is None:
        graphs = block["graphs"][way]
        network = estimated(case, graphs.get("with operators" if case.n_operators else "", graphs["without operators"]))
    work.effects[unit, way] = Effects(
        network=network, way=sum(block[table].get(keys[table], 0.0) for table in ("path", "precision", "way")),
        own=sum(record.get(split_key(keys[table])[1], 0.0) for table in ("network arithmetic", "network way")), sensitivity=record.get(SENSITIVITY, 0.0),
    )  # fmt: skip
    return work.effects[unit, way]


def _factor(case: GraphCase, place: Place, block: Mapping[str, Any], unit: str, way: str) -> tuple[float, float]:
    keys, prior = effect_keys(case, "", "", way), block["silicon"][way]
    factor = block["group"].get(keys["group"])
    if factor is None:
        factor = expected_factor(case.silicon, prior)
    place.factors[unit, way] = factor + block["machine"].get(keys["machine"], 0.0), factor - prior["centre"]
    return place.factors[unit, way]


def _chance(case: GraphCase, work: Work, place: Place, learned: Mapping[str, Any]) -> float:
    """Probability that most of the network does not run on the unit it was compiled for."""
    asked = (case.path, place.floats)
    if asked not in work.chances:
        rates = learned["fallback"]["rates"]
        work.chances[asked] = next(rates[key] for key in fallback_keys(case.path, case.precision, work.name, place.floats) if key in rates)
    return work.chances[asked]


def _key(case: GraphCase, unit: str, near: str, work: Work) -> str:
    """Class and step of an interval: who runs it where, how near the silicon, and whether the network is known."""
    network = "known" if work.name else "new" if case.n_operators else "new without operators"
    framework = case.framework if near in _OWN_SILICON else "*"  # of other silicon its own factor is most of the error
    return f"{framework}|{unit}|{near}|{network}"


def _interval(table: Mapping[str, Sequence[float]], key: str) -> Sequence[float]:
    """That of the class, or of the nearest wider one: of all frameworks, of all units, of all."""
    wider = key.partition("|")[2]
    return table.get(key) or table.get(wider) or table.get(wider.partition("|")[2]) or table["*"]


def _unknown(case: GraphCase, learned: Mapping[str, Any]) -> str:
    if case.path not in learned["paths"]:
        return f"no evidence of the path `{case.path or case.framework}`"
    if case.silicon.kind not in learned["latency"] or case.silicon.kind == learned["fallback"]["unit"]:
        return f"no evidence of this path on a unit of the kind `{case.silicon.kind}`"
    return "" if case.precision else "the precision is not told"


def _work(case: GraphCase, learned: Mapping[str, Any]) -> Work:
    """What was looked up of the network and the way before: both repeat in tables, with other silicon."""
    memory = _memory_of(learned)
    asked = (
        case.base_model, case.model, case.component, case.path, case.precision, case.n_operators, case.n_params, case.input_size, case.float_bytes, case.task,
        case.domain,
    )  # fmt: skip
    if asked not in memory:
        memory[asked] = Work(name=_name(case, learned["names"]))
    return memory[asked]  # type: ignore[no-any-return]


def _name(case: GraphCase, names: Mapping[str, str]) -> str:
    """The network's name in the tables, or an empty text. A model that is one network needs no component."""
    part = spelled(case.component)
    found = (names.get(f"{spelled(model)}|{part}") or (names.get(spelled(model)) if not part else None) for model in (case.base_model, case.model) if model)
    return next(filter(None, found), "")


def _place(silicon: Silicon, learned: Mapping[str, Any]) -> Place:
    memory = _memory_of(learned)
    asked = (silicon.key, silicon.group, silicon.name, silicon.machine_class, silicon.generation, silicon.features, silicon.kind, silicon.peak_ops.get("int8"))
    if asked not in memory:
        block = learned["latency"][silicon.kind]
        is_anchored, is_thin = silicon.group in learned.get("anchored", ()), silicon.group in learned["thin"]
        is_known = silicon.group in block["group"] and (is_anchored or not is_thin)
        step = "exact" if is_known else "microarchitecture" if is_thin or any(silicon_facts(silicon).values()) else "class"
        ways, told = learned["counting"], system(silicon)
        way = counting(silicon, ways)
        is_guess = bool(told) and unversioned(told) not in ways
        memory[asked] = Place(
            step=step, near="anchored" if is_anchored else step, floats=has_floats(silicon), counting=way,
            memory_step="exact" if f"{silicon.group}|{way}" in learned["memory"]["group"] else "analytic" if is_guess else "class",
        )  # fmt: skip
    return memory[asked]  # type: ignore[no-any-return]


_recent: list[tuple[Mapping[str, Any], dict[Any, Any]]] = []


def _memory_of(learned: Mapping[str, Any]) -> dict[Any, Any]:
    """The look-ups of a fitted file."""
    for known, memory in _recent:
        if known is learned:
            return memory
    _recent.insert(0, (learned, {}))
    del _recent[_KEPT:]
    return _recent[0][1]
