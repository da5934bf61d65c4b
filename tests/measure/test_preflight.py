from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recommender.measure import gpu_counters, preflight
from recommender.measure.preflight import findings, refused, spin_policy
from recommender.measure.surroundings import ForeignLoad, Surroundings, busy_seconds, cool_down, own_seconds, throttle_count
from tests.measure.null_artifact import FakeClock

QUIET: dict[str, Any] = {
    "power_source": "mains", "governor": "performance", "profile": None, "is_saving_power": False, "temperature": 45.0, "foreign_load": 0.02, "busiest": [],
    "memory_free": 8 << 30, "memory_total": 16 << 30, "gpus": [], "gpu_processes": None, "processors": 8, "usable_processors": 8, "thread_variables": {},
    "clock": {"resolution": 1e-7, "overhead": 1e-7},
}
GPU = {"index": 0, "memory_free": 1 << 30, "memory_total": 2 << 30, "temperature": 50, "clock": 1e9, "clock_max": 2e9, "is_throttled": False}


def test_the_record_tells_of_this_machine() -> None:
    seen = preflight.record(digest="abc", seconds=0.1, versions={"null": "1"})
    json.dumps(seen)
    assert seen["digest"] == "abc" and seen["versions"]["null"] == "1" and seen["processors"] >= seen["usable_processors"] >= 1
    assert 0 <= seen["foreign_load"] <= 1 and 0 < seen["memory_free"] <= seen["memory_total"] and seen["clock"]["overhead"] > 0


def test_a_quiet_machine_has_no_findings() -> None:
    assert findings(QUIET) == ()


@pytest.mark.parametrize(("change", "key", "is_serious"), [
    ({"foreign_load": 0.3, "busiest": [{"pid": 7, "name": "ffmpeg", "share": 2.4}]}, "foreign-load", True),
    ({"gpus": [GPU], "gpu_processes": [7, 9]}, "foreign-gpu-process", True),
    ({"is_saving_power": True, "governor": "powersave"}, "power-saver", False),
    ({"is_saving_power": True, "power_source": "battery"}, "power-saver", True),
    ({"power_source": "battery"}, "battery", False),
    ({"temperature": 88.0}, "hot", True),
    ({"gpus": [{**GPU, "temperature": 80}]}, "hot", True),
    ({"gpus": [{**GPU, "is_throttled": True}]}, "throttled", True),
    ({"memory_free": 1 << 30}, "low-memory", False),
    ({"usable_processors": 2}, "limited-processors", False),
    ({"thread_variables": {"OMP_NUM_THREADS": "1"}}, "thread-variables", False),
    ({"clock": {"resolution": 0.015, "overhead": 1e-7}}, "coarse-clock", False),
])
def test_what_disturbs_is_found_and_has_a_fix(change: dict[str, Any], key: str, is_serious: bool) -> None:
    [found] = findings({**QUIET, **change})
    assert (found.key, found.is_serious) == (key, is_serious) and found.what and found.fix
    strict, normal, quick = (refused({**QUIET, **change}, policy) for policy in ("strict", "normal", "quick"))
    assert strict == ((found,), ()) if is_serious else strict == ((), (found,))
    assert normal == ((), (found,)) and quick == ((), ())


@pytest.mark.parametrize(("load", "policy"), [(0.0, "shipped"), (0.1, "shipped"), (0.11, "passive")])
def test_waiting_threads_sleep_where_others_work(load: float, policy: str) -> None:
    assert spin_policy(load) == policy


# --- the load of others ------------------------------------------------------------------------------------------------


def test_foreign_load_is_what_we_did_not_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    busy, own, clock = FakeClock(), FakeClock(), FakeClock()
    load = ForeignLoad(busy, own, clock)
    clock.pass_by(10.0)
    busy.pass_by(20.0)
    own.pass_by(12.0)
    assert load.share() == pytest.approx(8 / 40)
    own.pass_by(30.0)
    assert load.share() == 0.0


