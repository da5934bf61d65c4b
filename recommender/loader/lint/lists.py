"""Names from closed lists: frameworks, execution providers, preparers, formats, schemes, kinds, tasks, structures, metrics."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from recommender.domain.fingerprint import DEVICE_KINDS
from recommender.domain.model import FORMATS, STRUCTURES, TASKS
from recommender.domain.quantity import BASES
from recommender.domain.workload import METRICS
from recommender.loader.lint.finding import Finding, Knowledge, Reporter

SCENARIOS = ("single-stream", "multi-stream", "server", "offline")
WHERE = ("here", "any-x86-linux", "cloud", "target")
ACTIONS = ("convert", "quantize", "compile")


def check(knowledge: Knowledge) -> Iterator[Finding]:
    report = Reporter("lists", knowledge)
    for section, key, what, value, valid in _named(knowledge):
        if value not in valid:
            shown = f" (one of {', '.join(map(str, valid))})" if isinstance(valid, tuple) and len(valid) < 25 else ""
            yield report.error(section, key, f"{what} `{value}` is not known{shown}")
    spellings = re.compile("|".join(f"(?:{spelling})" for spelling in knowledge.listed("scheme_spellings")) or ".*")
    for scheme in knowledge.catalog.schemes:
        if not spellings.fullmatch(scheme):
            yield report.error("schemes", scheme, "spelled neither as upstream does nor as bits-method[-granularity]")


def _named(knowledge: Knowledge) -> Iterator[tuple[str, str, str, str, Container[str]]]:
    catalog = knowledge.catalog
    frameworks = knowledge.listed("frameworks") + knowledge.listed("frameworks_without_executor")
    preparers = knowledge.listed("preparers") + knowledge.listed("preparers_without_executor")
    for device in catalog.devices.values():
        yield "devices", device.key, "kind", device.kind, DEVICE_KINDS
    for model in catalog.models.values():
        yield "models", model.key, "task", model.task, TASKS
        yield "models", model.key, "structure", model.structure, STRUCTURES
    for scheme in catalog.schemes.values():
        for name in scheme.formats:
            yield "schemes", scheme.key, "format", name, FORMATS
    for framework in catalog.frameworks.values():
        yield "frameworks", framework.key, "framework", framework.key, frameworks
        for task in framework.tasks:
            yield "frameworks", framework.key, "task", task, TASKS
        for task in framework.launch:
            yield "frameworks", framework.key, "launch task", task, (*framework.tasks, "*")
        for statement in framework.support:
            yield (
                "support",
                statement.id,
                "execution provider",
                statement.execution_provider,
                knowledge.listed("execution_providers"),
            )
            yield "support", statement.id, "format", statement.format, FORMATS
    for preparer in catalog.preparers.values():
        yield "preparers", preparer.key, "preparer", preparer.key, preparers
        yield "preparers", preparer.key, "action", preparer.action, ACTIONS
        yield "preparers", preparer.key, "place", preparer.where, WHERE
    for row in catalog.portability:
        yield "portability", row.format, "format", row.format, FORMATS
        yield (
            "portability",
            row.format,
            "execution provider",
            row.execution_provider,
            (*knowledge.listed("execution_providers"), "*"),
        )
    for quality in catalog.quality:
        yield "quality", quality.id, "basis", quality.basis, BASES
    yield from _of_workloads(knowledge)


def _of_workloads(knowledge: Knowledge) -> Iterator[tuple[str, str, str, str, Container[str]]]:
    for workload in knowledge.catalog.workloads.values():
        for task in (*workload.tasks, *workload.default_for):
            yield "workloads", workload.key, "task", task, TASKS
        for task in workload.default_for:
            yield "workloads", workload.key, "default for a task outside `tasks`:", task, workload.tasks
        yield "workloads", workload.key, "scenario", workload.scenario, SCENARIOS
        yield "workloads", workload.key, "objective", workload.objective, tuple(METRICS)
