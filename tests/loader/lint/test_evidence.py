from __future__ import annotations

from pathlib import Path

import pytest

from tests.loader.lint.world import TODAY, findings

ROW = {
    "metric": "decode_rate",
    "value": "12",
    "model": "tiny",
    "framework": "onnxruntime",
    "scheme": "int4-weights-g64",
    "source": "s",
    "device": "acme.a1.cpu",
    "digest": "",
    "execution_provider": "cpu",
    "date": TODAY,
    "low": "10",
    "high": "14",
}


def of(tmp_path: Path, **changed: str) -> list[tuple[str, str]]:
    row = {**ROW, **changed}
    text = "\n".join([",".join(ROW), ",".join(ROW.values()), ",".join(row.values())]) + "\n"
    found = findings(tmp_path, world={"evidence/a.csv": text})
    return [(finding.where.rpartition("/")[2], finding.message) for finding in found if finding.lint == "evidence"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"metric": "joy"}, "unknown metric `joy`"),
        ({"value": "0", "low": "", "high": ""}, "`decode_rate` is 0"),
        ({"model": "huge"}, "model `huge`"),
        ({"framework": "ort"}, "framework `ort`"),
        ({"scheme": "int9"}, "scheme `int9`"),
        ({"device": "acme.a9.cpu"}, "device `acme.a9.cpu`"),
        ({"device": ""}, "neither a device nor a machine"),
        ({"execution_provider": "tpu"}, "execution provider `tpu`"),
        ({"low": "13"}, "13 <= 12 <= 14"),
        ({"date": "yesterday"}, "`yesterday` is no date"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_fault_is_found_in_its_line(tmp_path: Path, changed: dict[str, str], words: str) -> None:
    found = of(tmp_path, **changed)
    assert [where for where, message in found if words in message] == ["a.csv:3"], found


@pytest.mark.parametrize(
    "changed",
    [{"metric": "quality_drop", "value": "-0.01", "low": "", "high": ""}, {"device": "", "digest": "abc"}, {"date": "2025-03"}],
)
def test_sound_row_passes(tmp_path: Path, changed: dict[str, str]) -> None:
    assert of(tmp_path, **changed) == []
