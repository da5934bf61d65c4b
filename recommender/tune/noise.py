"""PURE: how much the figures of unchanged cells differ, between processes of a night and from one night to the next.

A figure is a logarithm, so that variances are squares of relative differences. For cell i, night t and process k

    figure = level_i + shift_t + night_it + process_itk

shift is what a night does to all cells of a device alike, night what it does to one. All are learned from what was measured: the variance
between processes for each cell, drawn towards that of all; the variance between nights for all cells together, by a median (so that cells that
really changed do not count), times a factor for each cell. How far cells are drawn towards all is learned too (a scaled F distribution, the
moderated t of Smyth 2004, doi:10.2202/1544-6115.1027). What few cells and few nights leave open is filled by weak priors.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, lgamma, log, pi

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

PROCESS, NIGHT, SHIFT = 0.03, 0.015, 0.01  # priors: standard deviations where nothing has been measured
PROCESS_WEIGHT, NIGHT_WEIGHT, SHIFT_WEIGHT = 4.0, 20.0, 4.0  # of the priors, in degrees of freedom, changes and nights
ENOUGH = 8  # cells from which a common shift can be told, and from which the spread over cells is learned
DEGREES = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0)  # candidates for the degrees of freedom of the pooled variance
_FEW_DEGREES = 10.0  # where too few cells tell
_VOTERS = 0.98  # of the cells: the most changeable do not say how alike all are
_MOST = 9.0  # times its cell's typical squared change, and no more counts: one true jump must not blind its cell
_APART = 3.09  # normal quantile, 99.9 %: a cell whose changes are so much larger than those of all is judged by its own alone
_MEDIAN_OF_SQUARE = 0.454936  # median of chi-squared with one degree of freedom
_LEAST = 1e-8  # variance: differences below 0.01 % are none


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """Variances of log figures for a group of cells (one device class, one metric).

    Attributes:
        process: (cells,). night, shift: for all. degrees: of the pooled variance; shift_degrees: of the shift's, which is learned from few nights.
        changes: (cells, nights - 1): squared change from each night to the next over what is expected; NaN where a night lacks.
    """

    process: Array
    night: float
    shift: float
    degrees: float
    shift_degrees: float
    changes: Array

    def variance(self, n: Array, until: int) -> tuple[Array, Array]:
        """Of the figure of a night with `n` processes, (cells, nights), and the degrees of freedom (cells,) of the last one's (Satterthwaite 1946); a
        cell's own factor is learned from the first `until` nights."""
        factor, degrees = _moderated(*_own(self.changes[:, : max(0, until - 1)]), self.degrees)
        own = factor[:, None] * (self.night + self.process[:, None] / np.maximum(n, 1.0)) + _LEAST
        last = own[:, -1]
        free: Array = (self.shift + last) ** 2 / (self.shift**2 / self.shift_degrees + last**2 / degrees)
        return self.shift + own, free


def learn(centre: Array, n: Array, squares: Array, degrees: Array) -> Noise:
    """Noise of a group.

    Args:
        centre, n: (cells, nights): log figure (NaN where a night lacks) and its processes; the last night is the one to be judged, and says
            nothing of how much all cells shift together.
        squares, degrees: (cells,): sum of squared differences of processes within nights, and how many are free.
    """
    process = _process(squares, degrees)
    change = np.diff(centre, axis=1)
    sampling = process[:, None] * (1 / np.maximum(n[:, 1:], 1.0) + 1 / np.maximum(n[:, :-1], 1.0))
    common = np.array([np.median(column[np.isfinite(column)]) if np.isfinite(column).sum() >= ENOUGH else 0.0 for column in change.T])
    own = change - common
    known = np.isfinite(own)
    night = _night(own[known] ** 2, sampling[known])
    shift, nights = _shift(common[:-1], known[:, :-1], 2 * night + sampling[:, :-1]) if len(centre) >= ENOUGH else (0.0, 1.0)
    changes = _capped(own**2 / (2 * night + sampling + _LEAST))
    return Noise(process=process, night=night, shift=shift, degrees=_pooled_degrees(changes), shift_degrees=nights, changes=changes)


