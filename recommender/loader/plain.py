"""Frozen dataclasses to plain data and back, fast and without pydantic: the decision path reads validated data with it.

Which fields hold nested types is read once from the annotations (text, since every module postpones them).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from recommender.domain import catalog, facts, fingerprint, measurement, model, quantity, quantization, rule, workload

_TYPES = {
    cls.__name__: cls
    for module in (catalog, facts, fingerprint, measurement, model, quantization, quantity, rule, workload)
    for cls in vars(module).values()
    if isinstance(cls, type) and dataclasses.is_dataclass(cls)
}
_decoders: dict[type, Callable[[dict[str, Any]], Any]] = {}


def to_plain(value: Any) -> Any:
    """Dataclasses to dicts (defaults left out), tuples to lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: to_plain(found)
            for f in dataclasses.fields(value)
            if (found := getattr(value, f.name)) != f.default and not (found in ({}, ()) and f.default_factory is not dataclasses.MISSING)
        }
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return value


def from_plain(cls: type, data: dict[str, Any]) -> Any:
    """The inverse of `to_plain` for validated data."""
    decoder = _decoders.get(cls)
    if decoder is None:
        decoder = _decoders[cls] = _decoder(cls)
    return decoder(data)


def _decoder(cls: type) -> Callable[[dict[str, Any]], Any]:
    convert = {f.name: fix for f in dataclasses.fields(cls) if (fix := _field_decoder(str(f.type)))}
    if not convert:
        return lambda data: cls(**data)

    def decode(data: dict[str, Any]) -> Any:
        return cls(**{key: convert[key](value) if key in convert and value is not None else value for key, value in data.items()})

    return decode


def _field_decoder(annotation: str) -> Callable[[Any], Any] | None:
    names = [name for name in re.findall(r"\w+", annotation) if name in _TYPES]
    inner = _TYPES[names[0]] if names else None
    if annotation.startswith("tuple["):
        return (lambda items: tuple(from_plain(inner, item) for item in items)) if inner else tuple
    if annotation.startswith("Mapping["):
        return (lambda items: {key: from_plain(inner, item) for key, item in items.items()}) if inner else None
    return (lambda item: from_plain(inner, item)) if inner else None
