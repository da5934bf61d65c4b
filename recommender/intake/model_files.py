"""The front door for models: a file, a folder, a catalogue key or a Hugging Face id -> ModelSpec. Headers only."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from recommender.domain.errors import ModelFileError
from recommender.domain.model import ModelSpec
from recommender.intake.models import hub, identity
from recommender.intake.models.endings import MODEL_ENDINGS
from recommender.intake.models.reading import Malformed, reason

CATALOG_HINT = "recommend catalog list models"


def read_model(words: str, *, hub_offline: bool = False) -> ModelSpec:
    """Read what lies at a path, or what a Hugging Face id names.

    Args:
        words: as the user gave them; a missing file is an error that repeats them.
        hub_offline: never use the network.
    Raises:
        ModelFileError: one line, with a line to paste.
    """
    path = _existing(words)
    if path is not None:
        return _read(words, path)
    if hub.ID.match(words) and not _looks_like_path(words):
        return _from_hub(words, hub_offline)
    raise ModelFileError(f"no such file or folder: `{_shown(words)}`", hints=(CATALOG_HINT,))


def resolve_model(words: str, models: Mapping[str, ModelSpec], *, offline: bool = False) -> ModelSpec:
    """A path first, then the catalogue, then the hub.

    Raises:
        ModelFileError: nothing fits; near misses are its hints.
    """
    path = _existing(words)
    if path is not None:
        return identity.complete(_read(words, path), models)
    entry = identity.find(words, models)
    if entry is not None:
        return entry
    if _looks_like_path(words):
        raise ModelFileError(f"no such file or folder: `{_shown(words)}`", hints=(CATALOG_HINT,))
    if hub.ID.match(words):
        return identity.complete(_from_hub(words, offline), models)
    near = identity.near_misses(words, models)
    hints = tuple(f"recommend --model {shlex.quote(key)}" for key in near)
    raise ModelFileError(f"unknown model `{_shown(words)}`", hints=(*hints, CATALOG_HINT))


def _read(words: str, path: Path) -> ModelSpec:
    """Turn whatever goes wrong with a file that nobody vouches for into one line."""
    from recommender.intake.models.directory import read_path  # a catalogue key needs none of the readers

    try:
        return read_path(path)
    except Malformed as problem:
        raise _error(words, problem) from None
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, RecursionError, MemoryError) as problem:
        raise ModelFileError(f"`{_shown(words)}` cannot be read: {_line(reason(problem))}", hints=(CATALOG_HINT,)) from problem


def _from_hub(words: str, offline: bool) -> ModelSpec:
    from recommender.intake.models.directory import read_path
    from recommender.intake.models.hub_remote import read_remote

    try:
        snapshot = hub.cached_snapshot(words)
        if snapshot is not None:
            return _named(read_path(snapshot), words)
        if offline or hub.is_offline():
            raise Malformed(
                "is not in the catalogue or the local cache, and the network is not to be used", hub.download_hint(words)
            )
        return _named(read_remote(words), words)
    except Malformed as problem:
        raise _error(words, problem) from None
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, RecursionError, MemoryError) as problem:
        raise ModelFileError(
            f"`{_shown(words)}` cannot be read: {_line(reason(problem))}", hints=(hub.download_hint(words),)
        ) from problem


def _named(spec: ModelSpec, hub_id: str) -> ModelSpec:
    """A snapshot's folder is called by its revision; the id is what people know."""
    name = hub_id.rpartition("/")[2]
    return replace(spec, key=name, name=name, repository=hub_id, aliases=tuple(dict.fromkeys((hub_id, *spec.aliases))))


def _existing(words: str) -> Path | None:
    """The path when there is something at it; a loop of links counts as there, so that reading it says what is wrong."""
    if not words or "\0" in words:
        return None
    try:
        path = Path(words).expanduser()
        path.lstat()
        return path
    except (OSError, ValueError, RuntimeError):
        return None


def _looks_like_path(words: str) -> bool:
    return (
        words.startswith((".", "/", "~", "\\"))
        or words.count("/") > 1
        or words.lower().endswith(MODEL_ENDINGS)
        or words.endswith("/")
    )


def _error(words: str, problem: Malformed) -> ModelFileError:
    return ModelFileError(f"`{_shown(words)}` {_line(problem.message)}", hints=problem.hints or (CATALOG_HINT,))


def _line(text: str) -> str:
    """One line without control characters, of bounded length: names from a file may hold anything."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text)[:300]


def _shown(words: str) -> str:
    return _line(words)[:200]
