"""`recommend tune`: search the settings that rules leave open, on this machine or on many, within a time that the user names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from recommender.cli import print_json
from recommender.cli.acting import acting_options
from recommender.cli.advise import Quantity
from recommender.cli.options import json_option
from recommender.domain.errors import ExecutorUnavailable, UsageError
from recommender.domain.measurement import MODES
from recommender.domain.recommendation import EXIT_CODES

_FORMATS = ("text", "json", "markdown", "html")
_SAMPLERS = ("auto", "tpe", "gp", "nsga2", "random")


def _without_required_model(command: Callable[..., Any]) -> Callable[..., Any]:
    """A study that is joined or reported knows its model."""
    for option in getattr(command, "__click_params__", ()):
        if option.name == "model":
            option.required = False
    return command


class _Share(click.ParamType):  # type: ignore[type-arg]  # not generic in all releases
    """`5%` or `0.05`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            found = float(str(value).strip().removesuffix("%")) / (100 if str(value).strip().endswith("%") else 1)
        except ValueError:
            found = -1.0
        if not 0 < found < 1:
            raise UsageError(f"{param.opts[0] if param else ''} `{value}` is no share between 0 and 100 %", hints=("--max-regression 5%",))
        return found


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@_without_required_model
@acting_options
@click.option("--budget", type=Quantity("s"), default="10m", show_default=True, help="Wall-clock time for all of it.")
@click.option("--trials", type=click.IntRange(min=1), help="At most so many trials.")
@click.option("--objective", metavar="METRIC,...", help="What to search for; several give a Pareto front. Default: the workload's.")
@click.option("--storage", metavar="URL", help="journal:FILE, sqlite:///FILE, postgresql://..., grpc://HOST:PORT. Default: a journal in the data folder.")
@click.option("--study", metavar="NAME", help="Name of the sweep; one that was cut off goes on under its name. Default: from model and workload.")
@click.option("--join", is_flag=False, flag_value="", metavar="[STUDY]", help="Work on a sweep that runs elsewhere; needs --storage.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--sampler", type=click.Choice(_SAMPLERS), default="auto", show_default=True, help="What proposes beside the estimates.")
@click.option("--mode", type=click.Choice(MODES), default="quick", show_default=True, help="Of the final: quick 3 rounds, normal up to 10, strict up to 14.")
@click.option("--tie-band", type=click.FloatRange(min=0, min_open=True, max=0.5), default=0.02, show_default=True, help="Differences below it are none.")
@click.option("--dry-run", is_flag=True, help="Which measurements, in which order, how long each, and what each could change.")
@click.option("--report", is_flag=True, help="What a study found, over all classes of machines; measures nothing.")
@click.option("--artifacts", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="A folder that all workers see: each artifact is made once, by the strongest.")
@click.option("--strength", type=float, help="How able this machine is to make artifacts. Default: from its processors and memory.")
@click.option("--retry", is_flag=True, help="Also what failed before and would fail again as far as can be told.")
@click.option("--runner", metavar="COMMAND", help="Run this command instead of an executor of ours: 'ssh pi bench {artifact} {n_threads}'.")
@click.option("--push", metavar="COMMAND", help="Before that, once for each artifact: 'scp {artifact} pi:/tmp/'.")
@click.option("--parse", "parser", metavar="TOOL", help="How the output of --runner is read: a name or a file.")
@click.option("--against", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Nightly: measure what this earlier sweep (--json) found best, and tell regressions.")
@click.option("--max-regression", type=_Share(), default="5%", show_default=True, help="With --against: what is tolerated.")
@click.option("--history", type=click.Path(file_okay=False, path_type=Path), help="With --against: where nights are kept. Default: in the data folder.")
@click.option("--rounds", type=click.IntRange(min=2), default=3, show_default=True, help="With --against: fresh processes of each cell.")
@click.option("--all", "all_cells", is_flag=True, help="With --against: every point that the sweep measured.")
@click.option("--format", "form", type=click.Choice(_FORMATS), default="text", show_default=True)
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write the report here.")
@json_option
def tune(**options: Any) -> int:
    """Find the best settings for this machine; what was finished is never lost."""
    from recommender.cli import tune_session as session

    if options["against"]:
        from recommender.cli.tune_against import against

        return int(against(options))
    if find_spec("optuna") is None:
        raise ExecutorUnavailable("`recommend tune` needs Optuna, which is not installed", hints=("pip install 'edge-recommender[tune]'",))
    if options["join"] is not None:
        options["study"] = options["join"] or options["study"]
        if not options["storage"]:
            raise UsageError("--join needs the --storage of the sweep", hints=("recommend tune --join NAME --storage postgresql://user@host/sweeps",))
    if options["report"]:
        document = session.reported(options)
    elif options["dry_run"]:
        document = session.planned(options)
    else:
        document = session.swept(options)
    _print(document, options)
    return EXIT_CODES.get(document["verdict"], 0)


def _print(document: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    form = "json" if options["as_json"] else options["form"]
    if form == "json" and not options["output"]:
        return print_json(document)
    text = _rendered(document, form)
    if not options["output"]:
        return click.echo(text)
    try:
        options["output"].write_text(text + "\n", "utf-8")
    except OSError as error:
        raise UsageError(f"--output `{options['output']}`: {error.strerror}") from None


def _rendered(document: Mapping[str, Any], form: str) -> str:
    if form == "json":
        import json

        return json.dumps(document, sort_keys=True, ensure_ascii=False)
    if document.get("plan") is not None:
        from recommender.cli.render.tune_plan import text as plan_text

        return plan_text(document)
    if form == "markdown":
        from recommender.cli.render.tuned_markdown import markdown

        return markdown(document)
    if form == "html":
        from recommender.cli.render.tuned_html import page

        return page(document)
    from recommender.cli.render.tuned import text as tuned_text

    return tuned_text(document)
