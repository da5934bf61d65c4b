from __future__ import annotations

from pathlib import Path

import pytest

from recommender.cli.catalog import KINDS
from recommender.cli.catalog_lists import COLUMNS
from recommender.domain.catalog import Catalog
from tests.cli.conftest import Run
from tests.loader.overlay import folder

BOARD = """\
[[machine]]
key = "my-board"
name = "My Board"
class_ = "sbc"
os = "linux"
architecture = "aarch64"
devices = ["generic.arm-cpu"]
memory_options = ["2 GiB"]
aliases = ["the board"]
source = "mine"
"""
SOURCE = '[[source]]\nid = "mine"\ntitle = "My own board"\nurl = "https://board.example"\nkind = "measured"\nretrieved = "2026-11-01"\n'


@pytest.fixture
def overlay(tmp_path: Path) -> str:
    return str(folder(tmp_path / "overlay", {"machines/m.toml": BOARD, "sources/m.toml": SOURCE}))


@pytest.mark.parametrize("kind", KINDS)
def test_list_shows_every_entry_of_a_kind(run: Run, catalog: Catalog, kind: str) -> None:
    lines = run("catalog", "list", kind).out.splitlines()
    assert lines[0].split()[0] == "KEY"
    assert {line.split()[0] for line in lines[1:]} == set(getattr(catalog, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_json_list_holds_the_same_columns(run: Run, catalog: Catalog, kind: str) -> None:
    rows = run("catalog", "list", kind, "--json").document
    assert [row["key"] for row in rows] == sorted(getattr(catalog, kind))
    assert set(rows[0]) == {column.name for column in COLUMNS[kind]()}


def test_columns_are_aligned(run: Run) -> None:
    lines = run("catalog", "list", "workloads").out.splitlines()
    start = lines[0].index("SCENARIO")
    assert {line[start - 2 : start] for line in lines} == {"  "}


def test_numbers_are_in_base_units_in_json_and_readable_in_text(run: Run, overlay: str) -> None:
    words = ("catalog", "list", "machines", "--catalog", overlay, "--like", "my board")
    assert run(*words, "--json").document[0]["memory"] == [2 * 2**30]
    assert "2 GiB" in run(*words).out


def test_like_keeps_what_holds_all_words(run: Run, overlay: str) -> None:
    keys = [
        row["key"] for row in run("catalog", "list", "machines", "--like", "BOARD the", "--catalog", overlay, "--json").document
    ]
    assert keys == ["my-board"]


def test_nothing_alike_is_an_empty_list(run: Run) -> None:
    found = run("catalog", "list", "models", "--like", "no such thing", "--json")
    assert (found.code, found.document) == (0, [])


def test_unknown_kind_names_the_kinds(run: Run) -> None:
    found = run("catalog", "list", "modles")
    assert found.code == 2
    assert "`modles`" in found.err and "hint: recommend catalog list models" in found.err


@pytest.mark.parametrize("words", ["my-board", "the board", "MY BOARD"])
def test_show_takes_keys_names_and_aliases(run: Run, overlay: str, words: str) -> None:
    found = run("catalog", "show", words, "--catalog", overlay, "--json").document
    assert (found["section"], found["key"], found["layer"]) == ("machines", "my-board", overlay)
    assert found["sources"][0] == {
        "id": "mine",
        "title": "My own board",
        "url": "https://board.example",
        "kind": "measured",
        "retrieved": "2026-11-01",
    }


def test_show_prints_entry_and_sources(run: Run, overlay: str) -> None:
    text = run("catalog", "show", "my-board", "--catalog", overlay).out
    assert f"my-board (machines, from {overlay})" in text
    assert "memory_options: 2 GiB" in text
    assert "mine: My own board (read 2026-11-01)" in text and "https://board.example" in text


@pytest.mark.parametrize(
    ("key", "section"),
    [("CLM001", "claims"), ("olive", "preparers"), ("eligibility", "tables"), ("RNK010", "ranking"), ("openvino", "frameworks")],
)
def test_show_finds_everything_that_has_a_key(run: Run, key: str, section: str) -> None:
    assert run("catalog", "show", key, "--json").document["section"] == section


def test_figures_of_a_device_are_readable(run: Run, catalog: Catalog) -> None:
    key, device = next(
        (key, row)
        for key, row in catalog.devices.items()
        if row.capability.get("memory_bandwidth") and row.capability["memory_bandwidth"].value
    )
    bandwidth = device.capability["memory_bandwidth"]
    text = run("catalog", "show", key).out
    assert "B/s  (" in text and bandwidth.source in text


def test_counts_are_exact(run: Run, catalog: Catalog) -> None:
    assert f"n_params: {catalog.models['llama-3.2-3b'].n_params}\n" in run("catalog", "show", "llama-3.2-3b").out


def test_unknown_key_has_near_ones_as_hints(run: Run) -> None:
    found = run("catalog", "show", "llama-3.2-3bb")
    assert found.code == 2
    assert "`llama-3.2-3bb`" in found.err and "hint: recommend catalog show llama-3.2-3b\n" in found.err


def test_error_under_json_is_one_object(run: Run) -> None:
    found = run("catalog", "show", "llama-3.2-3bb", "--json")
    assert (found.code, found.err) == (2, "")
    assert found.document["error"]["code"] == "usage" and found.document["error"]["hints"]


def test_path_names_the_layers(run: Run, overlay: str) -> None:
    layers = run("catalog", "path", "--catalog", overlay, "--json").document["layers"]
    assert [layer["name"] for layer in layers] == ["built-in", overlay]
    assert run("catalog", "path").out.strip() == layers[0]["path"]
    assert (Path(layers[0]["path"]) / "vocabulary.toml").is_file()


def test_overlays_come_from_the_environment_too(run: Run, overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOMMEND_CATALOG", overlay)
    assert run("catalog", "show", "my-board", "--json").document["layer"] == overlay


def test_lint_ends_with_2_and_names_file_and_line(run: Run, tmp_path: Path) -> None:
    broken = folder(tmp_path / "broken", {"machines/m.toml": BOARD})
    found = run("catalog", "lint", "--catalog", str(broken), "--json", "--no-warnings")
    assert found.code == 2
    mine = [row for row in found.document["findings"] if row["where"] == f"{broken}/machines/m.toml:1"]
    assert [(row["lint"], row["level"]) for row in mine] == [("sources", "error")]
    assert found.document["errors"] == len(found.document["findings"])


def test_lint_prints_one_line_a_finding(run: Run, tmp_path: Path) -> None:
    broken = folder(tmp_path / "broken", {"machines/m.toml": BOARD})
    lines = run("catalog", "lint", "--catalog", str(broken)).out.splitlines()
    assert f"{broken}/machines/m.toml:1: error: my-board: source `mine` is not declared [sources]" in lines


def test_lint_reports_a_file_that_cannot_be_loaded(run: Run, tmp_path: Path) -> None:
    broken = folder(tmp_path / "broken", {"machines/m.toml": BOARD.replace("class_", "klass")})
    found = run("catalog", "lint", "--catalog", str(broken), "--json")
    assert (found.code, [row["lint"] for row in found.document["findings"]]) == (2, ["load"])


def test_lint_refuses_what_is_no_date(run: Run) -> None:
    assert run("catalog", "lint", "--today", "yesterday").code == 2


def test_schemas_are_listed_and_printed(run: Run) -> None:
    names = run("catalog", "schema").out.split()
    assert {"devices", "recommendation", "probe"} <= set(names)
    assert run("catalog", "schema", "devices").document["title"] == "knowledge/devices/**/*.toml"
    assert run("catalog", "schema", "device").code == 2
