"""A microbenchmark that others disturbed shows too little: it may not exclude a model for good."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from recommender.compose import load_catalog, resolve_models, resolve_target
from recommender.domain.recommendation import Wishes
from recommender.recommend import decide


@pytest.mark.parametrize(("share", "word"), [(1.0, "INFEASIBLE"), (0.5, "INCONCLUSIVE")])
def test_too_slow_by_a_disturbed_measurement_is_not_settled(share: float, word: str) -> None:
    catalog = load_catalog()
    box = resolve_target("raspberry-pi-5", catalog, lambda line: None, memory=16 << 30)
    box = replace(box, fingerprint=replace(box.fingerprint, microbenchmark={"memory_bandwidth": 5e9, "fp32_ops": 5e10, "processor_share": share}))
    (model,) = resolve_models("llama-3.1-8b", catalog, offline=True)
    found: dict[str, Any] = decide(model, box, catalog, workload_key=None, workload_overrides={}, needs=(), wishes=Wishes(), beside=(), today="2026-11-24")
    assert found["verdict"] == word
    assert any("probe --refresh" in hint and "device.is_quiet" in hint for hint in found["hints"]) == (share < 0.9)
