from __future__ import annotations

from pathlib import Path

import pytest

from tests.loader.lint.world import FRAMEWORK, PORTABILITY, PREPARER, SUPPORT, findings, said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FRAMEWORK, "says nothing of what it supports"),
        (FRAMEWORK.replace("has_executor = true", "has_executor = false") + SUPPORT, "out of step with the list of frameworks"),
        (FRAMEWORK.replace('install = "pip install onnxruntime"', "") + SUPPORT, "no line that installs it"),
        (FRAMEWORK.replace('os = ["linux"]', 'os = ["beos"]') + SUPPORT, "operating system `beos`"),
        (FRAMEWORK + SUPPORT + SUPPORT, "SUP-ORT: the id is used twice"),
        (FRAMEWORK + SUPPORT.replace('["olive"]', '["magic"]'), "preparer `magic` does not exist"),
        (FRAMEWORK + SUPPORT.replace('["int4-weights-g64"]', "[]"), "names no scheme"),
        (FRAMEWORK + SUPPORT.replace('because = "It runs."', 'status = "maybe"'), "status `maybe`"),
        (FRAMEWORK + SUPPORT.replace('because = "It runs."', 'status = "no"'), "and not why"),
        (FRAMEWORK + SUPPORT.replace('because = "It runs."', 'portability = "everywhere"'), "portability `everywhere`"),
        (FRAMEWORK + SUPPORT.replace('"device.kind" = "cpu"', '"host.os" = "linux"'), "which kind of device"),
        (FRAMEWORK + SUPPORT.replace("[[support]]", '[[support]]\nframework = "mlx"'), "names `mlx`"),
    ],
)
def test_fault_is_found(tmp_path: Path, text: str, words: str) -> None:
    messages = said(findings(tmp_path, world={"frameworks/a.toml": text}), "frameworks")
    assert [message for message in messages if words in message], messages


def test_own_preparers_are_in_step_with_the_list(tmp_path: Path) -> None:
    text = PREPARER + PREPARER.replace("olive", "hailo-dfc").replace("has_own = false", "has_own = true")
    found = findings(tmp_path, world={"preparers.toml": text})
    assert said(found, "frameworks") == ["hailo-dfc: has_own = true is out of step with the list of preparers"]
    assert said(found, "frameworks", "warning") == ["hailo-dfc: no support statement uses it"]


def test_portability_is_one_of_the_words(tmp_path: Path) -> None:
    found = findings(tmp_path, world={"portability.toml": PORTABILITY.replace("universal", "mostly")})
    assert "onnx: `mostly` is none of universal" in said(found, "frameworks")[0]
