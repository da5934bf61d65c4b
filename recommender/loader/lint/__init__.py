"""Checks of the knowledge beyond its schema: small functions, one module a subject.

A lint is `check(knowledge) -> Iterator[Finding]`. To add one, drop a module here and list it in CHECKS.
"""

from __future__ import annotations

import datetime

from recommender.domain.errors import CatalogError
from recommender.loader import files
from recommender.loader.codec import load
from recommender.loader.lint import (
    calibration,
    claims,
    devices,
    evidence,
    frameworks,
    lists,
    machines,
    models,
    schemes,
    sources,
    tables,
    vocabulary,
)
from recommender.loader.lint.finding import LEVELS, Finding, Knowledge, places

CHECKS = (sources, lists, vocabulary, devices, machines, models, schemes, tables, calibration, frameworks, evidence, claims)

__all__ = ["CHECKS", "Finding", "Knowledge", "run", "run_checks"]


def run(layers: tuple[files.Layer, ...], today: str | None = None) -> list[Finding]:
    """Load the layers and check them; a file that cannot be loaded is the one finding there is then.

    Args:
        today: ISO date for the age of sources; the present day when None.
    """
    try:
        knowledge = Knowledge(
            catalog=load(layers),
            places=places(layers),
            today=today or datetime.date.today().isoformat(),
            evidence_places=_evidence_places(layers),
        )
    except CatalogError as error:
        return [Finding(lint="load", level="error", where=error.where, message=error.message)]
    return run_checks(knowledge)


def _evidence_places(layers: tuple[files.Layer, ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for layer in layers:
        for row, where in files.evidence_rows(layer):
            found[row["model"]] = (*found.get(row["model"], ()), where)
    return found


def run_checks(knowledge: Knowledge) -> list[Finding]:
    """All findings, errors first, then by place."""
    found = [finding for module in CHECKS for finding in module.check(knowledge)]
    return sorted(found, key=_order)


def _order(finding: Finding) -> tuple[int, str, int, str]:
    place, _, line = finding.where.rpartition(":")
    return LEVELS.index(finding.level), place, int(line) if line.isdecimal() else 0, finding.message
