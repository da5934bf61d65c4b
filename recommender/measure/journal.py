"""What a measuring run has finished, kept file by file, so that a killed run loses at most the repetition it was in.

A run is known by all that its figures hang on. Its folder goes when its measurements are in the store.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recommender.measure.repetition import Repetition


class Journal:
    """One folder a run; every entry is written whole (temporary name, then renamed)."""

    def __init__(self, root: Path, what: Mapping[str, Any]):
        self.key = hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()[:24]
        self.folder = root / self.key

    def entry(self, name: str) -> Any:
        """What was kept under a name; None when nothing was, or it is damaged."""
        try:
            return json.loads((self.folder / f"{name}.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def keep(self, name: str, value: Any) -> None:
        """Raises OSError when the folder cannot be written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f"{name}.{os.getpid()}.partial"
        with partial.open("w", encoding="utf-8") as stream:
            json.dump(value, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, self.folder / f"{name}.json")

    def keep_repetition(self, repetition: Repetition) -> None:
        number = len(list(self.folder.glob("repetition-*.json"))) if self.folder.is_dir() else 0
        self.keep(f"repetition-{number:05d}", {**asdict(repetition), "single_calls": sorted(repetition.single_calls)})

    def repetitions(self) -> list[Repetition]:
        """All that were kept, in the order they were taken."""
        rows = [self.entry(path.stem) for path in sorted(self.folder.glob("repetition-*.json"))]
        return [Repetition(**{**row, "single_calls": frozenset(row["single_calls"]), "flags": tuple(row["flags"])}) for row in rows if row]

    def done(self) -> None:
        """Everything is in the store."""
        shutil.rmtree(self.folder, ignore_errors=True)
