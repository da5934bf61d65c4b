"""Cut the weights out of an ONNX file before it is parsed, so that memory does not grow with the model.

Walks the protocol-buffer fields of ModelProto (onnx.proto) and copies everything but the data of large tensors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from recommender.intake.models.reading import Malformed, Window
from recommender.intake.models.wire import BYTES, VARINT, Field, encode_field, fields, text_of, varint

KEEP = 4096  # bytes of a tensor's data that stay: shapes, axes and scalars that shape inference needs
MAX_GRAPH = 64 << 20  # bytes of graph description that are parsed
MAX_DEPTH = 16
BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16, 17: 8, 18: 8,
    19: 8,
    20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip
_DATA = {4, 5, 6, 7, 9, 10, 11}  # TensorProto: float, int32, string, int64, raw, double, uint64
_GRAPH, _NODE, _INITIALIZER, _ATTRIBUTE = 7, 1, 5, 5
_FUNCTIONS, _TRAINING = 25, 20


@dataclass(slots=True)
class Stripped:
    """The small model, and the external files that its tensors name."""

    model: bytes = b""
    external: set[str] = field(default_factory=set)
    n_written: int = 0


def strip(window: Window) -> Stripped:
    """ModelProto without the data of its large tensors.

    Raises:
        Malformed: no ModelProto, or a tensor whose data do not fit its shape.
    """
    done = Stripped()
    parts: list[bytes] = []
    for item in fields(window, 0, window.size):
        number, kind, at, length = item
        if number == _TRAINING:
            continue
        if number == _GRAPH and kind == BYTES:
            parts.append(_put(done, encode_field(number, BYTES, _graph(window, at, length, done, 0))))
        else:
            parts.append(_put(done, _copy(window, item)))
    done.model = b"".join(parts)
    return done


def _put(done: Stripped, data: bytes) -> bytes:
    done.n_written += len(data)
    if done.n_written > 4 * MAX_GRAPH:
        raise Malformed("has a graph description too large to be one")
    return data


def _copy(window: Window, item: Field) -> bytes:
    number, kind, at, length = item
    return (
        encode_field(number, VARINT, at)
        if kind == VARINT
        else encode_field(number, kind, window.take(at, min(length, MAX_GRAPH)))
    )


def _graph(window: Window, start: int, length: int, done: Stripped, depth: int) -> bytes:
    if depth > MAX_DEPTH:
        raise Malformed("has graphs nested too deeply")
    parts = []
    for item in fields(window, start, start + length):
        number, kind, at, size = item
        if kind == BYTES and number == _INITIALIZER:
            parts.append(_put(done, encode_field(number, BYTES, _tensor(window, at, size, done))))
        elif kind == BYTES and number == _NODE:
            parts.append(_put(done, encode_field(number, BYTES, _node(window, at, size, done, depth))))
        else:
            parts.append(_put(done, _copy(window, item)))
    return b"".join(parts)


def _node(window: Window, start: int, length: int, done: Stripped, depth: int) -> bytes:
    if length <= KEEP and depth == 0:
        return window.take(start, length)
    parts = []
    for item in fields(window, start, start + length):
        number, kind, at, size = item
        if number == _ATTRIBUTE and kind == BYTES:
            parts.append(encode_field(number, BYTES, _attribute(window, at, size, done, depth)))
        else:
            parts.append(_copy(window, item))
    return b"".join(parts)


def _attribute(window: Window, start: int, length: int, done: Stripped, depth: int) -> bytes:
    """AttributeProto: t = 5, g = 6, tensors = 10, graphs = 11."""
    parts = []
    for item in fields(window, start, start + length):
        number, kind, at, size = item
        if kind == BYTES and number in (5, 10):
            parts.append(encode_field(number, BYTES, _tensor(window, at, size, done)))
        elif kind == BYTES and number in (6, 11):
            parts.append(encode_field(number, BYTES, _graph(window, at, size, done, depth + 1)))
        else:
            parts.append(_copy(window, item))
    return b"".join(parts)


def _tensor(window: Window, start: int, length: int, done: Stripped) -> bytes:
    parts, dims, data_type, raw = [], [], 0, None
    for item in fields(window, start, start + length):
        number, kind, at, size = item
        if number == 1:
            dims += [at] if kind == VARINT else _packed(window, at, size)
        elif number == 2 and kind == VARINT:
            data_type = at
        elif number == 9:
            raw = size
        elif number == 13 and kind == BYTES:
            _note_external(window, at, size, done)
        if number not in _DATA or length <= KEEP:
            parts.append(_copy(window, item))
    _check_raw(dims, data_type, raw)
    return b"".join(parts)


def _packed(window: Window, start: int, length: int) -> list[int]:
    values: list[int] = []
    at, end = start, start + length
    while at < end and len(values) < 64:
        value, at = varint(window, at, end)
        values.append(value)
    return values


def _check_raw(dims: list[int], data_type: int, raw: int | None) -> None:
    """Raw data must be as long as the shape says."""
    if raw is None or data_type not in BITS or any(size >> 40 for size in dims):
        return
    expected = (math.prod(dims) * BITS[data_type] + 7) // 8
    if raw != expected:
        raise Malformed(f"has a tensor with {raw} bytes of data where its shape needs {expected}")


def _note_external(window: Window, start: int, length: int, done: Stripped) -> None:
    """StringStringEntryProto: key = 1, value = 2."""
    entry = {
        number: text_of(window, at, size) for number, kind, at, size in fields(window, start, start + length) if kind == BYTES
    }
    if entry.get(1) == "location":
        done.external.add(entry.get(2, ""))
        if len(done.external) > 100_000:
            raise Malformed("names too many external files")
