"""Stand-ins for ONNX Runtime's own operators, so that standard shape inference passes through them.

Only shapes matter here: the nodes that are analysed afterwards are the original ones.
"""

from __future__ import annotations

from typing import Any

DOMAIN = "com.microsoft"
# operator -> standard operator with the same output shape, and which inputs it takes
_STAND_INS: dict[str, tuple[str, tuple[int, ...]]] = {
    "QuantizeLinear": ("QuantizeLinear", (0, 1, 2)),
    "DequantizeLinear": ("DequantizeLinear", (0, 1, 2)),
    "QGemm": ("Gemm", (0, 3)),
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
    "QLinearAveragePool": ("AveragePool", (0,)),
    "FusedConv": ("Conv", (0, 1)),
    "FusedGemm": ("Gemm", (0, 1)),
    "DynamicQuantizeMatMul": ("MatMul", (0, 1)),
    "MatMulIntegerToFloat": ("MatMul", (0, 1)),
    "MatMulNBits": ("MatMul", (0,)),
}
_SAME = frozenset(
    "Gelu FastGelu QuickGelu BiasGelu SkipLayerNormalization SkipSimplifiedLayerNormalization SimplifiedLayerNormalization QLinearSigmoid "
    "QLinearLeakyRelu QLinearSoftmax RotaryEmbedding GroupQueryAttention MultiHeadAttention BiasSplitGelu Trilu".split()
)
_KEPT_ATTRIBUTES = frozenset(
    {"transA", "transB", "kernel_shape", "pads", "strides", "dilations", "group", "auto_pad", "ceil_mode", "axis"}
)


def replace_contributed(onnx: Any, graph: Any) -> None:
    """Rewrite the nodes of ONNX Runtime's domain whose output shape a standard operator has too."""
    for node in graph.node:
        if node.domain != DOMAIN or not node.input:
            continue
        if node.op_type == "MatMulNBits":
            _stand_in_packed(onnx, graph, node)
        elif node.op_type in _STAND_INS:
            operator, positions = _STAND_INS[node.op_type]
            _become(node, operator, [node.input[i] for i in positions if i < len(node.input)])
        elif node.op_type in _SAME:
            _become(node, "Identity", [node.input[0]])


def _stand_in_packed(onnx: Any, graph: Any, node: Any) -> None:
    """A packed product: its weight is K x N by its attributes."""
    sizes = {item.name: item.i for item in node.attribute}
    if not all(0 < sizes.get(name, 0) < 1 << 31 for name in "KN"):
        return
    weight = f"{node.output[0]}/unpacked" if node.output else "unpacked"
    graph.input.append(onnx.helper.make_tensor_value_info(weight, 1, [sizes["K"], sizes["N"]]))
    _become(node, "MatMul", [node.input[0], weight])


def _become(node: Any, operator: str, inputs: list[str]) -> None:
    node.op_type, node.domain = operator, ""
    outputs = list(node.output)[:1]
    kept = [item for item in node.attribute if item.name in _KEPT_ATTRIBUTES and operator != "Identity"]
    copies = [type(item).FromString(item.SerializeToString()) for item in kept]
    del node.input[:], node.output[:], node.attribute[:]
    node.input.extend(inputs)
    node.output.extend(outputs)
    node.attribute.extend(copies)
