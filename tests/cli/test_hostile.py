"""Odd inputs end with one line and an exit code, never with a traceback, and never hang."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from recommender.cli import main, stored
from recommender.domain.errors import UsageError
from recommender.store import recent

PI = ("--target", "raspberry-pi-5", "--memory", "8GiB", "--model", "llama-3.2-1b")


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(list(args))
    return int(end.value.code or 0)


@pytest.fixture
def document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run(*PI, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("words", [("--model", "llama-3.2-1b", "--target"), ("probe", "--target")])
def test_pipe_as_target_does_not_hang(words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert run(*words, str(pipe)) == 2
    assert str(pipe) in capsys.readouterr().err


def test_huge_document_is_refused_unread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "huge.json").open("wb") as stream:
        stream.truncate(10 << 30)
    assert run("explain", str(tmp_path / "huge.json")) == 2
    assert "larger than" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
@pytest.mark.parametrize("name", ["model.n_params", "host.memory_total"])
def test_set_takes_no_impossible_amount(name: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*PI, "--set", f"{name}={value}") == 2
    assert f"`{value}`" in capsys.readouterr().err


def test_what_is_set_of_the_workload_reaches_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for words in (("--context", "32768", "--concurrency", "4"), ("--set", "workload.context=32768", "--set", "workload.concurrency=4"), ()):
        assert run(*PI, *words, "--json") in (0, 3)
        found.append(json.loads(capsys.readouterr().out))
    by_option, by_set, plain = found
    assert by_set["workload"] == by_option["workload"] != plain["workload"]
    assert by_set["workload"]["scenario"] == "server" and plain["workload"]["scenario"] == "single-stream"
    assert [row["memory_by_component"] for row in by_set["choices"]] == [row["memory_by_component"] for row in by_option["choices"]]


def test_a_need_chooses_the_classes_that_have_its_metric(capsys: pytest.CaptureFixture[str]) -> None:
    tasks = []
    for need in ("decode_rate>=2 tok/s", "latency<=5 s", "peak_memory<=2 GiB"):
        assert run(*PI[:4], "--need", need, "--json") in (0, 3, 4)
        tasks.append({answer["model"]["task"] for answer in json.loads(capsys.readouterr().out)["answers"]})
    by_rate, by_latency, by_memory = tasks
    assert by_rate and by_latency and not by_rate & by_latency and by_memory == by_rate | by_latency
    assert run(*PI[:4], "--need", "decode_rate>=2 tok/s", "--need", "latency<=1 s") == 2
    assert "`decode_rate>=2 tok/s` and `latency<=1 s`" in capsys.readouterr().err


def test_a_framework_may_be_set_as_if_it_had_another_version() -> None:
    assert run(*PI, "--set", "framework.version=1.0") == 0


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_fps_is_finite(value: str) -> None:
    assert run(*PI, "--fps", value) == 2


@pytest.mark.parametrize("words", [("--why", ""), ("--why-not", " "), ("--why", "1", "--why-not", "mlx"), ("QNT522", "--why", "1")])
def test_explain_wants_one_question(words: tuple[str, ...]) -> None:
    assert run("explain", *words) == 2


def test_record_with_json_prints_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("probe", "--no-microbenchmark", "--json", "--record", str(tmp_path / "m.json")) == 0
    assert json.loads(capsys.readouterr().out)["recording"] == str(tmp_path / "m.json")
    assert run("probe", "--record", str(tmp_path)) == 2


def test_damaged_store_is_told_and_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOMMEND_DATA_DIR", str(tmp_path / "a%20b?#c"))
    assert recent.keep({"id": "aa11"}) == ""
    assert recent.recall("aa11") == {"id": "aa11"}
    with sqlite3.connect(recent.path()) as connection:
        connection.execute("insert into answers (id, document) values ('bb22', '{')")
    assert run("explain", "bb22") == 2
    assert "damaged" in capsys.readouterr().err
    assert run("cache", "list", "--json") == 0
    assert {row["what"] for row in json.loads(capsys.readouterr().out)["answers"]} == {"damaged"}


def test_no_home_is_a_warning_or_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("RECOMMEND_DATA_DIR", raising=False)
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert "RECOMMEND_DATA_DIR" in recent.keep({"id": "x"})
    assert run("explain") == 2
    assert "RECOMMEND_DATA_DIR" in capsys.readouterr().err


DAMAGES = {
    "steps": lambda d: d["trace"].update(steps=[5]), "readings": lambda d: d["trace"]["steps"][0].update(readings=None),
    "criteria": lambda d: d["choices"][1].update(criteria=[]), "estimates": lambda d: d["choices"][0].update(estimates={"decode_rate": 5}),
    "central": lambda d: d["choices"][0]["estimates"]["decode_rate"].update(central="x"), "rank": lambda d: d["choices"][0].update(rank="1"),
    "schemes": lambda d: d["trace"]["steps"][0]["effect"].update(schemes=5), "memory": lambda d: d["target"].update(memory=None),
    "because": lambda d: d["rejected"][0].update(because=[]),
}


@pytest.mark.parametrize("part", DAMAGES)
def test_damaged_document_names_the_part(part: str, document: dict[str, Any], tmp_path: Path) -> None:
    DAMAGES[part](document)
    (tmp_path / "bad.json").write_text(json.dumps(document), "utf-8")
    with pytest.raises(UsageError, match=part):
        stored.answer(str(tmp_path / "bad.json"))


def test_output_of_another_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    main_model = "模"
    from recommender.cli import in_its_encoding, print_json

    print_json({"name": main_model})
    sys.stdout.flush()
    assert json.loads(raw.getvalue()) == {"name": main_model}
    assert in_its_encoding(main_model, "html") == "&#27169;"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
@pytest.mark.parametrize("words", [(*PI, "--json"), (*PI,), ("--model", "zz", "--json"), ("--help",)])
def test_full_disk_is_one_line(words: tuple[str, ...]) -> None:
    import subprocess

    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-m", "recommender", *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr and "error: " in done.stderr


def test_diff_names_the_figure_of_an_overlay(document: dict[str, Any], tmp_path: Path) -> None:
    from recommender.cli.diff import difference

    after = json.loads(json.dumps(document))
    for row in after["choices"]:
        for estimate in row["estimates"].values():
            if estimate["inputs"].get("memory_bandwidth"):
                estimate["inputs"]["memory_bandwidth"] = 5e10
    after["overlaid"] = {"devices:broadcom.bcm2712.cpu": "mine"}
    found = difference(document, after)
    assert found["facts"]["memory_bandwidth (cpu0)"][1] == 5e10
    assert found["inputs"]["from an overlay: devices:broadcom.bcm2712.cpu"] == [None, "mine"]
