"""Published losses of quality, `quality/*.csv` of the knowledge that ships: read by `recommend claims check` alone, never on the way to an answer."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from recommender.audit.claims import Loss
from recommender.loader.files import built_in_root

PATTERN = "quality/*.csv"


def losses(root: Path | None = None) -> Iterator[Loss]:
    """Rows that have a baseline, so that what was lost is a fraction; divergences and bare differences are left out."""
    for path in sorted((root or built_in_root()).glob(PATTERN)):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["drop"]:
                    yield Loss(
                        model=row["base_model"], scheme=row["scheme"], framework=row["framework"], drop=float(row["drop"]), source=row["source"],
                        structure=row["structure"], task=row["task"], metric=row["metric"], device=row["device"],
                    )

