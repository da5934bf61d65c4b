from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recommender.audit.claims import CONFIRMED, REFUTED, UNTESTED, Checked, Loss, check
from recommender.domain.catalog import Catalog, Claim
from recommender.domain.evidence import Evidence
from recommender.loader.losses import losses
from tests import invented


def claim(metric: str = "throughput", unit: str = "ratio", low: float | None = 2.0, high: float | None = 4.0, **about: Any) -> Claim:
    if unit == "ratio":
        about = {"against": "F32", **about}
    return Claim(id="CLM999", text="...", about=about, metric=metric, unit=unit, low=low, high=high, sources=("s",))


def row(scheme: str, value: float, **values: Any) -> Evidence:
    return Evidence(**{"metric": "throughput", "value": value, "model": "m", "framework": "alpha", "scheme": scheme, "source": "s", "device": "d", **values})


def pairs(ratio: float, devices: int = 3, models: int = 3, baseline: str = "F32", **values: Any) -> list[Evidence]:
    found = []
    for device in range(devices):
        for model in range(models):
            own = {"device": f"d{device}", "model": f"m{model}", **values}
            found += [row(baseline, 10.0, **own), row("int8-static", 10.0 * ratio, **own)]
    return found


def held(about: Claim, evidence: list[Evidence], here: list[Evidence] | None = None, lost: tuple[Loss, ...] = ()) -> Checked:
    [found] = check([about], evidence, lost, here or [], invented.catalog())
    return found


@pytest.mark.parametrize(("ratio", "verdict"), [(3.0, CONFIRMED), (1.97, CONFIRMED), (1.5, REFUTED), (4.07, CONFIRMED), (5.0, REFUTED)])
def test_a_range_is_held_against_the_median_with_a_tie_band(ratio: float, verdict: str) -> None:
    found = held(claim(), pairs(ratio)).published
    assert (found.verdict, found.n, found.devices, found.models) == (verdict, 9, 3, 3)
    assert found.median == pytest.approx(ratio) and found.basis == "measured-elsewhere" and found.against == {"F32": 9}


@pytest.mark.parametrize(("devices", "models"), [(2, 9), (9, 2), (1, 1)])
def test_few_devices_or_models_confirm_nothing(devices: int, models: int) -> None:
    found = held(claim(), pairs(3.0, devices, models)).published
    assert found.verdict == UNTESTED and found.why == f"too few: {devices} devices, {models} models" and found.median == pytest.approx(3.0)


def test_a_time_is_turned_round_and_a_memory_is_not() -> None:
    assert held(claim(), pairs(1 / 3, metric="latency")).published.median == pytest.approx(3.0)
    found = held(claim("peak_memory", low=0.25, high=0.5), pairs(1 / 3, metric="peak_memory")).published
    assert found.median == pytest.approx(1 / 3) and found.verdict == CONFIRMED


def test_16_bits_stand_in_where_no_32_were_measured() -> None:
    found = held(claim(), pairs(3.0, baseline="fp16")).published
    assert found.verdict == CONFIRMED and found.against == {"fp16": 9}
    assert held(claim(), pairs(3.0, baseline="BF9")).published.n == 0


@pytest.mark.parametrize("differs", [{"source": "t"}, {"conditions": "8 threads"}, {"execution_provider": "gpu"}, {"version": "2"}, {"framework": "beta"}])
def test_only_figures_of_one_test_are_a_pair(differs: dict[str, str]) -> None:
    rows = [row("F32", 10.0), row("int8-static", 30.0, **differs)]
    assert held(claim(), rows).published.n == 0
    assert held(claim(), [row("F32", 10.0), row("int8-static", 30.0)]).published.n == 1


def test_frameworks_and_schemes_that_a_claim_names() -> None:
    rows = [*pairs(3.0), *pairs(9.0, framework="beta")]
    assert held(claim(framework="alpha"), rows).published.median == pytest.approx(3.0)
    assert held(claim(scheme=["w4a16"]), rows).published.n == 0


def test_a_device_with_many_rows_weighs_as_much_as_another() -> None:
    rows = [*pairs(3.0, devices=3, models=3), *(each for n in range(40) for each in (row("F32", 10.0, device="d9", model=f"x{n}"), row("int8-static", 10.0, device="d9", model=f"x{n}")))]
    found = held(claim(), rows).published
    assert found.verdict == CONFIRMED and found.share == pytest.approx(0.75)


