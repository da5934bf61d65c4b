"""What feeds the machine now, how its clocks are governed, how busy and how warm it is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from recommender.domain.fingerprint import Observation
from recommender.ports import PROBE_API, HostAccess

name = "power"
api = PROBE_API
volatile = True
platforms = ("linux", "android")

_SUPPLIES = "/sys/class/power_supply"
_SUPPLY_FILES = ("type", "scope", "online", "status", "capacity", "present")
_THERMAL = "/sys/class/thermal"
_CPUFREQ = "/sys/devices/system/cpu"
_POLICY_FILES = ("scaling_governor", "energy_performance_preference")
_CHARGERS = ("mains", "usb", "wireless")
_MILLI = 1000
_COLDEST, _HOTTEST = -40.0, 150.0  # degrees Celsius; beyond them a sensor is off or broken


def read(host: HostAccess) -> dict[str, Any] | None:
    """Texts by place: `supplies`, `policies`, `temperatures`, `profile`, `loadavg`."""
    supplies = {supply: _take(host, f"{_SUPPLIES}/{supply}", _SUPPLY_FILES) for supply in host.list_dir(_SUPPLIES)}
    policies = [f"cpufreq/{policy}" for policy in host.list_dir(f"{_CPUFREQ}/cpufreq") if policy.startswith("policy")]
    zones = [zone for zone in host.list_dir(_THERMAL) if zone.startswith("thermal_zone")]
    raw = {
        "supplies": supplies,
        "policies": [_take(host, f"{_CPUFREQ}/{policy}", _POLICY_FILES) for policy in policies or ("cpu0/cpufreq",)],
        "temperatures": [text for zone in zones if (text := host.read_text(f"{_THERMAL}/{zone}/temp"))],
        "profile": host.read_text("/sys/firmware/acpi/platform_profile") or "",
        "loadavg": host.read_text("/proc/loadavg") or "",
    }
    return raw if any(value for value in raw.values() if value != [{}]) else None


def _take(host: HostAccess, folder: str, names: tuple[str, ...]) -> dict[str, str]:
    texts = {name: host.read_text(f"{folder}/{name}") for name in names}
    return {name: text.strip() for name, text in texts.items() if text and text.strip()}


def parse(raw: dict[str, Any]) -> Observation:
    """What is told of: source, battery_percent, governor, energy_performance_preference, profile, load_1m, temperature_max_c.

    load_1m in tasks, temperature_max_c in degrees Celsius.
    """
    supplies = [supply for supply in (raw.get("supplies") or {}).values() if supply.get("scope", "System") == "System"]
    policies = raw.get("policies") or []
    told = {
        "source": power_source(supplies),
        "battery_percent": battery_percent(supplies),
        "governor": _joined(policies, "scaling_governor"),
        "energy_performance_preference": _joined(policies, "energy_performance_preference"),
        "profile": (raw.get("profile") or "").strip() or None,
        "load_1m": parse_loadavg(raw.get("loadavg") or ""),
        "temperature_max_c": hottest(raw.get("temperatures") or []),
    }
    return Observation(power={key: value for key, value in told.items() if value is not None})


def power_source(supplies: list[dict[str, str]]) -> str | None:
    """mains or battery; None when no supply tells. A charger that is on wins over a battery that is drained beside it."""
    chargers = [supply.get("online") for supply in supplies if supply.get("type", "").lower() in _CHARGERS]
    states = [supply.get("status", "").lower() for supply in _batteries(supplies)]
    if any(online not in (None, "0") for online in chargers) or any(s in ("charging", "full", "not charging") for s in states):
        return "mains"
    if "discharging" in states or (states and "0" in chargers):
        return "battery"
    return None


def _batteries(supplies: list[dict[str, str]]) -> list[dict[str, str]]:
    return [supply for supply in supplies if supply.get("type", "").lower() == "battery" and supply.get("present") != "0"]


def battery_percent(supplies: list[dict[str, str]]) -> int | None:
    """Charge in percent, the mean of several batteries."""
    levels = [int(text) for b in _batteries(supplies) if (text := b.get("capacity", "")).isdecimal() and int(text) <= 100]
    return round(sum(levels) / len(levels)) if levels else None


def _joined(policies: list[Mapping[str, str]], key: str) -> str | None:
    """The setting of all clock domains; several different ones joined by `+`."""
    return "+".join(sorted({policy[key] for policy in policies if policy.get(key)})) or None


def parse_loadavg(text: str) -> float | None:
    """Mean number of runnable tasks over the last minute."""
    match = re.match(r"\s*(\d+\.\d+)\s", text)
    return float(match[1]) if match and math.isfinite(float(match[1])) else None


def hottest(texts: list[str]) -> float | None:
    """Highest plausible temperature [degrees Celsius] of sensors that write thousandths of a degree."""
    values = [int(text) / _MILLI for text in texts if re.fullmatch(r"-?\d{1,7}", text.strip())]
    return max((value for value in values if _COLDEST < value < _HOTTEST), default=None)
