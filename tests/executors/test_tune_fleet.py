"""`recommend tune` over boards that run a command: one study, a class for each, joined and reported; a script stands for ssh and speaks as llama-bench does."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.executors.conftest import Trained
from tests.executors.test_apply import command

_BOARD = """#!/bin/sh
while [ $# -gt 0 ]; do case "$1" in -t) threads=$2;; -m) file=$2;; esac; shift; done
[ -e "{board}/gone" ] && {{ echo 'ssh: connect to host pi port 22: No route to host' >&2; exit 255; }}
[ -f "{board}/$file" ] || {{ echo "error: failed to load model '$file'" >&2; exit 1; }}
rate=$(awk "BEGIN {{ print 1e8 * sqrt($threads) / $(stat -c %s "{board}/$file") }}")
printf '[ {{ "build_commit": "abc1234", "n_prompt": 0, "n_gen": 32, "samples_ts": [ %s, %s, %s ] }} ]\\n' $rate $rate $rate
"""
_TOOL = ("--runner", "ssh pi llama-bench -m {artifact_name} -t {n_threads} -n {output_tokens} -o json", "--parse", "llama-bench")
_WORKLOAD = ("--prompt-tokens", "32", "--output-tokens", "32", "--context", "128")


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where artifacts are pushed to."""
    folder = tmp_path_factory.mktemp("board")
    programs = folder / "programs"
    programs.mkdir()
    (programs / "ssh").write_text(_BOARD.format(board=folder))
    (programs / "ssh").chmod(0o755)
    return folder


def run(board: Path, *words: str, code: int | None = None) -> Any:
    home = {"RECOMMEND_CACHE_DIR": str(board / "cache"), "RECOMMEND_DATA_DIR": str(board / "data"), "PATH": f"{board / 'programs'}{os.pathsep}{os.environ['PATH']}"}
    words = ("tune", *words, "--storage", f"sqlite:///{board}/sweeps.db", "--json")
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=300, env={**os.environ, **home}, check=False)
    assert done.returncode in ((0, 4) if code is None else (code,)), done.stdout[-2000:] + done.stderr[-3000:]
    return json.loads(done.stdout)


def sweep_of(board: Path, model: Path, target: str, *words: str, code: int | None = None) -> Any:
    return run(board, "--model", str(model), "--target", target, "--framework", "llama-cpp", *_TOOL, "--push", f"cp {{artifact}} {board}", *words, code=code)


@pytest.fixture(scope="module")
def swept(board: Path, tiny_llama: Trained) -> dict[str, Any]:
    return dict(sweep_of(board, tiny_llama.model, "raspberry-pi-5", *_WORKLOAD, "--study", "boards", "--trials", "4"))


def test_a_board_is_swept_through_a_command(swept: dict[str, Any], board: Path) -> None:
    trials = [trial for trial in swept["trials"] if trial["state"] == "COMPLETE"]
    assert swept["study"]["target"]["name"] == "raspberry-pi-5" and {trial["class"] for trial in trials} == {swept["study"]["class"]}
    assert {name for trial in trials for name in trial["options"]} == {"n_threads"}, "what the command does not name is not varied"
    for trial in trials:  # every figure is of the artifact and the setting that it is said to be of
        assert trial["metrics"]["decode_rate"]["value"] == pytest.approx(1e8 * trial["options"]["n_threads"] ** 0.5 / trial["metrics"]["file_size"]["value"], rel=1e-4)
    assert len({trial["choice"] for trial in trials}) > 1 and len(list(board.glob("*.gguf"))) == len({trial["choice"] for trial in trials})
    line = swept["points"][swept["winner"]]["command"]
    assert "--target raspberry-pi-5" in line and "llama-bench -m {artifact_name}" in line and swept["winner"].partition("?")[0] in line


def test_another_class_joins_and_the_report_is_of_the_fleet(swept: dict[str, Any], board: Path, tiny_llama: Trained) -> None:
    joined = sweep_of(board, tiny_llama.model, "raspberry-pi-4", "--join", "--trials", "3")
    assert joined["study"]["workload"] == swept["study"]["workload"] and joined["study"]["objectives"] == swept["study"]["objectives"]
    assert joined["study"]["class"] != swept["study"]["class"] and joined["study"]["name"] == "boards"
    report = run(board, "--report", "--study", "boards")
    assert set(report["classes"]) == {joined["study"]["class"], swept["study"]["class"]}
    for each in (joined, swept):
        assert report["classes"][each["study"]["class"]]["n_trials"] == len(each["trials"])
    best = report["fleet"][0]
    assert set(best["by_class"]) == set(report["classes"]) and best["loss"] == min(row["loss"] for row in report["fleet"]) >= 0


def test_what_cannot_be_joined(swept: dict[str, Any], board: Path, tmp_path: Path) -> None:
    none = run(board, "--join", "nothing", *_TOOL, code=2)
    assert "no such study" in none["error"]["message"] and none["error"]["hints"][0].startswith("recommend tune --join boards")
    nameless = run(board, "--join", "boards", "--target", "raspberry-pi-5", *_TOOL, code=2)
    assert "not found here by its name" in nameless["error"]["message"] and "--model" in nameless["error"]["hints"][0]
    assert "there is none" in run(board, "--report", "--study", "nothing", code=2)["error"]["message"]


def test_which_device_and_which_framework_must_be_said(board: Path, tiny_llama: Trained) -> None:
    nameless = run(board, "--model", str(tiny_llama.model), *_TOOL, code=2)
    assert "which device is that?" in nameless["error"]["message"]
    several = run(board, "--model", str(tiny_llama.model), "--target", "raspberry-pi-5", *_TOOL, code=2)
    assert "runs one framework" in several["error"]["message"] and several["error"]["hints"][0].startswith("recommend tune --framework")
    unread = run(board, "--model", str(tiny_llama.model), "--target", "raspberry-pi-5", "--framework", "llama-cpp", *_TOOL[:2], code=2)
    assert "--parse" in unread["error"]["hints"][0]


def test_a_board_that_vanishes_ends_the_sweep_and_loses_nothing(swept: dict[str, Any], board: Path, tiny_llama: Trained) -> None:
    (board / "gone").touch()
    try:
        gone = sweep_of(board, tiny_llama.model, "raspberry-pi-5", *_WORKLOAD, "--study", "boards", "--trials", "6", code=5)
    finally:
        (board / "gone").unlink()
    assert gone["error"]["code"] == "device-lost"
    report = run(board, "--report", "--study", "boards")
    assert report["classes"][swept["study"]["class"]]["n_trials"] >= len(swept["trials"])
