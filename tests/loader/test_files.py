from __future__ import annotations

from pathlib import Path

import pytest

from recommender.domain.errors import CatalogError
from recommender.loader import files
from tests.loader.overlay import folder, layer

SOURCE = '[[source]]\nid = "a"\ntitle = "A"\nurl = "https://a.example"\nkind = "derived"\nretrieved = "2026-01-01"\n'


def test_built_in_layer_comes_first() -> None:
    assert [found.name for found in files.layers()] == [files.BUILT_IN]
    assert (files.built_in_root() / "vocabulary.toml").is_file()


def test_overlays_keep_the_order_and_the_words_of_the_user(tmp_path: Path) -> None:
    first, second = (folder(tmp_path / name, {"VERSION": "1"}) for name in ("one", "two"))
    assert [found.name for found in files.layers((str(second), str(first)))][1:] == [str(second), str(first)]


def test_missing_overlay_is_named() -> None:
    with pytest.raises(CatalogError, match="no-such-folder"):
        files.layers(("no-such-folder",))


def test_rows_know_their_file_and_line(tmp_path: Path) -> None:
    found = list(files.rows(layer(tmp_path, {"sources/s.toml": "# comment\n\n" + SOURCE + "\n" + SOURCE.replace('"a"', '"b"')})))
    assert [(row.data["id"], row.where.rpartition("/")[2]) for row in found] == [("a", "s.toml:3"), ("b", "s.toml:10")]


def test_rules_get_their_place(tmp_path: Path) -> None:
    text = '[table]\nid = "t"\nquestion = "?"\nhit_policy = "collect"\nscope = "device"\n\n[[rule]]\nid = "AAA001"\n\n[[rule]]\nid = "AAA002"\n'
    row = next(iter(files.rows(layer(tmp_path, {"rules/t.toml": text}))))
    assert [child["where"] for child in row.data["rules"]] == ["t.toml:7", "t.toml:10"]


def test_support_rows_get_the_framework_of_their_file(tmp_path: Path) -> None:
    text = '[framework]\nkey = "x"\nname = "X"\nhas_executor = false\n[[support]]\nid = "S"\n'
    row = next(iter(files.rows(layer(tmp_path, {"frameworks/x.toml": text}))))
    assert row.data["support"] == [{"framework": "x", "id": "S"}]


def test_unknown_table_names_line_and_what_may_stand_there(tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as error:
        list(files.rows(layer(tmp_path, {"sources/s.toml": SOURCE + "\n[[sauce]]\nid = 'b'\n"})))
    assert error.value.where.endswith("s.toml:8")
    assert "`sauce`" in error.value.message and "source" in error.value.message


@pytest.mark.parametrize(
    ("text", "line"),
    [("[[source]]\nid = \n", 2), ("[[source]]\nid = 'a'\nid = 'b'\n", 3), ("= 1\n", 1)],
    ids=["no value", "same key twice", "no key"],
)
def test_not_toml_names_file_and_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(CatalogError) as error:
        list(files.rows(layer(tmp_path, {"sources/s.toml": text})))
    assert error.value.where.endswith(f"s.toml:{line}")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    root = folder(tmp_path, {"sources/s.toml": ""})
    (root / "sources/s.toml").write_bytes(b"\xff\xfe\x00[[source]]")
    with pytest.raises(CatalogError, match="not valid TOML"):
        list(files.rows(files.Layer(name="x", root=root)))


@pytest.mark.parametrize("name", ["device/x.toml", "x.toml", "evidence/more/x.csv"])
def test_stray_file_of_an_overlay_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CatalogError) as error:
        list(files.rows(layer(tmp_path, {name: ""})))
    assert name.rpartition("/")[2] in error.value.where
    assert "devices" in error.value.message


@pytest.mark.parametrize(
    ("table", "index", "key", "line"),
    [("a", 0, "", 1), ("a", 1, "", 5), ("a", 1, "y", 7), ("a", 0, "y", 1), ("b", 0, "", 1), ("a", 0, "deep", 3)],
    ids=["first", "second", "key of the second", "key of another row", "absent table", "sub-table"],
)
def test_line_of(table: str, index: int, key: str, line: int) -> None:
    text = "[[a]]\nx = 1\n[a.deep]\nz = 1\n[[a]]\nx = 2\ny = 3\n"
    assert files.line_of(text, table, index, key) == line


def test_evidence_rows_know_their_line(tmp_path: Path) -> None:
    found = list(files.evidence_rows(layer(tmp_path, {"evidence/e.csv": "metric,value\nlatency,1\nlatency,2\n"})))
    assert [(row["value"], where.rpartition(":")[2]) for row, where in found] == [("1", "2"), ("2", "3")]


def test_vocabulary_and_version_may_be_absent(tmp_path: Path) -> None:
    found = layer(tmp_path, {})
    assert files.vocabulary(found) == {}
    assert files.version(found) == ""
