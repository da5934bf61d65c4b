"""`recommend rules`: list the rows that decide, show one, audit them."""

from __future__ import annotations

from typing import Any

import click

from recommender.cli import print_json, say
from recommender.cli.options import all_overlays, catalog_option, json_option, nearest, needs_command
from recommender.cli.rules_audit import audit
from recommender.cli.rules_learn import learn
from recommender.domain.errors import UsageError


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def rules(ctx: click.Context) -> None:
    """List the rules, show one (conditions, effect, reason, sources), tell how often they were right."""
    needs_command(ctx)


rules.add_command(audit)
rules.add_command(learn)


@rules.command("list")
@click.option("--table", metavar="T", help="Only the rows of this table.")
@catalog_option
@json_option
def list_rules(table: str | None, overlays: tuple[str, ...], as_json: bool) -> None:
    """All rows of the decision tables and the ranking, in order."""
    from recommender.cli.render.aligned import aligned
    from recommender.cli.rule_pages import RANKING, summaries

    catalog = _load(overlays)
    tables = (*catalog.tables, RANKING)
    if table is not None and table not in tables:
        raise UsageError(
            f"unknown table `{table}` (one of {', '.join(tables)})",
            hints=tuple(f"recommend rules list --table {name}" for name in nearest(table, tables, count=1)),
        )
    found = [row for row in summaries(catalog) if table in (None, row["table"])]
    if as_json:
        return print_json(found)
    click.echo(
        aligned(("ID", "TABLE", "STATUS", "BECAUSE"), [(row["id"], row["table"], row["status"], row["because"]) for row in found])
    )
    say(f"{len(found)} rows")


@rules.command("show")
@click.argument("rule", metavar="ID")
@catalog_option
@json_option
def show(rule: str, overlays: tuple[str, ...], as_json: bool) -> int:
    """The page of a rule, a ranking criterion or a support statement."""
    return rule_page(rule, as_json, overlays)


def rule_page(words: str, as_json: bool, overlays: tuple[str, ...] = ()) -> int:
    """Print the page of a row; 0. Raises UsageError with near ids when there is none."""
    from recommender.cli.rule_pages import ids, page, page_text

    catalog = _load(overlays)
    found = page(words.upper(), catalog) or page(words, catalog)
    if found is None:
        near = nearest(words, ids(catalog))
        raise UsageError(
            f"no rule `{words}`" + (f" (near: {', '.join(near)})" if near else ""),
            hints=tuple(f"recommend rules show {name}" for name in near) or ("recommend rules list",),
        )
    if as_json:
        print_json(found)
    else:
        click.echo(page_text(found))
    return 0


def _load(overlays: tuple[str, ...]) -> Any:
    from recommender.compose import load_catalog

    return load_catalog(all_overlays(overlays))
