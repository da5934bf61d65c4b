"""What `catalog list` shows of each kind of entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recommender.cli.render.quantity import count, readable
from recommender.domain.catalog import Catalog
from recommender.domain.facts import DeviceFacts, FrameworkFacts, MachineFacts
from recommender.domain.model import ModelSpec
from recommender.domain.quantization import QuantScheme
from recommender.domain.workload import Constraint, Workload


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """`value` gives JSON-ready data in base units; `show` makes text of it."""

    name: str
    value: Callable[[Any], Any]
    show: Callable[[Any], str] = lambda value: _text(value)
    is_number: bool = False


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    return str(value)


def _unit(unit: str) -> Callable[[Any], str]:
    return lambda value: "" if value is None else readable(value, unit)


def _sizes(value: tuple[int, ...]) -> str:
    return ", ".join(readable(size, "bytes") for size in value)


def _figure(device: DeviceFacts, name: str) -> Any:
    fact = device.capability.get(name)
    return fact.value if fact else None


def _levels(rows: tuple[Constraint, ...]) -> list[str]:
    return [row.text for row in rows]


def _devices() -> tuple[Column, ...]:
    return (
        Column(name="key", value=lambda row: row.key),
        Column(name="name", value=lambda row: row.name),
        Column(name="family", value=lambda row: row.family),
        Column(
            name="memory_bandwidth", value=lambda row: _figure(row, "memory_bandwidth"), show=_unit("bytes/s"), is_number=True
        ),
        Column(name="memory", value=lambda row: _figure(row, "memory_capacity"), show=_unit("bytes"), is_number=True),
        Column(name="precisions", value=lambda row: list(row.precisions)),
    )


def _machines() -> tuple[Column, ...]:
    return (
        Column(name="key", value=lambda row: row.key),
        Column(name="name", value=lambda row: row.name),
        Column(name="class", value=lambda row: row.class_),
        Column(name="os", value=lambda row: row.os),
        Column(name="memory", value=lambda row: list(row.memory_options), show=_sizes),
        Column(name="devices", value=lambda row: list(row.devices)),
    )


def _models() -> tuple[Column, ...]:
    return (
        Column(name="key", value=lambda row: row.key),
        Column(name="name", value=lambda row: row.name),
        Column(name="task", value=lambda row: row.task),
        Column(name="parameters", value=lambda row: row.n_params, show=count, is_number=True),
        Column(name="context", value=lambda row: row.context_length, is_number=True),
        Column(name="macs", value=lambda row: row.macs, show=count, is_number=True),
        Column(name="license", value=lambda row: row.license),
    )


def _schemes() -> tuple[Column, ...]:
    return (
        Column(name="key", value=lambda row: row.key),
        Column(name="name", value=lambda row: row.name),
        Column(name="bits_per_weight", value=lambda row: row.bits_per_weight, show=lambda value: f"{value:.4g}", is_number=True),
        Column(name="class", value=lambda row: row.class_),
        Column(name="scope", value=lambda row: row.scope),
        Column(name="calibration", value=lambda row: row.needs_calibration),
        Column(name="formats", value=lambda row: list(row.formats)),
    )


def _frameworks() -> tuple[Column, ...]:
    return (
        Column(name="key", value=lambda row: row.key),
        Column(name="name", value=lambda row: row.name),
        Column(name="executor", value=lambda row: row.has_executor),
        Column(name="statements", value=lambda row: len(row.support), is_number=True),
        Column(name="os", value=lambda row: list(row.os)),
        Column(name="tasks", value=lambda row: list(row.tasks)),
    )


def _workloads() -> tuple[Column, ...]:
    return (
        Column(name="key", value=lambda row: row.key),
        Column(name="scenario", value=lambda row: row.scenario),
        Column(name="objective", value=lambda row: row.objective),
        Column(name="floor", value=lambda row: _levels(row.floor)),
        Column(name="comfort", value=lambda row: _levels(row.comfort)),
        Column(name="tasks", value=lambda row: list(row.tasks)),
    )


COLUMNS: Mapping[str, Callable[[], tuple[Column, ...]]] = {
    "devices": _devices,
    "machines": _machines,
    "models": _models,
    "schemes": _schemes,
    "frameworks": _frameworks,
    "workloads": _workloads,
}
KINDS = tuple(COLUMNS)
Entry = DeviceFacts | MachineFacts | ModelSpec | QuantScheme | FrameworkFacts | Workload


def entries(kind: str, catalog: Catalog, like: str = "") -> list[Entry]:
    """The entries of a kind, by key; `like` keeps those that hold all its words in key, name, alias, family or task."""
    words = like.lower().split()
    rows = getattr(catalog, kind)
    return [rows[key] for key in sorted(rows) if not words or _holds(rows[key], words)]


def _holds(entry: Any, words: list[str]) -> bool:
    parts = [entry.key, entry.name, *getattr(entry, "aliases", ())]
    parts += [
        str(getattr(entry, name, ""))
        for name in ("family", "class_", "os", "task", "kind", "vendor", "soc", "generation", "tasks")
    ]
    text = " ".join(parts).lower()
    return all(word in text for word in words)


def as_data(kind: str, rows: list[Entry]) -> list[dict[str, Any]]:
    """The columns as JSON-ready data, in base units."""
    columns = COLUMNS[kind]()
    return [{column.name: column.value(row) for column in columns} for row in rows]


def as_text(kind: str, rows: list[Entry]) -> str:
    """The columns as an aligned table."""
    from recommender.cli.render.aligned import aligned

    columns = COLUMNS[kind]()
    cells = [[column.show(column.value(row)) for column in columns] for row in rows]
    numbers = frozenset(number for number, column in enumerate(columns) if column.is_number)
    return aligned([column.name.replace("_", " ").upper() for column in columns], cells, right=numbers)
