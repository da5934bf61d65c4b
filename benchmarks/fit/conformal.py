"""Intervals that hold for groups that were left out: quantiles of held-out errors in which each group weighs the same.

Split conformal prediction with groups as the exchangeable units (Dunn, Wasserman, Ramdas, "Distribution-free prediction sets for two-layer hierarchical
models", JASA 2022, the pooled variant): the error of a new group's case lies between the quantiles with about the stated probability.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

COVERAGE = 0.8
MIN_GROUPS = 8  # fewer say too little of the tails: the entry takes the pooled quantiles as well, whichever is wider


def interval_table(errors: Sequence[float], keys: Sequence[str], groups: Sequence[Hashable], coverage: float = COVERAGE) -> dict[str, list[float]]:
    """Quantiles of log(truth / predicted) by key, and of all under `*`: {key: [low, high]}, to be added to the log of a prediction.

    Args:
        errors: log(truth / predicted) of cases whose group was left out of the fit. keys: class and step of each. groups: what was left out.
    """
    values = np.asarray(errors, float)
    labels = np.asarray(keys, object)
    owners = np.asarray([str(group) for group in groups], object)
    table = {"*": _quantiles(values, owners, coverage)}
    for key in sorted(set(keys)):
        chosen = labels == key
        own = _quantiles(values[chosen], owners[chosen], coverage)
        if len(set(owners[chosen])) < MIN_GROUPS:
            own = [min(own[0], table["*"][0]), max(own[1], table["*"][1])]
        table[key] = own
    return table


def _quantiles(values: np.ndarray, owners: np.ndarray, coverage: float) -> list[float]:
    """Both ends at equal tails. The group to come has a share too, half of it beyond either end: that is the correction for a finite number of groups."""
    sizes: Mapping[str, int] = dict(zip(*np.unique(owners, return_counts=True), strict=True))
    weights = np.array([1.0 / sizes[owner] for owner in owners])
    tail = (1 - coverage) / 2
    tail = max(0.0, (tail * (len(sizes) + 1) - 0.5) / len(sizes))
    order = np.argsort(values)
    shares = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    low, high = np.interp([tail, 1 - tail], shares, values[order])
    return [float(low), float(high)]
