"""`python -m benchmarks.scorecard [PART ...]`: benchmarks/SCORECARD.md, scorecard.json and plots/, from the evidence in `knowledge/`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.scorecard import plots
from benchmarks.scorecard.card import card_of
from benchmarks.scorecard.further import further, noise
from benchmarks.scorecard.held import Held
from benchmarks.scorecard.page import page
from benchmarks.scorecard.parts import PARTS, Part

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
        rows = part.rows()
        card["parts"][part.name] = {}
        for split in part.splits:
            cases = part.held_out(rows, split)
            card["parts"][part.name][split] = card_of(part, cases)
            if split == part.splits[0]:
                draw(part, [case for case in cases if case.metric == part.speed])
    card["noise"], card["further"] = noise(), further()
    CARD.write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", "utf-8")
    PAGE.write_text(page(card, sorted(path.name for path in PLOTS.glob("*.svg"))), "utf-8")
    print(PAGE, file=sys.stderr)


def draw(part: Part, cases: Sequence[Held]) -> None:
    """Both pictures of a part's speed."""
    plots.against_truth(cases, f"{part.speed}, a device left out", PLOTS / f"{part.name}-truth.svg")
    plots.spread_of_errors(cases, f"{part.speed}, a device left out", PLOTS / f"{part.name}-errors.svg")


if __name__ == "__main__":
    main(sys.argv[1:])
