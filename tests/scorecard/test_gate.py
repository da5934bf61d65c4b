"""What the score card says still holds: predictions for devices that were left out do not get worse by more than chance explains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmarks
from benchmarks.scorecard.figures import bootstrap, figures, rank_correlation
from benchmarks.scorecard.held import Held, folds, held_out
from benchmarks.scorecard.parts import PARTS

CARD = Path(benchmarks.__file__).parent / "scorecard.json"
LANGUAGE = next(part for part in PARTS if part.name == "language")


@pytest.fixture(scope="module")
def held() -> list[Held]:
    """Without the baselines, which take most of the time."""
    return held_out(LANGUAGE.rows(), "device", LANGUAGE.fit, LANGUAGE.predict, {}, ("decode_rate", "prefill_rate"), 5)


def _recorded(metric: str) -> dict[str, Any]:
    return json.loads(CARD.read_text("utf-8"))["parts"]["language"]["device"]["metrics"][metric]["all"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("metric", ["decode_rate", "prefill_rate"])
def test_left_out_devices_are_predicted_as_well_as_recorded(held: list[Held], metric: str) -> None:
    cases = [case for case in held if case.metric == metric]
    found, recorded = figures(cases), _recorded(metric)
    above: dict[str, list[float]] = {}
    for case in cases:
        if case.error is not None:
            above.setdefault(case.owner, []).append(float(case.error > recorded["median"]))
    shares = np.array([np.mean(own) for own in above.values()])  # each device the same weight, as in the card
    low, _ = bootstrap(shares, np.array(list(above), object))
    assert low <= 0.5, f"median error {found.median:.3f}, recorded {recorded['median']:.3f}: beyond what drawing the devices again gives"
    assert found.share_told >= recorded["share_told"] - 0.05


def test_intervals_hold_for_left_out_devices(held: list[Held]) -> None:
    found = figures([case for case in held if case.metric == "decode_rate"])
    assert found.coverage_low <= 0.8 <= found.coverage_high and found.coverage >= 0.7


def test_every_group_is_left_out_once_and_whole() -> None:
    rows = LANGUAGE.rows()[:400]
    seen: list[str] = []
    for known, held in folds(rows, "device", 4):
        assert not {row.device for row in known} & {row.device for row in held} and len(known) + len(held) == len(rows)
        seen += sorted({row.device for row in held})
    assert sorted(seen) == sorted({row.device for row in rows})


def test_rank_correlation_knows_order_from_disorder() -> None:
    assert rank_correlation([("a", value, 10 * value) for value in (1.0, 2.0, 3.0, 4.0)]) == (1.0, 1)
    assert rank_correlation([("a", value, -value) for value in (1.0, 2.0, 3.0, 4.0)])[0] == -1.0
