"""The validated catalogue as one cached file, keyed by the state of the knowledge files: what the decision path reads.

Each section is one JSON document in the file and is parsed when first asked for; each entry becomes an object when first used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from recommender import __version__
from recommender.domain.catalog import Audit, Catalog, MatchRow
from recommender.domain.evidence import Evidence
from recommender.loader import files
from recommender.loader.plain import from_plain, to_plain
from recommender.loader.sections import LEARNED_FILES, SECTIONS, VERSION_FILE

_PLAIN = ("version", "layers", "vocabulary", "overlaid")


class LazyEntries(Mapping[str, Any]):
    """Key -> object, made from its own JSON text at first use."""

    def __init__(self, make: Callable[[Any], Any], text: str, texts: dict[str, str] | None = None):
        self._make = make
        self._text = text
        self._texts = texts
        self._made: dict[str, Any] = {}

    @property
    def texts(self) -> dict[str, str]:
        """The entries' JSON texts by key."""
        if self._texts is None:
            self._texts = json.loads(self._text)
        return self._texts

    def __getitem__(self, key: str) -> Any:
        if key not in self._made:
            self._made[key] = self._make(json.loads(self.texts[key]))
        return self._made[key]

    def __contains__(self, key: object) -> bool:
        return key in self.texts

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)


def load_catalog(overlays: tuple[str, ...] = (), *, cache_dir: Path | None = None) -> Catalog:
    """The catalogue of the built-in layer and the overlays, compiled if nothing changed since, else validated and compiled."""
    found = files.layers(overlays)
    path = cache_dir / f"catalog-{_digest(found)}.json" if cache_dir else None
    if path and (lines := _read(path)):
        return _decode(lines)
    from recommender.loader.codec import load

    catalog = load(found)
    if path:
        _write(path, _encode(catalog))
    return catalog


def _digest(layers: tuple[files.Layer, ...]) -> str:
    """Changes when any file, the engine or the interpreter changes."""
    digest = hashlib.sha256(f"{__version__} {sys.version_info[:2]}".encode())
    own = Path(__file__).parent
    for path in (*sorted(own.glob("*.py")), *sorted((own.parent / "domain").glob("*.py"))):
        digest.update(f"{path.name} {path.stat().st_mtime_ns}".encode())
    for layer in layers:
        digest.update(layer.name.encode())
        for name, size, changed in _stats(layer.root):
            digest.update(f"{name} {size} {changed}".encode())
    return digest.hexdigest()[:24]


def _stats(root: Path) -> list[tuple[str, int, int]]:
    """Every knowledge file below the root with size and time of change (cheaper than the globs)."""
    found: list[tuple[str, int, int]] = []
    pending, seen = [str(root)], set()
    while pending:
        folder = pending.pop()
        if (real := os.path.realpath(folder)) in seen:
            continue  # a link back to where we were
        seen.add(real)
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink() and not os.path.exists(entry.path):
                    continue  # leads nowhere, or to itself
                if entry.is_dir():
                    pending.append(entry.path)
                elif entry.name.endswith((".toml", ".csv", ".json")) or entry.name == VERSION_FILE:
                    stat = entry.stat()
                    found.append((entry.path, stat.st_size, stat.st_mtime_ns))
    return sorted(found)


def _encode(catalog: Catalog) -> list[str]:
    head = {name: to_plain(getattr(catalog, name)) for name in _PLAIN}
    parts: list[Any] = [head]
    for section in SECTIONS:
        entries = getattr(catalog, section.name)
        parts.append({key: _json(to_plain(value)) for key, value in entries.items()} if section.key else to_plain(entries))
    parts += [[to_plain(row) for row in catalog.matches]]
    parts += [{key: _json([to_plain(row) for row in rows]) for key, rows in entries.items()} for entries in (catalog.audit, catalog.evidence)]
    return [_json(part) for part in parts] + [_json(catalog.learned.get(name)) for name in LEARNED_FILES]


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _decode(lines: list[str]) -> Catalog:
    head, n = json.loads(lines[0]), len(SECTIONS)
    matches, audit, evidence, *learned = lines[n + 1 :]
    sections: dict[str, Any] = {}
    for section, text in zip(SECTIONS, lines[1 : n + 1], strict=True):
        if section.key:
            sections[section.name] = LazyEntries(partial(from_plain, section.type), text)
        else:
            sections[section.name] = tuple(from_plain(section.type, item) for item in json.loads(text))
    return Catalog(
        version=head["version"], layers=tuple(head["layers"]), vocabulary=head["vocabulary"], overlaid=head["overlaid"],
        matches=tuple(from_plain(MatchRow, {"generic": False, "match": (), **item}) for item in json.loads(matches)),
        audit=LazyEntries(partial(_rows, Audit), audit), evidence=LazyEntries(partial(_rows, Evidence), evidence),
        learned=LazyEntries(lambda value: value, "", {name: text for name, text in zip(LEARNED_FILES, learned, strict=True) if text != "null"}), **sections,
    )


def _rows(cls: type, items: list[dict[str, Any]]) -> tuple[Any, ...]:
    return tuple(from_plain(cls, item) for item in items)


def _read(path: Path) -> list[str] | None:
    try:
        body, _, checksum = path.read_bytes().rpartition(b"\n")
        if checksum != _checksum(body):
            return None
        lines = body.decode("utf-8").split("\n")
        return lines if len(lines) == len(SECTIONS) + 4 + len(LEARNED_FILES) else None
    except (OSError, UnicodeDecodeError):
        return None


def _checksum(body: bytes) -> bytes:
    """Sections are parsed when first asked for, too late to notice a damaged file; so the whole is checked when it is read."""
    return f"{zlib.crc32(body):08x}".encode()


def _write(path: Path, lines: list[str]) -> None:
    """Atomic; a cache that cannot be written is no reason to stop."""
    unfinished = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob("catalog-*.json"):
            old.unlink(missing_ok=True)
        body = "\n".join(lines).encode()
        unfinished.write_bytes(body + b"\n" + _checksum(body))
        unfinished.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        return
