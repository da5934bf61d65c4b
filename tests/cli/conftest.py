"""Run a command as a user does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recommender.cli import main


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """Exit code and what was printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cache and data folders of this test alone."""
    monkeypatch.setenv("RECOMMEND_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("RECOMMEND_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("RECOMMEND_ENVIRONMENTS_DIR", str(tmp_path / "cache" / "environments"))
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("catalog", "list", "models")`: through the entry point, errors rendered."""

    def running(*words: str) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        printed = capsys.readouterr()
        return Ran(code=int(ended.value.code or 0), out=printed.out, err=printed.err)

    return running
