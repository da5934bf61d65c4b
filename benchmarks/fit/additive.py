"""Sums of effects, each shrunk toward none: ridge regression on the keys of each row, solved exactly, in which outliers count less.

An effect with n rows keeps about n / (n + k) of what they say: partial pooling with the ratio `k` of the noise's variance to the effects' variance (Gelman & Hill, Data
Analysis Using Regression and Multilevel Models, 2007, chapter 12). Weights are Huber's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

ROUNDS = 4
HUBER = 1.5  # times the spread of the residuals beyond which a row counts less
MIN_SPREAD = 0.05


def effects(
    keys: Sequence[Mapping[str, str]], values: Sequence[float], weights: Sequence[float], shrink: Mapping[str, float], times: Mapping[str, np.ndarray] | None = None
) -> dict[str, dict[str, float]]:
    """Table -> key -> effect, so that the sum over the tables is near the value.

    Args:
        keys: of each row, table -> key. values: logarithms. weights: of the rows. shrink: table -> k.
        times: table -> what its effects are multiplied with, a number each row; one for tables that are not named.
    """
    names, places, offset = {}, [], 0
    for table in shrink:
        names[table], place = np.unique([row[table] for row in keys], return_inverse=True)
        places.append(place + offset)
        offset += len(names[table])
    slopes = [(times or {}).get(table, np.ones(len(values))) for table in shrink]
    ends = np.arange(len(values) + 1) * len(shrink)
    design = sparse.csr_matrix((np.stack(slopes, 1).ravel(), np.stack(places, 1).ravel(), ends), shape=(len(values), offset))
    ridge = sparse.diags(np.concatenate([np.full(len(names[table]), k) for table, k in shrink.items()]) + 1e-6)
    target, base = np.asarray(values, float), np.asarray(weights, float)
    weight, solved = base, np.zeros(offset)
    for _ in range(ROUNDS):
        weighted = design.T @ sparse.diags(weight)
        solved = splu((weighted @ design + ridge).tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}).solve(weighted @ target)
        residual = target - design @ solved
        spread = max(MIN_SPREAD, 1.4826 * float(np.median(np.abs(residual))))
        weight = base * np.minimum(1.0, HUBER * spread / np.maximum(np.abs(residual), 1e-9))
    found, start = {}, 0
    for table, own in names.items():
        found[table] = {str(key): round(float(effect), 4) for key, effect in zip(own, solved[start:start + len(own)], strict=True)}
        start += len(own)
    return found
