from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recommender.domain.catalog import Audit, Catalog, Tally
from recommender.domain.errors import CatalogError
from recommender.loader import compiled, files
from recommender.loader.codec import load
from recommender.loader.files import Layer
from tests.loader.overlay import layer

TALLY = {
    "verdict": "contradicted", "cases": 60, "hits": 12, "devices": 9, "models": 8, "low": 0.1, "high": 0.3, "median_regret": 0.34, "mean_regret": 0.4,
    "mean_low": 0.3, "mean_high": 0.5,
}  # fmt: skip
CLAIM = {"claim": "speed", "tolerance": 0.05, "overall": TALLY, "classes": {"vision/cpu": TALLY}}
FOUND = Audit(claim="speed", tolerance=0.05, overall=Tally(**TALLY), classes={"vision/cpu": Tally(**TALLY)})
TABLE = """
[table]
id = "mine"
question = "?"
hit_policy = "rule-order"
scope = "device"

[[rule]]
id = "PLT001"
when = {}
then = { frameworks = ["mlx"], place = 1 }
because = "Mine."
sources = ["chapter:S6.tree"]
"""


def layers(root: Path, *contents: Any) -> tuple[Layer, ...]:
    """A built-in layer with one row, and a layer for each of the contents: text as it stands, data as JSON."""
    found = [layer(root / "base", {"rules/mine.toml": TABLE}, files.BUILT_IN)]
    for number, content in enumerate(contents):
        text = content if isinstance(content, str) else json.dumps(content)
        found.append(layer(root / str(number), {"calibration/audit.json": text}, f"overlay {number}"))
    return tuple(found)


def test_an_overlay_brings_its_own_and_the_compiled_file_gives_it_back(tmp_path: Path) -> None:
    cold = load(layers(tmp_path, {"PLT001": [CLAIM]}))
    warm = compiled._decode(compiled._encode(cold))
    assert cold.audit["PLT001"] == warm.audit["PLT001"] == (FOUND,)
    assert dict(cold.audit) == dict(warm.audit)


def test_a_changed_audit_is_noticed(tmp_path: Path) -> None:
    before = compiled._digest(layers(tmp_path, {"PLT001": [CLAIM]}))
    assert compiled._digest(layers(tmp_path, {"PLT001": [{**CLAIM, "claim": "quality"}]})) != before


def test_the_later_layer_speaks_and_the_others_rows_stay(tmp_path: Path) -> None:
    older = {**CLAIM, "tolerance": 0.5}
    found = load(layers(tmp_path, {"PLT001": [older], "PLT002": [CLAIM]}, {"PLT001": [CLAIM]}))
    assert found.audit == {"PLT001": (FOUND,), "PLT002": (FOUND,)}


def test_the_audit_of_a_row_that_an_overlay_replaces_does_not_speak_of_the_new_one(tmp_path: Path) -> None:
    found = load((*layers(tmp_path, {"PLT001": [CLAIM], "PLT002": [CLAIM]}), layer(tmp_path / "last", {"rules/mine.toml": TABLE}, "last")))
    assert found.audit == {"PLT002": (FOUND,)}


@pytest.mark.parametrize(("content", "part"), [("{", "not valid JSON"), ("[]", "must be an object"), ({"PLT001": [{"claim": "speed"}]}, "`0.tolerance`"), ({"PLT001": [{**CLAIM, "x": 1}]}, "`0.x`")])
def test_what_is_no_audit_is_refused_with_its_place(tmp_path: Path, content: Any, part: str) -> None:
    with pytest.raises(CatalogError) as refused:
        load(layers(tmp_path, content))
    assert part in refused.value.message and "audit.json" in refused.value.where


def test_the_one_that_ships_names_rows_that_exist(catalog: Catalog) -> None:
    assert catalog.audit and set(catalog.audit) <= {rule.id for table in catalog.tables.values() for rule in table.rules}
