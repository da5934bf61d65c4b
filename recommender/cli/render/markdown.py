"""The answer as GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from typing import Any

from recommender.cli.render import sections, wording
from recommender.cli.render.wording import Document

_SPECIAL = re.compile(r"([\\`*\[\]|~$]|^[#>+-]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z]))")  # `_` inside a word has no meaning in this dialect
_NAMED = 12  # candidates named for one reason


def markdown(document: Document, limit: int = 3) -> str:
    """One answer, or one of each class and the largest usable models."""
    if "answers" not in document:
        return "\n".join([*_answer(document, limit, "#"), *_before_shipping([document], "##"), *_sources([document], limit, "##")])
    lines = ["# What runs on " + escaped(document["target"]["name"]), "", f"- {escaped(wording.target_line(document))}"]
    lines += [f"- {escaped(sections.largest_line(name, found))}" for name, found in document["largest_usable"].items()]
    for answer in document["answers"]:
        lines += ["", *_answer(answer, limit, "##")]
    return "\n".join([*lines, *_before_shipping(document["answers"], "##"), *_sources(document["answers"], limit, "##")])


def escaped(text: Any) -> str:
    """Text without any meaning to Markdown or HTML, on one line."""
    plain = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return _SPECIAL.sub(r"\\\1", plain)


def _answer(document: Document, limit: int, head: str) -> list[str]:
    below = head + "#"
    title = f"{document['model']['name']} on {document['target']['machine_name'] or document['target']['name']}"
    lines = [f"{head} {escaped(title)}", ""]
    lines += [f"- {what}: {escaped(words)}" for what, words in sections.given(document)]
    lines += [f"- Assumed: {escaped(row)}" for row in document["target"]["assumptions"]]
    lines += ["", f"**{escaped(document['verdict'])}** {escaped(document['why'])}"]
    if document["choices"]:
        lines += _section(below, "Because", [f"- {escaped(reason)}" for reason in sections.reasons_of(document["choices"][0])])
        lines += _section(below, "Choices", _table(document, limit))
        lines += _section(below, "Why this order", [f"- Why {a} before {b}: {escaped(why)}" for a, b, why in sections.reasons_between(document, limit)])
        lines += _section(below, "Settings", [f"- {choice['rank']}: {escaped(sections.settings(choice))}" for choice in document["choices"][:limit]])
        lines += _section(below, "Recipe", _recipe(document["choices"][0]))
        lines += _section(below, "Warnings", _warnings(document, limit))
    lines += _section(below, "Not possible", _groups(document, "rejected"))
    lines += _section(below, "Undetermined: not observed", _groups(document, "undetermined"))
    return lines + _section(below, "What next", [f"- {escaped(line)}" for line in document["hints"]])


def _before_shipping(documents: list[Document], head: str) -> list[str]:
    notes = dict.fromkeys(row for document in documents for row in sections.before_shipping(document))
    return _section(head, "Before you ship", [f"- {escaped(note)} ({escaped(rule)})" for rule, note in notes])


def _sources(documents: list[Document], limit: int, head: str) -> list[str]:
    names = sorted({name for document in documents for name in sections.sources(document, limit)})
    return _section(head, "Sources", [f"- {escaped(name)}" for name in names])


def _section(head: str, title: str, lines: list[str]) -> list[str]:
    return ["", f"{head} {title}", "", *lines] if lines else []


def _table(document: Document, limit: int) -> list[str]:
    metrics = sections.table_metrics(document)
    names = ["", "path", *(wording.name_of(metric) for metric in metrics)]
    lines = [_row(names), _row(["---:", "---", *("---" for _ in metrics)])]
    for choice in document["choices"][:limit]:
        cells = [wording.amount(choice["estimates"].get(metric)) for metric in metrics]
        lines.append(_row([escaped(cell) for cell in (choice["rank"], wording.path(choice) + (" (Pareto front)" if choice["pareto"] else ""), *cells)]))
    more = len(document["choices"]) - limit
    return lines + (["", f"{more} more are eligible."] if more > 0 else [])


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _recipe(choice: dict[str, Any]) -> list[str]:
    lines = [f"{number}. {escaped(sections.step_words(step))}" for number, step in enumerate(choice["recipe"]["steps"], 1)]
    return lines + (["", *_code(sections.commands(choice))] if sections.commands(choice) else [])


def _code(commands: list[str]) -> list[str]:
    """A fenced block whose fence is longer than any run of backticks inside."""
    runs = [len(run) for command in commands for run in re.findall("`+", command)]
    fence = "`" * max(3, *(length + 1 for length in [2, *runs]))
    return [f"{fence}sh", *(" ".join(command.split()) for command in commands), fence]


def _warnings(document: Document, limit: int) -> list[str]:
    """Each warning once, with the choices that it concerns."""
    found: dict[str, list[str]] = {}
    for choice in document["choices"][:limit]:
        for warning in choice["warnings"]:
            found.setdefault(warning, []).append(str(choice["rank"]))
    return [f"- {', '.join(ranks)}: {escaped(warning)}" for warning, ranks in found.items()]


def _groups(document: Document, name: str) -> list[str]:
    lines = []
    for reason, ids in sections.dismissed(document, name):
        more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
        lines.append(f"- {len(ids)}: {escaped(reason)}: {escaped(', '.join(ids[:_NAMED]))}{more}")
    return lines
