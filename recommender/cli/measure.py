"""`recommend measure`: replace estimates by numbers that come back when measured again, and say whether the order changes."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from recommender.cli import print_json, say
from recommender.cli.acting import Situation, acting_options, chosen, decided, parameters_of, prepared_by, with_settings
from recommender.cli.advise import Quantity
from recommender.cli.options import json_option
from recommender.domain.errors import RecommenderError, UsageError
from recommender.domain.measurement import MODES
from recommender.domain.recommendation import EXIT_CODES


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@acting_options
@click.option("--choice", "choices", multiple=True, metavar="N|ID", help="Only this choice of the answer: its rank, its id or its framework. Repeatable.")
@click.option("--setting", "settings", multiple=True, metavar="NAME=VALUE", help="With --choice: a run setting instead of the answer's (n_threads=2). Repeatable.")
@click.option("--budget", type=Quantity("s"), help="Wall-clock time for all of it (120s, 10m). Default: 1, 10 or 60 minutes by mode.")
@click.option("--mode", type=click.Choice(MODES), default="normal", show_default=True, help="quick: orders of magnitude; strict: refuses a machine that is not quiet.")
@click.option("--tie-band", type=click.FloatRange(min=0, min_open=True, max=0.5), default=0.02, show_default=True, help="Differences below it are none.")
@click.option("--retry", is_flag=True, help="Also what failed before and would fail again as far as can be told.")
@click.option("--runner", metavar="COMMAND", help="Run this command instead of an executor of ours: 'ssh pi hailortcli run {artifact}'.")
@click.option("--push", metavar="COMMAND", help="Before that, once: 'scp {artifact} pi:/tmp/'.")
@click.option("--artifact", type=click.Path(exists=True, path_type=Path), help="With --runner: the file it gets, where no step of ours can make it.")
@click.option("--parse", "parser", metavar="TOOL", help="How the output of --runner is read: a name or a file.")
@json_option
def measure(**options: Any) -> int:
    """Measure the runnable choices, different frameworks first, by one protocol."""
    if options["runner"] or options["parser"]:
        if not (options["runner"] and options["parser"]):
            raise UsageError("--runner and --parse go together", hints=("recommend measure --runner 'ssh pi hailortcli run {artifact}' --parse hailortcli ...",))
        from recommender.cli.measure_remote import measured_remotely

        document = _finished(*measured_remotely(options), options)
    else:
        if options["artifact"]:
            raise UsageError("--artifact goes with --runner: here the artifact is made from the weights", hints=("recommend measure --model MODEL ...",))
        document = measured_here(options)
    _print(document, options["as_json"])
    return EXIT_CODES.get(document["verdict"], 0)


def measured_here(options: Mapping[str, Any]) -> dict[str, Any]:
    """Decide, measure on this machine, store, decide again: the document."""
    if options.get("settings") and not options["choices"]:
        raise UsageError("--setting goes with --choice: of which?", hints=(f"recommend measure --choice 1 --setting {options['settings'][0]} ...",))
    if options["preparer"] and not options["choices"]:
        raise UsageError("--by goes with --choice: whose last step shall it do?", hints=(f"recommend measure --choice 1 --by {options['preparer']} ...",))
    situation = decided(options)
    return _measured(situation, options, tuple(chosen(situation.document, words)["id"] for words in options["choices"]))


def _measured(situation: Situation, options: Mapping[str, Any], only: tuple[str, ...]) -> dict[str, Any]:
    """Run the campaign on this machine."""
    from recommender.intake.cache_folder import cache_dir
    from recommender.intake.model_identity import content_identity
    from recommender.measure.campaign import BUDGETS, Campaign, Settings, Subject
    from recommender.measure.data import data_for
    from recommender.measure.remembered import Memory
    from recommender.store.evidence import EvidenceStore
    from recommender.store.recent import data_dir

    if situation.target.kind != "this-machine":
        raise UsageError(
            f"--target {options['target']}: only this machine can be measured from here by itself", hints=("recommend measure --runner 'ssh DEVICE COMMAND {artifact}' --parse TOOL ...",),
        )
    document = situation.document
    if options["preparer"]:
        document = {**document, "choices": [prepared_by(choice, options["preparer"]) if choice["id"] in only else choice for choice in document["choices"]]}
    if options.get("settings"):
        document = {**document, "choices": [with_settings(choice, options["settings"]) if choice["id"] in only else choice for choice in document["choices"]]}
    identity = content_identity(situation.source.path)
    subject = Subject(
        document=document, model=situation.model, parameters=parameters_of(options["parameters"]), model_hash=identity, source=situation.source.path, target=situation.target, catalog=situation.catalog,
        data=data_for(options["data"], is_language_model=situation.model.is_language_model),
    )
    settings = Settings(mode=options["mode"], budget=options["budget"] or BUDGETS[options["mode"]], only=only, tie_band=options["tie_band"], may_download=options["yes"])
    work = Path(cache_dir()) / "work" / f"measure-{uuid.uuid4().hex[:8]}"
    campaign = Campaign(
        subject=subject, settings=settings, say=say, journals=data_dir() / "runs", work=work,
        memory=Memory(store=EvidenceStore(), digest=situation.target.fingerprint.digest, model_hash=identity, say=say, is_ignored=options["retry"]),
    )
    told = _finished(campaign.run(), subject, options, campaign.done)
    shutil.rmtree(work, ignore_errors=True)
    return told


def _finished(found: Any, subject: Any, options: Mapping[str, Any], done: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Store what was found and decide again: the document. `done` is called when the figures cannot be lost any more."""
    from recommender.measure import report
    from recommender.store.evidence import EvidenceStore

    rows = report.measurements(found, subject)
    store = EvidenceStore()
    is_stored = keep_all(store, rows, done)
    after = decided(options, options.get("artifact")).document if is_stored else None
    return {**report.document(found, subject, rows, after), "stored": store.shown if is_stored else None}


def keep_all(store: Any, rows: list[Any], done: Callable[[], None]) -> bool:
    """Whether all are in the store. One that cannot be written is a warning: the figures are printed all the same, and wait."""
    from recommender.store.outbox import Outbox

    outbox = Outbox()
    try:
        outbox.keep(rows)
        done()
        outbox.deliver(store)
    except (RecommenderError, OSError) as error:
        say(f"warning: {error}")
        return False
    return True


def _print(document: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        return print_json(document)
    from recommender.cli.render.measured import text

    click.echo(text(document))
