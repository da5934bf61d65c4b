"""The Linux probes together: a replay learns nothing of the reading host, and a live reading is fast."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path

import pytest

from probes import cpu_linux, limits, machine_linux, memory, power
from recommender.domain.fingerprint import Observation
from recommender.intake.host import LiveHost, RecordedHost, RecordingHost, SysrootHost

from .trees import recorded_tree, tree

ALL = (cpu_linux, memory, limits, power, machine_linux)


def _forbidden(*_: object, **__: object) -> None:
    raise AssertionError("a replay asked the reading host")


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reading host answers no question."""
    psutil = pytest.importorskip("psutil")
    for name in ("uname", "cpu_count", "sched_getaffinity", "getloadavg", "sysconf"):
        monkeypatch.setattr(os, name, _forbidden)
    for name in ("machine", "processor", "uname", "system", "node", "release"):
        monkeypatch.setattr(platform, name, _forbidden)
    monkeypatch.setattr(subprocess, "Popen", _forbidden)
    for name in ("cpu_count", "virtual_memory", "swap_memory", "cpu_freq", "sensors_battery"):
        monkeypatch.setattr(psutil, name, _forbidden, raising=False)


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize("probe", ALL, ids=lambda probe: probe.name)
def test_an_almost_empty_tree_tells_nothing(tmp_path: Path, probe) -> None:
    host = tree(tmp_path, {"proc/uptime": "1.0 1.0", "sys/power/state": "mem"})
    assert probe.read(host) is None
    assert probe.parse({}) == Observation()


@pytest.mark.usefixtures("sealed")
def test_a_foreign_tree_tells_only_of_itself(tmp_path: Path) -> None:
    host: SysrootHost = recorded_tree(tmp_path, "rv64-visionfive2.tar.gz")
    told = {probe.name: probe.parse(raw) for probe in ALL if (raw := probe.read(host))}
    assert told["cpu_linux"].host == {"architecture": "riscv64"}
    assert "memory" not in told and "limits" not in told and "power" not in told
    assert dict(told["machine_linux"].host) == {"os": "linux"}


@pytest.mark.parametrize("probe", ALL, ids=lambda probe: probe.name)
def test_a_recording_gives_the_same_as_the_machine(probe) -> None:
    recorder = RecordingHost(LiveHost())
    raw = probe.read(recorder)
    replay = RecordedHost({**recorder.taken, "os": LiveHost().platform().os, "architecture": None})
    assert probe.read(replay) == raw


@pytest.mark.skipif(not os.path.exists("/proc/cpuinfo"), reason="this machine is not Linux")
def test_all_probes_together_take_a_moment() -> None:
    def once() -> float:
        start = time.perf_counter()
        for probe in ALL:
            raw = probe.read(LiveHost())
            if raw:
                probe.parse(raw)
        return time.perf_counter() - start

    assert min(once() for _ in range(5)) < 0.03
