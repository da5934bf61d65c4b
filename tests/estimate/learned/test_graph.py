"""Networks on neural units: what a fit to invented chips and networks learns again, and what the file that ships says."""

from __future__ import annotations

import json
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import pytest

import knowledge
from benchmarks.fit.graph import fit
from benchmarks.fit.graph_jobs import Row
from recommender.estimate.learned import graph
from recommender.estimate.learned.case import GraphCase, Predicted, Silicon

SPEEDS = {"a": 8.0, "b": 4.0, "c": 3.0, "d": 2.0, "e": 1.4, "f": 1.0}  # seconds of a chip over those of the fastest; `a` and `b` lack floating point
WAYS = (("alpha", "float"), ("alpha", "w8a8"), ("beta", "float"), ("beta", "w8a8"))
ON_CPU = 12.0  # times slower
FILE = Path(next(iter(knowledge.__path__))) / "calibration" / "graph.json"


def chip(name: str) -> Silicon:
    features = {"int8", f"os={'tram 3' if name in 'ace' else 'bus 2'}"} | (set() if name in "ab" else {"fp16"})
    return Silicon(
        kind="npu", key=f"acme.{name}.npu", group=name, name=f"board {name}", machine_class="sbc", peak_ops={"int8": 1e13 / SPEEDS[name]}, features=frozenset(features),
    )


def job(chip_name: str, number: int, path: str, precision: str) -> Row:
    """Seconds grow with parameters and input; one path cannot use chips without floating point; one system counts memory twenty times."""
    params, size = 1e6 * 1.6**number, 224.0**2 * (1 + number % 3)
    case = GraphCase(
        silicon=chip(chip_name), path=path, framework=path, precision=precision, base_model=f"net{number}", component="Main", task="image-classification",
        n_params=params, input_size=size, n_operators=50.0 + 20 * (number % 5), float_bytes=4 * params,
    )
    falls_back = path == "beta" and chip_name in "ab"
    odd = 1.2 if (number + len(precision)) % 4 == 0 and path == "beta" else 1.0  # ways that suit some networks less
    seconds = 1e-9 * params * size / 5e4 * odd * (0.4 if precision == "w8a8" else 1.0) * (1.3 if path == "beta" else 1.0)
    seconds *= ON_CPU * SPEEDS[chip_name] ** 0.5 if falls_back else SPEEDS[chip_name]
    memory = 5 * params * (20.0 if chip_name in "ace" else 1.0)
    return Row(case=case, measured={"latency": seconds, "peak_memory": memory}, unit="cpu" if falls_back else "npu", is_newest=True, catalog_model=f"acme-net-{number}")


def jobs(chips: str = "abcdef", networks: range = range(14)) -> list[Row]:
    return [job(name, number, *way) for name in chips for number in networks for way in WAYS if way[1] == "w8a8" or name not in "ab"]


@pytest.fixture(scope="module")
def learned() -> dict[str, Any]:
    """Without the chip `d` and the network 5."""
    return fit([row for row in jobs("abcef") if row.model != "net5"])


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    return found


def latency(row: Row, learned: dict[str, Any]) -> Predicted:
    found = graph.predict(row.case, learned)["latency"]
    assert isinstance(found, Predicted), found
    return found


def memory(row: Row, learned: dict[str, Any]) -> Predicted:
    found = graph.predict(row.case, learned)["peak_memory"]
    assert isinstance(found, Predicted), found
    return found


def error(row: Row, learned: dict[str, Any]) -> float:
    return abs(latency(row, learned).central / row.measured["latency"] - 1)


def width(found: Predicted) -> float:
    return log(found.high / found.low)


def test_what_is_known_is_told_again(learned: dict[str, Any]) -> None:
    for row in jobs("acf", range(4)):
        assert error(row, learned) < 0.1
        assert latency(row, learned).step == "exact"
        assert memory(row, learned).central == pytest.approx(row.measured["peak_memory"], rel=0.15)


