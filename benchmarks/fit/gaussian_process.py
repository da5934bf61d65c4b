"""Fits the blocks of `recommender.estimate.learned.networks`: a Gaussian process that outliers do not bend.

Hyperparameters are fixed: they were chosen once by leaving models out, and the result hardly hangs on them. Noise is Student's t, by reweighting: a point
whose leave-one-out residual is large counts as noisier (the expectation step for t noise; leave-one-out residuals in closed form, Rasmussen & Williams 5.4.2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recommender.estimate.learned.case import GraphCase
from recommender.estimate.learned.networks import facts, scaled, words

BIAS, LINEAR, LOCAL, TASK, DOMAIN, WORD = 10.0, 0.25, 1.2, 0.9, 0.3, 0.25  # shares of the prior variance, of the square of a logarithm
OTHER_TASK = 0.8  # of the local part, between networks of different tasks
LENGTHS = {"n_params": 1.8, "input_size": 0.8, "input_unknown": 3.2, "n_operators": 1.3}  # of the local part, in standard deviations
NOISE = 0.1  # variance
FREEDOM = 3.0  # degrees, of t noise
ROUNDS = 6
MIN_WORD = 2  # models that must have a word before it can mean something


def block(cases: Sequence[GraphCase], values: Sequence[float], names: tuple[str, ...]) -> dict[str, Any]:
    """What `networks.estimated` reads. `cases`: one a network; `values`: logarithms; `names`: of the facts that go in."""
    found = [facts(case) for case in cases]
    table = np.array([[np.nan if (value := row[name]) is None else value for name in names] for row in found], float)
    known = [column[np.isfinite(column)] if np.isfinite(column).any() else np.zeros(1) for column in table.T]
    centre, scale = np.array([column.mean() for column in known]), np.array([column.std() for column in known])
    shape: dict[str, Any] = {"facts": list(names), "centre": centre, "scale": np.where(scale > 1e-6, scale, 1.0)}
    at = np.array([scaled(row, shape) for row in found])
    lengths = np.array([LENGTHS[name] for name in names])
    here = at / lengths
    told, vocabulary = _words(cases)
    tasks, domains = np.array([case.task for case in cases], object), np.array([case.domain for case in cases], object)
    local = LOCAL * np.exp(-0.5 * ((here[:, None] - here[None]) ** 2).sum(-1))
    kernel = BIAS + LINEAR * at @ at.T + local * np.where(tasks[:, None] == tasks[None], 1.0, OTHER_TASK)
    kernel += TASK * (tasks[:, None] == tasks[None]) + DOMAIN * (domains[:, None] == domains[None]) + WORD * told @ told.T
    targets = np.asarray(values, float)
    mean = float(np.median(targets))
    weights = _weights(kernel, targets - mean)
    rounded = [round(float(weight), 4) for weight in weights]
    return {
        "facts": list(names), "centre": _rounded(centre), "scale": _rounded(shape["scale"]), "lengths": [float(length) for length in lengths],
        "same_task": LOCAL, "other_task": LOCAL * OTHER_TASK, "mean": round(mean + BIAS * float(weights.sum()), 4), "linear": _rounded(LINEAR * at.T @ weights),
        "tasks": _by(tasks, TASK * weights), "domains": _by(domains, DOMAIN * weights),
        "words": {word: round(float(total), 4) for word, total in zip(vocabulary, WORD * told.T @ weights, strict=True)},
        "points": [[task, weight, _rounded(place)] for task, weight, place in zip(tasks, rounded, here, strict=True)],
    }


def _weights(kernel: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(kernel + noise)^-1 targets, with the noise of each point as its residual suggests."""
    noise = np.full(len(targets), NOISE)
    for _ in range(ROUNDS):
        inverse = np.linalg.inv(kernel + np.diag(noise))
        weights = inverse @ targets
        residuals = weights / np.diag(inverse)
        noise = NOISE * (FREEDOM + residuals**2 / (1.5 * NOISE)) / (FREEDOM + 1)
    return np.linalg.solve(kernel + np.diag(noise), targets)


def _words(cases: Sequence[GraphCase]) -> tuple[np.ndarray, list[str]]:
    counts: Counter[str] = Counter()
    for model in {case.base_model for case in cases}:
        counts.update(frozenset[str]().union(*(words(case) for case in cases if case.base_model == model)))
    vocabulary = sorted(word for word, count in counts.items() if count >= MIN_WORD)
    return np.array([[word in words(case) for word in vocabulary] for case in cases], float).reshape(len(cases), len(vocabulary)), vocabulary


def _by(labels: np.ndarray, weights: np.ndarray) -> Mapping[str, float]:
    return {str(label): round(float(weights[labels == label].sum()), 4) for label in sorted(set(labels)) if label}


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]
