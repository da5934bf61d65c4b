"""TensorFlow Lite models: operators, tensors and quantization from the FlatBuffer (schema version 3)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommender.domain.model import Artifact, ModelSpec
from recommender.intake.models import graph_guess
from recommender.intake.models.flatbuffer import Table, root
from recommender.intake.models.graph_guess import Port
from recommender.intake.models.graph_macs import convolution, product
from recommender.intake.models.reading import Malformed, Window, count_elements, not_a, open_window
from recommender.intake.models.tflite_names import BUILTIN, CUSTOM, TYPES

EDGE_TPU_OPERATOR = "edgetpu-custom-op"
MAX_GRAPHS, MAX_ITEMS = 1000, 200_000
_FREE = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "DEQUANTIZE", "QUANTIZE", "SHAPE"})


@dataclass(frozen=True, slots=True)
class Tensor:
    """`is_constant`: it has data in the file. `shape`: as stored; `is_dynamic`: its signature has a free dimension."""

    name: str
    type: str
    bits: int
    shape: tuple[int, ...]
    is_constant: bool
    is_quantized: bool
    is_dynamic: bool

    @property
    def n_elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Operator:
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_tflite(path: Path) -> ModelSpec:
    """ModelSpec of a .tflite file.

    Raises:
        Malformed
    """
    with open_window(path) as window:
        if window.data[4:8] != b"TFL3":
            raise not_a("a TensorFlow Lite model", window.data[:64])
        graphs = graphs_of(window)
        return describe(graphs, path, window.size)


def graphs_of(window: Window) -> tuple[Graph, ...]:
    """All graphs of the file; the first is the main one."""
    model = root(window)
    names = [_operator_name(code) for code in model.tables(1)]
    buffers = [_buffer_size(buffer) for buffer in model.tables(4)]
    subgraphs = model.tables(2)
    if not subgraphs or len(subgraphs) > MAX_GRAPHS:
        raise Malformed("is broken: it has no graph" if not subgraphs else "has too many graphs")
    found, items = [], 0
    for table in subgraphs:
        items += table.vector(0, 4)[1] + table.vector(3, 4)[1]
        if items > MAX_ITEMS:
            raise Malformed("has too many tensors and operators")
        tensors = tuple(_tensor(item, buffers) for item in table.tables(0))
        operators = tuple(_operator(item, names, len(tensors)) for item in table.tables(3))
        inputs, outputs = _indices(table.numbers(1, "i"), len(tensors)), _indices(table.numbers(2, "i"), len(tensors))
        found.append(Graph(tensors, operators, inputs, outputs))
    return tuple(found)


def describe(graphs: Sequence[Graph], path: Path, size: int) -> ModelSpec:
    """PURE: graphs -> ModelSpec."""
    main = graphs[0]
    counts = Counter(operator.name for graph in graphs for operator in graph.operators)
    inputs = [Port(main.tensors[i].name, main.tensors[i].shape) for i in main.inputs]
    outputs = [Port(main.tensors[i].name, main.tensors[i].shape) for i in main.outputs]
    structure = graph_guess.structure_of(counts)
    task, told = graph_guess.task_of(structure, counts, inputs, outputs)
    weights = [tensor for graph in graphs for tensor in graph.tensors if tensor.is_constant and _is_weight(tensor)]
    n_params = sum(tensor.n_elements for tensor in weights)
    is_compiled = EDGE_TPU_OPERATOR in counts
    dynamic = any(tensor.is_dynamic for tensor in main.tensors)
    is_opaque = is_compiled or any(name not in BUILTIN.values() for name in counts)
    return ModelSpec(
        key=path.stem,
        name=path.stem,
        task=task,
        structure=structure if not is_compiled or len(counts) > 3 else "cnn",
        modality=graph_guess.modality_of(task),
        n_params=n_params if not is_compiled else None,
        macs=None if is_opaque else macs_of(main),
        activations=None if is_opaque else activations_of(main),
        n_operators=sum(len(graph.operators) for graph in graphs),
        operators=tuple(sorted(counts)),
        input=graph_guess.shape_text(inputs[0].shape) if inputs else "",
        dynamic_shapes=dynamic,
        note=_note(is_compiled, told),
        artifact=_artifact(graphs, path, size, weights, counts),
    )


def macs_of(graph: Graph) -> float | None:
    """Of one inference at the stored shapes; None when an operator's cost is not in its shapes."""
    total = 0
    for operator in graph.operators:
        shapes = [graph.tensors[i].shape if i >= 0 else None for i in operator.inputs]
        output = graph.tensors[operator.outputs[0]].shape if operator.outputs and operator.outputs[0] >= 0 else None
        macs = _operator_macs(operator.name, shapes, output)
        if macs is None:
            return None
        total += macs
    return float(total)


def activations_of(graph: Graph) -> float:
    """Elements that the operators write."""
    written = (i for operator in graph.operators if operator.name not in _FREE for i in operator.outputs if i >= 0)
    return float(sum(graph.tensors[i].n_elements for i in written))


