from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from recommender.cli.claims import claims
from recommender.domain.catalog import Catalog
from recommender.domain.errors import UsageError


def ran(*words: str) -> Result:
    return CliRunner().invoke(claims, list(words), catch_exceptions=True)


def test_every_claim_has_a_verdict_and_its_numbers(own_cache: Path, catalog: Catalog) -> None:
    found = ran("check", "--json")
    assert found.exit_code == 0, found.output
    rows = json.loads(found.stdout)
    assert [row["id"] for row in rows] == sorted(catalog.claims)
    for row in rows:
        assert row["verdict"] in ("confirmed", "refuted", "untested") and row["why"] and row["here"] is None
        numbers = row["published"]
        if row["verdict"] != "untested":
            assert numbers["n"] >= numbers["models"] >= 3 and numbers["low"] <= numbers["median"] <= numbers["high"] and numbers["basis"] and numbers["sources"]
    assert {row["verdict"] for row in rows} == {"confirmed", "refuted", "untested"}


def test_table_and_one_claim(own_cache: Path) -> None:
    whole = ran("check")
    assert "CLM047" in whole.stdout and "confirmed" in whole.stdout and "refuted" in whole.stderr
    one = ran("check", "clm049")
    assert "CLM047" not in one.stdout and "claimed by chapter:S0.table" in one.stdout and "against fp16" in one.stdout


def test_unknown_claim_is_refused_with_a_hint(own_cache: Path) -> None:
    with pytest.raises(UsageError, match="no claim `CLM0499`") as caught:
        claims.main(["check", "CLM0499"], standalone_mode=False)
    assert caught.value.hints and caught.value.hints[0].startswith("recommend claims check CLM")


def test_it_is_a_group() -> None:
    assert isinstance(claims, click.Group) and set(claims.commands) == {"check"}
