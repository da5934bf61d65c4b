"""PURE: from an answer to what a sweep starts from: its space, its expectations, and the class of machines that share its trials."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from recommender.decide import attributes as attribute
from recommender.decide.advise import device_attributes
from recommender.decide.tables import Attributes
from recommender.domain.candidate import Candidate
from recommender.domain.catalog import Catalog
from recommender.domain.estimate import Estimate
from recommender.domain.fingerprint import Fingerprint
from recommender.domain.recommendation import Request
from recommender.domain.target import Target
from recommender.domain.workload import METRICS, Constraint
from recommender.estimate.weights import for_format
from recommender.tune.space import SCOPE, Choice, Space, space

_MARGIN = 1.25  # a roofline from a copy benchmark is no hard limit: reading alone is faster
_WORD = re.compile(r"[a-z0-9]+")


def space_of(choices: Sequence[Choice], request: Request, target: Target, catalog: Catalog) -> Space:
    """The choices that can be run here, with the settings that the `search` rows leave open."""
    by_device = device_attributes(request, target, catalog)
    told = {choice["id"]: _attributes(choice, by_device[choice["device"]], request, catalog) for choice in choices}
    return space(choices, told, [table for table in catalog.tables.values() if table.scope == SCOPE])


def _attributes(choice: Choice, of_device: Attributes, request: Request, catalog: Catalog) -> Attributes:
    names = ("id", "framework", "execution_provider", "device", "device_kind", "format", "scheme", "portability", "status", "is_as_is", "options")
    candidate = Candidate(**{name: choice[name] for name in names}, preparers=tuple(choice["preparers"]))
    scheme = for_format(catalog.schemes[candidate.scheme], candidate.format)
    return {**of_device, **attribute.candidate_attributes(candidate, request.wishes, catalog), **attribute.scheme_attributes(scheme)}


def estimates_of(choices: Sequence[Choice]) -> dict[str, dict[str, Estimate]]:
    """The answer's numbers, by choice and metric."""
    names = ("central", "low", "high", "unit", "basis")
    return {
        choice["id"]: {metric: Estimate(metric=metric, **{name: row[name] for name in names if row.get(name) is not None}) for metric, row in choice["estimates"].items() if metric in METRICS}
        for choice in choices
    }


def ceilings_of(choices: Sequence[Choice], objective: str, target: Target, *, is_dense: bool) -> dict[str, float]:
    """Choice -> decode rate that the memory bandwidth allows when each weight is read once a token. Only where both are known; not for mixtures of experts."""
    if objective != "decode_rate" or not is_dense:
        return {}
    devices = {device.id: device for device in target.fingerprint.devices}
    found = {}
    for choice in choices:
        bandwidth, _ = attribute.bandwidth_of(devices[choice["device"]], target.matched.get(choice["device"]), target)
        weights = choice["memory_by_component"].get("weights")
        if bandwidth and weights:
            found[choice["id"]] = _MARGIN * bandwidth / float(weights["central"] if isinstance(weights, Mapping) else weights)
    return found


def objectives_of(words: str | None, workload: Mapping[str, Any]) -> list[dict[str, str]]:
    """`decode_rate,quality_drop` -> metrics with their direction; by default the workload's objective.

    Raises:
        ValueError: an unknown metric, or one twice.
    """
    names = [name.strip() for name in (words or workload["objective"]).split(",") if name.strip()]
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise ValueError(f"`{unknown[0]}` is no metric (one of {', '.join(METRICS)})")
    if len(set(names)) < len(names):
        raise ValueError(f"`{words}` names a metric twice")
    return [{"metric": name, "better": METRICS[name][1]} for name in names]


def class_of(fingerprint: Fingerprint) -> str:
    """Machines of one class share their trials: the same processors, graphics and accelerators under the same operating system and architecture."""
    devices = sorted((device.kind, device.vendor or "", device.name or "", device.cores.physical if device.cores else None) for device in fingerprint.devices)
    told = [fingerprint.os.get("name"), fingerprint.architecture, devices]
    name = next((device.name or device.id for device in fingerprint.devices if device.kind == "cpu"), "machine")
    slug = "-".join(_WORD.findall(name.lower())[:6])[:40]
    return f"{slug}-{hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()[:8]}"


def needs_document(needs: Sequence[Constraint]) -> list[str]:
    return [need.text for need in needs]
