"""ONNX files on both sides of a workflow: what they take, what they hold, and whether they load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported, WrongOutput

if TYPE_CHECKING:
    import onnx

SINGLE_FILE = 1_900_000_000  # bytes; a protobuf message cannot be larger than 2 GiB, the rest goes to a file beside it
QUANTIZED = ("DequantizeLinear", "DynamicQuantizeLinear", "MatMulNBits", "GatherBlockQuantized", "MatMulInteger", "ConvInteger", "QLinearConv", "QLinearMatMul")
LOW = ("int8", "uint8", "int4", "uint4")


def only_file(source: Path) -> Path:
    """The ONNX file that a source is or holds; raises Unsupported for anything else."""
    found = [source] if source.is_file() else sorted(source.glob("*.onnx"))
    if len(found) != 1 or found[0].suffix != ".onnx":
        raise Unsupported(f"`{source.name}`: one ONNX file is needed; onnx-export makes it of a Hugging Face folder")
    return found[0]


def inputs(file: Path) -> dict[str, tuple[str, int]]:
    """Name -> (numpy type, batch size: 1 where it is free); raises Unsupported for what cannot be read as ONNX."""
    from onnx import helper

    graph = _graph(file)
    weights = {tensor.name for tensor in graph.initializer}
    told = {}
    for value in graph.input:
        if value.name not in weights:
            axes = value.type.tensor_type.shape.dim
            told[value.name] = (helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name, max(1, axes[0].dim_value) if axes else 1)
    return told


def check_samples(file: Path | None, needed: Mapping[str, tuple[str, int]]) -> None:
    """Raises Unsupported when there are no samples, or not of every input, or fewer than a batch."""
    import numpy as np

    if file is None:
        raise Unsupported("static quantization needs calibration samples (an .npz file with one array for each input)")
    with np.load(file) as samples:
        for name, (_, batch) in needed.items():
            if name not in samples.files:
                raise Unsupported(f"{file.name} has no samples of the input `{name}` (it has {', '.join(samples.files) or 'nothing'})")
            if len(samples[name]) < batch:
                raise Unsupported(f"{file.name} holds fewer samples of `{name}` than one batch of the model")


def described(file: Path) -> dict[str, Any]:
    """operators (type -> nodes), weights (element type -> tensors), quantized_nodes, quantized_weights (of more than one element)."""
    import onnx

    graph = _graph(file)
    operators, weights = Counter(node.op_type for each in _graphs(graph) for node in each.node), Counter[str]()
    low = 0
    for each in _graphs(graph):
        for tensor in each.initializer:
            kind = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
            weights[kind] += 1
            low += kind in LOW and len(tensor.dims) > 1
    return {
        "operators": dict(sorted(operators.items())), "weights": dict(sorted(weights.items())), "quantized_weights": low,
        "quantized_nodes": sum(operators[name] for name in QUANTIZED),
    }


def save_as(made: Path, file: Path) -> None:
    """A model under another name, its weights inside where one file can hold them."""
    import onnx

    model = onnx.load(made)
    onnx.save_model(model, file, save_as_external_data=model.ByteSize() > SINGLE_FILE, all_tensors_to_one_file=True, location=file.name + ".data")


def check_it_loads(file: Path) -> None:
    """Raises WrongOutput when ONNX Runtime refuses the file."""
    import onnxruntime

    try:
        onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise WrongOutput(f"ONNX Runtime cannot load what Olive made: {' '.join(str(error).split())[:300]}") from error


def _graph(file: Path) -> onnx.GraphProto:
    import onnx

    try:
        return onnx.load(file, load_external_data=False).graph
    except Exception as error:  # protobuf's own class, or OSError
        raise Unsupported(f"`{file.name}` cannot be read as ONNX: {' '.join(str(error).split())[:300]}") from error


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and all it holds: loop bodies, branches."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for each in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                yield from _graphs(each)