def _operator_macs(name: str, shapes: Sequence[tuple[int, ...] | None], output: tuple[int, ...] | None) -> int | None:
    first, second = shapes[0] if shapes else None, shapes[1] if len(shapes) > 1 else None
    if name in ("CONV_2D", "CONV_3D"):  # output channels first; CONV_3D has them last
        if name == "CONV_3D":
            return convolution(output, (1, *second[:-1]) if second else None)
        return convolution(output, second)
    if name == "DEPTHWISE_CONV_2D":  # 1, height, width, channels
        return math.prod(output) * math.prod(second[1:3]) if output and second else None
    if name == "TRANSPOSE_CONV":  # output shape, weights (output channels first), input
        third = shapes[2] if len(shapes) > 2 else None
        return math.prod(third) * math.prod(second[:3]) if third and second else None
    if name == "FULLY_CONNECTED":
        return product(output, second[-1] if second else None)
    if name == "BATCH_MATMUL":
        return product(output, first[-1] if first else None)
    return None if "LSTM" in name or "RNN" in name or name in ("SVDF", "WHILE", "IF") else 0


def _artifact(graphs: Sequence[Graph], path: Path, size: int, weights: Sequence[Tensor], counts: Mapping[str, int]) -> Artifact:
    types: Counter[str] = Counter()
    for tensor in weights:
        types[tensor.type] += tensor.n_elements
    total = sum(types.values())
    is_full = is_full_integer(graphs[0])
    details: dict[str, Any] = {
        "is_full_integer": is_full,
        "input_types": [graphs[0].tensors[i].type for i in graphs[0].inputs],
        "output_types": [graphs[0].tensors[i].type for i in graphs[0].outputs],
        "is_edge_tpu_compiled": EDGE_TPU_OPERATOR in counts,
        "task_is_guess": True,
        "structure_is_guess": True,
    }
    scheme = scheme_of(graphs[0], types, is_full)
    bits = sum(tensor.n_elements * tensor.bits for tensor in weights)
    return Artifact(
        format="tflite",
        path=str(path),
        size=size,
        scheme=scheme,
        bits_per_weight=round(bits / total, 4) if total else None,
        is_quantized=None if scheme is None else scheme not in ("F32", "fp16"),
        tensor_types=dict(types.most_common()),
        details=details,
    )


def is_full_integer(graph: Graph) -> bool:
    """No tensor between the first and the last operator is a float: what an accelerator without float units needs.

    Conversions at the edges (QUANTIZE, DEQUANTIZE) are allowed for.
    """
    inner = [operator for operator in graph.operators if operator.name not in ("QUANTIZE", "DEQUANTIZE")]
    used = {i for operator in inner for i in (*operator.inputs, *operator.outputs) if i >= 0}
    return bool(inner) and not any(graph.tensors[i].type in ("F32", "F16", "F64", "BF16") for i in used)


def scheme_of(graph: Graph, types: Mapping[str, int], is_full: bool) -> str | None:
    """Our scheme key: integer weights with integer activations are static, with float ones dynamic."""
    if not types and not is_full:
        return None
    majority = max(types, key=lambda name: types[name], default="I8")
    if is_full:
        wide = any(tensor.type == "I16" and tensor.is_quantized and not tensor.is_constant for tensor in graph.tensors)
        return "int8-static-a16" if wide else "int8-static"
    if majority in ("I8", "U8"):
        return "int8-dynamic"
    if majority == "I4":
        return "int4-weights-channel"
    return {"F32": "F32", "F16": "fp16"}.get(majority)


def _is_weight(tensor: Tensor) -> bool:
    return tensor.n_elements > 1 and (
        tensor.type in ("F32", "F16", "BF16", "I8", "U8", "I4") or (tensor.type in ("I32", "I64") and tensor.is_quantized)
    )


def _operator_name(code: Table) -> str:
    number = max(code.number(0, "b"), code.number(3, "i"))
    if number == CUSTOM:
        return code.text(1) or "CUSTOM"
    return BUILTIN.get(number, f"BUILTIN_{number}")


def _buffer_size(buffer: Table) -> int:
    """Bytes of data, inside the FlatBuffer or after it."""
    return buffer.vector(0, 1)[1] or buffer.number(2, "Q")


def _tensor(table: Table, buffers: Sequence[int]) -> Tensor:
    shape = tuple(table.numbers(0, "i"))
    name, bits = TYPES.get(table.number(1, "b"), ("?", 0))
    buffer = table.number(2, "I")
    scales = table.table(4)
    count_elements(shape)
    return Tensor(
        name=(table.text(3) or "")[:200],
        type=name,
        bits=bits,
        shape=shape,
        is_constant=0 < buffer < len(buffers) and buffers[buffer] > 0,
        is_quantized=scales is not None and scales.vector(2, 4)[1] > 0,
        is_dynamic=-1 in table.numbers(7, "i"),
    )


def _operator(table: Table, names: Sequence[str], n_tensors: int) -> Operator:
    index = table.number(0, "I")
    if index >= len(names):
        raise Malformed("is broken: an operator of a kind it does not list")
    return Operator(names[index], _indices(table.numbers(1, "i"), n_tensors), _indices(table.numbers(2, "i"), n_tensors))


def _indices(values: Sequence[int], n_tensors: int) -> tuple[int, ...]:
    """Tensor numbers; -1 stands for an input left out."""
    if any(not -1 <= value < n_tensors for value in values):
        raise Malformed("is broken: it refers to a tensor that it does not have")
    return tuple(values)


def _note(is_compiled: bool, told: bool) -> str:
    if is_compiled:
        return "compiled for the Edge TPU: what runs inside its operator cannot be read"
    return "" if told else "the task is guessed from the operators"
