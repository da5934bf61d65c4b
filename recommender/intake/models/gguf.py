"""GGUF: the header of a file and of its split parts (versions 1 to 3, little endian).

Layout: magic, version, number of tensors, number of key-value pairs, the pairs, the tensor descriptions, padding, data
(docs/gguf.md of the ggml project). Version 1 writes counts and lengths with 32 bits, later ones with 64.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommender.intake.models.gguf_types import BLOCKS
from recommender.intake.models.reading import Malformed, Window, count_elements, names_in, not_a, open_window, plural

MAX_PAIRS, MAX_TENSORS, MAX_STRINGS = 65_536, 1_000_000, 1 << 24
KEPT_TEXT, KEPT_LIST, MAX_KEY = 4096, 4096, 65_535
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_PART = re.compile(r"^(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: `shape` in ggml order (row length first); `size` in bytes, None for a type we do not know."""

    name: str
    shape: tuple[int, ...]
    type_id: int
    offset: int
    n_elements: int
    size: int | None

    @property
    def type_name(self) -> str:
        return BLOCKS[self.type_id][0] if self.type_id in BLOCKS else f"type-{self.type_id}"


@dataclass(frozen=True, slots=True)
class SkippedArray:
    """An array that was too long to keep."""

    length: int


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says. `data_size`: bytes of all tensors together."""

    version: int
    metadata: Mapping[str, Any]
    tensors: tuple[Tensor, ...]
    data_size: int
    file_size: int
    n_parts: int = 1


def read_header(path: Path) -> Header:
    """Header of a file; of a split file, the first part's metadata with the tensors of all parts.

    Raises:
        Malformed
    """
    parts = split_parts(path)
    headers = [_read_one(part) for part in parts]
    first = headers[0]
    return Header(
        version=first.version,
        metadata=first.metadata,
        tensors=tuple(tensor for header in headers for tensor in header.tensors),
        data_size=sum(header.data_size for header in headers),
        file_size=sum(header.file_size for header in headers),
        n_parts=len(parts),
    )


def split_parts(path: Path) -> tuple[Path, ...]:
    """All parts of the split file that `path` belongs to, in order; `path` alone when it is not split."""
    match = _PART.match(path.name)
    if not match or not 1 < int(match["count"]) <= 10_000:
        return (path,)
    present = set(names_in(path.parent))
    count = int(match["count"])
    names = [f"{match['stem']}-{number:05d}-of-{count:05d}.gguf" for number in range(1, count + 1)]
    missing = [name for name in names if name not in present]
    if missing:
        raise Malformed(f"is one part of {count}, and {plural(len(missing), 'part')} missing beside it: {missing[0]}")
    return tuple(path.parent / name for name in names)


def _read_one(path: Path) -> Header:
    with open_window(path) as window:
        return _Reader(window).header()


class _Reader:
    """A position in the file; each read is checked against its end."""

    def __init__(self, window: Window):
        self.window = window
        self.at = 0
        self.wide = "Q"

    def header(self) -> Header:
        head = self.window.data[:4]
        if head != b"GGUF":
            raise not_a("a GGUF file", self.window.data[:64])
        self.at = 4
        version = self.number("I")
        if version & 0xFFFF == 0 and version:
            raise Malformed("is a big-endian GGUF file; only little-endian files can be read here")
        if not 1 <= version <= 3:
            raise Malformed(f"is GGUF version {version}; versions 1 to 3 can be read")
        self.wide = "I" if version == 1 else "Q"
        n_tensors, n_pairs = self.count(MAX_TENSORS, "tensors"), self.count(MAX_PAIRS, "keys")
        metadata = self.pairs(n_pairs)
        tensors = [self.tensor() for _ in range(n_tensors)]
        start = _align(self.at, _alignment(metadata))
        return Header(version, metadata, tuple(tensors), self.data_size(tensors, start), self.window.size)

    def number(self, code: str) -> Any:
        width = struct.calcsize("<" + code)
        self.window.check(self.at, width)
        value = struct.unpack_from("<" + code, self.window.data, self.at)[0]
        self.at += width
        return value

    def count(self, limit: int, what: str) -> int:
        value: int = self.number(self.wide)
        if value > limit:
            raise Malformed(f"claims {value} {what}, more than any model has")
        return value

    def text(self, limit: int) -> str | None:
        """A string, None when it is longer than `limit` (it is skipped)."""
        length = self.number(self.wide)
        self.window.check(self.at, length)
        start, self.at = self.at, self.at + length
        return None if length > limit else self.window.data[start : self.at].decode("utf-8", "replace")

    def pairs(self, count: int) -> dict[str, Any]:
        metadata: dict[str, Any] = {}
        for _ in range(count):
            key = self.text(MAX_KEY)
            if key is None:
                raise Malformed("has a key of an impossible length")
            metadata[key] = self.value(self.number("I"))
        return metadata

    def value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _STRING:
            return self.text(KEPT_TEXT)
        if kind == _ARRAY:
            return self.array()
        raise Malformed(f"has a value of the unknown kind {kind}")

    def array(self) -> Any:
        kind, length = self.number("I"), self.number(self.wide)
        if kind in _SCALARS:
            return self.numbers(_SCALARS[kind], length)
        if kind == _STRING:
            return self.strings(length)
        raise Malformed(f"has an array of the unsupported kind {kind}")

    def numbers(self, code: str, length: int) -> Any:
        width = struct.calcsize("<" + code)
        self.window.check(self.at, width * length)
        start, self.at = self.at, self.at + width * length
        if length > KEPT_LIST:
            return SkippedArray(length)
        return struct.unpack_from(f"<{length}{code}", self.window.data, start)

    def strings(self, length: int) -> SkippedArray:
        """Token lists have hundreds of thousands of entries: step over them, keep the number."""
        width = struct.calcsize("<" + self.wide)
        if length > MAX_STRINGS:
            raise Malformed(f"claims a list of {length} strings, more than any model has")
        unpack, data, at, last = struct.Struct("<" + self.wide).unpack_from, self.window.data, self.at, self.window.size - width
        for _ in range(length):
            if at > last:
                break
            at += width + unpack(data, at)[0]
        else:
            self.window.check(at, 0)
            self.at = at
            return SkippedArray(length)
        raise Malformed(f"ends early: at least {at - last} bytes missing (the file has {self.window.size} bytes)")

    def tensor(self) -> Tensor:
        name = self.text(MAX_KEY)
        n_dimensions = self.number("I")
        if name is None or n_dimensions > 8:
            raise Malformed("has a tensor description that makes no sense")
        shape = tuple(self.number(self.wide) for _ in range(n_dimensions))
        type_id, offset = self.number("I"), self.number("Q")
        elements = count_elements(shape)
        return Tensor(name, shape, type_id, offset, elements, _tensor_size(name, shape, type_id, elements))

    def data_size(self, tensors: list[Tensor], start: int) -> int:
        """Bytes of the tensors.

        Raises:
            Malformed: the file ends before they do.
        """
        end = max((tensor.offset + (tensor.size or 0) for tensor in tensors), default=0)
        missing = start + end - self.window.size
        if tensors and missing > 0:
            raise Malformed(f"is truncated: {plural(missing, 'byte')} missing (it has {self.window.size} of {start + end})")
        if all(tensor.size is not None for tensor in tensors):
            return sum(tensor.size or 0 for tensor in tensors)
        return max(self.window.size - start, 0)


def _tensor_size(name: str, shape: tuple[int, ...], type_id: int, elements: int) -> int | None:
    if type_id not in BLOCKS:
        return None
    type_name, block, size = BLOCKS[type_id]
    if elements and shape and shape[0] % block:
        raise Malformed(f"has a tensor `{name[:60]}` whose rows of {shape[0]} do not fit {type_name}'s blocks of {block}")
    return elements // block * size


def _alignment(metadata: Mapping[str, Any]) -> int:
    value = metadata.get("general.alignment", 32)
    if not isinstance(value, int) or not 0 < value <= 1 << 20 or value & (value - 1):
        raise Malformed("has an alignment that is no power of two")
    return value


def _align(position: int, alignment: int) -> int:
    return (position + alignment - 1) // alignment * alignment
