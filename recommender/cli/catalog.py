"""`recommend catalog`: list, show and check the knowledge."""

from __future__ import annotations

from typing import Any

import click

from recommender.cli import print_json, say
from recommender.cli.options import all_overlays, catalog_option, json_option, nearest, needs_command
from recommender.domain.errors import UsageError

KINDS = ("devices", "machines", "models", "schemes", "frameworks", "workloads")
# where `catalog show` looks, in this order
SHOWN = (*KINDS, "preparers", "claims", "tables", "sources")
ROWS = ("efficiencies", "overheads", "rates", "quality", "budgets", "ranking")
FOUND_ERRORS = 2


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def catalog(ctx: click.Context) -> None:
    """List and check the knowledge: devices, machines, models, schemes, frameworks, workloads."""
    needs_command(ctx)


@catalog.command("list")
@click.argument("kind", metavar=f"[{'|'.join(KINDS)}]")
@click.option("--like", default="", metavar="TEXT", help="Only entries that hold all these words.")
@catalog_option
@json_option
def list_entries(kind: str, like: str, overlays: tuple[str, ...], as_json: bool) -> None:
    """A table of all entries of a kind."""
    from recommender.cli.catalog_lists import as_data, as_text, entries

    if kind not in KINDS:
        raise UsageError(
            f"unknown kind `{kind}` (one of {', '.join(KINDS)})",
            hints=tuple(f"recommend catalog list {name}" for name in nearest(kind, KINDS, count=1)),
        )
    rows = entries(kind, _load(overlays), like)
    if as_json:
        return print_json(as_data(kind, rows))
    if rows:
        click.echo(as_text(kind, rows))
    say(f"{len(rows)} {kind}" + (f" like `{like}`" if like else ""))


@catalog.command("show")
@click.argument("key")
@catalog_option
@json_option
def show(key: str, overlays: tuple[str, ...], as_json: bool) -> None:
    """One entry with its sources: a key or an alias of anything in the catalogue."""
    loaded = _load(overlays)
    found = _find(key, loaded)
    if not found:
        near = nearest(key, (name for section in SHOWN for name in getattr(loaded, section)))
        raise UsageError(
            f"nothing in the catalogue is called `{key}`" + (f" (near: {', '.join(near)})" if near else ""),
            hints=tuple(f"recommend catalog show {name}" for name in near) or ("recommend catalog list models",),
        )
    documents = [_document(section, name, entry, loaded) for section, name, entry in found]
    if as_json:
        return print_json(documents[0] if len(documents) == 1 else documents)
    click.echo("\n\n".join(_text(document) for document in documents))


@catalog.command("lint")
@click.option("--today", metavar="DATE", help="Tell the age of sources as on this day (YYYY-MM-DD).")
@click.option("--warnings/--no-warnings", default=True, show_default=True)
@catalog_option
@json_option
def lint(today: str | None, warnings: bool, overlays: tuple[str, ...], as_json: bool) -> int:
    """Check the knowledge beyond its schema. Ends with 2 when there are errors."""
    from dataclasses import asdict

    from recommender.loader.files import layers
    from recommender.loader.lint import run

    if today is not None and not _is_date(today):
        raise UsageError(f"--today `{today}` is not a date", hints=("recommend catalog lint --today 2026-11-24",))
    found = [finding for finding in run(layers(all_overlays(overlays)), today) if warnings or finding.level == "error"]
    errors = sum(finding.level == "error" for finding in found)
    if as_json:
        print_json({"findings": [asdict(finding) for finding in found], "errors": errors, "warnings": len(found) - errors})
    else:
        for finding in found:
            click.echo(f"{finding.where}: {finding.level}: {finding.message} [{finding.lint}]")
        say(f"{errors} errors, {len(found) - errors} warnings")
    return FOUND_ERRORS if errors else 0


@catalog.command("path")
@catalog_option
@json_option
def path(overlays: tuple[str, ...], as_json: bool) -> None:
    """Where the knowledge is read from: the built-in folder, then the overlays."""
    from recommender.loader.files import layers

    found = [{"name": layer.name, "path": str(layer.root)} for layer in layers(all_overlays(overlays))]
    if as_json:
        return print_json({"layers": found})
    for layer in found:
        click.echo(layer["path"])


@catalog.command("schema")
@click.argument("name", required=False)
@json_option
def schema(name: str | None, as_json: bool) -> None:
    """The JSON Schema of a kind of knowledge file, or the names of all."""
    from recommender.loader.schemas import stored

    found = stored()
    if name is None:
        return print_json(list(found)) if as_json else click.echo("\n".join(found))
    if name not in found:
        raise UsageError(
            f"no schema `{name}` (one of {', '.join(found)})",
            hints=tuple(f"recommend catalog schema {near}" for near in nearest(name, found, count=1)),
        )
    print_json(found[name])


def _load(overlays: tuple[str, ...]) -> Any:
    from recommender.compose import load_catalog

    return load_catalog(all_overlays(overlays))


def _is_date(text: str) -> bool:
    from datetime import date

    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _find(key: str, loaded: Any) -> list[tuple[str, str, Any]]:
    """Everything of that key, else of that alias or id."""
    found = [(section, key, getattr(loaded, section)[key]) for section in SHOWN if key in getattr(loaded, section)]
    if found:
        return found
    wanted = key.lower()
    found = [
        (section, entry.key, entry)
        for section in ("machines", "models")
        for entry in getattr(loaded, section).values()
        if wanted in (entry.key.lower(), entry.name.lower(), *(alias.lower() for alias in entry.aliases))
    ]
    return found or [(section, row.id, row) for section in ROWS for row in getattr(loaded, section) if row.id == key]


def _document(section: str, key: str, entry: Any, loaded: Any) -> dict[str, Any]:
    from recommender.cli.render.entry import cited_in, sources_of
    from recommender.loader.plain import to_plain

    plain = to_plain(entry)
    layer = loaded.overlaid.get(f"{section}:{key}", "built-in")
    return {
        "section": section,
        "key": key,
        "layer": layer,
        "entry": plain,
        "sources": sources_of(cited_in(plain), loaded.sources),
    }


def _text(document: dict[str, Any]) -> str:
    from recommender.cli.render.entry import entry_text, sources_text

    entry = {name: value for name, value in document["entry"].items() if name not in ("sources", "source")}
    layer = "" if document["layer"] == "built-in" else f", from {document['layer']}"
    text = entry_text(f"{document['key']} ({document['section']}{layer})", entry)
    return f"{text}\n{sources_text(document['sources'])}" if document["sources"] else text
