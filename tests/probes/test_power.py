"""Feeding, governing, load and warmth."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes import power
from probes.power import hottest, parse_loadavg

from .trees import CPU, recorded_tree, tree

SUPPLY = "sys/class/power_supply"


def told(root: Path, files: dict[str, str]) -> dict:
    raw = power.read(tree(root, files))
    return dict(power.parse(raw).power) if raw else {}


def supply(name: str, **files: str) -> dict[str, str]:
    return {f"{SUPPLY}/{name}/{key}": f"{value}\n" for key, value in files.items()}


@pytest.mark.parametrize(
    ("files", "source", "percent"),
    [
        (
            {**supply("AC", type="Mains", online="1"), **supply("BAT0", type="Battery", status="Charging", capacity="81")},
            "mains",
            81,
        ),
        (
            {**supply("AC", type="Mains", online="0"), **supply("BAT0", type="Battery", status="Discharging", capacity="44")},
            "battery",
            44,
        ),
        (
            {**supply("AC", type="Mains", online="1"), **supply("BAT0", type="Battery", status="Discharging", capacity="9")},
            "mains",
            9,
        ),
        (
            {**supply("usb", type="USB", online="0"), **supply("battery", type="Battery", status="Unknown", capacity="50")},
            "battery",
            50,
        ),
        ({**supply("usb", type="USB", online="1"), **supply("battery", type="Battery", capacity="50")}, "mains", 50),
        (
            {
                **supply("BAT0", type="Battery", capacity="100"),
                **supply("BAT1", type="Battery", capacity="0", status="Discharging"),
            },
            "battery",
            50,
        ),
        (supply("hidpp", type="Battery", scope="Device", status="Discharging", capacity="20"), None, None),
        (supply("BAT0", type="Battery", present="0", status="Unknown"), None, None),
        (supply("BAT0", type="Battery", status="Full", capacity="full"), "mains", None),
        (supply("odd", type="", online="yes"), None, None),
        (supply("AC", type="Mains", online="0"), None, None),
    ],
    ids=[
        "charging",
        "on battery",
        "weak charger",
        "unplugged phone",
        "plugged phone",
        "two",
        "mouse",
        "no battery in",
        "garbled",
        "odd",
        "unplugged desktop",
    ],
)
def test_source_and_charge(tmp_path: Path, files: dict[str, str], source: str | None, percent: int | None) -> None:
    found = told(tmp_path, files)
    assert (found.get("source"), found.get("battery_percent")) == (source, percent)


def test_governors_profile_and_load(tmp_path: Path) -> None:
    files = {
        f"{CPU}/cpufreq/policy0/scaling_governor": "powersave\n",
        f"{CPU}/cpufreq/policy4/scaling_governor": "performance\n",
        f"{CPU}/cpufreq/policy0/energy_performance_preference": "balance_power\n",
        "sys/firmware/acpi/platform_profile": "low-power\n",
        "proc/loadavg": "1.50 0.80 0.40 2/345 6789\n",
        "sys/class/thermal/thermal_zone0/temp": "48500\n",
        "sys/class/thermal/thermal_zone1/temp": "-273000\n",
        "sys/class/thermal/cooling_device0/temp": "99000\n",
    }
    assert told(tmp_path, files) == {
        "governor": "performance+powersave",
        "energy_performance_preference": "balance_power",
        "profile": "low-power",
        "load_1m": 1.5,
        "temperature_max_c": 48.5,
    }


@pytest.mark.parametrize(
    ("archive", "governor", "preference"),
    [
        ("armv7.tar.gz", "ondemand", None),
        ("x86_64-epyc_7451.tar.gz", "performance", None),
        ("hybrid-i7-1370P.tar.bz2", "powersave", "balance_performance"),
        ("arm-A510-A710-A715-X3.tar.gz", "walt", None),
    ],
)
def test_recorded_machines(tmp_path: Path, archive: str, governor: str, preference: str | None) -> None:
    raw = power.read(recorded_tree(tmp_path, archive))
    found = power.parse(raw or {}).power
    assert (found.get("governor"), found.get("energy_performance_preference")) == (governor, preference)
    assert "source" not in found and "load_1m" not in found


@pytest.mark.parametrize(("text", "load"), [("0.08 0.1 0.2 1/9 3\n", 0.08), ("", None), ("busy", None), ("0.5", None)])
def test_load(text: str, load: float | None) -> None:
    assert parse_loadavg(text) == load


@pytest.mark.parametrize(("texts", "degrees"), [(["41000", "66500"], 66.5), (["hot", "200000"], None), ([], None)])
def test_warmth(texts: list[str], degrees: float | None) -> None:
    assert hottest(texts) == degrees
