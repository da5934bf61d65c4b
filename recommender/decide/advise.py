"""The decision: a pure function of request, target, catalogue and evidence. Reads top to bottom like the flow in the architecture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from recommender.decide import attributes as attribute
from recommender.decide import tables
from recommender.decide.demotion import demoted
from recommender.decide.enumerate import Proposal, propose
from recommender.decide.levels import known, level, reading
from recommender.decide.prefer import preferred
from recommender.decide.rank import Contender, Place, pareto, rank, shown_value
from recommender.decide.recipe import launch, recipe
from recommender.decide.tables import Attributes
from recommender.decide.verdict import NEED, hints, verdict
from recommender.domain.candidate import Candidate
from recommender.domain.catalog import Catalog
from recommender.domain.evidence import Evidence
from recommender.domain.recommendation import Choice, Criterion, Dismissal, Recommendation, Request
from recommender.domain.rule import Step
from recommender.domain.target import Target
from recommender.estimate import siblings
from recommender.estimate.estimates import Numbers, Subject, estimate
from recommender.estimate.evidence import better_settings
from recommender.estimate.kv_cache import kv_cache_bytes
from recommender.estimate.weights import for_format


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """A proposal with its options, its numbers, and what rules may read of it so far."""

    proposal: Proposal
    candidate: Candidate
    numbers: Numbers
    attributes: Attributes
    option_steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighed:
    """A proposal with its numbers and the steps of its tables."""

    proposal: Proposal
    candidate: Candidate
    numbers: Numbers
    steps: tuple[Step, ...]


def advise(request: Request, target: Target, catalog: Catalog, evidence: tuple[Evidence, ...] = ()) -> Recommendation:
    """What to ship, why, and why not the others.

    Args:
        evidence: measurements that may replace estimates; give () for none.
    """
    by_device = device_attributes(request, target, catalog)
    kinds = {device.id: device.kind for device in target.fingerprint.devices}
    steps_by_device = _steps_by_device(catalog, by_device, "device")
    advice = {name: [demoted(step, catalog.audit, request.model, kinds[name]) for step in steps] for name, steps in steps_by_device.items()}
    proposals, closed = propose(request.model, target, catalog, by_device)
    relevant = () if request.wishes.ignore_evidence else tuple(row for row in evidence if row.model == request.model.key)
    counted = [_count(proposal, request, target, catalog, relevant) for proposal in proposals]
    known_here = siblings.ratios((item.candidate, item.numbers.estimates) for item in counted)
    weighed = [_weigh(item, request, catalog, known_here) for item in counted]
    eligible, rejected, undetermined = _sort_out(weighed)
    contenders = [_contender(item, advice.get(item.proposal.device.id, [])) for item in eligible]
    sentences = {step.rule: step.because for steps in advice.values() for step in steps if step.outcome == "fired"}
    choices = _choices(contenders, {item.candidate.id: item for item in eligible}, sentences, request, target, catalog)
    word, why = verdict(choices, rejected, undetermined, request, target)
    steps = [*(step for found in advice.values() for step in found), *(step for item in weighed for step in item.steps), *(row.step for row in closed)]
    return Recommendation(
        verdict=word, why=why, request=request, choices=choices, rejected=rejected, undetermined=undetermined,
        hints=hints(choices, rejected, undetermined, request, target, catalog, _memory_unknowns(by_device, catalog)), trace=tuple(steps),
        assumptions=(*target.assumptions, *siblings.refusals(known_here)),
        usable_memory={name: attributes["device.memory_usable"][0] for name, attributes in by_device.items()},
    )


def device_attributes(request: Request, target: Target, catalog: Catalog) -> dict[str, Attributes]:
    """Everything a rule may read before there is a candidate, per device, the user's what-ifs on top."""
    host = attribute.overridden(attribute.host_attributes(target), {k: v for k, v in target.overrides.items() if k.startswith("host.")})
    shared = {
        **attribute.model_attributes(request.model),
        **attribute.workload_attributes(request.workload, bool(request.beside)),
        **attribute.wish_attributes(request.wishes, host),
    }
    found: dict[str, Attributes] = {}
    for device in target.fingerprint.devices:
        of_device = {**attribute.device_attributes(device, target.matched.get(device.id), target, host), **shared}
        of_device = attribute.overridden({**of_device, **attribute.follow_ups(target.overrides)}, target.overrides)
        usable, budget = attribute.usable_memory(of_device, catalog.budgets)
        if "device.memory_usable" not in target.overrides:
            of_device["device.memory_usable"] = (usable, f"estimated ({budget.id})" if budget else "unknown")
        found[device.id] = of_device
    return found


