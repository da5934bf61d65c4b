"""The answer as one self-contained page: inline style and drawings, no script, nothing fetched. Names and paths are not trusted: all text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from recommender.cli.render import memory_bars, plot, sections, wording
from recommender.cli.render.markup import text
from recommender.cli.render.page_style import CSS
from recommender.cli.render.wording import Document

_NAMED = 12  # candidates named for one reason before the rest is folded away
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

Choice = Mapping[str, Any]


def page(document: Document, limit: int = 3) -> str:
    """One answer, or one of each class and the largest usable models."""
    answers = document.get("answers") or [document]
    title = f"What runs on {_target_name(document)}" if "answers" in document else _title(document)
    body = [_articles(answers, limit)] if "answers" not in document else [_summary(document, title), _articles(answers, limit)]
    return "\n".join([
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><title>{text(title)}</title>',
        f"<style>\n{CSS}\n</style></head><body><main>",
        *body,
        "</main></body></html>",
    ])


def _title(document: Document) -> str:
    return f"{document['model']['name']} on {_target_name(document)}"


def _target_name(document: Document) -> str:
    target = document["target"]
    return str(target["machine_name"] or target["name"])


def _summary(document: Document, title: str) -> str:
    largest = _list(text(sections.largest_line(name, found)) for name, found in document["largest_usable"].items())
    answered = _list(f"{text(answer['model']['name'])}: <strong>{text(answer['verdict'])}</strong> {text(_first_path(answer))}" for answer in document["answers"])
    return f"<header><h1>{text(title)}</h1><p>{text(wording.target_line(document))}</p>{largest}{answered}</header>"


def _first_path(document: Document) -> str:
    return wording.path(document["choices"][0]) if document["choices"] else document["why"]


def _articles(answers: list[Document], limit: int) -> str:
    head = "h1" if len(answers) == 1 else "h2"
    return "\n".join(_article(answer, limit, f"a{number}", head) for number, answer in enumerate(answers, 1))


def _article(document: Document, limit: int, name: str, head: str) -> str:
    parts = [f"<article><{head}>{text(_title(document))}</{head}>", _answer(document)]
    if document["choices"]:
        parts += [
            _section("Choices", _choices(document, document["choices"][:limit], "The first choices with their expected numbers")),
            _section(text(plot.heading(document)), _plot(document, limit, name)),
            _section("Memory by component", _memory(document, limit, name)),
            _section("Why this order", _list(f"{a} before {b}: {text(why)}" for a, b, why in sections.reasons_between(document, limit))),
            _section("Criteria of the first two, in order", _criteria(document)),
            _section("Settings", _list(f"{row['rank']}: {text(sections.settings(row))}" for row in document["choices"][:limit])),
            _section("Recipe", _recipe(document["choices"][0])),
            _section("Warnings", _list(f"{row['rank']}: {text(warning)}" for row in document["choices"][:limit] for warning in row["warnings"])),
        ]
    parts += [
        _section("Not possible", _groups(document, "rejected")),
        _section("Undetermined: not observed", _groups(document, "undetermined")),
        _section("What was asked and assumed", _given(document)),
        _section("Before you ship", _list(f"{text(note)} ({text(rule)})" for rule, note in sections.before_shipping(document))),
        _section("What next", _list(text(line) for line in document["hints"])),
        _section("More", _more(document, limit)),
    ]
    return "\n".join(part for part in [*parts, "</article>"] if part)


def _section(title: str, body: str) -> str:
    return f"<section><h3>{title}</h3>{body}</section>" if body else ""


def _list(items: Iterable[str]) -> str:
    lines = [f"<li>{item}</li>" for item in items]
    return f"<ul>{''.join(lines)}</ul>" if lines else ""


def _answer(document: Document) -> str:
    choice = document["choices"][0] if document["choices"] else None
    shown = f'<p class="path">{text(wording.path(choice))}</p>' if choice else ""
    because = _list(text(reason) for reason in sections.reasons_of(choice)) if choice else ""
    numbers = ", ".join(f"{wording.name_of(m)} {wording.short(choice['estimates'].get(m))}" for m in sections.table_metrics(document)) if choice else ""
    return f'<div class="answer"><p class="verdict">{text(document["verdict"])}</p>{shown}<p>{text(numbers)}</p><p>{text(document["why"])}</p>{because}</div>'


def _choices(document: Document, rows: list[Choice], caption: str) -> str:
    metrics = sections.table_metrics(document)
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in ("", "path", *(wording.name_of(metric) for metric in metrics)))
    body = "".join(_choice_row(row, metrics) for row in rows)
    return f'<div class="wide"><table><caption class="ids">{text(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _choice_row(row: Choice, metrics: Iterable[str]) -> str:
    front = "<small>on the Pareto front</small>" if row["pareto"] else ""
    cells = "".join(f"<td>{_amount(row['estimates'].get(metric))}</td>" for metric in metrics)
    return f'<tr><td>{row["rank"]}</td><th scope="row">{text(wording.path(row))}{front}</th>{cells}</tr>'


def _amount(estimate: Mapping[str, Any] | None) -> str:
    """Central value, interval and basis on two lines."""
    main, _, rest = wording.amount(estimate).partition(" (")
    return f'<span class="nowrap">{text(main)}</span><small>{text(rest.removesuffix(")"))}</small>'


def _plot(document: Document, limit: int, name: str) -> str:
    drawing = plot.pareto(document, limit, f"{name}-plot")
    return f"<figure>{drawing}<figcaption>{text(plot.described(document, limit))}</figcaption></figure>" if drawing else ""


def _memory(document: Document, limit: int, name: str) -> str:
    drawing = memory_bars.bars(document, limit, f"{name}-memory")
    if not drawing:
        return ""
    rows = document["choices"][:limit]
    head = '<th scope="col">component</th>' + "".join(f'<th scope="col">{row["rank"]}: {text(wording.path(row))}</th>' for row in rows)
    lines = []
    for number, component in enumerate(memory_bars.components(rows)):
        cells = "".join(f"<td>{text(wording.size(row['memory_by_component'][component])) if component in row['memory_by_component'] else 'none'}</td>" for row in rows)
        lines.append(f'<tr><th scope="row">{memory_bars.swatch(number, f"{name}-memory")}{text(wording.name_of(component))}</th>{cells}</tr>')
    found = memory_bars.room(document, rows[0])
    told = f"{found[1]} {wording.size(found[0])}" if found else "the memory there is, is not known"
    caption = f"<figcaption>Pessimistic end of each part, which decides whether it fits; {text(told)}.</figcaption>"
    return f'<figure>{drawing}{caption}</figure><div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _criteria(document: Document) -> str:
    if len(document["choices"]) < 2:
        return ""
    first, second = document["choices"][:2]
    pairs = list(zip(first["criteria"], second["criteria"], strict=True))
    decides = next((a["id"] for a, b in pairs if a["key"] != b["key"]), None)
    rows = "".join(
        f'<tr{" class=decides" if a["id"] == decides else ""}><th scope="row">{text(a["id"])} {text(a["label"])}</th><td>{_reading(a)}</td><td>{_reading(b)}</td>'
        f'<td>{"decides" if a["id"] == decides else ""}</td></tr>'
        for a, b in pairs
    )
    head = f'<th scope="col">criterion</th><th scope="col">1: {text(wording.path(first))}</th><th scope="col">2: {text(wording.path(second))}</th><th scope="col">effect</th>'
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _reading(criterion: Mapping[str, Any]) -> str:
    return text(criterion["shown"]) + (f"<small>{text(criterion['basis'])}</small>" if criterion["basis"] else "")


def _recipe(choice: Choice) -> str:
    steps = "".join(f"<li>{text(sections.step_words(step))}</li>" for step in choice["recipe"]["steps"])
    commands = sections.commands(choice)
    block = f"<pre><code>{text(chr(10).join(' '.join(line.split()) for line in commands))}</code></pre>" if commands else ""
    return f"<ol>{steps}</ol>{block}"


def _groups(document: Document, name: str) -> str:
    lines = []
    for reason, ids in sections.dismissed(document, name):
        named = text(", ".join(ids[:_NAMED]))
        rest = f"<details><summary>and {len(ids) - _NAMED} more</summary>{text(', '.join(ids[_NAMED:]))}</details>" if len(ids) > _NAMED else ""
        lines.append(f'{len(ids)}: {text(reason)}<div class="ids">{named}{rest}</div>')
    return _list(lines)


def _given(document: Document) -> str:
    rows = [*sections.given(document), *(("Assumed", row) for row in document["target"]["assumptions"])]
    return "<dl>" + "".join(f"<dt>{text(what)}</dt><dd>{text(words)}</dd>" for what, words in rows) + "</dl>"


def _more(document: Document, limit: int) -> str:
    parts = []
    if len(document["choices"]) > limit:
        parts.append(_fold(f"All {len(document['choices'])} eligible choices", _choices(document, document["choices"], "Every eligible choice in order")))
    parts.append(_fold(f"Trace: {_counts(document)}", _trace(document)))
    if names := sections.sources(document, limit):
        parts.append(_fold("Sources", _list(text(name) for name in names)))
    return "".join(parts)


def _fold(summary: str, body: str) -> str:
    return f"<details><summary>{text(summary)}</summary>{body}</details>"


def _counts(document: Document) -> str:
    return ", ".join(f"{number} {outcome}" for outcome, number in sorted(document["trace"]["counts"].items())) or "no step"


def _trace(document: Document) -> str:
    rows = []
    for step in document["trace"]["steps"]:
        subjects = step.get("subjects") or [step["subject"]]
        read = ", ".join(f"{r['attribute']} = {'unknown' if r['value'] is None else r['value']} ({r['origin']})" for r in step["readings"])
        overridden = f", overridden by {step['overridden_by']}" if step.get("overridden_by") else ""
        rows.append(
            f'<tr><th scope="row">{text(step["rule"])}</th><td>{text(step["outcome"] + overridden)}</td><td>{text(step["because"])}</td>'
            f"<td>{text(', '.join(subjects[:4]))}{f' and {len(subjects) - 4} more' if len(subjects) > 4 else ''}</td><td>{text(read)}</td></tr>"
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("rule", "outcome", "because", "about", "read"))
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
