from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.decide.rank import MEASURES, UNRANKED, Contender, Place, pareto, rank, shown_value
from recommender.domain.catalog import Catalog, RankingKey
from tests.invented import RANKING, candidate, catalog, estimate, vision_workload, workload


def contender(name: str = "alpha", scheme: str = "W4", *, rate: float | None = 20.0, basis: str = "analytic", spread: float = 0.1,
              loss: float | None = 0.01, memory: float | None = 1e9, place: float = UNRANKED, sources: tuple[str, ...] = (), **values: Any) -> Contender:
    return Contender(
        candidate=candidate(name, scheme, **values), framework_place=Place(place, "PLT001" if place < UNRANKED else ""),
        estimates={
            "decode_rate": estimate("decode_rate", rate, basis=basis, spread=spread, sources=sources),
            "quality_drop": estimate("quality_drop", loss), "peak_memory": estimate("peak_memory", memory),
        },
    )


def order(*contenders: Contender, keys: tuple[RankingKey, ...] = RANKING, **wants: Any) -> list[str]:
    return [row.candidate.framework for row, _ in rank(list(contenders), workload(**wants), catalog(ranking=keys))]


def test_every_measure_of_the_catalogue_is_known(catalog: Catalog) -> None:
    assert {row.measure for row in catalog.ranking} <= set(MEASURES)


def test_within_twice_the_speed_the_rows_that_place_frameworks_decide() -> None:
    assert order(contender("alpha", rate=30, place=2), contender("beta", rate=20, place=1)) == ["beta", "alpha"]
    assert order(contender("alpha", rate=50, place=2), contender("beta", rate=20, place=1)) == ["alpha", "beta"]


def test_ties_end_in_the_order_of_names() -> None:
    rows = [contender(name) for name in ("gamma", "alpha", "beta")]
    for turned in permutations(rows):
        assert order(*turned) == ["alpha", "beta", "gamma"]


@given(st.lists(st.tuples(st.floats(0.1, 1000), st.sampled_from([1.0, 2.0, 9.0]), st.floats(0, 0.3)), min_size=2, max_size=7))
def test_the_order_does_not_hang_on_the_order_of_entry(points: list[tuple[float, float, float]]) -> None:
    """Bands are counted from the best, so that the comparison is transitive."""
    rows = [contender(f"f{i}", rate=rate, place=place, loss=loss) for i, (rate, place, loss) in enumerate(points)]
    found = order(*rows)
    assert found == order(*reversed(rows)) == order(*rows[1:], rows[0])
    ranked = {row.candidate.framework: tuple(c.key for c in criteria) for row, criteria in rank(rows, workload(), catalog())}
    assert [ranked[name] for name in found] == sorted(ranked.values())


@pytest.mark.parametrize(("first", "second", "expected"), [
    ({"basis": "measured-here"}, {"basis": "measured-here"}, True),
    ({"basis": "measured-here"}, {"basis": "analytic"}, False),
    ({"basis": "measured-elsewhere", "sources": ("s1",)}, {"basis": "measured-elsewhere", "sources": ("s1",)}, True),
    ({"basis": "measured-elsewhere", "sources": ("s1",)}, {"basis": "measured-elsewhere", "sources": ("s2",)}, False),
    ({"basis": "measured-here"}, {"basis": "measured-elsewhere", "sources": ("s1",)}, False),
])
def test_measurements_rank_only_when_two_frameworks_were_measured_alike(first: dict[str, Any], second: dict[str, Any], expected: bool) -> None:
    (_, criteria), _ = rank([contender("alpha", **first), contender("beta", **second)], workload(), catalog())
    assert ("RNK045" in [row.id for row in criteria]) is expected


def test_two_schemes_of_one_framework_are_not_two_frameworks() -> None:
    rows = [contender("alpha", "W4", basis="measured-here"), contender("alpha", "W8", basis="measured-here")]
    assert all("RNK045" not in [c.id for c in criteria] for _, criteria in rank(rows, workload(), catalog()))


def test_measured_beats_an_estimate_that_only_may_be_faster() -> None:
    measured = [contender(name, rate=rate, basis="measured-here", spread=0.01) for name, rate in (("alpha", 20), ("beta", 19))]
    assert order(*measured, contender("gamma", rate=30, spread=0.5, place=1))[0] == "alpha"
    assert order(*measured, contender("gamma", rate=60, spread=0.5, place=1))[0] == "gamma"


def test_without_two_measurements_the_place_decides() -> None:
    assert order(contender("alpha", rate=20, basis="measured-here"), contender("beta", rate=19, place=1))[0] == "beta"


def test_loss_beyond_the_gate_is_demoted_below_the_unknown() -> None:
    rows = contender("alpha", loss=0.08, rate=500), contender("beta", loss=None), contender("gamma", loss=0.04)
    assert order(*rows) == ["gamma", "beta", "alpha"]


