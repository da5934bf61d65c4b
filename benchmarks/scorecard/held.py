"""Cases whose device, silicon or model was left out of the fit, with what was predicted for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from recommender.estimate.learned.case import Predicted

SPLITS = ("device", "group", "model")  # what is left out: a device, all devices of the same silicon, a model with all its variants
N_FOLDS = 10


class Row(Protocol):
    """A measured case, as `benchmarks.fit` modules give it: `truth` by metric, in base units."""

    @property
    def case(self) -> Any: ...
    @property
    def truth(self) -> Mapping[str, float]: ...
    @property
    def device(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def class_(self) -> str: ...


Fit = Callable[[Sequence[Any]], Mapping[str, Any]]
Predict = Callable[[Any, Mapping[str, Any]], Mapping[str, Predicted | str]]
Baseline = Callable[[Sequence[Any], Sequence[Any], str], Sequence[float | None]]  # known rows, held-out rows, metric -> predictions


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """One metric of one case. `predicted` None: the answer was unknown. `baselines`: name -> prediction, where it could make one."""

    split: str
    metric: str
    row: Any
    truth: float
    predicted: Predicted | None
    baselines: Mapping[str, float | None]

    @property
    def owner(self) -> str:
        """What was left out with it."""
        return str(getattr(self.row, self.split))

    @property
    def error(self) -> float | None:
        """|predicted / truth - 1|."""
        return abs(self.predicted.central / self.truth - 1) if self.predicted else None


def folds(rows: Sequence[Row], split: str, n: int = N_FOLDS, seed: int = 0) -> Iterator[tuple[list[Row], list[Row]]]:
    """Known rows and held-out rows; every group is held out once, whole."""
    owners = sorted({str(getattr(row, split)) for row in rows})
    order = np.random.default_rng(seed).permutation(len(owners))
    number = {owners[place]: position % min(n, len(owners)) for position, place in enumerate(order)}
    for fold in range(min(n, len(owners))):
        held = [row for row in rows if number[str(getattr(row, split))] == fold]
        yield [row for row in rows if number[str(getattr(row, split))] != fold], held


def held_out(rows: Sequence[Row], split: str, fit: Fit, predict: Predict, baselines: Mapping[str, Mapping[str, Baseline]], metrics: Sequence[str], n: int = N_FOLDS) -> list[Held]:
    """Every metric of every case, predicted by a fit that never saw its group. `baselines`: by metric."""
    found: list[Held] = []
    for known, held in folds(rows, split, n):
        learned = fit(known)
        answers = [predict(row.case, learned) for row in held]
        for metric in metrics:
            told = [(row, answer.get(metric)) for row, answer in zip(held, answers, strict=True) if row.truth.get(metric)]
            simple = {name: baseline(known, [row for row, _ in told], metric) for name, baseline in baselines.get(metric, {}).items()}
            found += [
                Held(
                    split=split, metric=metric, row=row, truth=row.truth[metric], predicted=answer if isinstance(answer, Predicted) else None,
                    baselines={name: values[i] for name, values in simple.items()},
                )
                for i, (row, answer) in enumerate(told)
            ]
    return found
