from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from recommender.decide.advise import advise
from recommender.domain.catalog import Catalog, Overhead
from recommender.domain.estimate import Estimate
from recommender.domain.model import Artifact, Attention, ModelSpec
from recommender.domain.quantity import Sourced
from recommender.domain.recommendation import Request, Wishes
from recommender.domain.workload import METRICS, Workload
from recommender.estimate.demand import demand_of
from tests.invented import (
    catalog,
    facts,
    framework,
    model,
    network,
    scheme,
    statement,
    target,
    vision_workload,
    with_frameworks,
    workload,
)


def estimates(of: ModelSpec | None = None, work: Workload | None = None, found: Catalog | None = None, box: Any = None) -> dict[str, Estimate]:
    """Of the first candidate, whatever became of it."""
    request = Request(model=of or model(), workload=work or workload(), wishes=Wishes(allow_below_floor=True))
    answer = advise(request, box or target(), found or with_frameworks(framework("alpha", statement("alpha", ("W4",)))))
    return dict((*answer.choices, *answer.undetermined, *answer.rejected)[0].estimates)


def central(name: str, *arguments: Any, **values: Any) -> float:
    found = estimates(*arguments, **values)[name].central
    assert found is not None
    return found


def test_decoding_is_bound_by_bandwidth() -> None:
    found = estimates()["decode_rate"]
    moved = found.inputs["bytes_moved"]
    assert found.bound == "memory-bandwidth" and found.central == pytest.approx(50e9 * 0.5 / moved)
    assert found.low == pytest.approx(50e9 * 0.4 / moved) and found.high == pytest.approx(50e9 * 0.6 / moved)
    assert (found.basis, found.unit) == ("analytic", "tok/s")


def test_a_prompt_is_bound_by_operations() -> None:
    found = estimates()
    assert found["ttft"].bound == "compute"
    assert found["prefill_rate"].central == pytest.approx(512 / found["ttft"].central)  # type: ignore[operator]
    assert found["tpot"].central == pytest.approx(1 / found["decode_rate"].central)  # type: ignore[operator]


def test_every_metric_has_its_unit_and_a_basis_or_a_reason() -> None:
    for name, row in {**estimates(), **estimates(network(), vision_workload(), with_frameworks(framework("alpha", statement("alpha", ("W4",)))))}.items():
        assert row.metric == name and row.unit == METRICS[name][0]
        assert (row.central is None) == (row.basis == "unknown")
        assert row.central is not None or row.why


@pytest.mark.parametrize(("of", "words"), [
    (model(n_params=None), "number of parameters"), (model(n_layers=None), "layers and heads"), (network(macs=None), "multiply-accumulates"),
    (network(n_params=None), "number of parameters"),
])
def test_what_cannot_be_told_says_why(of: ModelSpec, words: str) -> None:
    assert words in str(demand_of(of, scheme(), workload()))
    found = estimates(of, workload() if of.is_language_model else vision_workload())
    for metric in ("peak_memory", "decode_rate" if of.is_language_model else "latency"):
        assert found[metric].central is None and words in found[metric].why


@pytest.mark.parametrize(("of", "expected"), [(network(macs=None), 4_000_000 * 4.5 / 8), (model(n_layers=None), 1_100_048_384 * 4.5 / 8), (model(n_params=None), None)])
def test_the_size_of_a_file_needs_the_parameters_only(of: ModelSpec, expected: float | None) -> None:
    found = estimates(of, workload() if of.is_language_model else vision_workload())["file_size"]
    assert found.central == expected
    assert expected is not None or "number of parameters" in found.why


def test_the_file_one_holds_has_a_size_whatever_else_is_unknown() -> None:
    mine = model(n_params=None, artifact=Artifact(format="gguf", path="x", size=123, scheme="W4", is_quantized=True))
    assert estimates(mine)["file_size"].central == 123


def test_without_efficiencies_speed_is_unknown_and_memory_is_not() -> None:
    found = estimates(found=catalog(efficiencies=()))
    assert found["decode_rate"].central is None and found["decode_rate"].why
    assert found["peak_memory"].central


def test_a_graph_runs_once_per_input() -> None:
    found = estimates(network(), vision_workload())
    assert found["latency"].central == pytest.approx(2 * 3e8 / (1e12 * 0.5), rel=0.01)
    assert found["throughput"].central == pytest.approx(1 / found["latency"].central)  # type: ignore[operator]
    assert found["decode_rate"].central is None and "does not apply" in found["decode_rate"].why


def test_calls_and_operators_add_to_a_graphs_time() -> None:
    slow = replace(catalog(), overheads=(
        Overhead(id="c", kind="call", when={}, low=0.001, central=0.001, high=0.001), Overhead(id="o", kind="operator", when={}, low=1e-5, central=1e-5, high=1e-5),
    ))
    assert central("latency", network(), vision_workload(), slow) == pytest.approx(central("latency", network(), vision_workload()) + 0.001 + 100 * 1e-5)


