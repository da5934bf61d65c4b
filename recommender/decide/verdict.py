"""The word of an answer, and the hints that go with it."""

from __future__ import annotations

import shlex

from recommender.decide.levels import known, level, reading
from recommender.domain.catalog import Catalog
from recommender.domain.recommendation import Choice, Dismissal, Request
from recommender.domain.rule import Step
from recommender.domain.target import Target
from recommender.domain.workload import TIE_BAND, Constraint

NEED = "NEED"  # the rule name of a broken --need


def verdict(choices: tuple[Choice, ...], rejected: tuple[Dismissal, ...], undetermined: tuple[Dismissal, ...], request: Request, target: Target) -> tuple[str, str]:
    """(word, one sentence)."""
    if not choices:
        if undetermined:
            return "INCONCLUSIVE", f"nothing is certain to work; {len(undetermined)} candidates hang on facts that were not observed"
        if not target.fingerprint.devices:
            return "INCONCLUSIVE", "no device was observed, so nothing is known of what could work"
        return "INFEASIBLE", "no candidate passes every condition" if rejected else "no framework is known that runs this kind of model on this machine's units"
    first = choices[0]
    if level(request.workload.needs, first.estimates) == "unknown":
        return "INCONCLUSIVE", "whether what was asked (--need) is met is not known for any candidate; a measurement would settle it"
    if request.workload.floor and not known(request.workload.floor, first.estimates):
        return "INCONCLUSIVE", "nothing that is known to be fast enough is left; the speed of what could work is not known, and a measurement would settle it"
    if first.candidate.is_as_is:
        return "KEEP-BASELINE", "the file you have is the best choice here; nothing is to be converted"
    tied = [choice for choice in choices[1:] if _ties(first, choice, request)]
    if tied:
        names = ", ".join(choice.candidate.id for choice in (first, *tied))
        return "TIE", f"nothing that is known separates {names}"
    return "RECOMMENDED", separation(first, choices[1] if len(choices) > 1 else None)


def separation(first: Choice, second: Choice | None) -> str:
    """The sentence that puts one choice before another: the first criterion where they differ, both readings."""
    if second is None:
        return "the only candidate that passes every condition"
    for mine, other in zip(first.criteria, second.criteria, strict=True):
        if mine.key != other.key:
            bases = f" ({mine.basis} against {other.basis})" if mine.basis or other.basis else ""
            return f"{mine.id} {mine.label}: {mine.shown} against {other.shown}{bases}"
    return "equal by every criterion; listed by name"


def _ties(first: Choice, other: Choice, request: Request) -> bool:
    """Equal by every criterion, another framework, and the objective within the tie band."""
    if first.candidate.framework == other.candidate.framework or any(a.key != b.key for a, b in zip(first.criteria, other.criteria, strict=True)):
        return False
    a, b = (choice.estimates.get(request.workload.objective) for choice in (first, other))
    if not a or not b or not a.central or not b.central:
        return False
    return abs(a.central / b.central - 1) <= TIE_BAND


