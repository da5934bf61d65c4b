"""What a sweep would measure, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def text(document: Mapping[str, Any]) -> str:
    """One line a measurement: when, how long, what it could change."""
    metric = document["study"]["objectives"][0]["metric"]
    lines = [
        f"{document['n_planned']} of {document['n_points']} points are worth a measurement and fit into {_minutes(document['budget_s'])}; all of them once would take {_minutes(document['exhaustive_s'])}; "
        f"{document['never_run']} cannot win by the estimates and are never run",
        "times are assumed, from the size of what is made and a usual repetition; nothing was measured for them",
        "",
        f"{'at':>8s} {'takes':>7s}  {'chance to win':>13s}  {metric} expected (80 %)",
    ]
    for row in document["plan"]:
        ends = row["expected"]
        low, high = sorted((ends["pessimistic"], ends["optimistic"]))
        lines.append(f"{_minutes(row['spent_s'] - row['seconds']):>8s} {_minutes(row['seconds']):>7s}  {row['could_change']:>13.0%}  {ends['central']:.4g} ({low:.4g} to {high:.4g}, {row['basis']})  {row['point']}")
        lines.append(f"{'':32s}settles {row['what']}")
    return "\n".join(lines)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
