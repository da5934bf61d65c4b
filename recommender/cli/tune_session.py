"""A sweep from the command line: the answer, its space, the record, the bench; then the loop, the evidence and the document."""

from __future__ import annotations

import shlex
import shutil
import signal
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommender.cli import say
from recommender.cli.acting import Situation, decided, parameters_of
from recommender.domain.errors import ActionFailed, ModelFileError, UsageError
from recommender.domain.recommendation import Request, Wishes
from recommender.executors.remote.runner import FAR
from recommender.measure.campaign import Campaign, Settings, Subject
from recommender.measure.contenders import contenders
from recommender.tune import report, setup
from recommender.tune.exchange import Exchange
from recommender.tune.fleet import TOLD
from recommender.tune.importance import importance
from recommender.tune.live import Live
from recommender.tune.outlook import Outlook
from recommender.tune.remote import Remote, one_path, reachable
from recommender.tune.sampler import Proposals, sampler_for
from recommender.tune.space import Space, settings_in
from recommender.tune.storage import BESIDE, Record, names, rows_of
from recommender.tune.sweep import Limits, Sweep
from recommender.tune.worker import is_gone

_FEW = 60  # trials that a default budget is expected to hold, for the choice of a sampler


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """All that a sweep works with on this machine."""

    situation: Situation
    request: Request
    campaign: Campaign
    space: Space
    outlook: Outlook
    meta: Mapping[str, Any]
    choices: tuple[Mapping[str, Any], ...]


def swept(options: Mapping[str, Any]) -> dict[str, Any]:
    """Run a sweep, or go on with one, to its end: the document.

    Raises:
        UsageError, ActionFailed: nothing can be measured here; bad objectives; a storage that cannot be opened.
    """
    url = storage_url(options)
    options = _with_model(options, url)
    session = session_of(options)
    record = Record(url, study_name(options, session.meta), directions=[row["better"] for row in session.meta["objectives"]], meta=session.meta, say=say)
    seen = {"spin": "the command's own", "runner": options["runner"]} if options["runner"] else session.campaign.preflight()
    exchange = exchange_of(session, options, record)
    bench = bench_of(session, options, seen["spin"], exchange)
    kind = sampler_for(options["sampler"], len(session.meta["objectives"]), options["trials"] or _FEW)
    proposals = Proposals(session.space, kind, better=[row["better"] for row in session.meta["objectives"]], seed=options["seed"])
    with _stoppable() as stop:
        sweep = Sweep(
            space=session.space, outlook=session.outlook, record=record, bench=bench, proposals=proposals, objectives=session.outlook.objectives, needs=session.outlook.needs,
            limits=Limits(budget=options["budget"], trials=options["trials"] or 10**9, mode=options["mode"], tie_band=options["tie_band"]), seed=options["seed"],
            baseline=session.meta["baseline"], say=_progress(session, options["budget"]), stop=stop,
        )
        try:
            ended = sweep.run()
        finally:
            if exchange:
                exchange.close()
    shutil.rmtree(session.campaign.work, ignore_errors=True)
    document = _document(session, record, ended, options)
    record.keep("last", {"n_trials": len(record.rows()), **{name: document[name] for name in TOLD}})
    _keep(session, record, bench, seen, document)
    return {**document, "study": {**document["study"], "name": record.name.rpartition("/")[0], "storage": url, "sampler": kind, "mode": options["mode"], "budget_s": options["budget"]}}


def planned(options: Mapping[str, Any]) -> dict[str, Any]:
    """What a sweep would measure, in which order, how long each takes, and what each could change."""
    from recommender.tune.plan import plan

    options = _with_model(options, storage_url(options))
    session = session_of(options)
    return plan(session.space, session.outlook, session.choices, session.meta, budget=options["budget"], mode=options["mode"])


def reported(options: Mapping[str, Any]) -> dict[str, Any]:
    """What a study found on every class of machines, and over the fleet.

    Raises:
        UsageError: there is no such study in the storage.
    """
    from recommender.tune.fleet import merged

    url = storage_url(options)
    found = {name: rows_of(url, name) for name in names(url) if not options["study"] or name.rpartition("/")[0] == options["study"]}
    if not found:
        known = sorted({name.rpartition("/")[0] for name in names(url)})
        raise UsageError(f"--study `{options['study'] or ''}`: there is none in {url}", hints=tuple(f"recommend tune --report --storage {url} --study {name}" for name in known[:3]) or ("recommend tune --model ./model.gguf --storage ... --study NAME",))
    return {**merged(found), "storage": url}


