"""Figures of held-out cases, with each group weighing the same, and what chance could make of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.scorecard.held import Held

_N_BOOTSTRAP = 400
_TAIL = 0.025


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Errors and coverage are fractions; `width` is high over low, the median. `n_told`: cases with an answer, of `n`."""

    n: int
    n_told: int
    n_groups: int
    median: float
    p90: float
    coverage: float
    coverage_low: float
    coverage_high: float
    width: float
    baselines: dict[str, tuple[float, float, int]]  # median and 90th percentile of the error, cases

    @property
    def share_told(self) -> float:
        return self.n_told / self.n if self.n else 0.0


def figures(cases: Sequence[Held], owner: Callable[[Held], str] = lambda case: case.owner) -> Figures:
    """All of them for one class and metric."""
    told = [case for case in cases if case.predicted]
    owners = np.array([owner(case) for case in told], object)
    weights = equal_weights(owners)
    errors = np.array([case.error for case in told], float)
    inside = np.array([case.predicted.low <= case.truth <= case.predicted.high for case in told if case.predicted], float)
    low, high = bootstrap(inside, owners)
    names = sorted({name for case in told for name in case.baselines})
    return Figures(
        n=len(cases), n_told=len(told), n_groups=len(set(owners)), median=quantile(errors, weights, 0.5), p90=quantile(errors, weights, 0.9),
        coverage=float(inside.mean()) if len(inside) else float("nan"), coverage_low=low, coverage_high=high,
        width=float(np.median([case.predicted.high / case.predicted.low for case in told if case.predicted and case.predicted.low > 0] or [np.nan])),
        baselines={name: _baseline(told, name, owner) for name in names},
    )


def _baseline(cases: Sequence[Held], name: str, owner: Callable[[Held], str]) -> tuple[float, float, int]:
    """On the very cases that were answered, as far as the baseline has an answer too."""
    pairs = [(abs(value / case.truth - 1), owner(case)) for case in cases if (value := case.baselines.get(name)) is not None]
    errors, owners = np.array([error for error, _ in pairs], float), np.array([each for _, each in pairs], object)
    weights = equal_weights(owners)
    return quantile(errors, weights, 0.5), quantile(errors, weights, 0.9), len(pairs)


def equal_weights(owners: np.ndarray) -> np.ndarray:
    """Of each case, so that every group has the same sum."""
    _, places, sizes = np.unique(owners.astype(str), return_inverse=True, return_counts=True)
    return np.asarray(1.0 / sizes[places]) if len(owners) else np.zeros(0)


def quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Weighted, by the middle of each case's weight."""
    if not len(values):
        return float("nan")
    order = np.argsort(values)
    middles = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    return float(np.interp(share, middles, values[order]))


def bootstrap(values: np.ndarray, owners: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Ends of the 95 % interval of the mean when whole groups are drawn again."""
    names = sorted(set(owners))
    if not names:
        return float("nan"), float("nan")
    sums = np.array([values[owners == name].sum() for name in names])
    sizes = np.array([(owners == name).sum() for name in names])
    draws = np.random.default_rng(seed).integers(0, len(names), (_N_BOOTSTRAP, len(names)))
    means = sums[draws].sum(1) / sizes[draws].sum(1)
    low, high = np.quantile(means, [_TAIL, 1 - _TAIL])
    return float(low), float(high)


def rank_correlation(pairs: Sequence[tuple[str, float, float]], least: int = 4) -> tuple[float, int]:
    """Median over groups of Spearman's coefficient between truth and prediction, and the number of groups with at least `least` cases.

    Args:
        pairs: group, truth, prediction.
    """
    found = []
    for group in sorted({name for name, _, _ in pairs}):
        own = [(truth, predicted) for name, truth, predicted in pairs if name == group]
        if len(own) >= least and len({truth for truth, _ in own}) > 1 and len({predicted for _, predicted in own}) > 1:
            truths, predictions = (_ranks(np.array(column, float)) for column in zip(*own, strict=True))
            found.append(float(np.corrcoef(truths, predictions)[0, 1]))
    return (float(np.median(found)) if found else float("nan")), len(found)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Equal values share their mean rank."""
    _, places, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    return np.asarray(((ends - sizes + ends - 1) / 2)[places])