def _memory_unknowns(by_device: Mapping[str, Attributes], catalog: Catalog) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for attributes in by_device.values() for name in attribute.open_budgets(attributes, catalog.budgets)))


def _steps_by_device(catalog: Catalog, by_device: Mapping[str, Attributes], scope: str) -> dict[str, list[Step]]:
    relevant = [table for table in catalog.tables.values() if table.scope == scope]
    return {name: [step for table in relevant for step in tables.evaluate_table(table, name, attributes)] for name, attributes in by_device.items()}


def _count(proposal: Proposal, request: Request, target: Target, catalog: Catalog, evidence: tuple[Evidence, ...]) -> Counted:
    scheme = for_format(catalog.schemes[proposal.candidate.scheme], proposal.candidate.format)
    attributes = {**proposal.attributes, **attribute.candidate_attributes(proposal.candidate, request.wishes, catalog), **attribute.scheme_attributes(scheme)}
    option_steps = _evaluate(catalog, "options", proposal.candidate.id, attributes)
    candidate = replace(proposal.candidate, options=_options(proposal.candidate, option_steps, attributes))
    subject = Subject(
        model=request.model, scheme=scheme, candidate=candidate, device=proposal.device, facts=target.matched.get(proposal.device.id),
        workload=request.workload, attributes=attributes, microbenchmark=target.fingerprint.microbenchmark,
        beside_bytes=_beside_bytes(request), digest=target.fingerprint.digest,
    )
    if found := better_settings(subject, evidence):
        options, gain, source = found
        because = f"a sweep on this machine measured {request.workload.objective} {gain:.0%} better with these settings than with those of the rules"
        option_steps.append(Step(rule=SWEEP, subject=candidate.id, outcome="fired", effect={"set": options, "evidence": source}, because=because))
        candidate = replace(candidate, options={**candidate.options, **options})
        subject = replace(subject, candidate=candidate)
    numbers = estimate(subject, catalog, evidence)
    return Counted(proposal=proposal, candidate=candidate, numbers=numbers, attributes=attributes, option_steps=tuple(option_steps))


def _weigh(item: Counted, request: Request, catalog: Catalog, known_here: siblings.Ratios) -> Weighed:
    numbers = replace(item.numbers, estimates=siblings.scaled(item.candidate, item.numbers.estimates, known_here)) if known_here else item.numbers
    attributes = {**item.attributes, **_estimate_attributes(numbers, request, item.attributes)}
    judged = _evaluate(catalog, "candidate", item.candidate.id, attributes)
    asked = _need_steps(item.candidate, numbers, request)
    return Weighed(proposal=item.proposal, candidate=item.candidate, numbers=numbers, steps=(*item.option_steps, *judged, *asked))


def _need_steps(candidate: Candidate, numbers: Numbers, request: Request) -> list[Step]:
    """A step for each thing that was asked (--need) and is not met by what is known."""
    return [
        Step(
            rule=NEED, subject=candidate.id, outcome="fired", effect={"verdict": "ineligible"},
            because=f"{need.text} is not met: {shown_value(replace(found, central=reading(need, numbers.estimates)))} ({found.basis})",
        )
        for need in request.workload.needs
        if (found := numbers.estimates.get(need.metric)) and level([need], numbers.estimates) == "not-met"
    ]


