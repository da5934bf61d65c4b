"""Artifacts made once for all machines of a sweep: workers as processes with caches of their own and one folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from recommender.apply.artifacts import Made, content_hash
from recommender.domain.errors import ActionFailed, ExecutorUnavailable
from recommender.tune.exchange import Exchange, own_strength
from tests.tune.exchanging import choice, record


class Workers:
    """Each with a cache of its own; `log`: who made what."""

    def __init__(self, folder: Path):
        self.folder, self.url, self.log = folder, f"journal:{folder}/sweep.log", folder / "made.log"
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, strength: float, *names: str) -> subprocess.Popen[str]:
        cache = self.folder / f"cache-{len(self.processes)}"
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.tune.exchanging", str(self.folder / "shared"), self.url, str(strength), str(self.log), *names],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2], env={**os.environ, "RECOMMEND_CACHE_DIR": str(cache)},
        )
        self.processes.append(process)
        return process

    def made(self) -> Counter[str]:
        return Counter(self.log.read_text().splitlines())


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return dict(json.loads(line))


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


@pytest.fixture
def workers(tmp_path: Path) -> Any:
    found = Workers(tmp_path)
    yield found
    for process in found.processes:
        process.kill()
        process.communicate()


def test_each_is_made_once_by_the_strongest_and_fetched_by_the_others(workers: Workers) -> None:
    strong = workers.start(8, "a", "broken")
    first = told(strong)
    weak = workers.start(2, "a", "b", "broken", "special")
    for _ in range(40):  # it makes between its trials what the weak one waits for
        say(strong, "serve")
        if workers.log.exists() and "special 2" in workers.made():
            break
        if weak.poll() is not None:
            break
        subprocess.run(["sleep", "0.3"], check=True)
    second = told(weak)
    assert workers.made() == {"a 8": 1, "broken 8": 1, "b 8": 1, "special 8": 1, "special 2": 1}  # the strong one cannot make that
    assert first["a"][:2] == second["a"][:2] and first["a"][2] != second["a"][2] and second["a"][3] == {"method": "x"}
    assert first["broken"] == second["broken"] == ["wrong-output", "it cannot be converted"]
    shared = next(path for path in (workers.folder / "shared").iterdir() if path.name != "partial" and "weights of a" in (path / "files/model/weights.bin").read_text())
    assert sorted(path.name for path in shared.iterdir()) == ["files", "manifest.json"] and content_hash(shared / "files/model") == first["a"][0]


def test_when_the_strongest_dies_another_takes_over(workers: Workers) -> None:
    strong = workers.start(8, "!a")
    assert strong.stdout is not None and strong.stdout.readline() == "dying\n"
    weak = workers.start(2, "a")
    strong.kill()
    strong.wait()
    assert told(weak)["a"][1].startswith("weights of a")
    assert workers.made() == {"a 8": 1, "a 2": 1}
    assert [path.name for path in (workers.folder / "shared/partial").iterdir()] == []


def test_what_a_killed_worker_had_half_published_is_taken_away(workers: Workers, tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "from recommender.tune.worker import worker_name; print(worker_name())"], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    (tmp_path / "shared/partial" / f"{'0' * 32}-{dead.stdout.strip()}" / "files").mkdir(parents=True)
    (tmp_path / "shared/partial" / f"{'0' * 32}-board-0123abcd-7-1700000000-abcdef").mkdir()
    assert told(workers.start(1, "a"))["a"][1].startswith("weights of a")
    assert [path.name for path in (tmp_path / "shared/partial").iterdir()] == [f"{'0' * 32}-board-0123abcd-7-1700000000-abcdef"]


def test_what_is_damaged_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, n_made = tmp_path / "artifact.gguf", []

    def make(wanted: Any) -> Made:
        n_made.append(wanted["id"])
        source.write_text("weights")
        return Made(key="k", path=source, size=7, hash=content_hash(source), facts={})

    shared = tmp_path / "shared"
    one = Exchange(shared, record(f"journal:{tmp_path}/sweep.log"), make, source="abc")
    assert one.made(choice("a")).path.read_text() == "weights"
    key = one.key(choice("a"))
    (shared / key / "files/artifact.gguf").write_text("weight?")
    monkeypatch.setenv("RECOMMEND_CACHE_DIR", str(tmp_path / "another machine"))
    two = Exchange(shared, record(f"journal:{tmp_path}/sweep.log"), make, source="abc", strength=own_strength() + 1)
    assert two.made(choice("a")).path.read_text() == "weights" and len(n_made) == 2
    assert (shared / key / "files/artifact.gguf").read_text() == "weights"
    assert one.key(choice("a")) != one.key(choice("b"))
    one.close()
    two.close()


def test_alone_and_without_the_converter(tmp_path: Path) -> None:
    def make(wanted: Any) -> Made:
        raise ExecutorUnavailable("no such converter here")

    one = Exchange(tmp_path / "shared", record(f"journal:{tmp_path}/sweep.log"), make, source="abc")
    with pytest.raises(ExecutorUnavailable, match="no such converter"):
        one.made(choice("lone"))
    one.close()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ActionFailed, match="--artifacts"):
        Exchange(tmp_path / "file", record(f"journal:{tmp_path}/sweep.log"), lambda wanted: None, source="abc")  # type: ignore[arg-type, return-value]
