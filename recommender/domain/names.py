"""Names of devices as they compare: the same form for facts and for observations."""

from __future__ import annotations

import re

_NOISE = re.compile(r"\((?:r|tm|c)\)|[®™©]|\bcpu\b|@.*$|\bprocessor\b", re.IGNORECASE)
_SPACES = re.compile(r"\s+")


def normalise_name(text: str) -> str:
    """Lower case, without (R), (TM), clock speeds and double spaces."""
    return _SPACES.sub(" ", _NOISE.sub(" ", text)).strip().lower()
