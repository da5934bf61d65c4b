"""What an OpenVINO IR really stores: element types, compressed layers, quantized activations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import WrongOutput

if TYPE_CHECKING:
    import openvino

_INDICES = ("i64", "i32", "boolean")  # shapes and positions, not weights
_LAYER_TYPES = {"i4": "int4", "u4": "int4", "nf4": "nf4", "i8": "int8", "u8": "int8"}


def describe(model: openvino.Model) -> dict[str, Any]:
    """Facts of a graph.

    Returns:
        element_types: type -> number of elements of all constants of two or more dimensions, scales and zero points included.
        layers: `int4`, `nf4` or `int8` -> number of weights stored so (a weight is converted and then scaled).
        n_fake_quantize: how many operators bring activations to 8 bit.
    """
    types: Counter[str] = Counter()
    layers: Counter[str] = Counter()
    n_fake_quantize = 0
    for node in model.get_ops():
        kind = node.get_type_name()
        n_fake_quantize += kind == "FakeQuantize"
        if kind != "Constant" or len(node.get_output_shape(0)) < 2:
            continue
        name = node.get_output_element_type(0).get_type_name()
        if name not in _INDICES:
            types[name] += prod(node.get_output_shape(0))
        if name in _LAYER_TYPES and _is_weight(node):
            layers[_LAYER_TYPES[name]] += 1
    return {"element_types": dict(types), "layers": dict(layers), "n_fake_quantize": n_fake_quantize}


def verified(path: Path, key: str) -> dict[str, Any]:
    """Facts of a written IR, read back. Raises WrongOutput when what is stored is not the scheme `key` (a quantizer that did nothing)."""
    import openvino

    facts = describe(openvino.Core().read_model(path))
    types, layers = facts["element_types"], facts["layers"]
    if key == "F32":
        is_right = not {"f16", "bf16"} & types.keys()
    elif key == "fp16":
        is_right = "f16" in types
    elif key == "int8-static":
        is_right = facts["n_fake_quantize"] > 0 and "int8" in layers
    else:
        is_right = {"int8-weights": "int8", "NF4": "nf4"}.get(key, "int4") in layers
    if not is_right:
        raise WrongOutput(f"no {key}: what was stored is {told(facts)}")
    return facts


def told(facts: Mapping[str, Any]) -> str:
    """Facts of `describe` in words."""
    types = ", ".join(f"{n} elements of {name}" for name, n in facts["element_types"].items()) or "no weights"
    layers = ", ".join(f"{n} layers in {name}" for name, n in facts["layers"].items()) or "no compressed layer"
    return f"{types}; {layers}; {facts['n_fake_quantize']} quantized activations"


def _is_weight(constant: Any) -> bool:
    """Whether it is the first operand of what scales or shifts it; a zero point is the second."""
    converts = [each.get_node() for each in constant.output(0).get_target_inputs() if each.get_node().get_type_name() == "Convert"]
    users = [each for convert in converts for each in convert.output(0).get_target_inputs()]
    return any(each.get_node().get_type_name() in ("Subtract", "Multiply") and each.get_index() == 0 for each in users)
