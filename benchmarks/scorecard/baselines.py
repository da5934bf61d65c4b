"""What simpler ways would have said of the same held-out cases, from the same known ones."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.scorecard.figures import equal_weights, quantile
from recommender.estimate.learned.case import GraphCase, LanguageCase

_TREES = {"max_iter": 150, "learning_rate": 0.08, "max_leaf_nodes": 15, "min_samples_leaf": 8, "random_state": 0}


def proportional(amount: Callable[[Any], float | None], *, to_rate: bool) -> Callable[..., list[float | None]]:
    """A constant times (rates) or over (times) an amount such as bandwidth over size; the constant is the median of the known devices, each the same weight."""

    def predict(known: Sequence[Any], held: Sequence[Any], metric: str) -> list[float | None]:
        pairs = [(row.truth[metric] / value if to_rate else row.truth[metric] * value, row.device) for row in known if row.truth.get(metric) and (value := amount(row.case))]
        owners = np.array([owner for _, owner in pairs], object)
        constant = quantile(np.array([ratio for ratio, _ in pairs], float), equal_weights(owners), 0.5) if pairs else float("nan")
        amounts = [amount(row.case) for row in held]
        return [None if not value or not pairs else (constant * value if to_rate else constant / value) for value in amounts]

    return predict


def per_device(amount: Callable[[Any], float | None]) -> Callable[..., list[float | None]]:
    """A device's own median of its metric per amount, by path and precision: the way to guess a new model on a device that is known."""

    def predict(known: Sequence[Any], held: Sequence[Any], metric: str) -> list[float | None]:
        ratios: dict[Hashable, list[float]] = {}
        for row in known:
            if row.truth.get(metric) and (value := amount(row.case)):
                ratios.setdefault((row.device, row.case.path, row.case.precision), []).append(row.truth[metric] / value)
        medians = {name: float(np.median(found)) for name, found in ratios.items()}
        found = []
        for row in held:
            own, value = medians.get((row.device, row.case.path, row.case.precision)), amount(row.case)
            found.append(own * value if own and value else None)
        return found

    return predict


def copied(same: Callable[[Any], Hashable]) -> Callable[..., list[float | None]]:
    """The median of what is known of the very same thing elsewhere."""

    def predict(known: Sequence[Any], held: Sequence[Any], metric: str) -> list[float | None]:
        values: dict[Hashable, list[float]] = {}
        for row in known:
            if row.truth.get(metric):
                values.setdefault(same(row.case), []).append(row.truth[metric])
        medians = {name: float(np.median(found)) for name, found in values.items()}
        return [medians.get(same(row.case)) for row in held]

    return predict


def boosted_trees(known: Sequence[Any], held: Sequence[Any], metric: str) -> list[float | None]:
    """Gradient boosting on the name plate: numbers and names of the case as they are, nothing of how they hang together."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    rows = [row for row in known if row.truth.get(metric)]
    if len(rows) < 2 * _TREES["min_samples_leaf"] or not held:
        return [None] * len(held)
    codes: dict[tuple[int, str], float] = {}
    train = np.array([_plate(row.case, codes) for row in rows], float)
    told = [place for place in range(train.shape[1]) if np.isfinite(train[:, place]).any()]
    weights = equal_weights(np.array([row.device for row in rows], object))
    model = HistGradientBoostingRegressor(**_TREES).fit(train[:, told], np.log([row.truth[metric] for row in rows]), sample_weight=weights)
    return [float(value) for value in np.exp(model.predict(np.array([_plate(row.case, codes) for row in held], float)[:, told]))]


def _plate(case: LanguageCase | GraphCase, codes: dict[tuple[int, str], float]) -> list[float]:
    silicon = case.silicon
    numbers = [silicon.memory_bandwidth, silicon.cores, *(silicon.peak_ops.get(name) for name in ("fp32", "fp16", "int8")), case.n_params, case.weight_bytes, case.threads]
    names = [silicon.kind, silicon.vendor, case.framework, case.execution_provider, case.scheme]
    if isinstance(case, LanguageCase):
        numbers += [case.n_active_params, case.depth, case.prompt_tokens]
    else:
        numbers += [case.macs, case.input_size, case.float_bytes]
        names += [case.path, case.precision, case.domain]
    logs = [np.log(value) if value else np.nan for value in numbers]
    return [*logs, *(codes.setdefault((place, name), float(len(codes))) if name else np.nan for place, name in enumerate(names))]


def _over(numerator: Callable[[LanguageCase], float | None], denominator: Callable[[LanguageCase], float | None]) -> Callable[[LanguageCase], float | None]:
    def ratio(case: LanguageCase) -> float | None:
        above, below = numerator(case), denominator(case)
        return above / below if above and below else None

    return ratio


def _bandwidth(case: LanguageCase) -> float | None:
    return case.silicon.memory_bandwidth


LANGUAGE: Mapping[str, Mapping[str, Callable[..., list[float | None]]]] = {
    "decode_rate": {
        "bandwidth / size x constant": proportional(_over(_bandwidth, lambda case: case.weight_bytes), to_rate=True),
        "median of known devices": copied(lambda case: (case.model, case.scheme)), "boosted trees": boosted_trees,
    },
    "prefill_rate": {
        "bandwidth / parameters x constant": proportional(_over(_bandwidth, lambda case: case.n_params), to_rate=True),
        "median of known devices": copied(lambda case: (case.model, case.scheme)), "boosted trees": boosted_trees,
    },
    "peak_memory": {"file size x constant": proportional(lambda case: case.weight_bytes, to_rate=True)},
}
GRAPH: Mapping[str, Mapping[str, Callable[..., list[float | None]]]] = {
    "latency": {
        "median of known devices": copied(lambda case: (case.model, case.component, case.path, case.precision)),
        "parameters x constant of the device": per_device(lambda case: case.n_params), "boosted trees": boosted_trees,
    },
    "peak_memory": {"median of known devices": copied(lambda case: (case.model, case.component, case.path, case.precision)), "file size x constant": proportional(lambda case: case.weight_bytes, to_rate=True)},
}
