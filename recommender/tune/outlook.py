"""What a sweep expects of every point, metric by metric, from estimates and from what it measured: which to try next, and which never."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import erf, inf, log1p, sqrt
from random import Random

import numpy as np

from recommender.domain.estimate import Estimate
from recommender.domain.workload import METRICS, Constraint
from recommender.tune.posterior import Posterior, expected_gain
from recommender.tune.racing import Range, hopeless
from recommender.tune.space import Space

_SURE = 1.645  # standard deviations: a search ends when nothing left is better with one chance in twenty
_KEPT = "quality_drop"  # may be nought or less: what is kept, 1 - drop, has a logarithm


@dataclass(kw_only=True)
class Outlook:
    """`estimates`: choice -> metric -> Estimate. `ceilings`: choice -> what no setting can beat of the first objective (a roofline), where it is known."""

    space: Space
    objectives: Sequence[str]
    needs: Sequence[Constraint]
    estimates: Mapping[str, Mapping[str, Estimate]]
    ceilings: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ids = [point.id for point in self.space.points]
        self._choice = {point.id: point.choice for point in self.space.points}
        metrics = dict.fromkeys((*self.objectives, *(need.metric for need in self.needs)))
        self._of = {metric: self._posterior(metric) for metric in metrics}
        self.measured: dict[str, dict[str, list[float]]] = {}
        self.closed: dict[str, str] = {}  # point -> why it cannot be run
        self._ranges: dict[str, dict[str, Range]] = {}

    def _posterior(self, metric: str) -> Posterior:
        return Posterior(points=self.space.points, estimates={choice: _scaled_estimate(metric, row.get(metric)) for choice, row in self.estimates.items()}, better="up" if metric == _KEPT else _better(metric), spreads=self.space.spreads)

    # --- what was found ----------------------------------------------------------------------------------------------

    def observe(self, point: str, metrics: Mapping[str, float]) -> None:
        """One process of a point."""
        for metric, value in metrics.items():
            self.measured.setdefault(point, {}).setdefault(metric, []).append(value)
            if metric in self._of:
                self._of[metric].observe(point, _scaled(metric, value))
        self._ranges.clear()

    def suppose(self, point: str) -> None:
        """As if the point had given what is expected of it: what it would tell of others is then spent. For plans."""
        for metric in self.objectives:
            self._of[metric].fits = False
        self.observe(point, {metric: self.ranges(metric)[point].central for metric in self.objectives})

    def chance(self, point: str, other: str, by: float) -> float:
        """That a point beats another in the first objective by more than `by` (relative), were their errors independent."""
        posterior = self._of[self.objectives[0]]
        mean, deviation = posterior.predict()
        one, two = self._ids.index(point), self._ids.index(other)
        sign = 1.0 if posterior.better == "up" else -1.0
        gap = sign * float(mean[one] - mean[two]) - log1p(by)
        return 0.0 if one == two else 0.5 * (1 + erf(gap / float(np.hypot(deviation[one], deviation[two])) / sqrt(2)))

    def close(self, choice_or_point: str, why: str) -> None:
        """A choice whose artifact cannot be made or is not right, or a point that does not run."""
        for point in self._ids:
            if choice_or_point in (point, self._choice[point]):
                self.closed[point] = why
        self._ranges.clear()

    # --- what is expected --------------------------------------------------------------------------------------------

    def ranges(self, metric: str) -> dict[str, Range]:
        """By point that can be run."""
        if metric not in self._ranges:
            low, central, high = self._of[metric].interval()
            rows = {}
            for number, point in enumerate(self._ids):
                if point not in self.closed:
                    ceiling = self.ceilings.get(self._choice[point]) if metric == self.objectives[0] and point not in self.measured else None
                    ends = [_plain(metric, float(value[number])) for value in (low, central, high)]
                    if ceiling is not None:
                        ends = [min(end, ceiling) for end in ends]
                    rows[point] = Range(pessimistic=ends[0], central=ends[1], optimistic=ends[2])
            self._ranges[metric] = rows
        return self._ranges[metric]

    def may_meet(self, point: str) -> bool:
        """Whether the needs can hold by their optimistic ends."""
        return all(self._of[need.metric].knows_nothing or need.holds(self.ranges(need.metric)[point].optimistic) for need in self.needs)

    def is_feasible(self, point: str) -> bool:
        """Whether all needs hold, as measured, else as expected."""
        return point not in self.closed and all(self._of[need.metric].knows_nothing or need.holds(self.ranges(need.metric)[point].central) for need in self.needs)

    def done(self) -> list[str]:
        """Points with figures of the first objective."""
        return [point for point, found in self.measured.items() if self.objectives[0] in found and point not in self.closed]

    def best(self) -> str | None:
        """The measured feasible point that is best in the first objective."""
        fit = [point for point in self.done() if self.is_feasible(point)]
        if not fit:
            return None
        row, up = self.ranges(self.objectives[0]), _better(self.objectives[0]) == "up"
        return (max if up else min)(fit, key=lambda point: row[point].central)

    def hopeless(self) -> dict[str, str]:
        """Points that are never run -> the measured point, or the need, that settles it."""
        by_metric = [self.ranges(metric) for metric in self.objectives]
        rows = {point: [row[point] for row in by_metric] for point in by_metric[0]}
        found = hopeless(rows, [point for point in self.done() if self.is_feasible(point)], [_better(metric) for metric in self.objectives])
        for point in rows:
            if point not in found and point not in self.measured and not self.may_meet(point):
                found[point] = next(need.text for need in self.needs if not need.holds(self.ranges(need.metric)[point].optimistic))
        return found

    def can_be_beaten(self, by: float) -> bool:
        """Whether a point that is left may beat the best by more than `by` (relative), by its optimistic end. Several objectives: whether one is left."""
        best, closed = self.best(), self.hopeless()
        left = [point for point in self.ranges(self.objectives[0]) if point not in self.measured and point not in closed]
        if best is None or len(self.objectives) > 1:
            return bool(left)
        up = _better(self.objectives[0]) == "up"
        ends = self._ends(_SURE)
        mark = self.ranges(self.objectives[0])[best].central * (1 + by if up else 1 / (1 + by))
        return any((ends[point] > mark) if up else (ends[point] < mark) for point in left)

    def _ends(self, tail: float) -> dict[str, float]:
        """The first objective's optimistic ends, so many standard deviations out, the ceilings kept."""
        mean, deviation = self._of[self.objectives[0]].predict()
        side = tail if _better(self.objectives[0]) == "up" else -tail
        found = {point: _plain(self.objectives[0], float(value)) for point, value in zip(self._ids, np.exp(mean + side * deviation), strict=True)}
        return {point: min(value, self.ceilings.get(self._choice[point], inf)) for point, value in found.items()} if side > 0 else found

    def promising(self, seconds: Mapping[str, float], rng: Random) -> list[str]:
        """Points that are left, by expected gain a second; several objectives are weighed by chance, as in ParEGO (Knowles, IEEE Trans. Evol. Comp. 10(1), 2006)."""
        closed, best = self.hopeless(), self.best()
        weights = [1.0] if len(self.objectives) == 1 else [rng.expovariate(1.0) for _ in self.objectives]
        mean, variance = np.zeros(len(self._ids)), np.zeros(len(self._ids))
        for weight, metric in zip(weights, self.objectives, strict=True):
            sign = 1.0 if _better(metric) == "up" or metric == _KEPT else -1.0
            middle, deviation = self._of[metric].predict()
            mean, variance = mean + weight / sum(weights) * sign * middle, variance + (weight / sum(weights) * deviation) ** 2
        at = {point: number for number, point in enumerate(self._ids)}
        fit = [at[point] for point in self.done() if self.is_feasible(point)]
        mark = float(mean[fit].max()) if fit else float(mean.max())
        gain = expected_gain(mean, np.sqrt(variance), mark, "up")
        left = [point for point in self._ids if point not in self.measured and point not in self.closed and point not in closed]
        if best is None:
            return sorted(left, key=lambda point: (not self.is_feasible(point), -mean[at[point]]))
        return sorted(left, key=lambda point: -gain[at[point]] / max(seconds.get(point, 1.0), 1e-9))


def _better(metric: str) -> str:
    return METRICS[metric][1] if metric != _KEPT else "down"


def _scaled(metric: str, value: float) -> float:
    return max(1 - value, 1e-6) if metric == _KEPT else value


def _plain(metric: str, value: float) -> float:
    return 1 - value if metric == _KEPT else value


def _scaled_estimate(metric: str, row: Estimate | None) -> Estimate | None:
    if row is None or row.central is None or metric != _KEPT:
        return row
    return replace(row, central=_scaled(metric, row.central))
