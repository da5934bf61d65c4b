"""archspec's name, and py-cpuinfo where the system tells nothing."""

from __future__ import annotations

import pytest

from probes import microarchitecture as probe
from recommender.intake.host import RecordedHost

ARCHSPEC = {"name": "zen4", "vendor": "AuthenticAMD", "generation": 0, "ancestors": ["zen3"], "generic": "x86_64_v4"}
CPUINFO = {"brand_raw": "Intel(R)  Core(TM) i7-9", "vendor_id_raw": "GenuineIntel", "family": 6, "model": 140, "stepping": 1,
           "count": 8, "flags": ["avx2", "avx512vnni", "avx512_vnni", "osxsave"]}  # fmt: skip


def observed(**recording):
    raw = probe.read(RecordedHost(recording))
    return probe.parse(raw).devices if raw else ()


def test_the_name_is_an_attribute_beside_the_level():
    [cpu] = observed(os="linux", python={"archspec": ARCHSPEC})
    assert cpu.attributes == {"microarchitecture": "zen4", "isa_level": "x86_64_v4"}
    assert (cpu.name, cpu.features, cpu.cores) == (None, (), None)


def test_a_generic_name_is_no_microarchitecture():
    [cpu] = observed(os="linux", python={"archspec": {**ARCHSPEC, "name": "x86_64_v4"}})
    assert cpu.attributes == {"isa_level": "x86_64_v4"}


@pytest.mark.parametrize(
    ("system", "files", "asked"),
    [("windows", {}, True), ("freebsd", {}, True), ("linux", {}, False), ("freebsd", {"/proc/cpuinfo": "x"}, False)],
)
def test_the_second_description_is_only_for_systems_that_tell_nothing(system, files, asked):
    found = observed(os=system, files=files, python={"cpuinfo": CPUINFO})
    assert bool(found) == asked


def test_the_description_in_our_words():
    [cpu] = observed(os="windows", python={"cpuinfo": CPUINFO})
    assert (cpu.name, cpu.vendor, cpu.identifiers) == ("Intel(R) Core(TM) i7-9", "intel", {"cpuid": "GenuineIntel:6:140:1"})
    assert cpu.features == ("avx2", "avx512_vnni") and cpu.cores.logical == 8


def test_a_replay_without_answers_says_nothing():
    assert observed(os="windows") == ()


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"archspec": []},
        {"archspec": {}},
        {"cpuinfo": {"brand_raw": 5, "flags": 7, "count": "8", "family": []}},
        {"cpuinfo": "x"},
    ],
)
def test_junk_gives_nothing_and_no_error(raw):
    assert probe.parse(raw).devices == ()
