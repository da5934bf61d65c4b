"""The protocol-buffer wire format: walk the fields of a message without building it."""

from __future__ import annotations

from collections.abc import Iterator

from recommender.intake.models.reading import Malformed, Window

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_FIELDS = 4_000_000

Field = tuple[int, int, int, int]  # number, wire type, start of the value (or the value of a varint), length


def varint(window: Window, at: int, end: int) -> tuple[int, int]:
    """Value and the position after it.

    Raises:
        Malformed
    """
    value = shift = 0
    data = window.data
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise Malformed("has a broken number in its header")


def fields(window: Window, start: int, end: int) -> Iterator[Field]:
    """The fields of the message in [start, end)."""
    at = start
    for _ in range(MAX_FIELDS):
        if at >= end:
            return
        tag, at = varint(window, at, end)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise Malformed("has a field without a number")
        if kind == VARINT:
            value, at = varint(window, at, end)
            yield number, kind, value, 0
            continue
        if kind == BYTES:
            length, at = varint(window, at, end)
        elif kind == FIXED64:
            length = 8
        elif kind == FIXED32:
            length = 4
        else:
            raise Malformed("has a field of an unknown kind")
        if at + length > end:
            raise Malformed(f"ends early: {at + length - end} bytes missing in one of its parts")
        yield number, kind, at, length
        at += length
    raise Malformed("has too many fields")


def encode_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_field(number: int, kind: int, value: bytes | int) -> bytes:
    """One field: an integer for VARINT, else its bytes."""
    tag = encode_varint(number << 3 | kind)
    if isinstance(value, int):
        return tag + encode_varint(value)
    return tag + (encode_varint(len(value)) + value if kind == BYTES else value)


def text_of(window: Window, start: int, length: int, limit: int = 4096) -> str:
    """A string field, cut at `limit` bytes."""
    return window.take(start, min(length, limit)).decode("utf-8", "replace")
