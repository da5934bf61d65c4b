from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.domain.workload import METRICS, Constraint, contradiction, parse_constraint


@pytest.mark.parametrize(("text", "metric", "statistic", "relation", "bound"), [
    ("decode_rate>=20 tok/s", "decode_rate", "", ">=", 20),
    ("latency.p95<=30ms", "latency", "p95", "<=", 0.03),
    ("latency.p50 < 1 s", "latency", "p50", "<", 1),
    ("peak_memory<=4GiB", "peak_memory", "", "<=", 4 * 2**30),
    ("file_size <= 100MB", "file_size", "", "<=", 1e8),
    ("quality_drop<=1%", "quality_drop", "", "<=", 0.01),
    ("throughput > 30 fps", "throughput", "", ">", 30),
])
def test_a_need_is_read(text: str, metric: str, statistic: str, relation: str, bound: float) -> None:
    found = parse_constraint(text)
    assert (found.metric, found.statistic, found.relation) == (metric, statistic, relation)
    assert found.bound == pytest.approx(bound)
    assert found.text == text.strip()


@pytest.mark.parametrize(("text", "words"), [
    ("", "is not `METRIC"),
    ("fast", "is not `METRIC"),
    ("speed>=20 tok/s", "unknown metric `speed`"),
    ("decode_rate>=20", "has no unit"),
    ("decode_rate>=20 GiB", "measures bytes, not tok/s"),
    ("latency.p99<=30ms", "is not `METRIC"),
    ("latency==30ms", "is not `METRIC"),
    ("decode_rate>=nan tok/s", "not a number"),
    ("decode_rate>=", "is not a number"),
])
def test_bad_words_are_refused_with_the_users_words(text: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_constraint(text)
    assert words in str(caught.value)
    assert f"`{text}`" in str(caught.value)


@pytest.mark.parametrize(("relation", "at_bound", "above", "below"), [
    (">=", True, True, False), ("<=", True, False, True), (">", False, True, False), ("<", False, False, True),
])
def test_relations(relation: str, at_bound: bool, above: bool, below: bool) -> None:
    need = Constraint(metric="latency", relation=relation, bound=1.0)
    assert (need.holds(1.0), need.holds(2.0), need.holds(0.5)) == (at_bound, above, below)


@pytest.mark.parametrize(("texts", "clashes"), [
    (("latency<=1 s", "latency>=2 s"), True),
    (("latency>=2 s", "latency<=1 s"), True),
    (("latency<=1 s", "latency>=1 s"), False),
    (("latency<1 s", "latency>=1 s"), True),
    (("latency<=1 s", "latency>1 s"), True),
    (("latency<=1 s", "ttft>=2 s"), False),
    (("latency.p95<=1 s", "latency.p50>=2 s"), False),
    (("latency<=1 s", "latency<=2 s"), False),
    ((), False),
])
def test_contradictions_are_found(texts: tuple[str, ...], clashes: bool) -> None:
    assert bool(contradiction(tuple(parse_constraint(text) for text in texts))) is clashes


@given(st.lists(st.tuples(st.sampled_from([">=", "<=", ">", "<"]), st.floats(0, 10)), max_size=4), st.floats(0, 10))
def test_needs_that_one_value_meets_do_not_contradict(pairs: list[tuple[str, float]], value: float) -> None:
    needs = tuple(Constraint(metric="latency", relation=relation, bound=bound) for relation, bound in pairs)
    if all(need.holds(value) for need in needs):
        assert contradiction(needs) is None


def test_every_metric_has_a_direction() -> None:
    assert {better for _, better in METRICS.values()} == {"up", "down"}
