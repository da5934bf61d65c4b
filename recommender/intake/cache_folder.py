"""The user's cache folder: JSON files, replaced as a whole, never needed to be right."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

CACHE_VARIABLE = "RECOMMEND_CACHE_DIR"


def cache_dir() -> str:
    """RECOMMEND_CACHE_DIR, else the platform's folder for caches; it may not exist yet."""
    asked = os.environ.get(CACHE_VARIABLE)
    if asked:
        return asked
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        return os.path.join(local, "recommend", "Cache")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Caches", "recommend")
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "recommend")


def read_cached(name: str) -> dict[str, Any]:
    """The JSON object in a cache file; empty when it is absent, unreadable or damaged."""
    try:
        with open(os.path.join(cache_dir(), name), "rb") as stream:
            found = json.loads(stream.read())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_cached(name: str, value: dict[str, Any]) -> str:
    """Replace a cache file in one step. Returns a warning when that is not possible, else an empty text."""
    folder = cache_dir()
    path = os.path.join(folder, name)
    draft = f"{path}.{os.getpid()}.new"
    try:
        os.makedirs(folder, exist_ok=True)
        with open(draft, "w", encoding="utf-8") as stream:
            json.dump(value, stream)
        os.replace(draft, path)
    except OSError as error:
        try:
            os.unlink(draft)
        except OSError:
            pass
        return f"the cache folder {folder} cannot be written ({error.strerror or error}): the next run is as slow as this one"
    return ""
