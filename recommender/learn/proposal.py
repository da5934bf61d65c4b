"""PURE: leaves of a tree -> rows of the decision table that they would join, and those rows as knowledge files.

A leaf becomes a row a place. The rows say that nothing was wished, since no measured case knows a wish, and override what the table says of the
same names without a wish. They are a proposal: a folder that somebody reads, and names with `--catalog` to try it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from recommender.domain.catalog import Catalog
from recommender.domain.rule import DecisionTable, Rule
from recommender.learn.contests import FRAMEWORKS, Question
from recommender.learn.standing import Standing
from recommender.learn.tree import Leaf

OWN = "own-measurements"  # source of what was measured on this machine
_NOT_WISHED: Mapping[str, Any] = {"wish.way_of_working": "", "wish.is_cross_platform": False}
PLACES = 3  # names that a leaf ranks
_LAST = 999  # a row's number has three digits


def table_of(question: Question, catalog: Catalog) -> DecisionTable:
    """The table whose rows answer such questions."""
    return next(table for table in catalog.tables.values() if table.scope == "device" and any(question.effect in rule.then for rule in table.rules))


def rows(question: Question, leaves: Iterable[Leaf], table: DecisionTable, first: int) -> tuple[Rule, ...]:
    """The rows of a tree, numbered from `first` as far as three digits go; a leaf whose names were seen on too few chips or models makes none."""
    overrides = _overridden(question, table)
    placed = [(leaf, place, standing) for leaf in leaves for place, standing in enumerate(_ranked(leaf), 1)]
    return tuple(
        _row(question, leaf, place, standing, f"{table.rules[0].id[:3]}{number:03}", overrides)
        for number, (leaf, place, standing) in enumerate(placed, first)
        if number <= _LAST
    )


def first_number(table: DecisionTable) -> int:
    """The hundred after the last row: ids are never reused, and globs of other rows do not reach it."""
    return (max(int(rule.id[3:]) for rule in table.rules) // 100 + 1) * 100


def _ranked(leaf: Leaf) -> tuple[Standing, ...]:
    return tuple(standing for standing in leaf.order if standing.is_supported)[:PLACES]


def _row(question: Question, leaf: Leaf, place: int, standing: Standing, name: str, overrides: tuple[str, ...]) -> Rule:
    then: dict[str, Any] = {question.effect: [standing.name]}
    if question.framework:
        then["for_frameworks"] = [question.framework]
    when = {"device.kind": question.device_kind, **leaf.when, **_NOT_WISHED}
    return Rule(id=name, when=when, then={**then, "place": place}, because=because(standing), sources=standing.sources, overrides=overrides)


def because(standing: Standing) -> str:
    """The support of a row in words."""
    return (
        f"Learned: the fastest in {standing.wins} of the {standing.cases} contests it took part in, on {standing.devices} devices with {standing.models} models; "
        f"the best was {math.expm1(standing.regret):.1%} faster on the mean."
    )


def _overridden(question: Question, table: DecisionTable) -> tuple[str, ...]:
    """Globs of the hundreds that hold rows for nobody's wish; of schemes the rows of this framework alone."""
    own = [rule for rule in table.rules if rule.status == "active" and question.effect in rule.then and not any(name in rule.when for name in _NOT_WISHED)]
    if question.effect == FRAMEWORKS:
        return tuple(sorted({f"{rule.id[:4]}*" for rule in own}))
    return tuple(rule.id for rule in own if list(rule.then.get("for_frameworks", ())) == [question.framework])


def files(proposed: Mapping[str, Sequence[Rule]], catalog: Catalog, remarks: Mapping[str, Sequence[str]], today: str) -> dict[str, str]:
    """Path below the folder -> text, as a layer of knowledge is read.

    Args:
        proposed: table -> its new rows. remarks: table -> what its reader must know first. today: day of the own measurements, if they are cited.
    """
    found = {f"rules/{name}.toml": _table_text(catalog.tables[name], rules, remarks.get(name, ())) for name, rules in proposed.items() if rules}
    if any(OWN in rule.sources for rules in proposed.values() for rule in rules):
        source = {"id": OWN, "title": "Measured on this machine by this program (recommend evidence list)", "url": "urn:own:measurements", "kind": "measured", "retrieved": today}
        found["sources/learned.toml"] = "\n".join(["[[source]]", *_lines(source), ""])
    return found


def _table_text(table: DecisionTable, rules: Sequence[Rule], remarks: Sequence[str]) -> str:
    head = {"id": table.id, "question": table.question, "hit_policy": table.hit_policy, "scope": table.scope}
    lines = [*(f"# {' '.join(remark.split())}" for remark in remarks), "", "[table]", *_lines(head)]
    for rule in rules:
        lines += ["", "[[rule]]", *_lines(plain(rule))]
    return "\n".join([*lines, ""])


def plain(rule: Rule) -> dict[str, Any]:
    """The row as a knowledge file holds it."""
    return {
        "id": rule.id, "when": dict(rule.when), "then": dict(rule.then), "because": rule.because, "sources": list(rule.sources),
        **({"overrides": list(rule.overrides)} if rule.overrides else {}),
    }


def _lines(row: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{name} = {_value(value)}" for name, value in row.items())


def _value(value: Any) -> str:
    """TOML of a text, number, flag, list or table; texts, and keys with dots, are quoted as JSON, which TOML reads alike."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name if name.isidentifier() else json.dumps(name)} = {_value(each)}" for name, each in value.items()) + " }" if value else "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    return json.dumps(value)
