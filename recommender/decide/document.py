"""PURE: a Recommendation as the versioned document (contracts: the recommendation document), the base of every rendering."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from recommender import __version__
from recommender.domain.candidate import Candidate
from recommender.domain.catalog import Catalog
from recommender.domain.estimate import Estimate
from recommender.domain.model import ModelSpec
from recommender.domain.recommendation import SCHEMA_VERSION, Choice, Dismissal, RecipeStep, Recommendation
from recommender.domain.rule import Step
from recommender.domain.target import Target
from recommender.domain.workload import Constraint, Workload

_DIGITS = 6  # significant digits kept, so that the bytes do not hang on the last bit of a platform's arithmetic


def document(found: Recommendation, target: Target, catalog: Catalog, *, today: str, full_trace: bool = False) -> dict[str, Any]:
    """Plain data, JSON-ready. `id` is the hash of everything else."""
    body: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "target": _target(target, found),
        "model": _model(found.request.model),
        "workload": workload_document(found.request.workload),
        "wishes": _wishes(found),
        "verdict": found.verdict,
        "why": found.why,
        "choices": [_choice(choice) for choice in found.choices],
        "rejected": [_dismissal(row) for row in found.rejected],
        "undetermined": [_dismissal(row) for row in found.undetermined],
        "hints": list(found.hints),
        "trace": _trace(found.trace, catalog, full_trace),
        "today": today,
        "catalog_version": catalog.version,
        "engine_version": __version__,
    }
    if catalog.overlaid:
        body["overlaid"] = dict(sorted(catalog.overlaid.items()))
    return {**body, "id": content_id(body)}


def content_id(body: Mapping[str, Any]) -> str:
    """First 16 hex digits of the SHA-256 of the canonical JSON."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def rounded(value: Any) -> Any:
    """Numbers to six significant digits, containers to lists and dicts."""
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        short = float(f"{value:.{_DIGITS}g}")
        return int(short) if short.is_integer() and abs(short) < 1e15 else short
    if isinstance(value, Mapping):
        return {str(key): rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value]


def _target(target: Target, found: Recommendation) -> dict[str, Any]:
    fp = target.fingerprint
    return {
        "kind": target.kind,
        "name": target.name,
        "machine": target.machine.key if target.machine else None,
        "machine_name": (target.machine.name if target.machine else None) or fp.machine.get("model"),
        "os": fp.os.get("name"),
        "architecture": fp.architecture,
        "memory": {"total": fp.memory.total, "limit": fp.memory.limit},  # what is free moves, and nothing is decided by it
        "devices": [
            {
                "id": device.id, "kind": device.kind, "name": device.name or (target.matched[device.id].name if device.id in target.matched else None),
                "vendor": device.vendor, "matched": target.matched[device.id].key if device.id in target.matched else None,
                "memory_total": device.memory_total, "memory_usable": rounded(found.usable_memory.get(device.id)), "features": list(device.features),
            }
            for device in fp.devices
        ],
        "microbenchmark": rounded(fp.microbenchmark),
        "digest": fp.digest,
        "assumptions": list(found.assumptions),
        "overrides": rounded(target.overrides),
    }


def _model(model: ModelSpec) -> dict[str, Any]:
    names = ("key", "name", "task", "structure", "family", "architecture", "n_params", "n_active_params", "macs", "input", "context_length",
             "license", "gated", "repository", "note")
    found = {name: rounded(getattr(model, name)) for name in names}
    if model.artifact:
        artifact = model.artifact
        found["artifact"] = rounded({
            "format": artifact.format, "path": artifact.path, "size": artifact.size, "scheme": artifact.scheme,
            "bits_per_weight": artifact.bits_per_weight, "is_quantized": artifact.is_quantized, "tensor_types": artifact.tensor_types,
            "details": artifact.details,
        })
    return found


def workload_document(workload: Workload) -> dict[str, Any]:
    names = ("key", "name", "scenario", "prompt_tokens", "output_tokens", "context", "batch", "concurrency", "streams", "fps", "sustained",
             "window", "objective")
    found = {name: rounded(getattr(workload, name)) for name in names}
    return {**found, **{name: [_constraint(row) for row in getattr(workload, name)] for name in ("floor", "comfort", "needs")}}


def _constraint(row: Constraint) -> dict[str, Any]:
    return {"metric": row.metric, "statistic": row.statistic or None, "relation": row.relation, "bound": rounded(row.bound), "text": row.text}


