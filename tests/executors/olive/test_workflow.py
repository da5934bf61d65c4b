"""What schemes mean to Olive; no framework is needed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recommender.domain.errors import Unsupported
from recommender.executors.olive.workflow import quantization_pass, workflow


@pytest.mark.parametrize(
    ("key", "parameters", "told"),
    [
        ("fp16", {}, {"type": "OnnxFloatToFloat16", "keep_io_types": True}),
        ("int8-dynamic", {"op_types": ["MatMul"]}, {"type": "OnnxDynamicQuantization", "op_types_to_quantize": ["MatMul"], "per_channel": True}),
        ("int8-static", {}, {"type": "OnnxStaticQuantization", "activation_type": "uint8", "calibrate_method": "MinMax", "data_config": "calibration"}),
        ("int8-static", {"activation_type": "int8", "calibration_method": "percentile", "per_channel": False, "preprocess": False},
         {"activation_type": "int8", "calibrate_method": "Percentile", "per_channel": False, "quant_preprocess": False}),
        ("int8-static-a16", {}, {"activation_type": "uint16", "precision": "int8"}),
        ("int4-weights-g32", {}, {"type": "OnnxBlockWiseRtnQuantization", "bits": 4, "block_size": 32, "is_symmetric": False}),
        ("int8-weights-sym-g128", {}, {"bits": 8, "block_size": 128, "is_symmetric": True}),
        ("int4-weights-g64", {"algorithm": "kquant"}, {"type": "OnnxKQuantQuantization", "bits": 4, "block_size": 64}),
    ],
)
def test_a_scheme_is_one_pass(key: str, parameters: dict[str, Any], told: dict[str, Any]) -> None:
    found = quantization_pass({"key": key}, parameters)
    assert {name: found[name] for name in told} == told


def test_the_scheme_says_whether_it_is_symmetric() -> None:
    assert quantization_pass({"key": "int4-weights-g32", "symmetric": True}, {})["is_symmetric"] is True


@pytest.mark.parametrize(
    ("key", "parameters", "named"),
    [
        ("Q4_K_M", {}, "Q4_K_M"), ("int4-weights-g64-r0.8", {}, "r0.8"), ("int4-weights-channel", {}, "channel"), ("int4-weights-g48", {}, "g48"), ("int8-weights", {}, "int8-weights"),
        ("int4-weights-g32", {"algorithm": "gptq"}, "gptq"), ("int4-weights-sym-g32", {"algorithm": "kquant"}, "zero points"), ("int8-static", {"calibration_method": "guess"}, "guess"),
    ],
)
def test_what_olive_has_no_pass_for_is_named(key: str, parameters: dict[str, Any], named: str) -> None:
    with pytest.raises(Unsupported, match=named):
        quantization_pass({"key": key}, parameters)


def test_a_workflow_searches_and_fetches_nothing() -> None:
    made = workflow(
        quantization_pass({"key": "int8-static"}, {}), source="m.onnx", out="out", cache="cache", samples="c.npz", script="samples.py", inputs={"x": ("float32", 2)}, limit=8,
    )
    assert json.loads(json.dumps(made)) == made
    assert made["evaluate_input_model"] is False and not {"search_strategy", "evaluator", "evaluators"} & set(made)
    (data,) = made["data_configs"]
    assert data["name"] == made["passes"]["quantize"]["data_config"]
    assert data["load_dataset_config"]["params"] == {"file": "c.npz", "inputs": {"x": ["float32", 2]}, "limit": 8}
    assert "data_configs" not in workflow(quantization_pass({"key": "fp16"}, {}), source="m.onnx", out="out", cache="cache")
