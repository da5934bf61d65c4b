from __future__ import annotations

from typing import Any

import pytest

from recommender.decide.attributes import (
    bandwidth_of,
    candidate_attributes,
    cores_usable,
    device_attributes,
    host_attributes,
    model_attributes,
    overridden,
    own_memory,
    usable_memory,
    wish_attributes,
)
from recommender.domain.catalog import MemoryBudget
from recommender.domain.fingerprint import Cores, HostMemory
from recommender.domain.model import Artifact
from recommender.domain.quantity import Sourced
from recommender.domain.recommendation import Wishes
from tests.invented import GIB, candidate, catalog, device, facts, model, target


@pytest.mark.parametrize(("total", "limit", "expected"), [
    (16 * GIB, 4 * GIB, 4 * GIB), (16 * GIB, 64 * GIB, 16 * GIB), (16 * GIB, None, 16 * GIB), (None, 4 * GIB, 4 * GIB), (None, None, None),
])
def test_a_containers_limit_counts_when_it_is_smaller(total: int | None, limit: int | None, expected: int | None) -> None:
    found = host_attributes(target(memory=HostMemory(total=total, limit=limit)))
    assert found["host.memory_total"][0] == expected


@pytest.mark.parametrize(("cores", "limits", "expected"), [
    (Cores(physical=8, logical=16), {}, 8),
    (Cores(physical=8, logical=16, performance=2, efficiency=6), {}, 2),
    (Cores(logical=16), {}, 16),
    (Cores(physical=8), {"cpu_quota": 2.5}, 2),
    (Cores(physical=8), {"cpu_quota": 0.5}, 1),
    (Cores(physical=8), {"cpuset_cpus": 3}, 3),
    (Cores(physical=8), {"cpu_quota": 6.0, "cpuset_cpus": 4}, 4),
    (Cores(physical=2), {"cpu_quota": 6.0}, 2),
    (Cores(), {"cpu_quota": 6.0}, None),
])
def test_cores_within_the_containers_quota(cores: Cores, limits: dict[str, Any], expected: int | None) -> None:
    box = target(device(cores=cores), limits=limits)
    assert cores_usable(box.fingerprint.devices[0], None, box) == expected


def test_observed_cores_win_over_facts_and_nothing_is_guessed() -> None:
    box = target(device())
    assert cores_usable(device(cores=Cores(physical=2)), facts(), box) == 2
    assert cores_usable(device(), facts(), box) == 4
    assert cores_usable(device(), None, box) is None


def test_a_unit_in_the_same_pool_borrows_the_processors_bandwidth() -> None:
    gpu = facts("gpu", capability={}, memory_kind="unified")
    box = target(device(), device("gpu0"), matched={"cpu0": facts(), "gpu0": gpu})
    assert bandwidth_of(box.fingerprint.devices[1], gpu, box) == (50e9, "fact")


@pytest.mark.parametrize(("kind", "own"), [("dedicated", None), ("unified", 99e9)])
def test_it_borrows_only_without_memory_and_figures_of_its_own(kind: str, own: float | None) -> None:
    capability = {"memory_bandwidth": Sourced(value=own)} if own else {}
    gpu = facts("gpu", capability=capability, memory_kind=kind)
    box = target(device(), device("gpu0"), matched={"cpu0": facts(), "gpu0": gpu})
    assert bandwidth_of(box.fingerprint.devices[1], gpu, box)[0] == own


def test_nothing_is_borrowed_from_another_target() -> None:
    gpu = facts("gpu", capability={}, memory_kind="unified")
    alone = target(device("gpu0"), matched={"gpu0": gpu})
    assert bandwidth_of(alone.fingerprint.devices[0], gpu, alone) == (None, "unknown")
    unmatched = target(device(), device("gpu0"), matched={"gpu0": gpu})
    assert bandwidth_of(unmatched.fingerprint.devices[1], gpu, unmatched) == (None, "unknown")


def test_a_measured_bandwidth_wins_over_the_data_sheet_on_the_processor_only() -> None:
    box = target(device(), device("gpu0"), matched={"cpu0": facts(), "gpu0": facts("gpu", memory_kind="dedicated")}, microbenchmark={"memory_bandwidth": 33e9})
    assert bandwidth_of(box.fingerprint.devices[0], facts(), box) == (33e9, "measured")
    assert bandwidth_of(box.fingerprint.devices[1], box.matched["gpu0"], box) == (50e9, "fact")


def test_the_pool_is_the_devices_own_when_dedicated_else_the_hosts() -> None:
    host = {"host.memory_total": (16 * GIB, "probed")}
    card = facts("gpu", memory_kind="dedicated", capability={"memory_capacity": Sourced(value=8 * GIB)})
    assert own_memory(device("gpu0", memory_total=6 * GIB), card, "dedicated", host) == 6 * GIB
    assert own_memory(device("gpu0"), card, "dedicated", host) == 8 * GIB
    assert own_memory(device("gpu0"), None, "dedicated", host) is None
    assert own_memory(device("gpu0"), card, "unified", host) == 16 * GIB