def _evaluate(catalog: Catalog, scope: str, subject: str, attributes: Attributes) -> list[Step]:
    return [step for table in catalog.tables.values() if table.scope == scope for step in tables.evaluate_table(table, subject, attributes)]


def _options(candidate: Candidate, steps: Iterable[Step], attributes: Attributes) -> dict[str, Any]:
    """Options of the statement, then what the option rows set; `@attribute` stands for that attribute's value. The first row wins."""
    found: dict[str, Any] = {}
    for step in tables.effective(steps):
        for name, value in step.effect.get("set", {}).items():
            if isinstance(value, str) and value.startswith("@"):
                value = attributes.get(value[1:], (None, ""))[0]
            if value is not None:
                found.setdefault(name, value)
    return {**found, **candidate.options}


SWEEP = "SWEEP"  # the rule name of settings that a sweep found
_BESIDE_BITS = 4.85  # a second model's weights at Q4_K_M's bits per weight; its own scheme is not decided here


def _beside_bytes(request: Request) -> float | None:
    """Bytes of the models that run beside it: weights (a file's own size, else by parameters) and KV cache. None when one cannot be told."""
    sizes = [model.artifact.size if model.artifact else (model.n_params or 0) * _BESIDE_BITS / 8 for model in request.beside]
    caches = [kv_cache_bytes(model, request.workload.context) for model in request.beside if model.is_language_model]
    return None if 0 in sizes or None in caches else float(sum(sizes) + sum(size or 0.0 for size in caches))


def _estimate_attributes(numbers: Numbers, request: Request, attributes: Attributes) -> dict[str, tuple[Any, str]]:
    """estimate.*: what rules may read of the numbers."""
    usable, peak = attributes["device.memory_usable"][0], numbers.estimates["peak_memory"].high
    ratio = peak / max(usable, 1.0) if peak is not None and usable is not None else None
    floor = known(request.workload.floor, numbers.estimates)
    comfort = known(request.workload.comfort, numbers.estimates)
    found: dict[str, tuple[Any, str]] = {
        "estimate.memory_ratio": (ratio, "estimated") if ratio is not None else (None, "unknown"),
        "estimate.floor": (level(floor, numbers.estimates) if floor else "unknown", "estimated"),
        "estimate.comfort": (level(comfort, numbers.estimates) if comfort else "unknown", "estimated"),
        "estimate.peak_memory": (peak, "estimated") if peak is not None else (None, "unknown"),
    }
    for metric in ("quality_drop", "decode_rate", "latency", "file_size"):
        value = numbers.estimates[metric].central if metric in numbers.estimates else None
        found[f"estimate.{metric}"] = (value, "estimated") if value is not None else (None, "unknown")
    return found


def _sort_out(weighed: list[Weighed]) -> tuple[list[Weighed], tuple[Dismissal, ...], tuple[Dismissal, ...]]:
    """Eligible, rejected (every reason), undetermined (every open condition)."""
    eligible: list[Weighed] = []
    rejected: list[Dismissal] = []
    undetermined: list[Dismissal] = []
    for item in weighed:
        reasons = [step for step in tables.effective(item.steps) if step.effect.get("verdict") == "ineligible"]
        if item.proposal.refused:
            reasons.insert(0, item.proposal.support)
        open_steps = [step for step in tables.unknown(item.steps) if step.effect.get("verdict") == "ineligible"]
        if item.proposal.support.outcome == "unknown":
            open_steps.insert(0, item.proposal.support)
        if reasons:
            rejected.append(_dismissal(item, "ineligible", reasons))
        elif open_steps:
            undetermined.append(_dismissal(item, "undetermined", open_steps))
        else:
            eligible.append(item)
    return eligible, tuple(rejected), tuple(undetermined)


