"""The nights of a baseline: one file of JSON lines for each device class, only ever appended to, in one folder for a whole fleet.

A line is one night, written at once when it has ended; until then its repetitions lie in a journal beside, from which a killed night goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from recommender.domain.errors import ActionFailed, UsageError
from recommender.measure.journal import Journal
from recommender.tune.regression import WORDS

SCHEMA_VERSION = 1
Night = Mapping[str, Any]


class History:
    """Nights of one baseline. `notes`: what could not be read, for the user."""

    def __init__(self, root: Path, baseline: str):
        self.folder = root / baseline
        self.notes: list[str] = []

    def nights(self, device_class: str) -> list[Night]:
        """Nights of a class, in the order they ended. A line that is none is passed over and named in `notes`.

        Raises:
            UsageError: the file cannot be read.
        """
        path = self._path(device_class)
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UsageError(f"history {path} cannot be read: {error.strerror or error}", hints=("recommend tune --against BASELINE.json --history DIR",)) from None
        found: dict[str, Night] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            night = _night(line, device_class)
            if night is None:
                self._note(f"{path}:{number} is not a night and is passed over")
            else:
                found.setdefault(night["night"], night)
        return list(found.values())

    def classes(self) -> list[str]:
        """Device classes that have a file."""
        return sorted(unquote(path.stem) for path in self.folder.glob("*.jsonl"))

    def add(self, night: Night) -> Path:
        """Append a night that has ended, as one write that is on the disk when this returns.

        Raises:
            ActionFailed: it cannot be written.
        """
        path = self._path(night["class"])
        line = json.dumps({"schema_version": SCHEMA_VERSION, **night}, sort_keys=True).encode() + b"\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as stream:
                stream.write((b"" if _ends_a_line(path) else b"\n") + line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise ActionFailed(f"the night cannot be written to {path}: {error.strerror or error}", hints=("recommend tune --against BASELINE.json --history DIR",)) from None
        return path

    def journal(self, device_class: str) -> Journal:
        """Of the night that a class is in."""
        return Journal(self.folder / "running", {"class": device_class})

    def _path(self, device_class: str) -> Path:
        return self.folder / f"{quote(device_class, safe='')}.jsonl"

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _ends_a_line(path: Path) -> bool:
    """Whether what is there ends with a whole line; a torn one must not swallow the next."""
    with path.open("rb") as stream:
        if stream.seek(0, os.SEEK_END) == 0:
            return True
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


def _night(line: bytes, device_class: str) -> Night | None:
    """A line as a night of the class; None when it is damaged, of another class or of a newer schema."""
    try:
        night = json.loads(line)
        rows = night["cells"]
        is_whole = night["schema_version"] <= SCHEMA_VERSION and night["class"] == device_class and isinstance(night["night"], str) and isinstance(night["ended"], (int, float))
        is_whole &= all(isinstance(row["point"], str) and isinstance(row["metric"], str) and row["word"] in WORDS and _are_figures(row["values"]) for row in rows)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return night if is_whole else None


def _are_figures(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, (int, float)) and 0 < value < float("inf") for value in values)
