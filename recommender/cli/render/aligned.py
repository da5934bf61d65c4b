"""Rows of text in aligned columns."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """A header and rows, columns as wide as their widest cell and two blanks apart; the columns in `right` end alike."""
    table = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[number]) for row in table) for number in range(len(header))]
    return "\n".join("  ".join(_cell(text, widths[n], n in right) for n, text in enumerate(row)).rstrip() for row in table)


def _cell(text: str, width: int, is_right: bool) -> str:
    return text.rjust(width) if is_right else text.ljust(width)
