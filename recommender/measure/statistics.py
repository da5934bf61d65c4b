"""PURE: the statistics of the protocol, on plain numbers with the standard library alone (child processes use them too)."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, floor, fsum, lgamma, log, sqrt
from random import Random
from statistics import median, stdev

CONFIDENCE = 0.95
RESAMPLES = 1000  # of the bootstrap
LEAST = {0.50: 5, 0.90: 29, 0.95: 59, 0.99: 299}  # samples below which no order statistic bounds the percentile at 95 %: ceil(log .05 / log p)
FLAT_CHANGE = 0.01  # a change over the window that counts as none
STABLE_SPREAD, ALLOWED_SPREAD = 0.05, 0.10  # of window medians around their median
_Z = 1.959964  # 97.5 % quantile of the normal distribution
_T_SMALL = {1: 12.7062, 2: 4.3027, 3: 3.1824}  # 97.5 % quantiles of Student's t where the series below is not good enough


def mad(values: Sequence[float]) -> float:
    """Median absolute deviation from the median."""
    centre = median(values)
    return median([abs(value - centre) for value in values])


def spread(values: Sequence[float]) -> float:
    """Range: largest minus smallest."""
    return max(values) - min(values)


def t_quantile(degrees: int) -> float:
    """97.5 % quantile of Student's t, to 0.01 or better (Abramowitz and Stegun 26.7.5)."""
    z, n = _Z, float(degrees)
    if degrees in _T_SMALL:
        return _T_SMALL[degrees]
    terms = ((z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384)
    return z + fsum(term / n**power for power, term in enumerate(terms, 1))


# --- intervals ---------------------------------------------------------------------------------------------------------


def bootstrap_interval(processes: Sequence[Sequence[float]], rng: Random, *, resamples: int = RESAMPLES) -> tuple[float, float]:
    """95 % percentile interval of the median over process medians: processes are resampled first, then the samples of each.

    The cost does not depend on the number of samples: see `_resampled_median`. No process may be empty.
    """
    ordered = [sorted(samples) for samples in processes]
    found = sorted(median([_resampled_median(each, rng) for each in rng.choices(ordered, k=len(ordered))]) for _ in range(resamples))
    tail = (1 - CONFIDENCE) / 2
    return found[floor(tail * resamples)], found[min(resamples - 1, floor((1 - tail) * resamples))]


def _resampled_median(ordered: Sequence[float], rng: Random) -> float:
    """Median of a resample of sorted values, drawn at once: order statistics of uniform numbers have a beta distribution."""
    n = len(ordered)
    if n == 1:
        return ordered[0]
    half = (n + 1) // 2
    lower = rng.betavariate(half, n + 1 - half)
    if n % 2:
        return ordered[min(n - 1, int(lower * n))]
    upper = 1 - (1 - lower) * rng.random() ** (1 / half)  # least of the n/2 numbers above it
    return (ordered[min(n - 1, int(lower * n))] + ordered[min(n - 1, int(upper * n))]) / 2


def prediction_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Where the next value of the same kind lies with 95 % (normal theory: t with n - 1 degrees); None for fewer than two.

    The interval of a median narrows with n and says nothing of a single further process; this one does.
    """
    n = len(values)
    if n < 2:
        return None
    half = t_quantile(n - 1) * stdev(values) * sqrt(1 + 1 / n)
    return median(values) - half, median(values) + half


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Distribution-free interval of the median at 95 % or more, by order statistics; None for fewer than six values."""
    n, tail, rank = len(values), 0.0, 0
    while rank < n and tail + _binomial(n, rank, 0.5) <= (1 - CONFIDENCE) / 2:
        tail += _binomial(n, rank, 0.5)
        rank += 1
    ordered = sorted(values)
    return (ordered[rank - 1], ordered[n - rank]) if rank else None


def upper_bound(samples: Sequence[float], share: float) -> tuple[float | None, str]:
    """The percentile's distribution-free upper bound at 95 %: the least order statistic that is not below it with P >= 95 %.

    Returns (value, "") or (None, "n too small (n of least)"). Samples must be single timed calls.
    """
    n = len(samples)
    least = LEAST[share]
    if n < least:
        return None, f"n too small ({n} of {least})"
    rank, tail = n, _binomial(n, n, share)  # tail: P(at least `rank` samples lie below the percentile)
    while tail + (more := _binomial(n, rank - 1, share)) <= 1 - CONFIDENCE:
        rank, tail = rank - 1, tail + more
    return sorted(samples)[rank - 1], ""


def _binomial(n: int, k: int, share: float) -> float:
    return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(share) + (n - k) * log(1 - share))


