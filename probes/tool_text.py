"""Reading what tools print: values that mean "not told", sizes, PCI addresses, broken JSON. Not a probe; pure.

Nothing here raises on junk: what cannot be read is None.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_UNKNOWN = re.compile(
    r"^[\[<(]?\s*(?:n/?a|none|null|unknown|not supported|not available|unknown error|insufficient permissions|gpu is lost"
    r"|gpu requires reset|no data|redacted|-+|\?*)\s*[\])>]?$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"([-+]?\d{1,20}(?:\.\d{1,12})?)\s*([A-Za-z]*)")
_UNITS = {
    "b": 1, "byte": 1, "bytes": 1,
    "k": 1 << 10, "kb": 1 << 10, "kib": 1 << 10,
    "m": 1 << 20, "mb": 1 << 20, "mib": 1 << 20,
    "g": 1 << 30, "gb": 1 << 30, "gib": 1 << 30,
    "t": 1 << 40, "tb": 1 << 40, "tib": 1 << 40,
}  # fmt: skip
_ADDRESS = re.compile(r"^(?:([0-9a-f]{1,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$", re.IGNORECASE)
_REPAIRS = 8
_MAX_JSON = 1 << 20  # characters; a report of devices is far smaller
_CLOSING = {"{": "}", "[": "]"}


def clean(text: Any) -> str:
    """Text without NUL bytes, byte-order mark, terminal colours and carriage returns; "" for what is no text."""
    if not isinstance(text, str):
        return ""
    return re.sub(r"\x1b\[[0-9;]*m", "", text.replace("\x00", "").replace("\ufeff", "")).replace("\r\n", "\n")


def known(value: Any) -> str | None:
    """The stripped text, None for every spelling of "not told" (N/A, [Not Supported], <N/A>, unknown, ...)."""
    if value is None or isinstance(value, (dict, list, bool)):
        return None
    text = str(value).strip()
    return None if not text or _UNKNOWN.match(text) else text


def integer(value: Any) -> int | None:
    """A whole number at the start of a text (decimal, or hexadecimal with 0x), else None."""
    text = known(value)
    if text is None:
        return None
    if found := re.match(r"0x([0-9a-f]{1,16})\b", text, re.IGNORECASE):
        return int(found[1], 16)
    found = re.match(r"-?\d{1,20}", text)
    return int(found[0]) if found else None


def size(value: Any, unit: str = "b") -> int | None:
    """Bytes of `24564 MiB`, `36037804032`, `46068MiB`; `unit` is meant where none is printed.

    Tools of this kind print powers of two under MB and GB as well, so both spellings are read as such.
    """
    text = known(value)
    found = _NUMBER.match(text) if text else None
    if not found:
        return None
    factor = _UNITS.get((found[2] or unit).lower())
    number = float(found[1]) if "." in found[1] else int(found[1])
    return int(number * factor) if factor and number >= 0 else None


def size_pair(value: Any) -> tuple[int, int] | None:
    """(first, second) in the printed unit of `55MiB / 143771MiB` or `3162 / 65536`, as bytes of MiB; None when it is none."""
    found = re.search(r"(\d{1,12})\s*(?:MiB|MB)?\s*/\s*(\d{1,12})\s*(?:MiB|MB)?", str(value))
    return (int(found[1]) << 20, int(found[2]) << 20) if found else None


def pci_address(value: Any) -> str | None:
    """`0000:01:00.0` from any spelling (8-digit domain, upper case, no domain, `PCI-E, ...`, brackets), else None."""
    text = known(value)
    if text is None:
        return None
    text = text.rsplit(",", 1)[-1].strip(" []\t")
    found = _ADDRESS.match(text)
    if not found:
        return None
    domain = (found[1] or "0").lower().lstrip("0").rjust(4, "0")
    return f"{domain}:{found[2]}:{found[3]}.{found[4]}".lower()


def pci_id(vendor: Any, device: Any) -> str | None:
    """`10de:2684` from two hexadecimal texts (with or without 0x) or two numbers, else None."""
    parts = []
    for value in (vendor, device):
        if isinstance(value, int) and not isinstance(value, bool):
            text: str | None = f"{value:04x}"
        else:
            text = known(value)
        found = re.fullmatch(r"(?:0x)?([0-9a-f]{1,4})", text.lower()) if text else None
        if not found:
            return None
        parts.append(found[1].rjust(4, "0"))
    return ":".join(parts)


def drop_unknown(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without the keys whose value is None, "" or empty."""
    return {key: value for key, value in values.items() if value is not None and value != "" and value != {} and value != ()}


def csv_rows(lines: Iterable[str]) -> list[list[str]]:
    """The fields of each line, stripped; a line that is no row of a table (far too long, broken quotes) is left out."""
    rows = []
    for line in lines:
        if not line.strip() or len(line) > 10_000:
            continue
        try:
            rows += [[field.strip() for field in row] for row in csv.reader([line], skipinitialspace=True)]
        except csv.Error:
            continue
    return rows


def walk(node: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Every JSON object inside a document, outer ones first; text that is itself JSON is opened."""
    if depth > 40:
        return
    if isinstance(node, dict):
        yield node
        children: list[Any] = list(node.values())
    elif isinstance(node, list):
        children = node
    elif isinstance(node, str) and node.lstrip()[:1] in ("{", "["):
        children = [load_json(node)]
    else:
        return
    for child in children:
        yield from walk(child, depth + 1)


def load_json(text: str) -> Any:
    """The document in a text. Lines before it are skipped and a cut document is closed after its last whole value; else None."""
    starts = [position for position in (text.find("{"), text.find("[")) if position >= 0]
    for start in sorted(starts):
        document = _load_or_repair(text[start : start + _MAX_JSON])
        if document:
            return document
    return None


def _load_or_repair(text: str) -> Any:
    decoder = json.JSONDecoder()
    for _ in range(_REPAIRS):
        try:
            return decoder.raw_decode(text)[0]
        except json.JSONDecodeError as error:
            shorter = _close(text, min(error.pos, len(text)))
        except (RecursionError, ValueError):
            return None
        if shorter is None or shorter == text:
            return None
        text = shorter
    return None


def _close(text: str, limit: int) -> str | None:
    """The text up to the last comma or closed bracket before `limit`, with what is open closed."""
    stack: list[str] = []
    kept: tuple[int, str] | None = None
    in_string = escaped = False
    for position, character in enumerate(text[:limit]):
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "{[":
            stack.append(_CLOSING[character])
        elif character in "}]" and stack:
            stack.pop()
            kept = (position + 1, "".join(reversed(stack)))
        elif character == ",":
            kept = (position, "".join(reversed(stack)))
    return text[: kept[0]] + kept[1] if kept else None
