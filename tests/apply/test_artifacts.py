"""Artifacts are whole under their name, or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recommender.apply.artifacts import Artifacts, content_hash, files_of, free_disk, step_key
from recommender.domain.errors import ActionFailed, WrongOutput


def made(artifacts: Artifacts, key: str, text: str = "weights", artifact: str = "model.bin") -> Path:
    folder = artifacts.begin(key)
    (folder / "files" / "model.bin").write_text(text)
    return artifacts.finish(key, folder, artifact, {"n": 1}, {}).path


def test_what_is_finished_is_found_again(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    assert artifacts.finished("k") is None
    path = made(artifacts, "k")
    found = artifacts.finished("k")
    assert found and found.path == path and found.size == 7 and found.facts == {"n": 1} and found.hash == content_hash(path)
    assert not any((tmp_path / "partial").iterdir())


def test_an_artifact_that_lost_bytes_is_dropped(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    made(artifacts, "k").write_text("wei")
    assert artifacts.finished("k") is None and not (tmp_path / "k").exists()


def test_a_step_that_left_nothing_is_refused(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    folder = artifacts.begin("k")
    with pytest.raises(WrongOutput, match="left no artifact `model.bin`"):
        artifacts.finish("k", folder, "model.bin", {}, {})
    (folder / "files" / "model.bin").touch()
    with pytest.raises(WrongOutput):
        artifacts.finish("k", folder, "model.bin", {}, {})
    assert artifacts.finished("k") is None


def test_the_first_of_two_processes_stays(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    late = artifacts.begin("k")
    (late / "files" / "model.bin").write_text("late")
    made(artifacts, "k", "first")
    assert artifacts.finish("k", late, "model.bin", {}, {}).path.read_text() == "first"
    assert not late.exists()


def test_what_dead_processes_left_is_swept_and_what_live_ones_make_stays(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)
    dead, alive = (tmp_path / "partial" / f"key-{pid}-ab" for pid in (int(child.stdout), os.getpid()))
    dead.mkdir(parents=True)
    alive.mkdir(parents=True)
    artifacts.begin("other")
    assert not dead.exists() and alive.exists()


def test_a_cache_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ActionFailed, match="artifacts cannot be made in") as caught:
        Artifacts(tmp_path / "file").begin("k")
    assert caught.value.hints


def test_a_folder_is_known_by_names_and_contents(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "x").write_text("1")
        (tmp_path / name / ".hidden").write_text(name)
    assert content_hash(tmp_path / "a") == content_hash(tmp_path / "b")
    (tmp_path / "b" / "sub" / "x").rename(tmp_path / "b" / "sub" / "y")
    assert content_hash(tmp_path / "a") != content_hash(tmp_path / "b")
    assert [path.name for path in files_of(tmp_path / "b")] == ["y"]


def test_a_key_hangs_on_all_that_goes_in() -> None:
    parts = {"preparer": "p", "version": "1", "scheme": "s", "parameters": {"a": 1}, "source": "h", "calibration": ""}
    keys = {step_key(**parts)} | {step_key(**{**parts, name: "other"}) for name in parts}
    assert len(keys) == len(parts) + 1


def test_free_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert free_disk(tmp_path / "a" / "b") > 0
