from __future__ import annotations

from typing import Any

import pytest

from recommender.domain.estimate import Demand
from recommender.domain.model import ModelSpec
from recommender.domain.quantity import Interval
from recommender.estimate.footprint import components, total
from recommender.estimate.weights import weight_bytes
from tests.invented import model, network, scheme

MIXED = {"default": 4.5, "embedding": 4.5, "output": 6.5}


def exact(value: float) -> Interval:
    return Interval(low=value, central=value, high=value)


def found(spec: ModelSpec, tensors: dict[str, float] | None = None, options: dict[str, Any] | None = None, **overheads: Interval) -> dict[str, float]:
    kind = scheme(bits=4.5, tensors=tensors or {})
    weights = weight_bytes(spec, kind)
    assert weights
    rows = components(spec, kind, Demand(phases={}, resident={"weights": weights, "kv_cache": 100.0}), options or {}, overheads.get)
    return {name: value.central for name, value in rows.items()}


def test_without_overheads_only_what_is_resident_is_held() -> None:
    assert set(found(model())) == {"weights", "kv_cache"}


def test_what_is_zero_is_not_listed() -> None:
    assert "runtime" not in found(model(), memory=exact(0))


@pytest.mark.parametrize(("tied", "mmap", "tensors", "expected"), [
    (True, False, None, "table"), (False, False, None, "nothing"), (True, False, MIXED, "nothing"),
    (True, True, None, "weights"), (False, True, None, "all but the input table"),
    (True, True, MIXED, "layers"), (False, True, MIXED, "layers"),
])
def test_what_is_rewritten_is_held_twice(tied: bool, mmap: bool, tensors: dict[str, float] | None, expected: str) -> None:
    spec = model(tied_embeddings=tied)
    rows = found(spec, tensors, {"mmap": mmap}, repacked=exact(1.0))
    bits = tensors or {"embedding": 4.5, "output": 4.5}
    count = 32000 * 2048
    head, table = count * bits["output"] / 8, 0.0 if tied else count * bits["embedding"] / 8
    held = {
        "nothing": 0.0, "table": head, "weights": rows["weights"], "all but the input table": rows["weights"] - table, "layers": rows["weights"] - head - table,
    }
    assert rows.get("repacked_weights", 0.0) == pytest.approx(held[expected])


@pytest.mark.parametrize(("share", "expected"), [(1.0, 32000 * 2048 * 6.5 / 8), (0.0, 0.0)])
def test_a_row_says_whether_the_table_is_rewritten_too(share: float, expected: float) -> None:
    rows = found(model(tied_embeddings=True), MIXED, {"mmap": False}, repacked=exact(1.0), repacked_table=exact(share))
    assert rows.get("repacked_weights", 0.0) == pytest.approx(expected)


def test_logits_of_one_pass_are_held() -> None:
    rows = found(model(), logits=exact(512))
    assert rows["compute_buffer"] == 512 * 4 * (32000 + 2 * 2048)
    wide = found(model(vocab_size=1000, n_params=None or 1_100_048_384), logits=exact(512))
    assert wide["compute_buffer"] == 512 * 4 * (2 * 5632 + 2 * 2048)


def test_a_second_copy_and_the_activations_are_shares() -> None:
    rows = components(
        network(), scheme(bits=8.0), Demand(phases={}, resident={"weights": 4e6, "activations": 1e6}), {},
        {"weights_copy": exact(0.5), "activations": exact(2.0), "memory": exact(7.0)}.get,
    )
    assert {name: value.central for name, value in rows.items()} == {"weights": 4e6, "activations": 2e6, "weights_copy": 2e6, "runtime": 7.0}


def test_the_total_adds_end_by_end() -> None:
    parts = {"a": Interval(low=1, central=2, high=3), "b": Interval(low=10, central=20, high=30)}
    assert total(parts) == Interval(low=11, central=22, high=33)
    assert total({}) == exact(0)
