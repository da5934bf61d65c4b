"""Bounded access to files that nobody vouches for.

Every reader raises `Malformed` with what is wrong; the front door adds the user's own words.
"""

from __future__ import annotations

import json
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MAX_JSON = 100_000_000  # bytes of one JSON text that are parsed
MAX_ELEMENTS = 1 << 62  # elements of one tensor that are believed

_KINDS = (
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a Linux program"),
    (b"MZ", "a Windows program"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"GGUF", "a GGUF file"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"version https://git-lfs", "a Git LFS pointer"),
    (b"<!DOCTYPE html", "a web page"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML file"),
    (b"{", "a JSON text"),
    (b"RIFF", "a RIFF (audio or video) file"),
)


class Malformed(Exception):
    """A file is not what it says. `message` completes the sentence after the user's words; `hints` can be pasted."""

    def __init__(self, message: str, *hints: str):
        super().__init__(message)
        self.message = message
        self.hints = hints


class Window:
    """Read-only bytes of a file with every access checked against its size."""

    def __init__(self, data: mmap.mmap | bytes, name: str):
        self.data = data
        self.size = len(data)
        self.name = name

    def take(self, start: int, length: int) -> bytes:
        self.check(start, length)
        return self.data[start : start + length]

    def check(self, start: int, length: int) -> None:
        if start < 0 or length < 0 or start + length > self.size:
            missing = max(start + length - self.size, 0)
            raise Malformed(f"ends early: {plural(missing, 'byte')} missing (the file has {self.size} bytes)")


@contextmanager
def open_window(path: Path) -> Iterator[Window]:
    """Map a regular file; nothing is read until it is touched.

    Raises:
        Malformed: not a regular file, empty, or not readable.
    """
    size = file_size(path)
    if size == 0:
        raise Malformed("is an empty file")
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield Window(data, path.name)
    except (OSError, ValueError) as problem:
        raise Malformed(f"cannot be read: {reason(problem)}") from None


def file_size(path: Path) -> int:
    """Bytes of a regular file. A pipe or a device would block or never end, so it is refused."""
    try:
        status = path.stat()
    except (OSError, ValueError) as problem:
        raise Malformed(f"cannot be read: {reason(problem)}") from None
    if not stat.S_ISREG(status.st_mode):
        raise Malformed("is not a regular file")
    return status.st_size


def read_head(path: Path, length: int = 4096) -> bytes:
    """The first bytes of a regular file."""
    file_size(path)
    try:
        with path.open("rb") as file:
            return file.read(length)
    except OSError as problem:
        raise Malformed(f"cannot be read: {reason(problem)}") from None


def reason(problem: Exception) -> str:
    return (getattr(problem, "strerror", None) or str(problem) or type(problem).__name__).lower()


def plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def kind_of(head: bytes) -> str | None:
    """What a file evidently is, from its first bytes."""
    return next((kind for magic, kind in _KINDS if head.startswith(magic)), None)


def not_a(what: str, head: bytes) -> Malformed:
    """The error for a file that is not `what`, saying what it is instead when that shows."""
    kind = kind_of(head)
    if kind == "a Git LFS pointer":
        return Malformed("is a Git LFS pointer, the file itself was not downloaded", "git lfs pull")
    return Malformed(f"is not {what}" + (f": it is {kind}" if kind else ""))


def parse_json(text: bytes, what: str) -> Any:
    """Parse JSON of bounded size; deep nesting and broken text are one-line errors.

    Raises:
        Malformed
    """
    if len(text) > MAX_JSON:
        raise Malformed(f"{what} is larger than {MAX_JSON // 1_000_000} MB")
    try:
        return json.loads(text)
    except RecursionError:
        raise Malformed(f"{what} is nested too deeply") from None
    except ValueError as problem:
        raise Malformed(f"{what} is not valid JSON ({str(problem)[:80]})") from None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file."""
    if file_size(path) > MAX_JSON:
        raise Malformed(f"{path.name} is larger than {MAX_JSON // 1_000_000} MB")
    try:
        value = parse_json(path.read_bytes(), path.name)
    except OSError as problem:
        raise Malformed(f"{path.name} cannot be read: {reason(problem)}") from None
    if not isinstance(value, dict):
        raise Malformed(f"{path.name} does not hold a JSON object")
    return value


def count_elements(shape: tuple[int, ...] | list[int]) -> int:
    """Product of dimensions.

    Raises:
        Malformed: negative or absurd.
    """
    total = 1
    for dimension in shape:
        if dimension < 0:
            raise Malformed("has a tensor with a negative dimension")
        total *= dimension
        if total > MAX_ELEMENTS:
            raise Malformed("has a tensor with an impossible shape")
    return total


def names_in(folder: Path) -> tuple[str, ...]:
    """Names of a directory, sorted, at most 100 000."""
    try:
        with os.scandir(folder) as entries:
            names = []
            for entry in entries:
                names.append(entry.name)
                if len(names) > 100_000:
                    raise Malformed("has too many files")
    except (OSError, ValueError) as problem:
        raise Malformed(f"cannot be read: {reason(problem)}") from None
    return tuple(sorted(names))


def tree_size(folder: Path) -> int:
    """Bytes of all regular files below a folder; links to folders are not followed, so a loop cannot catch us."""
    total = 0
    for root, _, files in os.walk(folder, followlinks=False):
        for name in files:
            try:
                status = os.lstat(os.path.join(root, name))
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                total += status.st_size
    return total