@pytest.fixture
def spinning() -> Iterator[None]:
    """Neighbours on a quarter of the processors."""
    neighbours = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(max(1, (os.cpu_count() or 1) // 4))]
    yield
    for neighbour in neighbours:
        neighbour.kill()
        neighbour.wait()


def test_spinning_neighbours_are_flagged(spinning: None) -> None:
    around = Surroundings()
    seen = preflight.record(seconds=1.0)
    assert "foreign-load" in {each.key for each in findings(seen)}
    assert "foreign-load" in around.flags(around.load.share())
    assert spin_policy(seen["foreign_load"]) == "passive"


def test_an_ended_child_counts_as_ours() -> None:
    busy, own = busy_seconds(), own_seconds()
    subprocess.run([sys.executable, "-c", "for _ in range(3_000_000): pass"], check=True)
    used = own_seconds() - own
    assert used > 0.02 and busy_seconds() - busy > used - 0.1


# --- clocks, heat ------------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for at in range(2):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{at}"
        (folder / "cpufreq").mkdir(parents=True)
        (folder / "thermal_throttle").mkdir()
        (folder / "cpufreq/scaling_cur_freq").write_text("3000000\n")
        (folder / "thermal_throttle/core_throttle_count").write_text(f"{at}\n")
        policy = tmp_path / f"sys/devices/system/cpu/cpufreq/policy{at}"
        policy.mkdir(parents=True)
        (policy / "scaling_governor").write_text("powersave\n")
        (policy / "scaling_driver").write_text("acpi-cpufreq\n")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/loadavg").write_text("0.50 0.40 0.30 3/456 7890\n")
    return tmp_path


def test_a_kernels_files_are_read(tree: Path) -> None:
    seen = preflight.record(seconds=0.01, root=tree)
    assert seen["clock_rates"] == [3e9, 3e9] and seen["governor"] == "powersave" and seen["is_saving_power"] is True and seen["runnable"] == 3
    for at in range(2):
        (tree / f"sys/devices/system/cpu/cpufreq/policy{at}/scaling_driver").write_text("some_pstate\n")
    assert preflight.record(seconds=0.01, root=tree)["is_saving_power"] is False


def test_a_clock_that_drops_and_heat_are_flagged(tree: Path) -> None:
    clock = FakeClock()
    around = Surroundings(root=tree, clock=clock)
    for second in range(9):
        for at in range(2):
            (tree / f"sys/devices/system/cpu/cpu{at}/cpufreq/scaling_cur_freq").write_text("3000000" if second < 5 else "2500000")
        around.note(1)
        around.note(1)  # not again within the second
        clock.pass_by(1.0)
    assert around.flags(0.0) == ("clock-drop",)
    (tree / "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count").write_text("5")
    assert around.flags(0.5) == ("foreign-load", "throttled", "clock-drop") and throttle_count(tree) == 5
    assert Surroundings(root=tree).flags(0.0) == ()


def test_cooling_down_waits_for_the_first_temperature() -> None:
    readings, slept = iter([70.0, 62.0, 54.0]), []
    assert cool_down(50.0, read=lambda: next(readings), sleep=slept.append) == 54.0 and len(slept) == 2
    assert cool_down(50.0, read=lambda: 90.0, sleep=slept.append, most=3.0) == 90.0 and len(slept) == 5
    assert cool_down(None, read=lambda: None, sleep=slept.append) is None and len(slept) == 6


# --- GPUs --------------------------------------------------------------------------------------------------------------


def test_what_a_gpu_program_prints() -> None:
    assert gpu_counters.parse_processes("1234, 512\n77, [N/A]\n1234, 8\n\n") == {1234: 520 << 20, 77: 0}
    text = "0, 70000, 81559, 41, 1980, 1980, 0x0000000000000001\n1, 100, 200, [N/A], 300, 600, 0x0000000000000020\nnothing\n"
    first, second = gpu_counters.parse_gpus(text)
    assert first["memory_free"] == 70000 << 20 and first["clock"] == 1.98e9 and first["is_throttled"] is False
    assert second["temperature"] is None and second["is_throttled"] is True


def test_device_memory_from_the_kernels_statistics(tmp_path: Path) -> None:
    folder = tmp_path / "12/fdinfo"
    folder.mkdir(parents=True)
    shown = "pos:\t0\ndrm-driver:\tsome\ndrm-pdev:\t0000:03:00.0\ndrm-client-id:\t{}\ndrm-memory-vram:\t2048 KiB\ndrm-memory-gtt:\t64 KiB\n"
    for descriptor, client in (("5", 1), ("6", 1), ("7", 2)):
        (folder / descriptor).write_text(shown.format(client))
    (folder / "8").write_text("pos:\t0\n")
    assert gpu_counters.drm_memory([12, 13], tmp_path) == 2 * 2048 << 10
    (folder / "7").write_text("drm-pdev: a\ndrm-client-id: 9\ndrm-total-vram0: 9 MiB\ndrm-resident-vram0: 4 MiB\n")
    assert gpu_counters.drm_memory([12], tmp_path) == (2048 << 10) + (4 << 20)
