"""`recommend explain`: render the stored trace. No recomputation, so it explains what was said then."""

from __future__ import annotations

import difflib
import re
from typing import Any

import click

from recommender.cli import print_json, stored
from recommender.cli.options import catalog_option, json_option
from recommender.cli.render import wording
from recommender.domain.errors import UsageError

_RULE_ID = re.compile(r"^[A-Z]{3}\d{3}$|^SUP-")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("what", required=False, metavar="[ID|FILE|RULE]")
@click.option("--why", metavar="CANDIDATE", help="Every reading behind a candidate.")
@click.option("--why-not", metavar="CANDIDATE", help="Why a candidate, a framework or a scheme is not first, or not there.")
@click.option("--compare", nargs=2, metavar="A B", help="The criteria of two candidates side by side.")
@catalog_option
@json_option
def explain(what: str | None, why: str | None, why_not: str | None, compare: tuple[str, str] | None, overlays: tuple[str, ...], as_json: bool) -> int:
    """Why this answer: of the last one, of a stored ID or of a document FILE; or the page of a RULE."""
    asked = [name for name, value in (("--why", why), ("--why-not", why_not), ("--compare", compare)) if value is not None]
    is_rule = what is not None and _RULE_ID.match(what) is not None
    if len(asked) > 1 or (asked and is_rule):
        raise UsageError(f"{' and '.join(asked if not is_rule else [f'`{what}`', *asked])} exclude each other", hints=("recommend explain --help",))
    if empty := [name for name, value in (("ID", what), ("--why", why), ("--why-not", why_not)) if value is not None and not value.strip()]:
        raise UsageError(f"{empty[0]} is empty", hints=("recommend explain --help",))
    if what and is_rule:
        from recommender.cli.rules import rule_page

        return rule_page(what, as_json, overlays)
    document = stored.answer(what)
    answers = document.get("answers", [document])
    if why:
        found = _per_answer(answers, lambda answer: _why(answer, why), why)
    elif why_not:
        found = _per_answer(answers, lambda answer: _why_not(answer, why_not), why_not)
    elif compare:
        found = _per_answer(answers, lambda answer: _compare(answer, *compare), " ".join(compare))
    else:
        found = [_overview(answer) for answer in answers]
    if as_json:
        print_json({"id": document["id"], "answers": found})
    else:
        click.echo("\n\n".join("\n".join(row["lines"]) for row in found))
    return 0


def _per_answer(answers: list[dict[str, Any]], ask: Any, words: str) -> list[dict[str, Any]]:
    """What each answer has to say; an error only when none has anything."""
    found, failure = [], None
    for answer in answers:
        try:
            found.append(ask(answer))
        except UsageError as error:
            failure = error
    if not found:
        raise failure or UsageError(f"nothing is known of `{words}`")
    return found


def _overview(answer: dict[str, Any]) -> dict[str, Any]:
    lines = [f"{answer['id']}  {answer['model']['name']} on {answer['target']['name']}: {answer['verdict']}  {answer['why']}"]
    if answer["choices"]:
        lines += _why(answer, answer["choices"][0]["id"])["lines"]
    else:
        lines += [f"  {len(ids)}: {reason}: {', '.join(ids[:6])}" for reason, ids in wording.grouped_reasons(answer["rejected"] + answer["undetermined"])]
    return {"verdict": answer["verdict"], "lines": lines}


def _choice(answer: dict[str, Any], words: str) -> dict[str, Any]:
    """A choice by rank, id, or the only one whose id contains the words."""
    rows = answer["choices"]
    for row in rows:
        if words in (row["id"], str(row["rank"])):
            return dict(row)
    fitting = [row for row in rows if words.lower() in row["id"].lower()]
    if fitting:
        return dict(fitting[0])
    ids = [row["id"] for row in rows]
    near = difflib.get_close_matches(words, ids, n=3, cutoff=0.3)
    raise UsageError(f"no choice `{words}` in this answer" + (f" (near: {', '.join(near)})" if near else ""), hints=tuple(f"recommend explain --why {name}" for name in near[:2]))


def _why(answer: dict[str, Any], words: str) -> dict[str, Any]:
    row = _choice(answer, words)
    lines = [f"{row['id']} is number {row['rank']} for {answer['model']['name']} on {answer['target']['name']}"]
    lines.append("  criteria, in order:")
    lines += [f"    {c['id']} {c['label']}: {c['shown']}" + (f" ({c['basis']})" if c["basis"] else "") for c in row["criteria"]]
    lines.append("  numbers:")
    lines += [f"    {wording.name_of(metric)}: {wording.amount(found)}{_inputs(found)}" for metric, found in row["estimates"].items() if "does not apply" not in (found["why"] or "")]
    lines.append("  rows that fired:")
    for step in _steps_of(answer, row):
        overridden = f"  [overridden by {step['overridden_by']}]" if step.get("overridden_by") else ""
        readings = ", ".join(f"{r['attribute']}={_shown(r['value'])} ({r['origin']})" for r in step["readings"])
        lines.append(f"    {step['rule']}: {step['because']}{overridden}" + (f"\n      read: {readings}" if readings else ""))
    return {"candidate": row["id"], "lines": lines}


