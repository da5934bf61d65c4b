"""`recommend evidence`: what was measured, on this machine, by the team, or elsewhere by another tool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recommender.cli import print_json, say
from recommender.cli.evidence_import import add_evidence, import_evidence
from recommender.cli.options import json_option, needs_command
from recommender.domain.errors import UsageError

if TYPE_CHECKING:
    from recommender.domain.measurement import Measurement

_ID_SHOWN = 16  # letters of an id in the table; `show` takes any beginning that is the only one
_HEADLINES = ("decode_rate", "latency", "throughput", "prefill_rate", "sustained_rate")  # the first that is known stands in the table
_FORMATS = ("jsonl", "parquet")


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def evidence(ctx: click.Context) -> None:
    """List, show and export what was measured; take over what other tools measured."""
    needs_command(ctx)


evidence.add_command(import_evidence)
evidence.add_command(add_evidence)


@evidence.command("list")
@click.option("--model", "-m", default="", help="Key of a model.")
@click.option("--framework", default="")
@click.option("--scheme", default="")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many, the newest.")
@json_option
def list_evidence(model: str, framework: str, scheme: str, limit: int | None, as_json: bool) -> None:
    """Measurements, the newest first, and whether they still hold."""
    from recommender.store.evidence import EvidenceStore

    store = EvidenceStore()
    rows = store.find(model=model, framework=framework, scheme=scheme, limit=limit)
    why = _staleness(rows)
    if as_json:
        return print_json([document(row, why(row)) for row in rows])
    if rows:
        click.echo(_table(rows, why))
    say(f"{len(rows)} measurements in {store.shown}")


@evidence.command("show")
@click.argument("name", metavar="ID")
@json_option
def show(name: str, as_json: bool) -> None:
    """One measurement with everything that was recorded; any beginning of its id will do that no other id has."""
    from recommender.store.evidence import EvidenceStore

    row = EvidenceStore().get(name)
    why = _staleness([row])(row)
    if as_json:
        return print_json({**document(row, why), **{part: getattr(row, part) for part in ("samples", "facts", "environment", "reproducer")}})
    click.echo(_page(row, why))


@evidence.command("export")
@click.option("--output", "-o", required=True, metavar="FILE", help="`-`: JSON Lines on standard output.")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="By the ending of the file, else JSON Lines.")
@json_option
def export(output: str, form: str | None, as_json: bool) -> None:
    """All measurements as JSON Lines (every field) or Parquet (for a notebook)."""
    from recommender.store.evidence import EvidenceStore
    from recommender.store.export import lines, write

    form = form or next((name for name in _FORMATS if output.endswith(f".{name}")), "jsonl")
    if output == "-" and (form == "parquet" or as_json):
        raise UsageError("--output -: standard output takes JSON Lines only", hints=("recommend evidence export -o FILE.parquet",))
    rows = EvidenceStore().find()
    if output == "-":
        for line in lines(rows):
            click.echo(line)
        return None
    try:
        write(rows, Path(output), form)
    except OSError as error:
        raise UsageError(f"--output `{output}`: {error.strerror or error}") from None
    if as_json:
        return print_json({"path": output, "format": form, "measurements": len(rows)})
    say(f"{len(rows)} measurements in {output}")


@evidence.command("path")
@json_option
def path(as_json: bool) -> None:
    """Where measurements are kept: a file, or the URL of the team's database without its password."""
    from recommender.store.database import shown

    print_json({"path": shown()}) if as_json else click.echo(shown())


def document(row: Measurement, why: str) -> dict[str, Any]:
    """A measurement for JSON, without what `show` and `export` add: samples, facts, environment and reproducer.

    Args:
        why: it is stale; empty when it holds.
    """
    names = (
        "id", "created", "digest", "model", "model_hash", "artifact_hash", "recipe_hash", "framework", "execution_provider", "scheme", "version", "build",
        "driver", "protocol", "mode", "method", "candidate", "workload", "quality", "flags",
    )  # fmt: skip
    return {
        **{name: getattr(row, name) for name in names},
        "metrics": {name: asdict(summary) for name, summary in row.metrics.items()},
        "validity": {"valid": row.valid, "reasons": list(row.reasons), "stale": bool(why), "why": why},
    }


def _staleness(rows: Any) -> Callable[[Measurement], str]:
    """Tells why a measurement of this machine no longer holds; one of another machine is not judged from here."""
    from recommender import compose
    from recommender.estimate.evidence import stale

    if not rows:
        return lambda row: ""
    here = compose.observe_this_machine(say, with_microbenchmark=False)
    return lambda row: stale(row, here) if row.digest == here.digest else ""


def _table(rows: Any, why: Callable[[Measurement], str]) -> str:
    from recommender.cli.render.aligned import aligned

    header = ("ID", "MEASURED", "MODEL", "PATH", "RESULT", "STATE")
    return aligned(header, [(row.id[:_ID_SHOWN], row.created[:16].replace("T", " "), row.model, _way(row), _headline(row), _state(row, why(row))) for row in rows])


def _way(row: Measurement) -> str:
    return f"{row.framework}/{row.execution_provider}/{row.scheme}"


def _headline(row: Measurement) -> str:
    name = next((name for name in (*_HEADLINES, *row.metrics) if name in row.metrics and row.metrics[name].value is not None), "")
    return f"{name} {_amount(row, name)}" if name else ""


def _amount(row: Measurement, name: str) -> str:
    """`38 tok/s (37-39)`, or why there is no value."""
    from recommender.cli.render.wording import number, scaled_unit

    summary = row.metrics[name]
    if summary.value is None:
        return f"unknown ({summary.why or 'not measured'})"
    unit, scale = scaled_unit(summary.unit, summary.value)
    span = f" ({number(summary.low * scale)}-{number(summary.high * scale)})" if summary.low is not None and summary.high is not None else ""
    return f"{number(summary.value * scale)} {unit}{span}"


def _state(row: Measurement, why: str) -> str:
    if not row.valid:
        return f"invalid: {'; '.join(row.reasons)}"
    if is_from_elsewhere(row):
        return ", ".join(("elsewhere", f"{row.method} on {row.candidate.get('device') or row.facts.get('device_name') or 'an unknown device'}", *row.flags))
    return f"stale: {why}" if why else ", ".join(("valid", *row.flags))


def _page(row: Measurement, why: str) -> str:
    from recommender.cli.render.entry import entry_text

    metrics = {name: f"{_amount(row, name)}{_sample(row, name)}" for name in row.metrics}
    facts = {
        "measured": f"{row.created}, method {row.method}" if is_from_elsewhere(row) else f"{row.created}, protocol {row.protocol}, {row.mode}, method {row.method}", "state": _state(row, why), "machine": row.digest, "driver": row.driver,
        "version": f"{row.version} {row.build}".strip(), "candidate": dict(row.candidate), "workload": dict(row.workload), "metrics": metrics, "quality": dict(row.quality),
        "model hash": row.model_hash, "artifact hash": row.artifact_hash, "recipe hash": row.recipe_hash, "facts": dict(row.facts), "environment": dict(row.environment),
        "command": row.reproducer.get("command", ""),
    }
    return entry_text(f"{row.id}  {row.model} on {_way(row)}", {name: value for name, value in facts.items() if value})


def is_from_elsewhere(row: Measurement) -> bool:
    """Imported, or typed in: no machine of ours took it."""
    return not row.digest


def _sample(row: Measurement, name: str) -> str:
    summary = row.metrics[name]
    return f", {summary.n_processes} processes, {summary.n_samples} samples" if summary.n_samples else ""
