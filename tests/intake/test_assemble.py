"""Merging: precedence, de-duplication, ids, digest, and the probe document."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.domain.errors import RecordingError
from recommender.domain.fingerprint import (
    Cache,
    Cores,
    Device,
    Fingerprint,
    HostMemory,
    InstalledFramework,
    Observation,
    ProbeOutcome,
)
from recommender.intake.assemble import PRECEDENCE, assemble, fingerprint_from_document, fingerprint_to_document, rank
from recommender.intake.digest import with_digest
from recommender.ports import Platform

LINUX = Platform(os="linux", architecture="x86_64")


def build(platform=LINUX, **observations):
    results = [(seen, ProbeOutcome(probe=probe, status="ok" if seen else "failed")) for probe, seen in observations.items()]
    return assemble(results, platform)


def device(kind="gpu", **facts):
    return Device(id="x", kind=kind, **facts)


def devices(*found):
    return Observation(devices=found)


def test_unknown_never_overrides_known_and_the_trusted_probe_wins():
    found = build(
        cpu_linux=devices(device("cpu", name="Real name", cores=Cores(logical=8))),
        microarchitecture=devices(device("cpu", name="Data base name", vendor="amd", cores=Cores(logical=4, physical=4))),
    )
    [cpu] = found.devices
    assert (cpu.id, cpu.name, cpu.vendor) == ("cpu0", "Real name", "amd")
    assert cpu.cores == Cores(logical=8, physical=4)


def test_the_result_does_not_depend_on_the_order_of_results():
    seen = [
        ("b", Observation(host={"soc": "B1", "machine_model": ""})),
        ("a", Observation(host={"soc": "A1"})),
        ("machine_linux", Observation(host={"machine_model": "Board", "soc": "M1"})),
    ]
    results = [(observation, ProbeOutcome(probe=probe, status="ok")) for probe, observation in seen]
    first, second = assemble(results, LINUX), assemble(results[::-1], LINUX)
    assert first == second
    assert first.machine == {"model": "Board", "soc": "A1"}


def test_a_probe_that_failed_takes_nothing_away():
    alone = build(memory=Observation(memory=HostMemory(total=1 << 33)))
    beside = build(memory=Observation(memory=HostMemory(total=1 << 33)), gpu_nvidia=None, other=Observation())
    assert alone.memory == beside.memory and alone.digest == beside.digest
    assert len(beside.outcomes) == 3


def test_memory_is_merged_by_field():
    found = build(
        memory=Observation(memory=HostMemory(total=10, available=4)),
        limits=Observation(memory=HostMemory(limit=5, limit_used=1)),
        zz=Observation(memory=HostMemory(total=99, kind="LPDDR5")),
    )
    assert found.memory == HostMemory(total=10, available=4, limit=5, limit_used=1, kind="LPDDR5")
    assert found.limits == {"memory_limit": 5}


def test_host_facts_are_put_in_their_places():
    told = {
        "os": "android", "os_version": "15", "kernel": "6.1", "architecture": "aarch64", "machine_vendor": "V",
        "machine_model": "M",
        "board": "b", "machine_class": "phone", "soc": "S1", "compatible": ["a,b"], "virtualization": "none", "container": "none",
        "cpu_quota": 1.5, "cpuset_cpus": 2, "cgroup_version": 2, "ram_class": "high",
    }  # fmt: skip
    found = build(Platform(os=None, architecture=None), p=Observation(host=told))
    assert found.os == {"name": "android", "version": "15", "kernel": "6.1"} and found.architecture == "aarch64"
    assert found.machine == {
        "vendor": "V", "model": "M", "board": "b", "class": "phone", "soc": "S1", "compatible": ["a,b"], "virtualization": "none",
        "container": "none", "ram_class": "high",
    }  # fmt: skip
    assert found.limits == {"cpu_quota": 1.5, "cpuset_cpus": 2, "cgroup_version": 2}


def test_nothing_observed_is_all_unknown():
    found = build(Platform(os=None, architecture=None))
    assert (found.os, found.architecture, found.devices, found.memory) == ({}, None, (), HostMemory())


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        ({"attributes": {"pci_address": "0000:01:00.0"}}, {"attributes": {"pci_address": "00000000:01:00.0"}}, 1),
        ({"attributes": {"pci_address": "01:00.0"}}, {"attributes": {"pci_address": "0000:01:00.0"}}, 1),
        ({"attributes": {"pci_address": "0000:01:00.0"}}, {"attributes": {"pci_address": "0000:02:00.0"}}, 2),
        ({"identifiers": {"pci": "10DE:2684"}}, {"identifiers": {"pci": "10de:2684"}}, 1),
        ({"identifiers": {"pci": "10de:2684"}}, {"identifiers": {"pci": "8086:9a49"}}, 2),
        ({"identifiers": {"pci": "10de:2684"}, "name": "X"}, {"identifiers": {"pci": "8086:9a49"}, "name": "X"}, 2),
        ({"identifiers": {"usb": "1a6e:089a"}}, {"identifiers": {"usb": "1a6e:089a"}}, 1),
        ({"identifiers": {"soc": "S1"}}, {"identifiers": {"soc": "S1"}}, 1),
        ({"name": "Acme(R) Z9 (open driver)", "vendor": "acme"}, {"name": "ACME Z9", "vendor": "acme"}, 1),
        ({"vendor": "acme"}, {"vendor": "zeta"}, 2),
        ({"vendor": "acme", "identifiers": {"pci": "1:2"}}, {"vendor": "acme", "name": "Z9"}, 1),
        ({"vendor": "acme"}, {"name": "Z9"}, 1),
    ],
)
def test_partial_devices_of_two_probes(one, other, count):
    assert len(build(a=devices(device(**one)), b=devices(device(**other))).devices) == count
    assert len(build(b=devices(device(**one)), a=devices(device(**other))).devices) == count


def test_two_equal_cards_stay_two_and_pair_up():
    slots = ("0000:03:00.0", "0000:43:00.0")
    bus = devices(*(device(identifiers={"pci": "1002:7551"}, attributes={"pci_address": slot}) for slot in slots))
    api = devices(*(device(name="R9700", identifiers={"pci": "1002:7551"}, memory_total=32 << 30) for _ in slots))
    found = build(pci=bus, vulkan=api).devices
    assert [(d.id, d.name, d.memory_total, d.attributes["pci_address"]) for d in found] == [
        (f"gpu{n}", "R9700", 32 << 30, slot) for n, slot in enumerate(slots)
    ]


def test_a_nameless_word_joins_only_what_is_unambiguous():
    two = devices(device(vendor="amd", identifiers={"pci": "1:1"}), device(vendor="amd", identifiers={"pci": "1:2"}))
    assert len(build(a=two, b=devices(device(vendor="amd"))).devices) == 3


def test_devices_of_other_kinds_never_merge():
    assert len(build(a=devices(device("gpu", name="X1")), b=devices(device("npu", name="X1"))).devices) == 2


def test_ids_go_by_dedicated_memory_then_size_then_name():
    found = build(
        a=devices(
            device(name="integrated", memory_kind="shared", memory_total=64 << 30, identifiers={"pci": "1:1"}),
            device(name="small", memory_kind="dedicated", memory_total=8 << 30, identifiers={"pci": "1:2"}),
            device(name="big", memory_kind="dedicated", memory_total=24 << 30, identifiers={"pci": "1:3"}),
            device("npu", name="n"),
        )
    )
    assert [(d.id, d.name) for d in found.devices] == [("gpu0", "big"), ("gpu1", "small"), ("gpu2", "integrated"), ("npu0", "n")]


def test_features_and_attributes_of_all_sources_are_kept():
    found = build(
        cpu_x=devices(device("cpu", features=("avx2",), attributes={"a": 1, "b": 0})),
        other=devices(device("cpu", features=("vnni", "avx2"), attributes={"a": 2, "c": 3})),
    )
    assert found.devices[0].features == ("avx2", "vnni")
    assert found.devices[0].attributes == {"a": 1, "b": 0, "c": 3}


def test_the_chip_is_named_on_what_is_part_of_it():
    found = build(
        board=Observation(host={"soc": "S1"}),
        x=devices(
            device("cpu"),
            device("gpu", memory_kind="unified", vendor="arm"),
            device("gpu", memory_kind="dedicated", vendor="nvidia", identifiers={"pci": "10de:1"}),
            device("npu", memory_kind="shared", identifiers={"soc": "S1-alt"}),
            device("accelerator", identifiers={"usb": "1a6e:089a"}),
        ),
    )
    assert [(d.kind, d.identifiers.get("soc")) for d in found.devices] == [
        ("cpu", "S1"), ("gpu", None), ("gpu", "S1"), ("npu", "S1-alt"), ("accelerator", None)
    ]  # fmt: skip


def test_a_framework_row_has_the_providers_of_all_probes():
    def row(providers):
        return Observation(
            frameworks=(InstalledFramework(framework="f", package="p", version="1", execution_providers=providers),)
        )

    assert build(a=row(("gpu", "cpu")), frameworks=row(("cpu",)), b=row(None)).frameworks[0].execution_providers == ("cpu", "gpu")
    assert build(a=row(None)).frameworks[0].execution_providers is None


@pytest.mark.parametrize(
    ("fact", "first", "second"),
    [
        ("device.cpu.name", "cpu_linux", "device_lists"),
        ("device.gpu.name", "vulkan", "pci"),
        ("device.gpu.driver", "pci", "vulkan"),
        ("device.gpu.memory_total", "gpu_x", "device_lists"),
        ("host.soc", "boards", "machine_linux"),
        ("host.machine_model", "machine_linux", "anything"),
        ("memory.limit", "limits", "memory"),
        ("memory.total", "memory", "device_lists"),
    ],
)
def test_precedence(fact, first, second):
    assert rank(fact, first) < rank(fact, second)


def test_every_row_of_precedence_has_a_place_for_other_probes():
    assert all("*" in probes for _, probes in PRECEDENCE) and PRECEDENCE[-1][0] == ""


# --- digest ----------------------------------------------------------------------------------------------------------

FULL = build(
    machine=Observation(
        host={"soc": "S1", "machine_model": "M", "kernel": "6.1.0", "cpu_quota": 2.0}, power={"load_1m": 0.5},
        memory=HostMemory(total=8 << 30, available=1 << 30),
        devices=(
            device("cpu", name="C", features=("a",)),
            device(name="G", memory_kind="dedicated", memory_total=8 << 30, driver_version="1"),
        ),
        frameworks=(InstalledFramework(framework="f", package="p", version="1", execution_providers=("cpu",)),),
    )
)  # fmt: skip


@pytest.mark.parametrize(
    "moving",
    [
        {"power": {"load_1m": 9.0}}, {"limits": {}}, {"microbenchmark": {"fp32_ops": 1.0}}, {"outcomes": ()},
        {"os": {"name": "linux", "kernel": "6.1.1"}},
        {"memory": HostMemory(total=(8 << 30) - (3 << 20), available=7)},
        {"devices": tuple(replace(d, memory_available=1, attributes={"temperature": 70}) for d in FULL.devices)},
        {"devices": FULL.devices[::-1]}, {"frameworks": ()}, {"frameworks": (replace(FULL.frameworks[0], version="2"),)},
        {"devices": tuple(replace(d, driver_version="2") for d in FULL.devices)},
    ],
)  # fmt: skip
def test_the_digest_leaves_out_what_moves(moving):
    assert with_digest(replace(FULL, **moving)).digest == FULL.digest


@pytest.mark.parametrize(
    "other",
    [
        {"os": {"name": "windows"}}, {"architecture": "aarch64"}, {"machine": {"model": "N", "soc": "S1"}},
        {"memory": HostMemory(total=16 << 30)},
        {"devices": FULL.devices[:1]},
        {"devices": tuple(replace(d, driver="other") for d in FULL.devices)},
        {"devices": tuple(replace(d, features=("b",)) for d in FULL.devices)},
    ],
)  # fmt: skip
def test_the_digest_tells_other_machines_apart(other):
    assert with_digest(replace(FULL, **other)).digest != FULL.digest


def test_the_digest_is_sixteen_hexadecimal_digits():
    assert len(FULL.digest) == 16 and int(FULL.digest, 16) >= 0


# --- the probe document ----------------------------------------------------------------------------------------------

text = st.text(max_size=12)
maybe_text = st.none() | text
size = st.none() | st.integers(min_value=0, max_value=1 << 50)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
facts = st.dictionaries(text, json_value, max_size=3)
device_values = st.builds(
    Device,
    id=st.text(min_size=1, max_size=8),
    kind=st.sampled_from(("cpu", "gpu", "npu", "accelerator")),
    vendor=maybe_text,
    name=maybe_text,
    identifiers=st.dictionaries(text, text, max_size=3),
    features=st.lists(text, max_size=3).map(tuple),
    cores=st.none() | st.builds(Cores, physical=size, logical=size, performance=size, efficiency=size),
    caches=st.lists(
        st.builds(Cache, level=st.integers(0, 4), type=text, size=st.integers(0, 1 << 40), instances=size), max_size=2
    ).map(tuple),
    memory_kind=maybe_text,
    memory_total=size,
    memory_available=size,
    driver=maybe_text,
    driver_version=maybe_text,
    attributes=facts,
)
fingerprints = st.builds(
    Fingerprint,
    os=facts,
    architecture=maybe_text,
    machine=facts,
    devices=st.lists(device_values, max_size=3).map(tuple),
    memory=st.builds(
        HostMemory, total=size, available=size, limit=size, limit_used=size, swap_total=size, kind=maybe_text, numa_nodes=size
    ),
    frameworks=st.lists(
        st.builds(
            InstalledFramework, framework=text, package=text, version=text,
            execution_providers=st.none() | st.lists(text, max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    power=facts,
    limits=facts,
    microbenchmark=st.dictionaries(text, st.floats(allow_nan=False, allow_infinity=False), max_size=2),
    outcomes=st.lists(
        st.builds(
            ProbeOutcome, probe=text, status=st.sampled_from(("ok", "absent", "failed", "skipped")), reason=text,
            elapsed=st.floats(0, 100), produced=st.lists(text, max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    digest=st.just(""),
).map(with_digest)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(fingerprints)
def test_the_document_round_trips_through_json(fingerprint):
    assert fingerprint_from_document(json.loads(json.dumps(fingerprint_to_document(fingerprint)))) == fingerprint


def test_the_document_has_the_agreed_keys():
    document = fingerprint_to_document(FULL)
    assert list(document) == [
        "schema_version", "os", "architecture", "machine", "devices", "memory", "frameworks", "power", "limits", "microbenchmark",
        "outcomes", "digest",
    ]  # fmt: skip
    assert {"id", "kind", "vendor", "name", "identifiers", "features", "cores", "caches", "memory"} <= set(document["devices"][0])
    assert document["devices"][1]["memory"] == {"kind": "dedicated", "total": 8 << 30, "available": None}


def test_values_that_json_lacks_become_ones_that_it_has():
    odd = replace(
        FULL, power={"set": {2, 1}, "nan": float("nan"), "object": Platform(os=None, architecture=None), "pair": (1, 2)}
    )
    power = fingerprint_to_document(odd)["power"]
    assert power["set"] == [1, 2] and power["nan"] is None and power["pair"] == [1, 2] and isinstance(power["object"], str)


def test_a_short_document_written_by_hand_is_enough():
    found = fingerprint_from_document({"os": "linux", "devices": [{"kind": "gpu"}, {"kind": "gpu", "name": "G"}], "extra": 1})
    assert [d.id for d in found.devices] == ["gpu0", "gpu1"] and found.os == {"name": "linux"}
    assert found.memory == HostMemory()


def test_an_edited_document_gets_its_own_digest():
    document = fingerprint_to_document(FULL)
    document["devices"] = []
    assert fingerprint_from_document(document).digest != FULL.digest


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "the probe document"),
        ({"schema_version": 99}, "newer than 1"),
        ({"devices": {}}, "devices"),
        ({"devices": [{"kind": "toaster"}]}, "devices[0].kind"),
        ({"devices": [{"kind": ["gpu"]}]}, "devices[0].kind"),
        ({"devices": [7]}, "devices[0]"),
        ({"devices": [{"kind": "cpu", "cores": {"physical": "8"}}]}, "devices[0].cores.physical"),
        ({"devices": [{"kind": "cpu", "memory": {"total": True}}]}, "devices[0].memory.total"),
        ({"devices": [{"kind": "cpu", "identifiers": {"pci": 1}}]}, "devices[0].identifiers.pci"),
        ({"devices": [{"kind": "cpu", "features": "avx2"}]}, "features"),
        ({"memory": {"total": -1}}, "memory.total"),
        ({"memory": [1]}, "memory"),
        ({"frameworks": [{"version": "1"}]}, "frameworks[0].framework"),
        ({"outcomes": [{"probe": "x", "status": "fine"}]}, "outcomes[0].status"),
        ({"os": 7}, "os"),
    ],
)
def test_a_wrong_field_is_named(document, words):
    with pytest.raises(RecordingError) as caught:
        fingerprint_from_document(document)
    assert words in caught.value.message


@pytest.mark.parametrize(("section", "key"), [("limits", "cpu_quota"), ("microbenchmark", "memory_bandwidth"), ("microbenchmark", "fp32_ops")])
@pytest.mark.parametrize("value", ["4", True, float("nan")])
def test_what_is_computed_with_must_be_a_number(section: str, key: str, value: Any) -> None:
    with pytest.raises(RecordingError, match=f"{section}.{key}"):
        fingerprint_from_document({section: {key: value}})
