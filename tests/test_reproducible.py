"""The same inputs give the same bytes: in another process, with another home, hash seed and cache, today and later."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.answers import environment, process

QUESTION = ("--no-evidence", "--today", "2026-11-24", "--json")
MODELS = ("llama-3.2-1b", "mobilenet-v2")
MEMINFO = "MemTotal:        8000000 kB\nMemAvailable:    6000000 kB\n"
CPUINFO = "".join(
    f"processor\t: {number}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 158\nmodel name\t: Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz\n"
    f"physical id\t: 0\ncore id\t\t: {number}\ncpu cores\t: 4\nflags\t\t: fpu sse4_2 avx avx2 fma f16c\n\n"
    for number in range(4)
)


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a question may be asked of: a machine of the catalogue, a recording by hand, and one of this machine."""
    folder = tmp_path_factory.mktemp("machines")
    by_hand = {
        "recording_schema": 1, "os": "linux", "architecture": "x86_64", "files": {"/proc/cpuinfo": CPUINFO, "/proc/meminfo": MEMINFO},
        "links": {}, "dirs": {}, "commands": {}, "python": {}, "microbenchmark": {},
    }
    (folder / "by-hand.json").write_text(json.dumps(by_hand))
    made = process("probe", "--record", str(folder / "here.json"), env=environment(folder))
    assert made.returncode == 0, made.stderr
    return {"catalogue": "rtx-4090", "by hand": str(folder / "by-hand.json"), "here": str(folder / "here.json")}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["catalogue", "by hand", "here"])
def test_the_same_bytes_everywhere(targets: dict[str, str], tmp_path: Path, kind: str, model: str) -> None:
    told = {}
    for name, seed in (("one", "0"), ("other", "1"), ("other", "2")):  # the second of `other` finds a compiled catalogue
        env = {**environment(tmp_path / name), "PYTHONHASHSEED": seed}
        ran = process("--model", model, "--target", targets[kind], *QUESTION, env=env)
        assert ran.returncode in (0, 3, 4), ran.stderr
        told[name, seed] = ran.stdout
    assert len(set(told.values())) == 1
    assert any((tmp_path / "other" / "cache").rglob("*")), "nothing was compiled, so that warm was not tried"


def test_the_recording_by_hand_is_decided_from_what_it_holds(targets: dict[str, str], tmp_path: Path) -> None:
    ran = process("--model", "llama-3.2-1b", "--target", targets["by hand"], *QUESTION, env=environment(tmp_path))
    found = json.loads(ran.stdout)
    assert ran.returncode == 0, ran.stderr
    assert found["target"]["memory"]["total"] == 8000000 * 1024
    assert [(device["kind"], "avx2" in device["features"]) for device in found["target"]["devices"]] == [("cpu", True)]


def test_the_id_is_the_hash_of_everything_else(targets: dict[str, str], tmp_path: Path) -> None:
    from recommender.decide.document import content_id

    found = json.loads(process("--model", "mobilenet-v2", "--target", targets["by hand"], *QUESTION, env=environment(tmp_path)).stdout)
    assert found.pop("id") == content_id(found)
    assert content_id({**found, "why": "another"}) != content_id(found)


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_every_rendering_is_the_same_too(targets: dict[str, str], tmp_path: Path, form: str) -> None:
    words = ("--target", targets["by hand"], "--no-evidence", "--today", "2026-11-24", "--format", form)
    told = {process(*words, env={**environment(tmp_path / seed), "PYTHONHASHSEED": seed}).stdout for seed in ("0", "1")}
    assert len(told) == 1 and len(told.pop()) > 500


def test_evidence_and_the_day_are_inputs(targets: dict[str, str], tmp_path: Path) -> None:
    env = environment(tmp_path)
    days = [process("--model", "mobilenet-v2", "--target", targets["by hand"], "--json", "--today", day, env=env).stdout for day in ("2026-11-24", "2031-01-01")]
    first, later = map(json.loads, days)
    assert first["id"] != later["id"]
    assert any("months old" in row for row in later["target"]["assumptions"]) and not any("months old" in row for row in first["target"]["assumptions"])


@pytest.mark.skipif(sys.platform == "win32", reason="asks for a POSIX environment")
def test_nothing_is_written_outside_the_folders_that_are_ours(targets: dict[str, str], tmp_path: Path) -> None:
    env = environment(tmp_path)
    assert process("--model", "mobilenet-v2", "--target", targets["by hand"], *QUESTION, env=env).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "data", "plugins"]
