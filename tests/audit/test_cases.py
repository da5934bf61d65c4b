from __future__ import annotations

from typing import Any

import pytest

from recommender.audit.cases import Case, cases, measured_here, published
from recommender.domain.catalog import Catalog
from recommender.domain.evidence import Evidence
from recommender.domain.facts import MachineFacts
from tests.invented import catalog as invented
from tests.invented import facts, framework, model, network, scheme, target, vision_workload, workload

SCHEMES = (scheme("W4", 4.5), scheme("X4", 4.6), scheme("W8", 8.5), scheme("I8", 8.0, activation_bits=8), scheme("F16", 16.0))


@pytest.fixture
def world() -> Catalog:
    return invented(
        schemes={row.key: row for row in SCHEMES}, frameworks={key: framework(key) for key in ("alpha", "beta")},
        devices={row.key: row for row in (facts("cpu"), facts("gpu"), facts("cpu", key="acme.two.cpu"))},
        machines={"box": MachineFacts(key="box", name="Box", class_="desktop", os="linux", architecture="x86_64", devices=("acme.one.cpu", "acme.one.gpu"))},
        models={"tiny-1b": model(), "net": network()}, workloads={"chat": workload(), "vision": vision_workload()},
    )


def row(**values: Any) -> Evidence:
    return Evidence(**{"metric": "decode_rate", "value": 10.0, "model": "tiny-1b", "framework": "alpha", "scheme": "W4", "source": "s", "device": "acme.one.cpu", "execution_provider": "cpu", "conditions": "pp512 tg128", **values})


def kinds(found: list[Case]) -> list[str]:
    return sorted(each.kind for each in found)


def test_two_frameworks_at_equal_bits_are_a_case(world: Catalog) -> None:
    [found] = published(world, [row(value=10), row(framework="beta", scheme="X4", value=12)])
    assert (found.kind, found.metric, found.device, found.chip, found.class_) == ("frameworks", "decode_rate", "acme.one.cpu", "acme.one", "language/cpu")
    assert {each.framework: each.score for each in found.options} == {"alpha": 10.0, "beta": 12.0}


@pytest.mark.parametrize("other", [
    {"scheme": "W8"}, {"source": "t"}, {"conditions": "pp512 tg32"}, {"device": "acme.two.cpu"}, {"metric": "prefill_rate"}, {"model": "unheard-of"}, {"scheme": "unheard-of"},
])
def test_what_was_not_measured_alike_is_none(world: Catalog, other: dict[str, Any]) -> None:
    assert published(world, [row(), row(**{"framework": "beta", "value": 12.0, **other})]) == []


def test_schemes_are_compared_within_one_framework_and_version(world: Catalog) -> None:
    assert kinds(published(world, [row(version="1"), row(version="1", scheme="W8")])) == ["schemes"]
    assert published(world, [row(version="1"), row(version="2", scheme="W8")]) == []


def test_a_version_of_one_framework_does_not_part_it_from_another_but_a_release_of_the_source_does(world: Catalog) -> None:
    own = [row(version="b100"), row(framework="beta", version="0.2")]
    assert kinds(published(world, own)) == ["frameworks"]
    release = [row(version="v1"), row(framework="beta", version="v1"), row(version="v2", conditions="x"), row(framework="beta", version="v3", conditions="x")]
    assert len(published(world, release)) == 1


def test_the_names_of_runtimes_and_counts_of_repeats_are_no_part_of_the_test(world: Catalog) -> None:
    assert kinds(published(world, [row(conditions="alpha pp512 tg128 (2 figures)"), row(framework="beta", conditions="median of 3: gguf pp512 tg128")])) == ["frameworks"]


def test_ways_of_one_framework_are_options_of_their_own(world: Catalog) -> None:
    [found] = published(world, [row(conditions="alpha pp512", value=8), row(conditions="gguf pp512", value=9), row(framework="beta", conditions="pp512")])
    assert sorted(each.score for each in found.options if each.framework == "alpha") == [8.0, 9.0]


def test_repeats_become_their_median(world: Catalog) -> None:
    [found] = published(world, [row(value=value) for value in (8, 10, 30)] + [row(framework="beta")])
    assert found.options[0].score == 10.0


def test_units_of_one_chip_are_a_case_and_cards_beside_it_are_none(world: Catalog) -> None:
    [found] = published(world, [row(), row(device="acme.one.gpu")])
    assert (found.kind, found.class_, {each.device_kind for each in found.options}) == ("units", "language/cpu or gpu", {"cpu", "gpu"})
    assert published(world, [row(device="acme.two.cpu"), row(device="acme.one.gpu")]) == []


def test_execution_providers_are_compared_at_the_same_scheme(world: Catalog) -> None:
    assert kinds(published(world, [row(), row(execution_provider="vulkan")])) == ["providers"]
    assert published(world, [row(), row(execution_provider="vulkan", scheme="X4")]) == []


def test_times_count_the_other_way_and_activations_must_agree_outside_language_models(world: Catalog) -> None:
    [found] = published(world, [row(model="net", metric="latency", value=0.02, scheme="I8"), row(model="net", metric="latency", value=0.01, scheme="I8", framework="beta")])
    assert {each.framework: each.score for each in found.options} == {"alpha": 50.0, "beta": 100.0}
    assert published(world, [row(model="net", metric="latency", scheme="I8"), row(model="net", metric="latency", scheme="W8", framework="beta")]) == []


def test_a_metric_that_no_workload_aims_at_is_no_case(world: Catalog) -> None:
    assert published(world, [row(metric="ttft"), row(metric="ttft", framework="beta")]) == []


def test_losses_are_cases_of_the_model_and_hang_on_no_device(world: Catalog) -> None:
    [found] = published(world, [row(metric="quality_drop", device="", value=0.02), row(metric="quality_drop", device="", scheme="W8", value=-0.01)])
    assert (found.kind, found.device, found.chip, found.class_) == ("losses", "", "tiny-1b", "language")
    assert [(each.scheme, each.score) for each in found.options] == [("W4", 0.98), ("W8", 1.0)], "better than the source counts as no loss"


def test_rules_are_asked_on_every_kind_of_machine_that_has_the_device(world: Catalog) -> None:
    [on_box] = published(world, [row(), row(framework="beta")])
    assert [host["acme.one.cpu"]["host.os"][0] for host in on_box.hosts] == ["linux"]
    [bare] = published(world, [row(device="acme.two.cpu"), row(framework="beta", device="acme.two.cpu")])
    assert [host["acme.two.cpu"]["host.os"][0] for host in bare.hosts] == [None], "no machine is known that has it"


def test_what_was_measured_here_is_compared_by_its_workload(world: Catalog) -> None:
    def here(**values: Any) -> Evidence:
        return row(**{"digest": "d1", "device": "cpu0", "source": f"measurement:{values}", "conditions": str(values), "workload": (("prompt_tokens", 512.0),), **values})
    box = target()
    assert kinds(measured_here([here(), here(framework="beta")], box, world)) == ["frameworks"]
    assert measured_here([here(), here(framework="beta", workload=(("prompt_tokens", 64.0),))], box, world) == []


def test_a_device_of_nobody_is_left_out(world: Catalog) -> None:
    assert cases([row(device="x"), row(device="x", framework="beta")], world, lambda devices: ()) == []
