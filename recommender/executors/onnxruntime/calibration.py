"""Calibration samples for static quantization: an `.npz` file, read one batch at a time as the calibrators ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.domain.errors import Unsupported

if TYPE_CHECKING:
    import numpy as np
    import onnx


class CalibrationReader:
    """What `quantize_static` calls a data reader: `get_next` until None, over a range of batches."""

    def __init__(self, arrays: Mapping[str, np.ndarray], batch: int):
        self._arrays, self._batch = arrays, batch
        self._next, self._end = 0, len(self)

    def __len__(self) -> int:
        """Number of whole batches."""
        return len(next(iter(self._arrays.values()))) // self._batch

    def set_range(self, start_index: int, end_index: int) -> None:
        """Go on at one batch and stop before another."""
        self._next, self._end = start_index, end_index

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The feeds of the next batch, None after the last."""
        if self._next >= self._end:
            return None
        first = self._next * self._batch
        self._next += 1
        return {name: array[first : first + self._batch] for name, array in self._arrays.items()}


def reader(model: onnx.ModelProto, file: Path | None, limit: int | None = None) -> CalibrationReader:
    """The first `limit` samples of the file (None: all), in the element types of the model's inputs and batches of its size (1 where it is free).

    Raises:
        Unsupported: no file, an input without samples, or fewer samples than one batch.
    """
    import numpy as np
    from onnx import helper

    if file is None:
        raise Unsupported("static quantization needs calibration samples (an .npz file with one array for each input)")
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    arrays: dict[str, np.ndarray] = {}
    with np.load(file) as samples:
        missing = sorted({value.name for value in inputs} - set(samples.files))
        if missing:
            raise Unsupported(f"{file.name} has no samples of the input `{missing[0]}` (it has {', '.join(samples.files) or 'nothing'})")
        for value in inputs:
            dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
            arrays[value.name] = samples[value.name][:limit].astype(dtype, copy=False)
    first = inputs[0].type.tensor_type.shape.dim
    found = CalibrationReader(arrays, batch=max(1, first[0].dim_value) if first else 1)
    if not len(found):
        raise Unsupported(f"{file.name} holds fewer samples than one batch of the model")
    return found