def _wishes(found: Recommendation) -> dict[str, Any]:
    wishes = found.request.wishes
    names = ("prefer", "way_of_working", "is_mobile", "is_cross_platform", "is_offline", "allow_below_floor", "frameworks", "excluded_frameworks", "ignore_evidence")
    return {**{name: rounded(getattr(wishes, name)) for name in names}, "beside": [model.key for model in found.request.beside]}


def _identity(candidate: Candidate) -> dict[str, Any]:
    return {
        "id": candidate.id, "framework": candidate.framework, "execution_provider": candidate.execution_provider, "device": candidate.device,
        "device_kind": candidate.device_kind, "format": candidate.format, "scheme": candidate.scheme,
    }


def _choice(choice: Choice) -> dict[str, Any]:
    candidate = choice.candidate
    return {
        "rank": choice.rank,
        **_identity(candidate),
        "preparer": candidate.preparers[-1] if candidate.preparers else None,
        "preparers": list(candidate.preparers),
        "options": rounded(candidate.options),
        "portability": candidate.portability,
        "status": candidate.status,
        "is_as_is": candidate.is_as_is,
        "runnable_here": choice.runnable_here,
        "eligibility": "eligible",
        "estimates": estimates_document(choice.estimates),
        "memory_by_component": rounded(choice.memory_by_component),
        "criteria": [
            {"id": row.id, "label": row.label, "key": rounded(row.key), "shown": row.shown, "basis": row.basis or None} for row in choice.criteria
        ],
        "rules": list(choice.rules),
        "reasons": dict(choice.reasons),
        "warnings": list(choice.warnings),
        "recipe": {"steps": [_recipe_step(step) for step in choice.recipe], "launch": choice.launch or None},
        "pareto": choice.pareto,
    }


def _recipe_step(step: RecipeStep) -> dict[str, Any]:
    return {
        "action": step.action, "preparer": step.preparer or None, "where": step.where, "inputs": list(step.inputs), "outputs": list(step.outputs),
        "parameters": rounded(step.parameters), "size": step.size,
    }


def estimates_document(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {
        name: {
            "central": rounded(row.central), "low": rounded(row.low), "high": rounded(row.high), "unit": row.unit, "basis": row.basis,
            "proxy": row.proxy, "bound": row.bound or None, "sources": list(row.sources), "why": row.why or None, "inputs": rounded(row.inputs),
        }
        for name, row in sorted(estimates.items())
    }


def _dismissal(row: Dismissal) -> dict[str, Any]:
    return {**_identity(row.candidate), "eligibility": row.eligibility, "because": [_step(step) for step in row.because]}


def _step(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {
        "rule": step.rule, "subject": step.subject, "outcome": step.outcome, "because": step.because,
        "readings": [
            {"attribute": r.attribute, "value": rounded(r.value), "origin": r.origin, "condition": rounded(r.condition), "outcome": r.outcome}
            for r in step.readings
        ],
        "effect": rounded(step.effect),
    }
    if step.overridden_by:
        found["overridden_by"] = step.overridden_by
    return found


def _trace(steps: Iterable[Step], catalog: Catalog, full: bool) -> dict[str, Any]:
    """Fired and unknown steps once per rule, reading set and effect (subjects joined), counts of the rest; `full` keeps every one."""
    rows = list(steps)
    counts: dict[str, int] = {}
    for step in rows:
        counts[step.outcome] = counts.get(step.outcome, 0) + 1
    support_ids = {row.id for framework in catalog.frameworks.values() for row in framework.support}
    if full:
        return {"steps": [_step(step) for step in rows], "counts": counts}
    kept: dict[str, dict[str, Any]] = {}
    closed = []
    for step in rows:
        if step.outcome == "not-fired" and step.rule in support_ids:
            closed.append(_step(step))
        if step.outcome == "not-fired":
            continue
        plain = _step(step)
        plain["readings"] = [r for r in plain["readings"] if not r["attribute"].startswith(("estimate.", "candidate.", "quantization."))] if len(rows) > 1 else plain["readings"]
        key = json.dumps([plain["rule"], plain["outcome"], plain["readings"], plain["effect"], plain.get("overridden_by")], sort_keys=True)
        if key in kept:
            kept[key]["subjects"].append(step.subject)
        else:
            plain["subjects"] = [plain.pop("subject")]
            kept[key] = plain
    return {"steps": list(kept.values()), "closed": closed, "counts": counts}
