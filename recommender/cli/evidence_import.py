"""`recommend evidence import` and `add`: figures that other tools measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recommender.cli import print_json, say
from recommender.cli.options import all_overlays, catalog_option, json_option, nearest
from recommender.domain.errors import UsageError

if TYPE_CHECKING:
    from recommender.domain.catalog import Catalog
    from recommender.evidence.resolve import Given
    from recommender.predict.spelling import Names

_SHOWN = 10  # rows that were left out, and unknown names of a kind
_NAMES: tuple[tuple[str, str], ...] = (
    ("--device", "What ran it: a key of the catalogue or a name. Goes before what the file says."),
    ("--model", "Key or name of the model. Goes before what the file says."), ("--framework", "Where the file does not say it."),
    ("--execution-provider", "Where the file does not say it."), ("--scheme", "Where the file does not say it."), ("--version", "Of the framework, where the file does not say it."),
    ("--source", "Where the figures are from: kept beside them."), ("--date", "ISO date, where the file does not say it."),
)  # fmt: skip


def names_options(command: Any) -> Any:
    """The options that name what a file leaves out."""
    for name, text in reversed(_NAMES):
        command = click.option(name, default="", help=text)(command)
    return command


class _Import(click.Command):
    """Lists the formats below the options; they are read only when the page is asked for."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from recommender.evidence.formats import formats

        with formatter.section("Formats"):
            formatter.write_dl([(form.key, f"{form.what}: {form.looks_like}") for form in formats().values()])


@click.command("import", cls=_Import)
@click.argument("form", metavar="FORMAT")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@names_options
@catalog_option
@json_option
def import_evidence(form: str, file: Path, overlays: tuple[str, ...], as_json: bool, **given: str) -> None:
    """Take over figures of another tool's FILE (for some formats a folder), as measured elsewhere by that tool.

    Rows that cannot be read are counted and shown, never guessed; the others are stored in one transaction. What is stored already is not stored again.
    """
    from datetime import UTC, datetime

    from recommender.evidence.formats import format_of
    from recommender.evidence.importing import gathered
    from recommender.store.evidence import EvidenceStore

    named, store = format_of(form), EvidenceStore()
    catalog, names = _catalog_and_names(overlays)
    found = gathered(named, file, _given(given), catalog, names, say, now=datetime.now(UTC))
    _tell_unknown(found.unknown, catalog, names)
    added = store.add_all(found.measurements)
    total = len(found.measurements)
    if as_json:
        return print_json({
            "format": named.key, "file": str(file), "files": found.files, "read": total, "added": added, "already": total - added, "store": store.shown,
            "left_out": [{"row": fault.row, "reason": fault.reason} for fault in found.faults], "unknown": found.unknown,
        })  # fmt: skip
    for fault in found.faults[:_SHOWN]:
        say(f"left out: {fault.row}: {fault.reason}")
    if len(found.faults) > _SHOWN:
        say(f"left out: {len(found.faults) - _SHOWN} more (--json lists all)")
    say(f"{total} cases read, {added} new, {total - added} there already, {len(found.faults)} rows left out; in {store.shown}")


