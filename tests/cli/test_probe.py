from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.answers import environment, process
from tests.cli.conftest import Run

PARTS = {"schema_version", "os", "architecture", "machine", "devices", "memory", "frameworks", "power", "outcomes", "digest"}


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """The probe document of this machine, and a recording of it."""
    folder = tmp_path_factory.mktemp("probe")
    ran = process("probe", "--json", "--no-microbenchmark", env=environment(folder))
    assert ran.returncode == 0, ran.stderr
    recording = folder / "machine.json"
    made = process("probe", "--record", str(recording), "--no-microbenchmark", env=environment(folder))
    assert made.returncode == 0 and "private values scrubbed" in made.stderr, made.stderr
    return json.loads(ran.stdout), recording


def test_the_probe_document_has_its_parts(observed: tuple[dict[str, Any], Path]) -> None:
    document, _ = observed
    assert document.keys() >= PARTS
    assert document["devices"][0]["kind"] == "cpu"
    assert {"physical", "logical", "performance", "efficiency"} == set(document["devices"][0]["cores"])
    assert document["memory"]["total"] > 2**28
    assert all(row["status"] and row["probe"] for row in document["outcomes"])


def test_a_recording_tells_what_was_observed(observed: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    document, recording = observed
    ran = process("probe", "--target", str(recording), "--json", env=environment(tmp_path))
    again = json.loads(ran.stdout)
    for part in ("os", "architecture", "digest"):
        assert again[part] == document[part], part
    assert [device["name"] for device in again["devices"]] == [device["name"] for device in document["devices"]]


def test_a_recording_is_a_target(observed: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    ran = process("--model", "mobilenet-v2", "--target", str(observed[1]), "--json", env=environment(tmp_path))
    found = json.loads(ran.stdout)
    assert ran.returncode in (0, 3, 4) and found["target"]["kind"] == "recording"
    assert found["target"]["digest"] == observed[0]["digest"]


def test_the_probe_document_is_a_target_too(run: Run, observed: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    path = tmp_path / "observed.json"
    path.write_text(json.dumps(observed[0]))
    found = run("--model", "mobilenet-v2", "--target", str(path), "--json").document
    assert found["target"]["memory"]["total"] == observed[0]["memory"]["total"]


def test_text_names_every_probe_and_how_it_ended(observed: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    shown = process("probe", "--target", str(observed[1]), env=environment(tmp_path)).stdout
    assert shown.startswith("System    ")
    assert [row["probe"] for row in observed[0]["outcomes"] if f"{row['probe']} " not in shown] == []


def test_another_machine_by_its_file_tree(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "proc").mkdir(parents=True)
    (tree / "proc" / "meminfo").write_text("MemTotal:        1000000 kB\nMemAvailable:     500000 kB\n")
    ran = process("probe", "--sysroot", str(tree), "--json", env=environment(tmp_path))
    found = json.loads(ran.stdout)
    assert (ran.returncode, found["memory"]["total"]) == (0, 1_024_000_000)
    assert [device for device in found["devices"] if device["kind"] == "gpu"] == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--sysroot", "no-such-folder"), "no-such-folder"), (("--target", "no-such-file"), "no-such-file"),
        (("--sysroot", ".", "--target", "x"), "--sysroot"), (("--record", "x.json", "--sysroot", "."), "--record"),
    ],
)
def test_misuse_is_one_line(run: Run, words: tuple[str, ...], named: str) -> None:
    ran = run("probe", *words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ") and named in ran.err.splitlines()[0]


def test_a_recording_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    ran = process("probe", "--record", str(tmp_path / "none" / "x.json"), "--no-microbenchmark", env=environment(tmp_path))
    assert ran.returncode == 2 and "none" in ran.stderr.splitlines()[-1]
    assert not (tmp_path / "none").exists()
