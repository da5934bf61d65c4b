"""The XML of an OpenVINO IR, streamed: layers with shapes and the edges between them. A document type is refused."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recommender.intake.models.graph_guess import Shape
from recommender.intake.models.reading import Malformed, file_size, kind_of, not_a, read_head, reason

MAX_XML = 512 << 20
MAX_LAYERS = 2_000_000


@dataclass(slots=True)
class Layer:
    """One layer. `outputs`: precision and shape of each output port; a dimension that is not fixed is None."""

    id: str
    name: str
    kind: str
    data: dict[str, str] = field(default_factory=dict)
    inputs: list[Shape] = field(default_factory=list)
    input_ports: list[str] = field(default_factory=list)
    outputs: list[Shape] = field(default_factory=list)
    output_names: list[str] = field(default_factory=list)
    is_nested: bool = False


@dataclass(slots=True)
class Network:
    """Layers in order, edges as (to-layer, to-port) -> from-layer, settings found in rt_info (dotted path -> value)."""

    name: str = ""
    version: str = ""
    layers: list[Layer] = field(default_factory=list)
    edges: dict[tuple[str, str], str] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)


class _Target:
    """Receives the parser's events. Ids of nested bodies are prefixed, since each body counts from zero."""

    def __init__(self) -> None:
        self.network = Network()
        self.path: list[str] = []
        self.layers: list[Layer] = []
        self.side = ""
        self.dims: list[int | None] | None = None
        self.text: list[str] = []

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise Malformed("declares a document type, which no OpenVINO model does; it was not read further")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.path.append(tag)
        if len(self.path) > 200:
            raise Malformed("is nested too deeply")
        if len(self.path) == 1:
            if tag != "net":
                raise Malformed(f"is not an OpenVINO model: its XML is a <{tag[:40]}>")
            self.network.name, self.network.version = attributes.get("name", ""), attributes.get("version", "")
        elif tag == "layer" and "type" in attributes:
            self._open_layer(attributes)
        elif tag == "data" and self.layers and self.path[-2] == "layer":
            self.layers[-1].data = dict(attributes)
        elif tag in ("input", "output") and self.layers:
            self.side = tag
        elif tag == "port" and self.layers and self.side:
            self._open_port(attributes)
        elif tag == "dim":
            self.text = []
        elif tag == "edge":
            self._edge(attributes)
        elif "rt_info" in self.path and not self.layers and "value" in attributes and len(self.network.info) < 10_000:
            self.network.info[".".join(self.path[self.path.index("rt_info") + 1 :])] = attributes["value"][:500]

    def _open_layer(self, attributes: dict[str, str]) -> None:
        prefix = "/".join(layer.id for layer in self.layers)
        layer = Layer(
            f"{prefix}/{attributes.get('id', '')}", attributes.get("name", ""), attributes["type"], is_nested=bool(self.layers)
        )
        self.layers.append(layer)
        self.network.layers.append(layer)
        if len(self.network.layers) > MAX_LAYERS:
            raise Malformed("has too many layers")

    def _open_port(self, attributes: dict[str, str]) -> None:
        self.dims = []
        layer = self.layers[-1]
        if self.side == "input":
            layer.input_ports.append(attributes.get("id", ""))
        else:
            layer.output_names.append(attributes.get("names", ""))

    def _edge(self, attributes: dict[str, str]) -> None:
        prefix = "/".join(layer.id for layer in self.layers)
        to, port = f"{prefix}/{attributes.get('to-layer', '')}", attributes.get("to-port", "")
        self.network.edges[(to, port)] = f"{prefix}/{attributes.get('from-layer', '')}"

    def data(self, text: str) -> None:
        if self.path and self.path[-1] == "dim" and len(self.text) < 100:
            self.text.append(text)

    def end(self, tag: str) -> None:
        self.path.pop()
        if tag == "dim" and self.dims is not None:
            self.dims.append(_dimension("".join(self.text)))
        elif tag == "port" and self.dims is not None and self.layers:
            (self.layers[-1].inputs if self.side == "input" else self.layers[-1].outputs).append(tuple(self.dims))
            self.dims = None
        elif tag in ("input", "output"):
            self.side = ""
        elif tag == "layer" and self.layers:
            self.layers.pop()

    def close(self) -> Network:
        return self.network


def parse_ir(path: Path) -> Network:
    """Stream the file.

    Raises:
        Malformed: no XML, no OpenVINO model, broken.
    """
    head = read_head(path, 256)
    if kind_of(head) not in (None, "an XML file") or b"<" not in head:
        raise not_a("an OpenVINO model", head)
    if file_size(path) > MAX_XML:
        raise Malformed("is an XML file too large to be a model's description")
    target = _Target()
    parser: Any = ET.XMLParser(target=target)
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                parser.feed(chunk)
        network: Network = parser.close()
    except ET.ParseError as problem:
        raise Malformed(f"is broken XML ({str(problem)[:80]})") from None
    except (OSError, LookupError, ValueError) as problem:
        raise Malformed(f"cannot be read: {reason(problem)}") from None
    if not network.layers:
        raise Malformed("is not an OpenVINO model: it has no layers")
    return network


def _dimension(text: str) -> int | None:
    """A size; -1 and ranges (`1..8`) are not fixed."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
