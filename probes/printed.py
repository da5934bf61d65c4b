"""How tools print facts: encodings, sizes with units, `key: value` lines, tables. Shared by the text parsers of the probes.

Sizes of memory are binary whatever the unit is called: system tools that print `16 GB` of memory count 2**30 bytes a GB.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
MAX_LINE = 4000  # characters; no tool prints a longer line of key and value
SCRUBBED = {
    "",
    "unknown",
    "none",
    "null",
    "n/a",
    "scrubbed",
    "default string",
    "to be filled by o.e.m.",
    "not specified",
    "system product name",
}
_UNITS = {"": 1, "b": 1, "o": 1, "bytes": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SIZE = re.compile(r"([\d][\d.,\s'’]*)\s*([kmgt]?)(i?)(bytes?|octets?|[bo])?(?![a-z])", re.IGNORECASE)
_PAIR = re.compile(r"^\s*\[?([^=:\[\]\t]+?)\]?\s*(?:\t+|:(?!\\)\s*|=\s*)\[?(.*?)\]?\s*$")


def text_of(value: Any) -> str:
    """Readable text of whatever a reader kept: bytes of any encoding, UTF-16 read as UTF-8, CRLF; empty when there is none."""
    text = _decode(value) if isinstance(value, bytes) else value
    if not isinstance(text, str):
        return ""
    if text.count("\0") * 3 > len(text):  # UTF-16 that was decoded as UTF-8: every second character is a NUL
        text = text.replace("\0", "")
    return text.lstrip("\ufeff\ufffd").replace("\r\n", "\n").replace("\r", "\n")


def texts_of(raw: Any) -> Iterator[tuple[str, str]]:
    """Name and text of every source in `raw`; what is no text is left out."""
    if not isinstance(raw, Mapping):
        return
    for name, value in raw.items():
        text = text_of(value)
        if text.strip():
            yield str(name), text


def known(value: Any) -> str | None:
    """The value as stripped text, None when it says nothing (empty, scrubbed, a firmware's placeholder)."""
    text = str(value).strip().strip('"').strip() if value is not None else ""
    return None if text.casefold() in SCRUBBED else text


def integer(value: Any) -> int | None:
    """A whole number printed in decimal or hex, None for anything else."""
    try:
        return int(str(value).strip(), 0)
    except ValueError:
        return None


def size_in_bytes(value: Any, default_unit: str = "") -> int | None:
    """`16 GB`, `7.4Gi`, `2,047 MB`, `16 220 Mo`, `1073741824` -> bytes; `default_unit` (k, m, g) where none is printed."""
    if isinstance(value, bool) or value is None:
        return None
    match = _SIZE.search(str(value))
    if not match:
        return None
    number = _number(match[1])
    factor = _UNITS[(match[2] or ("" if match[4] else default_unit)).casefold()]
    return None if number is None else round(number * factor)


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """`key: value`, `key = value`, `[key]: [value]`, `"key": "value",` and tab-separated lines, in order."""
    for line in map(str.strip, text.splitlines()):
        if len(line) > MAX_LINE:
            continue
        quoted = re.match(r'^\s*"([^"]+)"\s*[:=]\s*(.*?),?\s*$', line)
        if quoted:
            yield quoted[1], quoted[2].strip().strip('"')
            continue
        match = _PAIR.match(line)
        if match and not line.lstrip().startswith(("#", "//")):
            yield match[1].strip(), match[2].strip()


def settings(text: str) -> dict[str, str]:
    """The lines of `pairs` as one mapping; the first of equal keys wins."""
    found: dict[str, str] = {}
    for key, value in pairs(text):
        found.setdefault(key, value)
    return found


def json_of(text: str) -> Any:
    """The JSON value in `text`, with what tools print around it cut off; None when there is none."""
    for opening, closing in (("{", "}"), ("[", "]")):
        start, end = text.find(opening), text.rfind(closing)
        if 0 <= start < end:
            try:
                return json.loads(text[start : end + 1])
            except (ValueError, RecursionError):
                continue
    return None


def first(*values: T | None) -> T | None:
    """The first value that is not None."""
    return next((value for value in values if value is not None), None)


def without_none(entries: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The entries whose value is known."""
    return {key: value for key, value in dict(entries).items() if value is not None}


def _decode(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8", "replace")


def _number(text: str) -> float | None:
    """`2,047` and `16.220` are thousands, `31.57` and `16,0` are fractions: three digits after a lone mark group."""
    digits = re.sub(r"[\s'’]", "", text)
    if re.fullmatch(r"\d{1,3}([.,]\d{3})+", digits):
        digits = re.sub(r"[.,]", "", digits)
    try:
        return float(digits.replace(",", "."))
    except ValueError:
        return None
