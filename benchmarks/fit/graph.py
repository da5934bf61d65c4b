"""Fits `knowledge/calibration/graph.json` to `knowledge/evidence/ai-hub*.csv`: `python -m benchmarks.fit.graph`.

Sums of shrunk effects for networks that are known (`additive`), a Gaussian process over facts of the graph for those that are not (`gaussian_process`), lines
through the known chips for those that are not. Intervals come from chips, models and jobs that were left out.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import log
from typing import Any

import numpy as np

from benchmarks.fit import additive, gaussian_process
from benchmarks.fit.conformal import interval_table
from benchmarks.fit.graph_jobs import KNOWLEDGE, Row, repeats, rows
from recommender.estimate.learned import graph
from recommender.estimate.learned.case import GraphCase, Predicted, Silicon
from recommender.estimate.learned.networks import network

OUT = KNOWLEDGE / "calibration" / "graph.json"
UNIT, FALLBACK = "npu", "cpu"
_WITH_NETWORK = 4  # bars in the key of a rate that names a network, which has one itself
SHRINK = {  # table -> rows whose mean counts half
    "network": 0.002, "path": 1.0, "precision": 1.0, "way": 3.0, "group": 0.2, "machine": 2.0, "network arithmetic": 0.3, "network way": 0.02,
}  # fmt: skip
SENSITIVITY = {"sensitivity": 2.0}  # the same, of silicon whose factor is e
EARLIER_WEIGHT = 0.5  # rows of earlier releases: older tools
RATE_SHRINK = 2.0  # jobs that the rate of the next wider class counts as
CLASS_SHRINK = 1.0  # chips that the median of all counts as
MIN_CHIPS = 4  # for a line
OPERATORS = ("n_params", "input_size", "input_unknown", "n_operators")
TOLD = 0.03  # effects of one network that are smaller are left out of the file
MAX_HALF = 0.6  # relative error of the better half of new networks, at most, for their centre
JOB_FOLDS = 8  # one of them is held out
N_ANCHORS = 5  # fewer jobs of a chip say nothing of its factor
THIN = 20  # newest jobs of a chip below which it is not known as it is today


@dataclass(frozen=True, kw_only=True, slots=True)
class Error:
    """log(truth / predicted) of a case that was left out, under the key of its interval. `owner`: what was left out with it."""

    metric: str
    value: float
    key: str
    owner: str
    model: str


def fit(rows: Sequence[Row]) -> dict[str, Any]:
    """The file that ships: what is learned, its intervals, and what repeats of jobs say."""
    learned = learn(rows) | repeats()
    errors = list(_held_out(rows))
    for metric, short, blocks in (("latency", "latency", learned["latency"].values()), ("peak_memory", "memory", [learned["memory"]])):
        mine = [error for error in errors if error.metric == metric]
        shifts = _shifts(mine)
        for block in blocks:
            for graphs in block["graphs"].values():
                for kind, part in graphs.items():
                    part["mean"] = round(part["mean"] + shifts["new" if kind == "with operators" else "new without operators"], 4)
        learned[f"{short} intervals"] = _intervals([replace(error, value=error.value - shifts.get(error.key.rpartition("|")[2], 0.0)) for error in mine])
    return learned


def _shifts(errors: Sequence[Error]) -> dict[str, float]:
    """Where the centre of new networks has to move for the smallest median of |predicted / truth - 1|, each model the same weight.

    To the median first; then, because half of the relative errors within q lie between log(1 - q) and log(1 + q), to the middle of those two.
    """
    found: dict[str, dict[str, list[float]]] = {"new": defaultdict(list), "new without operators": defaultdict(list)}
    for error in errors:
        kind = error.key.rpartition("|")[2]
        if kind in found:
            found[kind][error.model].append(error.value)
    shifts = {}
    for kind, models in found.items():
        middles = np.array([np.median(values) for values in models.values()] or [0.0])
        middle = float(np.median(middles))
        half = min(float(np.median(np.abs(np.exp(middle - middles) - 1))), MAX_HALF)
        shifts[kind] = middle + 0.5 * log(1 - half**2)
    return shifts


def _intervals(errors: Sequence[Error]) -> dict[str, list[float]]:
    """Of classes, and of the wider ones that stand in for a class that was never held out."""
    values, owners = [error.value for error in errors], [error.owner for error in errors]
    table: dict[str, list[float]] = {}
    for depth in (2, 1, 0):
        table |= interval_table(values, [error.key.split("|", depth)[-1] for error in errors], owners)
    return {key: [round(end, 4) for end in ends] for key, ends in table.items()}


def learn(rows: Sequence[Row]) -> dict[str, Any]:
    """Everything but the intervals, which are a factor of 1 either way."""
    ways = _counting(rows)
    newest = Counter(row.group for row in rows if row.is_newest)
    learned: dict[str, Any] = {
        "thin": sorted(group for group in {row.group for row in rows} if newest[group] < THIN), "counting": ways, "fallback": {"unit": FALLBACK, "rates": _rates(rows)}, "names": _names(rows), "paths": sorted({row.case.path for row in rows}),
        "sources": ["ev-aihub"], "latency intervals": {"*": [0.0, 0.0]}, "memory intervals": {"*": [0.0, 0.0]}, "failures": {},
    }  # fmt: skip
    own = [row for row in rows if row.unit == UNIT]
    there = [row for row in rows if row.unit == FALLBACK]
    block = _block(own, [log(row.measured["latency"]) for row in own], _keys(own))
    other = _block(there, [log(row.measured["latency"]) for row in there], _keys(there))
    other["network"] |= _costs(block["network"], other["network"])
    learned["latency"] = {UNIT: _by_network(block), FALLBACK: _by_network(other)}
    kept = [row for row in rows if row.is_newest and row.measured.get("peak_memory") and row.unit in (UNIT, FALLBACK)]  # older releases counted otherwise
    counted = [graph.counting(row.case.silicon, ways) for row in kept]
    learned["memory"] = _by_network(_block(kept, [log(row.measured["peak_memory"]) for row in kept], _keys(kept, counted), counted))
    return learned


def _by_network(block: dict[str, Any]) -> dict[str, Any]:
    """The tables of effects that name a network, as one record a network: `` its level, an arithmetic, a path with a precision, its response to silicon."""
    networks: dict[str, dict[str, float]] = defaultdict(dict)
    for table in ("network", "network arithmetic", "network way"):
        for key, effect in block.pop(table).items():
            name, part = graph.split_key(key)
            if table == "network" or abs(effect) > TOLD:
                networks[name][part] = round(effect, 3)
    for key, effect in block.pop("sensitivity").items():
        if abs(effect) > TOLD:
            networks[graph.split_key(key)[0]][graph.SENSITIVITY] = round(effect, 3)
    return block | {"networks": dict(networks)}


def _keys(rows: Sequence[Row], ways: Sequence[str] = ()) -> list[dict[str, str]]:
    """Keys of the effects of each row. Older tools are as another machine with the same chip."""
    found = []
    for place, row in enumerate(rows):
        keys = graph.effect_keys(row.case, network(row.case), "" if row.unit == UNIT else FALLBACK, ways[place] if ways else "")
        found.append(keys if row.is_newest else keys | {"machine": f"{row.group} before"})
    return found


def main() -> None:
    text = json.dumps(fit(rows()), separators=(",", ":"), sort_keys=True)
    OUT.write_text(text.replace('},"', '},\n"').replace('],[', '],\n[') + "\n", "utf-8")


def _block(rows: Sequence[Row], values: Sequence[float], keys: Sequence[Mapping[str, str]], ways: Sequence[str] = ()) -> dict[str, Any]:
    """Tables of effects, what graphs say of new networks (for each way of counting), what facts say of new silicon."""
    machines: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        machines[row.group].add(row.device)
    weights = [(1.0 if row.is_newest else EARLIER_WEIGHT) / len(machines[row.group]) for row in rows]
    told = list(ways) or [""] * len(rows)
    level = {way: float(np.median([value for value, its in zip(values, told, strict=True) if its == way])) for way in sorted(set(told))}
    around = [value - level[way] for value, way in zip(values, told, strict=True)]  # so that being drawn toward none does not mean toward 1 s or 1 byte
    first = additive.effects(keys, around, weights, SHRINK)
    chips: dict[str, dict[str, Silicon]] = {way: {} for way in level}
    jobs = Counter(key["group"] for key in keys)
    for row, key, way in zip(rows, keys, told, strict=True):
        if jobs[key["group"]] >= N_ANCHORS:
            chips[way].setdefault(key["group"], row.case.silicon)
    centre = {way: round(float(np.median([first["group"][group] for group in chips[way]] or [0.0])), 4) for way in chips}
    speed = np.array([first["group"][key["group"]] - centre[way] for key, way in zip(keys, told, strict=True)])
    block: dict[str, Any] = first | {"sensitivity": {}} if ways else additive.effects(keys, around, weights, SHRINK | SENSITIVITY, {"sensitivity": speed})
    for name, way in {(key["network"], way) for key, way in zip(keys, told, strict=True)}:
        block["network"][name] = round(block["network"][name] + level[way], 4)
    _centre(block)
    block["group"] = {group: factor for group, factor in block["group"].items() if jobs[group] >= N_ANCHORS}
    block["silicon"] = {way: _prior(chips[way], block["group"], of_speed=not ways) | {"centre": centre[way]} for way in chips}
    block["graphs"] = {way: _graphs([row for row, its in zip(rows, told, strict=True) if its == way], block["network"], way) for way in chips}
    return block


def _centre(block: dict[str, Any]) -> None:
    """What is usual of networks under an arithmetic or a way goes to the precisions and ways themselves, so that a new network gets the median, not the mean."""
    for own, general, reduced in (("network arithmetic", "precision", _arithmetic), ("network way", "way", str)):
        found: dict[str, list[float]] = defaultdict(list)
        for key, effect in block[own].items():
            found[_without_network(key)].append(effect)
        usual = {name: float(np.median(effects)) for name, effects in found.items()}
        block[own] = {key: round(effect - usual[_without_network(key)], 4) for key, effect in block[own].items()}
        block[general] = {key: round(effect + usual.get(reduced(key), 0.0), 4) for key, effect in block[general].items()}


def _without_network(key: str) -> str:
    return graph.split_key(key)[1]


def _arithmetic(key: str) -> str:
    """Of a key of precisions, which may end with a way of counting."""
    precision, bar, way = key.partition("|")
    return f"{graph.arithmetic(precision)}{bar}{way}"


def _graphs(rows: Sequence[Row], effects: Mapping[str, float], way: str) -> dict[str, Any]:
    """What facts about graphs say: one case a network, with the median of its operators, which paths count differently."""
    cases: dict[str, list[GraphCase]] = defaultdict(list)
    for row in rows:
        cases[network(row.case)].append(row.case)
    chosen, values = [_typical(found) for found in cases.values()], [effects[f"{name}|{way}" if way else name] for name in cases]
    return {
        **({} if way else {"with operators": gaussian_process.block(chosen, values, OPERATORS)}),  # memory does not hang on them
        "without operators": gaussian_process.block(chosen, values, OPERATORS[:-1]),
    }


def _typical(cases: Sequence[GraphCase]) -> GraphCase:
    counts = sorted(case.n_operators for case in cases if case.n_operators)
    told = next((case for case in cases if case.n_params), cases[0])
    return replace(told, n_operators=counts[len(counts) // 2] if counts else None, input_size=next((case.input_size for case in cases if case.input_size), None))


def _costs(own: Mapping[str, float], there: Mapping[str, float]) -> dict[str, float]:
    """What networks would cost on the fallback unit that were never seen there: a line through those that were."""
    both = sorted(set(own) & set(there))
    if len(both) < 3:
        return {}
    slope, level = np.polyfit([own[name] for name in both], [there[name] for name in both], 1)
    return {name: round(float(level + slope * value), 4) for name, value in own.items() if name not in there}


def _prior(silicon: Mapping[str, Silicon], factors: Mapping[str, float], *, of_speed: bool) -> dict[str, Any]:
    """What a chip's factor is expected to be: lines through the known chips over each fact (medians of slopes, Theil and Sen, so that no chip's claim bends them),
    medians of their classes, drawn toward that of all.
    """
    groups = sorted(silicon)
    middle = float(np.median([factors[group] for group in groups] or [0.0]))
    classes: dict[str, list[float]] = defaultdict(list)
    for group in groups:
        classes[silicon[group].machine_class].append(factors[group])
    lines = {name: line for name in graph.SILICON_FACTS if of_speed and (line := _line(name, silicon, factors))}
    return {
        "usual": round(middle, 4), "lines": lines,
        "classes": {name: round((sum(found) + CLASS_SHRINK * middle) / (len(found) + CLASS_SHRINK), 4) for name, found in classes.items()},
    }


def _line(fact: str, silicon: Mapping[str, Silicon], factors: Mapping[str, float]) -> list[float]:
    """Level and slope; none from fewer than four chips."""
    points = [(value, factors[group]) for group, chip in silicon.items() if (value := graph.silicon_facts(chip)[fact]) is not None]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if a[0] != b[0]]
    if len(points) < MIN_CHIPS or not slopes:
        return []
    slope = float(np.median(slopes))
    return [round(float(np.median([factor - slope * value for value, factor in points])), 4), round(slope, 5)]


def _rates(rows: Sequence[Row]) -> dict[str, float]:
    """Key -> probability of the fallback, each drawn toward that of the next wider key."""
    counts: dict[str, Counter[bool]] = defaultdict(Counter)
    wider: dict[str, str] = {}
    for row in rows:
        if not row.is_newest:
            continue  # older tools, and chips that today's do not know
        keys = graph.fallback_keys(row.case.path, row.case.precision, network(row.case), graph.has_floats(row.case.silicon))
        for place, key in enumerate(keys):
            counts[key][row.unit == FALLBACK] += 1
            wider[key] = keys[place + 1] if place + 1 < len(keys) else ""
    found: dict[str, float] = {}
    for key in sorted(counts, key=lambda key: (key.count("|"), bool(key))):
        parent = found[wider[key]] if key else 0.0
        total = sum(counts[key].values())
        found[key] = (counts[key][True] + RATE_SHRINK * parent) / (total + RATE_SHRINK)
    narrow = {key for key in found if key.count("|") == _WITH_NETWORK}
    return {key: round(value, 3) for key, value in found.items() if key not in narrow or abs(value - found[wider[key]]) > TOLD}


def _names(rows: Sequence[Row]) -> dict[str, str]:
    """Spelling -> network; a model of one network is found without its part, and by its catalogue key."""
    parts: dict[str, set[str]] = defaultdict(set)
    found: dict[str, str] = {}
    for row in rows:
        parts[row.model].add(network(row.case))
        found[f"{graph.spelled(row.model)}|{graph.spelled(row.case.component)}"] = network(row.case)
    for row in rows:
        if len(parts[row.model]) == 1:
            found |= {graph.spelled(name): network(row.case) for name in (row.model, row.catalog_model) if name}
    return found


def _counting(rows: Sequence[Row]) -> dict[str, str]:
    """Machine, system (with its version, and without), class of machine -> how memory is counted. Machines whose figures are nearer to the higher of two levels count it whole,
    in the same way; those near the lower one have no more in common than their system.
    """
    values: dict[str, list[float]] = defaultdict(list)
    cells: dict[tuple[str, ...], list[tuple[str, float]]] = defaultdict(list)
    systems: dict[str, tuple[str, str]] = {}
    for row in rows:
        if row.is_newest and row.unit == UNIT and row.measured.get("peak_memory"):
            cells[network(row.case), row.case.path, row.case.precision].append((row.device, log(row.measured["peak_memory"])))
            systems[row.device] = graph.system(row.case.silicon), row.case.silicon.machine_class
    for cell in cells.values():
        middle = (max(value for _, value in cell) + min(value for _, value in cell)) / 2
        for device, value in cell:
            values[device].append(value - middle)
    ways = {device: "whole" if float(np.median(found)) > 0 else graph.unversioned(systems[device][0]) for device, found in values.items()}
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for device, way in ways.items():
        system, class_ = systems[device]
        for key in ("", system, graph.unversioned(system), f"class {class_}"):
            votes[key][way] += 1
    return {**{key: count.most_common(1)[0][0] for key, count in votes.items()}, **ways}


def _held_out(rows: Sequence[Row]) -> Iterator[Error]:
    """Errors of new chips (as they are, with few facts, with anchors), of new models (as they are, with few facts), of both at once, and of new jobs.

    Each fold leaves out a chip and a part of the models: what it knows is a little less than what ships, so its errors are a little larger.
    """
    rng = np.random.default_rng(0)
    groups, models = sorted({row.group for row in rows if row.is_newest}), sorted({row.model for row in rows})
    fold = dict(zip(models, rng.permutation(len(models)) % len(groups), strict=True))
    for number, group in enumerate(groups):
        learned = learn([row for row in rows if row.group != group and fold[row.model] != number])
        held = [row for row in rows if row.is_newest and (row.group == group or fold[row.model] == number)]
        yield from _errors(held, learned)
        yield from _errors([_without_silicon_facts(row) for row in held if row.group == group], learned)
        yield from _errors([replace(row, case=replace(row.case, n_operators=None)) for row in held if fold[row.model] == number], learned)
        chip = [row for row in held if row.group == group and fold[row.model] != number]
        if len(chip) > N_ANCHORS:
            chosen = {int(place) for place in rng.choice(len(chip), N_ANCHORS, replace=False)}
            near = graph.anchored(learned, [(chip[place].case, chip[place].measured["latency"]) for place in sorted(chosen)])
            yield from _errors([row for place, row in enumerate(chip) if place not in chosen], near)
    jobs = sorted({_job(row) for row in rows})
    lot = dict(zip(jobs, rng.permutation(len(jobs)) % JOB_FOLDS, strict=True))
    yield from _errors([row for row in rows if lot[_job(row)] == 0 and row.is_newest], learn([row for row in rows if lot[_job(row)]]))


def _without_silicon_facts(row: Row) -> Row:
    """As a row about silicon that the catalogue does not know, in a machine with a system that evidence does not know."""
    silicon = row.case.silicon
    return replace(row, case=replace(row.case, silicon=replace(silicon, generation="", peak_ops={}, features=silicon.features - {graph.SYSTEM + graph.system(silicon)} | {f"{graph.SYSTEM}?"})))


def _job(row: Row) -> tuple[str, ...]:
    return row.group, network(row.case), row.case.path, row.case.precision


def _errors(held: Iterable[Row], learned: Mapping[str, Any]) -> Iterator[Error]:
    for row in held:
        for metric, answer in graph.predict(row.case, learned).items():
            if isinstance(answer, Predicted) and row.truth.get(metric):
                owner = row.model if answer.step == "exact" else row.group
                yield Error(metric=metric, value=log(row.truth[metric] / answer.central), key=str(answer.parts["class"]), owner=owner, model=row.model)


if __name__ == "__main__":
    main()