def _process(squares: Array, degrees: Array) -> Array:
    """Variance between processes by cell. The pool is the median over cells, each divided by its distribution's median (Wilson and Hilferty 1931)."""
    known = degrees > 0
    own = squares[known] / degrees[known]
    typical = float(np.median(own / (1 - 2 / (9 * degrees[known])) ** 3)) if known.any() else 0.0
    votes = float(known.sum())
    pool = (PROCESS_WEIGHT * PROCESS**2 + votes * typical) / (PROCESS_WEIGHT + votes)
    found: Array = (PROCESS_WEIGHT * pool + squares) / (PROCESS_WEIGHT + degrees)
    return found


def _night(squares: Array, sampling: Array) -> float:
    """Variance between nights, such that the median squared change is that of the normal distribution; bisection."""
    low, high = 0.0, float(squares.max(initial=0.0)) / _MEDIAN_OF_SQUARE
    for _ in range(40 if len(squares) else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if np.median(squares / (2 * middle + sampling + _LEAST)) > _MEDIAN_OF_SQUARE else (low, middle)
    return (NIGHT_WEIGHT * NIGHT**2 + len(squares) * high) / (NIGHT_WEIGHT + len(squares))


def _shift(common: Array, known: npt.NDArray[np.bool_], expected: Array) -> tuple[float, float]:
    """Variance of what a night does to all, and its degrees of freedom: half the squared common change, less what the medians of so many cells
    would show without one."""
    total, nights = SHIFT_WEIGHT * SHIFT**2, SHIFT_WEIGHT
    for change, cells, variances in zip(common, known.T, expected.T, strict=True):
        if (n := int(cells.sum())) >= ENOUGH:
            total += max(0.0, change**2 - pi / 2 * float(variances[cells].mean()) / n) / 2
            nights += 1
    return total / nights, nights


def _own(changes: Array) -> tuple[Array, Array]:
    """Mean standardised squared change of each cell, and the degrees of freedom of a mean of squared successive differences."""
    known = np.isfinite(changes)
    n = known.sum(axis=1).astype(np.float64)
    mean = np.where(known, changes, 0.0).sum(axis=1) / np.maximum(n, 1.0)
    degrees: Array = np.where(n > 0, 2 * n**2 / np.maximum(3 * n - 1, 1.0), 0.0)
    return mean, degrees


def _capped(changes: Array) -> Array:
    """Changes, with those far above what is typical of their cell cut; NaN stays."""
    typical = [np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else 0.0 for row in changes]
    return np.minimum(changes, _MOST * np.maximum(1.0, np.array(typical) / _MEDIAN_OF_SQUARE)[:, None])


def _moderated(own: Array, degrees: Array, pooled: float) -> tuple[Array, Array]:
    """Factor of each cell on the variance of all, and its degrees of freedom. A cell apart (F test by Paulson's approximation, 1942) is not pooled."""
    a, b, root = 2 / (9 * np.maximum(degrees, 1.0)), 2 / (9 * pooled), np.cbrt(own)
    is_apart = (degrees > 0) & ((1 - b) * root - (1 - a) > _APART * np.sqrt(b * root**2 + a))
    return np.where(is_apart, own, (pooled + degrees * own) / (pooled + degrees)), np.where(is_apart, degrees, pooled + degrees)


def _pooled_degrees(changes: Array) -> float:
    """How alike the cells are: the degrees that make their own factors most likely (F distribution)."""
    own, degrees = _own(changes)
    voters = np.flatnonzero(degrees > 0)
    if len(voters) < ENOUGH:
        return _FEW_DEGREES
    voters = voters[np.argsort(own[voters])][: ceil(_VOTERS * len(voters))]
    f, d = own[voters], degrees[voters]
    counts = [(value, int((d == value).sum())) for value in np.unique(d)]

    def likelihood(pooled: float) -> float:
        constants = sum(count * (lgamma((value + pooled) / 2) - lgamma(pooled / 2) - value / 2 * log(pooled)) for value, count in counts)
        return float(constants - ((d + pooled) / 2 * np.log1p(d * f / pooled)).sum())

    return max(DEGREES, key=likelihood)
