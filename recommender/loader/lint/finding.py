"""What a lint says, and what it is given to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from recommender.domain.catalog import Catalog
from recommender.loader import files

LEVELS = ("error", "warning")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One fault. `where` is `file:line` where that is known, else `section:key`."""

    lint: str
    level: str
    where: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Knowledge:
    """The catalogue as the lints see it.

    Attributes:
        places: `section:key` -> `file:line`; rows of a list count as `section:id`.
        today: ISO date; ages of sources are told against it.
        evidence_places: model -> `file:line` of each of its evidence rows, in order; empty when not known.
    """

    catalog: Catalog
    today: str
    places: Mapping[str, str] = field(default_factory=dict)
    evidence_places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def where(self, section: str, key: str) -> str:
        """`file:line` of an entry, else `section:key`."""
        name = f"{section}:{key}"
        return self.places.get(name, name)

    def listed(self, name: str) -> tuple[str, ...]:
        """A closed list of the vocabulary; empty when it has none."""
        return tuple(self.catalog.vocabulary.get("lists", {}).get(name, ()))


def places(layers: Iterable[files.Layer]) -> dict[str, str]:
    """Where each row stands; a later layer wins. Support statements and rules are found by their id too."""
    found: dict[str, str] = {}
    for layer in layers:
        for row in files.rows(layer):
            key = str(row.data.get(row.section.key or "id", ""))
            found[f"{row.section.name}:{key}"] = row.where
            path = row.where.rpartition(":")[0]
            for number, child in enumerate(row.data.get("support", ())):
                found[f"support:{child.get('id', '')}"] = f"{path}:{files.line_of(row.text, 'support', number)}"
            for number, child in enumerate(row.data.get("rules", ())):
                found[f"rules:{child.get('id', '')}"] = f"{path}:{files.line_of(row.text, 'rule', number)}"
    return found


class Reporter:
    """Makes findings of one lint: `report.error(section, key, text)`."""

    def __init__(self, lint: str, knowledge: Knowledge):
        self._lint = lint
        self._knowledge = knowledge

    def error(self, section: str, key: str, message: str) -> Finding:
        return Finding(lint=self._lint, level="error", where=self._knowledge.where(section, key), message=f"{key}: {message}")

    def warning(self, section: str, key: str, message: str) -> Finding:
        return Finding(lint=self._lint, level="warning", where=self._knowledge.where(section, key), message=f"{key}: {message}")


def conditions(catalog: Catalog) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(section, key, when) of everything that has conditions."""
    for table in catalog.tables.values():
        for rule in table.rules:
            yield "rules", rule.id, rule.when
    for framework in catalog.frameworks.values():
        for statement in framework.support:
            yield "support", statement.id, statement.when
    for section in ("efficiencies", "overheads", "rates", "quality", "budgets"):
        for row in getattr(catalog, section):
            yield section, row.id, row.when
