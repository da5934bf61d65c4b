"""How an ONNX graph stores its weights, and the scheme that follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from recommender.intake.models.onnx_graph import Constant, Graph, Node
from recommender.intake.models.onnx_strip import BITS

TYPE_NAMES = {
    1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 10: "F16", 11: "F64", 16: "BF16", 17: "F8_E4M3",
    19: "F8_E5M2",
    21: "U4", 22: "I4", 23: "F4",
}  # fmt: skip
FLOATS = frozenset({1, 10, 11, 16})
_NARROW = frozenset({2, 3, 17, 18, 19, 20, 21, 22, 23, 25, 26})
# Operator -> inputs that are scales and zero points, not weights.
_SIDE = {
    "DequantizeLinear": (1, 2), "QuantizeLinear": (1, 2), "QLinearConv": (1, 2, 4, 5, 6, 7), "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "MatMulInteger": (2, 3), "ConvInteger": (2, 3), "MatMulNBits": (2, 3), "QGemm": (1, 2, 4, 5, 7, 8),
    "QLinearAdd": (1, 2, 4, 5, 6, 7),
    "QLinearMul": (1, 2, 4, 5, 6, 7), "QLinearSigmoid": (1, 2, 3, 4), "QLinearGlobalAveragePool": (1, 2, 3, 4),
    "QLinearAveragePool": (1, 2, 3, 4), "QLinearLeakyRelu": (1, 2, 3, 4), "QLinearConcat": (0, 1), "GatherBlockQuantized": (2, 3),
    "DynamicQuantizeMatMul": (2, 3), "MatMulIntegerToFloat": (2, 3, 4, 5),
}  # fmt: skip
_INTEGER_BIAS = {"DequantizeLinear": 0, "QLinearConv": 8, "QGemm": 6}


@dataclass(frozen=True, slots=True)
class Stored:
    """Weights. `bits`: of all of them together, scales included. `group`: weights sharing a scale of the packed ones."""

    n_params: int
    bits: int
    types: Mapping[str, int]
    nbits: int | None
    group: int | None


def weights_of(graph: Graph) -> Stored:
    """Count the stored weights: scales, zero points, shapes and single constants are none."""
    side, biases, packed = _roles(graph)
    types: Counter[str] = Counter()
    bits = 0
    for name, constant in graph.constants.items():
        width = BITS.get(constant.data_type, 0)
        if name in packed:
            node = packed[name]
            size, low = _packed_size(node, constant)
            types[f"I{low}"] += size
        elif _is_weight(name, constant, side, biases):
            types[TYPE_NAMES.get(constant.data_type, f"type-{constant.data_type}")] += constant.n_elements
        elif name not in side:
            continue
        bits += constant.n_elements * width
    nbits, group = _packing(graph, packed)
    return Stored(sum(types.values()), bits, dict(types.most_common()), nbits, group)


def scheme_of(graph: Graph, counts: Mapping[str, int], stored: Stored) -> str | None:
    """Our scheme key; None when the graph fits none.

    Integer operators or QuantizeLinear on activations with fixed scales: static. Scales computed while running: dynamic.
    Only the weights in few bits: weight-only.
    """
    if stored.nbits:
        return f"int{stored.nbits}-weights-g{stored.group}" if stored.group else f"int{stored.nbits}-weights"
    if (
        "DynamicQuantizeLinear" in counts
        or "DynamicQuantizeMatMul" in counts
        or "MatMulInteger" in counts
        or "ConvInteger" in counts
    ):
        return "int8-dynamic"
    if any(name.startswith("QLinear") or name == "QGemm" for name in counts):
        return "int8-static"
    if "QuantizeLinear" in counts:
        return "int8-static-a16" if _has_wide_activations(graph) else "int8-static"
    if not stored.types:
        return None
    majority = next(iter(stored.types))
    if majority in ("I4", "U4"):
        return "int4-weights-channel"
    if majority in ("I8", "U8"):
        return "int8-weights"
    return {"F32": "F32", "F16": "fp16", "BF16": "BF16"}.get(majority)


def is_quantized(counts: Mapping[str, int], stored: Stored) -> bool:
    """Weights in fewer than 16 bits, or operators that quantize."""
    if stored.nbits or "QuantizeLinear" in counts or any(name.startswith(("QLinear", "DynamicQuantize")) for name in counts):
        return True
    return next(iter(stored.types), "") in ("I8", "U8", "I4", "U4", "F4", "F8_E4M3", "F8_E5M2")


def _roles(graph: Graph) -> tuple[set[str], set[str], dict[str, Node]]:
    side: set[str] = set()
    biases: set[str] = set()
    packed: dict[str, Node] = {}
    for node in graph.nodes:
        side.update(node.inputs[i] for i in _SIDE.get(node.operator, ()) if i < len(node.inputs))
        position = _INTEGER_BIAS.get(node.operator)
        if position is not None and position < len(node.inputs):
            biases.add(node.inputs[position])
        if node.operator == "MatMulNBits" and len(node.inputs) > 1:
            packed[node.inputs[1]] = node
    return side, biases, packed


def _is_weight(name: str, constant: Constant, side: set[str], biases: set[str]) -> bool:
    if name in side or constant.n_elements <= 1:
        return False
    return constant.data_type in FLOATS or constant.data_type in _NARROW or (constant.data_type in (5, 6) and name in biases)


def _packed_size(node: Node, constant: Constant) -> tuple[int, int]:
    """Weights of a packed product (its attributes K and N say it) and their bits."""
    low = node.attributes.get("bits", 4)
    low = low if isinstance(low, int) and 1 <= low <= 8 else 4
    k, n = node.attributes.get("K"), node.attributes.get("N")
    if isinstance(k, int) and isinstance(n, int) and 0 < k < 1 << 31 and 0 < n < 1 << 31:
        return k * n, low
    return constant.n_elements * 8 // low, low


def _packing(graph: Graph, packed: Mapping[str, Node]) -> tuple[int | None, int | None]:
    """Bits and group of packed products, or of DequantizeLinear over blocks of 4-bit weights."""
    for node in packed.values():
        bits, group = node.attributes.get("bits", 4), node.attributes.get("block_size")
        return (bits if isinstance(bits, int) and 1 <= bits <= 8 else None), (
            group if isinstance(group, int) and group > 0 else None
        )
    for node in graph.nodes:
        weight = graph.constants.get(node.inputs[0]) if node.operator == "DequantizeLinear" and node.inputs else None
        block = node.attributes.get("block_size")
        if weight is not None and weight.data_type in (21, 22) and isinstance(block, int) and block > 0:
            return 4, block
    return None, None


def _has_wide_activations(graph: Graph) -> bool:
    """Activations quantized to 16 bits: seen at the zero points of the QuantizeLinear operators."""
    wide = narrow = 0
    for node in graph.nodes:
        if node.operator != "QuantizeLinear" or len(node.inputs) < 3:
            continue
        data_type = (
            graph.constants[node.inputs[2]].data_type if node.inputs[2] in graph.constants else graph.types.get(node.inputs[2])
        )
        wide += data_type in (4, 5)
        narrow += data_type in (2, 3)
    return wide > narrow
