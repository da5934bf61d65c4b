"""PURE: from an answer's choices and the rows of the `search` table to the points of a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from urllib.parse import parse_qsl, quote

from recommender.decide import tables
from recommender.decide.tables import Attributes
from recommender.domain.rule import DecisionTable

Choice = Mapping[str, Any]
SCOPE = "search"


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A choice of the answer with run settings. `settings`: those that the sweep varies; `start`: as the answer sets them."""

    choice: str
    framework: str
    execution_provider: str
    device: str
    scheme: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    start: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """`CHOICE?name=value&name=value`, sorted by name."""
        shown = "&".join(f"{quote(name)}={quote(_text(value))}" for name, value in sorted(self.settings.items()))
        return f"{self.choice}?{shown}" if shown else self.choice

    @property
    def path(self) -> tuple[str, str, str]:
        """Framework, execution provider and device."""
        return self.framework, self.execution_provider, self.device

    @property
    def changed(self) -> dict[str, Any]:
        """The settings that differ from the answer's."""
        return {name: value for name, value in self.settings.items() if value != self.start.get(name)}

    @property
    def parameters(self) -> dict[str, str]:
        """As a study holds them: the choice, and its settings under names of their own for each framework (their values differ)."""
        return {"choice": self.choice, **{f"{self.framework}.{name}": _text(value) for name, value in self.settings.items()}}


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """All points, the choices in the order of the answer and the start settings of each first.

    domains: parameter -> its values as text. spreads: setting -> standard deviation of the log of what it does to a speed, as the rows guess it.
    """

    points: tuple[Point, ...]
    domains: Mapping[str, tuple[str, ...]]
    spreads: Mapping[str, float] = field(default_factory=dict)

    def by_id(self) -> dict[str, Point]:
        return {point.id: point for point in self.points}

    def settings_of(self, choice: str) -> tuple[str, ...]:
        """Parameters that depend on the choice being this one."""
        first = next(point for point in self.points if point.choice == choice)
        return tuple(name for name in first.parameters if name != "choice")


def space(choices: Iterable[Choice], attributes: Mapping[str, Attributes], searched: Iterable[DecisionTable]) -> Space:
    """Args: attributes: choice id -> what its rows may read. searched: the tables of the scope `search`."""
    rows = list(searched)
    points = [point for choice in choices for point in _points(choice, domain(choice, attributes[choice["id"]], rows))]
    domains: dict[str, dict[str, None]] = {}
    for point in points:
        for name, value in point.parameters.items():
            domains.setdefault(name, {})[value] = None
    return Space(points=tuple(points), domains={name: tuple(values) for name, values in domains.items()}, spreads=spreads_of(rows))


def spreads_of(searched: Iterable[DecisionTable]) -> dict[str, float]:
    """What the rows guess of each setting; the widest where several do."""
    found: dict[str, float] = {}
    for rule in (rule for table in searched for rule in table.rules):
        for name, values in rule.then.get("search", {}).items():
            if isinstance(values, Mapping) and "spread" in values:
                found[name] = max(found.get(name, 0.0), float(values["spread"]))
    return found


def domain(choice: Choice, attributes: Attributes, searched: Iterable[DecisionTable]) -> dict[str, list[Any]]:
    """Setting -> the values worth a trial, that of the answer first; settings with one value are left out."""
    asked: dict[str, Any] = {}
    for table in searched:
        for step in tables.effective(tables.evaluate_table(table, choice["id"], attributes)):
            for name, values in step.effect.get("search", {}).items():
                asked.setdefault(name, values)
    found = {name: _values(values, attributes, choice["options"].get(name)) for name, values in asked.items()}
    return {name: values for name, values in found.items() if len(values) > 1}


def _values(values: Any, attributes: Attributes, start: Any) -> list[Any]:
    """A list, or `{values = LIST}`; or `{up_to = N}`: powers of two from 1, and N. Where the answer leaves a setting open, the first value is what it starts with."""
    if isinstance(values, Mapping) and "up_to" not in values:
        values = values["values"]
    elif isinstance(values, Mapping):
        most = _read(values["up_to"], attributes)
        powers = [2**n for n in range(int(most).bit_length()) if 2**n <= most] if most else []
        values = [*powers, int(most)] if most else []
        start = start if start is not None else most
    first = [] if start is None else [start]
    return list(dict.fromkeys([*first, *(value for each in values if (value := _read(each, attributes)) is not None)]))


def _read(value: Any, attributes: Attributes) -> Any:
    return attributes.get(value[1:], (None, ""))[0] if isinstance(value, str) and value.startswith("@") else value


def _points(choice: Choice, values: Mapping[str, list[Any]]) -> Iterable[Point]:
    """The start settings come first: each setting's own value is the first of its list."""
    start = {name: found[0] for name, found in values.items()}
    for combination in product(*values.values()):
        yield Point(
            choice=choice["id"], framework=choice["framework"], execution_provider=choice["execution_provider"], device=choice["device"],
            scheme=choice["scheme"], settings=dict(zip(values, combination, strict=True)), start=start,
        )


def settings_in(point_id: str) -> dict[str, str]:
    """Settings of a point's id, as text."""
    return dict(parse_qsl(point_id.partition("?")[2]))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
