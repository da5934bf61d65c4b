"""Support statements x devices x schemes -> candidates. Only what somebody claims to work is generated; the rest keeps its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from recommender.decide import tables
from recommender.decide.attributes import framework_attributes, overridden
from recommender.decide.tables import Attributes
from recommender.domain.candidate import Candidate
from recommender.domain.catalog import Catalog
from recommender.domain.facts import FrameworkFacts, SupportStatement
from recommender.domain.fingerprint import Device
from recommender.domain.model import ModelSpec
from recommender.domain.rule import Reading, Step
from recommender.domain.target import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A candidate with its support step (fired: claimed to work; unknown: undetermined; `refused`: known not to work)."""

    candidate: Candidate
    device: Device
    attributes: Attributes
    support: Step
    refused: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsupported:
    """A path of a framework that no statement opens here: the first condition that failed."""

    framework: str
    execution_provider: str
    device: str
    step: Step


def propose(model: ModelSpec, target: Target, catalog: Catalog, by_device: Mapping[str, Attributes]) -> tuple[list[Proposal], list[Unsupported]]:
    """All candidates, in a fixed order, and the paths that are closed with the reason. Known-not-to-work statements come first."""
    proposals: dict[str, Proposal] = {}
    closed: dict[tuple[str, str, str], Unsupported] = {}
    for device in target.fingerprint.devices:
        for framework in catalog.frameworks.values():
            of_framework = overridden(framework_attributes(framework, target), {k: v for k, v in target.overrides.items() if k.startswith("framework.")})
            attributes = {**by_device[device.id], **of_framework}
            for statement in sorted(framework.support, key=lambda row: row.status != "no"):
                _consider(statement, framework, model, device, attributes, target, catalog, proposals, closed)
    opened = {(p.candidate.framework, p.candidate.execution_provider, p.device.id) for p in proposals.values()}
    return list(proposals.values()), [value for key, value in closed.items() if key not in opened]


def _consider(
    statement: SupportStatement, framework: FrameworkFacts, model: ModelSpec, device: Device, attributes: Attributes, target: Target,
    catalog: Catalog, proposals: dict[str, Proposal], closed: dict[tuple[str, str, str], Unsupported],
) -> None:
    kind = tables.evaluate({name: row for name, row in statement.when.items() if name == "device.kind"}, attributes)
    if kind is False:
        return
    outcome = tables.evaluate(statement.when, attributes)
    step = Step(
        rule=statement.id, subject=device.id, outcome={True: "fired", False: "not-fired", None: "unknown"}[outcome],
        readings=tables.readings(statement.when, attributes), effect={"status": statement.status}, because=statement.because,
    )
    if outcome is False:
        failed = tuple(reading for reading in step.readings if reading.outcome == "not-fired")[:1]
        key = (framework.key, statement.execution_provider, device.id)
        if statement.status != "no" and key not in closed:
            closed[key] = Unsupported(framework=framework.key, execution_provider=statement.execution_provider, device=device.id,
                                      step=Step(
                                          rule=statement.id, subject=device.id, outcome="not-fired", readings=failed, because=statement.because,
                                          effect={"framework": framework.key, "execution_provider": statement.execution_provider}))
        return
    if statement.status == "no" and outcome is None:
        return  # a belief that is only maybe wrong closes nothing
    for candidate in _candidates(statement, framework, model, device, target, catalog):
        known = proposals.get(candidate.id)
        is_better = known is not None and not known.refused and _is_better(candidate, known, outcome)
        if known is None or is_better:
            is_open = candidate.is_as_is and statement.status != "no" and _has_unknown_scheme(model, statement)
            support = replace(step, outcome="unknown", readings=(*step.readings, _UNKNOWN_SCHEME)) if is_open else step
            proposals[candidate.id] = Proposal(candidate=candidate, device=device, attributes=attributes, support=support, refused=statement.status == "no")


def _is_better(candidate: Candidate, known: Proposal, outcome: bool | None) -> bool:
    """Of two statements for one path and scheme: the one that takes the user's file as it is, then the one that is sure."""
    if candidate.is_as_is != known.candidate.is_as_is:
        return candidate.is_as_is
    return known.support.outcome == "unknown" and bool(outcome)


_UNKNOWN_SCHEME = Reading(attribute="model.scheme", value=None, origin="unknown", outcome="unknown")


def _has_unknown_scheme(model: ModelSpec, statement: SupportStatement) -> bool:
    """The file is of the statement's format, but its header does not tell how its weights are stored."""
    return bool(model.artifact and model.artifact.format == statement.format and model.artifact.scheme is None)


def _candidates(
    statement: SupportStatement, framework: FrameworkFacts, model: ModelSpec, device: Device, target: Target, catalog: Catalog
) -> Iterator[Candidate]:
    first = next(other.id for other in target.fingerprint.devices if other.kind == device.kind)
    where = "" if device.id == first else f"@{device.id}"
    artifact = model.artifact
    for number, scheme in enumerate(statement.schemes):
        is_as_is = bool(artifact and artifact.format == statement.format and artifact.scheme == scheme)
        is_as_is = is_as_is or (number == 0 and _has_unknown_scheme(model, statement))
        yield Candidate(
            id=f"{framework.key}/{statement.execution_provider}/{scheme}{where}", framework=framework.key,
            execution_provider=statement.execution_provider, device=device.id, device_kind=device.kind, format=statement.format, scheme=scheme,
            preparers=() if is_as_is else statement.preparers, portability=_portability(statement, catalog), status=statement.status,
            statement=statement.id, is_as_is=is_as_is, options=dict(statement.options),
        )


def _portability(statement: SupportStatement, catalog: Catalog) -> str:
    for row in catalog.portability:
        if row.format == statement.format and row.execution_provider in (statement.execution_provider, "*"):
            return row.value
    return statement.portability
