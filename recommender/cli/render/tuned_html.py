"""The document of `recommend tune` as one self-contained page: inline style and drawings, no script, nothing fetched. All text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recommender.cli.render import tuned_parts as parts
from recommender.cli.render import tuned_plot as plot
from recommender.cli.render import wording
from recommender.cli.render.markup import text
from recommender.cli.render.page_style import CSS
from recommender.cli.render.wording import Document

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(document: Document) -> str:
    """Verdict and decision first, then what they rest on."""
    title = parts.title(document)
    sections = [
        *_drawings(document),
        _section("Points that were measured", _points(document)),
        _section("What each parameter matters", _shares(document)),
        _section("Estimate against measurement", _agreement(document)),
        _section("Never run", _list(parts.never_run(document))),
        _section("By class of machine", _classes(document)),
        _section("What was asked", _given(document)),
        _section("Trials", _trials(document)),
    ]
    return "\n".join([
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><title>{text(title)}</title>',
        f"<style>\n{CSS}\n</style></head><body><main><article><h1>{text(title)}</h1>",
        _decision(document),
        *(section for section in sections if section),
        "</article></main></body></html>",
    ])


def _decision(document: Document) -> str:
    name = parts.winner(document)
    row = document["points"].get(name or "")
    metrics = parts.columns(document)
    told = ", ".join(f"{wording.name_of(metric)} {words}" for metric, words in zip(metrics, parts.figures(row, metrics), strict=True)) if row else ""
    line = parts.command(document)
    again = f"<p>Measure it again:</p><pre><code>{text(' '.join(line.split()))}</code></pre>" if line else ""
    shown = f'<p class="path">{text(name)}</p><p>{text(told)}</p>' if name else ""
    return f'<div class="answer"><p class="verdict">{text(document["verdict"])}</p>{shown}<p>{text(document["why"])}</p>{_list(parts.notes(document))}{again}</div>'


def _drawings(document: Document) -> list[str]:
    first, *others = (wording.name_of(metric) for metric in parts.objectives(document))
    return [
        _section(text(f"{first} against {others[0]}".capitalize()) if others else "", _figure(plot.front(document, "front"), "Filled: no other point beats it in all objectives; the line joins them. Whiskers are intervals over fresh processes.")),
        _section(text(f"Best {first} over time"), _figure(plot.history(document, "history"), parts.spent(document)) + _table(("after", first, "point"), parts.best_so_far(document))),
    ]


def _points(document: Document) -> str:
    metrics = parts.columns(document)
    front = {point for point, _ in parts.front(document)}
    rows = [
        (point, "on the front" if point in front else "" if row["is_feasible"] else "does not meet the needs", *parts.figures(row, metrics)) for point, row in parts.ranked(document)
    ]
    return _table(("point", "", *(wording.name_of(metric) for metric in metrics)), rows)


def _shares(document: Document) -> str:
    found = parts.shares(document)
    return "".join(
        _figure(plot.bars(rows, f"What matters for {wording.name_of(metric)}", f"share{number}"), f"{wording.name_of(metric)}: share of its variation that a parameter explains; of settings, within the trials of their framework.")
        for number, (metric, rows) in enumerate(found)
    )


def _agreement(document: Document) -> str:
    drawn = [
        _figure(plot.agreement(document, metric, f"agreement{number}"), f"{wording.name_of(metric)}: on the dashed diagonal both are equal. An estimate speaks of the answer's own settings.")
        for number, metric in enumerate(parts.objectives(document))
    ]
    return "".join(drawn) + _list(parts.agreement(document))


def _classes(document: Document) -> str:
    goals = [wording.name_of(metric) for metric in parts.objectives(document)]
    fleet = _table(("one choice for all", "behind the best on all", *sorted(document["classes"])), parts.fleet_rows(document))
    return _table(("class", "verdict", "winner", "trials", *goals), parts.class_rows(document)) + fleet


def _given(document: Document) -> str:
    return "<dl>" + "".join(f"<dt>{text(what)}</dt><dd>{text(words)}</dd>" for what, words in parts.given(document)) + "</dl>"


def _trials(document: Document) -> str:
    names = ("trial", "point", "how", "state", "after", "worker", *(wording.name_of(metric) for metric in parts.columns(document)))
    more = len(document["trials"]) - parts.SHOWN_TRIALS
    told = f"<p>{more} more are in the JSON document.</p>" if more > 0 else ""
    return f"<details><summary>{len(document['trials'])} trials</summary>{_table(names, parts.trial_rows(document))}{told}</details>" if document["trials"] else ""


def _section(title: str, body: str) -> str:
    return f"<section><h3>{title}</h3>{body}</section>" if body else ""


def _figure(drawing: str, caption: str) -> str:
    return f"<figure>{drawing}<figcaption>{text(caption)}</figcaption></figure>" if drawing else ""


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{text(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first cell of a row is its head."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in names)
    body = "".join(f'<tr><th scope="row">{text(first)}</th>{"".join(f"<td>{text(cell)}</td>" for cell in rest)}</tr>' for first, *rest in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
