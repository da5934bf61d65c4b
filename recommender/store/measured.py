"""Measurements of one machine, and imported ones of its devices, for the decision: what it needs of them and no more, quickly.

A store that cannot be read is a warning, never an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from recommender.domain.errors import RecommenderError

if TYPE_CHECKING:
    from recommender.domain.measurement import Measurement
    from recommender.store.database import Database

_COLUMNS = (
    "id", "created", "digest", "model", "candidate", "framework", "execution_provider", "scheme", "version", "workload", "metrics", "model_hash",
    "driver", "protocol", "mode", "method", "flags", "valid",
)  # fmt: skip
_PATIENCE = 2.0  # seconds; an answer does not wait for a store


def measurements(digest: str, names: Sequence[str], devices: Sequence[str] = ()) -> tuple[tuple[Measurement, ...], str]:
    """Valid measurements on the machine of this digest, the newest first (without samples and reproducers), and a warning or an empty text.

    Args:
        names: keys and content identities of the models in question.
        devices: catalogue keys; figures that were imported for one of them come too. Their digest is empty.
    """
    from recommender.store import database

    try:
        place = database.chosen()
        if not names or not place.exists():
            return (), ""
        return _read(place, digest, names, devices), ""
    except RecommenderError as error:
        return (), f"measurements are left aside: {error.message}"
    except (ValueError, TypeError) as error:
        return (), f"measurements are left aside: a row of the evidence store {database.shown()} is damaged: {error}"


def _read(place: Database, digest: str, names: Sequence[str], devices: Sequence[str]) -> tuple[Measurement, ...]:
    from recommender.domain.measurement import Measurement  # not loaded where there is no store
    from recommender.store.evidence import read
    from recommender.store.rows import from_row

    marks = ", ".join("?" * len(names))
    machine, values = "digest = ?", [digest, *names, *names]
    if devices:  # a text search that two databases understand and that may find too much; what it finds is compared below
        machine = f"(digest = ? or (digest = '' and ({' or '.join(['cast(candidate as text) like ?'] * len(devices))})))"
        values[1:1] = [f'%"{key}"%' for key in devices]
    sql = f"select {', '.join(_COLUMNS)} from recommend_measurements where {machine} and valid and (model in ({marks}) or model_hash in ({marks})) order by created desc, id desc"
    rows = read(place, lambda connection: connection.execute(sql, values).fetchall(), patience=_PATIENCE)
    found = (from_row(Measurement, _COLUMNS, row) for row in rows)
    return tuple(row for row in found if row.digest or row.candidate.get("device") in devices)
