"""`python -m benchmarks.demonstration`: the newest chip taken out of the evidence, 20 models, our pick against the measured truth -> benchmarks/DEMONSTRATION.md

No choice of models is ours: they are the first by the hash of their names among those measured on the chip in at least two ways.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.fit import graph as part
from benchmarks.scorecard.picks import CLOSE
from recommender.estimate.learned import graph
from recommender.estimate.learned.case import Predicted

LEFT_OUT = "x2e-88-100"  # the silicon group that appeared last in the published results
N_MODELS = 20
PAGE = Path(__file__).parent / "DEMONSTRATION.md"

Way = tuple[Any, Predicted]  # a measured row and what was predicted for it


def contests(rows: Sequence[Any], learned: Any) -> list[tuple[str, list[Way]]]:
    """Networks of the chip with their ways to run, predicted by a fit that never saw the chip; in the order of the hash of their names."""
    found: dict[str, list[Way]] = {}
    for row in rows:
        value = graph.predict(row.case, learned)["latency"]
        if row.truth.get("latency") and isinstance(value, Predicted):
            found.setdefault(_name(row), []).append((row, value))
    several = [(name, ways) for name, ways in found.items() if len(ways) > 1]
    return sorted(several, key=lambda pair: hashlib.sha256(pair[0].encode()).hexdigest())[:N_MODELS]


def _name(row: Any) -> str:
    model, component = row.case.base_model or row.case.model, row.case.component
    return model if not component or component.lower().replace("-", "_") == model else f"{model} / {component}"


def table(found: Sequence[tuple[str, Sequence[Way]]]) -> tuple[list[str], dict[str, int]]:
    """A line a model, and how many picks were the best, within 5 % of it, and within the interval."""
    lines, counts = [], {"best": 0, "close": 0, "inside": 0}
    for name, ways in found:
        row, value = min(ways, key=lambda way: way[1].central)
        best, _ = min(ways, key=lambda way: way[0].truth["latency"])
        taken, least = row.truth["latency"], best.truth["latency"]
        is_inside = value.low <= taken <= value.high
        counts["best"] += row is best
        counts["close"] += taken <= CLOSE * least
        counts["inside"] += is_inside
        mark = "best" if row is best else "within 5 %" if taken <= CLOSE * least else f"**missed: {_way(best)} takes {1e3 * least:.3g} ms**"
        told = f"{1e3 * value.central:.3g} ({1e3 * value.low:.3g} to {1e3 * value.high:.3g})"
        lines.append(f"| {name} | {len(ways)} | {_way(row)} | {told} | {1e3 * taken:.3g}{'' if is_inside else ' (outside)'} | {mark} |")
    return lines, counts


def _way(row: Any) -> str:
    return f"{row.case.path} {row.case.precision}"


def main() -> None:
    rows = part.rows()
    known, held = [row for row in rows if row.group != LEFT_OUT], [row for row in rows if row.group == LEFT_OUT]
    found = contests(held, part.fit(known))
    lines, counts = table(found)
    n = len(found)
    PAGE.write_text("\n".join([
        "# The newest chip, taken out of the evidence", "",
        f"`{LEFT_OUT}` left out of everything that was fitted; the first {n} of its models by the hash of their names; of the ways that were measured there (runtime and",
        "precision) the one we predict to be the fastest, against what was measured. Latencies in ms, with the 80 % interval.", "",
        f"Best in {counts['best']} of {n}, within 5 % of the best in {counts['close']}, measured latency within the interval in {counts['inside']}.", "",
        "| model | ways | our pick | predicted | measured | |", "| --- | --- | --- | --- | --- | --- |", *lines, "",
    ]), "utf-8")  # fmt: skip
    print(PAGE)


if __name__ == "__main__":
    main()
