from __future__ import annotations

from pathlib import Path

import pytest

from tests.loader.lint.world import FRAMEWORK, MODEL, PORTABILITY, PREPARER, SCHEME, SUPPORT, WORKLOAD, findings, said


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("models/a.toml", MODEL.replace("text-generation", "text-making"), "task `text-making`"),
        ("models/a.toml", MODEL.replace('"transformer"', '"mamba"'), "structure `mamba`"),
        ("quantization/a.toml", SCHEME.replace('["onnx"]', '["onnx", "zip"]'), "format `zip`"),
        ("frameworks/a.toml", FRAMEWORK.replace('"onnxruntime"', '"ort"') + SUPPORT, "framework `ort`"),
        (
            "frameworks/a.toml",
            FRAMEWORK + SUPPORT.replace('execution_provider = "cpu"', 'execution_provider = "tpu"'),
            "execution provider `tpu`",
        ),
        ("frameworks/a.toml", FRAMEWORK + SUPPORT.replace('format = "onnx"', 'format = "zip"'), "format `zip`"),
        ("frameworks/a.toml", FRAMEWORK.replace("text-generation = ", "embedding = ") + SUPPORT, "launch task `embedding`"),
        ("preparers.toml", PREPARER.replace('"olive"', '"magic"'), "preparer `magic`"),
        ("preparers.toml", PREPARER.replace('"quantize"', '"conjure"'), "action `conjure`"),
        ("preparers.toml", PREPARER.replace('"here"', '"there"'), "place `there`"),
        ("portability.toml", PORTABILITY.replace('"onnx"', '"zip"'), "format `zip`"),
        ("workloads/a.toml", WORKLOAD.replace('objective = "decode_rate"', 'objective = "joy"'), "objective `joy`"),
        ("workloads/a.toml", WORKLOAD.replace('default_for = ["text-generation"]', 'default_for = ["embedding"]'), "`embedding`"),
    ],
)
def test_name_outside_its_list_is_found(tmp_path: Path, name: str, text: str, words: str) -> None:
    messages = said(findings(tmp_path, world={name: text}), "lists")
    assert [message for message in messages if words in message], messages


@pytest.mark.parametrize(
    ("key", "is_well_spelled"),
    [
        ("Q4_K_M", True),
        ("IQ2_XXS", True),
        ("MXFP4", True),
        ("w8a16", True),
        ("int4-weights-g64-r0.8", True),
        ("int8-static-a16", True),
        ("fp16", True),
        ("q4_k_m", False),
        ("Q4KM", False),
        ("4bit", False),
        ("int4_g64", False),
        ("W8A8", False),
    ],
)
def test_spelling_of_schemes(tmp_path: Path, key: str, is_well_spelled: bool) -> None:
    found = findings(tmp_path, {"quantization/b.toml": SCHEME.replace("int4-weights-g64", key)})
    assert not [message for message in said(found, "lists") if "spelled" in message] == is_well_spelled
