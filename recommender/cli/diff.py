"""`recommend diff OLD NEW`: the fact, row or evidence that flipped an answer, from the two stored traces."""

from __future__ import annotations

import json
from typing import Any

import click

from recommender.cli import print_json, stored
from recommender.cli.render import wording
from recommender.domain.errors import UsageError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--json", "as_json", is_flag=True)
def diff(old: str, new: str, as_json: bool) -> int:
    """Two answers (stored ids or document files): what differs in the result, and which facts, rows and numbers differ behind it."""
    before, after = stored.answer(old), stored.answer(new)
    if ("answers" in before) != ("answers" in after):
        raise UsageError(f"`{old}` and `{new}` are not of the same kind: one answers for a model, the other for one of each class")
    pairs = _pairs(before, after)
    found = [difference(a, b) for a, b in pairs]
    if as_json:
        print_json({"old": before["id"], "new": after["id"], "answers": found})
    else:
        click.echo("\n\n".join("\n".join(_lines(row)) for row in found) or "the two answers have no model in common")
    return 0


def _pairs(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    if "answers" not in before:
        return [(before, after)]
    later = {answer["model"]["key"]: answer for answer in after["answers"]}
    return [(answer, later[answer["model"]["key"]]) for answer in before["answers"] if answer["model"]["key"] in later]


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What differs: verdict and first choice, inputs, readings, rows, numbers, versions."""
    first, second = (answer["choices"][0]["id"] if answer["choices"] else None for answer in (before, after))
    return {
        "model": after["model"]["name"],
        "verdict": [before["verdict"], after["verdict"]],
        "first_choice": [first, second],
        "flipped": first != second or before["verdict"] != after["verdict"],
        "inputs": _changes(_inputs(before), _inputs(after)),
        "facts": _changes(*(_readings(answer) | _figures(answer, {first, second}) for answer in (before, after))),
        "rows": _rows(before, after),
        "numbers": _numbers(before, after, {name for name in (first, second) if name}),
        "dismissed": _dismissed(before, after, first, second),
    }


def _inputs(answer: dict[str, Any]) -> dict[str, Any]:
    flat = {f"model.{name}": value for name, value in answer["model"].items() if name != "artifact"}
    flat |= {f"workload.{name}": value for name, value in answer["workload"].items()}
    flat |= {f"wish.{name}": value for name, value in answer["wishes"].items()}
    flat |= {f"target.{name}": answer["target"].get(name) for name in ("name", "machine", "os", "architecture", "digest")}
    flat |= {f"from an overlay: {name}": layer for name, layer in answer.get("overlaid", {}).items()}
    return flat | {name: answer[name] for name in ("catalog_version", "engine_version", "today")}


def _readings(answer: dict[str, Any]) -> dict[str, Any]:
    """`device: attribute` -> value, for everything that a fired or open row read of host, device or framework."""
    found: dict[str, Any] = {"host.memory": answer["target"]["memory"].get("limit") or answer["target"]["memory"].get("total")}
    for step in answer["trace"]["steps"]:
        subjects = step.get("subjects") or [step.get("subject")]
        for reading in step["readings"]:
            if reading["attribute"].startswith(("host.", "device.", "framework.")):
                for subject in subjects if len(subjects) < 4 else ("several candidates",):
                    found[f"{reading['attribute']} ({subject})"] = reading["value"]
    return found


def _figures(answer: dict[str, Any], names: set[str | None]) -> dict[str, Any]:
    """`device: figure` -> value, for the facts that the numbers of the two first choices rest on."""
    rows = [row for row in answer["choices"] if row["id"] in names]
    return {
        f"{name} ({row['device']})": estimate["inputs"][name]
        for row in rows for estimate in row["estimates"].values() for name in ("memory_bandwidth", "peak_ops") if estimate["inputs"].get(name)
    }


def _changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: [before.get(name), after.get(name)] for name in sorted({*before, *after}) if before.get(name) != after.get(name)}


def _rows(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[str]]:
    """Rows that fired in one answer only, by what they say."""
    a, b = (_fired(answer) for answer in (before, after))
    return {
        "only_old": sorted(f"{rule}: {because}" for (rule, because) in a - b),
        "only_new": sorted(f"{rule}: {because}" for (rule, because) in b - a),
    }


def _fired(answer: dict[str, Any]) -> set[tuple[str, str]]:
    return {(step["rule"], step["because"]) for step in answer["trace"]["steps"] if step["outcome"] == "fired" and not step.get("overridden_by")}


def _numbers(before: dict[str, Any], after: dict[str, Any], names: set[str]) -> dict[str, list[str]]:
    """Estimates of the two first choices that differ, with basis and sources (evidence shows here)."""
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        a, b = ({row["id"]: row for row in answer["choices"]}.get(name) for answer in (before, after))
        for metric in sorted({*(a or {}).get("estimates", {}), *(b or {}).get("estimates", {})}):
            shown = [_told((row or {}).get("estimates", {}).get(metric)) for row in (a, b)]
            if shown[0] != shown[1]:
                found[f"{name} {metric}"] = shown
    return found


def _told(estimate: dict[str, Any] | None) -> str:
    if estimate is None:
        return "not a choice"
    sources = f" from {', '.join(estimate['sources'])}" if estimate["sources"] else ""
    return wording.amount(estimate) + sources


def _dismissed(before: dict[str, Any], after: dict[str, Any], first: str | None, second: str | None) -> list[str]:
    """Why the old first choice is no longer there, or the new one was not before."""
    lines = []
    for name, answer, when in ((first, after, "now"), (second, before, "before")):
        for row in (*answer["rejected"], *answer["undetermined"]):
            if name and row["id"] == name:
                reasons = "; ".join(f"{step['because']} [{step['rule']}]" for step in row["because"])
                lines.append(f"{name} is {row['eligibility']} {when}: {reasons}")
    return lines


def _lines(row: dict[str, Any]) -> list[str]:
    head = "flipped" if row["flipped"] else "same answer"
    lines = [f"{row['model']}: {head}: {row['verdict'][0]} {row['first_choice'][0]} -> {row['verdict'][1]} {row['first_choice'][1]}"]
    lines += [f"  {line}" for line in row["dismissed"]]
    for title, name in (("input", "inputs"), ("fact", "facts"), ("number", "numbers")):
        lines += [f"  {title} {key}: {_plain(a)} -> {_plain(b)}" for key, (a, b) in list(row[name].items())[:12]]
    lines += [f"  row only in OLD  {text}" for text in row["rows"]["only_old"][:8]]
    lines += [f"  row only in NEW  {text}" for text in row["rows"]["only_new"][:8]]
    return lines


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 90 else text[:87] + "..."