def session_of(options: Mapping[str, Any]) -> Session:
    """Decide, and make the space of what can be run here."""
    from recommender import compose
    from recommender.intake.cache_folder import cache_dir
    from recommender.intake.model_identity import content_identity
    from recommender.measure.data import data_for
    from recommender.measure.remembered import Memory
    from recommender.store.evidence import EvidenceStore
    from recommender.store.recent import data_dir

    situation = _decided(options)
    if options["runner"] and situation.target.kind == "this-machine" and Path(shlex.split(options["runner"])[0]).name in FAR:
        raise UsageError(f"--runner {options['runner']}: which device is that? name it, so that its figures are kept for it", hints=("recommend tune --target raspberry-pi-5 ...", "recommend catalog list machines"))
    if situation.target.kind != "this-machine" and not options["runner"]:
        raise UsageError(f"--target {options['target']}: only this machine is swept by itself", hints=("recommend tune --runner 'ssh DEVICE COMMAND {artifact}' --parse TOOL ...",))
    workload = compose.resolve_workload(
        options["workload"], situation.model, situation.catalog, {name: options[name] for name in ("prompt_tokens", "output_tokens", "context", "batch", "streams")}, options["need"],
    )
    request = compose.make_request(situation.model, workload, Wishes(allow_below_floor=options["allow_below_floor"]), ())
    identity = content_identity(situation.source.path)
    subject = Subject(
        document=situation.document, model=situation.model, parameters=parameters_of(options["parameters"]), model_hash=identity, source=situation.source.path,
        target=situation.target, catalog=situation.catalog, data=data_for(options["data"], is_language_model=situation.model.is_language_model),
    )
    campaign = Campaign(
        subject=subject, settings=Settings(mode="quick", budget=options["budget"], tie_band=options["tie_band"], may_download=options["yes"], is_supplied=options.get("artifacts") is not None), say=say,
        journals=data_dir() / "runs", work=Path(cache_dir()) / "work" / f"tune-{uuid.uuid4().hex[:8]}",
        memory=Memory(store=EvidenceStore(), digest=situation.target.fingerprint.digest, model_hash=identity, say=say, is_ignored=options["retry"]),
    )
    runnable, left = contenders(situation.document["choices"], campaign.refusal)
    if options["runner"]:
        runnable = one_path(list(situation.document["choices"]))
    if not runnable:
        shown = [f"{row.id}: {row.reason}" for row in left][:3] or [situation.document["why"]]
        raise ActionFailed("nothing can be measured here; " + "; ".join(shown), hints=tuple(dict.fromkeys(row.hint for row in left if row.hint))[:3])
    choices = tuple(sorted(runnable, key=lambda choice: int(choice["rank"])))
    try:
        objectives = setup.objectives_of(options["objective"], situation.document["workload"])
    except ValueError as error:
        raise UsageError(f"--objective: {error}", hints=("recommend tune --objective decode_rate,peak_memory ...",)) from None
    space = setup.space_of(choices, request, situation.target, situation.catalog)
    space = reachable(space, options["runner"]) if options["runner"] else space
    is_dense = not situation.model.n_experts
    outlook = Outlook(
        space=space, objectives=[row["metric"] for row in objectives], needs=workload.needs, estimates=setup.estimates_of(choices),
        ceilings=setup.ceilings_of(choices, objectives[0]["metric"], situation.target, is_dense=is_dense),
    )
    meta = {
        "objectives": objectives, "needs": setup.needs_document(workload.needs), "workload": {name: situation.document["workload"][name] for name in ("key", "prompt_tokens", "output_tokens", "context", "batch", "streams")},
        "model": situation.model.key, "model_hash": identity, "class": setup.class_of(situation.target.fingerprint), "seed": options["seed"], "baseline": space.points[0].id,
        "target": {"name": situation.target.name, "digest": situation.target.fingerprint.digest}, "estimates": {choice["id"]: choice["estimates"] for choice in choices},
    }  # fmt: skip
    return Session(situation=situation, request=request, campaign=campaign, space=space, outlook=outlook, meta=meta, choices=choices)


def _decided(options: Mapping[str, Any]) -> Situation:
    try:
        return decided(options)
    except (ModelFileError, UsageError):
        if not options.get("is_model_joined"):
            raise
        raise UsageError(f"--join: the sweep is of the model `{options['model']}`, which is not found here by its name", hints=("recommend tune --join ... --model ./where-its-weights-lie",)) from None


def bench_of(session: Session, options: Mapping[str, Any], spin: str, exchange: Exchange | None = None) -> Live:
    """This machine, or a device behind a command."""
    if options["runner"]:
        if not options["parser"]:
            raise UsageError("--runner: how is its output read?", hints=("recommend tune --runner ... --parse llama-bench",))
        return Remote(session.campaign, command=options["runner"], push=options["push"], parser=options["parser"], exchange=exchange)
    return Live(session.campaign, spin=spin, exchange=exchange)


