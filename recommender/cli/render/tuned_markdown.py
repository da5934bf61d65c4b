"""The document of `recommend tune` as GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recommender.cli.render import tuned_parts as parts
from recommender.cli.render import wording
from recommender.cli.render.markdown import escaped
from recommender.cli.render.wording import Document


def markdown(document: Document) -> str:
    """Verdict and decision first, then what they rest on."""
    metrics = parts.columns(document)
    named = [wording.name_of(metric) for metric in metrics]
    front = {point for point, _ in parts.front(document)}
    points = [("front" if point in front else "" if row["is_feasible"] else "not feasible", point, *parts.figures(row, metrics)) for point, row in parts.ranked(document)]
    estimates = [
        (point, parts.amount(estimate["central"], found["unit"]), parts.figure(found)) for point, estimate, found in parts.told_and_measured(document, parts.objectives(document)[0])
    ]
    goals = [wording.name_of(metric) for metric in parts.objectives(document)]
    lines = [f"# {escaped(parts.title(document))}", "", *_decision(document)]
    lines += _section("What was asked", [f"- {what}: {escaped(words)}" for what, words in parts.given(document)])
    lines += _section("Points that were measured", _table(("", "point", *named), points))
    lines += _section("Best so far", _table(("after", goals[0], "point"), parts.best_so_far(document)))
    for metric, found in parts.shares(document):
        lines += _section(f"What matters for {wording.name_of(metric)} (settings: within the trials of their framework)", _table(("parameter", "share"), [(name, f"{share:.0%}") for name, share in found]))
    lines += _section("Estimate against measurement", [*(f"- {escaped(line)}" for line in parts.agreement(document)), "", *_table(("point", f"{goals[0]} estimated", "measured"), estimates)] if estimates else [])
    lines += _section("Never run", [f"- {escaped(line)}" for line in parts.never_run(document)])
    lines += _section("By class of machine", _table(("class", "verdict", "winner", "trials", *goals), parts.class_rows(document)))
    lines += _section("One choice for all: behind the best", _table(("choice", "on all", *sorted(document["classes"])), parts.fleet_rows(document)))
    lines += _section("Trials", _trials(document, named))
    return "\n".join(lines)


def _decision(document: Document) -> list[str]:
    lines = [f"**{escaped(document['verdict'])}** {escaped(document['why'])}"]
    if name := parts.winner(document):
        row = document["points"].get(name)
        told = ", ".join(f"{wording.name_of(metric)} {words}" for metric, words in zip(parts.columns(document), parts.figures(row, parts.columns(document)), strict=True)) if row else ""
        lines += ["", f"- {escaped(name)}" + (f": {escaped(told)}" if told else "")]
    lines += [f"- {escaped(note)}" for note in parts.notes(document)]
    line = " ".join(parts.command(document).split())  # an indented block needs no fence, which a name could close
    return [*lines, "", "Measure it again:", "", f"    {line}"] if line else lines


def _trials(document: Document, named: Sequence[str]) -> list[str]:
    more = len(document["trials"]) - parts.SHOWN_TRIALS
    lines = _table(("trial", "point", "how", "state", "after", "worker", *named), parts.trial_rows(document))
    return [*lines, "", f"{more} more are in the JSON document."] if more > 0 else lines


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"## {escaped(title)}", "", *lines] if lines else []


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    body = [_row(row) for row in rows]
    return [_row(names), "|" + " --- |" * len(names), *body] if body else []


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"
