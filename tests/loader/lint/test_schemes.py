from __future__ import annotations

from pathlib import Path

import pytest

from tests.loader.lint.world import FRAMEWORK, SCHEME, SUPPORT, findings, said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"weight-only"', '"some"', "scope `some`"),
        ('"weight-only"', '"float"', "does not fit 4 weight bits"),
        ('"low"', '"medium"', "class `medium` does not fit"),
        ('class_ = "low"', 'class_ = "low"\nneeds_calibration = "maybe"', "needs_calibration `maybe`"),
        ('class_ = "low"', 'class_ = "low"\nratio = 1.5', "not a share"),
        ("4.25", "3.9", "take 4 to 4.562"),
        ("4.25", "4.9", "take 4 to 4.562"),
        ("bits_per_weight = 4.25", "bits_per_weight = 4.6", "outside those of its tensors"),
        ("default = 4.25", "embedding = 4.25", "without `default`"),
        ("default = 4.25", "default = 4.25, nose = 8", "unknown tensor role `nose`"),
        ("default = 4.25", 'default = 4.25, "embedding@gguf" = 8', "a format that the scheme does not have"),
        ("default = 4.25", "default = 4.25, ffn_down_more = 6, more_share = 2", "more_share 2"),
        ("default = 4.25", "default = 4.25, output = 64", "has 64 bits"),
    ],
)
def test_fault_is_found(tmp_path: Path, old: str, new: str, words: str) -> None:
    messages = said(findings(tmp_path, world={"quantization/a.toml": SCHEME.replace(old, new)}), "schemes")
    assert [message for message in messages if words in message], messages


def test_share_in_eight_bits_raises_what_is_expected(tmp_path: Path) -> None:
    text = SCHEME.replace("int4-weights-g64", "int4-weights-g64-r0.8").replace("4.25", "5.05") + "ratio = 0.8\n"
    assert said(findings(tmp_path, {"quantization/b.toml": text}), "schemes") == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('schemes = ["int4-weights-g64"]', 'schemes = ["int9"]', "SUP-ORT: scheme `int9` does not exist"),
        ('format = "onnx"', 'format = "gguf"', "SUP-ORT: scheme `int4-weights-g64` does not exist in format gguf"),
    ],
)
def test_support_names_schemes_that_exist_in_its_format(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert words in said(findings(tmp_path, world={"frameworks/a.toml": FRAMEWORK + SUPPORT.replace(old, new)}), "schemes")


def test_scheme_that_nothing_uses_is_a_warning(tmp_path: Path) -> None:
    found = findings(tmp_path, {"quantization/b.toml": SCHEME.replace("int4-weights-g64", "int4-weights-g32")})
    assert said(found, "schemes", "warning") == ["int4-weights-g32: no support statement uses it"]