def _dismissal(item: Weighed, eligibility: str, because: list[Step]) -> Dismissal:
    return Dismissal(candidate=item.candidate, eligibility=eligibility, because=tuple(because), estimates=item.numbers.estimates)


def _contender(item: Weighed, advice: list[Step]) -> Contender:
    return Contender(
        candidate=item.candidate, estimates=item.numbers.estimates,
        framework_place=_place(item.candidate, advice, "frameworks", item.candidate.framework),
        scheme_place=_place(item.candidate, advice, "schemes", item.candidate.scheme),
        unit_place=_place(item.candidate, advice, "units", item.candidate.device_kind),
    )


def _place(candidate: Candidate, advice: list[Step], kind: str, key: str) -> Place:
    """The best place that a fired row gives this framework or scheme on this device."""
    found = Place()
    for step in tables.effective(advice):
        effect = step.effect
        if key not in effect.get(kind, ()):
            continue
        is_path = candidate.execution_provider in effect.get("execution_providers", (candidate.execution_provider,))
        is_framework = kind == "frameworks" or candidate.framework in effect.get("for_frameworks", (candidate.framework,))
        if is_path and is_framework and effect["place"] < found.number:
            found = Place(float(effect["place"]), step.rule, effect.get("demoted", ""))
    return found


def _choices(contenders: list[Contender], weighed: Mapping[str, Weighed], sentences: Mapping[str, str], request: Request, target: Target, catalog: Catalog) -> tuple[Choice, ...]:
    front = pareto(contenders, request.workload)
    ordered = rank(contenders, request.workload, catalog)
    if request.wishes.prefer and front:
        best, scores = preferred(contenders, front, request.wishes.prefer, request.workload)
        criterion = {name: Criterion(id="RNK000", label="your preference (--prefer) on the Pareto front", key=0.0 if name == best else 1.0, shown=f"score {score:.2f}") for name, score in scores.items()}
        outside = Criterion(id="RNK000", label="your preference (--prefer) on the Pareto front", key=1.0, shown="not on the front")
        ordered = sorted(((c, (criterion.get(c.candidate.id, outside), *criteria)) for c, criteria in ordered), key=lambda pair: pair[1][0].key)
    return tuple(_choice(number, contender, criteria, weighed[contender.candidate.id], contender.candidate.id in front, sentences, request, target, catalog)
                 for number, (contender, criteria) in enumerate(ordered, 1))


def _choice(number: int, contender: Contender, criteria: tuple[Criterion, ...], item: Weighed, is_pareto: bool, sentences: Mapping[str, str], request: Request, target: Target, catalog: Catalog) -> Choice:
    candidate = contender.candidate
    fired = tables.effective(item.steps)
    unit_row = contender.unit_place.row if len({device.kind for device in target.fingerprint.devices}) > 1 else ""
    placed = [row for row in (unit_row, contender.framework_place.row, contender.scheme_place.row) if row]
    return Choice(
        rank=number, candidate=candidate, estimates=contender.estimates, criteria=criteria,
        rules=tuple(dict.fromkeys([candidate.statement, *placed, *(step.rule for step in fired)])),
        reasons={row: sentences[row] for row in placed},
        warnings=tuple(dict.fromkeys(step.effect["warn"] for step in fired if "warn" in step.effect)),
        recipe=recipe(request.model, candidate, catalog.schemes[candidate.scheme], contender.estimates, catalog),
        launch=launch(candidate, request.model, catalog), pareto=is_pareto,
        runnable_here=_is_runnable(candidate, target) and catalog.frameworks[candidate.framework].has_executor if target.kind == "this-machine" else None,
        memory_by_component=item.numbers.memory,
    )


def _is_runnable(candidate: Candidate, target: Target) -> bool:
    """Whether the framework is installed with the execution provider; one that was not asked for its list may have it."""
    return any(
        row.framework == candidate.framework and (row.execution_providers is None or candidate.execution_provider in row.execution_providers)
        for row in target.fingerprint.frameworks
    )
