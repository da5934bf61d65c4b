"""`recommend claims`: hold what the chapter and vendors claim against what was published and what this machine measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from recommender.cli import print_json, say
from recommender.cli.options import all_overlays, catalog_option, json_option, nearest, needs_command
from recommender.domain.errors import UsageError

if TYPE_CHECKING:
    from recommender.audit.claims import Checked, Finding
    from recommender.domain.catalog import Catalog, Claim
    from recommender.domain.evidence import Evidence

_HEADER = ("CLAIM", "VERDICT", "CLAIMED", "MEDIAN (10-90 %)", "WITHIN", "CASES", "DEVICES", "MODELS", "HERE", "TEXT")
_RIGHT = frozenset({5, 6, 7})


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def claims(ctx: click.Context) -> None:
    """Check claims against evidence."""
    needs_command(ctx)


@claims.command("check")
@click.argument("claim", required=False)
@catalog_option
@json_option
def check(claim: str | None, overlays: tuple[str, ...], as_json: bool) -> int:
    """Each claim as confirmed, refuted or untested, with the numbers; with CLAIM: that one alone, and where the figures come from.

    Fewer than three devices or models confirm nothing. CLAIMED and MEDIAN are in the claim's own unit; every device (for sizes and quality every
    model) weighs the same; WITHIN is the share of cases inside the claim. HERE: the verdict and the median of this machine's own measurements.
    """
    from recommender.audit import claims as audit
    from recommender.compose import load_catalog
    from recommender.loader.losses import losses

    catalog = load_catalog(all_overlays(overlays))
    wanted = _wanted(claim, catalog)
    published = [row for rows in catalog.evidence.values() for row in rows]
    found = audit.check(wanted, published, list(losses()), measured_here(catalog), catalog)
    if as_json:
        print_json([document(row) for row in found])
        return 0
    from recommender.cli.render.aligned import aligned

    click.echo(aligned(_HEADER, [_line(row) for row in found], right=_RIGHT))
    if claim is not None:
        click.echo("\n".join(_details(found[0])))
    counts = {verdict: sum(row.published.verdict == verdict for row in found) for verdict in (audit.CONFIRMED, audit.REFUTED, audit.UNTESTED)}
    say(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return 0


def _wanted(name: str | None, catalog: Catalog) -> list[Claim]:
    """All claims by id, or the one that is named. Raises UsageError when there is none."""
    if name is None:
        return [catalog.claims[key] for key in sorted(catalog.claims)]
    if name.upper() in catalog.claims:
        return [catalog.claims[name.upper()]]
    near = nearest(name.upper(), catalog.claims)
    raise UsageError(f"no claim `{name}`" + (f" (near: {', '.join(near)})" if near else ""), hints=tuple(f"recommend claims check {key}" for key in near) or ("recommend claims check",))


def measured_here(catalog: Catalog) -> list[Evidence]:
    """This machine's own figures that still hold, of models that the catalogue knows; it is observed only where there are any."""
    from recommender.store.evidence import EvidenceStore

    store = EvidenceStore()
    if not store.find(limit=1):
        return []
    from recommender.compose import observe_this_machine
    from recommender.estimate.evidence import sorted_out

    machine = observe_this_machine(say, with_microbenchmark=False)
    rows = store.find(digest=machine.digest)
    models = sorted({row.model for row in rows if row.model in catalog.models})
    return [row for model in models for row in sorted_out([each for each in rows if each.model == model], model, machine)[0]]


def document(row: Checked) -> dict[str, Any]:
    """A claim and what was found, as JSON prints it; verdict is that of what was published."""
    from dataclasses import asdict

    claim = row.claim
    return {
        "id": claim.id, "text": claim.text, "about": dict(claim.about), "metric": claim.metric or None, "unit": claim.unit or None, "low": claim.low, "high": claim.high,
        "claimed_by": list(claim.sources), "verdict": row.published.verdict, "why": row.published.why, "published": asdict(row.published),
        "here": asdict(row.here) if row.here else None,
    }  # fmt: skip


def _line(row: Checked) -> tuple[str, ...]:
    claim, found = row.claim, row.published
    here = f"{row.here.verdict} {_figure(row.here.median, claim.unit)}" if row.here else "-"
    middle = f"{_figure(found.median, claim.unit)} ({_figure(found.low, claim.unit)} - {_figure(found.high, claim.unit)})" if found.n else "-"
    share = f"{found.share:.0%}" if found.share is not None else "-"
    return claim.id, found.verdict, _claimed(claim), middle, share, str(found.n or "-"), str(found.devices or "-"), str(found.models or "-"), here, claim.text


def _claimed(claim: Claim) -> str:
    if not claim.metric:
        return "-"
    low, high = _figure(claim.low, claim.unit), _figure(claim.high, claim.unit)
    if claim.low is None:
        return f"up to {high}"
    if claim.high is None:
        return f"from {low}"
    return f"about {low}" if claim.low == claim.high else f"{low} - {high}"


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "bytes":
        return f"{value / 1e9:.3g} GB" if value >= 1e9 else f"{value / 1e6:.3g} MB"
    return f"{value:.1%}" if unit == "fraction" else f"{value:.2f}x" if unit == "ratio" else f"{value:.3g} {unit}"


def _details(row: Checked) -> list[str]:
    lines = [f"claimed by {', '.join(row.claim.sources)}"]
    for where, found in (("published", row.published), ("here", row.here)):
        if found is not None:
            lines += [f"{where}: {found.verdict}, {found.why}", *_origins(found)]
    return lines


def _origins(found: Finding) -> list[str]:
    against = ", ".join(f"{name} ({count})" for name, count in found.against.items())
    return [line for line in (f"  against {against}" if against else "", f"  {found.basis}: {', '.join(found.sources)}" if found.sources else "") if line]
