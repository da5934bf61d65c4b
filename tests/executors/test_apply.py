"""`recommend apply` on real weights: the artifact is whole and runs, or there is one clear error and nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.executors.conftest import Trained

LLAMA = ("--choice", "llama-cpp/cpu/Q4_K_M")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "recommender", *words]


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=300, env={**os.environ, **environment}, check=False)


def apply(model: Path, out: Path, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("apply", "--model", str(model), "--out", str(out), "--json", *more, **environment)


def answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def test_an_artifact_its_note_and_a_second_run_that_finds_all_made(tiny_llama: Trained, tmp_path: Path) -> None:
    told = answer(apply(tiny_llama.model, tmp_path, *LLAMA))
    final = Path(told["artifact"])
    assert final.read_bytes()[:4] == b"GGUF" and final.stat().st_size == told["size"] < (tiny_llama.model / "model.safetensors").stat().st_size / 4
    assert told["smoke"]["ran"] and str(final) in told["launch"]
    assert sum(told["facts"]["tensor_types"].values()) > 2_000_000
    assert json.loads((tmp_path / f"{final.name}.recommend.json").read_text())["hash"] == told["hash"]
    again = apply(tiny_llama.model, tmp_path, *LLAMA)
    assert answer(again)["hash"] == told["hash"] and again.stderr.count("already made") == 2


def test_the_recipe_is_shown_and_nothing_made_on_a_dry_run(tiny_llama: Trained, tmp_path: Path) -> None:
    done = run("apply", "--model", str(tiny_llama.model), *LLAMA, "--dry-run", "--json", RECOMMEND_CACHE_DIR=str(tmp_path))
    told = answer(done)
    assert [step["preparer"] for step in told["recipe"]["steps"]] == ["hf-to-gguf", "llama-quantize", None]
    assert "quantize by llama-quantize" in done.stderr and not (tmp_path / "artifacts").exists()


def test_a_graph_is_quantized_with_the_users_samples(cnn: Trained, tmp_path: Path) -> None:
    told = answer(apply(cnn.model, tmp_path, "--choice", "openvino/cpu/int8-static", "--data", str(cnn.calibration)))
    assert Path(told["artifact"]).is_dir() and told["smoke"]["ran"]
    assert told["size"] < cnn.model.stat().st_size / 2
    refused = apply(cnn.model, tmp_path, "--choice", "openvino/cpu/int8-static")
    assert refused.returncode == 2 and "samples of real inputs" in refused.stdout and "--data" in refused.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--model", "llama-3.2-1b", "--out", "x"), 2, "its weights are not on this machine"),
        (("--model", "MODEL",), 2, "--out is missing"),
        (("--model", "MODEL", "--out", "x", "--choice", "99"), 2, "no such choice (there are 1 to"),
        (("--model", "MODEL", "--out", "x", "--framework", "tensorflow"), 2, "unknown framework `tensorflow`"),
        (("--model", "MODEL", "--out", "x", "--choice", "litert"), 1, "this program cannot do that step"),
        (("--model", "MODEL", "--out", "x", "--by", "olivee"), 2, "--by `olivee`: no such preparer"),
        (("--model", "MODEL", "--out", "x", "--param", "nncf=1"), 2, "--param `nncf=1` is not PREPARER.NAME=VALUE"),
        (("--model", "MODEL", "--out", "x", "--param", "nnfc.awq=true"), 2, "no such preparer `nnfc`"),
    ],
)
def test_what_cannot_be_done_is_one_error(words: tuple[str, ...], code: int, said: str, tiny_llama: Trained, tmp_path: Path) -> None:
    done = run("apply", *(str(tiny_llama.model) if word == "MODEL" else str(tmp_path / "out") if word == "x" else word for word in words), "--json")
    error = json.loads(done.stdout)["error"]
    assert done.returncode == code and said in error["message"], done.stdout
    assert error["hints"] and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_knob_reaches_its_preparer(tiny_llama: Trained, tmp_path: Path) -> None:
    done = apply(tiny_llama.model, tmp_path / "out", *LLAMA, "--param", "llama-quantize.imatrix=nothing.gguf")
    assert done.returncode == 1 and "importance matrix `nothing.gguf` cannot be read" in json.loads(done.stdout)["error"]["message"]
    assert not (tmp_path / "out").exists()


def test_a_recipe_for_another_machine_is_made_here_and_not_run(tiny_llama: Trained, tmp_path: Path) -> None:
    told = answer(apply(tiny_llama.model, tmp_path, "--target", "raspberry-pi-5", "--choice", "llama-cpp"))
    assert not told["smoke"]["ran"] and "raspberry-pi-5 is another machine" in told["smoke"]["said"]


def test_a_full_disk_a_read_only_folder_and_broken_weights_are_classified(tiny_llama: Trained, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    read_only = apply(tiny_llama.model, tmp_path / "file" / "out", *LLAMA)
    assert read_only.returncode == 1 and json.loads(read_only.stdout)["error"]["code"] == "action-failed"
    limited = ["bash", "-c", 'ulimit -f 1500; exec "$@"', "-", *command("apply", "--model", str(tiny_llama.model), "--out", str(tmp_path / "full"), "--json", *LLAMA)]
    full = subprocess.run(limited, capture_output=True, text=True, timeout=300, env={**os.environ, "RECOMMEND_CACHE_DIR": str(tmp_path / "cache")}, check=False)
    assert full.returncode == 1 and "Traceback" not in full.stderr, full.stdout + full.stderr
    assert not any((tmp_path / "full").glob("*")) if (tmp_path / "full").exists() else True
    broken = tmp_path / "broken"
    broken.mkdir()
    for each in tiny_llama.model.iterdir():
        (broken / each.name).write_bytes(each.read_bytes()[: 3_000_000])
    done = apply(broken, tmp_path / "out", *LLAMA)
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr and not (tmp_path / "out").exists()


def killed_at_random(words: list[str], longest: float, times: int, environment: dict[str, str], check: Any) -> None:
    """Kill the command's whole group at random moments; `check` looks at what is there after each."""
    draw = random.Random(11)
    for _ in range(times):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
        time.sleep(draw.uniform(0.05, longest))
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        check()


def test_killed_at_random_moments_nothing_half_made_is_served_and_the_next_run_goes_on(tiny_llama: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out"
    environment = {**os.environ, "RECOMMEND_CACHE_DIR": str(tmp_path / "cache"), "RECOMMEND_DATA_DIR": str(tmp_path / "data")}
    words = command("apply", "--model", str(tiny_llama.model), "--out", str(out), *LLAMA)
    seen: set[int] = set()

    def whole_or_absent() -> None:
        seen.update(path.stat().st_size for path in out.glob("*.gguf"))

    killed_at_random(words, 4.0, int(os.environ.get("RECOMMEND_KILLS", "5")), environment, whole_or_absent)
    told = answer(run(*words[3:], "--json", RECOMMEND_CACHE_DIR=environment["RECOMMEND_CACHE_DIR"], RECOMMEND_DATA_DIR=environment["RECOMMEND_DATA_DIR"]))
    assert seen <= {told["size"]}
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == [] and not list((tmp_path / "cache" / "artifacts" / "partial").iterdir())
