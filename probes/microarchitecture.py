"""The processor's microarchitecture as archspec names it, and py-cpuinfo's description where the system tells nothing itself.

Both are asked of Python, so that a replay never looks at the machine that reads it. A name is information; decisions rest on
features, because every data base of names lags behind the hardware.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from recommender.domain.fingerprint import Cores, Device, Observation
from recommender.ports import PROBE_API, HostAccess

name = "microarchitecture"
api = PROBE_API
volatile = False
platforms: tuple[str, ...] = ("linux", "macos", "windows", "freebsd", "openbsd", "netbsd")
timeout = 20.0  # seconds: py-cpuinfo alone takes more than one

_HAS_FILES = ("linux", "android")  # a processor described below /proc needs no second description
_VENDORS = {
    "genuineintel": "intel", "authenticamd": "amd", "hygongenuine": "hygon", "centaurhauls": "zhaoxin", "apple": "apple",
    "arm": "arm", "qualcomm": "qualcomm", "fujitsu": "fujitsu", "ampere": "ampere", "ibm": "ibm",
}  # fmt: skip
# py-cpuinfo's word for a feature -> the one in /proc/cpuinfo, where they differ.
_FLAGS = {
    "avx512vnni": "avx512_vnni", "avx512bitalg": "avx512_bitalg", "avx512vbmi2": "avx512_vbmi2",
    "avx512vpopcntdq": "avx512_vpopcntdq", "sse3": "pni", "sha": "sha_ni", "tscdeadline": "tsc_deadline_timer", "osxsave": "",
}  # fmt: skip


def read(host: HostAccess) -> dict[str, Any] | None:
    """`archspec` and `cpuinfo`: the answers of the two packages; the second only where there is no /proc/cpuinfo."""
    raw = {"archspec": host.python("archspec")}
    if host.platform().os not in _HAS_FILES and not host.exists("/proc/cpuinfo"):
        raw["cpuinfo"] = host.python("cpuinfo")
    return raw if any(raw.values()) else None


def parse(raw: dict[str, Any]) -> Observation:
    """One partial cpu: `microarchitecture` among its attributes; vendor, name, features and counts from py-cpuinfo."""
    named = raw.get("archspec")
    told = raw.get("cpuinfo")
    attributes = _microarchitecture(named) if isinstance(named, Mapping) else {}
    told = told if isinstance(told, Mapping) else {}
    brand = told.get("brand_raw")
    device = Device(
        id="cpu0",
        kind="cpu",
        vendor=_VENDORS.get(str(told.get("vendor_id_raw", "")).lower()),
        name=" ".join(brand.split()) if isinstance(brand, str) and brand.strip() else None,
        identifiers=_cpuid(told),
        features=_features(told),
        cores=Cores(logical=told["count"]) if isinstance(told.get("count"), int) else None,
        attributes=attributes,
    )
    is_empty = not (attributes or device.name or device.vendor or device.features or device.cores)
    return Observation() if is_empty else Observation(devices=(device,))


def _microarchitecture(named: Mapping[str, Any]) -> dict[str, Any]:
    """A generic name (x86_64_v4, aarch64) says only which level the processor reaches: it is kept under another word."""
    label, generic = named.get("name"), named.get("generic")
    found = {"microarchitecture": label if label != generic else None, "isa_level": generic}
    return {key: value for key, value in found.items() if isinstance(value, str) and value}


def _cpuid(told: Mapping[str, Any]) -> dict[str, str]:
    parts = [told.get("vendor_id_raw"), told.get("family"), told.get("model"), told.get("stepping")]
    if not all(isinstance(part, (str, int)) for part in parts) or not re.fullmatch(r"\w+", str(parts[0])):
        return {}
    return {"cpuid": ":".join(str(part) for part in parts)}


def _features(told: Mapping[str, Any]) -> tuple[str, ...]:
    flags = told.get("flags")
    words = [str(flag) for flag in flags] if isinstance(flags, (list, tuple)) else []
    return tuple(sorted({spelled for word in words if (spelled := _FLAGS.get(word, word))}))
