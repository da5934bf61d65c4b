"""`recommend rules audit`: how often each rule was right in published cases and in what was measured on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from recommender.cli import print_json, say
from recommender.cli.options import all_overlays, catalog_option, json_option, nearest
from recommender.domain.errors import UsageError

if TYPE_CHECKING:
    from recommender.domain.catalog import Audit, Catalog

    Audits = Mapping[str, tuple[Audit, ...]]

_HEADER = ("RULE", "WHERE", "CLAIM", "CASES", "DEVICES", "MODELS", "BEST OR NEAR", "MEDIAN", "MEAN", "VERDICT", "PICK")
_RIGHT = frozenset({3, 4, 5, 6, 7, 8})


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("rule", required=False)
@catalog_option
@json_option
def audit(rule: str | None, overlays: tuple[str, ...], as_json: bool) -> int:
    """How often the pick of each row was the best, what it cost where it was not, and the verdict.

    Of every row that places frameworks, schemes or units: the published cases that it decides and those that were measured on this machine.
    BEST OR NEAR: best or within 5 % (1 % of quality). MEDIAN and MEAN: how much better the best was. With RULE: that row alone, by class.
    """
    from recommender.compose import load_catalog

    catalog = load_catalog(all_overlays(overlays))
    wanted = _wanted(rule, catalog)
    published = {name: catalog.audit[name] for name in wanted if name in catalog.audit}
    here = {name: found for name, found in of_this_machine(catalog).items() if name in wanted}
    silent = [name for name in wanted if name not in published and name not in here]
    if as_json:
        print_json([_document(name, wanted[name], published.get(name, ()), here.get(name, ())) for name in wanted])
        return 0
    from recommender.cli.render.aligned import aligned

    rows = [line for name in wanted for line in _lines(name, wanted[name], {"published": published.get(name, ()), "here": here.get(name, ())}, bool(rule))]
    if rows:
        click.echo(aligned(_HEADER, rows, right=_RIGHT))
    if silent:
        say(f"no measured case is decided by {', '.join(silent)}" if len(silent) < 4 else f"{len(silent)} rows decide no measured case")
    return 0


def _wanted(rule: str | None, catalog: Catalog) -> dict[str, str]:
    """Row -> what it picks, for all rows that choose, or for the one that is named.

    Raises:
        UsageError: no such row, or one that chooses nothing.
    """
    from recommender.cli.rule_pages import ids, picks

    found = picks(catalog)
    if rule is None:
        return found
    name = rule.upper()
    if name in found:
        return {name: found[name]}
    if name in ids(catalog):
        raise UsageError(f"{name} places nothing, so there is no pick to be audited", hints=(f"recommend rules show {name}",))
    near = nearest(rule, found)
    raise UsageError(f"no rule `{rule}`" + (f" (near: {', '.join(near)})" if near else ""), hints=tuple(f"recommend rules audit {each}" for each in near) or ("recommend rules audit",))


def of_this_machine(catalog: Catalog) -> Audits:
    """The same of this machine's own measurements that still hold, of models that the catalogue knows."""
    from recommender.audit.rules import audit as audited
    from recommender.cli.cases_here import cases_here

    return audited(catalog.tables.values(), cases_here(catalog))


def _document(name: str, pick: str, published: tuple[Audit, ...], here: tuple[Audit, ...]) -> dict[str, Any]:
    from dataclasses import asdict

    from recommender.decide.demotion import contradiction

    return {
        "id": name, "pick": pick, "verdict": verdict(published), "is_demoted": contradiction(published) is not None,
        "published": [asdict(row) for row in published], "here": [asdict(row) for row in here],
    }


def verdict(audits: tuple[Audit, ...]) -> str:
    """Of a row with all that it claims: contradicted by one, else supported by one, else too few cases."""
    found = {row.overall.verdict for row in audits if row.is_claimed}
    return next((word for word in ("contradicted", "supported") if word in found), "too-few")


def _lines(name: str, pick: str, audits: Mapping[str, tuple[Audit, ...]], is_alone: bool) -> Iterator[tuple[str, ...]]:
    """A line a claim; for a row alone one a class below it."""
    for where, found in audits.items():
        for row in found:
            yield (name, where, row.claim, *_cells(row.overall), _word(row, row.overall.verdict), pick)
            if is_alone or len(row.classes) > 1:
                yield from (("", "", f"  {class_}", *_cells(tally), _word(row, tally.verdict) if is_alone else "", "") for class_, tally in row.classes.items())


def _word(row: Audit, word: str) -> str:
    return word if row.is_claimed else "not claimed"


def _cells(tally: Any) -> tuple[str, ...]:
    share = f"{tally.hits / tally.cases:.0%} ({tally.low:.0%}-{tally.high:.0%})"
    return str(tally.cases), str(tally.devices or "-"), str(tally.models), share, f"{tally.median_regret:.1%}", f"{tally.mean_regret:.1%}"
