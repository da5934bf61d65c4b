"""Order eligible candidates by labelled criteria, lexicographically. Each criterion is one number; smaller is better.

Speeds are compared in bands relative to the best, so that noise does not reorder; bands, because a pairwise tolerance
is not transitive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from recommender.decide.levels import level
from recommender.domain.candidate import Candidate
from recommender.domain.catalog import Catalog, RankingKey
from recommender.domain.estimate import Estimate
from recommender.domain.recommendation import Criterion
from recommender.domain.workload import METRICS, TIE_BAND, Constraint, Workload

UNRANKED = 9.0  # a framework or scheme that no row places
NOT_KNOWN = 1e6  # after every number of bands: the memory of a large model alone makes some hundred of ten per cent
_LEVELS = {"met": 0.0, "unknown": 1.0, "not-met": 2.0}
_STATUSES = {"stable": 0.0, "preview": 1.0, "deprecated": 2.0}


class Place(NamedTuple):
    """A place, the row that gave it, and why that row lost a better one."""

    number: float = UNRANKED
    row: str = ""
    demoted: str = ""

    @property
    def shown(self) -> str:
        return self.demoted or (f"place {self.number:g} by {self.row}" if self.row else "no row places it")


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """An eligible candidate with what ranking reads."""

    candidate: Candidate
    estimates: Mapping[str, Estimate]
    framework_place: Place = Place()
    scheme_place: Place = Place()
    unit_place: Place = Place()

    def value(self, metric: str) -> float | None:
        found = self.estimates.get(metric)
        return found.central if found else None


def rank(contenders: list[Contender], workload: Workload, catalog: Catalog) -> list[tuple[Contender, tuple[Criterion, ...]]]:
    """Contenders with their criteria, best first; ties end in the order of their ids."""
    keys = [key for key in catalog.ranking if key.measure != "measured_objective" or _is_settled_by_measurement(contenders, workload)]
    gate = next((key.band for key in keys if key.measure == "quality_gate"), 1.0)
    best = _best(contenders, workload, gate)
    rated = [(contender, tuple(_criterion(key, contender, workload, best) for key in keys)) for contender in contenders]
    return sorted(rated, key=lambda pair: (tuple(criterion.key for criterion in pair[1]), pair[0].candidate.id))


def _is_settled_by_measurement(contenders: list[Contender], workload: Workload) -> bool:
    """At least two frameworks measured on this machine, or elsewhere by one and the same source."""
    for basis in ("measured-here", "measured-elsewhere"):
        by_source: dict[str, set[str]] = {}
        for contender in contenders:
            found = contender.estimates.get(workload.objective)
            if found and found.basis == basis:
                for source in found.sources or ("",) if basis == "measured-elsewhere" else ("here",):
                    by_source.setdefault(source, set()).add(contender.candidate.framework)
        if any(len(frameworks) > 1 for frameworks in by_source.values()):
            return True
    return False


def _best(contenders: list[Contender], workload: Workload, gate: float) -> float | None:
    """The best central objective among those that pass the quality gate (all, if none does)."""
    sound = [c for c in contenders if _quality_gate(c, gate)[0] == 0.0] or contenders
    values = [value for c in sound if (value := c.value(workload.objective))]
    if not values:
        return None
    return max(values) if METRICS[workload.objective][1] == "up" else min(values)


def _criterion(key: RankingKey, contender: Contender, workload: Workload, best: float | None) -> Criterion:
    number, shown, basis = _MEASURES[key.measure](contender, workload, key, best)
    return Criterion(id=key.id, label=key.label, key=number, shown=shown, basis=basis)


def _needs(c: Contender, w: Workload, key: RankingKey, best: float | None) -> tuple[float, str, str]:
    found = level(w.needs, c.estimates)
    measured = all(c.estimates[n.metric].basis.startswith("measured") for n in w.needs if n.metric in c.estimates)
    if not w.needs:
        return 0.0, "none stated", ""
    return _LEVELS[found] * 2 + (0.0 if measured else 1.0), found, "measured" if measured else "estimated"


def _comfort(c: Contender, w: Workload, key: RankingKey, best: float | None) -> tuple[float, str, str]:
    """A level that is not reached but known stands before one that is known in part, and that before one that nothing is known of."""
    known = [row for row in w.comfort if c.value(row.metric) is not None]
    found = level([_within_tie_band(row) for row in known], c.estimates) if known else ("unknown" if w.comfort else "met")
    if found == "met" and len(known) < len(w.comfort):
        return 1.5, "met as far as it is known", ""
    return {"met": 0.0, "not-met": 1.0, "unknown": 2.0}[found], found, ""


def _within_tie_band(row: Constraint) -> Constraint:
    """A level that is missed by no more than makes a tie is reached: it divides what is comfortable from what is not, not equals from each other."""
    band = 1 - TIE_BAND if row.relation.startswith(">") else 1 + TIE_BAND
    return replace(row, bound=row.bound * band)


def _maturity(c: Contender, w: Workload, key: RankingKey, best: float | None) -> tuple[float, str, str]:
    return _STATUSES.get(c.candidate.status, 3.0), c.candidate.status, ""


def _quality_gate(c: Contender, gate: float) -> tuple[float, str]:
    """0 within the gate, then one for each further gate's width of loss; not known stands between."""
    found = c.estimates.get("quality_drop")
    if found is None or found.central is None:
        return 0.5, "loss not known"
    return (0.0 if found.central <= gate else 1.0 + math.floor(found.central / gate)), f"loses {found.central:.1%}"


def _gate(c: Contender, w: Workload, key: RankingKey, best: float | None) -> tuple[float, str, str]:
    number, shown = _quality_gate(c, key.band)
    found = c.estimates.get("quality_drop")
    return number, shown, found.basis if found else ""


