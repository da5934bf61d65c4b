"""Ids of the Hugging Face hub and the local cache of what was downloaded.

HF_HUB_CACHE, HF_HOME and XDG_CACHE_HOME place the cache, HF_HUB_OFFLINE=1 forbids the network.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from recommender.intake.models.reading import names_in

ID = re.compile(r"^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$", re.ASCII)


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where downloads of the hub are kept."""
    if chosen := environment.get("HF_HUB_CACHE"):
        return Path(chosen).expanduser()
    if home := environment.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    return Path(environment.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface" / "hub"


def cached_snapshot(hub_id: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The newest snapshot in the cache that has a model in it: the one `refs/main` names, else the one changed last."""
    folder = cache_folder(environment) / ("models--" + hub_id.replace("/", "--"))
    snapshots = folder / "snapshots"
    if not snapshots.is_dir():
        return None
    candidates = [snapshots / name for name in names_in(snapshots)]
    try:
        revision = (folder / "refs" / "main").read_text("utf-8").strip()
    except (OSError, ValueError):
        revision = ""
    candidates.sort(key=lambda path: (path.name == revision, _changed(path)), reverse=True)
    return next((path for path in candidates if path.is_dir() and names_in(path)), None)


def is_offline(environment: Mapping[str, str] = os.environ) -> bool:
    return environment.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def download_hint(hub_id: str) -> str:
    return f"hf download {shlex.quote(hub_id)}"


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
