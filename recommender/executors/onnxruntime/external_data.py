"""Initializers of an ONNX graph whose numbers are written to a file beside it as they come, so that no more than a piece is in memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import numpy as np
    import onnx


class ExternalData:
    """A context. tensors: initializers so far, in the order of the file."""

    def __init__(self, path: Path):
        self._path = path
        self._stream: BinaryIO | None = None
        self.tensors: list[onnx.TensorProto] = []

    def __enter__(self) -> ExternalData:
        self._stream = self._path.open("wb")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._stream:
            self._stream.close()

    def add(self, name: str, shape: tuple[int, ...], parts: Iterable[np.ndarray]) -> str:
        """An initializer of these numbers, piece by piece, all of one type; its name."""
        import onnx

        assert self._stream
        found, start = onnx.TensorProto(name=name, dims=shape, data_location=onnx.TensorProto.EXTERNAL), self._stream.tell()
        for part in parts:
            found.data_type = onnx.helper.np_dtype_to_tensor_dtype(part.dtype)
            self._stream.write(part.data)
        for key, value in (("location", self._path.name), ("offset", start), ("length", self._stream.tell() - start)):
            found.external_data.add(key=key, value=str(value))
        self.tensors.append(found)
        return name
