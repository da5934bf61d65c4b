"""What a graph goes through before it is quantized: shape inference and folding, and attention masks that leave a usable range."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.executors.onnxruntime.model_file import SINGLE_FILE, graphs, stored_size

if TYPE_CHECKING:
    import onnx

MASK_FILL = -1e30  # a constant below it is an attention-mask fill: the range it makes cannot be resolved by any integer type
CLAMPED_TO = -1e4  # still nothing after a softmax


def preprocess(source: Path, target: Path) -> tuple[Path, str]:
    """The model to quantize and how it was prepared: `target`, or `source` itself where preparing it fails.

    Symbolic shape inference fails on some exports (and needs sympy); the rest is done without it then.
    """
    from onnxruntime.quantization import quant_pre_process

    why = ""
    for symbolic in (True, False):
        try:
            quant_pre_process(
                str(source), str(target), skip_symbolic_shape=not symbolic, auto_merge=True,
                save_as_external_data=stored_size(source) > SINGLE_FILE, all_tensors_to_one_file=True,
            )
        except Exception as error:  # noqa: BLE001  it raises whatever its passes raise
            why = f"{type(error).__name__}: {error}"[:200]
        else:
            return target, "full" if symbolic else f"without symbolic shapes ({why})"
    return source, f"none ({why})"


def clamp_mask_fills(model: onnx.ModelProto) -> int:
    """Raise float constants below MASK_FILL to CLAMPED_TO, in place. Returns the number of tensors changed."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    changed = 0
    for tensor in _constants(model.graph):
        if tensor.data_type not in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE):
            continue
        values = numpy_helper.to_array(tensor)
        if (values < MASK_FILL).any():
            tensor.CopyFrom(numpy_helper.from_array(np.where(values < MASK_FILL, CLAMPED_TO, values).astype(values.dtype), tensor.name))
            changed += 1
    return changed


def _constants(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    for each in graphs(graph):
        yield from each.initializer
        for node in each.node:
            yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))
