"""The audit that ships is the one of the evidence and the rules that ship."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from benchmarks.fit.audit import all_cases
from recommender.audit.rules import audit
from recommender.domain.catalog import Audit, Catalog


@pytest.fixture(scope="module")
def found(catalog: Catalog) -> Mapping[str, tuple[Audit, ...]]:
    return audit(catalog.tables.values(), all_cases(catalog))


def test_what_ships_is_up_to_date(found: Mapping[str, tuple[Audit, ...]], catalog: Catalog) -> None:
    def counts(audits: Mapping[str, tuple[Audit, ...]]) -> dict[tuple[str, str], tuple[str, int, int]]:
        return {(rule, row.claim): (row.overall.verdict, row.overall.cases, row.overall.hits) for rule, rows in audits.items() for row in rows}
    assert counts(catalog.audit) == counts(found), "python -m benchmarks.fit.audit makes it anew"


def test_every_tally_is_sound(found: Mapping[str, tuple[Audit, ...]]) -> None:
    for rows in found.values():
        for row in rows:
            assert sum(tally.cases for tally in row.classes.values()) == row.overall.cases >= row.overruled
            for tally in (row.overall, *row.classes.values()):
                assert 0 <= tally.hits <= tally.cases and 0 <= tally.low <= tally.high <= 1 and 0 <= tally.mean_low <= tally.mean_high
                assert tally.verdict != "contradicted" or tally.median_regret > row.tolerance


def test_known_truths_of_the_published_tables(found: Mapping[str, tuple[Audit, ...]]) -> None:
    """Integers on processors with an integer dot product, and 4 bits before 8 where decoding is bound by reading weights."""
    for rule in ("QNT569", "QNT550"):
        [row] = [each for each in found[rule] if each.claim == "speed"]
        assert row.overall.verdict == "supported" and row.overall.hits > 0.9 * row.overall.cases
