"""ONNX files: finding, saving and describing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported

if TYPE_CHECKING:
    import onnx

SINGLE_FILE = 1_900_000_000  # bytes; a protobuf message cannot be larger than 2 GiB, the rest goes to a file beside it
FILE = "model.onnx"
INTEGERS = frozenset(("int8", "uint8", "int4", "uint4"))  # element types of quantized weights


def model_file(artifact: Path) -> Path:
    """The ONNX file that an artifact is, or the only one in it; raises Unsupported when there is none or more than one."""
    if artifact.is_file():
        return artifact
    found = sorted(artifact.glob("*.onnx"))
    if len(found) != 1:
        raise Unsupported(f"{artifact}: {len(found)} ONNX files, one is needed")
    return found[0]


def stored_size(file: Path) -> int:
    """Bytes of a model: its file and the weights that it keeps in others."""
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    model = _graph_only(file)
    tensors = [tensor for graph in graphs(model.graph) for tensor in graph.initializer if uses_external_data(tensor)]
    others = {ExternalDataInfo(tensor).location for tensor in tensors}
    return file.stat().st_size + sum((file.parent / other).stat().st_size for other in others)


def save(model: onnx.ModelProto, file: Path) -> None:
    """Write a model, with its weights beside it where one file cannot hold them."""
    import onnx

    onnx.save_model(
        model, file, save_as_external_data=model.ByteSize() > SINGLE_FILE, all_tensors_to_one_file=True, location=file.name + ".data",
    )


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and all it holds: loop bodies, branches."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs(attribute.g)
            for each in attribute.graphs:
                yield from graphs(each)


def nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """All nodes, those of loop bodies and branches included."""
    for each in graphs(graph):
        yield from each.node


def describe(file: Path) -> dict[str, Any]:
    """What a file holds: `operators` (type -> number of nodes) and `weights` (element type -> `tensors`, `bytes`)."""
    import onnx
    from onnx import helper

    model = _graph_only(file)
    weights: dict[str, dict[str, int]] = {}
    for graph in graphs(model.graph):
        for tensor in graph.initializer:
            name = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
            row = weights.setdefault(name, {"tensors": 0, "bytes": 0})
            row["tensors"] += 1
            row["bytes"] += prod(tensor.dims) * _bits(name, helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize) // 8
    operators = Counter(node.op_type for node in nodes(model.graph))
    return {"operators": dict(sorted(operators.items())), "weights": dict(sorted(weights.items()))}


def quantized_weights(file: Path, types: frozenset[str]) -> int:
    """Number of nodes that read a weight stored in one of the element types (as the data or as the second operand, not as a zero point)."""
    import onnx

    model = _graph_only(file)
    low = {
        tensor.name for graph in graphs(model.graph) for tensor in graph.initializer if onnx.TensorProto.DataType.Name(tensor.data_type).lower() in types
    }
    return sum(1 for node in nodes(model.graph) if not low.isdisjoint(node.input[:2]))


def versions(*packages: str) -> Mapping[str, str]:
    """Installed versions by package."""
    from importlib.metadata import version

    return {package: version(package) for package in packages}


def _graph_only(file: Path) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(file, load_external_data=False)
    except DecodeError:
        raise Unsupported(f"`{file.name}` is not an ONNX file") from None


def _bits(name: str, itemsize: int) -> int:
    return 4 if name in ("int4", "uint4", "float4e2m1") else 8 * itemsize
