"""A probe can never bring the program down."""

from __future__ import annotations

import sys
import threading
import time
from types import SimpleNamespace

import pytest

from recommender.domain.fingerprint import Device, HostMemory, Observation
from recommender.intake import run
from recommender.intake.host import RecordedHost
from recommender.intake.run import BrokenProbe, import_probes, load_probes, observe, run_probes

HOST = RecordedHost({"os": "linux", "architecture": "x86_64", "files": {"/a": "text"}})


def make(name="p", *, read=lambda host: {"a": "x"}, parse=None, api=1, platforms=(), **more):
    parse = parse or (lambda raw: Observation(host={"soc": raw["a"]}))
    return SimpleNamespace(name=name, api=api, volatile=False, platforms=platforms, read=read, parse=parse, **more)


def raising(error):
    def call(_):
        raise error

    return call


def only(probe, **options):
    [(observation, outcome)] = run_probes([probe], HOST, **options)
    return observation, outcome


def test_an_answer_is_ok_and_names_what_it_gave():
    observation, outcome = only(make(read=lambda host: {"a": host.read_text("/a")}))
    assert observation.host == {"soc": "text"}
    assert (outcome.status, outcome.produced, outcome.reason) == ("ok", ("host.soc",), "")


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (make(read=raising(ValueError("two\nlines"))), "ValueError: two lines"),
        (make(parse=raising(KeyError("soc"))), "KeyError"),
        (make(read=raising(SystemExit(3))), "SystemExit: 3"),
        (make(read=raising(KeyboardInterrupt())), "KeyboardInterrupt"),
        (make(read=raising(RecursionError("deep"))), "RecursionError"),
        (make(parse=lambda raw: {"os": "linux"}), "dict, not an Observation"),
        (make(parse=lambda raw: None), "NoneType, not an Observation"),
        (make(parse=lambda raw: Observation(devices=("gpu",))), "devices"),
        (make(parse=lambda raw: Observation(host=[1])), "host"),
        (make(parse=lambda raw: Observation(memory=7)), "memory"),
        (make(parse=lambda raw: Observation(devices=(Device(id="x", kind="toaster"),))), "toaster"),
        (make(parse=lambda raw: Observation(devices=(Device(id="x", kind="gpu", memory_total="8 GB"),))), "memory_total"),
        (make(parse=lambda raw: Observation(devices=(Device(id="x", kind="gpu", name=5),))), "name"),
        (make(parse=lambda raw: Observation(devices=(Device(id="x", kind="gpu", identifiers={"pci": 7}),))), "identifiers"),
        (BrokenProbe("gone", ImportError("no module named gone")), "ImportError: no module named gone"),
    ],
)
def test_a_broken_probe_becomes_a_failed_outcome(probe, words):
    observation, outcome = only(probe)
    assert observation is None
    assert outcome.status == "failed"
    assert words in outcome.reason and "\n" not in outcome.reason


def test_one_that_hangs_is_given_up_and_does_not_hold_up_the_others():
    release = threading.Event()
    slow = make("slow", read=lambda host: release.wait(30) and {"a": "late"})
    started = time.monotonic()
    results = run_probes([slow, make("quick")], HOST, timeout=0.2)
    release.set()
    assert time.monotonic() - started < 5
    assert [(outcome.probe, outcome.status) for _, outcome in results] == [("slow", "failed"), ("quick", "ok")]
    assert "0.2 s" in results[0][1].reason
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("probe-"))


def test_a_probe_may_ask_for_its_own_time():
    patient = make(read=lambda host: time.sleep(0.3) or {"a": "x"}, timeout=20.0)
    assert only(patient, timeout=0.05)[1].status == "ok"


@pytest.mark.parametrize("read", [lambda host: None, lambda host: {}, lambda host: ""])
def test_nothing_read_is_absent(read):
    assert only(make(read=read))[1].status == "absent"


def test_text_in_which_nothing_is_recognised_is_absent_too():
    assert only(make(parse=lambda raw: Observation(host={"soc": None})))[1].status == "absent"


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (make(platforms=("macos", "ios")), "macos, ios"),
        (make(platforms=("macos",)), "linux"),
        (make(api=99), "99"),
        (make(api=None), "api"),
    ],
)
def test_what_does_not_fit_is_skipped_with_the_reason(probe, words):
    observation, outcome = only(probe)
    assert observation is None and outcome.status == "skipped" and words in outcome.reason


