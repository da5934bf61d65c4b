"""What the predictions are for: picking. Of the ways that were measured for one model on one device, the predicted best against the true best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.scorecard.held import Held

CLOSE = 1.05  # a pick within 5 % of the best is as good as the best


@dataclass(frozen=True, kw_only=True, slots=True)
class Picks:
    """`regret`: geometric mean of the pick's cost over the best's. `close`: share within 5 % of the best; `best`: share that is the best."""

    n: int
    regret: float
    close: float
    best: float


Choose = Callable[[Sequence[Held]], Held | None]


def picks(cases: Sequence[Held], contest: Callable[[Held], Hashable], choose: Choose, cost: Callable[[Held], float] = lambda case: case.truth) -> Picks:
    """Over all contests with at least two measured ways.

    Args:
        contest: what the ways compete for (model and device). choose: the pick, None where it has none (the contest is then left out).
    """
    groups: dict[Hashable, list[Held]] = {}
    for case in cases:
        groups.setdefault(contest(case), []).append(case)
    ratios = []
    for ways in groups.values():
        pick = choose(ways) if len(ways) > 1 else None
        if pick:
            ratios.append(cost(pick) / min(cost(way) for way in ways))
    values = np.array(ratios or [np.nan])
    return Picks(n=len(ratios), regret=float(np.exp(np.log(values).mean())), close=float((values <= CLOSE).mean()), best=float((values <= 1.0).mean()))


def by_prediction(ways: Sequence[Held]) -> Held | None:
    """The way with the best central prediction, of those that have one."""
    told = [way for way in ways if way.predicted]
    return min(told, key=lambda way: way.predicted.central if way.predicted else np.inf) if told else None


def usual_winner(known: Sequence[Held], way: Callable[[Held], Hashable], contest: Callable[[Held], Hashable]) -> Choose:
    """The way that wins most often elsewhere when it is there: the baseline that knows no model and no device."""
    wins, shown = Counter[Hashable](), Counter[Hashable]()
    groups: dict[Hashable, list[Held]] = {}
    for case in known:
        groups.setdefault(contest(case), []).append(case)
    for ways in groups.values():
        if len(ways) > 1:
            wins[way(min(ways, key=lambda case: case.truth))] += 1
            shown.update({way(case) for case in ways})
    share: Mapping[Hashable, float] = {name: wins[name] / count for name, count in shown.items()}
    return lambda ways: max(ways, key=lambda case: share.get(way(case), 0.0)) if ways else None