# --- tests -------------------------------------------------------------------------------------------------------------


def signed_rank_p(differences: Sequence[float]) -> float:
    """Exact two-sided p of Wilcoxon's signed-rank test. Zeros are ranked and then left out (Pratt), ties share their mean rank.

    Dynamic programming over the ranks that occur, so that ties are exact too: the number of sign patterns for each rank sum.
    """
    ranks = _double_ranks([abs(value) for value in differences])
    signed = [(rank, value > 0) for rank, value in zip(ranks, differences, strict=True) if value]
    patterns = [1]
    for rank, _ in signed:
        longer = patterns + [0] * rank
        for at, count in enumerate(patterns):
            longer[at + rank] += count
        patterns = longer
    observed = sum(rank for rank, is_positive in signed if is_positive)
    fewer, more = sum(patterns[: observed + 1]), sum(patterns[observed:])
    return min(1.0, min(fewer, more) / 2.0 ** (len(signed) - 1))


def _double_ranks(values: Sequence[float]) -> list[int]:
    """Twice the mean ranks, which are whole numbers."""
    ordered = sorted(values)
    first = {value: at for at, value in reversed(list(enumerate(ordered)))}
    last = {value: at for at, value in enumerate(ordered)}
    return [first[value] + last[value] + 2 for value in values]


def false_discoveries_controlled(p_values: Sequence[float], rate: float = 0.05) -> list[bool]:
    """Which of many comparisons hold when at most `rate` of those called different may be so by chance (Benjamini and Hochberg 1995)."""
    n = len(p_values)
    ordered = sorted(p_values)
    limit = max((p for at, p in enumerate(ordered, 1) if p <= at / n * rate), default=-1.0)
    return [p <= limit for p in p_values]


# --- series ------------------------------------------------------------------------------------------------------------


def slope_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the least-squares slope, per sample. At least three values."""
    n = len(values)
    centre, mean = (n - 1) / 2, fsum(values) / n
    scale = n * (n * n - 1) / 12  # sum of squares of 0 .. n-1 around their mean
    slope = fsum((at - centre) * (value - mean) for at, value in enumerate(values)) / scale
    residual = fsum((value - mean - slope * (at - centre)) ** 2 for at, value in enumerate(values))
    half = t_quantile(n - 2) * sqrt(residual / (n - 2) / scale)
    return slope - half, slope + half


def is_flat(samples: Sequence[float]) -> bool:
    """Whether warm-up has ended: over the last half the slope's interval contains 0, or the change is below 1 %. False for fewer than five."""
    last = samples[len(samples) // 2 :]
    if len(last) < 3:
        return False
    low, high = slope_interval(last)
    return low <= 0 <= high or abs((low + high) / 2) * (len(last) - 1) < FLAT_CHANGE * abs(median(last))


def stable(samples: Sequence[float], windows: int = 3) -> str:
    """`ok`: the medians of the equal, consecutive windows are within 5 % of their median; `unstable`: within 10 %; else, or too few, `moving`.

    Collection may end at `ok` and, flagged, at `unstable`; with `moving` it goes on to its cap. The windows cover all samples, so that a
    slow drift shows.
    """
    size = len(samples) // windows
    if size < 3:
        return "moving"
    recent = samples[len(samples) - size * windows :]
    medians = [median(recent[at * size : (at + 1) * size]) for at in range(windows)]
    centre = median(medians)
    apart = max(abs(value - centre) for value in medians)
    if apart <= STABLE_SPREAD * abs(centre):
        return "ok"
    return "unstable" if apart <= ALLOWED_SPREAD * abs(centre) else "moving"