def _steps_of(answer: dict[str, Any], row: dict[str, Any]) -> list[dict[str, Any]]:
    """Steps about the candidate, and those about its device that concern its framework, scheme or unit."""
    found = []
    for step in answer["trace"]["steps"]:
        subjects = step.get("subjects") or [step.get("subject")]
        if step["outcome"] != "fired":
            continue
        effect = step["effect"]
        is_placed = row["scheme"] in effect.get("schemes", ()) or row.get("device_kind") in effect.get("units", ())
        concerns = row["framework"] in effect.get("frameworks", ()) or (is_placed and row["framework"] in effect.get("for_frameworks", (row["framework"],)))
        if row["id"] in subjects or (row["device"] in subjects and concerns):
            found.append(step)
    return found


def _inputs(found: dict[str, Any]) -> str:
    inputs = found["inputs"]
    parts = [f"bound by {found['bound']}"] if found["bound"] else []
    parts += [f"sources {', '.join(found['sources'])}"] if found["sources"] else []
    parts += [f"{name.replace('_', ' ')} {_shown(inputs[name])}" for name in ("memory_bandwidth", "peak_ops", "efficiency", "metric", "n") if inputs.get(name)]
    return f"  [{'; '.join(parts)}]" if parts else ""


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value[:6]) + (",..." if len(value) > 6 else "")
    return "unknown" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _why_not(answer: dict[str, Any], words: str) -> dict[str, Any]:
    needle = words.lower()
    lines: list[str] = []
    dismissed = [row for row in (*answer["rejected"], *answer["undetermined"]) if needle in row["id"].lower()]
    for reason, ids in wording.grouped_reasons(dismissed):
        lines.append(f"{', '.join(ids)}: {reason}")
        step = next(row for row in dismissed if row["id"] == ids[0])["because"][0]
        lines += [f"  read: {r['attribute']} = {_shown(r['value'])} ({r['origin']}), wanted {_shown(r['condition'])}" for r in step["readings"]]
    fitting = [row for row in answer["choices"] if needle in row["id"].lower()]
    if fitting and fitting[0]["rank"] > 1:
        lines.append(f"{fitting[0]['id']} is eligible, number {fitting[0]['rank']}: {answer['choices'][0]['id']} comes first by {wording.separation(answer['choices'][0], fitting[0])}")
    elif fitting:
        lines.append(f"{fitting[0]['id']} is the first choice")
    if not fitting and not dismissed:
        lines += _closed(answer, needle)
    if not lines:
        known = {row["id"] for row in (*answer["rejected"], *answer["undetermined"], *answer["choices"])}
        near = difflib.get_close_matches(words, known, n=2, cutoff=0.3)
        raise UsageError(f"nothing is known of `{words}` in this answer: no framework claims that path here" + (f" (near: {', '.join(near)})" if near else ""), hints=("recommend frameworks",))
    return {"candidate": words, "lines": lines}


def _closed(answer: dict[str, Any], needle: str) -> list[str]:
    """Support statements of that framework or provider that failed, with the reading that closed them."""
    lines = []
    for step in answer["trace"].get("closed", ()):
        name = f"{step['effect'].get('framework', '')}/{step['effect'].get('execution_provider', '')}"
        if needle in name.lower() or needle in step["rule"].lower():
            reading = step["readings"][0] if step["readings"] else None
            why = f"{reading['attribute']} is {_shown(reading['value'])}, {step['rule']} wants {_shown(reading['condition'])}" if reading else step["because"]
            lines.append(f"{name} on {step['subject']}: {why}")
    return lines


def _compare(answer: dict[str, Any], first: str, second: str) -> dict[str, Any]:
    a, b = _choice(answer, first), _choice(answer, second)
    if a["rank"] > b["rank"]:
        a, b = b, a
    lines = [f"{a['id']} (number {a['rank']}) before {b['id']} (number {b['rank']}): {wording.separation(a, b)}", ""]
    lines += [f"  {x['id']} {x['label']:<55} {x['shown']:<32} {y['shown']}" + ("  <- decides" if _decides(a, b) == x["id"] else "") for x, y in zip(a["criteria"], b["criteria"], strict=True)]
    metrics = sorted({*a["estimates"], *b["estimates"]})
    lines += [""] + [f"  {wording.name_of(m):<14} {wording.amount(a['estimates'].get(m)):<55} {wording.amount(b['estimates'].get(m))}" for m in metrics]
    return {"first": a["id"], "second": b["id"], "lines": lines}


def _decides(a: dict[str, Any], b: dict[str, Any]) -> str:
    return next((x["id"] for x, y in zip(a["criteria"], b["criteria"], strict=True) if x["key"] != y["key"]), "")
