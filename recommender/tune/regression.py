"""PURE: what tonight's figures say against a baseline: which cells became worse, by how much, and how sure that is.

A cell is one metric of one point on one device class. The baseline is the first night of its history. Tonight, and the last nights with it,
are compared with the reference: the baseline and the first nights after it, which do not move any more, so that a slow drift adds up like
a jump. A regression needs three things: the change is larger than the user allows, the false discovery rate over all cells of the night is
controlled (Benjamini and Hochberg 1995), and the cell was rerun tonight. `python -m benchmarks.nights` shows how often that errs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import exp, fsum, log, log1p
from statistics import NormalDist, median
from typing import Any

import numpy as np

from recommender.measure.statistics import false_discoveries_controlled, t_quantile
from recommender.tune.noise import Array, Noise, learn

RATE = 0.01  # false discoveries among what a night calls a regression: one alarm or none in fifty nights of unchanged cells
OPEN_RATE = 0.2  # up to here a change beyond what is allowed is left open, not dismissed
SCREEN = 0.05  # one-sided p of any window below which a cell is rerun: a chance of 5 % costs some processes and no alarm
RERUNS = (6, 12)  # processes that suspects get, in turns; who is no suspect any more leaves
WINDOWS = {1: 0.4, 2: 0.5, 4: 0.1}  # nights that are compared with the reference together, tonight the last -> share of the errors it may make
REFERENCE = 16  # nights, the baseline first
_LOCATION = 1.05  # variance of the Hodges-Lehmann estimate over that of the mean, normal distribution
_AGREES = 0.5  # of the allowed change: tonight alone must show as much, else the nights before it do not count

SAME, SUSPECT, REGRESSION, IMPROVED, INCONCLUSIVE, LOST = "same", "suspect", "regression", "improved", "inconclusive", "lost"
WORDS = (REGRESSION, LOST, INCONCLUSIVE, SUSPECT, IMPROVED, SAME)  # as a reader wants them
CODES = {REGRESSION: 3, LOST: 5, INCONCLUSIVE: 4, SUSPECT: 4}  # of the night, the first that occurs


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One metric of a point on a device class; `better` is `up` or `down`. `value`, `n`, `squares`: the baseline's figure, its processes
    and the sum of their squared differences on the log scale (None: not known)."""

    device_class: str
    point: str
    metric: str
    better: str
    value: float
    n: int = 1
    squares: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """Process medians of a cell in one night: location of their logarithms, how many, sum of squared differences from their mean."""

    centre: float
    n: int
    squares: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A night of a cell: the figure of its first processes, that of all with the reruns (None: nothing was measured), and the word it got.

    The reference and the noise are learned from first figures: low ones are measured again and high ones are not, which would bend both.
    """

    first: Figure | None
    whole: Figure | None
    word: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A cell against its reference.

    Attributes:
        change: of the metric, 0.08 = 8 % more than the reference; low, high: its 95 % interval. reference, value: in the metric's unit.
        worse: the same as a loss on the log scale (> 0 is worse). p: one-sided, in the direction of the change, for all windows.
        screen: the smallest p of a window by itself. n: processes of tonight. nights: those compared with the reference.
    """

    cell: Cell
    change: float
    low: float
    high: float
    reference: float
    value: float
    worse: float
    p: float
    screen: float
    n: int
    nights: int


def condense(values: Sequence[float]) -> Figure:
    """Figure of process medians (> 0). The location is that of Hodges and Lehmann (1963): an odd process counts little."""
    logs = [log(value) for value in values]
    middle = fsum(logs) / len(logs)
    pairs = [(a + b) / 2 for at, a in enumerate(logs) for b in logs[at:]]
    return Figure(centre=median(pairs), n=len(logs), squares=fsum((value - middle) ** 2 for value in logs))


def entry(values: Sequence[float], n_first: int, word: str = "") -> Entry:
    """A night from its process medians in the order they were taken, `n_first` of them before any rerun."""
    if not values:
        return Entry(first=None, whole=None, word=word)
    first = condense(values[:n_first])
    return Entry(first=first, whole=first if len(values) <= n_first else condense(values), word=word)