@pytest.mark.parametrize(("share", "reserve", "cap", "expected"), [
    (0.5, 0, None, 4 * GIB), (1.0, 3 * GIB, None, 5 * GIB), (1.0, 0, 2 * GIB, 2 * GIB), (1.0, 9 * GIB, None, 0),
])
def test_usable_memory_is_the_smallest_of_share_reserve_and_cap(share: float, reserve: int, cap: int | None, expected: float) -> None:
    budget = MemoryBudget(id="B", when={}, share=share, reserve=reserve, cap=cap, because="", sources=())
    found, row = usable_memory({"device.memory_total": (8 * GIB, "probed")}, (budget,))
    assert found == expected and row is budget


def test_without_a_total_or_a_row_usable_memory_is_unknown() -> None:
    budget = MemoryBudget(id="B", when={"host.os": "ios"}, share=0.5, reserve=0, because="", sources=())
    assert usable_memory({"device.memory_total": (None, "unknown")}, (budget,)) == (None, None)
    assert usable_memory({"device.memory_total": (8 * GIB, "probed"), "host.os": ("linux", "probed")}, (budget,)) == (None, None)
    assert usable_memory({"device.memory_total": (8 * GIB, "probed")}, (budget,)) == (None, None)  # unknown is not yes


@pytest.mark.parametrize(("features", "expected"), [(("avx2", "avx512_vnni"), True), (("avx2",), False), ((), None)])
def test_integer_dot_product_is_derived_or_unknown(features: tuple[str, ...], expected: bool | None) -> None:
    box = target(device(features=features), matched={})
    found = device_attributes(box.fingerprint.devices[0], None, box, host_attributes(box))
    assert found["device.has_int8_dot"][0] is expected
    assert found["device.family"] == (None, "unknown")


def test_a_generic_entry_gives_a_family_but_no_key() -> None:
    box = target(device())
    found = device_attributes(device(), facts(generic=True), box, host_attributes(box))
    assert found["device.key"] == (None, "unknown")
    assert found["device.family"] == ("acme-cpu", "fact")


def test_what_if_values_lie_on_top_and_say_so() -> None:
    assert overridden({"a": (1, "probed"), "b": (2, "fact")}, {"a": 5}) == {"a": (5, "declared"), "b": (2, "fact")}


@pytest.mark.parametrize(("artifact", "repository", "has_source", "is_known"), [
    (None, None, True, True),
    (Artifact(format="gguf", path="x", size=1, is_quantized=False), None, True, True),
    (Artifact(format="gguf", path="x", size=1, is_quantized=True), None, False, False),
    (Artifact(format="gguf", path="x", size=1, is_quantized=True), "a/b", False, True),
])
def test_where_full_precision_weights_come_from(artifact: Artifact | None, repository: str | None, has_source: bool, is_known: bool) -> None:
    found = model_attributes(model(artifact=artifact, repository=repository))
    assert (found["model.has_source_weights"][0], found["model.has_known_source"][0]) == (has_source, is_known)


@pytest.mark.parametrize(("class_", "asked", "expected"), [("phone", False, True), ("tablet", False, True), ("desktop", False, False), ("desktop", True, True)])
def test_a_phone_is_mobile_without_being_told(class_: str, asked: bool, expected: bool) -> None:
    assert wish_attributes(Wishes(is_mobile=asked), {"host.machine_class": (class_, "probed")})["wish.is_mobile"][0] is expected


@pytest.mark.parametrize(("wishes", "expected"), [
    (Wishes(), True), (Wishes(frameworks=("alpha",)), True), (Wishes(frameworks=("beta",)), False), (Wishes(excluded_frameworks=("alpha",)), False),
])
def test_wanted_frameworks(wishes: Wishes, expected: bool) -> None:
    assert candidate_attributes(candidate(), wishes, catalog())["candidate.is_wanted"][0] is expected


@pytest.mark.parametrize(("preparers", "expected"), [((), False), (("maker",), False), (("maker", "cloudy"), True)])
def test_a_cloud_preparer_is_told(preparers: tuple[str, ...], expected: bool) -> None:
    assert candidate_attributes(candidate(preparers=preparers), Wishes(), catalog())["candidate.needs_cloud"][0] is expected


def test_a_pool_of_unknown_kind_is_not_taken_for_the_hosts() -> None:
    host = {"host.memory_total": (16 * GIB, "probed")}
    assert own_memory(device("gpu0"), None, None, host) is None
    assert own_memory(device("gpu0", memory_total=6 * GIB), None, None, host) == 6 * GIB


def test_a_file_that_does_not_tell_whether_it_is_quantized_stays_unknown() -> None:
    found = model_attributes(model(artifact=Artifact(format="engine", path="x", size=1), repository=None))
    assert [found[f"model.{name}"] for name in ("is_quantized", "has_source_weights", "has_known_source")] == [(None, "unknown")] * 3


def test_a_compute_capability_that_is_no_number_is_unknown() -> None:
    odd = device("gpu0", identifiers={"compute_capability": "sm_90"})
    box = target(odd)
    assert device_attributes(odd, None, box, host_attributes(box))["device.compute_capability"] == (None, "unknown")
