"""How often each rule was right in what was published -> knowledge/calibration/audit.json: python -m benchmarks.fit.audit

Read by the ranking, which demotes rows that are contradicted, and by `recommend rules audit`. Every figure of `knowledge/evidence/` on a unit of
the catalogue takes part, those of models that the catalogue does not have too, as far as their columns tell what rules read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from recommender.audit.published import all_cases
from recommender.audit.rules import audit
from recommender.compose import load_catalog
from recommender.domain.catalog import Audit
from recommender.loader.plain import to_plain

KNOWLEDGE = Path(__file__).parents[2] / "knowledge"
OUT = KNOWLEDGE / "calibration" / "audit.json"


def main() -> None:
    catalog = load_catalog()
    found = audit(catalog.tables.values(), all_cases(catalog))
    OUT.write_text(text(found), "utf-8")
    print(f"{len(found)} rows with a record, {sum(contradicted(row) for row in found.values())} contradicted, {OUT.stat().st_size / 1e3:.0f} kB")


def text(found: Mapping[str, tuple[Audit, ...]]) -> str:
    """One line a row, so that a change is seen."""
    rows = [f"{json.dumps(rule)}: {json.dumps(to_plain(claims), separators=(',', ':'))}" for rule, claims in sorted(found.items())]
    return "{\n" + ",\n".join(rows) + "\n}\n"


def contradicted(claims: Iterable[Audit]) -> bool:
    return any(row.is_claimed and row.overall.verdict == "contradicted" for row in claims)


if __name__ == "__main__":
    main()
