"""An ONNX graph as plain values: shapes and types after inference, nodes, constants. The only module that imports onnx."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from recommender.intake.models.graph_guess import Port, Shape
from recommender.intake.models.onnx_surrogate import replace_contributed
from recommender.intake.models.reading import Malformed


@dataclass(frozen=True, slots=True)
class Node:
    """One operator. `attributes`: its integers and texts."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Constant:
    """A stored tensor: ONNX data type number and shape."""

    data_type: int
    shape: tuple[int, ...]

    @property
    def n_elements(self) -> int:
        total = 1
        for size in self.shape:
            total *= size
        return total


@dataclass(frozen=True, slots=True)
class Graph:
    """The main graph; `nested` counts operators of the graphs inside its nodes."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, Constant]
    shapes: Mapping[str, Shape]
    types: Mapping[str, int]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    nested: Mapping[str, int]
    opset: int | None
    is_dynamic: bool
    substituted: tuple[str, ...]
    domains: tuple[str, ...] = ()
    producer: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def parse(model_bytes: bytes) -> Graph:
    """Parse a model whose weights were cut out, fix the batch dimension at 1, infer the shapes.

    Raises:
        Malformed: not ONNX, or the onnx package is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise Malformed("is an ONNX file, and reading one needs the onnx package", "pip install onnx") from None
    try:
        model = onnx.ModelProto.FromString(model_bytes)
    except Exception:  # noqa: BLE001 - the parser raises kinds of its own
        raise Malformed("is not an ONNX file, or it is broken") from None
    graph = model.graph
    if not graph.node and not graph.initializer:
        raise Malformed("is not an ONNX file: it has no graph")
    constants = _constants(graph)
    free = [item for item in graph.input if item.name not in constants]
    is_dynamic = any(size is None for item in free for size in _shape(item.type) or ())
    substituted = _fix_batch(free)
    nodes = tuple(_node(node) for node in graph.node)
    nested = Counter(_text(node.op_type) for node in _nested_nodes(graph, 0))
    _initializers_to_inputs(onnx, graph)
    replace_contributed(onnx, graph)
    model = _infer(onnx, model)
    graph = model.graph
    infos = [*graph.input, *graph.output, *graph.value_info]
    shapes = {_text(info.name): shape for info in infos if (shape := _shape(info.type)) is not None}
    shapes.update({_text(name): constant.shape for name, constant in constants.items()})
    types = {_text(info.name): info.type.tensor_type.elem_type for info in infos}
    return Graph(
        nodes=nodes,
        constants={_text(name): constant for name, constant in constants.items()},
        shapes=shapes,
        types=types,
        inputs=tuple(Port(_text(item.name), shapes.get(_text(item.name))) for item in free),
        outputs=tuple(Port(_text(item.name), shapes.get(_text(item.name))) for item in graph.output),
        nested=nested,
        opset=next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), None),
        is_dynamic=is_dynamic,
        substituted=substituted,
        domains=tuple(sorted({_text(item.domain) for item in model.opset_import if item.domain})),
        producer=_text(model.producer_name)[:100],
        metadata={_text(item.key)[:100]: _text(item.value)[:500] for item in list(model.metadata_props)[:100]},
    )


def _infer(onnx: Any, model: Any) -> Any:
    try:
        return onnx.shape_inference.infer_shapes(model, check_type=False, strict_mode=False, data_prop=True)
    except Exception:  # noqa: BLE001 - the C++ side raises kinds of its own; without inference the declared shapes remain
        return model


def _constants(graph: Any) -> dict[str, Constant]:
    """Initializers and the tensors of Constant nodes."""
    found = {item.name: Constant(item.data_type, _dims(item.dims)) for item in graph.initializer}
    for item in graph.sparse_initializer:
        found[item.values.name] = Constant(item.values.data_type, _dims(item.dims))
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            for attribute in node.attribute:
                if attribute.name == "value":
                    found[node.output[0]] = Constant(attribute.t.data_type, _dims(attribute.t.dims))
    return found


def _dims(dims: Any) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in dims)
    total = 1
    for size in sizes:
        total *= size
        if size < 0 or total > 1 << 62:
            raise Malformed("has a tensor with an impossible shape")
    return sizes


def _shape(type_: Any) -> Shape | None:
    if not type_.HasField("tensor_type") or not type_.tensor_type.HasField("shape"):
        return None
    return tuple(
        size.dim_value if size.HasField("dim_value") and size.dim_value >= 0 else None for size in type_.tensor_type.shape.dim
    )


def _fix_batch(inputs: list[Any]) -> tuple[str, ...]:
    """Set the first dimension of each input to 1 where it is not fixed; a symbol is replaced wherever it stands first."""
    changed = []
    for item in inputs:
        if not item.type.HasField("tensor_type"):
            continue
        dims = item.type.tensor_type.shape.dim
        if len(dims) > 0 and (not dims[0].HasField("dim_value") or dims[0].dim_value < 0):
            changed.append(_text(dims[0].dim_param) or f"{_text(item.name)}[0]")
            dims[0].dim_value = 1
    return tuple(dict.fromkeys(changed))


def _initializers_to_inputs(onnx: Any, graph: Any) -> None:
    """Tensors whose data were cut become typed inputs, so that inference does not look for the data."""
    named = {item.name for item in graph.input}
    kept = []
    for item in graph.initializer:
        has_data = item.raw_data or item.float_data or item.int32_data or item.int64_data or item.double_data or item.uint64_data
        if has_data or not item.dims:
            kept.append(item)
        elif item.name not in named:
            graph.input.append(onnx.helper.make_tensor_value_info(item.name, item.data_type, list(item.dims)))
    if len(kept) < len(graph.initializer):
        copies = [onnx.TensorProto.FromString(item.SerializeToString()) for item in kept]
        del graph.initializer[:]
        graph.initializer.extend(copies)


def _node(node: Any) -> Node:
    attributes = {
        _text(item.name): item.i if item.type == 2 else item.s.decode("utf-8", "replace")[:200]
        for item in node.attribute
        if item.type in (2, 3)
    }
    return Node(_text(node.op_type), tuple(map(_text, node.input)), tuple(map(_text, node.output)), attributes)


def _text(value: str | bytes) -> str:
    """Names that are no valid UTF-8 come as bytes."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _nested_nodes(graph: Any, depth: int) -> Iterator[Any]:
    for node in graph.node:
        if depth:
            yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs) if attribute.type in (5, 10) else ():
                if depth < 16:
                    yield from _nested_nodes(inner, depth + 1)
