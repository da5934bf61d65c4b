from __future__ import annotations

from pathlib import Path

import pytest

from recommender.loader.lint.calibration import always_holds
from tests.loader.lint.world import BUDGET, CALIBRATION, efficiency, findings, said

OVERHEAD = '[[overhead]]\nid = "OVH001"\nkind = "call"\nwhen = {}\nlow = 0.1\ncentral = 0.2\nhigh = 0.3\nsources = ["s"]\n'
RATE = '[[rate]]\nid = "RAT001"\nprecision = "fp32"\nwhen = {}\noperations_per_cycle = 16\nclock = 3e9\nsources = ["s"]\n'
LOSS = (
    '[[quality]]\nid = "QUA001"\nscheme = "int4-weights-g64"\nwhen = {}\nlow = 0.0\ncentral = 0.01\nhigh = 0.02\nmetric = "m"\n'
    'dataset = "d"\nbasis = "calibrated"\nsources = ["s"]\n'
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CALIBRATION.replace('id = "EFF001"', 'id = "EFF000"'), "EFF000: the id is used twice"),
        (CALIBRATION.replace("central = 0.6", "central = 0.9"), "does not hold"),
        (CALIBRATION.replace("high = 0.8", "high = 4.1"), "does not hold"),
        (CALIBRATION.replace("low = 0.4", "low = 0.0"), "does not hold"),
        (CALIBRATION.replace('phase = "decode"', 'phase = "dream"'), "phase `dream`"),
        (CALIBRATION.replace("when = {}", 'when = { "device.kind" = "cpu" }'), "prefill/compute: no row holds everywhere"),
        (CALIBRATION + efficiency("EFF099", "decode", "compute", '{ "device.kind" = "gpu" }'), "EFF099: is never reached"),
        (CALIBRATION + OVERHEAD.replace('"call"', '"tea"'), "kind `tea`"),
        (CALIBRATION + OVERHEAD.replace("high = 0.3", "high = 0.1"), "OVH001: 0 <= 0.1 <= 0.2 <= 0.1"),
        (CALIBRATION + OVERHEAD + OVERHEAD.replace("OVH001", "OVH002"), "OVH002: is never reached"),
        (CALIBRATION + RATE.replace('"fp32"', '"fp31"'), "precision `fp31`"),
        (CALIBRATION + RATE.replace("3e9", "3.0"), "out of range"),
        (CALIBRATION + LOSS.replace("int4-weights-g64", "int9"), "scheme `int9` does not exist"),
        (CALIBRATION + LOSS.replace("high = 0.02", "high = 0.005"), "QUA001: 0 <= 0.01 <= 0.005"),
    ],
)
def test_fault_is_found(tmp_path: Path, text: str, words: str) -> None:
    messages = said(findings(tmp_path, world={"calibration/a.toml": text}), "calibration")
    assert [message for message in messages if words in message], messages


def test_sound_rows_pass(tmp_path: Path) -> None:
    found = findings(tmp_path, world={"calibration/a.toml": CALIBRATION + OVERHEAD + RATE + LOSS})
    assert said(found, "calibration") == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("share = 0.8", "share = 1.8", "out of range"),
        ("when = {}", 'when = { "host.os" = "linux" }', "no budget holds everywhere"),
        ("share = 0.8", 'share = 0.8\ncap = "0 GiB"', "out of range"),
    ],
)
def test_fault_of_a_budget_is_found(tmp_path: Path, old: str, new: str, words: str) -> None:
    messages = said(findings(tmp_path, world={"budgets/a.toml": BUDGET.replace(old, new)}), "calibration")
    assert [message for message in messages if words in message], messages


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({}, True),
        ({"device.kind": {"in": ["cpu", "gpu", "npu", "accelerator"]}}, True),
        ({"device.kind": {"in": ["cpu", "gpu"]}}, False),
        ({"device.kind": "cpu"}, False),
        ({"host.os": {"in": ["linux"]}}, False),
    ],
)
def test_always_holds(when: dict[str, object], expected: bool) -> None:
    assert always_holds(when) is expected
