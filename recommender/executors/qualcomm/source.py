"""The ONNX model a step starts from: found, checked for what the Hexagon NPU cannot do, and made ready for quantization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported
from recommender.ports import TensorSpec

if TYPE_CHECKING:
    import onnx

CONTEXT_SUFFIX = "_ctx.onnx"  # how ONNX Runtime names a model whose graph is compiled
_MASK_BELOW, _MASK = -1e30, -1e4  # an attention mask's fill widens the range of its tensor until nothing is left of it in 8 or 16 bit
_QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "MatMulNBits")


def find_model(path: Path) -> Path:
    """The ONNX file of an artifact: itself, or the only one in a folder (the compiled one where there are two).

    Raises:
        Unsupported: there is none, or the format needs another loader.
    """
    if path.is_dir():
        files = sorted(path.glob("*.onnx"))
        compiled = [file for file in files if file.name.endswith(CONTEXT_SUFFIX)]
        if len(compiled or files) != 1:
            raise Unsupported(f"`{path}` holds {len(files) or 'no'} ONNX files: which one?" if files else f"`{path}` holds no ONNX file")
        return (compiled or files)[0]
    if path.suffix == ".bin" and (wrapper := path.with_name(path.name.removesuffix("_qnn.bin") + ".onnx")).is_file():
        return wrapper
    if path.suffix in (".bin", ".dlc"):
        raise Unsupported(f"`{path.name}`: ONNX Runtime loads a {path.suffix} file only inside a compiled ONNX model", hints=("recommend apply --framework qnn --model MODEL.onnx --out DIR",))
    if not path.is_file():
        raise Unsupported(f"`{path}` is not there")
    return path


def load(path: Path, *, weights: bool = True) -> onnx.ModelProto:
    """With its weights where they lie in a file beside it, unless told otherwise. Raises Unsupported when it is no ONNX model."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=weights)
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        raise Unsupported(f"`{path}` is not a readable ONNX model: {str(error).splitlines()[0]}") from None
    if not model.graph.node:
        raise Unsupported(f"`{path}` is not a readable ONNX model: it has no nodes")
    return model


def check_float(model: onnx.ModelProto, name: str) -> None:
    """Raises Unsupported for classic machine learning, compiled and already quantized graphs."""
    classic = sorted({node.op_type for node in model.graph.node if node.domain == "ai.onnx.ml"})
    if classic:
        raise Unsupported(f"`{name}` holds {', '.join(classic)} of ai.onnx.ml: QNN runs neural networks only", hints=(f"recommend apply --framework onnxruntime --model {name} --out DIR",))
    if is_compiled(model):
        raise Unsupported(f"`{name}` is compiled already: quantize the float model it was made from")
    if is_quantized(model):
        raise Unsupported(f"`{name}` is quantized already: give the float model")


def check_fixed(model: onnx.ModelProto, name: str) -> None:
    """Raises Unsupported for free dimensions: QNN compiles for one shape, and would leave every node to the processor."""
    free = [spec.name for spec in inputs_of(model) if None in spec.shape]
    if free:
        raise Unsupported(f"`{name}`: the input {', '.join(free)} has free dimensions, the NPU takes fixed ones (quantizing for it fixes them to the samples')")


def is_quantized(model: onnx.ModelProto) -> bool:
    return any(node.op_type in _QUANTIZED for node in model.graph.node)


def data_files(path: Path, model: onnx.ModelProto) -> list[Path]:
    """Files beside the model that hold weights of it."""
    names = {entry.value for tensor in model.graph.initializer for entry in tensor.external_data if entry.key == "location"}
    return [path.with_name(name) for name in sorted(names)]


def context_files(path: Path, model: onnx.ModelProto) -> list[Path]:
    """Context binaries beside a compiled model."""
    fields = [{field.name: field for field in node.attribute} for node in model.graph.node if node.op_type == "EPContext"]
    names = {each["ep_cache_context"].s.decode() for each in fields if "embed_mode" in each and not each["embed_mode"].i and "ep_cache_context" in each}
    return [path.with_name(name) for name in sorted(names)]


def is_compiled(model: onnx.ModelProto) -> bool:
    return any(node.op_type == "EPContext" for node in model.graph.node)


def inputs_of(model: onnx.ModelProto) -> tuple[TensorSpec, ...]:
    """The graph's inputs; initializers are none, even where an old model lists them."""
    from onnx.helper import tensor_dtype_to_np_dtype

    weights = {tensor.name for tensor in model.graph.initializer}
    return tuple(
        TensorSpec(
            name=value.name, dtype=tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name,
            shape=tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in value.type.tensor_type.shape.dim),
        )
        for value in model.graph.input if value.name not in weights
    )


def name_nodes(model: onnx.ModelProto) -> None:
    """Give nodes without a name one of their own: mixed precision refers to nodes by name."""
    taken = {node.name for node in model.graph.node}
    for number, node in enumerate(model.graph.node):
        if node.name:
            continue
        name = f"{node.op_type}_{number}"
        while name in taken:
            name += "_"
        node.name = name
        taken.add(name)


def flatten_biases(model: onnx.ModelProto) -> None:
    """Gemm's bias [1, n] as [n], which means the same: ONNX Runtime's quantizer by channel fails on the former (seen with 1.32)."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    readers = [(node, name) for node in model.graph.node for name in node.input]
    for node in model.graph.node:
        tensor = weights.get(node.input[2]) if node.op_type == "Gemm" and len(node.input) == 3 else None
        if tensor is None or len(tensor.dims) != 2 or tensor.dims[0] != 1 or any(each.op_type != "Gemm" for each, name in readers if name == tensor.name):
            continue
        del tensor.dims[0]


def clamp_masks(model: onnx.ModelProto) -> dict[str, float]:
    """Raise weights and constants below -1e30 to -1e4; name -> the lowest value there was, of what was changed."""
    import numpy as np
    from onnx import numpy_helper

    constants = [(node.output[0], field.t) for node in model.graph.node if node.op_type == "Constant" for field in node.attribute if field.name == "value"]
    changed = {}
    for name, tensor in [*((tensor.name, tensor) for tensor in model.graph.initializer), *constants]:
        values = numpy_helper.to_array(tensor)
        if values.dtype.kind != "f" or not values.size or not (low := values < _MASK_BELOW).any():
            continue
        changed[name] = float(max(values.min(), np.finfo(np.float32).min))  # JSON knows no infinity
        tensor.CopyFrom(numpy_helper.from_array(np.where(low, np.asarray(_MASK, values.dtype), values), tensor.name))
    return changed


def free_shapes(inputs: Sequence[TensorSpec], sample: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shapes to fix, from a sample: the NPU takes no free dimension."""
    return {spec.name: tuple(sample[spec.name].shape) for spec in inputs if None in spec.shape}
