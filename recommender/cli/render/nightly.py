"""The document of a nightly run as text: what is wrong first, each with effect, interval and p, then what is better, then counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from recommender.cli.render import wording
from recommender.cli.render.quantity import readable
from recommender.domain.workload import METRICS

_TITLES = {"regression": "Regressions", "lost": "Lost", "inconclusive": "Not clear", "suspect": "Suspects that were not rerun", "improved": "Improved"}
_SHOWN = 40  # cells of a kind


def text(document: Mapping[str, Any]) -> str:
    """Head, a block for each kind of cell that is not the same, counts by class, notes."""
    baseline = document["baseline"]
    head = f"Night {document['night']}  {baseline['model'] or 'model'} against {baseline['file']}, {document['nights_before']} nights before; {document['processes']} processes in {document['spent_s']:.0f} s"
    blocks = [f"{head}\n{document['verdict']}  {document['why']}"]
    blocks += [block for word, title in _TITLES.items() if (block := _block(title, [row for row in document["cells"] if row["word"] == word]))]
    lines = [_class(name, [row for row in document["cells"] if row["class"] == name]) for name in dict.fromkeys(row["class"] for row in document["cells"])]
    lines += [f"note: {note}" for note in document["notes"]]
    return "\n\n".join([*blocks, "\n".join([*lines, f"history in {document['history']}"])])


def _block(title: str, rows: list[Mapping[str, Any]]) -> str:
    more = [f"  and {len(rows) - _SHOWN} more (--json shows all)"] if len(rows) > _SHOWN else []
    return "\n".join([title, *(_cell(row) for row in rows[:_SHOWN]), *more]) if rows else ""


def _cell(row: Mapping[str, Any]) -> str:
    lines = [f"  {row['point']}  {wording.name_of(row['metric'])}  [{row['class']}]"]
    if row["change"] is not None:
        unit = METRICS[row["metric"]][0]
        lines.append(
            f"    {row['change']:+.1%} ({row['low']:+.1%} to {row['high']:+.1%}), p {row['p']:.2g}: {readable(row['value'], unit)} over {_nights(row['nights'])}, "
            f"reference {readable(row['reference'], unit)}, baseline {readable(row['baseline'], unit)}; {len(row['values'])} processes{', rerun' if row['rerun'] else ''}"
        )
    if row["why"]:
        lines.append(f"    {row['why']}")
    return "\n".join(lines)


def _nights(n: int) -> str:
    return "tonight" if n == 1 else f"the last {n} nights"


def _class(name: str, rows: list[Mapping[str, Any]]) -> str:
    counts = Counter(row["word"] for row in rows)
    night = next((row["night"] for row in rows if row["night"]), None)
    return f"{name}: {', '.join(f'{n} {word}' for word, n in counts.most_common())}" + (f" (night {night})" if night else "")
