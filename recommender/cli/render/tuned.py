"""The document of `recommend tune` for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from recommender.cli.render import tuned_parts as parts
from recommender.cli.render import wording
from recommender.cli.render.aligned import aligned
from recommender.cli.render.wording import Document

_POINTS = 10  # shown beside the front
_BAR = 24  # letters of a whole


def text(document: Document) -> str:
    """Verdict and decision first, then what they rest on."""
    return "\n\n".join("\n".join(block) for block in (list(found) for found in _blocks(document)) if block)


def _blocks(document: Document) -> Iterator[Iterator[str]]:
    yield _decision(document)
    yield (f"{what:<13} {words}" for what, words in parts.given(document))
    yield _points(document)
    yield _table("Best so far", ("AFTER", wording.name_of(parts.objectives(document)[0]).upper(), "POINT"), parts.best_so_far(document))
    yield _shares(document)
    yield _listed("Estimates", parts.agreement(document))
    yield _listed("Never run", parts.never_run(document))
    yield _classes(document)


def _decision(document: Document) -> Iterator[str]:
    yield f"{document['verdict']}  {document['why']}"
    if name := parts.winner(document):
        yield f"  {name}"
        if row := document["points"].get(name):
            yield from (f"    {wording.name_of(metric):<13} {told}" for metric, told in zip(parts.columns(document), parts.figures(row, parts.columns(document)), strict=True))
    yield from (f"  {note}" for note in parts.notes(document))
    if line := parts.command(document):
        yield f"  again         {line}"


def _points(document: Document) -> Iterator[str]:
    metrics = parts.columns(document)
    front = {point for point, _ in parts.front(document)}
    ranked = parts.ranked(document)
    shown = [(point, row) for number, (point, row) in enumerate(ranked) if number < _POINTS or point in front]
    rows = [("*" if point in front else "" if row["is_feasible"] else "not feasible", *parts.figures(row, metrics), point) for point, row in shown]
    yield from _table(f"Measured: {len(ranked)} points (* on the front)", ("", *(wording.name_of(metric).upper() for metric in metrics), "POINT"), rows)
    if len(ranked) > len(shown):
        yield f"and {len(ranked) - len(shown)} more (--format html shows all)"


def _table(head: str, names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if rows:
        yield head
        yield aligned(names, rows)


def _listed(head: str, lines: list[str]) -> Iterator[str]:
    yield from (f"{head if not number else '':<13} {line}" for number, line in enumerate(lines))


def _shares(document: Document) -> Iterator[str]:
    for metric, found in parts.shares(document):
        yield f"What matters for {wording.name_of(metric)} (settings: within the trials of their framework)"
        yield aligned(("PARAMETER", "SHARE", ""), [(name, f"{share:.0%}", "#" * round(_BAR * share)) for name, share in found], right=frozenset({1}))


def _classes(document: Document) -> Iterator[str]:
    metrics = tuple(wording.name_of(metric).upper() for metric in parts.objectives(document))
    yield from _table("By class of machine", ("CLASS", "VERDICT", "WINNER", "TRIALS", *metrics), parts.class_rows(document))
    fleet = parts.fleet_rows(document)
    yield from _table("One choice for all: behind the best", ("CHOICE", "ON ALL", *sorted(document["classes"])), fleet)
