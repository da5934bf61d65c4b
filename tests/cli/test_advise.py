from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recommender.cli.advise import advise
from tests.cli.answers import PI, ROOT, environment, process
from tests.cli.conftest import Run

CHOICE = {
    "rank", "framework", "execution_provider", "device_kind", "preparer", "format", "scheme", "options", "portability", "runnable_here", "eligibility",
    "estimates", "criteria", "rules", "warnings", "recipe", "pareto",
}
ANSWER = {
    "schema_version", "target", "model", "workload", "choices", "rejected", "undetermined", "hints", "trace", "verdict", "catalog_version",
    "engine_version", "id",
}


@pytest.mark.parametrize(("model", "target"), [("llama-3.2-1b", "raspberry-pi-5"), ("mobilenet-v2", "rtx-4090"), ("mobilenet-v2", "raspberry-pi-5")])
def test_an_answer_has_all_parts(run: Run, model: str, target: str) -> None:
    ran = run("--model", model, "--target", target, "--json")
    found = ran.document
    assert (ran.code, ran.err) == (0, "")
    assert found.keys() >= ANSWER
    assert found["verdict"] in ("RECOMMENDED", "TIE")
    assert [choice["rank"] for choice in found["choices"]] == list(range(1, len(found["choices"]) + 1))
    assert all(choice.keys() >= CHOICE for choice in found["choices"])


def test_the_default_command_needs_no_name(run: Run) -> None:
    assert run(*PI, "--no-evidence", "--json").out == run("advise", *PI, "--no-evidence", "--json").out


def test_every_number_has_an_interval_a_unit_and_a_basis(run: Run) -> None:
    for choice in run(*PI, "--json").document["choices"]:
        for metric, found in choice["estimates"].items():
            assert found["unit"], metric
            if found["central"] is None:
                assert found["why"] and found["basis"] == "unknown", metric
            else:
                assert found["low"] <= found["central"] <= found["high"], metric
                assert found["basis"] in ("measured-here", "measured-elsewhere", "calibrated", "analytic", "claim"), metric


def test_without_a_model_one_of_each_class_and_the_largest(run: Run) -> None:
    found = run("--target", "raspberry-pi-5", "--json").document
    tasks = [answer["model"]["task"] for answer in found["answers"]]
    assert len(set(tasks)) == len(tasks) > 2
    assert set(found["largest_usable"]) == {"language"}
    assert "Largest usable language model" in run("--target", "raspberry-pi-5").out


def test_a_workload_without_a_model_keeps_the_fitting_classes(run: Run) -> None:
    found = run("--target", "raspberry-pi-5", "--workload", "speech", "--json").document
    assert [answer["model"]["task"] for answer in found["answers"]] == ["speech-recognition"]


def test_more_memory_never_makes_a_candidate_infeasible(run: Run) -> None:
    small, large = ({row["id"] for row in run(*PI, "--memory", memory, "--json").document["choices"]} for memory in ("2GiB", "8GiB"))
    assert small < large


def test_what_if_is_named_in_the_answer(run: Run) -> None:
    found = run(*PI, "--memory", "8GiB", "--json").document
    assert found["target"]["overrides"] == {"host.memory_total": 8 * 2**30}
    assert not [row for row in found["target"]["assumptions"] if row.startswith("memory:")]
    assert "What if   host.memory_total = " in run(*PI, "--memory", "8GiB").out


def test_frameworks_can_be_chosen_and_left_out(run: Run) -> None:
    only = run(*PI, "--framework", "llama-cpp", "--json").document
    without = run(*PI, "--without", "llama-cpp", "--memory", "8GiB", "--json").document
    assert {choice["framework"] for choice in only["choices"]} == {"llama-cpp"}
    assert "llama-cpp" not in {choice["framework"] for choice in without["choices"]}


def test_nothing_feasible_is_an_answer_with_the_nearest_misses(run: Run) -> None:
    ran = run("--model", "llama-3.1-8b", "--target", "raspberry-pi-5", "--memory", "2GiB")
    assert ran.code == 3
    assert "INFEASIBLE" in ran.out
    nearest = [line for line in ran.out.splitlines() if "nearest:" in line]
    assert nearest and "GiB are usable" in nearest[0] and "--context" in nearest[0]


def test_a_need_that_nothing_meets_is_infeasible(run: Run) -> None:
    ran = run(*PI, "--need", "decode_rate>=20000 tok/s", "--json")
    assert (ran.code, ran.document["verdict"], ran.document["choices"]) == (3, "INFEASIBLE", [])
    assert any("decode_rate>=20000 tok/s" in step["because"] for row in ran.document["rejected"] for step in row["because"])


