"""The estimators that have a score card: where their rows, fit and prediction are, what is left out, what they are compared with."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.scorecard import baselines
from benchmarks.scorecard.held import Baseline, Fit, Held, Predict, held_out


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One estimator. `fit_module` has rows() and fit(rows), `estimator` predict(case, learned). `contest`, `way`: what is picked for what."""

    name: str
    title: str
    fit_module: str
    estimator: str
    metrics: tuple[str, ...]
    splits: tuple[str, ...]
    speed: str
    baselines: Mapping[str, Mapping[str, Baseline]] = field(default_factory=dict)
    contest: Callable[[Held], Hashable] | None = None
    way: Callable[[Held], Hashable] | None = None

    def rows(self) -> Sequence[Any]:
        return list(importlib.import_module(self.fit_module).rows())

    @property
    def fit(self) -> Fit:
        found: Fit = importlib.import_module(self.fit_module).fit
        return found

    @property
    def predict(self) -> Predict:
        found: Predict = importlib.import_module(self.estimator).predict
        return found

    def held_out(self, rows: Sequence[Any], split: str) -> list[Held]:
        """All metrics, each with its baselines beside it."""
        return held_out(rows, split, self.fit, self.predict, self.baselines, self.metrics)


PARTS = (
    Part(
        name="language", title="Language models", fit_module="benchmarks.fit.language", estimator="recommender.estimate.learned.language",
        metrics=("decode_rate", "prefill_rate", "ttft", "peak_memory"), splits=("device", "group", "model"), speed="decode_rate", baselines=baselines.LANGUAGE,
    ),
    Part(
        name="graph", title="Other models on phones, laptops and boards with a neural unit", fit_module="benchmarks.fit.graph", estimator="recommender.estimate.learned.graph",
        metrics=("latency", "peak_memory"), splits=("device", "group", "model"), speed="latency", baselines=baselines.GRAPH,
        contest=lambda held: (held.row.device, held.row.case.model, held.row.case.component), way=lambda held: (held.row.case.path, held.row.case.precision),
    ),
    Part(
        name="graphs", title="Other models on processors, graphics and accelerators", fit_module="benchmarks.fit.graphs", estimator="recommender.estimate.learned.graphs",
        metrics=("latency", "throughput"), splits=("device", "model"), speed="latency", baselines={"latency": baselines.GRAPH["latency"], "throughput": {}},
    ),
)
