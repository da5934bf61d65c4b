"""What measurements on this machine say of what was not measured: computed speeds, scaled by what measuring gave over what was computed.

The log of that ratio is taken as a sum of four normal effects around nought: one that all paths of a device share, one of the path (framework and
execution provider), one of the scheme on any path, one of its own. A candidate's ratio is then predicted from those that were measured by the best
linear unbiased prediction (Robinson, Statistical Science 6(1), 1991), which shrinks by itself: far for a scheme of the same path, half way for another
path. Where ratios predict each other worse than no scaling at all, they are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log, sqrt
from statistics import median

from recommender.domain.candidate import Candidate
from recommender.domain.estimate import Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class Prior:
    """Variances of the effects. From published figures over what is computed for them: mean squared differences between pairs on one device with one
    model that share the path, the scheme or neither; what all share is the rest of the mean square.
    """

    device: float
    path: float
    scheme: float
    own: float


_DECODE = Prior(device=0.06, path=0.05, scheme=0.012, own=0.01)  # 318 figures of 178 pairs of device and model
_PREFILL = Prior(device=0.05, path=0.12, scheme=0.08, own=0.05)  # 157 figures of 66
_GRAPH = Prior(device=0.3, path=0.02, scheme=0.12, own=0.025)  # 1235 figures of 547
_PRIORS = {"decode_rate": _DECODE, "tpot": _DECODE, "prefill_rate": _PREFILL, "ttft": _PREFILL, "latency": _GRAPH, "throughput": _GRAPH}
_COMPUTED = ("analytic", "calibrated")
_FEWEST = 3  # measurements from which on they can contradict each other
_TAIL = 1.2816  # standard deviations on either side that hold 80 % of a normal distribution

Path = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ratio:
    """log(measured here / computed) of one candidate."""

    path: Path
    scheme: str
    log: float
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """What was measured of one metric on one device. `inverse`: of the covariance of its ratios. `refused`: why they are not used, empty when they are."""

    ratios: tuple[Ratio, ...]
    inverse: tuple[tuple[float, ...], ...]
    refused: str


Ratios = Mapping[tuple[str, str], Pool]  # (device, metric)


def path_of(candidate: Candidate) -> Path:
    """Framework, execution provider and device."""
    return candidate.framework, candidate.execution_provider, candidate.device


def ratios(numbers: Iterable[tuple[Candidate, Mapping[str, Estimate]]]) -> Ratios:
    """Measured here over computed, of all candidates that have both."""
    found: dict[tuple[str, str], list[Ratio]] = {}
    for candidate, estimates in numbers:
        for metric in _PRIORS:
            row = estimates.get(metric)
            computed = row.inputs.get("computed") if row else None
            if row and row.basis == "measured-here" and row.central and computed:
                source = row.sources[0] if row.sources else ""
                ratio = Ratio(path=path_of(candidate), scheme=candidate.scheme, log=log(row.central / computed), source=source)
                found.setdefault((candidate.device, metric), []).append(ratio)
    return {key: _pool(rows, key[1]) for key, rows in found.items()}


def refusals(known: Ratios) -> tuple[str, ...]:
    """A sentence for each metric whose measurements are not used to scale others."""
    return tuple(f"{metric} on {device}: {pool.refused}" for (device, metric), pool in known.items() if pool.refused)


def scaled(candidate: Candidate, estimates: Mapping[str, Estimate], known: Ratios) -> dict[str, Estimate]:
    """The estimates, computed speeds scaled where something comparable was measured; the basis is then `calibrated`."""
    return {
        metric: _scaled(row, candidate, pool) if (pool := known.get((candidate.device, metric))) else row for metric, row in estimates.items()
    }


def _scaled(row: Estimate, candidate: Candidate, pool: Pool) -> Estimate:
    """80 % interval of the ratio's own distribution: that of the computed value is what the measurements replace."""
    if row.basis not in _COMPUTED or row.central is None:
        return row
    if pool.refused:
        return replace(row, why=pool.refused)
    prior, path = _PRIORS[row.metric], path_of(candidate)
    shared = [_covariance(prior, ratio, path, candidate.scheme) for ratio in pool.ratios]
    weights = [_dot(line, shared) for line in pool.inverse]
    mean = _dot(weights, [ratio.log for ratio in pool.ratios])
    deviation = sqrt(max(prior.own, prior.device + prior.path + prior.scheme + prior.own - _dot(weights, shared)))
    low, central, high = (row.central * exp(mean + side * _TAIL * deviation) for side in (-1, 0, 1))
    return replace(
        row, low=low, central=central, high=high, basis="calibrated",
        sources=tuple(dict.fromkeys((*row.sources, *(ratio.source for ratio in pool.ratios if ratio.source)))),
        inputs={
            **row.inputs, "measured_over_computed": exp(mean), "schemes_measured": len(pool.ratios),
            "of_this_path": any(ratio.path == path for ratio in pool.ratios),
        },
    )


def _pool(rows: Sequence[Ratio], metric: str) -> Pool:
    prior = _PRIORS[metric]
    covariance = [
        [_covariance(prior, one, other.path, other.scheme) + (prior.own if one is other else 0.0) for other in rows] for one in rows
    ]
    inverse = _inverse(covariance)
    return Pool(ratios=tuple(rows), inverse=inverse, refused=_contradiction(rows, inverse))


def _contradiction(rows: Sequence[Ratio], inverse: Sequence[Sequence[float]]) -> str:
    """Whether each ratio, predicted from the others, comes out worse than if it were taken for 1; in the median.

    The error of a prediction without the row itself is (K⁻¹ y) / diag(K⁻¹) (Rasmussen and Williams, Gaussian Processes, 2006, eq. 5.12).
    """
    logs = [row.log for row in rows]
    with_others = median(abs(_dot(line, logs) / line[at]) for at, line in enumerate(inverse))
    without = median(abs(value) for value in logs)
    if len(rows) < _FEWEST or with_others <= without:
        return ""
    return (
        f"not scaled by the {len(rows)} measurements here: each predicted from the others is off by {_percent(with_others)} in the median, "
        f"computed alone by {_percent(without)}"
    )


def _percent(log_error: float) -> str:
    return f"{exp(log_error) - 1:.0%}"


def _covariance(prior: Prior, ratio: Ratio, path: Path, scheme: str) -> float:
    """Of one ratio with that of a candidate on the same device."""
    return prior.device + (prior.path if ratio.path == path else 0.0) + (prior.scheme if ratio.scheme == scheme else 0.0)


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _inverse(matrix: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """Of a symmetric positive definite matrix, by Gauss-Jordan elimination, which needs no pivots for such."""
    size = len(matrix)
    rows = [[*line, *(1.0 if at == column else 0.0 for column in range(size))] for at, line in enumerate(matrix)]
    for at in range(size):
        scale = rows[at][at]
        rows[at] = [value / scale for value in rows[at]]
        for other in range(size):
            if other != at and (factor := rows[other][at]):
                rows[other] = [value - factor * lead for value, lead in zip(rows[other], rows[at], strict=True)]
    return tuple(tuple(line[size:]) for line in rows)