def test_a_new_chip_is_told_from_its_peak_and_better_from_five_cases(learned: dict[str, Any]) -> None:
    held = [row for row in jobs("d") if row.model != "net5"]
    assert {latency(row, learned).step for row in held} == {"microarchitecture"}
    before = sorted(error(row, learned) for row in held)
    told = graph.anchored(learned, [(row.case, 3 * row.measured["latency"]) for row in held[::9][:5]])  # three times as slow as its peak promises
    after = sorted(abs(latency(row, told).central / (3 * row.measured["latency"]) - 1) for row in held)
    assert before[len(before) // 2] < 0.2 and after[len(after) // 2] < 0.1
    assert latency(held[0], told).step == "exact"
    assert latency(held[0], learned).step == "microarchitecture", "what was learned before has not changed"


def test_anchors_of_another_path_change_nothing(learned: dict[str, Any]) -> None:
    row = job("d", 1, "alpha", "float")
    told = graph.anchored(learned, [(replace(row.case, path="gamma"), 1.0)])
    assert latency(row, told).central == latency(row, learned).central


def test_intervals_widen_with_the_distance_of_the_silicon(learned: dict[str, Any]) -> None:
    row = job("d", 1, "alpha", "float")
    silicon = row.case.silicon
    stranger = replace(row, case=replace(row.case, silicon=replace(silicon, key="", group="x", name="x", peak_ops={}, features=frozenset())))
    known, near, far = (latency(found, learned) for found in (job("c", 1, "alpha", "float"), row, stranger))
    assert [known.step, near.step, far.step] == ["exact", "microarchitecture", "class"]
    assert width(known) < width(near) < width(far)


def test_a_fallback_shows_its_probability_and_its_cost(learned: dict[str, Any]) -> None:
    fallen, stays = latency(job("a", 2, "beta", "w8a8"), learned), latency(job("c", 2, "beta", "w8a8"), learned)
    assert fallen.parts["unit"] == "cpu" and fallen.parts["fallback_probability"] > 0.9
    assert fallen.parts["fallback_cost"] == pytest.approx(ON_CPU * SPEEDS["a"] ** -0.5, rel=0.3)
    assert stays.parts["unit"] == "npu" and stays.parts["fallback_probability"] < 0.1


def test_a_doubtful_fallback_widens_the_interval_to_both_outcomes(learned: dict[str, Any]) -> None:
    row = job("a", 2, "beta", "w8a8")
    rates = {key: 0.3 if key else 0.0 for key in learned["fallback"]["rates"]}
    found = latency(row, {**learned, "fallback": {**learned["fallback"], "rates": rates}})
    assert found.parts["unit"] == "npu"
    assert found.high >= found.central * found.parts["fallback_cost"] * 0.999


def test_a_new_network_is_told_from_facts_of_its_graph(learned: dict[str, Any]) -> None:
    held = [row for row in jobs("cef") if row.model == "net5"]
    errors = sorted(error(row, learned) for row in held)
    assert errors[len(errors) // 2] < 0.4
    assert width(latency(held[0], learned)) > width(latency(job("c", 4, "alpha", "float"), learned))
    bare = replace(held[0], case=replace(held[0].case, n_operators=None))
    assert abs(latency(bare, learned).central / bare.measured["latency"] - 1) < 0.6


def test_memory_is_counted_as_the_system_counts_it(learned: dict[str, Any]) -> None:
    row = job("d", 3, "alpha", "float")
    found = memory(row, learned)
    assert found.central == pytest.approx(row.measured["peak_memory"], rel=0.3) and found.step == "class"
    other = replace(row.case, silicon=replace(row.case.silicon, features=frozenset({"os=tram 4"})))
    assert memory(replace(row, case=other), learned).central == pytest.approx(20 * row.measured["peak_memory"], rel=0.4)
    unheard = replace(row.case, silicon=replace(row.case.silicon, features=frozenset({"os=ferry"})))
    guess = memory(replace(row, case=unheard), learned)
    assert guess.step == "analytic" and width(guess) > width(found)


def test_names_are_found_however_they_are_spelled(learned: dict[str, Any]) -> None:
    row = job("c", 3, "alpha", "float")
    for told in ({"base_model": "Net-3"}, {"base_model": "", "model": "acme-net-3", "component": ""}):
        assert graph.predict(replace(row.case, **told), learned)["latency"] == latency(row, learned)


@pytest.mark.parametrize(("told", "reason"), [
    ({"path": "gamma"}, "no evidence of the path `gamma`"),
    ({"precision": ""}, "the precision is not told"),
    ({"silicon": Silicon(kind="gpu")}, "no evidence of this path on a unit of the kind `gpu`"),
    ({"base_model": "strange", "n_params": None, "float_bytes": None, "n_operators": None}, "no evidence of the model `strange`"),
])  # fmt: skip
def test_what_cannot_be_told_says_why(told: dict[str, Any], reason: str, learned: dict[str, Any]) -> None:
    found = graph.predict(replace(job("c", 1, "alpha", "float").case, **told), learned)
    assert set(found) == {"latency", "peak_memory"}
    assert all(isinstance(why, str) and why.startswith(reason) for why in found.values())


def test_a_file_that_was_read_back_says_the_same(learned: dict[str, Any]) -> None:
    again = json.loads(json.dumps(learned))
    for row in jobs("bd", range(4, 7)):
        assert graph.predict(row.case, again) == graph.predict(row.case, learned)


# --- the file that ships -------------------------------------------------------------------------------------------------


def test_the_file_is_small_and_names_the_noise(shipped: dict[str, Any]) -> None:
    assert FILE.stat().st_size < 300_000
    assert 0.005 < shipped["noise"] < 0.02
    exact = [ends for key, ends in shipped["latency intervals"].items() if "|exact|known" in key]
    assert exact and all(high - low > 2 * shipped["noise"] for low, high in exact), "nothing is told more exactly than the same job repeats itself"


def test_every_path_is_told_for_a_chip_that_nobody_knows(shipped: dict[str, Any]) -> None:
    for path in shipped["paths"]:
        for precision in ("float", "w8a8", "w8a16", "w4a16"):
            case = GraphCase(silicon=Silicon(kind="npu", name="new"), path=path, precision=precision, base_model="new", n_params=1e7, input_size=5e4)
            found = graph.predict(case, shipped)
            for value in found.values():
                assert isinstance(value, Predicted) and 0 < value.low < value.central < value.high
            assert found["latency"].step == "class"  # type: ignore[union-attr]


def test_the_parts_make_up_the_figure(shipped: dict[str, Any]) -> None:
    case = GraphCase(silicon=Silicon(kind="npu", name="new"), path=shipped["paths"][0], precision="w8a8", base_model="new", n_params=1e7, input_size=5e4)
    for value in graph.predict(case, shipped).values():
        assert isinstance(value, Predicted)
        product = 1.0
        for part in ("network", "way", "network_way", "silicon", "network_silicon"):
            product *= value.parts[part]
        assert product == pytest.approx(value.central)