def allowed_loss(better: str, max_regression: float) -> float:
    """The allowed change as a loss on the log scale: 5 % less of a rate, 5 % more of a time."""
    return -log1p(-max_regression) if better == "up" else log1p(max_regression)


def assess(series: Mapping[Cell, Sequence[Entry]], max_regression: float) -> dict[Cell, Finding]:
    """Every cell that has a figure tonight. `series`: its nights after the baseline, tonight the last; all cells of a class have the same nights."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in series:
        groups.setdefault((cell.device_class, cell.metric), []).append(cell)
    found: dict[Cell, Finding] = {}
    for cells in groups.values():
        found |= _assess(cells, [series[cell] for cell in cells], max_regression)
    return found


def _assess(cells: Sequence[Cell], series: Sequence[Sequence[Entry]], max_regression: float) -> dict[Cell, Finding]:
    """One group: a class and a metric."""
    sign = {"up": 1.0, "down": -1.0}[cells[0].better]
    limit = allowed_loss(cells[0].better, max_regression)
    first, whole = (_Figures.of(cells, figures, sign) for figures in ([[night.first for night in nights] for nights in series], [[night.whole for night in nights] for nights in series]))
    usable = np.isfinite(first.centre) & np.array([[True, *(night.word != REGRESSION for night in nights)] for nights in series])
    noise = learn(first.centre, first.n, whole.squares, whole.degrees)
    compared = [_compare(first, whole, usable, noise, width) for width in WINDOWS if width < usable.shape[1]]
    return {
        cell: _finding(cell, sign, limit, [{name: float(values[at]) for name, values in row.items()} for row in compared], int(whole.n[at, -1]))
        for at, cell in enumerate(cells) if np.isfinite(whole.centre[at, -1])
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Figures:
    """Figures of a group as arrays: centre (NaN where there is none), n: (cells, nights), the baseline first; squares, degrees: (cells,)."""

    centre: Array
    n: Array
    squares: Array
    degrees: Array

    @classmethod
    def of(cls, cells: Sequence[Cell], figures: Sequence[Sequence[Figure | None]], sign: float) -> _Figures:
        centre = [[log(cell.value), *(each.centre if each else float("nan") for each in nights)] for cell, nights in zip(cells, figures, strict=True)]
        n = [[cell.n, *(each.n if each else 0 for each in nights)] for cell, nights in zip(cells, figures, strict=True)]
        squares = [(cell.squares or 0.0) + fsum(each.squares for each in nights if each) for cell, nights in zip(cells, figures, strict=True)]
        degrees = [(0 if cell.squares is None else cell.n - 1) + sum(each.n - 1 for each in nights if each) for cell, nights in zip(cells, figures, strict=True)]
        return cls(centre=sign * np.array(centre), n=np.array(n, dtype=np.float64), squares=np.array(squares), degrees=np.array(degrees, dtype=np.float64))


def _compare(first: _Figures, whole: _Figures, usable: Any, noise: Noise, width: int) -> dict[str, Array]:
    """The last `width` nights against the reference, for all cells: gain (> 0 is better), its standard error, degrees of freedom."""
    last = usable.shape[1] - width
    variance, degrees = noise.variance(whole.n[:, last:], last)
    centre = whole.centre[:, last:]
    weight = np.where(np.isfinite(centre), 1 / variance, 0.0)
    total = np.maximum(weight.sum(axis=1), 1e-12)
    recent = (weight * np.nan_to_num(centre)).sum(axis=1) / total
    level, uncertain = _reference(first.centre[:, :last], noise.variance(first.n[:, :last], last)[0], usable[:, :last])
    same = np.ones(len(centre))
    error = np.sqrt(1 / total + uncertain)
    return {"gain": recent - level, "error": error, "degrees": degrees, "level": level, "recent": recent, "nights": width * same, "share": WINDOWS[width] * same}


def _reference(centre: Array, variance: Array, usable: Any) -> tuple[Array, Array]:
    """Hodges-Lehmann estimate of the first REFERENCE usable nights of each cell, and its variance. The first column is always usable."""
    order = np.argsort(~usable, axis=1, kind="stable")[:, :REFERENCE]
    taken = np.take_along_axis(usable, order, axis=1)
    values = np.where(taken, np.take_along_axis(centre, order, axis=1), np.nan)
    one, other = np.triu_indices(values.shape[1])
    level = np.nanmedian((values[:, one] + values[:, other]) / 2, axis=1)
    variances = np.where(taken, np.take_along_axis(variance, order, axis=1), 0.0)
    return level, _LOCATION * variances.sum(axis=1) / taken.sum(axis=1) ** 2


def _finding(cell: Cell, sign: float, limit: float, windows: Sequence[Mapping[str, float]], n: int) -> Finding:
    """The window that shows most, of those that tonight alone agrees with; `windows[0]` is tonight alone."""
    tonight = windows[0]["gain"]
    agreed = [row for row in windows if row is windows[0] or (row["gain"] * tonight > 0 and abs(tonight) >= _AGREES * limit)]
    most = min(agreed, key=_weighted)
    half = t_quantile(int(most["degrees"])) * most["error"]
    ends = sorted((sign * (most["gain"] - half), sign * (most["gain"] + half)))
    return Finding(
        cell=cell, change=exp(sign * most["gain"]) - 1, low=exp(ends[0]) - 1, high=exp(ends[1]) - 1, reference=exp(sign * most["level"]), value=exp(sign * most["recent"]),
        worse=-most["gain"], p=min(1.0, sum(row["share"] for row in windows) * _weighted(most)), screen=_tail(most), n=n, nights=int(most["nights"]),
    )


def _weighted(row: Mapping[str, float]) -> float:
    """p for the share of errors that the window may make (weighted Bonferroni)."""
    return _tail(row) / row["share"]


def _tail(row: Mapping[str, float]) -> float:
    """One-sided p of Student's t, by the normalising transformation of Wallace (1959), doi:10.1214/aoms/1177706092."""
    t, d = row["gain"] / row["error"], row["degrees"]
    z = (8 * d + 1) / (8 * d + 3) * (d * log1p(t * t / d)) ** 0.5
    return NormalDist().cdf(-z)


