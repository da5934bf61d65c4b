"""Compare candidates: rounds of fresh processes in random order, the baseline in every round, until the answer stands or the budget ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from random import Random
from typing import Any

from recommender.domain.measurement import Summary
from recommender.domain.workload import METRICS
from recommender.measure.metrics import summarise
from recommender.measure.race import Race
from recommender.measure.repetition import Repetition
from recommender.measure.verdict import KEEP_BASELINE, RECOMMENDED, SCREENING, TIE_BAND, Judgement

_SEED = 0  # of the bootstrap
ROUNDS = {"quick": SCREENING, "normal": 10, "strict": 14}  # at most, by mode


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a comparison found.

    Attributes:
        judgement: verdict, winner, pairs.
        repetitions: all, in the order taken, those of an earlier run first.
        counted: candidate -> the repetitions that count, one a round; the confirmation is not among them.
        failures: candidate -> the repetition it failed with. behind: candidate -> paired effect against the leader when it was dropped.
        not_reached: candidates the budget did not suffice for. rounds: complete ones.
        confirmed: whether the winner's repetition at the end lies where one is expected; None without one.
        ended: `settled`, `rounds` (as many as the mode allows), `budget` or `stopped`.
    """

    metric: str
    mode: str
    baseline: str
    judgement: Judgement
    repetitions: tuple[Repetition, ...]
    counted: Mapping[str, tuple[Repetition, ...]]
    failures: Mapping[str, Repetition] = field(default_factory=dict)
    behind: Mapping[str, float] = field(default_factory=dict)
    not_reached: tuple[str, ...] = ()
    rounds: int = 0
    confirmed: bool | None = None
    ended: str = ""

    @cached_property
    def summaries(self) -> Mapping[str, Mapping[str, Summary]]:
        """Candidate -> metric -> Summary over what counts; the same repetitions give the same intervals."""
        return {name: summarise(found, Random(_SEED)) for name, found in self.counted.items() if any(each.ok for each in found)}


def compare(
    candidates: Sequence[str], baseline: str, take: Callable[[str, int], Repetition], *, metric: str, rng: Random, mode: str = "normal",
    better: str = "", tie_band: float = TIE_BAND, budget: float = inf, secondary: Callable[[str], Any] | None = None,
    earlier: Sequence[Repetition] = (), keep: Callable[[Repetition], None] = lambda repetition: None,
    say: Callable[[str], None] = lambda line: None, stop: Callable[[], bool] = lambda: False, clock: Callable[[], float] = time.monotonic,
) -> Comparison:
    """Measure and decide.

    Args:
        candidates: in order of importance: when the budget is short, the last are given up first. The baseline may be among them.
        take: (candidate, round) -> one repetition in a fresh process; it does not raise for what the candidate does.
        mode: `quick` at most 3 rounds (disturbed ones are flagged and not taken again), `normal` 10, `strict` 14. better: `up` or `down`, by default the metric's own direction.
        budget: seconds of `clock`. No repetition is started that would end after it, were it as long as the candidate's longest so far.
        secondary: sort key that resolves ties, least first.
        earlier: repetitions already taken; the comparison goes on from there. keep: called with each new one before anything else happens.
        stop: asked before every repetition.

    Raises:
        DeviceLost: a repetition ended with `lost`. What was taken has been kept.
    """
    names = (baseline, *(name for name in dict.fromkeys(candidates) if name != baseline))
    race = Race(
        baseline=baseline, take=take, metric=metric, better=better or METRICS[metric][1], tie_band=tie_band, rng=rng, budget=budget,
        secondary=secondary, keep=keep, say=say, stop=stop, clock=clock, repeats_disturbed=mode != "quick", history=list(earlier), running=list(names),
    )
    race.run(ROUNDS[mode])
    judgement = race.judgement()
    confirmed = race.confirm(judgement.winner) if judgement.word in (RECOMMENDED, KEEP_BASELINE) else None
    return Comparison(
        metric=metric, mode=mode, baseline=baseline, judgement=judgement, repetitions=tuple(race.history), failures=race.failures,
        counted={name: tuple(race.counted(name)) for name in names}, behind=race.behind, not_reached=tuple(race.left_out), rounds=race.rounds,
        confirmed=confirmed, ended=race.ended,
    )
