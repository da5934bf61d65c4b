"""PURE: what a scheme means to Olive, as the configuration of a workflow of one pass."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from recommender.domain.errors import Unsupported

_WEIGHTS = re.compile(r"int(?P<bits>[48])-weights(-sym)?-g(?P<group>16|32|64|128|256)")
# Without its hqq, which leaves the fp32 weights in the file beside the quantized ones.
_WEIGHT_PASSES = {"rtn": "OnnxBlockWiseRtnQuantization", "kquant": "OnnxKQuantQuantization"}
_STATIC = {"int8-static": "uint8", "int8-static-a16": "uint16"}  # scheme -> type of activations
CALIBRATION = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
DATA, DATASET = "calibration", "samples_of_npz"  # names of the data in the workflow, and of the function in samples.py that reads it


def quantization_pass(scheme: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Type and options of the pass that makes a scheme.

    Parameters: algorithm (rtn or kquant; of weights in groups), per_channel (default true), op_types (to be quantized, default all that can be),
    calibration_method (minmax, entropy, percentile), activation_type (of int8-static: uint8 or int8), preprocess (default true: fuse and infer shapes
    before static or dynamic quantization).

    Raises:
        Unsupported: a scheme, an algorithm or a pair of them that Olive has no pass for.
    """
    key = str(scheme["key"])
    common: dict[str, Any] = {"per_channel": bool(parameters.get("per_channel", True)), "quant_preprocess": bool(parameters.get("preprocess", True))}
    if parameters.get("op_types"):
        common["op_types_to_quantize"] = list(parameters["op_types"])
    if key == "fp16":
        return {"type": "OnnxFloatToFloat16", "keep_io_types": True}
    if key == "int8-dynamic":
        return {"type": "OnnxDynamicQuantization", "precision": "int8", **common}
    if key in _STATIC:
        return {
            "type": "OnnxStaticQuantization", "precision": "int8", "activation_type": parameters.get("activation_type") or _STATIC[key], "quant_format": "QDQ",
            "calibrate_method": _method(parameters), "data_config": DATA, **common,
        }
    matched = _WEIGHTS.fullmatch(key)
    if not matched:
        raise Unsupported(f"`{key}`: Olive makes fp16, int8-dynamic, {', '.join(_STATIC)} and int4-weights-gN, int8-weights-gN")
    return _weights(key, int(matched["bits"]), int(matched["group"]), bool(scheme.get("symmetric", "-sym" in key)), str(parameters.get("algorithm") or "rtn"))


def _weights(key: str, bits: int, group: int, symmetric: bool, algorithm: str) -> dict[str, Any]:
    if algorithm not in _WEIGHT_PASSES:
        raise Unsupported(f"algorithm `{algorithm}`: Olive has {', '.join(_WEIGHT_PASSES)}")
    if algorithm == "kquant" and symmetric:
        raise Unsupported(f"`{key}` by kquant: it has zero points, and the scheme none")
    return {"type": _WEIGHT_PASSES[algorithm], "block_size": group, "bits": bits, **({"is_symmetric": symmetric} if algorithm == "rtn" else {})}


def _method(parameters: Mapping[str, Any]) -> str:
    asked = str(parameters.get("calibration_method") or "minmax")
    if asked not in CALIBRATION:
        raise Unsupported(f"calibration_method `{asked}`: Olive has {', '.join(CALIBRATION)}")
    return CALIBRATION[asked]


def workflow(
    quantization: Mapping[str, Any], *, source: str, out: str, cache: str, samples: str = "", script: str = "", inputs: Mapping[str, Sequence[Any]] | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """The configuration as `olive run --config` reads it: no search, no evaluation, no packages fetched.

    Args:
        samples: .npz file for calibration, "" where the pass needs none. script: file that defines how it is read.
        inputs: name -> (numpy type, batch size) of the model's inputs.
        limit: number of samples to use, None for all.
    """
    config: dict[str, Any] = {
        "input_model": {"type": "OnnxModel", "model_path": source},
        "systems": {"here": {"type": "LocalSystem", "accelerators": [{"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}]}},
        "passes": {"quantize": dict(quantization)}, "host": "here", "target": "here", "evaluate_input_model": False, "output_dir": out, "cache_dir": cache,
        "log_severity_level": 2,
    }
    if quantization.get("data_config"):
        config["data_configs"] = [{
            "name": DATA, "type": "DataContainer", "user_script": script,
            "load_dataset_config": {"type": DATASET, "params": {"file": samples, "inputs": {name: list(told) for name, told in (inputs or {}).items()}, "limit": limit}},
            "dataloader_config": {"type": "no_auto_batch_dataloader"},
        }]
    return config
