from __future__ import annotations

from pathlib import Path

import pytest

from recommender.domain.errors import CatalogError
from recommender.loader.codec import load
from recommender.loader.files import BUILT_IN, Layer
from tests.loader.overlay import layer

DEVICE = """\
[[device]]
key = "acme.a1.npu"
kind = "npu"
vendor = "acme"
name = "ACME A1"
family = "ethos"
source = "s"
[device.capability]
memory_bandwidth = { value = 8, unit = "GB/s", source = "s" }
"""
MACHINE = '[[machine]]\nkey = "m"\nname = "M"\nclass_ = "sbc"\nos = "linux"\narchitecture = "aarch64"\ndevices = []\n'


def loaded(tmp_path: Path, name: str, text: str) -> CatalogError:
    with pytest.raises(CatalogError) as error:
        load((layer(tmp_path, {name: text}),))
    return error.value


def test_quantities_arrive_in_base_units(tmp_path: Path) -> None:
    device = load((layer(tmp_path, {"devices/acme/a.toml": DEVICE}),)).devices["acme.a1.npu"]
    assert device.capability["memory_bandwidth"].value == 8e9
    assert device.precisions == ()


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("devices/a.toml", DEVICE.replace("vendor =", "vender ="), 4, "vender"),
        ("devices/a.toml", DEVICE.replace("vendor =", "vender ="), 4, "valid: key, kind, vendor"),
        ("devices/a.toml", DEVICE.replace("GB/s", "GB/x"), 8, "GB/x"),
        ("devices/a.toml", DEVICE.replace('kind = "npu"', "kind = 3"), 3, "`kind`"),
        ("machines/a.toml", MACHINE + 'memory_options = ["8 apples"]\n', 8, "apples"),
        ("machines/a.toml", MACHINE.replace('os = "linux"\n', ""), 1, "`os`"),
    ],
    ids=["wrong key", "valid keys", "bad unit", "wrong type", "bad size", "missing key"],
)
def test_faults_name_file_line_entry_and_words(tmp_path: Path, name: str, text: str, line: int, words: str) -> None:
    error = loaded(tmp_path, name, text)
    assert error.where == f"{tmp_path / name}:{line}"
    assert words in error.message
    assert error.exit_code == 2


def test_duplicate_key_of_a_layer_names_both_places(tmp_path: Path) -> None:
    error = loaded(tmp_path, "machines/a.toml", MACHINE + "\n" + MACHINE)
    assert error.where.endswith("a.toml:9")
    assert "a.toml:1" in error.message and "`m`" in error.message


def test_later_layer_replaces_and_is_remembered(tmp_path: Path) -> None:
    first = layer(tmp_path / "one", {"machines/a.toml": MACHINE}, BUILT_IN)
    second = layer(tmp_path / "two", {"machines/b.toml": MACHINE.replace('"M"', '"Mine"')}, "mine")
    catalog = load((first, second))
    assert catalog.machines["m"].name == "Mine"
    assert catalog.overlaid == {"machines:m": "mine"}


RULES = '[table]\nid = "t"\nquestion = "?"\nhit_policy = "collect"\nscope = "device"\n'
RULE = '[[rule]]\nid = "{0}"\nwhen = {{}}\nthen = {{ note = "{1}" }}\nbecause = "b"\nsources = []\n'


def test_table_of_an_overlay_adds_rows_and_replaces_those_of_the_same_id(tmp_path: Path) -> None:
    first = layer(
        tmp_path / "one", {"rules/t.toml": RULES + RULE.format("AAA001", "old") + RULE.format("AAA002", "kept")}, BUILT_IN
    )
    second = layer(tmp_path / "two", {"rules/t.toml": RULES + RULE.format("AAA001", "new") + RULE.format("AAA003", "more")})
    assert {rule.id: rule.then["note"] for rule in load((first, second)).tables["t"].rules} == {
        "AAA001": "new",
        "AAA002": "kept",
        "AAA003": "more",
    }


BUDGET = '[[budget]]\nid = "{}"\nwhen = {{}}\nshare = 0.5\nreserve = 0\nbecause = "b"\nsources = []\n'


def test_rows_of_an_overlay_come_first_and_may_hold_everywhere(tmp_path: Path) -> None:
    first = layer(tmp_path / "one", {"budgets/a.toml": BUDGET.format("BUD001")}, BUILT_IN)
    second = layer(tmp_path / "two", {"budgets/a.toml": BUDGET.format("BUD002")})
    assert [(row.id, row.when) for row in load((first, second)).budgets] == [("BUD002", {}), ("BUD001", {})]


def test_vocabulary_of_an_overlay_adds_attributes(tmp_path: Path) -> None:
    text = '[attribute."{}"]\ntype = "text"\nmeaning = "m"\n'
    first = layer(tmp_path / "one", {"vocabulary.toml": text.format("host.a")}, BUILT_IN)
    second = layer(tmp_path / "two", {"vocabulary.toml": text.format("host.b")})
    assert set(load((first, second)).vocabulary["attribute"]) == {"host.a", "host.b"}


@pytest.mark.parametrize(
    ("row", "words"),
    [("latency,abc,m,f,s,x", "abc"), ("latency,,m,f,s,x", "value"), ("latency,1,m,f,s,", "source")],
    ids=["no number", "no value", "no source"],
)
def test_evidence_faults_name_the_line(tmp_path: Path, row: str, words: str) -> None:
    error = loaded(tmp_path, "evidence/e.csv", f"metric,value,model,framework,scheme,source\nlatency,1,m,f,s,x\n{row}\n")
    assert error.where.endswith("e.csv:3")
    assert words in error.message


def test_version_names_every_layer(tmp_path: Path) -> None:
    first = layer(tmp_path / "one", {"VERSION": "2026.11\n"}, BUILT_IN)
    assert load((first, Layer(name="mine", root=tmp_path / "one" / "none"))).version == "2026.11+mine"
