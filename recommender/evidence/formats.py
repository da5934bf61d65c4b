"""The formats that can be imported, as `formats.toml` describes them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path

from recommender.domain.errors import UsageError
from recommender.domain.measurement import Measurement
from recommender.evidence.told import Document, Fault, NotThisFormat, Rows, Told

_TABLE = Path(__file__).with_name("formats.toml")
BY_HAND = "by-hand"  # the method of figures that were typed in


@dataclass(frozen=True, kw_only=True, slots=True)
class BackEnd:
    """What a tool's word for the part that ran a model means."""

    execution_provider: str
    unit: str
    framework: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """One row of the table; see the head of `formats.toml`."""

    key: str
    what: str
    looks_like: str
    made_by: str
    reader: str = ""
    framework: str = ""
    unit: str = ""
    execution_provider: str = ""
    scheme: str = ""
    parsers: tuple[str, ...] = ()
    begins: str = ""
    says: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    back_ends: Mapping[str, BackEnd] = field(default_factory=dict)
    schemes: Mapping[str, str] = field(default_factory=dict)


@cache
def formats() -> Mapping[str, Format]:
    """All formats by key, in the order of the file."""
    found = {}
    for key, raw in tomllib.loads(_TABLE.read_text("utf-8")).items():
        raw["back_ends"] = {word: BackEnd(**row) for word, row in raw.get("back_ends", {}).items()}
        raw |= {name: tuple(raw[name]) for name in ("parsers", "files", "beside") if name in raw}
        found[key] = Format(key=key, **raw)
    return found


def format_of(key: str) -> Format:
    """Raises UsageError with the formats there are."""
    if key not in formats():
        raise UsageError(f"unknown format `{key}` (one of {', '.join(formats())})", hints=("recommend evidence import --help",))
    return formats()[key]


def rows(form: Format, document: Document) -> Rows:
    """Rows of a document: by the format's reader, else as what the tool printed.

    Raises:
        NotThisFormat: it is neither; the reader's reason, since it knows the format best.
    """
    reasons = []
    for reading in _readings(form, document):
        try:
            first = next(reading, None)
        except NotThisFormat as error:
            reasons.append(str(error))
            continue
        if first is not None:
            return _again(first, reading)
    raise NotThisFormat(reasons[0] if reasons else "it is empty")


def _readings(form: Format, document: Document) -> Iterator[Rows]:
    if form.reader:
        reader = import_module(f"recommender.evidence.{form.reader}")
        yield reader.read(document)
    if form.parsers:
        from recommender.evidence import console

        yield console.read(document, form.parsers, form.begins, form.says)


def _again(first: Told | Fault | Measurement, rest: Rows) -> Rows:
    yield first
    yield from rest
