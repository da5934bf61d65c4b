"""A night on a real framework: the sweep's own document is the baseline, and what no longer runs is told."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from recommender.tune.regression import CODES, LOST, SUSPECT
from tests.executors.conftest import Trained
from tests.executors.test_apply import command

ONLY = ("--framework", "onnxruntime")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("home")
    return {"RECOMMEND_CACHE_DIR": str(root / "cache"), "RECOMMEND_DATA_DIR": str(root / "data")}


def run(home: dict[str, str], *words: str) -> tuple[int, Any]:
    done = subprocess.run(command("tune", *words, "--json"), capture_output=True, text=True, timeout=300, env={**os.environ, **home}, check=False)
    assert done.stdout.startswith("{"), done.stderr[-3000:]
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def baseline(cnn: Trained, home: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    _, told = run(home, "--model", str(cnn.model), "--data", str(cnn.test), *ONLY, "--trials", "1", "--budget", "60s", "--study", "nightly")
    path = tmp_path_factory.mktemp("baseline") / "baseline.json"
    path.write_text(json.dumps(told))
    return path


def test_the_best_point_is_measured_again_and_kept(cnn: Trained, home: dict[str, str], baseline: Path) -> None:
    code, told = run(home, "--model", str(cnn.model), "--data", str(cnn.test), *ONLY, "--against", str(baseline), "--max-regression", "90%", "--rounds", "2")
    [row] = told["cells"]
    assert row["point"] == json.loads(baseline.read_text())["winner"] and row["metric"] == "latency" and len(row["values"]) >= 2
    assert code == told["exit_code"] == CODES.get(row["word"], 0) and row["word"] not in (SUSPECT, LOST)  # a busy machine may have slowed it
    kept = list(Path(told["history"]).glob("*.jsonl"))
    assert len(kept) == 1 and json.loads(kept[0].read_text())["cells"][0]["values"] == row["values"]


def test_a_point_that_cannot_be_run_any_more_is_lost(cnn: Trained, home: dict[str, str], baseline: Path, tmp_path: Path) -> None:
    told = json.loads(baseline.read_text())
    for trial in told["trials"]:
        trial["point"] = trial["point"].partition("?")[0] + "?no_such_setting=7"
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps({**told, "winner": told["trials"][0]["point"]}))
    code, night = run(home, "--model", str(cnn.model), *ONLY, "--against", str(changed))
    assert (code, night["verdict"]) == (5, "DEVICE-LOST") and "none of the points" in night["cells"][0]["why"]


def test_a_baseline_of_another_model_is_refused(cnn: Trained, home: dict[str, str], baseline: Path, tmp_path: Path) -> None:
    told = json.loads(baseline.read_text())
    told["study"]["model"] = "another-model"
    other = tmp_path / "other.json"
    other.write_text(json.dumps(told))
    code, error = run(home, "--model", str(cnn.model), *ONLY, "--against", str(other))
    assert code == 2 and "another-model" in error["error"]["message"] and error["error"]["hints"]
