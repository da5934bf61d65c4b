"""What does not change is kept, what moves is read at every run, and a bad cache is the same as none."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from recommender.intake import staleness, static_cache
from recommender.intake.cache_folder import cache_dir, read_cached, write_cached
from recommender.intake.microbenchmark import CACHE_SCHEMA
from recommender.intake.questions import QUESTIONS
from recommender.intake.static_cache import CACHE_NAME, OUR_QUESTIONS, live_host, observe_live

ROOT = Path(static_cache.__file__).parents[2]
PROBE = """
from pathlib import Path
from recommender.domain.fingerprint import Device, HostMemory, Observation
name, api, volatile, platforms = "{name}", 1, {volatile}, ()
def read(host):
    with Path(r"{log}").open("a") as log:
        log.write(name + "\\n")
    return {{"a": 1}}
def parse(raw):
    {body}
"""


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A static and a volatile probe that log when they run; returns the function that reads the log and empties it."""
    log = tmp_path / "log"
    folder = tmp_path / "probes_under_test"
    folder.mkdir()
    bodies = {
        "fixed": (False, 'return Observation(devices=(Device(id="x", kind="cpu", name="C"),))'),
        "moving": (True, "return Observation(memory=HostMemory(available=5))"),
    }
    (folder / "__init__.py").write_text("")
    for name, (volatile, body) in bodies.items():
        (folder / f"{name}.py").write_text(PROBE.format(name=name, volatile=volatile, log=log, body=body))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("RECOMMEND_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(static_cache, "probe_entries", lambda: {name: f"probes_under_test.{name}" for name in bodies})

    def take():
        lines = sorted(log.read_text().split()) if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    yield take
    for name in [name for name in sys.modules if name.startswith("probes_under_test")]:
        del sys.modules[name]


def test_static_probes_run_once_and_volatile_ones_always(runs):
    first, warnings = observe_live()
    assert runs() == ["fixed", "moving"] and warnings == []
    second, _ = observe_live()
    assert runs() == ["moving"]
    assert second.digest == first.digest and second.devices == first.devices and second.memory.available == 5
    assert [outcome.probe for outcome in second.outcomes] == ["fixed", "moving"]


def test_a_warm_run_does_not_ask_for_the_installed_probes(runs, monkeypatch):
    observe_live()
    asked = []
    monkeypatch.setattr(static_cache, "probe_entries", lambda: asked.append(1) or {})
    observe_live()
    assert asked == []


def test_refresh_runs_all_again(runs):
    observe_live()
    runs()
    observe_live(refresh=True)
    assert runs() == ["fixed", "moving"]


def test_progress_tells_what_really_runs(runs):
    observe_live()
    told = []
    observe_live(told.append)
    assert [outcome.probe for outcome in told] == ["moving"]


@pytest.mark.parametrize("key", ["engine", "python", "user", "asked", "boot", "root", "drivers", "buses", "packages", "programs"])
def test_a_change_of_anything_in_the_stamp_drops_the_cache(runs, monkeypatch, key):
    observe_live()
    runs()
    changed = {**staleness.stamp(), key: "changed"}
    monkeypatch.setattr(static_cache, "stamp", lambda: changed)
    observe_live()
    assert runs() == ["fixed", "moving"]


def test_a_probe_that_was_edited_runs_again(runs, tmp_path):
    observe_live()
    runs()
    source = tmp_path / "probes_under_test" / "fixed.py"
    later = time.time() + 60
    __import__("os").utime(source, (later, later))
    observe_live()
    assert runs() == ["fixed", "moving"]


@pytest.mark.parametrize(
    "damage",
    [
        "", "{", "[]", '{"schema": 1}', '"text"', "[" * 100_000, None,
        {"results": 5}, {"results": [{}]}, {"volatile": []}, {"files": None},
        {"results": [{"observation": {"devices": 1}, "outcome": {}}]},
        {"schema": 99},
    ],
)  # fmt: skip
def test_a_damaged_cache_is_the_same_as_none(runs, damage):
    observe_live()
    runs()
    path = Path(cache_dir()) / CACHE_NAME
    if isinstance(damage, dict):
        path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    elif damage is None:
        path.write_bytes(b"\xff\x00\xfe")
    else:
        path.write_text(damage)
    found, warnings = observe_live()
    assert runs() == ["fixed", "moving"] and warnings == [] and found.devices[0].name == "C"
    observe_live()
    assert runs() == ["moving"]


def test_a_failed_probe_is_tried_again_after_a_while(runs, monkeypatch, tmp_path):
    (tmp_path / "probes_under_test" / "fixed.py").write_text(
        PROBE.format(name="fixed", volatile=False, log=tmp_path / "log", body='raise OSError("busy")')
    )
    observe_live()
    runs()
    observe_live()
    assert runs() == ["moving"]
    now = time.time()
    monkeypatch.setattr(static_cache.time, "time", lambda: now + static_cache.RETRY_FAILED_AFTER + 60)
    observe_live()
    assert runs() == ["fixed", "moving"]


def test_a_folder_that_cannot_be_written_is_a_warning(runs, monkeypatch, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("RECOMMEND_CACHE_DIR", str(blocker / "below"))
    found, [warning] = observe_live()
    assert found.devices and str(blocker) in warning


def test_given_entries_are_not_kept(runs):
    observe_live(entries={"fixed": "probes_under_test.fixed"})
    observe_live(entries={"fixed": "probes_under_test.fixed"})
    assert runs() == ["fixed", "fixed"]
    assert not Path(cache_dir(), CACHE_NAME).exists()


def test_what_the_microbenchmark_measured_on_this_machine_is_added(runs):
    digest = observe_live()[0].digest
    write_cached(f"microbenchmark-{digest}.json", {"schema": CACHE_SCHEMA, "result": {"memory_bandwidth": 5e10, "threads": 2}})
    found, _ = observe_live()
    assert found.microbenchmark == {"memory_bandwidth": 5e10, "threads": 2} and found.digest == digest


def test_without_a_boot_id_the_boot_time_decides():
    now = {"boot": None}
    assert staleness.is_same({"boot": None}, staleness.boot_time(), now)
    assert not staleness.is_same({"boot": None}, staleness.boot_time() - 3600, now)
    assert not staleness.is_same({"boot": None}, None, now)
    assert staleness.is_same({"boot": "id"}, None, {"boot": "id"})


def test_the_stamp_is_plain_json_and_holds_from_one_moment_to_the_next():
    assert json.loads(json.dumps(staleness.stamp())) == staleness.stamp()


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/recommend"),
        ("linux", {"HOME": "/h"}, "/h/.cache/recommend"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Caches/recommend"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/recommend/Cache"),
        ("linux", {"RECOMMEND_CACHE_DIR": "/own", "XDG_CACHE_HOME": "/x"}, "/own"),
    ],
)
def test_the_folder_follows_the_platform(monkeypatch, platform, variables, expected):
    for name in ("XDG_CACHE_HOME", "RECOMMEND_CACHE_DIR", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_dir() == expected


def test_files_are_replaced_as_a_whole(monkeypatch, tmp_path):
    monkeypatch.setenv("RECOMMEND_CACHE_DIR", str(tmp_path))
    assert write_cached("a.json", {"n": 1}) == "" and write_cached("a.json", {"n": 2}) == ""
    assert read_cached("a.json") == {"n": 2} and [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_the_live_host_answers_our_questions_and_those_that_probes_bring():
    assert set(OUR_QUESTIONS) == set(QUESTIONS)

    class Bringing:
        questions = {"special": lambda: {"x": 1}}

    assert live_host([Bringing()]).python("special") == {"x": 1}
    assert live_host().python("special") is None


WARM = """
import sys, time
import {imports}
started = time.perf_counter()
from recommender.intake import static_cache
import pkgutil, probes
if sys.argv[1] == "cold":
    import importlib
    static_cache.probe_entries = lambda: {{
        found.name: "probes." + found.name for found in pkgutil.iter_modules(probes.__path__)
        if hasattr(importlib.import_module("probes." + found.name), "parse")
        and hasattr(importlib.import_module("probes." + found.name), "read")
    }}
started = time.perf_counter()
fingerprint, warnings = static_cache.observe_live()
print(time.perf_counter() - started, len(fingerprint.outcomes))
print(*(name for name in ("psutil", "numpy", "importlib.metadata", "concurrent.futures", "onnxruntime") if name in sys.modules))
"""


def test_a_warm_run_is_fast_and_imports_nothing_heavy(tmp_path):
    """The limit of 60 ms is for a quiet machine: the best of several runs counts."""
    script = tmp_path / "warm.py"
    script.write_text(textwrap.dedent(WARM.format(imports="json")))
    environment = {"RECOMMEND_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}

    def run(mode):
        done = subprocess.run([sys.executable, str(script), mode], env=environment, capture_output=True, text=True, check=True)
        first, second = done.stdout.split("\n")[:2]
        return float(first.split()[0]), int(first.split()[1]), second

    _, count, _ = run("cold")
    warm = [run("warm") for _ in range(5)]
    assert count > 5 and {found[1] for found in warm} == {count}
    assert {found[2] for found in warm} == {""}
    assert min(found[0] for found in warm) < 0.060
