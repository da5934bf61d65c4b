"""Multiply-accumulates of one operator from the shapes of its inputs and outputs.

Convolution: output elements x kernel volume x input channels of a group. Its transpose: input elements x kernel volume x output
channels of a group. Matrix product: output elements x shared dimension. Recurrent layer: steps x batch x its two weight matrices.
Attention: two products of queries, keys and head size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from recommender.intake.models.graph_guess import Shape

Getter = Callable[[int], tuple[int, ...] | None]

# operator -> position of its weight (convolutions) or of its left operand and the right one (products)
CONVOLUTIONS = {"Conv": 1, "FusedConv": 1, "ConvInteger": 1, "QLinearConv": 3, "NhwcConv": 1}
TRANSPOSED = {"ConvTranspose": 1}
PRODUCTS = {
    "MatMul": (0, 1), "MatMulInteger": (0, 1), "QLinearMatMul": (0, 3), "FusedMatMul": (0, 1), "DynamicQuantizeMatMul": (0, 1),
    "MatMulIntegerToFloat": (0, 1),
}  # fmt: skip
GEMMS = {"Gemm": (0, 1), "FusedGemm": (0, 1), "QGemm": (0, 3)}
RECURRENT = ("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM")
ATTENTION = ("Attention", "MultiHeadAttention", "GroupQueryAttention")
COUNTED = frozenset(
    {*CONVOLUTIONS, *TRANSPOSED, *PRODUCTS, *GEMMS, *RECURRENT, *ATTENTION, "MatMulNBits", "DeformConv", "Einsum"}
)


def macs_of(
    operator: str, inputs: Sequence[Shape | None], outputs: Sequence[Shape | None], attributes: Mapping[str, Any]
) -> int | None:
    """MACs of an ONNX operator; 0 for one that has none, None when a shape it needs is not known."""
    if operator not in COUNTED:
        return 0
    get = _getter(inputs)
    output = _fixed(outputs[0] if outputs else None)
    if operator in CONVOLUTIONS:
        return convolution(output, get(CONVOLUTIONS[operator]))
    if operator in TRANSPOSED:
        return convolution(get(0), get(1))
    if operator in PRODUCTS:
        left, right = (get(position) for position in PRODUCTS[operator])
        shared = left[-1] if left else right[-2] if right and len(right) > 1 else None
        return product(output, shared)
    if operator in GEMMS:
        left = get(GEMMS[operator][0])
        return product(output, left[0 if attributes.get("transA") else -1] if left else None)
    if operator in RECURRENT:
        return recurrent(get(0), get(1), get(2))
    if operator == "MatMulNBits":
        return product(output, attributes.get("K"))
    return attention(operator, get) if operator in ATTENTION else None


def convolution(elements_of: tuple[int, ...] | None, weight: tuple[int, ...] | None) -> int | None:
    """`elements_of`: the output, for a transposed convolution the input; the weight's first dimension is not multiplied."""
    return math.prod(elements_of) * math.prod(weight[1:]) if elements_of and weight else None


def product(output: tuple[int, ...] | None, shared: int | None) -> int | None:
    return math.prod(output) * shared if output is not None and isinstance(shared, int) else None


def recurrent(x: tuple[int, ...] | None, w: tuple[int, ...] | None, r: tuple[int, ...] | None) -> int | None:
    return x[0] * x[1] * (math.prod(w) + math.prod(r)) if x and w and r and len(x) > 1 else None


def attention(operator: str, get: Getter) -> int | None:
    """Products with keys and values; ONNX Runtime's fused `Attention` projects its input first."""
    first, second = get(0), get(1)
    if not first or not second:
        return None
    if len(first) == 4:  # batch, heads, tokens, head size
        third = get(2)
        return math.prod(first[:3]) * second[2] * (first[3] + third[3]) if third and len(second) == 4 == len(third) else None
    if operator == "Attention" and len(second) == 2 and len(first) == 3:  # input x packed weight
        return math.prod(first) * second[1] + 2 * first[0] * first[1] ** 2 * (second[1] // 3)
    if len(first) == 3 and len(second) == 3:
        return 2 * math.prod(first) * second[1]
    return None


def _getter(inputs: Sequence[Shape | None]) -> Getter:
    return lambda position: _fixed(inputs[position]) if position < len(inputs) else None


def _fixed(shape: Shape | None) -> tuple[int, ...] | None:
    if shape is None or any(size is None for size in shape):
        return None
    return tuple(size for size in shape if size is not None)
