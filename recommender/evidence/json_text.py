"""JSON as tools write it: a list, one object a line, or a file that ends in the middle because its run was stopped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from recommender.evidence.figures import shown
from recommender.evidence.told import Fault, NotThisFormat

_GAP = re.compile(r"[\s,\[\]]*")
_NEXT_OBJECT = re.compile(r"\n\s*(?=\{)")
_QUOTED = 80  # letters of what is not whole


def objects(text: str) -> Iterator[tuple[str, dict[str, Any] | Fault]]:
    """The objects of a JSON list, of JSON Lines or of one document, with the row each is. One that is not whole costs no other.

    Raises:
        NotThisFormat: there is no object at all.
    """
    decoder, position, row = json.JSONDecoder(), _skip(text, 0), 0
    while position < len(text):
        row += 1
        name = f"row {row}"
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            following = _NEXT_OBJECT.search(text, position + 1)
            if row == 1 and not following and not text[position:].startswith("{"):
                raise NotThisFormat("it is not JSON") from None
            yield name, Fault(row=name, reason=f"`{shown(text[position:position + _QUOTED])}` is not whole JSON")
            position = following.end() if following else len(text)
        else:
            yield name, value if isinstance(value, dict) else Fault(row=name, reason=f"`{shown(value)}` is no JSON object")
        position = _skip(text, position)
    if not row:
        raise NotThisFormat("it holds no JSON object")


def _skip(text: str, position: int) -> int:
    match = _GAP.match(text, position)
    return match.end() if match else position


def json_of(text: str) -> dict[str, Any]:
    """The one object of a JSON document. Raises NotThisFormat."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise NotThisFormat("it is not whole JSON") from None
    if not isinstance(found, dict):
        raise NotThisFormat("it is no JSON object")
    return found


def part(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside an object; empty where it is missing. Raises ValueError when it is something else."""
    found = raw.get(name)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ValueError(f"`{name}` is no object")
    return found
