"""`recommend tune` on real frameworks: a live sweep finds, keeps and resumes; what it found better enters the next answer; bad words get one clear error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.executors.conftest import Trained
from tests.executors.test_apply import command

FRAMEWORKS = ("--framework", "onnxruntime", "--framework", "openvino")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("home")
    return {"RECOMMEND_CACHE_DIR": str(root / "cache"), "RECOMMEND_DATA_DIR": str(root / "data")}


def run(home: dict[str, str], *words: str, code: int | None = None) -> Any:
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=400, env={**os.environ, **home}, check=False)
    assert done.returncode in ((0, 4) if code is None else (code,)), done.stdout[-2000:] + done.stderr[-3000:]
    return json.loads(done.stdout) if "--json" in words else done.stdout


@pytest.fixture(scope="module")
def swept(cnn: Trained, home: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = run(home, "tune", "--model", str(cnn.model), "--data", str(cnn.test), *FRAMEWORKS, "--trials", "6", "--budget", "150s", "--study", "s", "--json")
    return found


def test_a_live_sweep_measures_points_of_both_frameworks_and_names_a_best(swept: dict[str, Any]) -> None:
    done = [trial for trial in swept["trials"] if trial["state"] == "COMPLETE"]
    assert len({trial["point"] for trial in done if trial["round"] == 1}) >= 3 and {trial["framework"] for trial in done} == {"onnxruntime", "openvino"}
    best = swept["points"][swept["winner"]]["metrics"]
    assert all(row["metrics"]["latency"]["value"] > 0 for row in swept["points"].values()) and best["latency"]["low"] <= best["latency"]["value"] <= best["latency"]["high"]
    assert best["file_size"]["value"] > 1000 and best["peak_memory"]["value"] > 1e7
    assert swept["trials"][0]["reproducer"]["command"] and swept["history"][-1]["value"] <= swept["history"][0]["value"]


def test_the_sweep_goes_on_under_its_name_and_repeats_nothing(swept: dict[str, Any], cnn: Trained, home: dict[str, str]) -> None:
    again = run(home, "tune", "--model", str(cnn.model), "--data", str(cnn.test), *FRAMEWORKS, "--trials", "1", "--budget", "100s", "--study", "s", "--json")
    keys = [(trial["point"], trial["round"]) for trial in again["trials"] if trial["state"] == "COMPLETE"]
    assert len(keys) == len(set(keys)) and {trial["number"] for trial in swept["trials"]} <= {trial["number"] for trial in again["trials"]}


def test_a_report_of_the_study_measures_nothing_and_comes_in_three_forms(swept: dict[str, Any], home: dict[str, str]) -> None:
    told = run(home, "tune", "--report", "--study", "s", "--json")
    assert {trial["point"] for trial in swept["trials"]} <= {trial["point"] for trial in told["trials"]} and len(told["classes"]) == 1
    assert told["verdict"] != "INFEASIBLE" and told["ended"] in ("trials", "settled", "budget")
    assert told["winner"] in run(home, "tune", "--report", "--study", "s").replace("&amp;", "&")
    assert run(home, "tune", "--report", "--study", "s", "--format", "markdown").startswith("#")
    assert "<svg" in run(home, "tune", "--report", "--study", "s", "--format", "html")


def test_what_was_measured_is_evidence_and_enters_the_next_answer(swept: dict[str, Any], cnn: Trained, home: dict[str, str]) -> None:
    rows = run(home, "evidence", "list", "--json")
    assert len(rows) >= 3 and {row["framework"] for row in rows} == {"onnxruntime", "openvino"}
    answer = run(home, "--model", str(cnn.model), *FRAMEWORKS, "--json")
    measured = {choice["id"] for choice in answer["choices"] if choice["estimates"]["latency"]["basis"] == "measured-here"}
    assert {row["choice"] for row in swept["points"].values() if not any(row["options"].get(name) != value for name, value in row["options"].items())} & measured


def test_a_dry_run_plans_and_measures_nothing(cnn: Trained, home: dict[str, str]) -> None:
    before = run(home, "evidence", "list", "--json")
    told = run(home, "tune", "--model", str(cnn.model), *FRAMEWORKS, "--dry-run", "--budget", "2m", "--json")
    spent = [row["spent_s"] for row in told["plan"]]
    assert spent == sorted(spent) and spent[-1] <= 120 and told["n_points"] > len(told["plan"]) > 2
    assert all(0 <= row["could_change"] <= 1 and row["what"] for row in told["plan"]) and run(home, "evidence", "list", "--json") == before


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--objective", "speed"), "speed"), (("--objective", "latency,latency"), "latency,latency"), (("--storage", "redis://x"), "redis://x"),
        (("--join",), "--join"), (("--join", "nobody", "--storage", "journal:{tmp}/none.log"), "nobody"), (("--budget", "soon"), "soon"),
        (("--against", "{tmp}/none.json", "--max-regression", "five"), "five"), (("--report", "--study", "nobody", "--storage", "journal:{tmp}/none.log"), "nobody"),
    ],
)  # fmt: skip
def test_bad_words_get_one_clear_error_with_a_hint(cnn: Trained, home: dict[str, str], tmp_path: Path, words: tuple[str, ...], named: str) -> None:
    filled = [word.format(tmp=tmp_path) for word in words]
    told = run(home, "tune", "--model", str(cnn.model), *filled, "--json", code=2)
    assert named in told["error"]["message"] and told["error"]["hints"], told
    assert list(tmp_path.iterdir()) == [] or "none.log" in [path.name for path in tmp_path.iterdir()]


def test_without_optuna_the_hint_is_a_line_to_paste(cnn: Trained, home: dict[str, str], tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['optuna'] = None; from recommender.cli import main; main()"
    words = ("tune", "--model", str(cnn.model), "--json")
    done = subprocess.run([sys.executable, "-c", hidden, *words], capture_output=True, text=True, timeout=200, env={**os.environ, **home}, check=False)
    assert done.returncode != 0 and "pip install 'edge-recommender[tune]'" in done.stdout, done.stdout + done.stderr
