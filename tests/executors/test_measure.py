"""`recommend measure` on real frameworks: an estimate becomes a number, the number enters the next answer, a kill loses nothing finished."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from recommender.store.database import SQLite
from recommender.store.evidence import EvidenceStore
from tests.executors.conftest import Trained
from tests.executors.test_apply import command, killed_at_random

SHORT = ("--mode", "quick", "--prompt-tokens", "32", "--output-tokens", "16", "--yes")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One cache and one store for the module's commands."""
    root = tmp_path_factory.mktemp("home")
    return {"RECOMMEND_CACHE_DIR": str(root / "cache"), "RECOMMEND_DATA_DIR": str(root / "data")}


def run(home: dict[str, str], *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=400, env={**os.environ, **home, **more}, check=False)


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode in (0, 4), done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout)


def test_estimates_become_measurements_of_different_frameworks_and_enter_the_next_answer(tiny_llama: Trained, home: dict[str, str]) -> None:
    found = told(run(home, "measure", "--model", str(tiny_llama.model), "--budget", "60s", "--json", *SHORT, "--framework", "llama-cpp", "--framework", "onnxruntime-genai"))
    rows = {row["choice"]: row for row in found["measured"]}
    assert {row["framework"] for row in rows.values()} == {"llama-cpp", "onnxruntime-genai"}
    for row in rows.values():
        assert row["metrics"]["decode_rate"]["low"] <= row["metrics"]["decode_rate"]["value"] <= row["metrics"]["decode_rate"]["high"]
        assert row["metrics"]["peak_memory"]["value"] > row["metrics"]["file_size"]["value"] > 1_000_000
        assert row["gate"]["verdict"] == "pass" and 0 < row["quality"]["kl"]["value"] < 0.1
        ttft = row["metrics"]["ttft"]
        assert (ttft["p95"] is not None) == (ttft["n_samples"] >= 59) and (ttft["p99"] is not None or "n too small" in ttft["percentile_why"])
        assert "energy" in row["metrics"] and (row["metrics"]["energy"]["value"] or row["metrics"]["energy"]["why"])
        assert "quick" in row["flags"] and "defaults" in row["flags"]
    entries = told(run(home, "evidence", "list", "--json"))
    assert {entry["scheme"] for entry in entries} == {row["scheme"] for row in rows.values()}
    assert all(entry["validity"]["valid"] and entry["metrics"]["decode_rate"]["value"] for entry in entries)
    answer = told(run(home, "--model", str(tiny_llama.model), "--prompt-tokens", "32", "--output-tokens", "16", "--json"))
    bases = {choice["id"]: choice["estimates"]["decode_rate"]["basis"] for choice in answer["choices"]}
    assert {bases[name] for name in rows} == {"measured-here"} and "calibrated" in set(bases.values())
    without = told(run(home, "--model", str(tiny_llama.model), "--no-evidence", "--json"))
    rates = [choice["estimates"]["decode_rate"] for choice in without["choices"]]
    assert rates and {rate["basis"] for rate in rates} <= {"analytic", "calibrated"}  # calibrated by the microbenchmark, not by what was measured above
    assert not any(source.startswith("measurement:") for rate in rates for source in rate["sources"])


def test_a_graph_is_gated_by_its_labels_and_measured_in_two_frameworks(cnn: Trained, home: dict[str, str]) -> None:
    found = told(run(
        home, "measure", "--model", str(cnn.model), "--data", str(cnn.test), "--mode", "quick", "--budget", "45s", "--json",
        "--choice", "openvino/cpu/int8-static", "--choice", "onnxruntime/cpu/F32",
    ))
    rows = {row["choice"]: row for row in found["measured"]}
    assert set(rows) == {"openvino/cpu/int8-static", "onnxruntime/cpu/F32"}
    for row in rows.values():
        assert row["quality"]["accuracy"]["value"] > 0.95 and abs(row["metrics"]["quality_drop"]["value"]) < 0.05
        assert row["metrics"]["latency"]["value"] > 0 and row["metrics"]["throughput"]["value"] > 0 and row["metrics"]["load_time"]["value"] > 0
    assert rows["openvino/cpu/int8-static"]["facts"]["runtime_precisions"], "which precisions really ran is told"


def test_the_text_shows_measured_beside_estimated(cnn: Trained, home: dict[str, str]) -> None:
    done = run(home, "measure", "--model", str(cnn.model), "--mode", "quick", "--budget", "20s", "--choice", "onnxruntime/cpu/F32")
    assert done.returncode in (0, 4), done.stderr
    assert "measured-here)   estimated" in done.stdout and "ranking" in done.stdout and "quality is not judged: no samples of real inputs were given" in done.stderr


