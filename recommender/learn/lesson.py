"""Contests -> a lesson: for every question the tree, the rows it proposes, and how both fare beside the chapter where devices were left out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from recommender.audit.rules import MIN_CHIPS, MIN_MODELS
from recommender.domain.catalog import Catalog
from recommender.domain.rule import Rule
from recommender.learn.contests import Contest, Question
from recommender.learn.held_out import CHAPTER, LEARNED, POLICIES, TABLE, Judged, Regret, difference, judge, regret, word
from recommender.learn.policies import Pick
from recommender.learn.proposal import first_number, plain, rows, table_of
from recommender.learn.tree import Leaf, fit

SCHEMA_VERSION = "1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """One question: its contests, the tree of all of them, the rows of the tree, and each contest judged by a tree that did not know its chip."""

    question: Question
    table: str
    contests: Sequence[Contest]
    leaves: tuple[Leaf, ...]
    rules: tuple[Rule, ...]
    judged: Sequence[Judged]


def lessons(found: Sequence[Contest], catalog: Catalog, tell: Callable[[str], None]) -> tuple[list[Lesson], list[Question]]:
    """The lesson of each question, frameworks first, and the questions that too few chips or models speak of.

    Raises:
        ExecutorUnavailable: scikit-learn is not installed.
    """
    groups: dict[Question, list[Contest]] = {}
    for contest in found:
        groups.setdefault(contest.question, []).append(contest)
    taught: list[Lesson] = []
    silent: list[Question] = []
    numbers: dict[str, int] = {}
    for question in sorted(groups, key=lambda one: one.name):
        own = groups[question]
        if len({contest.chip for contest in own}) <= MIN_CHIPS or len({contest.model for contest in own}) < MIN_MODELS:  # one chip is left out
            silent.append(question)
            continue
        tell(f"{question.name}: {len(own)} contests")
        table = table_of(question, catalog)
        leaves = fit(own)
        number = numbers.get(table.id, first_number(table))
        proposed = rows(question, leaves, table, number)
        numbers[table.id] = number + len(proposed)
        taught.append(Lesson(question=question, table=table.id, contests=own, leaves=leaves, rules=proposed, judged=judge(question, own, table)))
    return taught, silent


def document(taught: Sequence[Lesson], silent: Sequence[Question]) -> dict[str, Any]:
    """The lessons as plain data; regrets are fractions, and those beside the tree are of left-out chips."""
    every = [contest for lesson in taught for contest in lesson.contests]
    return {
        "schema_version": SCHEMA_VERSION,
        "contests": len(every), "devices": len({contest.device for contest in every}), "models": len({contest.model for contest in every}),
        "sources": sorted({contest.source for contest in every}),
        "overall": {effect: _overall([lesson for lesson in taught if lesson.question.effect == effect]) for effect in sorted({lesson.question.effect for lesson in taught})},
        "questions": [_question(lesson) for lesson in taught],
        "too_few": [question.name for question in silent],
        "rows": [{"table": lesson.table, **plain(rule)} for lesson in taught for rule in lesson.rules],
    }


def _overall(taught: Sequence[Lesson]) -> dict[str, Any]:
    """All questions of one effect together, and in how many the learned rows are better, worse or not told apart."""
    judged = [row for lesson in taught for row in lesson.judged]
    return {
        "policies": {name: asdict(regret(judged, name)) for name in POLICIES},
        "words": {name: dict(Counter(word(lesson.judged, name) for lesson in taught)) for name in POLICIES if name != LEARNED},
    }


def remarks(taught: Sequence[Lesson]) -> dict[str, list[str]]:
    """Table -> what whoever reads its proposed rows must know first."""
    found: dict[str, list[str]] = {}
    for lesson in taught:
        lines = found.setdefault(lesson.table, ["A proposal of `recommend rules learn`, applied by nobody but `--catalog`. Rows of questions that learned no better are here to be judged, not to be used."])
        lines.append(f"{lesson.question.name}: {verdict(lesson)}")
    return found


def verdict(lesson: Lesson) -> str:
    """In a sentence, against both rivals."""
    told = [f"regret of the learned rows {_share(regret(lesson.judged, LEARNED))} on devices that were left out"]
    for name in (CHAPTER, TABLE):
        found = regret(lesson.judged, name)
        told.append(f"the {name} places none of these" if found.blind == 1.0 else f"{_WORDS[word(lesson.judged, name)]} the {name}'s {_share(found)}")
    return "; ".join(told)


_WORDS = {"better": "better than", "worse": "worse than", "no difference": "not told apart from"}


def _share(found: Regret) -> str:
    return f"{found.mean:.1%} ({found.low:.1%} to {found.high:.1%})"


def _question(lesson: Lesson) -> dict[str, Any]:
    judged = {id(row.contest): row for row in lesson.judged}
    return {
        "id": lesson.question.name, "table": lesson.table, "framework": lesson.question.framework, "contests": len(lesson.contests),
        "devices": len({contest.device for contest in lesson.contests}), "models": len({contest.model for contest in lesson.contests}),
        "policies": {name: asdict(regret(lesson.judged, name)) for name in POLICIES},
        "against": {name: _against(lesson.judged, name) for name in POLICIES if name != LEARNED},
        "verdict": verdict(lesson),
        "leaves": [_leaf(leaf, [judged[id(lesson.contests[number])] for number in leaf.members]) for leaf in lesson.leaves],
        "parting": list(parting(lesson.judged)),
        "rows": [rule.id for rule in lesson.rules],
    }


def _against(judged: Sequence[Judged], policy: str) -> dict[str, Any]:
    mean, low, high = difference(judged, policy)
    return {"word": word(judged, policy), "mean": mean, "low": low, "high": high}


def _leaf(leaf: Leaf, judged: Sequence[Judged]) -> dict[str, Any]:
    """A leaf with what the chapter says most often of the same contests, and what each costs there."""
    said = Counter(_said(row.picks[CHAPTER]) for row in judged)
    most = min(said.items(), key=lambda item: (-item[1], item[0]))[0]
    return {
        "when": dict(leaf.when), "contests": len(judged), "devices": len({row.contest.device for row in judged}),
        "order": [asdict(standing) | {"is_supported": standing.is_supported} for standing in leaf.order],
        "chapter": list(most), "chapter_rules": sorted({rule for row in judged if _said(row.picks[CHAPTER]) == most for rule in row.picks[CHAPTER].rules}),
        "regret": {name: regret(judged, name).mean for name in (LEARNED, CHAPTER, TABLE)},
    }


def _said(pick: Pick) -> tuple[str, ...]:
    """The names of a pick; none where no row placed any."""
    return pick.names if pick.rules else ()


def parting(judged: Sequence[Judged]) -> Iterator[Mapping[str, Any]]:
    """Contests where the learned rows and the chapter part, alike ones together, those first that differ most in all."""
    groups: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[Judged]] = {}
    for row in judged:
        learned, chapter = _said(row.picks[LEARNED]), _said(row.picks[CHAPTER])
        if learned != chapter:
            groups.setdefault((str(row.contest.attributes.get("model.task", ("unknown",))[0]), learned, chapter), []).append(row)
    for (task, learned, chapter), group in sorted(groups.items(), key=lambda item: (-_apart(item[1]), item[0])):
        yield {
            "task": task, "learned": list(learned), "chapter": list(chapter), "contests": len(group), "devices": len({row.contest.device for row in group}),
            "example": f"{group[0].contest.model} on {group[0].contest.device}", "regret": {name: regret(group, name).mean for name in (LEARNED, CHAPTER)},
        }


def _apart(group: Sequence[Judged]) -> float:
    return math.fsum(abs(row.picks[LEARNED].regret - row.picks[CHAPTER].regret) for row in group)
