"""What a tool's file says, before any name is looked up: rows of figures in base units, and what is wrong with the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from recommender.domain.measurement import Measurement, Summary


class NotThisFormat(ValueError):
    """A file that is none of its format; the text says what is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One text file.

    Attributes:
        name: as messages call it. folders: the names of the folders it is in, the outermost first; some formats tell model and device by them.
        beside: texts of the files that describe it, by name.
    """

    name: str
    text: str
    folders: tuple[str, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One case as the tool tells it: its own words, figures in base units. Empty: not told.

    Attributes:
        row: where it stands in the file. metrics: metric -> Summary.
        devices, models: spellings, the most telling first. unit: cpu, gpu, npu, accelerator.
        back_end: what the tool calls the part that ran it; scheme: its word for the precision.
        workload: prompt_tokens, output_tokens, depth (tokens in the cache before), batch, threads, streams, as far as told.
        options: run options by our names. flags: why the figure does not speak for the plain case (partial-offload, fallback, several-devices, ...).
        component: one network of several. date: ISO 8601.
    """

    row: str
    metrics: Mapping[str, Summary]
    devices: tuple[str, ...] = ()
    unit: str = ""
    models: tuple[str, ...] = ()
    framework: str = ""
    back_end: str = ""
    scheme: str = ""
    version: str = ""
    date: str = ""
    component: str = ""
    source: str = ""
    workload: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A row that was left out. `reason` quotes the file's own words."""

    row: str
    reason: str


Rows = Iterator[Told | Fault | Measurement]  # a measurement only where the file holds one of ours


def attempt(row: str, make: Callable[..., Told], *arguments: Any) -> Told | Fault:
    """The row, or what is wrong with it."""
    try:
        told = make(row, *arguments)
    except KeyError as error:
        return Fault(row=row, reason=f"`{error.args[0]}` is missing")
    except (AttributeError, TypeError):
        return Fault(row=row, reason="a part of it is of another kind than the format has there")
    except ValueError as error:
        return Fault(row=row, reason=str(error))
    return told if told.metrics else Fault(row=row, reason="it has no figure")


def text_of(value: object) -> str:
    """A field that may be missing, as text."""
    return "" if value is None else " ".join(str(value).split())


def stem(path: object) -> str:
    """The name of a file without folders and ending, whichever system wrote the path; a publisher before one `/` goes too."""
    name = re.split(r"[\\/]", text_of(path).rstrip("\\/"))[-1]
    return re.sub(r"\.(gguf|onnx|ort|xml|tflite|engine|plan|trt|hef|rknn|blob|mlpackage|pte|bin)$", "", name, flags=re.IGNORECASE)