def test_a_store_that_is_broken_loses_no_figure_and_says_so(cnn: Trained, home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "evidence.sqlite").write_bytes(b"not a database" * 100)
    done = run(home, "measure", "--model", str(cnn.model), "--mode", "quick", "--budget", "20s", "--choice", "onnxruntime/cpu/F32", "--json", RECOMMEND_DATA_DIR=str(tmp_path))
    found = told(done)
    assert found["stored"] is None and found["measured"][0]["metrics"]["latency"]["value"] > 0
    assert "evidence.sqlite" in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "evidence.sqlite").read_bytes().startswith(b"not a database")
    [waiting] = (tmp_path / "outbox").iterdir()
    (tmp_path / "evidence.sqlite").unlink()
    told(run(home, "measure", "--model", str(cnn.model), "--mode", "quick", "--budget", "20s", "--choice", "onnxruntime/cpu/fp16", "--json", RECOMMEND_DATA_DIR=str(tmp_path)))
    stored = told(run(home, "evidence", "list", "--json", RECOMMEND_DATA_DIR=str(tmp_path)))
    assert {row["scheme"] for row in stored} == {"F32", "fp16"} and waiting.stem in {row["id"] for row in stored} and not waiting.exists()


def test_a_tool_on_another_machine_is_measured_by_our_protocol(cnn: Trained, home: dict[str, str], tmp_path: Path) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nprintf "[ INFO ] Latency:\\n[ INFO ]    Median:        2.50 ms\\n[ INFO ]    Average:       2.60 ms\\n[ INFO ] Throughput:   400.00 FPS\\n"\n')
    ssh.chmod(0o755)
    words = ("measure", "--model", str(cnn.model), "--target", "raspberry-pi-5", "--choice", "onnxruntime/cpu/F32", "--parse", "benchmark_app", "--mode", "quick", "--budget", "30s")
    path = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    found = told(run(home, *words, "--runner", "ssh pi benchmark_app -m {artifact}", "--json", **path))
    assert found["measured"][0]["metrics"]["latency"]["value"] == pytest.approx(0.0025)
    answer = told(run(home, "--model", str(cnn.model), "--target", "raspberry-pi-5", "--json"))
    [row] = [choice for choice in answer["choices"] if choice["id"] == "onnxruntime/cpu/F32"]
    assert row["estimates"]["latency"]["central"] == pytest.approx(0.0025)
    (tmp_path / "net.hef").write_bytes(b"\x01HEF" + bytes(64))
    compiled = ("measure", "--model", "mobilenet-v2", "--artifact", str(tmp_path / "net.hef"), "--target", "raspberry-pi-5-hailo-8l", "--choice", "hailo", *words[7:])
    [measured] = told(run(home, *compiled, "--runner", "ssh pi anything {artifact}", "--json", **path))["measured"]
    assert measured["framework"] == "hailo" and measured["metrics"]["throughput"]["value"] == pytest.approx(400.0), "a device that nothing of ours runs is measured all the same"
    nameless = run(home, "measure", "--model", str(cnn.model), "--runner", "ssh pi x", "--parse", "benchmark_app", "--json")
    assert nameless.returncode == 2 and "which device is that?" in nameless.stdout
    ssh.write_text("#!/bin/sh\necho 'ssh: connect to host pi port 22: No route to host' >&2; exit 255\n")
    gone = run(home, *words, "--runner", "ssh pi benchmark_app -m {artifact}", "--json", **path)
    assert gone.returncode == 5 and json.loads(gone.stdout)["error"]["code"] == "device-lost"


def test_killed_at_random_moments_the_next_run_goes_on_and_each_figure_is_stored_once(cnn: Trained, tmp_path: Path) -> None:
    home = {"RECOMMEND_CACHE_DIR": str(tmp_path / "cache"), "RECOMMEND_DATA_DIR": str(tmp_path / "data")}
    words = ("measure", "--model", str(cnn.model), "--mode", "quick", "--budget", "30s", "--choice", "onnxruntime/cpu/F32", "--choice", "onnxruntime/cpu/fp16")
    kept: list[tuple[int, int]] = []  # measurements in the store or on the way into it, then repetitions of a run that goes on

    def nothing_is_lost() -> None:
        entries = sorted((tmp_path / "data" / "runs").glob("*/repetition-*.json"))
        for entry in entries:
            json.loads(entry.read_text())
        store = EvidenceStore(SQLite(tmp_path / "data" / "evidence.sqlite"))
        waiting = {path.stem for path in (tmp_path / "data" / "outbox").glob("*.json")}
        kept.append((len(waiting | {row.id for row in store.find()}), len(entries)))

    killed_at_random(command(*words), 12.0, int(os.environ.get("RECOMMEND_KILLS", "3")), {**os.environ, **home}, nothing_is_lost)
    assert kept == sorted(kept), "a finished repetition was lost"
    done = run(home, *words, "--json")
    found = told(done)
    assert found["measured"] and (not kept[-1][1] or f"going on with {kept[-1][1]} repetitions" in done.stderr)
    entries = [(entry["scheme"], entry["created"]) for entry in told(run(home, "evidence", "list", "--json"))]
    assert len(entries) == len(set(entries)) >= len(found["measured"]) and not any((tmp_path / "data" / "runs").iterdir()) and not any((tmp_path / "data" / "outbox").iterdir())
    shutil.rmtree(tmp_path / "cache")
