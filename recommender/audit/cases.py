"""PURE: evidence rows -> cases: several ways of doing the same thing, measured alike, among which a rule chooses.

Measured alike: one source, one model, one metric, the same test; and beside that all but what the rule tells apart is equal:

| kind of case | what differs | what is equal |
|---|---|---|
| `frameworks` | framework | device, bits of weights (and of activations, outside language models) |
| `providers` | execution provider | device, framework, version, scheme |
| `schemes` | scheme | device, framework, execution provider, version |
| `units` | unit of one chip | bits, as above |
| `losses` | scheme | model alone: what a scheme loses does not hang on the device |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from statistics import median

from recommender.decide.advise import device_attributes
from recommender.decide.attributes import model_attributes, scheme_attributes
from recommender.decide.demotion import class_of
from recommender.decide.tables import Attributes
from recommender.domain.catalog import Catalog
from recommender.domain.evidence import Evidence
from recommender.domain.facts import MachineFacts
from recommender.domain.model import ModelSpec
from recommender.domain.recommendation import Request, Wishes
from recommender.domain.target import Target
from recommender.domain.workload import METRICS, Workload
from recommender.estimate.quality import quality_estimate
from recommender.intake.identify import target_of_machine

LOSS = "quality_drop"
POWER = "energy"
HERE = "here"

# devices as rows name them -> machines that have all of them
Hosts = Callable[[tuple[str, ...]], tuple[Target, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One way that was measured.

    Attributes:
        score: larger is better (1/s for times, the share that is kept for losses).
        bits: of weights and of activations. loss: of quality, as the catalogue expects it of the scheme; None: not known.
    """

    framework: str
    execution_provider: str
    scheme: str
    device: str
    device_kind: str
    score: float
    bits: tuple[float, float]
    loss: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Options that differ in what rows of one kind tell apart.

    Attributes:
        kind: as in the module's table.
        chip: devices that are one piece of silicon share it (for losses: the model's own key).
        class_: kind of model and unit, `vision/npu`.
        hosts: device -> what rules may read of it, for each kind of machine that has the devices.
    """

    kind: str
    metric: str
    model: str
    device: str
    chip: str
    class_: str
    hosts: tuple[Mapping[str, Attributes], ...]
    options: tuple[Option, ...]


def published(catalog: Catalog, rows: Iterable[Evidence]) -> list[Case]:
    """Cases in published figures; rules are asked on every kind of machine of the catalogue that has the device."""
    return cases(rows, catalog, _machines(catalog))


def measured_here(rows: Iterable[Evidence], target: Target, catalog: Catalog) -> list[Case]:
    """Cases in what was measured on one machine."""
    return cases(rows, catalog, lambda devices: (target,))


def cases(rows: Iterable[Evidence], catalog: Catalog, hosts: Hosts) -> list[Case]:
    """All cases of all kinds."""
    known = [row for row in rows if row.model in catalog.models and row.scheme in catalog.schemes and (row.value > 0 or row.metric == LOSS)]
    return _Finder(catalog, hosts).find(known)


def _machines(catalog: Catalog) -> Hosts:
    """One machine of each kind (operating system, class, architecture) that has the devices; a bare one where none is known."""
    having: dict[str, list[MachineFacts]] = {}
    for machine in catalog.machines.values():
        for device in machine.devices:
            having.setdefault(device, []).append(machine)

    @cache
    def found(devices: tuple[str, ...]) -> tuple[Target, ...]:
        if any(device not in catalog.devices for device in devices):
            return ()
        fitting = {(m.os, m.class_, m.architecture): m for m in reversed(having.get(devices[0], [])) if set(devices) <= set(m.devices)}
        bare = MachineFacts(key="bare", name="", class_="", os="", architecture="", devices=devices)
        return tuple(target_of_machine(machine, catalog) for machine in fitting.values() or (bare,))

    return found


class _Finder:
    """Groups rows; what hangs on model, device and host is computed once."""

    def __init__(self, catalog: Catalog, hosts: Hosts):
        self._catalog = catalog
        self._hosts = hosts
        self._names = _names(catalog)
        self._attributes: dict[tuple[str, str, int], Mapping[str, Attributes]] = {}

    def find(self, rows: list[Evidence]) -> list[Case]:
        releases = _releases(rows)
        groups: dict[tuple[object, ...], list[Evidence]] = {}
        for row in rows:
            for key in self._keys(row, row.version if row.source in releases else ""):
                groups.setdefault(key, []).append(row)
        found = (self._case(str(key[0]), group) for key, group in groups.items())
        return [case for case in found if case is not None]

    def _keys(self, row: Evidence, release: str) -> list[tuple[object, ...]]:
        """The groups in which a row takes part."""
        test = (row.model, row.metric, HERE if row.digest else row.source, self._test(row))
        if row.metric == LOSS:
            return [("losses", *test, row.framework)]
        bits = self._bits(row.scheme)[: 1 if self._catalog.models[row.model].is_language_model else 2]
        keys: list[tuple[object, ...]] = [("units", *test, release, chip_of(row.device), *bits)]
        if row.metric != POWER:
            keys.append(("frameworks", *test, release, row.device, *bits))
            keys.append(("providers", *test, row.version, row.device, row.framework, row.scheme))
            keys.append(("schemes", *test, row.version, row.device, row.framework, row.execution_provider))
        return keys

    def _test(self, row: Evidence) -> object:
        """What was asked of the model, without the names of what ran it, and without how often it was repeated."""
        if row.digest:
            return row.workload
        return tuple(word for word in _words(row.conditions) if word not in self._names)

    def _way(self, row: Evidence) -> tuple[str, ...]:
        """The names that were left out of the test: one framework may have several ways (a model library, a context binary)."""
        return () if row.digest else tuple(word for word in _words(row.conditions) if word in self._names)

    def _case(self, kind: str, rows: list[Evidence]) -> Case | None:
        values: dict[tuple[str, ...], list[float]] = {}
        for row in rows:
            values.setdefault((row.framework, row.execution_provider, row.scheme, row.device, *self._way(row)), []).append(row.value)
        if len({key[_DIFFERS[kind]] for key in values}) < 2:
            return None
        model, metric = self._catalog.models[rows[0].model], rows[0].metric
        devices = () if kind == "losses" else tuple(sorted({row.device for row in rows}))
        hosts = self._read_of(model, metric, devices)
        if not hosts:
            return None
        read = hosts[0]
        options = tuple(
            Option(framework=framework, execution_provider=provider, scheme=scheme, device=device if devices else "",
                   device_kind=str(read[device]["device.kind"][0]) if devices else "", score=_score(metric, median(found)),
                   bits=self._bits(scheme), loss=self._expected(scheme, framework, read[device if devices else ""]))
            for (framework, provider, scheme, device, *_), found in sorted(values.items())
        )
        kinds = sorted({option.device_kind for option in options})
        return Case(
            kind=kind, metric=metric, model=model.key, device="" if kind == "losses" else devices[0] if kind != "units" else chip_of(devices[0]),
            chip=model.key if kind == "losses" else self._silicon(devices[0]), class_="/".join(filter(None, (class_of(model), " or ".join(kinds)))),
            hosts=hosts, options=options,
        )

    def _read_of(self, model: ModelSpec, metric: str, devices: tuple[str, ...]) -> tuple[Mapping[str, Attributes], ...]:
        """Device -> attributes, for each host; () where no workload asks for this metric of this kind of model."""
        if not devices:
            return ({"": model_attributes(model)},)
        workload = workload_of(model, metric, self._catalog)
        if workload is None:
            return ()
        found = []
        for number, target in enumerate(self._hosts(devices)):
            key = (model.key, workload.key + "|" + "|".join(devices), number)
            if key not in self._attributes:
                self._attributes[key] = self._attributes_on(target, model, workload)
            if all(device in self._attributes[key] for device in devices):
                found.append(self._attributes[key])
        return tuple(found)

    def _attributes_on(self, target: Target, model: ModelSpec, workload: Workload) -> Mapping[str, Attributes]:
        by_id = device_attributes(Request(model=model, workload=workload, wishes=Wishes()), target, self._catalog)
        return {**{target.matched[name].key: read for name, read in by_id.items() if name in target.matched}, **by_id}

    def _bits(self, scheme: str) -> tuple[float, float]:
        facts = self._catalog.schemes[scheme]
        return facts.weight_bits, float(facts.activation_bits)

    def _expected(self, scheme: str, framework: str, read: Attributes) -> float | None:
        facts = self._catalog.schemes[scheme]
        return quality_estimate(facts, False, {**read, **scheme_attributes(facts), "candidate.framework": (framework, "fact")}, self._catalog).central

    def _silicon(self, device: str) -> str:
        facts = self._catalog.devices.get(device)
        return (facts.soc if facts else "") or chip_of(device)


_DIFFERS = {"frameworks": 0, "providers": 1, "schemes": 2, "losses": 2, "units": 3}  # place in (framework, execution provider, scheme, device)
_LEAST_KEPT = 0.01  # a ruined model keeps nothing; how much less than nothing says no more
_REPEATS = re.compile(r"^median of \d+:|\(\d+ figures\)")


def _words(conditions: str) -> list[str]:
    return re.findall(r"[a-z0-9.]+", _REPEATS.sub("", conditions.lower()))


def _names(catalog: Catalog) -> frozenset[str]:
    """Parts of the names of frameworks, formats and execution providers; some sources write them beside the test."""
    names = {*catalog.frameworks, *(form for scheme in catalog.schemes.values() for form in scheme.formats)}
    names |= {statement.execution_provider for framework in catalog.frameworks.values() for statement in framework.support}
    return frozenset(word for name in names for word in _words(name))


def _releases(rows: list[Evidence]) -> set[str]:
    """Sources whose version is the release of the whole collection, since two frameworks have the same; elsewhere it is the framework's own."""
    frameworks: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        if row.version:
            frameworks.setdefault((row.source, row.version), set()).add(row.framework)
    return {source for (source, _), found in frameworks.items() if len(found) > 1}


def workload_of(model: ModelSpec, metric: str, catalog: Catalog) -> Workload | None:
    """The workload that has this metric as its objective, the default of the model's task first; for energy the default itself."""
    fitting = [row for row in catalog.workloads.values() if model.task in row.tasks and metric in (row.objective, POWER)]
    return min(fitting, key=lambda row: model.task not in row.default_for, default=None)


def chip_of(device: str) -> str:
    """A device's key without its unit (`vendor.chip.unit`); a device of this machine stands for all of it."""
    return device.rpartition(".")[0] or HERE


def _score(metric: str, value: float) -> float:
    if metric == LOSS:
        return max(_LEAST_KEPT, 1.0 - max(value, 0.0))
    return value if METRICS[metric][1] == "up" else 1.0 / value