@click.command("add")
@click.option("--metric", required=True, help="decode_rate, latency, peak_memory, ...")
@click.option("--value", required=True, help="With its unit: `23.5 ms`, `41 tok/s`, `1.2 GiB`.")
@names_options
@click.option("--prompt-tokens", type=click.IntRange(min=0))
@click.option("--output-tokens", type=click.IntRange(min=0))
@click.option("--depth", type=click.IntRange(min=0), help="Tokens in the cache before.")
@click.option("--batch", type=click.IntRange(min=1))
@click.option("--threads", type=click.IntRange(min=1))
@catalog_option
@json_option
def add_evidence(
    metric: str, value: str, prompt_tokens: int | None, output_tokens: int | None, depth: int | None, batch: int | None, threads: int | None,
    overlays: tuple[str, ...], as_json: bool, **given: str,
) -> None:  # fmt: skip
    """Add one figure by hand, as measured elsewhere; --model, --device, --framework and --scheme say of what."""
    from datetime import UTC, datetime

    from recommender.domain.quantity import parse_quantity
    from recommender.domain.workload import METRICS
    from recommender.evidence.figures import figure
    from recommender.evidence.formats import BY_HAND, Format
    from recommender.evidence.resolve import Unknown, measurement, tell
    from recommender.evidence.told import Told
    from recommender.store.evidence import EvidenceStore

    if metric not in METRICS:
        near = nearest(metric, METRICS)
        raise UsageError(f"--metric `{metric}` (one of {', '.join(METRICS)})", hints=tuple(f"recommend evidence add --metric {name} --value '{value}'" for name in near[:1]))
    missing = [name for name in ("model", "device", "framework", "scheme") if not given[name]]
    if missing:
        raise UsageError(f"a figure needs --{', --'.join(missing)}", hints=("recommend evidence add --help",))
    base = METRICS[metric][0]
    try:
        summary = figure(metric, parse_quantity(value, base), base)
    except ValueError as error:
        raise UsageError(f"--value: {error}") from None
    workload = {"prompt_tokens": prompt_tokens, "output_tokens": output_tokens, "depth": depth, "batch": batch, "threads": threads}
    told = Told(row="", metrics={metric: summary}, unit="cpu" if given["execution_provider"] == "cpu" else "", workload={name: amount for name, amount in workload.items() if amount is not None})
    catalog, names = _catalog_and_names(overlays)
    unknown, store = Unknown(), EvidenceStore()
    form = Format(key=BY_HAND, what="a figure by hand", looks_like="", made_by="")
    made = measurement(told, form, _given(given), catalog, names, unknown, now=datetime.now(UTC))
    _tell_unknown(tell(unknown), catalog, names)
    added = store.add_all([made])
    if as_json:
        return print_json({"id": made.id, "added": added, "store": store.shown, "unknown": tell(unknown)})
    say(f"{made.id} {'stored' if added else 'is there already'} in {store.shown}")


def _given(words: Mapping[str, str]) -> Given:
    """Raises UsageError: --date is no date."""
    from datetime import datetime

    from recommender.evidence.resolve import Given

    try:
        if words["date"]:
            datetime.fromisoformat(words["date"])
    except ValueError:
        raise UsageError(f"--date `{words['date']}` is no ISO date", hints=("recommend evidence import FORMAT FILE --date 2026-11-20",)) from None
    return Given(**words)


def _catalog_and_names(overlays: tuple[str, ...]) -> tuple[Catalog, Names]:
    from recommender import compose
    from recommender.loader.files import built_in_root
    from recommender.predict.spelling import names_of, read_aliases

    catalog = compose.load_catalog(all_overlays(overlays))
    return catalog, names_of(catalog, read_aliases(built_in_root() / "aliases"))


def _tell_unknown(unknown: Mapping[str, Mapping[str, int]], catalog: Catalog, names: Names) -> None:
    """Unknown names are said, with what is near to them in the catalogue."""
    from recommender.evidence.resolve import units_of

    keys: Mapping[str, Mapping[str, Any]] = {"device": catalog.devices, "model": catalog.models, "framework": catalog.frameworks, "scheme": catalog.schemes}
    for kind, found in unknown.items():
        for name, count in list(found.items())[:_SHOWN]:
            units = [device.key for device in units_of(names, name).values()] if kind == "device" and name else []
            near = units or (nearest(name, keys[kind]) if name else [])
            what = f"no {kind} is told; --{kind} names it" if not name else f"{kind} `{name}` is {'several units' if units else 'not in the catalogue'} and kept as written"
            say(f"{what} ({count} cases)" + (f"; {'one of' if units else 'near'}: {', '.join(near)}" if near else ""))
        if len(found) > _SHOWN:
            say(f"{len(found) - _SHOWN} more names of kind {kind} are not in the catalogue (--json lists all)")