def test_up_to_is_confirmed_when_one_case_in_ten_reaches_it() -> None:
    up_to = claim(low=None, high=15.0)
    assert held(up_to, pairs(3.0)).published.verdict == REFUTED
    assert held(up_to, [*pairs(3.0, devices=8), *pairs(16.0, devices=8, source="t")]).published.verdict == CONFIRMED


def test_this_machine_is_apart_and_needs_models_alone() -> None:
    here = [Evidence(**{**{name: getattr(each, name) for name in each.__slots__}, "digest": "mine", "device": "cpu0"}) for each in pairs(1.0, devices=1)]
    found = held(claim(), pairs(3.0), here)
    assert found.published.verdict == CONFIRMED and found.published.n == 9
    assert found.here is not None and (found.here.verdict, found.here.n, found.here.basis) == (REFUTED, 3, "measured-here")
    assert held(claim(), pairs(3.0)).here is None


@pytest.mark.parametrize(("drop", "verdict"), [(0.03, CONFIRMED), (0.0, CONFIRMED), (-0.01, CONFIRMED), (0.2, REFUTED)])
def test_a_loss_smaller_than_claimed_refutes_nothing(drop: float, verdict: str) -> None:
    kept = claim("quality_drop", "fraction", 0.01, 0.05, framework="alpha")
    lost = tuple(Loss(model=f"m{n}", scheme="int8-static", framework="alpha", drop=drop, source="s") for n in range(3))
    assert held(kept, [], lost=lost).published.verdict == verdict
    assert held(kept, [], lost=lost[:2]).published.verdict == UNTESTED
    assert held(kept, [], lost=tuple(Loss(model=each.model, scheme="fp16", framework="alpha", drop=drop, source="s") for each in lost)).published.n == 0


def test_memory_of_a_model_of_a_size(catalog: Catalog) -> None:
    about = claim("peak_memory", "bytes", 4e9, 4e9, framework="alpha", scheme="Q4_K_M", n_params=7e9)
    seven = [key for key, spec in catalog.models.items() if spec.is_language_model and spec.n_params and abs(spec.n_params / 7e9 - 1) < 0.1][:3]
    rows = [row("Q4_K_M", 4.4e9, metric="peak_memory", model=model, device=f"d{n}") for n, model in enumerate(seven)]
    others = [row("Q4_K_M", 1e9, metric="peak_memory", model="qwen2.5-0.5b-instruct")]
    [found] = check([about], [*rows, *others], (), (), catalog)
    assert len(seven) == 3 and found.published.n == 3 and found.published.verdict == CONFIRMED


def test_sizes_follow_from_the_bits_of_every_model(catalog: Catalog) -> None:
    found = {row.claim.id: row.published for row in check(catalog.claims.values(), (), (), (), catalog)}
    assert found["CLM003"].verdict == CONFIRMED and found["CLM003"].median == pytest.approx(8.5 / 16, rel=0.02) and found["CLM003"].basis == "analytic"
    assert found["CLM029"].verdict == REFUTED, "no useful language model has 50 MB"


def test_a_claim_without_a_figure_says_so() -> None:
    words = Claim(id="CLM998", text="...", about={}, metric="", unit="", sources=("s",))
    assert held(words, pairs(3.0)).published.why == "states nothing that a measurement could show"


def test_shipped_losses_are_fractions_with_sources(catalog: Catalog) -> None:
    found = list(losses())
    assert len(found) > 2000 and all(each.source in catalog.sources for each in found if each.source.startswith("ev-aihub"))
    assert {each.framework for each in found} >= {"llama-cpp", "onnxruntime", "qnn", "hailo"}


def test_losses_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "quality").mkdir()
    head = "source,base_model,structure,task,framework,device,scheme,metric,drop"
    (tmp_path / "quality" / "x.csv").write_text(f"{head}\ns,m,cnn,,mlx,,int4-mlx-g64,MMLU,0.05\ns,m,cnn,,mlx,,int4-mlx-g64,KL,\n", "utf-8")
    [only] = losses(tmp_path)
    assert (only.framework, only.drop) == ("mlx", 0.05)
