"""PURE: rows of the catalogue as pages: what they ask, what they do, why, and what they override."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from fnmatch import fnmatchcase
from typing import Any

from recommender.cli.render.condition import conditions_in_words, effect_in_words, limits_in_words
from recommender.cli.render.entry import sources_of, sources_text
from recommender.decide.demotion import contradiction, in_words
from recommender.domain.catalog import Catalog, RankingKey
from recommender.domain.facts import SupportStatement
from recommender.domain.rule import DecisionTable, Rule

RANKING = "ranking"
RANKING_QUESTION = "In which order are eligible candidates compared?"
SUPPORT_QUESTION = "Where does this framework work, with which formats and schemes?"


def summaries(catalog: Catalog) -> list[dict[str, str]]:
    """Id, table, status and reason of every row of the tables and the ranking, in order."""
    found = [
        {"id": rule.id, "table": table.id, "status": rule.status, "because": rule.because}
        for table in catalog.tables.values()
        for rule in table.rules
    ]
    return found + [{"id": row.id, "table": RANKING, "status": "active", "because": row.because} for row in catalog.ranking]


def ids(catalog: Catalog) -> Iterator[str]:
    """Everything that has a page."""
    for row in summaries(catalog):
        yield row["id"]
    for framework in catalog.frameworks.values():
        for statement in framework.support:
            yield statement.id


def picks(catalog: Catalog) -> dict[str, str]:
    """Active rows that choose, in order, with what they choose: `qnn`, `Q8_0 under llama-cpp`, `npu`."""
    found = {}
    for table in catalog.tables.values():
        for rule in table.rules:
            names = next((rule.then[name] for name in ("frameworks", "schemes", "units") if name in rule.then), None)
            if names and rule.status == "active":
                found[rule.id] = ", ".join(names) + limits_in_words(rule.then)
    return found


def page(key: str, catalog: Catalog) -> dict[str, Any] | None:
    """The page of a rule, a criterion or a support statement as plain data; None when there is none."""
    for table in catalog.tables.values():
        for rule in table.rules:
            if rule.id == key:
                return _rule(rule, table, catalog)
    for row in catalog.ranking:
        if row.id == key:
            return _criterion(row, catalog)
    for framework in catalog.frameworks.values():
        for statement in framework.support:
            if statement.id == key:
                return _statement(statement, catalog)
    return None


def _rule(rule: Rule, table: DecisionTable, catalog: Catalog) -> dict[str, Any]:
    others = [other for other in table.rules if other.id != rule.id]
    return {
        "id": rule.id,
        "table": table.id,
        "question": table.question,
        "hit_policy": table.hit_policy,
        "scope": table.scope,
        "status": rule.status,
        "since": rule.since,
        "superseded_by": rule.superseded_by,
        "where": rule.where,
        "when": dict(rule.when),
        "conditions": conditions_in_words(rule.when, catalog.vocabulary),
        "then": dict(rule.then),
        "effects": effect_in_words(rule.then),
        "because": rule.because,
        "overrides": [other.id for other in others if any(fnmatchcase(other.id, glob) for glob in rule.overrides)],
        "overridden_by": [other.id for other in others if any(fnmatchcase(rule.id, glob) for glob in other.overrides)],
        "audit": [asdict(row) for row in catalog.audit.get(rule.id, ())],
        "audited": _audited(rule.id, catalog),
        **_cited(rule.sources, catalog),
    }


def _audited(rule: str, catalog: Catalog) -> list[str]:
    """What published cases say of the row, a line a claim, and whether it is demoted for it."""
    claims = catalog.audit.get(rule, ())
    found = contradiction(claims)
    lines = [f"{row.claim}: {in_words(row)} ({row.overall.verdict if row.is_claimed else 'not claimed'})" for row in claims]
    return [*lines, f"demoted behind every place that stands, where its {found.claim} was measured and is not supported"] if found else lines


def _criterion(row: RankingKey, catalog: Catalog) -> dict[str, Any]:
    band = f", in bands of {row.band * 100:g} %" if row.band else ""
    return {
        "id": row.id,
        "table": RANKING,
        "question": RANKING_QUESTION,
        "status": "active",
        "conditions": [],
        "effects": [f"compares {row.label} ({row.measure}){band}"],
        "because": row.because,
        "overrides": [],
        "overridden_by": [],
        **_cited(row.sources, catalog),
    }


def _statement(row: SupportStatement, catalog: Catalog) -> dict[str, Any]:
    made = f", made by {', then '.join(row.preparers)}" if row.preparers else ""
    refuses = row.status == "no"
    opens = f"{row.framework} through {row.execution_provider}: {row.format} with {', '.join(row.schemes)}{made}"
    return {
        "id": row.id,
        "table": f"support of {row.framework}",
        "question": SUPPORT_QUESTION,
        "status": row.status,
        "since": row.since,
        "until": row.until,
        "when": dict(row.when),
        "conditions": conditions_in_words(row.when, catalog.vocabulary),
        "effects": [
            f"closes {opens}" if refuses else f"opens {opens}",
            *(f"sets {name} = {value}" for name, value in row.options.items()),
        ],
        "because": row.because,
        "overrides": [],
        "overridden_by": [],
        **_cited(row.sources, catalog),
    }


def _cited(sources: tuple[str, ...], catalog: Catalog) -> dict[str, Any]:
    chapter = [name.removeprefix("chapter:") for name in sources if name.startswith("chapter:")]
    return {"sources": sources_of(sources, catalog.sources), "chapter": chapter}


def page_text(found: dict[str, Any]) -> str:
    """The page as text."""
    state = "" if found["status"] in ("active", "stable") else f" [{found['status']}]"
    lines = [f"{found['id']}{state}: {found['because']}", f"  table: {found['table']}: {found['question']}"]
    lines += _listed("when", found["conditions"] or ["always"])
    lines += _listed("then", found["effects"])
    lines += _listed("audit", found.get("audited", []))
    for name, label in (("overrides", "overrides"), ("overridden_by", "overridden by")):
        if found[name]:
            lines.append(f"  {label}: {', '.join(found[name])}")
    for name in ("since", "until", "superseded_by", "where"):
        if found.get(name):
            lines.append(f"  {name.replace('_', ' ')}: {found[name]}")
    if found["chapter"]:
        lines.append(f"  chapter: {', '.join(found['chapter'])}")
    return "\n".join(lines) + (f"\n{sources_text(found['sources'])}" if found["sources"] else "")


def _listed(label: str, items: list[str]) -> list[str]:
    return [f"  {label}: {items[0]}", *(f"  {' ' * len(label)}  {item}" for item in items[1:])] if items else []
