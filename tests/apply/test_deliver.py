"""Under its final name an artifact is whole; nobody's file is replaced unasked."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from recommender.apply.artifacts import Made, content_hash
from recommender.apply.deliver import NOTE, deliver, final_name
from recommender.domain.errors import ActionFailed, UsageError


def artifact(path: Path, text: str = "weights") -> Made:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return Made(key="k", path=path, size=len(text), hash=content_hash(path), facts={})


def test_a_file_and_its_note(tmp_path: Path) -> None:
    made = artifact(tmp_path / "cache" / "model.gguf")
    final = deliver(made, tmp_path / "out", "m-Q4_0.gguf", {"choice": "c"}, may_replace=False)
    assert final.read_text() == "weights" and json.loads((tmp_path / "out" / ("m-Q4_0.gguf" + NOTE)).read_text()) == {"choice": "c"}
    final.write_text("changed")
    assert made.path.read_text() == "weights", "the cache is not reached through the delivered file"


def test_a_folder(tmp_path: Path) -> None:
    made = artifact(tmp_path / "cache" / "ir" / "sub" / "a.xml")
    folder = Made(key="k", path=tmp_path / "cache" / "ir", size=7, hash=content_hash(tmp_path / "cache" / "ir"), facts={})
    final = deliver(folder, tmp_path / "out", "m.openvino-ir", {}, may_replace=False)
    assert (final / "sub" / "a.xml").read_text() == "weights" and made.size == 7


def test_another_artifact_of_that_name_is_replaced_only_when_asked(tmp_path: Path) -> None:
    made = artifact(tmp_path / "cache" / "model.gguf")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "m").write_text("mine")
    with pytest.raises(UsageError, match="is another artifact"):
        deliver(made, tmp_path / "out", "m", {}, may_replace=False)
    assert (tmp_path / "out" / "m").read_text() == "mine"
    deliver(made, tmp_path / "out", "m", {}, may_replace=True)
    assert (tmp_path / "out" / "m").read_text() == "weights"
    deliver(made, tmp_path / "out", "m", {}, may_replace=False)  # the same: nothing to do


def test_no_permission_is_one_error_and_leaves_nothing(tmp_path: Path) -> None:
    made = artifact(tmp_path / "cache" / "model.gguf")
    (tmp_path / "file").write_text("")
    with pytest.raises(ActionFailed):
        deliver(made, tmp_path / "file" / "out", "m", {}, may_replace=False)


def test_half_copies_of_dead_runs_are_swept(tmp_path: Path) -> None:
    made = artifact(tmp_path / "cache" / "model.gguf")
    (tmp_path / "out").mkdir()
    dead, alive = (tmp_path / "out" / f".m.partial-{pid}-ab" for pid in (2**22 + 1, os.getpid()))
    dead.write_text("half")
    alive.write_text("half")
    deliver(made, tmp_path / "out", "m", {}, may_replace=False)
    assert not dead.exists() and alive.exists()


def test_names() -> None:
    assert final_name("org/llama-3.2-1b", {"scheme": "Q4_K_M", "format": "gguf"}, Path(__file__)) == "llama-3.2-1b-Q4_K_M.py"
    assert final_name("minilm", {"scheme": "int8-static", "format": "openvino-ir"}, Path(__file__).parent) == "minilm-int8-static.openvino-ir"
