"""`recommend doctor`: what of this machine's state disturbs measuring, and a line against each. Nothing is changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from recommender.cli import print_json
from recommender.cli.options import json_option


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@json_option
def doctor(as_json: bool) -> int:
    """What disturbs measuring here, and what helps."""
    from recommender.measure import energy, preflight

    seen = preflight.record()
    found = preflight.findings(seen)
    _, missing = energy.counters()
    if as_json:
        print_json({"findings": [asdict(each) for each in found], "energy_unavailable": missing, "record": seen, "spin": preflight.spin_policy(seen["foreign_load"])})
        return 0
    for each in found:
        click.echo(f"{each.key:<20} {each.what}" + ("  (refused by --mode strict)" if each.is_serious else ""))
        click.echo(f"{'':<20} hint: {each.fix}")
    for why in missing:
        click.echo(f"{'energy':<20} not measured: {why}")
    click.echo(_summary(seen, len(found)))
    return 0


def _summary(seen: dict[str, Any], n_found: int) -> str:
    clock, load = seen["clock"], seen["foreign_load"]
    quiet = "nothing disturbs" if not n_found else f"{n_found} {'thing disturbs' if n_found == 1 else 'things disturb'}"
    return f"{quiet}; others use {load:.0%} of {seen['processors']} processors, the clock's step is {clock['resolution'] * 1e9:.0f} ns"
