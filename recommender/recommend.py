"""One question, answered: decide for each model, build the documents, find the largest usable language model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from recommender.compose import make_request, model_overridden, resolve_workload, workload_overridden
from recommender.decide.advise import advise
from recommender.decide.document import content_id, document
from recommender.domain.catalog import Catalog
from recommender.domain.evidence import Evidence
from recommender.domain.model import ModelSpec
from recommender.domain.recommendation import Recommendation, Wishes
from recommender.domain.target import Target
from recommender.domain.workload import Workload
from recommender.estimate.evidence import sorted_out
from recommender.evidence import elsewhere

if TYPE_CHECKING:
    from recommender.domain.measurement import Measurement

    Measurements = Mapping[str, tuple[Measurement, ...]]  # key of a model -> what was measured of it on this machine, the newest first

STALE_MONTHS = 12


def decide(
    model: ModelSpec, target: Target, catalog: Catalog, *, workload_key: str | None, workload_overrides: Mapping[str, Any], needs: Iterable[str],
    wishes: Wishes, beside: tuple[ModelSpec, ...], today: str, full_trace: bool = False, measurements: Measurements | None = None,
) -> dict[str, Any]:
    """The document for one model. `measurements`: as `compose.measurements` finds them; those that no longer hold are told, not used."""
    model = model_overridden(model, target.overrides)
    workload = resolve_workload(workload_key, model, catalog, workload_overridden(workload_overrides, target.overrides), needs)
    evidence, stale = _evidence(model, target, catalog, wishes, measurements)
    aged = replace(target, assumptions=(*target.assumptions, *_staleness(catalog, today), *stale))
    found = advise(make_request(model, workload, wishes, beside), aged, catalog, evidence)
    return document(found, aged, catalog, today=today, full_trace=full_trace)


def _evidence(model: ModelSpec, target: Target, catalog: Catalog, wishes: Wishes, measurements: Measurements | None) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """Published and imported figures and those measured here, and a sentence for each measurement that is stale."""
    if wishes.ignore_evidence:
        return (), ()
    rows = (measurements or {}).get(model.key, ())
    here, stale = sorted_out(rows, model.key, target.fingerprint)
    return (*catalog.evidence.get(model.key, ()), *here, *elsewhere.evidence(rows, model.key)), stale


def combined(answers: list[dict[str, Any]], largest: Mapping[str, Any]) -> dict[str, Any]:
    """The document without a model: one answer a class, and the largest usable language model."""
    first = answers[0]
    body = {
        "schema_version": first["schema_version"], "target": first["target"], "answers": answers, "largest_usable": dict(largest),
        "verdict": _overall(answers), "today": first["today"], "catalog_version": first["catalog_version"], "engine_version": first["engine_version"],
    }
    return {**body, "id": content_id(body)}


def _overall(answers: list[dict[str, Any]]) -> str:
    """An answer exists as soon as one class has one."""
    words: list[str] = [answer["verdict"] for answer in answers]
    answered = [word for word in words if word in ("RECOMMENDED", "KEEP-BASELINE", "TIE")]
    return answered[0] if answered else words[0]


def largest_usable(target: Target, catalog: Catalog, wishes: Wishes, workload: Workload | None = None, measurements: Measurements | None = None) -> dict[str, Any] | None:
    """The language model with the most parameters that is recommended here for chat (or the given workload), with its first choice."""
    chat = workload or next(row for row in catalog.workloads.values() if "text-generation" in row.default_for)
    models = sorted((m for m in catalog.models.values() if m.task == "text-generation" and m.n_params), key=lambda m: (-(m.n_params or 0), m.key))
    room = max((memory for memory in _rooms(target)), default=None)
    for model in models:
        if room is not None and (model.n_params or 0) * _LEAST_BITS / 8 > room:
            continue
        context = min(chat.context, model.context_length or chat.context)
        evidence, _ = _evidence(model, target, catalog, wishes, measurements)
        found = _quietly(model, replace(chat, context=context), target, catalog, wishes, evidence)
        if found is not None:
            choice = found.choices[0]
            rate = choice.estimates[chat.objective]
            return {
                "model": model.key, "name": model.name, "n_params": model.n_params, "choice": choice.candidate.id, "workload": chat.key,
                chat.objective: {"central": rate.central, "low": rate.low, "high": rate.high, "unit": rate.unit, "basis": rate.basis},
            }
    return None


_LEAST_BITS = 2.0  # below this no scheme passes the quality gate; only a shortcut, the decision itself judges memory


def _rooms(target: Target) -> list[float]:
    pools = [target.overrides.get("host.memory_total") or target.fingerprint.memory.limit or target.fingerprint.memory.total]
    pools += [device.memory_total for device in target.fingerprint.devices]
    return [float(pool) for pool in pools if isinstance(pool, (int, float)) and pool]


def _quietly(model: ModelSpec, workload: Workload, target: Target, catalog: Catalog, wishes: Wishes, evidence: tuple[Evidence, ...]) -> Recommendation | None:
    """The recommendation when its first choice passes the quality gate and is shown to reach the floor, else None."""
    found = advise(make_request(model, workload, wishes, ()), target, catalog, evidence)
    if not found.choices or found.verdict not in ("RECOMMENDED", "TIE", "KEEP-BASELINE"):
        return None
    choice = found.choices[0]
    gate = next((row for row in choice.criteria if row.label.startswith("quality gate")), None)
    rate = choice.estimates.get(workload.objective)
    return found if rate and rate.central is not None and (gate is None or gate.key < 1.0) else None


def _staleness(catalog: Catalog, today: str) -> tuple[str, ...]:
    """A sentence when the catalogue is older than a year on the day of the question."""
    dated = catalog.version.split("+")[0].split(".")
    try:
        made = int(dated[0]) * 12 + int(dated[1])
        now = int(today[:4]) * 12 + int(today[5:7])
    except (ValueError, IndexError):
        return ()
    return (f"the catalogue is {now - made} months old",) if now - made > STALE_MONTHS else ()
