"""safetensors: the header of a file or of an indexed set of files.

Layout: length of the header (64 bits, little endian), the header as JSON, then the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recommender.intake.models.reading import (
    Malformed,
    count_elements,
    kind_of,
    not_a,
    open_window,
    parse_json,
    plural,
    read_json,
)

MAX_HEADER = 100_000_000
BITS = {
    "F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16, "U16": 16, "F8_E4M3": 8,
    "F8_E5M2": 8, "F8_E8M0": 8, "I8": 8, "U8": 8, "BOOL": 8, "C64": 64, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor as stored."""

    dtype: str
    shape: tuple[int, ...]
    n_elements: int
    size: int


@dataclass(frozen=True, slots=True)
class Weights:
    """All tensors of a model. `size`: bytes of its files."""

    tensors: Mapping[str, Entry]
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()


def read_weights(folder: Path, names: Iterable[str]) -> Weights:
    """Headers of these files together.

    Raises:
        Malformed: with the file's name when there are several.
    """
    tensors: dict[str, Entry] = {}
    metadata: dict[str, str] = {}
    size, files = 0, tuple(names)
    for name in files:
        try:
            part = read_file(folder / name)
        except Malformed as problem:
            raise Malformed(f"has a part that cannot be used: {name} {problem.message}", *problem.hints) from None
        tensors.update(part.tensors)
        metadata.update(part.metadata)
        size += part.size
    return Weights(tensors, size, metadata, files)


def read_file(path: Path) -> Weights:
    """Header of one file.

    Raises:
        Malformed
    """
    with open_window(path) as window:
        head = window.data[:64]
        if head[8:9] not in (b"{", b"[") and kind_of(head):  # a length may look like another file's first bytes
            raise not_a("a safetensors file", head)
        length = int.from_bytes(window.take(0, 8), "little")
        if length > MAX_HEADER or length < 2:
            raise Malformed(f"is not a safetensors file: its header claims {plural(length, 'byte')}")
        header = window.take(8, length)
        tensors, metadata = parse_header(header, window.size - 8 - length)
        return Weights(tensors, window.size, metadata, (path.name,))


def parse_header(header: bytes, data_size: int | None) -> tuple[dict[str, Entry], dict[str, str]]:
    """Tensors and free-form metadata; `data_size` None when the data are elsewhere (a partial download).

    Raises:
        Malformed: offsets that overlap, lie outside the data or do not fit the shape.
    """
    value = parse_json(header, "its header")
    if not isinstance(value, dict):
        raise Malformed("is not a safetensors file: its header is no JSON object")
    free = value.pop("__metadata__", None)
    metadata = {str(k): str(v)[:4096] for k, v in free.items()} if isinstance(free, dict) else {}
    spans: list[tuple[int, int]] = []
    tensors = {name: _entry(name, description, spans) for name, description in value.items()}
    _check_spans(spans, data_size)
    return tensors, metadata


def _entry(name: str, description: Any, spans: list[tuple[int, int]]) -> Entry:
    try:
        dtype, shape, (begin, end) = description["dtype"], description["shape"], description["data_offsets"]
        if not all(type(number) is int for number in (*shape, begin, end)) or not isinstance(dtype, str):
            raise TypeError
    except (KeyError, TypeError, ValueError):
        raise Malformed(f"describes its tensor `{name[:60]}` wrongly") from None
    elements = count_elements(shape)
    if not 0 <= begin <= end:
        raise Malformed(f"has a tensor `{name[:60]}` whose end lies before its start")
    if dtype in BITS and end - begin != (elements * BITS[dtype] + 7) // 8:
        raise Malformed(f"has a tensor `{name[:60]}` whose shape does not fit its bytes")
    spans.append((begin, end))
    return Entry(dtype, tuple(shape), elements, end - begin)


def _check_spans(spans: list[tuple[int, int]], data_size: int | None) -> None:
    spans.sort()
    last = 0
    for begin, end in spans:
        if begin < last:
            raise Malformed("has tensors that overlap")
        last = end
    if data_size is not None and last > data_size:
        raise Malformed(f"is truncated: {plural(last - data_size, 'byte')} missing")


def files_of_index(path: Path) -> tuple[str, ...]:
    """Names of the files that an index lists.

    Raises:
        Malformed: a name that leaves the folder, or a file that is not there.
    """
    weight_map = read_json(path).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise Malformed(f"has an index without weight_map: {path.name}")
    names = tuple(sorted(set(weight_map.values())))
    if any("/" in name or "\\" in name or name in ("", ".", "..") for name in names):
        raise Malformed(f"has an index that names files outside its folder: {path.name}")
    missing = [name for name in names if not (path.parent / name).exists()]
    if missing:
        raise Malformed(f"lacks {len(missing)} of the {len(names)} weight files that its index lists, the first is {missing[0]}")
    return names
