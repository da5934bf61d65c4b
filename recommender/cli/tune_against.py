"""`recommend tune --against BASELINE.json`: the nightly run. What an earlier sweep found best is measured again, and regressions are told."""

from __future__ import annotations

import datetime
import shutil
import time
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from recommender.cli import print_json, say
from recommender.domain.errors import UsageError
from recommender.measure.repetition import Repetition
from recommender.tune.baseline import Baseline, read
from recommender.tune.history import History
from recommender.tune.nightly import Nightly, Settings, Take

if TYPE_CHECKING:
    from recommender.cli.tune_session import Session

_WORKLOAD = ("prompt_tokens", "output_tokens", "context", "batch", "streams")


def against(options: Mapping[str, Any]) -> int:
    """Measure, judge, print: the exit code (0, 3 regression, 4 inconclusive, 5 device lost).

    Raises:
        UsageError: no such file, not a tune document, a baseline of another model or workload, a history that cannot be read.
    """
    from recommender.cli.tune_session import session_of
    from recommender.store.recent import data_dir

    baseline = read(options["against"], takes_all=options["all_cells"])
    session = session_of(as_measured(baseline, options))
    if (theirs := baseline.study.get("model")) not in (None, session.meta["model"]):
        raise UsageError(f"--against `{baseline.name}` is a baseline of {theirs}, not of `{options['model']}`", hints=(f"recommend tune --model {theirs} --against {baseline.name}",))
    night = Nightly(
        baseline=baseline, device_class=session.meta["class"], history=History(options["history"] or data_dir() / "nights", baseline.digest), take=_take(session, options),
        settings=Settings(max_regression=options["max_regression"], rounds=options["rounds"], budget=_budget(options), seed=options["seed"]), say=say,
        clock=time.monotonic, now=lambda: datetime.datetime.now(datetime.UTC),
    )
    try:
        document = night.run()
    finally:
        shutil.rmtree(session.campaign.work, ignore_errors=True)
    _print(document, options)
    return int(document["exit_code"])


def _take(session: Session, options: Mapping[str, Any]) -> Take:
    """How a point is measured: its artifact made and judged once, then one fresh process. The machine's state is looked at before the first."""
    from recommender.cli.tune_session import bench_of

    bench = bench_of(session, options, session.campaign.preflight()["spin"])
    points = session.space.by_id()

    def take(name: str, number: int) -> Repetition:
        point = points.get(name)
        if point is None:
            return Repetition(candidate=name, round=number, kind="lost", message="it is none of the points that can be run here now")
        judged = bench.judge(point)
        if judged.refusal:
            kind = "wrong-output" if judged.kind == "wrong-output" else "lost"  # without an artifact nothing is known of its speed
            return Repetition(candidate=name, round=number, kind=kind, message=judged.refusal)
        found: Repetition = bench.take(point, number)
        return found

    return take


def as_measured(baseline: Baseline, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with the baseline's model, workload and objectives where none are given.

    Raises:
        UsageError: another workload is asked for, or no model is known.
    """
    study = baseline.study
    known = study.get("workload")
    workload: Mapping[str, Any] = known if isinstance(known, Mapping) else {"key": known} if known else {}
    for name, theirs in (("workload", workload.get("key")), *((name, workload.get(name)) for name in _WORKLOAD)):
        if options[name] is not None and theirs is not None and options[name] != theirs:
            flag = "--" + name.replace("_", "-")
            raise UsageError(f"{flag} {options[name]}: --against `{baseline.name}` was measured with {theirs}", hints=(f"recommend tune --against {baseline.name} {flag} {theirs}",))
    model = options["model"] or study.get("model")
    if not model:
        raise UsageError(f"--model is missing, and `{baseline.name}` names none", hints=(f"recommend tune --model MODEL --against {baseline.name}",))
    asked = {name: options[name] if options[name] is not None else workload.get(name) for name in _WORKLOAD}
    objective = ",".join(row["metric"] for row in study["objectives"])
    return {**options, **asked, "model": model, "workload": options["workload"] or workload.get("key"), "objective": objective, "need": (*options["need"], *(study.get("needs") or ()))}


def _budget(options: Mapping[str, Any]) -> float:
    """A night takes what it takes, unless the user named a time."""
    context = click.get_current_context(silent=True)
    is_default = context is not None and context.get_parameter_source("budget") is ParameterSource.DEFAULT
    return inf if is_default else float(options["budget"] or inf)


def _print(document: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    output: Path | None = options.get("output")
    as_json = options["as_json"] or options.get("form") == "json"
    if as_json and not output:
        return print_json(document)
    from recommender.cli.render import nightly

    if as_json:
        import json

        text = json.dumps(document, sort_keys=True, ensure_ascii=False)
    else:
        text = nightly.text(document)
    if not output:
        return click.echo(text)
    try:
        output.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise UsageError(f"--output `{output}`: {error.strerror}") from None