def test_a_candidate_beyond_the_gate_does_not_set_the_bar_for_speed() -> None:
    rows = [contender("alpha", loss=0.5, rate=1000), contender("beta", rate=20), contender("gamma", rate=15)]
    keys = {row.candidate.framework: {c.id: c.key for c in criteria} for row, criteria in rank(rows, workload(), catalog())}
    assert keys["beta"]["RNK050"] == keys["gamma"]["RNK050"] == 0.0


def test_an_unknown_objective_stands_after_the_best_band_and_before_the_others() -> None:
    rows = contender("alpha", rate=None, place=1), contender("beta", rate=100), contender("gamma", rate=30, place=1)
    assert order(*rows) == ["beta", "alpha", "gamma"]


def test_where_nothing_is_known_of_the_objective_the_place_decides() -> None:
    assert order(contender("alpha", rate=None), contender("beta", rate=None, place=1)) == ["beta", "alpha"]


def test_an_estimate_of_a_tenth_of_the_measured_speed_stands_before_the_unknown() -> None:
    measured = [contender(name, rate=20, basis="measured-here", spread=0.01) for name in ("alpha", "beta")]
    assert order(*measured, contender("delta", rate=None, place=1), contender("gamma", rate=1))[2:] == ["gamma", "delta"]


def test_speed_far_above_comfort_is_not_noticed() -> None:
    rows = contender("alpha", rate=1000), contender("beta", rate=100, place=1)
    assert order(*rows, comfort=("decode_rate>=10 tok/s",))[0] == "beta"
    assert order(*rows)[0] == "alpha"


@pytest.mark.parametrize(("need", "names"), [
    ("decode_rate>=15 tok/s", ["beta", "gamma", "alpha"]),  # met, unknown, not met
    ("decode_rate>=5 tok/s", ["beta", "alpha", "gamma"]),
])
def test_needs_come_before_all_else(need: str, names: list[str]) -> None:
    rows = contender("alpha", rate=10, place=1), contender("beta", rate=20), contender("gamma", rate=None, place=1)
    found = order(*rows, needs=(need,))
    assert [name for name in found if name != "alpha"] == [name for name in names if name != "alpha"]
    assert found.index("beta") == 0 or need.startswith("decode_rate>=5")
    assert found[-1] == names[-1]


def test_met_by_measurement_counts_more_than_met_by_estimate() -> None:
    rows = contender("alpha", rate=20, place=1), contender("beta", rate=20, basis="measured-here")
    assert order(*rows, needs=("decode_rate>=15 tok/s",))[0] == "beta"


def test_comfort_comes_before_preferences() -> None:
    rows = contender("alpha", rate=14, place=1), contender("beta", rate=16)
    assert order(*rows, comfort=("decode_rate>=15 tok/s",))[0] == "beta"


@pytest.mark.parametrize(("status", "first"), [("preview", "beta"), ("deprecated", "beta"), ("stable", "alpha")])
def test_a_preview_comes_after_the_stable_path(status: str, first: str) -> None:
    assert order(contender("alpha", rate=100, status=status), contender("beta", rate=20))[0] == first


def test_smaller_is_better_where_the_metric_says_so() -> None:
    rows = [replace(contender(name), estimates={"latency": estimate("latency", seconds)}) for name, seconds in (("alpha", 0.05), ("beta", 0.01))]
    found = rank(rows, vision_workload(), catalog(ranking=RANKING))
    assert [row.candidate.framework for row, _ in found] == ["beta", "alpha"]


@pytest.mark.parametrize(("measure", "better", "worse"), [
    ("quality", {"loss": 0.001}, {"loss": 0.02}),
    ("memory", {"memory": 1e9}, {"memory": 2e9}),
    ("steps", {"preparers": ()}, {"preparers": ("maker",)}),
    ("memory", {"memory": 1e9}, {"memory": None}),
    ("quality", {"loss": 0.02}, {"loss": None}),
])
def test_single_measures(measure: str, better: dict[str, Any], worse: dict[str, Any]) -> None:
    key = RankingKey(id="K", label="k", measure=measure, band=0.01)
    assert order(contender("beta", **better), contender("alpha", **worse), keys=(key,)) == ["beta", "alpha"]


def test_the_front_holds_what_no_other_beats_in_all_three() -> None:
    rows = [
        contender("fast", rate=40, loss=0.04, memory=1e9), contender("fine", rate=10, loss=0.001, memory=4e9),
        contender("beaten", rate=9, loss=0.05, memory=5e9), contender("unknown", rate=None),
    ]
    assert pareto(rows, workload()) == {"fast/cpu/W4", "fine/cpu/W4"}


@pytest.mark.parametrize(("metric", "value", "text"), [
    ("peak_memory", 3 * 2**30, "3 GiB"), ("peak_memory", 5 * 2**20, "5 MiB"), ("latency", 0.0123, "12.3 ms"), ("latency", 2.5, "2.5 s"),
    ("decode_rate", 12.345, "12.3 tok/s"), ("decode_rate", None, "not known"),
])
def test_numbers_are_shown_for_people(metric: str, value: float | None, text: str) -> None:
    assert shown_value(estimate(metric, value)) == text