def hints(choices: tuple[Choice, ...], rejected: tuple[Dismissal, ...], undetermined: tuple[Dismissal, ...], request: Request, target: Target, catalog: Catalog, memory_unknowns: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Lines to paste. Only commands that exist. `memory_unknowns`: attributes on which a larger memory budget hangs."""
    found: list[str] = []
    if not target.fingerprint.devices:
        found.append("recommend probe shows why no device was observed")
    if not choices and not undetermined:
        found += _misses(rejected, request)
        for name in memory_unknowns:
            row = catalog.vocabulary.get("attribute", {}).get(name, {})
            found.append(f"usable memory hangs on {name} ({row.get('meaning', '')}): recommend {row.get('settle', f'--set {name}=true')}")
    found += _open_facts(undetermined, catalog)
    if choices and target.kind == "this-machine" and choices[0].runnable_here is False:
        framework = catalog.frameworks[choices[0].candidate.framework]
        if framework.install:
            found.append(framework.install)
    found += _next_steps(choices, request, target)
    if request.wishes.prefer and choices and not any(choice.pareto for choice in choices):
        found.append("--prefer changed nothing: of no candidate are speed, quality and memory all known, so there is no Pareto front")
    if rejected and choices:
        found.append(f"recommend explain --why-not {rejected[0].candidate.id}")
    return tuple(dict.fromkeys(found))


def _next_steps(choices: tuple[Choice, ...], request: Request, target: Target) -> list[str]:
    """What can be done with an answer about weights that lie here: make it, measure it."""
    artifact = request.model.artifact
    if not choices or artifact is None or target.kind != "this-machine" or not choices[0].runnable_here:
        return []
    path = shlex.quote(artifact.path)
    objective = choices[0].estimates.get(request.workload.objective)
    is_measured = objective is not None and objective.basis == "measured-here"
    lines = [] if choices[0].candidate.is_as_is else [f"recommend apply --model {path} --out artifacts"]
    return lines if is_measured else [*lines, f"recommend measure --model {path}"]


def _open_facts(undetermined: tuple[Dismissal, ...], catalog: Catalog) -> list[str]:
    """What is not known, how many candidates hang on it, and the command that settles it."""
    hanging: dict[str, list[str]] = {}
    for dismissal in undetermined:
        for name in dict.fromkeys(row.attribute for step in dismissal.because for row in step.readings if row.value is None):
            hanging.setdefault(name, []).append(dismissal.candidate.id)
    lines = []
    for name, ids in hanging.items():
        settle = catalog.vocabulary.get("attribute", {}).get(name, {}).get("settle", "")
        if settle:
            who = ids[0] if len(ids) == 1 else f"{len(ids)} candidates"
            verb = "hangs" if len(ids) == 1 else "hang"
            lines.append(f"{who} {verb} on {name}: {'recommend ' if settle.startswith('--') else ''}{settle}")
    return lines


def _misses(rejected: tuple[Dismissal, ...], request: Request) -> list[str]:
    """The nearest misses (least over the bounds they break) and what would change each."""
    scored = sorted(rejected, key=lambda d: (_excess(d, request), d.candidate.id))
    lines = []
    for dismissal in scored[:3]:
        reasons = "; ".join(step.because for step in dismissal.because)
        lines.append(f"nearest: {dismissal.candidate.id}: {reasons}{_change(dismissal)}")
    if any(row.attribute == "estimate.floor" for d in scored[:3] for step in d.because for row in step.readings):
        lines.append("recommend --allow-below-floor shows what is too slow for this workload")
    return lines


def _reading(dismissal: Dismissal, attribute: str) -> float | None:
    for step in dismissal.because:
        for row in step.readings:
            if row.attribute == attribute and isinstance(row.value, (int, float)):
                return float(row.value)
    return None


FIXED = 10.0  # a reason that no other machine, setting or bound would lift weighs like ten times over


def _excess(dismissal: Dismissal, request: Request) -> float:
    """How far from eligible: the product of what each reason is over its bound; what cannot be lifted weighs most."""
    total = 1.0
    for step in dismissal.because:
        attributes = {reading.attribute for reading in step.readings}
        if "estimate.memory_ratio" in attributes:
            total *= max(1.0, _reading(dismissal, "estimate.memory_ratio") or 1.0)
        elif "estimate.floor" in attributes:
            total *= _shortfall(request.workload.floor, dismissal)
        elif step.rule == NEED:
            total *= _shortfall(request.workload.needs, dismissal)
        elif "estimate.quality_drop" in attributes:
            bound = next(iter(_bounds(step, "estimate.quality_drop")), 1.0)
            total *= max(1.0, (_reading(dismissal, "estimate.quality_drop") or bound) / bound)
        else:
            total *= FIXED
    return total


def _bounds(step: Step, attribute: str) -> list[float]:
    """The numbers in the condition on an attribute."""
    conditions = [row.condition for row in step.readings if row.attribute == attribute]
    return [bound for condition in conditions if isinstance(condition, dict) for bound in condition.values() if isinstance(bound, float)]


def _shortfall(constraints: tuple[Constraint, ...], dismissal: Dismissal) -> float:
    """The product of the factors by which constraints are missed."""
    total = 1.0
    for row in constraints:
        value = reading(row, dismissal.estimates)
        if value and row.bound and not row.holds(value):
            total *= max(row.bound / value, value / row.bound)
    return total


def _change(dismissal: Dismissal) -> str:
    ratio, peak = _reading(dismissal, "estimate.memory_ratio"), dismissal.estimates.get("peak_memory")
    if ratio and peak and peak.high:
        return f" (needs {peak.high / 2**30:.3g} GiB, {peak.high / ratio / 2**30:.3g} GiB are usable; try a shorter --context or a machine with more --memory)"
    return ""
