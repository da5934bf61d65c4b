"""Find the layers of knowledge, parse their TOML, and keep where each row stands."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recommender.domain.errors import CatalogError
from recommender.loader.sections import (
    AUDIT_FILE,
    CHILDREN,
    EVIDENCE_PATTERN,
    LEARNED_FILES,
    SECTIONS,
    VERSION_FILE,
    VOCABULARY_FILE,
    Section,
)

BUILT_IN = "built-in"


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A folder of knowledge files. `name` is `built-in` or the overlay's path as the user wrote it."""

    name: str
    root: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One raw row and where it stands (`file:line`), its children too."""

    section: Section
    data: dict[str, Any]
    where: str
    layer: str
    text: str = field(repr=False, default="")


def built_in_root() -> Path:
    """The folder of the knowledge that ships with the program."""
    import knowledge

    return Path(next(iter(knowledge.__path__)))


def layers(overlays: tuple[str, ...] = ()) -> tuple[Layer, ...]:
    """The built-in layer, then the overlays in the order given."""
    found = [Layer(name=BUILT_IN, root=built_in_root())]
    for overlay in overlays:
        root = Path(overlay)
        if not root.is_dir():
            raise CatalogError(f"no folder `{overlay}` for --catalog", hints=("recommend catalog path",))
        found.append(Layer(name=overlay, root=root))
    return tuple(found)


def knowledge_files(layer: Layer) -> list[Path]:
    """All files of a layer that are read, sorted."""
    patterns = {section.pattern for section in SECTIONS} | {EVIDENCE_PATTERN, VOCABULARY_FILE, VERSION_FILE}
    return sorted({path for pattern in patterns for path in layer.root.glob(pattern) if path.is_file()})


def rows(layer: Layer) -> Iterator[Row]:
    """Every row of a layer. Raises CatalogError for a file that is not TOML or a table that nobody knows."""
    patterns: dict[Path, list[Section]] = {}
    for section in SECTIONS:
        for path in layer.root.glob(section.pattern):
            patterns.setdefault(path, []).append(section)
    for path in sorted(patterns):
        yield from _rows_of_file(path, patterns[path], layer)
    if layer.name != BUILT_IN:
        _refuse_strays(layer)


def _rows_of_file(path: Path, sections: list[Section], layer: Layer) -> Iterator[Row]:
    text, content = _read_toml(path)
    known = {section.table for section in sections} | {CHILDREN[s.table][1] for s in sections if s.table in CHILDREN}
    for table in content:
        if table not in known:
            raise CatalogError(
                f"unknown table `{table}` (this file may hold {', '.join(sorted(known))})",
                where=f"{path}:{line_of(text, table, 0)}",
            )
    for section in sections:
        found = content.get(section.table, [])
        entries = found if isinstance(found, list) else [found]
        for index, data in enumerate(entries):
            if not isinstance(data, dict):
                raise CatalogError(f"`{section.table}` must be a table", where=f"{path}:{line_of(text, section.table, index)}")
            if section.table in CHILDREN:
                data = _with_children(data, content, section.table, text, path)
            yield Row(section=section, data=data, where=f"{path}:{line_of(text, section.table, index)}", layer=layer.name, text=text)


def _with_children(data: dict[str, Any], content: dict[str, Any], table: str, text: str, path: Path) -> dict[str, Any]:
    target, name = CHILDREN[table]
    children = content.get(name, [])
    if name == "rule":
        children = [{**child, "where": f"{path.name}:{line_of(text, name, i)}"} for i, child in enumerate(children)]
    else:
        children = [{"framework": data.get("key", ""), **child} for child in children]
    return {**data, target: children}


def _read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text("utf-8")
        return text, tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        line = re.search(r"at line (\d+)", str(error))
        raise CatalogError(f"not valid TOML: {error}", where=f"{path}:{line[1] if line else 1}") from None


def _refuse_strays(layer: Layer) -> None:
    """An overlay file that no section reads is a spelling mistake the user wants to hear about."""
    read = set(knowledge_files(layer))
    for path in sorted(layer.root.rglob("*")):
        if path.suffix in (".toml", ".csv") and path not in read:
            folders = sorted({section.pattern.split("/")[0] for section in SECTIONS if "/" in section.pattern})
            raise CatalogError(f"no knowledge is read from here (folders: {', '.join(folders)})", where=f"{path}:1")


def line_of(text: str, table: str, index: int, key: str = "") -> int:
    """Line of the `index`-th `[table]` or `[[table]]`, or of `key` inside it (1-based; the table's line when not found)."""
    header = re.compile(rf"^\s*\[\[?\s*{re.escape(table)}\s*\]?\]")
    sub = re.compile(rf"^\s*\[\[?\s*{re.escape(table)}\b")
    seen, start = -1, 1
    for number, line in enumerate(text.splitlines(), 1):
        if header.match(line):
            seen += 1
            if seen == index:
                start = number
                if not key:
                    return number
                continue
        if seen == index and key and re.match(rf"""^\s*(\[.*\.)?["']?{re.escape(key)}["']?\s*[\]=]""", line):
            return number
        if seen > index or (seen == index and line.lstrip().startswith("[") and not sub.match(line) and number > start):
            break
    return start


def evidence_rows(layer: Layer) -> Iterator[tuple[dict[str, str], str]]:
    """Rows of evidence/*.csv with their place."""
    for path in sorted(layer.root.glob(EVIDENCE_PATTERN)):
        with open(path, newline="", encoding="utf-8") as stream:
            for number, row in enumerate(csv.DictReader(stream), 2):
                yield row, f"{path}:{number}"


def audit(layer: Layer) -> tuple[dict[str, Any], str]:
    """What was found of the rules' claims, by rule id, and its place; empty when a layer has none."""
    path = layer.root / AUDIT_FILE
    try:
        found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"not valid JSON: {error}", where=f"{path}:1") from None
    if not isinstance(found, dict):
        raise CatalogError("must be an object: rule id -> list of claims", where=f"{path}:1")
    return found, f"{path}:1"


def learned(layer: Layer) -> dict[str, dict[str, Any]]:
    """What the estimators of a layer were fitted to, by estimator."""
    found: dict[str, dict[str, Any]] = {}
    for name, place in LEARNED_FILES.items():
        path = layer.root / place
        if path.is_file():
            try:
                found[name] = json.loads(path.read_text("utf-8"))
            except (ValueError, RecursionError) as error:
                raise CatalogError(f"not valid JSON: {error}", where=f"{path}:1") from None
    return found


def vocabulary(layer: Layer) -> dict[str, Any]:
    """The vocabulary of a layer, empty when it has none."""
    path = layer.root / VOCABULARY_FILE
    return _read_toml(path)[1] if path.is_file() else {}


def version(layer: Layer) -> str:
    path = layer.root / VERSION_FILE
    return path.read_text("utf-8").strip() if path.is_file() else ""
