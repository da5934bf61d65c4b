"""The chapter is encoded: every part of it is cited, and its figures are claims."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommender.domain.catalog import Catalog
from recommender.loader.lint.sources import CHAPTER, cited

SHARED = Path(__file__).resolve().parents[2] / "shared" / "chapter.md"
# sections that encode the chapter; other rows may cite it too
ENCODING = ("rules", "claims", "schemes", "support", "ranking")
WITH_FIGURES = ("S0.table", "S1.size", "S3.claims", "S5.memory", "S6.deploy", "S6.gates", "S7.claim")


def parts(catalog: Catalog) -> list[str]:
    return list(catalog.vocabulary["chapter"]["ids"])


def test_every_part_is_cited_by_a_row_that_encodes_it(catalog: Catalog) -> None:
    used = {source.removeprefix(CHAPTER) for section, _, source in cited(catalog) if section in ENCODING}
    assert sorted(set(parts(catalog)) - used) == []


def test_parts_are_listed_once(catalog: Catalog) -> None:
    assert len(parts(catalog)) == len(set(parts(catalog))) == 51


@pytest.mark.skipif(not SHARED.is_file(), reason="the chapter does not lie beside this checkout")
def test_parts_are_those_of_the_chapter(catalog: Catalog) -> None:
    import re

    written = set(re.findall(r"\bS\d\.[a-z]+\b", SHARED.read_text("utf-8"))) - {"S1.x"}
    assert set(parts(catalog)) - {"S0.table"} <= written | {"S0.table"}
    assert written <= set(parts(catalog))


@pytest.mark.parametrize("part", WITH_FIGURES)
def test_figures_are_claims_with_a_metric(catalog: Catalog, part: str) -> None:
    found = [claim for claim in catalog.claims.values() if f"{CHAPTER}{part}" in claim.sources]
    assert [claim for claim in found if claim.metric and (claim.low is not None or claim.high is not None)]


def test_claims_are_numbered_without_gaps(catalog: Catalog) -> None:
    assert sorted(catalog.claims) == [f"CLM{number:03d}" for number in range(1, len(catalog.claims) + 1)]