def test_an_unknown_system_excludes_no_probe():
    [(observation, _)] = run_probes([make(platforms=("macos",))], RecordedHost({}))
    assert observation is not None


def test_results_keep_the_order_of_the_probes_and_progress_tells_each_once():
    delays = {"a": 0.05, "b": 0.0, "c": 0.02}
    probes = [make(name, read=lambda host, d=delay: time.sleep(d) or {"a": "x"}) for name, delay in delays.items()]
    told = []
    results = run_probes(probes, HOST, on_progress=told.append)
    assert [outcome.probe for _, outcome in results] == ["a", "b", "c"]
    assert sorted(outcome.probe for outcome in told) == ["a", "b", "c"]
    assert run_probes([], HOST) == []


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """A package with plug-ins on the path, announced by entry points."""
    package = tmp_path / "plugins_under_test"
    package.mkdir()
    good = "name='good'\napi=1\nvolatile=False\nplatforms=()\nread=lambda host: {}\nparse=None\n"
    for name, text in {
        "__init__": "",
        "good": good,
        "crash": "1/0",
        "leaves": "import sys; sys.exit(4)",
        "bare": "x = 1",
    }.items():
        (package / f"{name}.py").write_text(text)
    metadata = tmp_path / "plugins_under_test-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plugins-under-test\nVersion: 1.0\n")
    names = ("good", "crash", "leaves", "bare", "missing")
    lines = [f"put_{name} = plugins_under_test.{name}" for name in names]
    (metadata / "entry_points.txt").write_text("[recommender.probes]\n" + "\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv(run.PROBES_VARIABLE, raising=False)
    yield
    for name in [name for name in sys.modules if name.startswith("plugins_under_test")]:
        del sys.modules[name]


def test_broken_plug_ins_are_loaded_as_failures(installed):
    names = [f"put_{name}" for name in ("missing", "leaves", "good", "crash", "bare")]
    outcomes = [outcome for _, outcome in run_probes(load_probes(names), HOST)]
    found = {outcome.probe: (outcome.status, outcome.reason) for outcome in outcomes}
    assert found["good"] == ("absent", "nothing of the kind here")
    for name, words in {
        "missing": "ModuleNotFoundError",
        "leaves": "SystemExit",
        "crash": "ZeroDivisionError",
        "bare": "parse",
    }.items():
        assert found[f"put_{name}"][0] == "failed" and words in found[f"put_{name}"][1]


def test_the_variable_restricts_what_is_loaded_and_an_unknown_name_is_told(installed, monkeypatch):
    monkeypatch.setenv(run.PROBES_VARIABLE, " put_good, nonesuch ,")
    probes = load_probes()
    assert [probe.name for probe in probes] == ["nonesuch", "good"] or [probe.name for probe in probes] == ["good", "nonesuch"]
    assert "no probe of that name" in only(next(p for p in probes if p.name == "nonesuch"))[1].reason


def test_all_entry_points_are_loaded_sorted_without_the_variable(installed):
    assert [name for name in run.probe_entries() if name.startswith("put_")] == sorted(
        f"put_{name}" for name in ("good", "crash", "leaves", "bare", "missing")
    )


def test_an_entry_may_name_an_object(monkeypatch):
    module = SimpleNamespace(inner=SimpleNamespace(probe=make("inside")))
    monkeypatch.setitem(sys.modules, "module_under_test", module)
    [probe] = import_probes({"x": "module_under_test:inner.probe"})
    assert probe.name == "inside"


def test_observe_merges_what_a_replayed_host_tells():
    memory = make("memory", parse=lambda raw: Observation(memory=HostMemory(total=8 << 30)))
    found = observe(HOST, [memory, make("bad", read=raising(OSError("x")))])
    assert found.memory.total == 8 << 30
    assert found.os == {"name": "linux"} and found.architecture == "x86_64"
    assert {outcome.probe: outcome.status for outcome in found.outcomes} == {"memory": "ok", "bad": "failed"}
