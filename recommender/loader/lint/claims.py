"""Claims: ids, subjects that exist, figures that say what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from recommender.domain.catalog import Claim
from recommender.domain.fingerprint import DEVICE_KINDS
from recommender.domain.model import FORMATS, TASKS
from recommender.domain.workload import METRICS
from recommender.loader.lint.finding import Finding, Knowledge, Reporter

RATIO = "ratio"  # the metric of the subject over that of `against`
_ID = re.compile(r"^CLM\d{3}$")


def check(knowledge: Knowledge) -> Iterator[Finding]:
    report = Reporter("claims", knowledge)
    subjects = _subjects(knowledge)
    for claim in knowledge.catalog.claims.values():
        for message in (*_about(claim, subjects), *_figures(claim)):
            yield report.error("claims", claim.id, message)


def _subjects(knowledge: Knowledge) -> dict[str, Any]:
    """subject -> the values it may have; None where it is a number."""
    catalog = knowledge.catalog
    found: dict[str, Any] = {
        "framework": catalog.frameworks,
        "preparer": catalog.preparers,
        "execution_provider": knowledge.listed("execution_providers"),
        "scheme": catalog.schemes,
        "class": catalog.vocabulary.get("attribute", {}).get("quantization.class", {}).get("values", ()),
        "family": [name for names in catalog.vocabulary.get("families", {}).values() for name in names],
        "device_kind": DEVICE_KINDS,
        "format": FORMATS,
        "task": TASKS,
        "n_params": None,
        "against": catalog.schemes,
    }
    return {name: found.get(name) for name in knowledge.listed("claim_subjects")}


def _about(claim: Claim, subjects: dict[str, Any]) -> Iterator[str]:
    if not _ID.match(claim.id):
        yield "an id is CLM and three digits"
    if not claim.text:
        yield "says nothing"
    for name, value in claim.about.items():
        if name not in subjects:
            yield f"about `{name}` (one of {', '.join(subjects)})"
            continue
        valid = subjects[name]
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if valid is None and not isinstance(item, (int, float)) or valid is not None and item not in valid:
                yield f"about {name} `{item}`, which does not exist"


def _figures(claim: Claim) -> Iterator[str]:
    if claim.metric and claim.metric not in METRICS:
        yield f"unknown metric `{claim.metric}`"
    elif claim.metric and claim.unit not in (METRICS[claim.metric][0], RATIO):
        yield f"the unit of {claim.metric} is {METRICS[claim.metric][0]}, or {RATIO} with `against`, not `{claim.unit}`"
    if claim.unit == RATIO and claim.metric and "against" not in claim.about:
        yield "a ratio says against what (`against`)"
    if claim.metric and claim.low is None and claim.high is None:
        yield "names a metric and no figure"
    if claim.low is not None and claim.high is not None and claim.low > claim.high:
        yield f"{claim.low:g} <= {claim.high:g} does not hold"
