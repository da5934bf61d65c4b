"""Frameworks: a support statement each, executors and preparers in step with the lists, statements that can be used."""

from __future__ import annotations

from collections.abc import Iterator

from recommender.domain.facts import SUPPORT_STATUSES, FrameworkFacts, SupportStatement
from recommender.loader.lint.finding import Finding, Knowledge, Reporter


def check(knowledge: Knowledge) -> Iterator[Finding]:
    report = Reporter("frameworks", knowledge)
    attributes = knowledge.catalog.vocabulary.get("attribute", {})
    portability = attributes.get("candidate.portability", {}).get("values", ())
    systems = attributes.get("host.os", {}).get("values", ())
    own = knowledge.listed("frameworks")
    seen: set[str] = set()
    for framework in knowledge.catalog.frameworks.values():
        for message in (
            *_framework(framework, own),
            *(f"operating system `{name}`" for name in framework.os if name not in systems),
        ):
            yield report.error("frameworks", framework.key, message)
        for statement in framework.support:
            if statement.id in seen:
                yield report.error("support", statement.id, "the id is used twice")
            seen.add(statement.id)
            for message in _statement(statement, framework, knowledge):
                yield report.error("support", statement.id, message)
            if statement.portability not in portability:
                yield report.error(
                    "support", statement.id, f"portability `{statement.portability}` is none of {', '.join(portability)}"
                )
    yield from _preparers(knowledge, report)
    for row in knowledge.catalog.portability:
        if row.value not in portability:
            yield report.error("portability", row.format, f"`{row.value}` is none of {', '.join(portability)}")


def _framework(framework: FrameworkFacts, own: tuple[str, ...]) -> Iterator[str]:
    if not framework.support:
        yield "says nothing of what it supports"
    if framework.has_executor != (framework.key in own):
        yield f"has_executor = {str(framework.has_executor).lower()} is out of step with the list of frameworks"
    if framework.has_executor and not framework.install:
        yield "has an executor and no line that installs it"
    if framework.runtime_size and not isinstance(framework.runtime_size.value, (int, float, type(None))):
        yield "runtime_size is not a number"


def _statement(statement: SupportStatement, framework: FrameworkFacts, knowledge: Knowledge) -> Iterator[str]:
    if statement.framework != framework.key:
        yield f"stands under `{framework.key}` and names `{statement.framework}`"
    if statement.status not in SUPPORT_STATUSES:
        yield f"status `{statement.status}` is none of {', '.join(SUPPORT_STATUSES)}"
    if not statement.schemes:
        yield "names no scheme"
    if statement.status == "no" and not statement.because:
        yield "says that it does not work, and not why"
    if "device.kind" not in statement.when:
        yield "does not say for which kind of device (`device.kind`)"
    for key in statement.preparers:
        if key not in knowledge.catalog.preparers:
            yield f"preparer `{key}` does not exist"


def _preparers(knowledge: Knowledge, report: Reporter) -> Iterator[Finding]:
    used = {key for framework in knowledge.catalog.frameworks.values() for row in framework.support for key in row.preparers}
    for preparer in knowledge.catalog.preparers.values():
        if preparer.has_own and preparer.key not in knowledge.listed("preparers"):
            yield report.error("preparers", preparer.key, "has_own = true is out of step with the list of preparers")
        if preparer.key not in used:
            yield report.warning("preparers", preparer.key, "no support statement uses it")
