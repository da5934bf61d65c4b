"""`recommend frameworks`: what this machine can run, what not and why, and the line that unlocks it."""

from __future__ import annotations

from typing import Any

import click

from recommender.cli import print_json, say
from recommender.cli.options import all_overlays, catalog_option, json_option


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--target", "-t", default="this-machine", show_default=True, help="this-machine, a machine of the catalogue, or a recording.")
@catalog_option
@json_option
def frameworks(target: str, overlays: tuple[str, ...], as_json: bool) -> int:
    """Frameworks by what they reach on the target, and the probes that are loaded."""
    from recommender import compose

    catalog = compose.load_catalog(all_overlays(overlays))
    found = compose.resolve_target(target, catalog, say)
    rows = [_row(framework, found, catalog) for framework in catalog.frameworks.values()]
    probes = _probes() if target == compose.THIS_MACHINE else []
    executors = _executors() if target == compose.THIS_MACHINE else []
    if as_json:
        print_json({"target": target, "frameworks": rows, "executors": executors, "probes": probes})
        return 0
    for row in rows:
        state = f"installed {row['version']}" if row["version"] else ("not installed" if found.kind != "catalogue" else "")
        click.echo(f"{row['framework']:<18} {', '.join(row['execution_providers']) or 'nothing here'}  {state}" + ("" if row["has_executor"] else "  (no executor of ours)"))
        for line in row["why_not"]:
            click.echo(f"{'':<18} not {line}")
        if row["unlock"]:
            click.echo(f"{'':<18} hint: {row['unlock']}")
    for row in executors:
        click.echo(f"{row['role']:<8} {row['name']:<18} {row['package']:<24} " + (f"ready {row['version']}" if row["ok"] else f"not ready: {row['reason']}"))
        if row["hint"]:
            click.echo(f"{'':<27} hint: {row['hint']}")
    for probe in probes:
        click.echo(f"probe {probe['name']:<20} {probe['module']} {probe['package']}")
    return 0


def _row(framework: Any, target: Any, catalog: Any) -> dict[str, Any]:
    from recommender.decide import attributes, tables

    installed = {row.framework: row for row in target.fingerprint.frameworks}
    host = attributes.host_attributes(target)
    opened: list[str] = []
    closed: dict[str, str] = {}
    for device in target.fingerprint.devices:
        read = attributes.overridden(attributes.device_attributes(device, target.matched.get(device.id), target, host), target.overrides)
        read = {**read, **attributes.framework_attributes(framework, target)}
        for statement in framework.support:
            about_machine = {name: row for name, row in statement.when.items() if name.startswith(("host.", "device.", "framework."))}
            name = f"{statement.execution_provider} on {device.id}"
            if statement.status == "no" or tables.evaluate({k: v for k, v in about_machine.items() if k == "device.kind"}, read) is False:
                continue
            outcome = tables.evaluate(about_machine, read)
            if outcome and name not in opened:
                opened.append(name)
            elif not outcome:
                reading = next(r for r in tables.readings(about_machine, read) if r.outcome != "fired")
                closed.setdefault(name, f"{name}: {reading.attribute} is {'not known' if reading.value is None else reading.value}")
    here = installed.get(framework.key)
    return {
        "framework": framework.key, "name": framework.name, "execution_providers": opened, "has_executor": framework.has_executor,
        "version": here.version if here else None, "offered": list(here.execution_providers or ()) if here else [],
        "why_not": [line for name, line in closed.items() if name not in opened],
        "unlock": framework.install if opened and not here and target.kind == "this-machine" else None,
    }


def _executors() -> list[dict[str, Any]]:
    """Preparers and runners, ours and others', with what each says of itself; one that cannot be loaded says why."""
    from importlib.metadata import entry_points

    from recommender.domain.errors import RecommenderError
    from recommender.executors import registry

    found = []
    for role, group, load in (("preparer", registry.PREPARERS, registry.preparer), ("runner", registry.RUNNERS, registry.runner)):
        for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
            row: dict[str, Any] = {"role": role, "name": entry.name, "package": f"{entry.dist.name} {entry.dist.version}" if entry.dist else ""}
            try:
                executor = load(entry.name)
                state = registry.ready(executor)
                row |= {"ok": state.ok, "version": state.version, "reason": state.reason, "hint": state.hint, "environment": executor.environment}
            except (RecommenderError, ImportError, AttributeError) as error:
                row |= {"ok": False, "version": "", "reason": str(error), "hint": "", "environment": ""}
            found.append(row)
    return found


def _probes() -> list[dict[str, str]]:
    from importlib.metadata import entry_points

    return [
        {"name": entry.name, "module": entry.value, "package": f"{entry.dist.name} {entry.dist.version}" if entry.dist else ""}
        for entry in sorted(entry_points(group="recommender.probes"), key=lambda entry: entry.name)
    ]
