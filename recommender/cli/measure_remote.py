"""`recommend measure --runner COMMAND --parse TOOL`: the command runs where the device is, the protocol stays here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from recommender.apply import recipe
from recommender.apply.artifacts import Made, content_hash, files_of
from recommender.cli import say
from recommender.cli.acting import Situation, chosen, decided
from recommender.domain.errors import ActionFailed, UsageError
from recommender.intake.model_identity import content_identity
from recommender.measure.campaign import BUDGETS, Found, Settings, Subject
from recommender.measure.compare import compare
from recommender.measure.data import Data


def measured_remotely(options: Mapping[str, Any]) -> tuple[Found, Subject]:
    """One choice, round after round, each an invocation of the user's command.

    Raises:
        UsageError: which device it is was not said, no choice fits, a template or parser that is wrong. DeviceLost: the device vanished.
        ActionFailed: the command gave no figure.
    """
    from recommender.executors.remote.runner import FAR, Remote, push, take_remote

    began, started = time.monotonic(), time.time()
    program = Path(options["runner"].split()[0]).name if options["runner"].split() else ""
    if options["target"] == "this-machine" and program in FAR:
        raise UsageError(f"--runner {program} ...: which device is that? name it, so that its figures are kept for it", hints=("recommend measure --target raspberry-pi-5 ...", "recommend catalog list machines"))
    situation = decided(options, options["artifact"])
    choice = _choice(situation, options["choices"])
    made = _artifact(choice, situation, options)
    workload = situation.document["workload"]
    values = {**{name: workload[name] for name in ("batch", "prompt_tokens", "output_tokens", "context", "streams")}, "n_threads": choice["options"].get("n_threads")}
    settings = Settings(mode=options["mode"], budget=options["budget"] or BUDGETS[options["mode"]], only=(choice["id"],), tie_band=options["tie_band"])
    remote = Remote(candidate=choice["id"], command=options["runner"], parse=options["parser"], artifact=made.path, values=values, push=options["push"] or "", wall=settings.budget)
    push(remote)
    comparison = compare(
        [choice["id"]], choice["id"], lambda _, number: take_remote(remote, number), metric=workload["objective"], rng=Random(0), mode=settings.mode, tie_band=settings.tie_band,
        budget=settings.budget, say=say,
    )
    if failed := comparison.failures.get(choice["id"]):
        raise ActionFailed(f"`{options['runner']}`: {failed.message} ({failed.kind})")
    subject = Subject(
        document=situation.document, model=situation.model, model_hash=content_identity(situation.source.path), source=situation.source.path, target=situation.target,
        catalog=situation.catalog, data=Data(calibration=None, evaluation=None, is_own=False),
    )
    found = Found(
        choices={choice["id"]: choice}, made={choice["id"]: made}, gates={}, levels={}, left=(), preflight={"spin": "the command's own", "runner": options["runner"]}, plan={},
        settings=settings, comparison=comparison, started=started, spent=time.monotonic() - began,
    )
    return found, subject


def _choice(situation: Situation, asked: tuple[str, ...]) -> Mapping[str, Any]:
    """The choice that the command runs: the one that was named, else the user's file as it is, else the first; else what the file's format says."""
    document = situation.document
    if len(asked) > 1:
        raise UsageError("--runner measures one choice at a time", hints=(f"recommend measure --choice {asked[0]} ...",))
    if asked:
        others = [row for row in (*document["undetermined"], *document["rejected"]) if asked[0] in (row["id"], row["framework"])]
        is_eligible = any(asked[0] in (str(row["rank"]), row["id"], row["framework"]) for row in document["choices"])
        return _bare(others[0]) if others and not is_eligible else chosen(document, asked[0])
    if not document["choices"] and (bare := _of_format(situation)):
        return bare
    as_is = [choice["id"] for choice in document["choices"] if choice["is_as_is"]]
    return chosen(document, as_is[0] if as_is else "1")


def _of_format(situation: Situation) -> Mapping[str, Any] | None:
    """A file that says nothing of itself but its format (a compiled network): the framework that runs this format, as it is."""
    artifact = situation.model.artifact
    statements = [(row, framework) for framework in situation.catalog.frameworks.values() for row in framework.support if artifact and row.format == artifact.format and row.status != "no"]
    if not statements or artifact is None:
        return None
    statement, framework = statements[0]
    scheme, device = artifact.scheme or statement.schemes[0], situation.target.fingerprint.devices[0]
    return _bare({
        "id": f"{framework.key}/{statement.execution_provider}/{scheme}", "framework": framework.key, "execution_provider": statement.execution_provider,
        "device": device.id, "device_kind": device.kind, "format": artifact.format, "scheme": scheme,
    })


def _bare(identity: Mapping[str, Any]) -> Mapping[str, Any]:
    """A choice without numbers: what is not known, or even refused, can be measured all the same."""
    names = ("id", "framework", "execution_provider", "device", "device_kind", "format", "scheme")
    told = {name: identity[name] for name in names}
    return {**told, "rank": 1, "options": {}, "estimates": {}, "is_as_is": True, "recipe": {"steps": [], "launch": None}}


def _artifact(choice: Mapping[str, Any], situation: Situation, options: Mapping[str, Any]) -> Made:
    given: Path | None = options["artifact"]
    if given is None:
        scheme = situation.model.artifact.scheme if situation.model.artifact else None
        order = recipe.Order(choice=choice, source=situation.source.path, source_scheme=scheme or "F32", calibration=options["data"], may_download=options["yes"])
        return recipe.make(order, situation.catalog, say)
    return Made(key="", path=given.absolute(), size=sum(path.stat().st_size for path in files_of(given)), hash=content_hash(given), facts={})
