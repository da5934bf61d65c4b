"""Text inside HTML and SVG. Names and paths come from anywhere: nothing is written without passing here."""

from __future__ import annotations

import html
import re
from typing import Any

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")  # not allowed in a page, or not encodable


def text(value: Any) -> str:
    """Escaped, with control characters and lone surrogates replaced."""
    return html.escape(_CONTROL.sub("\ufffd", str(value)), quote=True)
