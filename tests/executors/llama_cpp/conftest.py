"""What the tests of llama.cpp share: random models and tokenizers made once where PyTorch is, and steps run in child processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recommender.executors.environment import VARIABLE, make
from recommender.executors.llama_cpp.executor import RUNNER
from recommender.executors.llama_cpp.vocabulary import PRE_TOKENIZERS
from recommender.measure.isolate import Job, Outcome, run

TESTS = Path(__file__).resolve().parents[2]
Step = Callable[..., Any]


PASSIVE = RUNNER.environ({"spin": "passive"})  # a neighbour's load must not multiply the time


def outcome(function: str, folder: Path, arguments: dict[str, Any]) -> Outcome:
    return run(Job(function=function, arguments=arguments, folder=folder, packages={"tests": str(TESTS)}, environ=PASSIVE, wall=400))


@pytest.fixture(scope="session")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Step:
    """Call a function of `inside.py` in a child process: `inside("name", argument=...)` gives its value."""

    def call(name: str, **arguments: Any) -> Any:
        told = outcome(f"tests.executors.llama_cpp.inside:{name}", tmp_path_factory.mktemp(name), arguments)
        assert told.ok, (told.kind, told.message, told.log and told.log.read_text("utf-8", "replace")[-2000:])
        return told.value

    return call


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `models/NAME` (and logits.npy) and `tokenizers/NAME` (and expected.json)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(Path(sys.prefix) / "side-environments"))
        python = make("conversion", print)
    folder = tmp_path_factory.mktemp("made")
    patterns = [{"name": name, "pattern": pattern, "ignore_merges": ignored} for (pattern, ignored), name in PRE_TOKENIZERS.items()]
    (folder / "patterns.json").write_text(json.dumps(patterns), "utf-8")
    program = Path(__file__).with_name("make_models.py")
    done = subprocess.run([str(python), "-P", str(program), str(folder)], capture_output=True, text=True, timeout=400, check=False, env={**os.environ, **PASSIVE})
    assert done.returncode == 0, done.stderr[-3000:]
    return folder
