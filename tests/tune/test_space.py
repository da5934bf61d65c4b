"""Rules bound the space, and every point has a name of its own."""

from __future__ import annotations

from recommender.domain.rule import DecisionTable, Rule
from recommender.tune.space import domain, settings_in, space
from tests.tune import grids


def _table(*searches: dict, when: dict | None = None) -> DecisionTable:
    rules = tuple(Rule(id=f"SEA{number:03}", when=when or {}, then={"search": each}, because="b", sources=("s",)) for number, each in enumerate(searches))
    return DecisionTable(id="search", question="?", hit_policy="rule-order", scope="search", rules=rules)


CHOICE = {"id": "alpha/cpu/Q4_0", "framework": "alpha", "execution_provider": "cpu", "device": "cpu0", "scheme": "Q4_0", "options": {"n_threads": 6, "mmap": True}}
ATTRIBUTES = {"device.cores_usable": (6, "estimated"), "device.kind": ("cpu", "probed")}


def test_threads_double_up_to_the_cores_and_start_with_the_answers():
    assert domain(CHOICE, ATTRIBUTES, [_table({"n_threads": {"up_to": "@device.cores_usable"}})]) == {"n_threads": [6, 1, 2, 4]}


def test_the_answers_own_value_is_always_among_them():
    assert domain(CHOICE, ATTRIBUTES, [_table({"mmap": [False]})]) == {"mmap": [True, False]}


def test_a_setting_without_a_choice_is_left_out():
    assert domain(CHOICE, ATTRIBUTES, [_table({"mmap": [True]})]) == {}


def test_the_first_row_that_names_a_setting_gives_its_values():
    assert domain(CHOICE, ATTRIBUTES, [_table({"kv": ["a", "b"]}, {"kv": ["c", "d"]})]) == {"kv": ["a", "b"]}


def test_a_row_that_does_not_hold_adds_nothing():
    assert domain(CHOICE, ATTRIBUTES, [_table({"kv": ["a", "b"]}, when={"device.kind": "gpu"})]) == {}


def test_cores_that_are_not_known_give_no_threads_to_try():
    assert domain({**CHOICE, "options": {}}, {}, [_table({"n_threads": {"up_to": "@device.cores_usable"}})]) == {}


def test_points_are_the_product_and_begin_with_the_start_settings():
    found = space([CHOICE], {CHOICE["id"]: ATTRIBUTES}, [_table({"n_threads": {"up_to": "@device.cores_usable"}, "mmap": [True, False]})])
    assert len(found.points) == 8 and len({point.id for point in found.points}) == 8
    assert found.points[0].changed == {} and found.points[0].id == "alpha/cpu/Q4_0?mmap=true&n_threads=6"
    assert found.domains == {"choice": ("alpha/cpu/Q4_0",), "alpha.n_threads": ("6", "1", "2", "4"), "alpha.mmap": ("true", "false")}


def test_settings_can_be_read_off_an_id():
    assert settings_in(grids.point("beta", "Q4_0", n_threads=2, hint="x&y=z").id) == {"n_threads": "2", "hint": "x&y=z"}


def test_the_real_search_rows_open_the_threads_of_every_processor_path(catalog):
    tables = [table for table in catalog.tables.values() if table.scope == "search"]
    for framework in ("llama-cpp", "onnxruntime", "openvino", "onnxruntime-genai", "openvino-genai"):
        told = {"candidate.framework": (framework, "fact"), "candidate.scheme": ("Q4_0", "fact"), "device.cores_usable": (4, "fact"), "device.kind": ("cpu", "fact")}
        assert domain({**CHOICE, "framework": framework, "options": {}}, told, tables)["n_threads"] == [4, 1, 2]