def _objective(c: Contender, w: Workload, key: RankingKey, best: float | None) -> tuple[float, str, str]:
    """Bands of `band` (relative) below the best. Not known stands after the best band and before all others: no merit, no fault."""
    found = c.estimates.get(w.objective)
    if found is None or found.central is None or not best:
        return 0.5 if best else 0.0, "not known", "unknown"
    return _steps_below(found.central, best, w, key.band), shown_value(found), found.basis


SATURATION = 4.0  # times the comfortable level: more speed than this is not noticed
SLOW_STEP = 0.25  # below the comfortable level every quarter counts


def _steps_below(value: float, best: float, w: Workload, band: float) -> float:
    """Bands of a value below the best one. With a comfortable level (and somebody waiting): speeds far above it are equal, below it the bands are narrower."""
    is_up = METRICS[w.objective][1] == "up"
    level = next((row.bound for row in w.comfort if row.metric == w.objective), None) if band >= 1.0 and w.scenario != "offline" else None
    speed, top = (value, best) if is_up else (1 / value, 1 / best)
    if level is None:
        return _bands(top / speed, band)
    comfort = (level if is_up else 1 / level) * (1 - TIE_BAND)
    steps = _bands(min(top, SATURATION * comfort) / min(max(speed, comfort), SATURATION * comfort), band)
    return steps + (math.ceil(math.log(comfort / speed) / math.log1p(SLOW_STEP) - 1e-9) if speed < comfort else 0)


def _bands(ratio: float, band: float) -> float:
    return max(0.0, math.floor(math.log(ratio) / math.log1p(band) + 1e-9)) if ratio > 0 else 0.0


def _measured_objective(c: Contender, w: Workload, key: RankingKey, best: float | None) -> tuple[float, str, str]:
    """As `_objective`, but an estimate must beat a measurement with its pessimistic end."""
    found = c.estimates.get(w.objective)
    if found is None or found.central is None or found.low is None or found.high is None or not best:
        return NOT_KNOWN, "not known", "unknown"
    is_up = METRICS[w.objective][1] == "up"
    value = found.central if found.basis.startswith("measured") else (found.low if is_up else found.high)
    ratio = best / value if is_up else value / best
    return float(math.floor(math.log(max(ratio, 1e-9)) / math.log1p(key.band) + 1e-9)), shown_value(found), found.basis


def _framework_place(c: Contender, w: Workload, key: RankingKey, best: float | None) -> tuple[float, str, str]:
    return c.framework_place.number, c.framework_place.shown, ""


def _unit_place(c: Contender, w: Workload, key: RankingKey, best: float | None) -> tuple[float, str, str]:
    """A better unit is no merit of a framework that no row places on it."""
    place = c.unit_place if c.framework_place.row else Place()
    return place.number, place.shown, ""


def _scheme_place(c: Contender, w: Workload, key: RankingKey, best: float | None) -> tuple[float, str, str]:
    return c.scheme_place.number, c.scheme_place.shown, ""


def _quality(c: Contender, w: Workload, key: RankingKey, best: float | None) -> tuple[float, str, str]:
    found = c.estimates.get("quality_drop")
    if found is None or found.central is None:
        return NOT_KNOWN, "not known", "unknown"
    return float(math.floor(max(0.0, found.central) / key.band + 1e-9)), f"loses {found.central:.1%}", found.basis


def _memory(c: Contender, w: Workload, key: RankingKey, best: float | None) -> tuple[float, str, str]:
    found = c.estimates.get("peak_memory")
    if found is None or not found.central:
        return NOT_KNOWN, "not known", "unknown"
    return float(math.floor(math.log(found.central) / math.log1p(key.band))), shown_value(found), found.basis


def _steps(c: Contender, w: Workload, key: RankingKey, best: float | None) -> tuple[float, str, str]:
    count = len(c.candidate.preparers)
    return float(count), "shipped as it is" if c.candidate.is_as_is else f"{count} preparation steps", ""


_MEASURES: Mapping[str, Callable[[Contender, Workload, RankingKey, float | None], tuple[float, str, str]]] = {
    "needs": _needs, "comfort": _comfort, "maturity": _maturity, "quality_gate": _gate, "measured_objective": _measured_objective,
    "objective": _objective, "framework_place": _framework_place, "scheme_place": _scheme_place, "unit_place": _unit_place, "quality": _quality, "memory": _memory,
    "steps": _steps,
}
MEASURES = tuple(_MEASURES)


def shown_value(found: Estimate) -> str:
    """Three significant digits with a unit a person reads; `not known` without a value."""
    if found.central is None:
        return "not known"
    value, unit = found.central, found.unit
    if unit == "bytes":
        return f"{value / 2**30:.3g} GiB" if value >= 2**30 else f"{value / 2**20:.3g} MiB"
    if unit == "s" and value < 1:
        return f"{value * 1e3:.3g} ms"
    return f"{value:.3g} {unit}"


def pareto(contenders: list[Contender], workload: Workload) -> frozenset[str]:
    """Ids of the contenders that no other beats in objective, quality and memory at once (all three known)."""
    points: dict[str, tuple[float, float, float]] = {}
    sign = -1.0 if METRICS[workload.objective][1] == "up" else 1.0
    for c in contenders:
        objective, drop, memory = c.value(workload.objective), c.value("quality_drop"), c.value("peak_memory")
        if objective is not None and drop is not None and memory is not None:
            points[c.candidate.id] = (sign * objective, drop, memory)
    return frozenset(
        name for name, point in points.items()
        if not any(other != point and all(a <= b for a, b in zip(other, point, strict=True)) for other in points.values())
    )
