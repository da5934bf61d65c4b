"""`python -m benchmarks.scorecard [PART ...]`: benchmarks/SCORECARD.md, scorecard.json and plots/, from the evidence in `knowledge/`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.scorecard import plots
from benchmarks.scorecard.card import card_of
from benchmarks.scorecard.further import further, noise
from benchmarks.scorecard.page import page
from benchmarks.scorecard.parts import PARTS

HERE = Path(__file__).parent.parent
CARD, PAGE, PLOTS = HERE / "scorecard.json", HERE / "SCORECARD.md", HERE / "plots"


def main(names: list[str]) -> None:
    """All parts, or those that are named (the others stay as they were)."""
    card: dict[str, Any] = json.loads(CARD.read_text("utf-8")) if CARD.is_file() else {"parts": {}}
    unknown = set(names) - {part.name for part in PARTS}
    if unknown:
        sys.exit(f"unknown part `{unknown.pop()}`: there are {', '.join(part.name for part in PARTS)}")
    PLOTS.mkdir(exist_ok=True)
    for part in PARTS:
        if names and part.name not in names:
            continue
        print(f"{part.title} ...", file=sys.stderr, flush=True)
        card["parts"][part.name] = card_of(part)
        cases = [case for case in part.held_out(part.rows(), part.splits[0]) if case.metric == part.speed]
        plots.against_truth(cases, f"{part.speed}, a device left out", PLOTS / f"{part.name}-truth.svg")
        plots.spread_of_errors(cases, f"{part.speed}, a device left out", PLOTS / f"{part.name}-errors.svg")
    card["noise"], card["further"] = noise(), further()
    CARD.write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", "utf-8")
    PAGE.write_text(page(card, sorted(path.name for path in PLOTS.glob("*.svg"))), "utf-8")
    print(PAGE, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
