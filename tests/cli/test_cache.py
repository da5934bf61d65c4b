from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recommender.store import recent
from tests.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("own_cache")
OURS = ("catalog-abc.json", "microbenchmark-abc.json", "static.json")


def document(number: int) -> dict[str, Any]:
    return {"id": f"{number:016x}", "model": {"key": "tiny"}, "target": {"name": "board"}, "verdict": "RECOMMENDED"}


@pytest.fixture
def cache(own_cache: Path) -> Path:
    folder = own_cache / "cache"
    folder.mkdir()
    for name in (*OURS, "notes.txt"):
        (folder / name).write_text("12345")
    return folder


def test_list_of_nothing(run: Run) -> None:
    found = run("cache", "list", "--json").document
    assert (found["files"], found["answers"]) == ([], [])
    assert "nothing is cached" in run("cache", "list").out


def test_list_names_files_sizes_and_answers(run: Run, cache: Path) -> None:
    assert [recent.keep(document(number)) for number in (1, 2)] == ["", ""]
    found = run("cache", "list", "--json").document
    assert [(Path(row["path"]).name, row["size"]) for row in found["files"]] == [(name, 5) for name in OURS]
    assert [row["id"] for row in found["answers"]] == [f"{2:016x}", f"{1:016x}"]
    text = run("cache", "list").out
    assert "5 bytes" in text and "tiny on board: RECOMMENDED" in text


def test_prune_drops_our_files_and_nothing_else(run: Run, cache: Path) -> None:
    recent.keep(document(1))
    found = run("cache", "prune", "--json").document
    assert (len(found["dropped"]), found["bytes"]) == (3, 15)
    assert [path.name for path in cache.iterdir()] == ["notes.txt"]
    assert len(recent.stored()) == 1


def test_prune_drops_answers_when_asked(run: Run) -> None:
    recent.keep(document(1))
    assert run("cache", "prune", "--answers").code == 0
    assert not recent.path().exists()


def test_prune_drops_a_store_that_cannot_be_read(run: Run) -> None:
    recent.path().parent.mkdir(parents=True)
    recent.path().write_text("not a database" * 100)
    assert run("cache", "prune").out.split() == [str(recent.path())]
    assert recent.keep(document(1)) == ""


def test_artifacts_and_environments_are_listed_and_stay_unless_named(run: Run, cache: Path) -> None:
    from recommender.executors.environment import environments, folder_of

    side = folder_of(next(iter(environments().values())))
    for folder in (cache / "artifacts" / "k1", cache / "work" / "w1", side):
        folder.mkdir(parents=True)
        (folder / "file").write_text("1234567")
    (cache / "artifacts" / "partial").mkdir()
    listed = {Path(row["path"]).name: row for row in run("cache", "list", "--json").document["files"]}
    assert {name: listed[name]["size"] for name in ("k1", "w1", side.name)} == {"k1": 7, "w1": 7, side.name: 7} and "partial" not in listed
    run("cache", "prune")
    assert (cache / "artifacts" / "k1").is_dir() and side.is_dir()
    dropped = run("cache", "prune", "--artifacts", "--json").document["dropped"]
    assert {Path(row["path"]).name for row in dropped} == {"k1", "w1"} and side.is_dir()
    run("cache", "prune", "--environments")
    assert not side.exists()
