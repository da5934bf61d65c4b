"""`recommend apply`: make the recommended artifact from weights that lie here, check that it starts, and say how it is launched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from recommender.cli import print_json, say
from recommender.cli.acting import Situation, acting_options, chosen, decided, parameters_of, prepared_by
from recommender.cli.options import json_option
from recommender.domain.errors import StepFailed, UsageError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@acting_options
@click.option("--choice", default="1", show_default=True, metavar="N|ID", help="Which choice of the answer: its rank, its id or its framework.")
@click.option("--out", "-o", type=click.Path(file_okay=False, path_type=Path), help="Folder for the artifact.")
@click.option("--dry-run", is_flag=True, help="Print the recipe and stop.")
@json_option
def apply(**options: Any) -> int:
    """Turn a choice into a real artifact: convert, quantize, check, and print the launch command."""
    from recommender.apply.recipe import Order, check

    if options["out"] is None and not options["dry_run"]:
        raise UsageError("--out is missing: where shall the artifact go?", hints=(f"recommend apply --model {options['model']} --out ./artifacts", f"recommend apply --model {options['model']} --dry-run"))
    situation = decided(options)
    choice = prepared_by(chosen(situation.document, options["choice"]), options["preparer"])
    scheme = situation.model.artifact.scheme if situation.model.artifact else None
    order = Order(
        choice=choice, source=situation.source.path, source_scheme=scheme or "F32", parameters=parameters_of(options["parameters"]), calibration=_calibration(choice, options["data"]), may_download=options["yes"],
    )
    _print_recipe(choice, situation)
    if options["dry_run"]:
        check(order, situation.catalog)
        if options["as_json"]:
            print_json(_told(choice, situation))
        return 0
    return _make(order, situation, options)


def _calibration(choice: Mapping[str, Any], data: Path | None) -> Path | None:
    """The user's samples, else for language models the text that every Python carries."""
    if data is not None or choice["framework"] not in ("llama-cpp", "onnxruntime-genai", "openvino-genai", "mlx"):
        return data
    from recommender.measure.texts import default_texts

    return default_texts()[0]


def _print_recipe(choice: Mapping[str, Any], situation: Situation) -> None:
    say(f"{choice['id']} from {situation.source.path} ({situation.source.origin})")
    for step in choice["recipe"]["steps"]:
        size = f"  {step['size'] / 2**20:.0f} MiB" if step["size"] else ""
        by = f" by {step['preparer']}" if step["preparer"] else ""
        say(f"  {step['action']}{by} [{step['where']}]{size}")


def _make(order: Any, situation: Situation, options: Mapping[str, Any]) -> int:
    from recommender.apply.deliver import deliver, final_name
    from recommender.apply.recipe import make

    made = make(order, situation.catalog, say)
    name = final_name(situation.model.key, order.choice, made.path)
    smoke = _smoke(made.path, order.choice, situation)
    launch = _launch(order.choice, options["out"] / name)
    note = {**_told(order.choice, situation), "hash": made.hash, "size": made.size, "facts": dict(made.facts), "smoke": smoke, "launch": launch}
    final = deliver(made, options["out"], name, note, may_replace=options["yes"])
    say(f"smoke check: {smoke['said']}")
    if options["as_json"]:
        print_json({**note, "artifact": str(final)})
    else:
        click.echo(f"{final}  {made.size / 2**20:.1f} MiB")
        click.echo(f"run: {launch}" if launch else "run: no launch command is known for this framework")
    return 0


def _told(choice: Mapping[str, Any], situation: Situation) -> dict[str, Any]:
    return {
        "answer": situation.document["id"], "choice": choice["id"], "model": situation.model.key, "source": str(situation.source.path), "origin": situation.source.origin,
        "recipe": choice["recipe"], "options": choice["options"],
    }


def _launch(choice: Mapping[str, Any], final: Path) -> str:
    """The recipe's command with the artifact's real name."""
    import shlex

    template = choice["recipe"]["launch"] or ""
    stem = next((step["outputs"][0] for step in reversed(choice["recipe"]["steps"]) if step["outputs"]), "")
    return template.replace(stem, shlex.quote(str(final))) if stem else template


def _smoke(artifact: Path, choice: Mapping[str, Any], situation: Situation) -> dict[str, Any]:
    """One short run where the target is this machine; elsewhere the artifact is delivered unrun, and says so.

    Raises:
        StepFailed: it does not run, or gives NaN; nothing is delivered.
    """
    if situation.target.kind != "this-machine":
        return {"ran": False, "said": f"not run: {situation.target.name} is another machine"}
    if not choice["runnable_here"]:
        return {"ran": False, "said": f"not run: {choice['framework']} is not installed here"}
    from recommender.measure.take import smoke

    outcome = smoke(artifact, choice)
    if not outcome.ok:
        raise StepFailed(f"the artifact was made but does not run: {outcome.message} ({outcome.kind})", kind=outcome.kind, hints=outcome.hints)
    return {"ran": True, "said": f"runs, {outcome.elapsed:.1f} s from start to end", "outputs": outcome.value}


