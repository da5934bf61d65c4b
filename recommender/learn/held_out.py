"""Each contest judged by a tree that never saw its chip: regret of the learned rows beside the chapter's, the table's and the usual winner's."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from recommender.domain.rule import DecisionTable
from recommender.learn.contests import Contest, Question
from recommender.learn.interval import device_mean
from recommender.learn.policies import Pick, Policy, chapter_only
from recommender.learn.proposal import first_number, rows
from recommender.learn.tree import MAX_LEAVES, fit

LEARNED, USUAL, CHAPTER, TABLE = "learned", "usual winner", "chapter", "table"
POLICIES = (LEARNED, USUAL, CHAPTER, TABLE)
CLOSE = math.log(1.05)  # a pick within 5 % of the best is as good as the best
N_FOLDS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One contest and what each policy picked."""

    contest: Contest
    picks: Mapping[str, Pick]


@dataclass(frozen=True, kw_only=True, slots=True)
class Regret:
    """Of one policy: geometric mean of (best over pick) minus one with its 90 % interval, each device weighing the same.

    close: share of contests within 5 % of the best. blind: share in which no row placed anything.
    """

    mean: float
    low: float
    high: float
    close: float
    blind: float


def judge(question: Question, found: Sequence[Contest], table: DecisionTable) -> list[Judged]:
    """Every contest once. Chips that are few make as many folds as there are."""
    fixed = {CHAPTER: Policy(chapter_only(table)), TABLE: Policy(table)}
    judged: list[Judged] = []
    for known, held in _folds(found):
        learned = {name: Policy(_rows_alone(question, known, table, leaves)) for name, leaves in ((LEARNED, MAX_LEAVES), (USUAL, 1))}
        judged += [Judged(contest=contest, picks={name: policy.pick(contest) for name, policy in {**learned, **fixed}.items()}) for contest in held]
    return judged


def _rows_alone(question: Question, known: Sequence[Contest], table: DecisionTable, max_leaves: int) -> DecisionTable:
    """A table of nothing but the rows that a tree of these contests proposes: unknown readings fire none of them, there as here."""
    return replace(table, rules=rows(question, fit(known, max_leaves), table, first_number(table)))


def _folds(found: Sequence[Contest]) -> Iterator[tuple[list[Contest], list[Contest]]]:
    """Known and held-out contests; every chip is held out once, whole."""
    chips = sorted({contest.chip for contest in found})
    random.Random(0).shuffle(chips)
    for number in range(min(N_FOLDS, len(chips))):
        held = set(chips[number::N_FOLDS])
        yield [contest for contest in found if contest.chip not in held], [contest for contest in found if contest.chip in held]


def regret(judged: Sequence[Judged], policy: str) -> Regret:
    """What the picks of one policy cost."""
    costs = [row.picks[policy].regret for row in judged]
    mean, low, high = device_mean([row.contest for row in judged], costs)
    return Regret(
        mean=math.expm1(mean), low=math.expm1(low), high=math.expm1(high), close=sum(cost <= CLOSE for cost in costs) / len(costs),
        blind=sum(not row.picks[policy].rules for row in judged) / len(costs),
    )


def difference(judged: Sequence[Judged], policy: str) -> tuple[float, float, float]:
    """How much more than the learned rows this policy costs (ratio minus one), with its 90 % interval; negative where it costs less."""
    more = [row.picks[policy].regret - row.picks[LEARNED].regret for row in judged]
    mean, low, high = (math.expm1(value) for value in device_mean([row.contest for row in judged], more))
    return mean, low, high


def word(judged: Sequence[Judged], policy: str) -> str:
    """`better`, `worse` or `no difference` of the learned rows against a policy: where the whole interval lies on one side."""
    _, low, high = difference(judged, policy)
    return "better" if low > 0 else "worse" if high < 0 else "no difference"
