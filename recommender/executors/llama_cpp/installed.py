"""Whether the packages of this executor are there; imports none of them."""

from __future__ import annotations

import importlib.metadata
import importlib.util

from recommender.ports import Availability

_DISTRIBUTIONS = {"llama_cpp": "llama-cpp-python", "gguf": "gguf"}
_HINT = "pip install 'edge-recommender[llama-cpp]'"


def installed(*modules: str) -> Availability:
    """The version is that of the first."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            return Availability(ok=False, reason=f"{_DISTRIBUTIONS[module]} is not installed", hint=_HINT)
    return Availability(ok=True, version=importlib.metadata.version(_DISTRIBUTIONS[modules[0]]))
