"""A small reader of FlatBuffers: tables, vectors, strings, each access checked against the size of the file."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from recommender.intake.models.reading import Malformed, Window

MAX_VECTOR = 1_000_000


@dataclass(frozen=True, slots=True)
class Table:
    """A table at `at`; fields are addressed by their index in the schema."""

    window: Window
    at: int

    def _field(self, index: int) -> int:
        """Position of the field, 0 when it is absent."""
        vtable = self.at - _number(self.window, "<i", self.at)
        length = _number(self.window, "<H", vtable)
        slot = 4 + 2 * index
        if slot + 2 > length:
            return 0
        offset = _number(self.window, "<H", vtable + slot)
        return self.at + offset if offset else 0

    def number(self, index: int, code: str, default: int = 0) -> int:
        """A scalar; `code` is one of struct's letters."""
        at = self._field(index)
        return _number(self.window, "<" + code, at) if at else default

    def table(self, index: int) -> Table | None:
        at = self._field(index)
        return Table(self.window, _follow(self.window, at)) if at else None

    def text(self, index: int) -> str | None:
        at = self._field(index)
        return _text(self.window, _follow(self.window, at)) if at else None

    def vector(self, index: int, width: int) -> tuple[int, int]:
        """Position of the first element and their number."""
        at = self._field(index)
        if not at:
            return 0, 0
        start = _follow(self.window, at)
        count = _number(self.window, "<I", start)
        self.window.check(start + 4, count * width)
        return start + 4, count

    def numbers(self, index: int, code: str) -> tuple[int, ...]:
        width = struct.calcsize("<" + code)
        start, count = self.vector(index, width)
        _limit(count)
        return struct.unpack(f"<{count}{code}", self.window.take(start, count * width))

    def tables(self, index: int) -> tuple[Table, ...]:
        start, count = self.vector(index, 4)
        _limit(count)
        return tuple(Table(self.window, _follow(self.window, start + 4 * i)) for i in range(count))


def root(window: Window) -> Table:
    """The root table of a file."""
    return Table(window, _follow(window, 0))


def _number(window: Window, code: str, at: int) -> int:
    window.check(at, struct.calcsize(code))
    value: int = struct.unpack_from(code, window.data, at)[0]
    return value


def _follow(window: Window, at: int) -> int:
    return at + _number(window, "<I", at)


def _text(window: Window, at: int) -> str:
    length = _number(window, "<I", at)
    window.check(at + 4, length)
    return window.take(at + 4, min(length, 4096)).decode("utf-8", "replace")


def _limit(count: int) -> None:
    if count > MAX_VECTOR:
        raise Malformed("has a list of an impossible length")