# --- words -------------------------------------------------------------------------------------------------------------


def suspects(findings: Collection[Finding], max_regression: float) -> list[Cell]:
    """Who is to be rerun: worse by more than half of what is allowed and by more than the noise does every twentieth time, or not clear as it is."""
    unclear = judge(list(findings), max_regression, ())
    return [
        each.cell for each in findings
        if unclear[each.cell] == SUSPECT or (each.screen < SCREEN and each.worse > _AGREES * allowed_loss(each.cell.better, max_regression))
    ]


def judge(
    findings: Sequence[Finding], max_regression: float, rerun: Collection[Cell], rate: float = RATE, *, beside: Sequence[float] = (),
) -> dict[Cell, str]:
    """A word for every cell. `rerun`: the cells that were measured again tonight; without that nothing counts. `beside`: p of what else was
    compared in this night (other classes), for what is worse; it belongs to the same family."""
    losses, gains = ([each.p if each.worse * side > 0 else 1.0 for each in findings] for side in (1, -1))
    sure, unsettled = (false_discoveries_controlled([*losses, *beside], level) for level in (rate, max(rate, OPEN_RATE)))
    better = false_discoveries_controlled(gains, rate)
    words = {}
    for at, each in enumerate(findings):
        limit = allowed_loss(each.cell.better, max_regression)
        word = SAME
        if each.worse > limit and unsettled[at]:
            word = SUSPECT if each.cell not in rerun else REGRESSION if sure[at] else INCONCLUSIVE
        elif each.worse < -limit and better[at]:
            word = IMPROVED
        words[each.cell] = word
    return words


def word_of_night(words: Collection[str]) -> tuple[str, int]:
    """The word of the night and its exit code."""
    for word, code in CODES.items():
        if word in words:
            return word, code
    return SAME, 0