def exchange_of(session: Session, options: Mapping[str, Any], record: Record) -> Exchange | None:
    """The artifacts that the machines of a sweep share; None without a folder for them."""
    if not options["artifacts"]:
        return None
    beside = Record(record.url, f"{BESIDE}{record.name.rpartition('/')[0]}", directions=["up"], meta={"model_hash": session.meta["model_hash"]}, say=say)
    return Exchange(options["artifacts"], beside, session.campaign.make, source=str(session.meta["model_hash"]), strength=options["strength"], say=say)


def storage_url(options: Mapping[str, Any]) -> str:
    from recommender.store.recent import data_dir

    return str(options["storage"] or f"journal:{data_dir() / 'sweeps.log'}")


def study_name(options: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    """The sweep's name, and the class of machines that share its trials."""
    name = options["study"] or f"{meta['model']}-{meta['workload']['key']}-{'-'.join(row['metric'] for row in meta['objectives'])}"
    return f"{name}/{meta['class']}"


def _with_model(options: Mapping[str, Any], url: str) -> Mapping[str, Any]:
    """A sweep that is joined knows its model, workload and objectives."""
    if options["model"] and options["join"] is None:
        return options
    known = list(dict.fromkeys(name.rpartition("/")[0] for name in names(url)))
    study = options["study"] or (known[0] if options["join"] is not None and len(known) == 1 else "")
    found = [rows_of(url, name)[0] for name in names(url) if name.rpartition("/")[0] == study]
    if not found:
        if options["join"] is not None:
            what = "which one of several?" if len(known) > 1 and not study else "there is no such study"
            raise UsageError(f"--join `{study}`: {what} in {url}", hints=tuple(f"recommend tune --join {name} --storage {url}" for name in known[:3]) or (f"recommend tune --model ... --storage {url}",))
        raise UsageError("--model is missing", hints=("recommend tune --model ./model.gguf",))
    meta = found[0]
    kept = {name: options[name] or meta["workload"][name] for name in ("prompt_tokens", "output_tokens", "context", "batch", "streams")}
    return {
        **options, **kept, "study": study, "is_model_joined": not options["model"], "model": options["model"] or meta["model"], "workload": options["workload"] or meta["workload"]["key"], "need": options["need"] or tuple(meta["needs"]),
        "objective": options["objective"] or ",".join(row["metric"] for row in meta["objectives"]),
    }


def _document(session: Session, record: Record, ended: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    rows = record.rows()
    objectives = session.meta["objectives"]
    settled = session.outlook.hopeless()
    pruned = {point: told for point, other in settled.items() if (told := _why_never(session, point, other))}
    return report.document(
        {name: value for name, value in session.meta.items() if name != "estimates"}, rows, session.space.by_id(), session.meta["estimates"], needs=session.outlook.needs, ended=ended,
        pruned=pruned, importance=importance(rows, [row["metric"] for row in objectives], [row["better"] for row in objectives]),
        reproducer=lambda point: _command(point, options),
    )


def _why_never(session: Session, point: str, other: str) -> dict[str, Any]:
    metric = session.meta["objectives"][0]["metric"]
    rows = session.outlook.ranges(metric)
    mark = rows[other].pessimistic if other in rows else None
    return {"metric": metric, "optimistic": rows[point].optimistic, "best_pessimistic": mark, "settled_by": other}


def _command(point: str, options: Mapping[str, Any]) -> str:
    """A line that makes and measures the choice of a point again."""
    settings = "".join(f" --setting {name}={value}" for name, value in settings_in(point).items())
    there = "".join(f" --{name} {shlex.quote(str(options[key]))}" for name, key in (("target", "target"), ("runner", "runner"), ("parse", "parser"))) if options["runner"] else ""
    return f"recommend measure --model {shlex.quote(str(options['model']))} --choice {point.partition('?')[0]}{settings}{there}"


def _keep(session: Session, record: Record, bench: Any, seen: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """What was measured becomes evidence."""
    from recommender.cli.measure import keep_all
    from recommender.store.evidence import EvidenceStore
    from recommender.tune.evidence import measurements

    rows = [row for row in record.rows() if row.number >= record.first and (row.worker == record.worker or is_gone(row.worker))]  # of earlier lives too
    keep_all(EvidenceStore(), measurements(rows, session.space.by_id(), {choice["id"]: choice for choice in session.choices}, session.campaign.subject, seen), lambda: None)


def _progress(session: Session, budget: float) -> Callable[[str], None]:
    """Lines with the time left and the best so far."""
    import time

    began = time.monotonic()

    def tell(line: str) -> None:
        best = session.outlook.best()
        metric = session.outlook.objectives[0]
        shown = f"; best {session.outlook.ranges(metric)[best].central:.4g} ({best})" if best else ""
        say(f"[{max(0.0, budget - (time.monotonic() - began)):.0f} s left] {line}{shown}")

    return tell


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """The first interrupt ends the sweep after the trial that runs; the second at once."""
    asked: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        say("stopping after this trial; once more stops at once")

    signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
