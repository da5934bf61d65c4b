"""Efficiencies, overheads, rates, quality losses and budgets: ranges, order, and a row that always holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recommender.domain.fingerprint import DEVICE_KINDS
from recommender.loader.lint.finding import Finding, Knowledge, Reporter

MOST_EFFICIENT = 4.0  # above 1 where the peak leaves a unit or a format out (matrix units of Apple chips, bf16)
SECTIONS = ("efficiencies", "overheads", "rates", "quality", "budgets")


def check(knowledge: Knowledge) -> Iterator[Finding]:
    report = Reporter("calibration", knowledge)
    for section in SECTIONS:
        seen: set[str] = set()
        for row in getattr(knowledge.catalog, section):
            if row.id in seen:
                yield report.error(section, row.id, "the id is used twice")
            seen.add(row.id)
    yield from _efficiencies(knowledge, report)
    yield from _overheads(knowledge, report)
    yield from _rates_and_losses(knowledge, report)
    yield from _budgets(knowledge, report)


def _efficiencies(knowledge: Knowledge, report: Reporter) -> Iterator[Finding]:
    phases, resources = knowledge.listed("phases"), knowledge.listed("resources")
    rows = knowledge.catalog.efficiencies
    for row in rows:
        if row.phase not in phases or row.resource not in resources:
            yield report.error("efficiencies", row.id, f"phase `{row.phase}` and resource `{row.resource}` are not both known")
        if not 0 < row.low <= row.central <= row.high <= MOST_EFFICIENT:
            yield report.error(
                "efficiencies", row.id, f"0 < {row.low:g} <= {row.central:g} <= {row.high:g} <= {MOST_EFFICIENT} does not hold"
            )
    for phase in phases:
        for resource in resources:
            same = [row for row in rows if (row.phase, row.resource) == (phase, resource)]
            if rows and not any(always_holds(row.when) for row in same):
                yield report.error("efficiencies", f"{phase}/{resource}", "no row holds everywhere")
            yield from _after_catch_all(same, "efficiencies", report)


def always_holds(when: Mapping[str, Any]) -> bool:
    """No condition, or none but the kind of device, with every kind allowed (the kind is always known)."""
    kinds = when.get("device.kind", {"in": DEVICE_KINDS})
    return set(when) <= {"device.kind"} and isinstance(kinds, Mapping) and set(DEVICE_KINDS) <= set(kinds.get("in", ()))


def _after_catch_all(rows: list[Any], section: str, report: Reporter) -> Iterator[Finding]:
    """The first row that holds is used, so that nothing after a row without conditions is reached."""
    catch_all = next((row for row in rows if always_holds(row.when)), None)
    if catch_all is not None:
        for row in rows[rows.index(catch_all) + 1 :]:
            yield report.error(section, row.id, f"is never reached: {catch_all.id} before it holds everywhere")


def _overheads(knowledge: Knowledge, report: Reporter) -> Iterator[Finding]:
    kinds = knowledge.listed("overheads")
    for row in knowledge.catalog.overheads:
        if row.kind not in kinds:
            yield report.error("overheads", row.id, f"kind `{row.kind}` is none of {', '.join(kinds)}")
        if not 0 <= row.low <= row.central <= row.high:
            yield report.error("overheads", row.id, f"0 <= {row.low:g} <= {row.central:g} <= {row.high:g} does not hold")
    for kind in kinds:
        yield from _after_catch_all([row for row in knowledge.catalog.overheads if row.kind == kind], "overheads", report)


def _rates_and_losses(knowledge: Knowledge, report: Reporter) -> Iterator[Finding]:
    precisions = knowledge.listed("precisions")
    for row in knowledge.catalog.rates:
        if row.precision not in precisions:
            yield report.error("rates", row.id, f"precision `{row.precision}` is not known")
        if not 0 < row.operations_per_cycle <= 65536 or not 1e8 <= row.clock <= 1e10:
            yield report.error("rates", row.id, "operations per cycle or clock are out of range")
    for loss in knowledge.catalog.quality:
        if loss.scheme not in knowledge.catalog.schemes:
            yield report.error("quality", loss.id, f"scheme `{loss.scheme}` does not exist")
        if not -0.2 <= loss.low <= loss.central <= loss.high <= 100:
            yield report.error(
                "quality", loss.id, f"{loss.low:g} <= {loss.central:g} <= {loss.high:g} does not hold, or is no fraction"
            )
    for scheme in dict.fromkeys(loss.scheme for loss in knowledge.catalog.quality):
        yield from _after_catch_all([loss for loss in knowledge.catalog.quality if loss.scheme == scheme], "quality", report)


def _budgets(knowledge: Knowledge, report: Reporter) -> Iterator[Finding]:
    rows = list(knowledge.catalog.budgets)
    for row in rows:
        if not 0 < row.share <= 1 or row.reserve < 0 or (row.cap is not None and row.cap <= 0):
            yield report.error("budgets", row.id, "share, reserve or cap are out of range")
    if rows and not any(always_holds(row.when) for row in rows):
        yield report.error("budgets", rows[-1].id, "no budget holds everywhere")
    yield from _after_catch_all(rows, "budgets", report)
