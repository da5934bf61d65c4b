"""Everything cites a source that is declared (or a part of the chapter), sources are dated, used, and not too old."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from recommender.domain.catalog import Catalog
from recommender.domain.quantity import Sourced
from recommender.loader.lint.finding import Finding, Knowledge, Reporter

CHAPTER = "chapter:"
OLD_MONTHS = 24
# sections whose rows carry `sources`; every one needs at least one
_WITH_SOURCES = (
    "models",
    "schemes",
    "frameworks",
    "workloads",
    "efficiencies",
    "overheads",
    "rates",
    "quality",
    "budgets",
    "portability",
    "preparers",
    "claims",
    "ranking",
)


def check(knowledge: Knowledge) -> Iterator[Finding]:
    report = Reporter("sources", knowledge)
    catalog = knowledge.catalog
    chapter = set(catalog.vocabulary.get("chapter", {}).get("ids", ()))
    used: set[str] = set()
    for section, key, source in cited(catalog):
        used.add(source)
        if not source:
            yield report.error(section, key, "cites no source")
        elif source.startswith(CHAPTER):
            if source.removeprefix(CHAPTER) not in chapter:
                yield report.error(section, key, f"`{source}` is no part of the chapter")
        elif source not in catalog.sources:
            yield report.error(section, key, f"source `{source}` is not declared")
    yield from _declared(knowledge, report, used)


def _declared(knowledge: Knowledge, report: Reporter, used: set[str]) -> Iterator[Finding]:
    kinds = knowledge.listed("source_kinds")
    for source in knowledge.catalog.sources.values():
        if kinds and source.kind not in kinds:
            yield report.error("sources", source.id, f"kind `{source.kind}` is none of {', '.join(kinds)}")
        if not source.title or not source.url:
            yield report.error("sources", source.id, "a source needs a title and a URL")
        months = _age(source.retrieved, knowledge.today)
        if months is None:
            yield report.error("sources", source.id, f"`retrieved` is not a date: `{source.retrieved}`")
        elif months > OLD_MONTHS:
            yield report.warning("sources", source.id, f"was read {months} months ago: look again")
        elif months < 0:
            yield report.error("sources", source.id, f"was read in the future: {source.retrieved}")
        if source.id not in used:
            yield report.warning("sources", source.id, "nothing cites it")


def cited(catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """(section, key, source) for every citation; an empty source where one is due and missing."""
    for section in _WITH_SOURCES:
        rows = getattr(catalog, section)
        for row in rows.values() if hasattr(rows, "values") else rows:
            yield from _each(section, _key(row), row.sources)
    for table in catalog.tables.values():
        for rule in table.rules:
            yield from _each("rules", rule.id, rule.sources)
    for framework in catalog.frameworks.values():
        for statement in framework.support:
            yield from _each("support", statement.id, statement.sources)
        yield from _facts("frameworks", framework.key, {"runtime_size": framework.runtime_size} if framework.runtime_size else {})
    for device in catalog.devices.values():
        yield "devices", device.key, device.source
        yield from _facts("devices", device.key, device.capability)
    for machine in catalog.machines.values():
        yield "machines", machine.key, machine.source
    for row in (row for rows in catalog.evidence.values() for row in rows):
        yield "evidence", f"{row.model} on {row.device or row.digest}", row.source


def _each(section: str, key: str, sources: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    for source in sources or ("",):
        yield section, key, source


def _facts(section: str, key: str, facts: Any) -> Iterator[tuple[str, str, str]]:
    for fact in facts.values():
        if isinstance(fact, Sourced):
            yield section, key, fact.source


def _key(row: Any) -> str:
    for name in ("key", "id"):
        if hasattr(row, name):
            return str(getattr(row, name))
    return f"{row.format}/{row.execution_provider}"


def _age(text: str, today: str) -> int | None:
    """Whole months between two ISO dates, None when one is no date."""
    try:
        then, now = date.fromisoformat(text), date.fromisoformat(today)
    except ValueError:
        return None
    if then > now:
        return -1
    return (now.year - then.year) * 12 + now.month - then.month - (now.day < then.day)
