"""What a cell of a table says: the one place where text becomes a number."""

from __future__ import annotations

from collections.abc import Mapping


def first(row: Mapping[str, str], *columns: str) -> str:
    """Of the columns that different tables give the same fact: the first that is filled in, else an empty text."""
    for column in columns:
        value = row.get(column)
        if value:
            return value
    return ""


def positive(text: str | None) -> float | None:
    """A finite number above zero, as all amounts in these tables are; None for anything else, an empty cell among it."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None
