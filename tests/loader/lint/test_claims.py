from __future__ import annotations

from pathlib import Path

import pytest

from tests.loader.lint.world import CLAIM, findings, said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("CLM001", "CLAIM1", "an id is CLM"),
        ('"Twice as fast."', '""', "says nothing"),
        ('framework = "onnxruntime"', 'framework = "ort"', "about framework `ort`"),
        ('framework = "onnxruntime"', 'framework = ["onnxruntime", "ort"]', "about framework `ort`"),
        ('framework = "onnxruntime"', 'mood = "good"', "about `mood`"),
        ('framework = "onnxruntime"', 'n_params = "many"', "about n_params `many`"),
        ('"throughput"', '"joy"', "unknown metric `joy`"),
        ('"ratio"', '"s"', "the unit of throughput is 1/s"),
        (', against = "int4-weights-g64"', "", "says against what"),
        ("low = 2\nhigh = 3\n", "", "no figure"),
        ("low = 2", "low = 4", "4 <= 3 does not hold"),
    ],
)
def test_fault_is_found(tmp_path: Path, old: str, new: str, words: str) -> None:
    messages = said(findings(tmp_path, world={"claims/a.toml": CLAIM.replace(old, new)}), "claims")
    assert [message for message in messages if words in message], messages


def test_statement_without_a_figure_passes(tmp_path: Path) -> None:
    text = CLAIM.replace('"throughput"', '""').replace("low = 2\nhigh = 3\n", "").replace('"ratio"', '""')
    assert said(findings(tmp_path, world={"claims/a.toml": text}), "claims") == []
