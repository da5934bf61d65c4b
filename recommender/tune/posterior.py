"""What the measured points of a sweep say of the others: estimates as the prior, updated by a Gaussian process over what points share.

The log of measured over estimated is a sum of normal effects, as in `estimate.siblings`, and further ones for run settings: of the device, the path
(framework and execution provider), the scheme, the choice; of each setting that differs from the answer's, once for all choices of the path and once for
the choice alone; of the point. How much each varies starts from what published figures gave and is fitted to the sweep by the marginal likelihood
(Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, eq. 2.25, 5.8), with a penalty for leaving the start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import erf, exp, log, pi, sqrt

import numpy as np

from recommender.domain.estimate import Estimate
from recommender.tune.space import Point

TAIL = 1.2816  # standard deviations on either side that hold 80 % of a normal distribution
_START = {"device": 0.06, "path": 0.05, "scheme": 0.012, "choice": 0.01, "point": 0.003, "noise": 0.001}  # variances; the first four as in estimate.siblings
_SETTING, _OWN_SHARE = 0.03, 0.15  # of a setting whose row guesses nothing; what a choice has of it for itself
_UNKNOWN = 1.0  # variance of a point without an estimate, beside all others
_STEPS = (1 / 8, 1 / 3, 3.0, 8.0)  # factors that the fit tries on each variance
_WIDER = (1.0, 3.0, 10.0, 30.0, 100.0)  # factors on all variances together
_PENALTY = 0.5 / log(6) ** 2  # a factor of six costs half a nat
_FIT_FROM, _FIT_AGAIN = 4, 1.3  # observations; and growth after which it is fitted anew
_MOST = 240  # observations that count: the best and the newest; the cost grows with their cube


@dataclass(kw_only=True)
class Posterior:
    """Of one metric. `estimates`: by choice; `better`: up or down. Values are in the metric's unit and above zero."""

    points: Sequence[Point]
    estimates: Mapping[str, Estimate | None]
    better: str
    variances: dict[str, float] = field(default_factory=dict)
    spreads: Mapping[str, float] = field(default_factory=dict)  # setting -> standard deviation of its effect that the rows guess
    fits: bool = True  # False: the variances stay as they are (observations that were only thought of)

    def __post_init__(self) -> None:
        self._at = {point.id: number for number, point in enumerate(self.points)}
        self._codes, self._names = _codes(self.points)
        self._starts = {name: _start(name, self.spreads) for name in (*self._names, "noise")}
        self.variances = self.variances or dict(self._starts)
        known = {choice: row.central for choice, row in self.estimates.items() if row and row.central and row.central > 0}
        middle = float(np.median([log(value) for value in known.values()])) if known else 0.0
        self._prior = np.array([log(known[point.choice]) if point.choice in known else middle for point in self.points])
        self._has_estimates = bool(known)
        self._blind = np.array([0.0 if point.choice in known else _UNKNOWN for point in self.points])
        self._rows: list[int] = []
        self._values: list[float] = []
        self._fitted_at = 0
        self._predicted: tuple[np.ndarray, np.ndarray] | None = None

    def observe(self, point: str, value: float) -> None:
        """One process median. Fitted as they come: the same ones in the same order give the same variances, whenever a prediction is asked for."""
        if value > 0:
            self._rows.append(self._at[point])
            self._values.append(log(value))
            self._predicted = None
            if not self._has_estimates:  # what is usual is then what was measured
                self._prior[:] = np.median(self._values)
            if self.fits and len(self._rows) < _FIT_FROM:
                self._widen(*self._kept())
            if self.fits and len(self._rows) >= max(_FIT_FROM, _FIT_AGAIN * self._fitted_at):
                self._fit(*self._kept())
                self._fitted_at = len(self._rows)

    @property
    def knows_nothing(self) -> bool:
        """Neither an estimate nor a measurement of any point."""
        return not self._has_estimates and not self._rows

    def predict(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the log of the metric [n points each], noise of a measurement left out."""
        if self._predicted is None:
            self._predicted = self._predict()
        return self._predicted

    def _predict(self) -> tuple[np.ndarray, np.ndarray]:
        total = self._variance_of_each()
        if not self._rows:
            return self._prior.copy(), np.sqrt(total)
        rows, residuals = self._kept()
        lower = np.linalg.cholesky(self._covariance(rows, rows) + self.variances["noise"] * np.eye(len(rows)))
        across = self._covariance(np.arange(len(self.points)), rows)
        solved = np.linalg.solve(lower, across.T)
        mean = self._prior + solved.T @ np.linalg.solve(lower, residuals)
        return np.asarray(mean, dtype=float), np.sqrt(np.maximum(total - (solved**2).sum(axis=0), 1e-8))

    def interval(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pessimistic, central and optimistic end of each point, in the metric's unit (80 %)."""
        mean, deviation = self.predict()
        side = TAIL if self.better == "up" else -TAIL
        return np.exp(mean - side * deviation), np.exp(mean), np.exp(mean + side * deviation)

    # --- the covariance ----------------------------------------------------------------------------------------------

    def _covariance(self, one: np.ndarray, other: np.ndarray, variances: Mapping[str, float] | None = None) -> np.ndarray:
        told = variances or self.variances
        found = np.zeros((len(one), len(other)))
        for name, codes in zip(self._names, self._codes, strict=True):
            left, right = codes[one][:, None], codes[other][None, :]
            found += told[name] * ((left == right) & (left >= 0))
        same = self._blind[one][:, None] * (one[:, None] == other[None, :])
        return np.asarray(found + same)

    def _variance_of_each(self) -> np.ndarray:
        total: np.ndarray = np.zeros(len(self.points)) + self._blind
        for name, codes in zip(self._names, self._codes, strict=True):
            total += self.variances[name] * (codes >= 0)
        return total

    def _kept(self) -> tuple[np.ndarray, np.ndarray]:
        rows, values = np.array(self._rows), np.array(self._values)
        if len(rows) > _MOST:
            order = np.argsort(values if self.better == "down" else -values)
            newest = np.arange(len(rows) - _MOST // 2, len(rows))
            kept = np.unique(np.concatenate([order[: _MOST // 2], newest]))
            rows, values = rows[kept], values[kept]
        return rows, values - self._prior[rows]

    # --- the fit -----------------------------------------------------------------------------------------------------

    def _fit(self, rows: np.ndarray, residuals: np.ndarray) -> None:
        """Each variance in turn by the factor that helps most, twice through."""
        best = self._likelihood(rows, residuals, self.variances)
        for _ in range(2):
            for name in self.variances:
                for factor in _STEPS:
                    tried = {**self.variances, name: self.variances[name] * factor}
                    if (found := self._likelihood(rows, residuals, tried)) > best + 1e-6:
                        best, self.variances = found, tried

    def _widen(self, rows: np.ndarray, residuals: np.ndarray) -> None:
        """A first measurement far from its estimate says that all estimates may be: everything but noise by one factor, until there is enough to tell more."""
        def scaled(factor: float) -> dict[str, float]:
            return {name: value * (1.0 if name == "noise" else factor) for name, value in self._starts.items()}

        def told(factor: float) -> float:
            return self._likelihood(rows, residuals, scaled(factor), penalty=_PENALTY * log(factor) ** 2)

        self.variances = scaled(max(_WIDER, key=told))

    def _likelihood(self, rows: np.ndarray, residuals: np.ndarray, variances: Mapping[str, float], penalty: float | None = None) -> float:
        """Log marginal likelihood, less the penalty (by default that of each variance for leaving its start)."""
        lower = np.linalg.cholesky(self._covariance(rows, rows, variances) + variances["noise"] * np.eye(len(rows)))
        white = np.linalg.solve(lower, residuals)
        fit = -0.5 * float(white @ white) - float(np.log(np.diag(lower)).sum()) - 0.5 * len(rows) * log(2 * pi)
        return fit - (penalty if penalty is not None else _PENALTY * sum(log(value / self._starts[name]) ** 2 for name, value in variances.items()))


def single_threaded() -> AbstractContextManager[object]:
    """Matrices are small here: threads of the linear algebra cost more than they give, and spin while a point is measured. Of this process alone."""
    if find_spec("threadpoolctl") is None:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    limited: AbstractContextManager[object] = threadpool_limits(limits=1)
    return limited


def expected_gain(mean: np.ndarray, deviation: np.ndarray, best: float, better: str) -> np.ndarray:
    """Expected improvement on the log scale over `best` (log), by point (Jones, Schonlau and Welch, J. Global Optimization 13, 1998)."""
    gap = (mean - best) if better == "up" else (best - mean)
    z = gap / deviation
    normal = np.array([0.5 * (1 + erf(value / sqrt(2))) for value in z])
    return np.asarray(gap * normal + deviation * np.exp(-0.5 * z**2) / sqrt(2 * pi))


def _start(name: str, spreads: Mapping[str, float]) -> float:
    kind, _, rest = name.partition(":")
    setting, _, own = rest.partition(":")
    return _START.get(kind) or (spreads[setting] ** 2 if setting in spreads else _SETTING) * (_OWN_SHARE if own else 1.0)


def _codes(points: Sequence[Point]) -> tuple[list[np.ndarray], list[str]]:
    """By component, the number of the group that a point is of; -1: of none. Points of one group share the effect."""
    columns: dict[str, list[object]] = {
        "device": [point.device for point in points], "path": [point.path for point in points], "scheme": [point.scheme for point in points],
        "choice": [point.choice for point in points], "point": [point.id for point in points],
    }
    for name in dict.fromkeys(name for point in points for name in point.settings):
        columns[f"setting:{name}"] = [(point.path, point.changed[name]) if name in point.changed else None for point in points]
        columns[f"setting:{name}:own"] = [(point.choice, point.changed[name]) if name in point.changed else None for point in points]
    return [_numbered(column) for column in columns.values()], list(columns)


def _numbered(column: Sequence[object]) -> np.ndarray:
    known: dict[object, int] = {}
    return np.array([-1 if each is None else known.setdefault(each, len(known)) for each in column])


def interval_of(mean: float, deviation: float) -> tuple[float, float, float]:
    """80 %: low, central, high."""
    return exp(mean - TAIL * deviation), exp(mean), exp(mean + TAIL * deviation)
