from __future__ import annotations

import time
from pathlib import Path

import pytest

from recommender.measure import energy
from recommender.measure.energy import between, per_unit, powercap
from tests.measure.null_artifact import TOKENS, run_of

RANGE = 262_143_328_850  # microjoules, as a real counter wraps around


def zone(root: Path, folder: str, name: str, value: int) -> Path:
    path = root / folder
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{value}\n")
    (path / "max_energy_range_uj").write_text(f"{RANGE}\n")
    return path


def count(path: Path, value: int) -> None:
    (path / "energy_uj").write_text(f"{value}\n")


@pytest.fixture
def zones(tmp_path: Path) -> dict[str, Path]:
    named = {
        "package": ("rapl:0", "package-0", 1_000_000), "core": ("rapl:0:0", "core", 5), "dram": ("rapl:0:1", "dram", RANGE - 500_000), "psys": ("rapl:1", "psys", 9),
        "twin": ("rapl-mmio:0", "package-0", 3), "second": ("rapl:2", "package-1", 0), "dram of second": ("rapl:2:0", "dram", 0),
    }
    (tmp_path / "rapl").mkdir()  # the control type's own folder has no counter
    return {key: zone(tmp_path, *told) for key, told in named.items()}


def test_packages_and_their_memory_add_up_and_wrap_around(tmp_path: Path, zones: dict[str, Path]) -> None:
    counter, why = powercap(tmp_path)
    assert counter and why == "" and counter.joules() == 0.0
    for key in ("core", "psys"):
        count(zones[key], 10**9)
    assert counter.joules() == 0.0
    count(zones["dram"], 500_000)  # 0.5 J to the end of the range and 0.5 J from 0 on
    count(zones["second"], 2_000_000)
    count(zones["dram of second"], 250_000)
    assert counter.joules() == pytest.approx(1.0 + 2.0 + 0.25)
    for key in ("package", "twin"):
        count(zones[key], 4_000_000)
    assert counter.joules() == pytest.approx(3.25 + 3.0)


def test_no_counter_has_a_reason(tmp_path: Path) -> None:
    counter, why = powercap(tmp_path / "nowhere")
    assert counter is None and "nowhere" in why
    zone(tmp_path, "rapl:0", "package-0", 1).joinpath("energy_uj").unlink()
    (tmp_path / "rapl:0/energy_uj").mkdir()  # cannot be read as a file, whoever asks
    counter, why = powercap(tmp_path)
    assert counter is None and "chmod" in why


class Steady:
    """A counter of so many watts."""

    name, interval = "steady", 0.001

    def __init__(self, watts: float):
        self._watts = watts

    def joules(self) -> float:
        return self._watts * time.monotonic()


def test_energy_of_a_candidate(tmp_path: Path) -> None:
    found = energy.measure(run_of(tmp_path, plan=TOKENS, kind="tokens", latency=0.002), found=[Steady(10.0)], idle=0.1, seconds=0.4)
    assert found["unit"] == "J/token" and found["window"] >= 0.4
    assert found["idle_power"] == pytest.approx(10.0, rel=0.05)
    assert found["raw"] * 8 * found["calls"] == pytest.approx(10.0 * found["window"], rel=0.05)
    assert abs(found["net"]) < 0.1 * found["raw"]


def test_what_cannot_be_told_says_why(tmp_path: Path) -> None:
    assert energy.measure(run_of(tmp_path, crash=2), found=[Steady(1.0)], idle=0.1, seconds=0.2)["kind"] == "crash"
    present, missing = energy.counters()
    if not present:
        assert energy.measure(run_of(tmp_path))["why"] == "; ".join(missing) != ""


def test_idle_is_subtracted_and_raw_is_kept() -> None:
    found = per_unit({"processor": 100.0, "gpu": 50.0}, {"processor": 4.0, "gpu": 1.0}, 10.0, calls=10, tokens=0)
    assert (found["unit"], found["raw"], found["net"]) == ("J/inference", 15.0, 10.0)
    assert per_unit({"gpu": 50.0}, {"gpu": 0.0}, 10.0, calls=1, tokens=100)["raw"] == 0.5


def test_a_counter_is_read_between_its_readings() -> None:
    rows = [(0.0, 0.0), (1.0, 10.0), (3.0, 30.0)]
    assert between(rows, 0.5, 2.0) == pytest.approx(15.0)
    assert between(rows, -1.0, 9.0) == 30.0