def test_a_batch_takes_its_time_and_counts_in_throughput() -> None:
    one, four = (estimates(network(), vision_workload(batch=n)) for n in (1, 4))
    assert four["latency"].central > 3 * one["latency"].central  # type: ignore[operator]
    assert four["throughput"].central == pytest.approx(4 / four["latency"].central)  # type: ignore[operator]


def test_speech_runs_the_decoder_for_every_token() -> None:
    speech = network(task="speech-recognition", structure="encoder-decoder", decoder_params=2_000_000)
    work = vision_workload(tasks=("speech-recognition",), output_tokens=100)
    short, long = central("latency", speech, work), central("latency", speech, replace(work, output_tokens=200))
    step = 2_000_000 * 2 / (1e12 * 0.5), 2_000_000 * 4.5 / 8 / (50e9 * 0.5)
    assert long - short == pytest.approx(100 * max(step))


def test_a_picture_takes_all_its_steps() -> None:
    picture = network(task="image-generation", structure="diffusion")
    once, twenty = (central("latency", picture, vision_workload(tasks=("image-generation",), output_tokens=n)) for n in (1, 20))
    assert twenty == pytest.approx(20 * once)


def test_the_users_file_is_as_large_as_it_is() -> None:
    mine = model(artifact=Artifact(format="gguf", path="x", size=123, scheme="W4", bits_per_weight=4.5, is_quantized=True))
    found = estimates(mine)["file_size"]
    assert (found.low, found.central, found.high, found.basis) == (123, 123, 123, "measured-here")


def test_a_download_is_artifact_and_library() -> None:
    sized = with_frameworks(framework("alpha", statement("alpha", ("W4",)), runtime_size=Sourced(value=5e6, source="lib")))
    found = estimates(found=sized)
    assert found["download_size"].central == found["file_size"].central + 5e6 and found["download_size"].sources == ("lib",)  # type: ignore[operator]
    unknown = estimates()["download_size"]
    assert unknown.central is None and "Alpha" in unknown.why


def test_the_source_itself_loses_nothing() -> None:
    mine = model(artifact=Artifact(format="gguf", path="x", size=123, scheme="W4", is_quantized=False))
    assert estimates(mine)["quality_drop"].central == 0.0
    quantized = replace(mine, artifact=replace(mine.artifact, is_quantized=True))  # type: ignore[type-var]
    assert estimates(quantized)["quality_drop"].central == 0.01


def test_a_loss_nobody_published_is_unknown() -> None:
    found = estimates(found=catalog(quality=()))["quality_drop"]
    assert found.central is None and "W4" in found.why


@pytest.mark.parametrize("field", ["prompt_tokens", "output_tokens"])
def test_depth_slows_decoding(field: str) -> None:
    assert central("decode_rate", None, replace(workload(context=8192), **{field: 4000})) < central("decode_rate", None, workload(context=8192))


def test_many_streams_hold_many_caches() -> None:
    one, four = (estimates(None, workload(concurrency=n))["peak_memory"].central for n in (1, 4))
    assert four - one == pytest.approx(3 * 2 * 22 * 4 * 64 * 2048 * 2)  # type: ignore[operator]


def test_a_batch_of_speech_decodes_every_window() -> None:
    speech = network(task="speech-recognition", structure="encoder-decoder", decoder_params=2_000_000)
    work = vision_workload(tasks=("speech-recognition",), output_tokens=100, batch=64)
    longer = central("latency", speech, replace(work, output_tokens=200)) - central("latency", speech, work)
    assert longer == pytest.approx(100 * 64 * 2_000_000 * 2 / (1e12 * 0.5))


def test_layers_that_do_not_attend_compute_no_scores() -> None:
    work = replace(workload(), prompt_tokens=4096)
    none, some = (demand_of(model(attention=Attention(kind=kind)), scheme(), work) for kind in ("none", "full"))
    assert not isinstance(none, str) and not isinstance(some, str)
    assert none.phases["decode"].operations < some.phases["decode"].operations


@pytest.mark.parametrize(("of", "work", "is_known"), [(network(), vision_workload(), True), (model(), workload(), False)])
def test_a_chip_that_holds_its_weights_holds_no_language_model(of: ModelSpec, work: Workload, is_known: bool) -> None:
    chip = facts(attributes={"weights_on_chip": True}, capability={"peak_ops.fp32": Sourced(value=1e12, source="s")})
    found = estimates(of, work, box=target(matched={"cpu0": chip}))[work.objective]
    assert (found.central is not None) is is_known
