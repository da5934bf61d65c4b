"""What measurements on this machine say of what was not measured: computed speeds, scaled by what measuring gave over what was computed.

Schemes of a measured path take its ratio; other paths on the device take a share of it that grows with the number of paths measured (partial
pooling). Without this, whatever is measured first looks worse than its unmeasured neighbours wherever the computed speeds are too high.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import median

from recommender.domain.candidate import Candidate
from recommender.domain.estimate import Estimate

_SPEEDS = ("decode_rate", "tpot", "prefill_rate", "ttft", "latency", "throughput")
_COMPUTED = ("analytic", "calibrated")
_SPREAD = 1.6  # schemes of one path on one machine kept their measured over computed ratio within this factor in our trials (GGUF levels, 2 threads)

Path = tuple[str, str, str]
Ratios = Mapping[tuple[Path, str], tuple[tuple[float, str], ...]]  # (path, metric) -> (ratio, source) of each scheme that was measured


def path_of(candidate: Candidate) -> Path:
    """Framework, execution provider and device."""
    return candidate.framework, candidate.execution_provider, candidate.device


def ratios(numbers: Iterable[tuple[Candidate, Mapping[str, Estimate]]]) -> Ratios:
    """Measured here over computed, of all candidates that have both."""
    found: dict[tuple[Path, str], tuple[tuple[float, str], ...]] = {}
    for candidate, estimates in numbers:
        for metric in _SPEEDS:
            row = estimates.get(metric)
            computed = row.inputs.get("computed") if row else None
            if row and row.basis == "measured-here" and row.central and computed:
                key = (path_of(candidate), metric)
                found[key] = (*found.get(key, ()), (row.central / computed, row.sources[0] if row.sources else ""))
    return found


def scaled(candidate: Candidate, estimates: Mapping[str, Estimate], known: Ratios) -> dict[str, Estimate]:
    """The estimates, computed speeds scaled where something comparable was measured; the basis is then `calibrated`."""
    return {metric: _scaled(row, metric, path_of(candidate), known) if metric in _SPEEDS else row for metric, row in estimates.items()}


def _scaled(row: Estimate, metric: str, path: Path, known: Ratios) -> Estimate:
    own = known.get((path, metric), ())
    others = [pairs for (other, name), pairs in known.items() if name == metric and other[2] == path[2] and other != path]
    if row.basis not in _COMPUTED or row.central is None or not (own or others):
        return row
    pairs = own or tuple(pair for pairs in others for pair in pairs)
    values = [ratio for ratio, _ in pairs]
    share = 1.0 if own else len(others) / (len(others) + 1)
    factor = median(values) ** share
    low, high = min(values) / _SPREAD, max(values) * _SPREAD
    if not own:
        low, high = min(low, 1.0), max(high, 1.0)  # nothing of this path itself was measured
    return replace(
        row, central=row.central * factor, low=row.central * low, high=row.central * high, basis="calibrated",
        sources=tuple(dict.fromkeys((*row.sources, *(source for _, source in pairs if source)))),
        inputs={**row.inputs, "measured_over_computed": factor, "schemes_measured": len(values), "of_this_path": bool(own)},
    )
