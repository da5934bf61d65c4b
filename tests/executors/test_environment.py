"""Side environments: made once, whole or not at all; a conflict is a fact with a hint."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from recommender.domain.errors import ExecutorUnavailable
from recommender.executors import environment
from recommender.executors.environment import Environment, folder_of, interpreter, make


def declared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **changes: object) -> Environment:
    fields = {"key": "small", "why": "a test", "packages": (), "without_dependencies": (), "imports": ("not_a_module_of_ours",), "size": "nothing", **changes}
    row = Environment(**fields)  # type: ignore[arg-type]
    monkeypatch.setattr(environment, "environments", lambda: {"small": row})
    monkeypatch.setenv("RECOMMEND_ENVIRONMENTS_DIR", str(tmp_path))
    return row


def test_the_shipped_ones_are_complete() -> None:
    for row in environment.environments().values():
        assert row.packages and row.imports and row.why and row.size


def test_no_name_is_this_python() -> None:
    assert interpreter("") == Path(sys.executable)


def test_what_this_python_can_import_needs_no_side_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    declared(monkeypatch, tmp_path, imports=("numpy", "click"))
    assert interpreter("small") == Path(sys.executable)


def test_it_is_made_once_and_half_made_ones_are_made_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = declared(monkeypatch, tmp_path, packages=("pip",))
    said: list[str] = []
    assert interpreter("small") is None
    folder_of(row).mkdir()
    (folder_of(row) / "half").touch()
    python = make("small", said.append)
    assert not (folder_of(row) / "half").exists() and len(said) == 1 and "a test" in said[0]
    assert subprocess.run([str(python), "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True).stdout.strip() == str(folder_of(row))
    assert make("small", said.append) == python == interpreter("small") and len(said) == 1


def test_a_conflict_is_one_line_with_the_command_to_repeat(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = declared(monkeypatch, tmp_path, packages=("click==8.1.7", "click==8.1.8"))
    with pytest.raises(ExecutorUnavailable, match="environment `small` cannot be made: ERROR: .*") as caught:
        make("small", lambda text: None)
    assert "click==8.1.7" in caught.value.hints[0] and "\n" not in caught.value.message
    assert interpreter("small") is None and not (folder_of(row) / "ready").exists()


def test_a_folder_that_cannot_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    declared(monkeypatch, tmp_path / "file")
    (tmp_path / "file").touch()
    with pytest.raises(ExecutorUnavailable, match="environments cannot be made in"):
        make("small", lambda text: None)


def test_it_lies_beside_a_virtual_environment_else_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = declared(monkeypatch, tmp_path)
    assert folder_of(row).parent == tmp_path
    monkeypatch.delenv("RECOMMEND_ENVIRONMENTS_DIR")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    (tmp_path / "venv").mkdir()
    assert folder_of(row).parent == tmp_path / "venv" / "side-environments"
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    monkeypatch.setenv("RECOMMEND_CACHE_DIR", str(tmp_path / "cache"))
    assert folder_of(row).parent == tmp_path / "cache" / "environments"