def test_a_need_of_which_nothing_is_known_is_inconclusive(run: Run) -> None:
    ran = run(*PI, "--need", "energy<=1 J")
    assert ran.code == 4
    assert "INCONCLUSIVE" in ran.out


def test_limit_is_the_number_of_choices_shown(run: Run) -> None:
    shown = {limit: run(*PI, "--limit", limit).out for limit in ("1", "2")}
    assert "\n 2  " not in shown["1"] and "\n 2  " in shown["2"]


def test_full_trace_holds_every_step(run: Run) -> None:
    short, full = (run(*PI, "--trace", kind, "--json").document["trace"] for kind in ("short", "full"))
    assert len(full["steps"]) == sum(full["counts"].values()) > len(short["steps"])
    assert short["counts"] == full["counts"]


@pytest.mark.parametrize(("form", "start"), [("text", "Target "), ("json", "{"), ("markdown", "# "), ("html", "<!DOCTYPE html>")])
def test_output_file_holds_what_is_otherwise_printed(run: Run, tmp_path: Path, form: str, start: str) -> None:
    printed = run(*PI, "--format", form)
    written = run(*PI, "--format", form, "--output", str(tmp_path / "answer"))
    assert printed.out.startswith(start)
    assert (written.code, written.out) == (0, "")
    assert (tmp_path / "answer").read_text("utf-8") == printed.out


def test_colours_are_never_used(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = run(*PI).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert run(*PI).out == plain
    assert "\x1b" not in plain


@pytest.mark.parametrize("name", ["RECOMMEND_DATA_DIR", "RECOMMEND_CACHE_DIR"])
def test_an_unusable_folder_costs_no_answer(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(name, str(tmp_path / "file" / "below"))
    ran = run(*PI)
    assert ran.code == 0 and "RECOMMENDED" in ran.out
    assert name != "RECOMMEND_DATA_DIR" or ran.err.startswith("warning: the answer was not stored")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names there are always Unicode")
@pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
def test_a_file_name_that_is_not_unicode_can_be_printed(run: Run, tmp_path: Path, form: str) -> None:
    from tests.model_files import gguf_bytes, llama_metadata

    path = os.fsdecode(bytes(tmp_path) + b"/odd\xff.gguf")
    Path(path).write_bytes(gguf_bytes(llama_metadata(), [("token_embd.weight", (256, 64), "F32"), ("blk.0.attn_q.weight", (256, 256), "Q4_K")]))
    ran = run("--model", path, "--target", "raspberry-pi-5", "--format", form, "--output", str(tmp_path / "answer"))
    assert ran.code in (0, 3, 4), ran.err
    (tmp_path / "answer").read_text("utf-8")


def test_version_and_help(run: Run) -> None:
    from recommender import __version__

    assert __version__ in run("--version").out
    shown = run("advise", "--help").out
    named = [name for option in advise.params for name in option.opts if name.startswith("--")]
    assert len(named) > 25
    assert [name for name in named if name not in shown] == []


@pytest.mark.parametrize("command", ["probe", "explain", "diff", "frameworks", "catalog", "rules", "cache", "completion"])
def test_every_command_has_help_with_its_options(run: Run, command: str) -> None:
    from recommender.cli import cli

    found = cli.get_command(None, command)  # type: ignore[arg-type]
    assert found is not None
    ran = run(command, "--help")
    assert ran.code == 0
    assert [name for option in found.params for name in option.opts if name.startswith("--") and name not in ran.out] == []
    assert command in run("--help").out


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such pipes")
@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_a_closed_pipe_ends_quietly(tmp_path: Path, form: str) -> None:
    words = [sys.executable, "-m", "recommender", *PI, "--trace", "full", "--limit", "100", "--format", form]
    running = subprocess.Popen(words, env={**os.environ, **environment(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert running.stdout and running.stderr
    running.stdout.close()
    told = running.stderr.read()
    assert (running.wait(60), told) == (0, b"")
    running.stderr.close()


def test_this_machine(tmp_path: Path) -> None:
    ran = process("--model", "llama-3.2-1b", "--json", env=environment(tmp_path))
    assert ran.returncode in (0, 3, 4), ran.stderr
    found = json.loads(ran.stdout)
    assert found["target"]["kind"] == "this-machine"
    assert "cpu" in {device["kind"] for device in found["target"]["devices"]}
    assert "Traceback" not in ran.stderr
