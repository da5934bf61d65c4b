"""The correctness gate of a campaign: every artifact against the unquantized source, before any speed; results are kept by content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.apply import recipe
from recommender.apply.artifacts import Made
from recommender.domain.errors import ExecutorUnavailable, RecommenderError
from recommender.executors import registry
from recommender.intake.cache_folder import cache_dir
from recommender.measure import isolate
from recommender.measure.quality import N_WINDOWS, gate
from recommender.measure.reference import reference_choice
from recommender.measure.take import Run, job, options_of

if TYPE_CHECKING:
    from recommender.measure.campaign import Campaign
    from recommender.measure.contenders import Choice

# What no scheme may break, whatever the user asks: damage beyond these is a fault of the conversion, not a trade-off. Own judgement.
_LANGUAGE = {"kl": 1.0, "top1_agreement": 0.5}
_LABELLED = {"quality_drop": 0.15}
_UNLABELLED = {"cosine": 0.9}
_QUICK_WINDOWS = 4


def judge(campaign: Campaign, choices: list[Choice], made: Mapping[str, Made]) -> dict[str, dict[str, Any]]:
    """Per choice: verdict (pass, fail, anomalous, unknown, lost), reason and, where it could be told, quality.

    Unknown: there is nothing to compare with; speed is measured all the same, and quality stays unknown.
    """
    reference = _reference(campaign)
    if isinstance(reference, str):
        campaign.say(f"quality is not judged: {reference}")
        return {choice["id"]: {"verdict": "unknown", "reason": reference, "quality": {}} for choice in choices}
    return {choice["id"]: _judged(campaign, choice, made[choice["id"]], *reference) for choice in choices}


def _plan(campaign: Campaign) -> dict[str, Any]:
    data = campaign.subject.data
    quick = {"n_windows": _QUICK_WINDOWS} if campaign.settings.mode == "quick" else {}
    if campaign.subject.model.is_language_model:
        return {"text": str(data.evaluation), "calibration": str(data.calibration), **quick}
    return {"test": str(data.evaluation), "task": campaign.subject.model.task, "batch": campaign.subject.document["workload"]["batch"]}


def _reference(campaign: Campaign) -> tuple[Path, str] | str:
    """(file of the source's outputs, hash of the source as it was run), or why there is none."""
    subject = campaign.subject
    if subject.data.evaluation is None:
        return "no samples of real inputs were given (--data samples.npz)"
    choice = reference_choice(subject.model)
    if isinstance(choice, str):
        return choice
    try:
        source = recipe.make(recipe.Order(choice=choice, source=subject.source, source_scheme=choice["scheme"], may_download=campaign.settings.may_download), subject.catalog, campaign.say)
        run = Run(candidate="reference", runner=choice["framework"], artifact=source.path, folder=campaign.work, options=options_of(choice), plan=_plan(campaign))
        kept = _folder() / f"{_key(source.hash, choice, _plan(campaign))}.npz"
        if not kept.is_file():
            campaign.say("the source's own outputs are taken as the reference ...")
            partial = kept.with_name(f"{kept.stem}.{os.getpid()}.partial.npz")
            outcome = isolate.run(job(run, "reference", "reference", out=str(partial)))
            if not outcome.ok:
                partial.unlink(missing_ok=True)
                return f"the source does not run as it is: {outcome.message}"
            os.replace(partial, kept)
    except RecommenderError as error:
        return f"the source cannot be run as it is: {error.message}"
    return kept, source.hash


def _judged(campaign: Campaign, choice: Choice, made: Made, reference: Path, source_hash: str) -> dict[str, Any]:
    scheme = campaign.subject.catalog.schemes[choice["scheme"]]
    told = {"is_lossless": scheme.scope == "float" or choice["is_as_is"], "is_unchanged": made.hash == source_hash}
    limits = _limits(campaign)
    plan = _plan(campaign)
    for is_final in (False, True):
        quality = _compared(campaign, choice, made, reference, {**plan, **({"n_windows": 2 * plan.get("n_windows", N_WINDOWS), "n_samples": 800} if is_final else {})})
        if "kind" in quality and quality["kind"] == "failed":
            return {"verdict": "fail", "reason": quality["why"], "quality": {}}
        verdict, reason = gate(quality, told, limits if any(name in quality for name in limits) else {}, is_final=is_final)
        if verdict != "near":
            break
        campaign.say(f"{choice['id']}: near the limit ({reason}): the samples are doubled")
    if verdict in ("fail", "anomalous"):
        campaign.say(f"{choice['id']}: {verdict}: {reason}")
    return {"verdict": verdict, "reason": reason, "quality": quality}


def _compared(campaign: Campaign, choice: Choice, made: Made, reference: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """The candidate's figures, from the cache when this very artifact was judged against this very reference before."""
    version = registry.ready(registry.runner(choice["framework"])).version
    kept = _folder() / f"{_key(made.hash, choice, plan, reference.stem, version)}.json"
    try:
        return dict(json.loads(kept.read_text("utf-8")))
    except (OSError, ValueError):
        pass
    campaign.say(f"{choice['id']}: quality ...")
    run = Run(
        candidate=choice["id"], runner=choice["framework"], artifact=made.path, folder=campaign.work / choice["id"].replace("/", "-"), options=options_of(choice), plan=plan,
    )
    try:
        outcome = isolate.run(job(run, "compare", "quality", reference=str(reference)))
    except ExecutorUnavailable as error:
        return {"kind": "failed", "why": error.message}
    if not outcome.ok:
        return {"kind": "failed", "why": f"{outcome.message} ({outcome.kind})"}
    partial = kept.with_name(f"{kept.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(outcome.value), "utf-8")
    os.replace(partial, kept)
    return dict(outcome.value)


def _limits(campaign: Campaign) -> dict[str, float]:
    """What must not be broken, and what the user needs."""
    needs = {row["metric"]: row["bound"] for row in campaign.subject.document["workload"]["needs"] if row["relation"] in ("<=", "<")}
    asked = {"quality_drop": needs["quality_drop"]} if "quality_drop" in needs else {}
    if campaign.subject.model.is_language_model:
        return {**_LANGUAGE, **asked}
    return {**_LABELLED, **asked} if _has_labels(campaign.subject.data.evaluation) else {**_UNLABELLED, **asked}


def _has_labels(path: Path | None) -> bool:
    import numpy as np

    if path is None:
        return False
    with np.load(path, allow_pickle=False) as stored:
        return "labels" in stored.files


def _folder() -> Path:
    folder = Path(cache_dir()) / "quality"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _key(artifact: str, choice: Choice, plan: Mapping[str, Any], *more: str) -> str:
    told = [artifact, choice["framework"], choice["execution_provider"], choice["options"], plan, more]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:32]
