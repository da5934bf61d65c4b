"""The real catalogue against what an expert would ship. Prints the table; a cell that nobody would ship fails."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from recommender.cli.render import wording
from recommender.domain.quantity import parse_quantity
from recommender.domain.recommendation import Wishes
from recommender.intake.identify import find_machine, target_of_machine
from recommender.recommend import decide

EXPERT = tomllib.loads((Path(__file__).parent / "expert.toml").read_text("utf-8"))["machine"]
MODELS = ("llama-3.2-1b", "llama-3.1-8b", "qwen3-30b-a3b", "mobilenet-v2", "whisper-base", "all-minilm-l6-v2")
CELLS = [(row, model) for row in EXPERT for model in MODELS]
TODAY = "2026-11-24"


def answer(row, model, catalog):
    machine = find_machine(row["key"], catalog)
    assert machine is not None, row["key"]
    memory = int(parse_quantity(row["memory"], "bytes")) if "memory" in row else None
    target = target_of_machine(machine, catalog, memory=memory)
    return decide(
        catalog.models[model], target, catalog, workload_key=None, workload_overrides={}, needs=(), wishes=Wishes(), beside=(), today=TODAY
    )


@pytest.mark.parametrize(("row", "model"), CELLS, ids=[f"{row['key']}-{model}" for row, model in CELLS])
def test_an_expert_would_ship_it(row, model, catalog):
    expected, document = row[model], answer(row, model, catalog)
    if document["verdict"] in ("INFEASIBLE", "INCONCLUSIVE"):
        print(f"\n{row['what']}: {model}: {document['verdict']}, {document['hints'][0] if document['hints'] else ''}")
        assert expected.get("none") or expected.get("none_too"), "an expert would ship something here"
        return
    first = document["choices"][0]
    shown = wording.amount(first["estimates"].get(document["workload"]["objective"]))
    print(f"\n{row['what']}: {model}: {first['id']}, {shown}: {' '.join(first['reasons'].values())}")
    assert not expected.get("none"), f"nobody would ship {first['id']}: {expected['because']}"
    assert any(fnmatchcase(first["id"], glob) for glob in expected["ship"]), f"{first['id']}: {expected['because']}"


@pytest.mark.parametrize(("row", "model"), CELLS, ids=[f"{row['key']}-{model}" for row, model in CELLS])
def test_what_is_recommended_fits_and_reaches_the_floor(row, model, catalog):
    document = answer(row, model, catalog)
    if document["verdict"] == "INCONCLUSIVE":
        return
    for choice in document["choices"][:5]:
        for floor in document["workload"]["floor"]:
            central = choice["estimates"].get(floor["metric"], {}).get("central")
            holds = {">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b}[floor["relation"]]
            assert central is None or holds(central, floor["bound"]), (choice["id"], floor["text"])
        rows = {step["rule"] for dismissal in document["rejected"] if dismissal["id"] == choice["id"] for step in dismissal["because"]}
        assert rows == set()
        assert choice["estimates"]["peak_memory"]["high"] is not None
