"""The default command: the answer."""

from __future__ import annotations

import datetime
import math
from typing import Any

import click

from recommender.cli import in_its_encoding, print_json, printable, say
from recommender.cli.options import all_overlays
from recommender.domain.errors import UsageError
from recommender.domain.quantity import parse_quantity
from recommender.domain.recommendation import EXIT_CODES, Wishes

FORMATS = ("text", "json", "markdown", "html")


class Quantity(click.ParamType):  # type: ignore[type-arg]  # not generic in all releases
    """`8GiB`, `10m`: a number with a unit of one dimension."""

    def __init__(self, dimension: str):
        self.dimension = dimension
        self.name = dimension

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        try:
            found = parse_quantity(value, self.dimension)
        except ValueError as error:
            raise UsageError(f"{param.opts[0] if param else ''} {error}", hints=(f"recommend {param.opts[0]} {'8GiB' if self.dimension == 'bytes' else '10m'}",) if param else ()) from None
        if found <= 0:
            raise UsageError(f"{param.opts[0] if param else ''} `{value}` must be more than zero")
        return found


class Frames(click.FloatRange):
    """A rate above zero; `nan` and `inf` are none (they pass every comparison and are not JSON)."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found: float = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return found


_POSITIVE = click.IntRange(min=1)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--model", "-m", help="Catalogue name, Hugging Face id, or a model file or folder. None: one of each class.")
@click.option("--target", "-t", default="this-machine", show_default=True, help="this-machine, a machine of the catalogue, or a recording.")
@click.option("--workload", "-w", help="chat, code-completion, batch-text, embedding, vision-realtime, vision-batch, speech, ...")
@click.option("--need", multiple=True, metavar="METRIC OP VALUE UNIT", help='What must hold, e.g. "decode_rate>=20 tok/s". Repeatable.')
@click.option("--prefer", metavar="WISH=WEIGHT,...", help="A weighted choice on the Pareto front: speed, quality, memory, size, energy, latency.")
@click.option("--with", "beside", multiple=True, metavar="MODEL2", help="A model that must run beside it. Repeatable.")
@click.option("--memory", type=Quantity("bytes"), help="As if the machine had this much memory (8GiB).")
@click.option("--vram", type=Quantity("bytes"), help="As if the graphics card had this much memory (12GiB).")
@click.option("--set", "overrides", multiple=True, metavar="ATTRIBUTE=VALUE", help="Any other what-if. Repeatable.")
@click.option("--prompt-tokens", type=click.IntRange(min=0))
@click.option("--output-tokens", type=_POSITIVE)
@click.option("--context", type=_POSITIVE, help="Tokens reserved.")
@click.option("--batch", type=_POSITIVE)
@click.option("--concurrency", type=_POSITIVE)
@click.option("--streams", type=_POSITIVE)
@click.option("--fps", type=Frames())
@click.option("--sustained", type=Quantity("s"), help="Steady load for this long (10m).")
@click.option("--prototype", "way", flag_value="prototype", help="Way of working: quick to try.")
@click.option("--enterprise", "way", flag_value="enterprise", help="Way of working: production in an organisation.")
@click.option("--mobile", is_flag=True, help="For a mobile app.")
@click.option("--cross-platform", is_flag=True, help="One artifact for many kinds of machine.")
@click.option("--offline", is_flag=True, help="Nothing may need a network or a cloud.")
@click.option("--allow-below-floor", is_flag=True, help="Also what is of little use for the workload.")
@click.option("--framework", "frameworks", multiple=True, help="Only this framework. Repeatable.")
@click.option("--without", "excluded", multiple=True, help="Not this framework. Repeatable.")
@click.option("--measure", "measure_for", type=Quantity("s"), metavar="TIME", help="Measure the runnable choices for this long first (60s); without weights here, their shape proxies.")
@click.option("--no-evidence", is_flag=True, help="Decide without any measurement.")
@click.option("--today", metavar="DATE", help="Decide as on this day (YYYY-MM-DD).")
@click.option("--catalog", "overlays", multiple=True, metavar="DIR", help="Further knowledge on top of the built-in. Repeatable.")
@click.option("--limit", type=_POSITIVE, default=3, show_default=True, help="Choices shown (text, markdown, html).")
@click.option("--trace", type=click.Choice(["short", "full"]), default="short", show_default=True)
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The versioned document.")
@click.option("--output", "-o", type=click.Path(dir_okay=False), help="Write the answer here instead of standard output.")
def advise(**options: Any) -> int:
    """Which framework, format, quantization level and run settings to ship, with expected speed, memory and quality, and why."""
    from recommender import compose
    from recommender.recommend import combined, decide, largest_usable

    if options["measure_for"]:
        _measure_first(options)
    catalog = compose.load_catalog(all_overlays(options["overlays"]))
    wishes = _wishes(options, catalog)
    today = _today(options["today"])
    overrides = compose.parse_overrides(options["overrides"], catalog)
    models = compose.resolve_models(options["model"], catalog, offline=options["offline"])
    beside = tuple(compose.resolve_models(words, catalog, offline=options["offline"])[0] for words in options["beside"])
    memory, vram = (int(options[name]) if options[name] else None for name in ("memory", "vram"))
    target = compose.resolve_target(options["target"], catalog, say, memory=memory, vram=vram, overrides=overrides)
    measurements = {} if options["no_evidence"] else compose.measurements(target, models if options["model"] else catalog.models.values(), say)
    workload = {name: options[name] for name in ("prompt_tokens", "output_tokens", "context", "batch", "concurrency", "streams", "fps", "sustained")}
    answers = [
        decide(
            model, target, catalog, workload_key=options["workload"], workload_overrides=workload, needs=options["need"], wishes=wishes,
            beside=beside, today=today, full_trace=options["trace"] == "full", measurements=measurements,
        )
        for model in models if options["model"] or (_is_of(model, options["workload"], catalog) and compose.can_be_asked(model, options["need"]))
    ]
    if not answers:
        raise _no_class(options["workload"], options["need"], catalog)
    answer = answers[0] if options["model"] else combined(answers, {"language": largest_usable(target, catalog, wishes, measurements=measurements)})
    if warning := _store(answer):
        say(f"warning: {warning}")
    _print(answer, "json" if options["as_json"] else options["form"], options["limit"], options["output"])
    return EXIT_CODES[answer["verdict"]]


def _measure_first(options: dict[str, Any]) -> None:
    """A quick measuring run on the same question, of shape proxies where no weights lie here; its figures are in the store when the answer is made.

    Raises:
        UsageError: no model, no evidence wanted, or another machine.
    """
    if not options["model"] or options["no_evidence"]:
        raise UsageError("--measure needs a --model, and excludes --no-evidence", hints=("recommend --model ./model.gguf --measure 60s",))
    asked = {
        **{name: options[name] for name in ("model", "target", "workload", "need", "prompt_tokens", "output_tokens", "context", "batch", "streams")},
        "frameworks": options["frameworks"], "excluded": options["excluded"], "overlays": options["overlays"], "allow_below_floor": options["allow_below_floor"],
        "data": None, "yes": False, "parameters": (), "preparer": None, "choices": (), "mode": "quick", "budget": options["measure_for"], "tie_band": 0.02, "retry": False,
    }
    from recommender import compose
    from recommender.apply.sources import find_source

    catalog = compose.load_catalog(all_overlays(options["overlays"]))
    [model] = compose.resolve_models(options["model"], catalog, offline=options["offline"])
    try:
        find_source(options["model"], model)
    except UsageError as error:
        lacking = error
    else:
        from recommender.cli.measure import measured_here

        measured_here(asked)
        return
    if not model.is_language_model:
        raise lacking
    from recommender.cli.measure_proxies import measured_by_proxies

    measured_by_proxies(model, asked, catalog)


def _no_class(workload: str | None, needs: tuple[str, ...], catalog: Any) -> UsageError:
    """Why no class of models answers for a workload and what is asked of it."""
    if workload is None or (needs and any(_is_of(model, workload, catalog) for model in catalog.models.values())):
        asked = " and ".join(f"`{need}`" for need in needs)
        return UsageError(f"--need {asked}: no class of models has all these metrics", hints=("recommend --help",))
    if workload in catalog.workloads:
        return UsageError(f"no class of models stands for workload `{workload}`: name a model", hints=(f"recommend --workload {workload} --model MODEL", "recommend catalog list models"))
    return UsageError(f"unknown workload `{workload}` (one of {', '.join(catalog.workloads)})")


def _is_of(model: Any, workload: str | None, catalog: Any) -> bool:
    return workload is None or (workload in catalog.workloads and model.task in catalog.workloads[workload].tasks)


def _wishes(options: dict[str, Any], catalog: Any) -> Wishes:
    import difflib

    for name in (*options["frameworks"], *options["excluded"]):
        if name not in catalog.frameworks:
            near = difflib.get_close_matches(name, catalog.frameworks, n=1)
            raise UsageError(f"unknown framework `{name}` (one of {', '.join(catalog.frameworks)})", hints=tuple(f"recommend --framework {n}" for n in near))
    if both := set(options["frameworks"]) & set(options["excluded"]):
        raise UsageError(f"--framework and --without both name `{both.pop()}`")
    return Wishes(
        prefer=_prefer(options["prefer"]), way_of_working=options["way"] or "", is_mobile=options["mobile"], is_cross_platform=options["cross_platform"],
        is_offline=options["offline"], allow_below_floor=options["allow_below_floor"], frameworks=options["frameworks"],
        excluded_frameworks=options["excluded"], ignore_evidence=options["no_evidence"],
    )


def _prefer(text: str | None) -> dict[str, float]:
    from recommender.decide.prefer import WISHES

    found: dict[str, float] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, _, weight = part.partition("=")
        if name.strip() not in WISHES:
            raise UsageError(f"--prefer: unknown wish `{name.strip()}` (one of {', '.join(WISHES)})", hints=("recommend --prefer speed=2,quality=1",))
        try:
            found[name.strip()] = float(weight or 1)
        except ValueError:
            raise UsageError(f"--prefer: `{weight}` is not a number", hints=("recommend --prefer speed=2,quality=1",)) from None
        if not 0 < found[name.strip()] < float("inf"):
            raise UsageError(f"--prefer: the weight of `{name.strip()}` must be more than zero")
    return found


def _today(text: str | None) -> str:
    if text is None:
        return datetime.date.today().isoformat()
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        raise UsageError(f"--today `{text}` is not a date", hints=("recommend --today 2026-11-24",)) from None


def _store(answer: dict[str, Any]) -> str:
    from recommender.store.recent import keep

    return keep(answer)


def _print(answer: dict[str, Any], form: str, limit: int, output: str | None) -> None:
    if form == "json" and output is None:
        return print_json(answer)
    import json

    if form == "json":
        text = json.dumps(answer, sort_keys=True, ensure_ascii=False)
    elif form == "html":
        from recommender.cli.render.html import page

        text = page(answer, limit)
    elif form == "markdown":
        from recommender.cli.render.markdown import markdown

        text = markdown(answer, limit)
    else:
        from recommender.cli.render.text import text as render

        text = render(answer, limit)
    if output is None:
        return click.echo(in_its_encoding(printable(text), form))
    from pathlib import Path

    try:
        Path(output).write_text(printable(text) + "\n", "utf-8")
    except OSError as error:
        raise UsageError(f"--output `{output}`: {error.strerror}") from None
