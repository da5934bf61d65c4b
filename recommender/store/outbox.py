"""Measurements on their way into the store: each waits as a file until the store has it, so that neither a kill nor a store that is down loses one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from recommender.domain.errors import ActionFailed
from recommender.domain.measurement import Measurement
from recommender.store.evidence import EvidenceStore, measurement_of
from recommender.store.recent import data_dir
from recommender.store.rows import to_row


class Outbox:
    """A folder of files, one a measurement, written whole."""

    def __init__(self, folder: Path | None = None):
        self.folder = folder or data_dir() / "outbox"

    def keep(self, rows: Iterable[Measurement]) -> None:
        """Raises OSError when the folder cannot be written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for row in rows:
            partial = self.folder / f"{row.id}.{os.getpid()}.partial"
            with partial.open("w", encoding="utf-8") as stream:
                json.dump(to_row(row), stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(partial, self.folder / f"{row.id}.json")

    def deliver(self, store: EvidenceStore) -> int:
        """Put what waits into the store; returns how many. A file that cannot be read is left and passed over.

        Raises:
            ActionFailed: the store took not all; what it did not take still waits.
        """
        delivered = 0
        for path in sorted(self.folder.glob("*.json")):
            try:
                row = measurement_of(json.loads(path.read_text("utf-8")))
            except (OSError, ValueError, TypeError, KeyError):
                continue
            try:
                store.add(row)
            except ActionFailed as error:
                raise ActionFailed(f"{error.message}; the measurements wait in {self.folder} and are stored by the next `recommend measure`", hints=error.hints) from None
            path.unlink(missing_ok=True)
            delivered += 1
        return delivered
