"""Commands that stand for a device: real processes here, one of them the real tool."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from recommender.domain.errors import DeviceLost, UsageError
from recommender.executors.remote.runner import Remote, push, take_remote, words
from recommender.measure.compare import compare
from recommender.measure.repetition import Repetition
from tests.executors.conftest import Trained

RECORDED = Path(__file__).with_name("recorded")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are shell scripts")


def remote(command: str, parse: str = "trtexec", **changes: Any) -> Remote:
    return Remote(**{"candidate": "a", "command": command, "parse": parse, "artifact": RECORDED / "trtexec.txt", **changes})


def program(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name, before all others."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_an_invocation_is_a_repetition() -> None:
    found = take_remote(remote("cat {artifact}"), 3)
    assert (found.kind, found.candidate, found.round) == ("ok", "a", 3)
    assert found.samples["throughput"] == [3716.81] and found.facts["method"] == "trtexec"
    assert found.facts["printed"]["latency"]["p95"] == pytest.approx(0.195312e-3)
    assert found.reproducer["command"].endswith("trtexec.txt") and found.elapsed > 0
    assert "=== Performance summary ===" in found.raw["output"]


# --- words -------------------------------------------------------------------------------------------------------------


def test_placeholders_are_filled_in_without_a_shell() -> None:
    values = {"artifact": "/a b/$(touch x).hef", "batch": 4}
    assert words("tool --model={artifact} -b {batch} '{\"json\": 1}'", values) == ["tool", "--model=/a b/$(touch x).hef", "-b", "4", '{"json": 1}']


@pytest.mark.parametrize("command", ["ssh pi run {artifact}", "adb -s 1 shell run {artifact}", "sh -c 'run {artifact}'", "/usr/bin/ssh pi run {artifact}"])
def test_values_are_quoted_where_a_shell_reads_them_again(command: str) -> None:
    assert words(command, {"artifact": "/a b/x"})[-1].endswith("'/a b/x'")
    assert words("adb push {artifact} /data", {"artifact": "/a b/x"})[2] == "/a b/x"


@pytest.mark.parametrize(("template", "said"), [
    ("run {model}", "`{model}` in `run {model}` is no placeholder (one of artifact, "),
    ("run {batch}", "`{batch}` in `run {batch}` is not known for this candidate"),
    ("run 'x", "`run 'x` cannot be split"),
    ("  ", "the command is empty"),
])
def test_a_wrong_template_names_the_users_words(template: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        words(template, {"artifact": "x", "batch": None})
    assert said in caught.value.message


# --- what goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("script", "kind", "said"), [
    ("echo loading; echo bad magic", "wrong-output", "`bad magic`"),
    ("echo cannot open; exit 2", "crash", "ended with 2: cannot open"),
    ("no-such-tool-here", "unsupported", "there is no program `no-such-tool-here`"),
    ("true", "lost", "said nothing"),
    ("echo \"error: device 'R58M' not found\" >&2; exit 1", "lost", "device 'R58M' not found"),
    ("echo adb: no devices/emulators found >&2; exit 1", "lost", "no devices/emulators"),
    ("echo error: device offline; exit 1", "lost", "device offline"),
    ("echo half; echo client_loop: send disconnect: Broken pipe >&2; exit 3", "lost", "Broken pipe"),
    ("echo Cuda failure: no CUDA-capable device is detected; exit 1", "lost", "CUDA-capable"),
    ("echo working; kill -9 $$", "out-of-memory", "working"),
    ("echo working; exit 137", "out-of-memory", "working"),
    ("echo working; exit 255", "crash", "ended with 255"),  # not ssh's
])
def test_failures_have_their_class(script: str, kind: str, said: str) -> None:
    found = take_remote(remote(f"sh -c {shlex.quote(script)}"), 1)
    assert found.kind == kind and said in found.message and not found.samples


def test_a_program_that_is_not_here_has_a_hint() -> None:
    found = take_remote(remote("no-such-program-at-all {artifact}"), 1)
    assert found.kind == "unsupported" and "hint: install no-such-program-at-all" in found.message


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_no_end_is_a_timeout_and_the_whole_group_goes(tmp_path: Path) -> None:
    found = take_remote(remote(f"sh -c 'echo started; sleep 300 & echo $! > {tmp_path}/pid; wait'", wall=3.0), 1)
    assert found.kind == "timeout" and "started" in found.message
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10  # being killed takes its time on a busy machine
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pid)


def test_what_a_command_leaves_in_the_background_does_not_hold_us_up() -> None:
    found = take_remote(remote("sh -c 'sleep 20 & cat {artifact}'", wall=15.0), 1)
    assert found.ok and found.elapsed < 15


# --- ssh ---------------------------------------------------------------------------------------------------------------

BREAKS = """
count=$(cat "$STATE" 2>/dev/null || echo 0); echo $((count + 1)) > "$STATE"
shift
if [ "$count" -ge 5 ]; then echo "Running streaming inference"; echo "Connection to pi closed by remote host." >&2; exit 255; fi
eval "$@"
"""


def test_a_connection_that_breaks_is_a_lost_device_and_not_a_slow_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "ssh", BREAKS, monkeypatch)
    monkeypatch.setenv("STATE", str(tmp_path / "count"))
    artifacts = {name: tmp_path / f"{name} model.txt" for name in ("base", "a")}
    for path in artifacts.values():
        shutil.copy(RECORDED / "hailortcli-run.txt", path)
    kept: list[Repetition] = []

    def take(name: str, number: int) -> Repetition:
        return take_remote(remote("ssh pi cat {artifact}", "hailortcli", candidate=name, artifact=artifacts[name]), number)

    with pytest.raises(DeviceLost, match="Connection to pi closed"):
        compare(["a"], "base", take, metric="throughput", rng=Random(1), keep=kept.append, tie_band=0.0)
    assert [each.kind for each in kept] == ["ok"] * 5 + ["lost"]


def test_the_artifact_is_brought_there_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "scp", 'cp "$1" "${2#pi:}"', monkeypatch)
    program(tmp_path / "bin", "ssh", 'shift; eval "$@"', monkeypatch)
    there = tmp_path / "there"
    there.mkdir()
    one = remote(f"ssh pi cat {there}/{{artifact_name}}", push=f"scp {{artifact}} pi:{there}/")
    push(one)
    assert take_remote(one, 1).ok
    program(tmp_path / "bin", "scp", "echo 'ssh: connect to host pi port 22: No route to host' >&2; exit 255", monkeypatch)
    with pytest.raises(DeviceLost, match="No route to host"):
        push(one)


# --- a real tool -------------------------------------------------------------------------------------------------------


def test_the_real_benchmark_app(cnn: Trained) -> None:
    tool = Path(sys.executable).with_name("benchmark_app")
    if not tool.is_file():
        pytest.skip("benchmark_app is not installed")
    command = f"{tool} -m {{artifact}} -t 1 -api sync -hint none -nthreads {{n_threads}}"
    found = take_remote(remote(command, "benchmark_app", artifact=cnn.model, values={"n_threads": 1}, wall=120.0), 1)
    assert found.kind == "ok", found.message
    assert 1e-6 < found.samples["latency"][0] < 1 and found.samples["throughput"][0] > 1
    assert found.cold["load_time"] > 0 and found.cold["first_call"] > 0 and found.facts["framework_version"].startswith("20")
    assert "INFERENCE_NUM_THREADS: 1" in found.raw["output"]


def test_the_real_benchmark_app_with_a_file_that_is_no_model(tmp_path: Path) -> None:
    tool = Path(sys.executable).with_name("benchmark_app")
    if not tool.is_file():
        pytest.skip("benchmark_app is not installed")
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    found = take_remote(remote(f"{tool} -m {{artifact}} -t 1", "benchmark_app", artifact=tmp_path / "model.onnx", wall=120.0), 1)
    assert found.kind in ("crash", "wrong-output") and not found.samples  # some versions of the tool end with 0
    assert len(found.message) > 40
