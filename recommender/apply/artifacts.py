"""The artifacts that were made here, by content: a folder's name is the hash of all that went in, and a folder of that name is whole.

A step works in `files/` of a folder under `partial/`; the manifest is written last and the folder renamed. What a killed run left there
is swept by the next one. Two processes may make the same artifact: the first to finish stays.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from recommender.domain.errors import ActionFailed, WrongOutput
from recommender.intake.cache_folder import cache_dir

_MANIFEST = "manifest.json"
_FILES = "files"
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A finished artifact. `path`: the file, or the folder; `size` [bytes]; `hash`: over names and contents of its files."""

    key: str
    path: Path
    size: int
    hash: str
    facts: Mapping[str, Any]


def content_hash(path: Path) -> str:
    """SHA-256 over a file, or over the names and contents of a folder's files (hidden ones left out)."""
    if path.is_file():
        return _file_hash(path, *_state(path))
    total = hashlib.sha256()
    for each in files_of(path):
        total.update(f"{each.relative_to(path).as_posix()}\0{_file_hash(each, *_state(each))}\n".encode())
    return total.hexdigest()


def _state(path: Path) -> tuple[int, int, int]:
    """What changes when a file is written."""
    told = path.stat()
    return told.st_size, told.st_mtime_ns, told.st_ino


def files_of(path: Path) -> list[Path]:
    """The file itself, or all files of a folder in a fixed order, hidden ones left out."""
    if path.is_file():
        return [path]
    return sorted(each for each in path.rglob("*") if each.is_file() and not any(part.startswith(".") for part in each.relative_to(path).parts))


@lru_cache(maxsize=1024)
def _file_hash(path: Path, size: int, changed: int, inode: int) -> str:
    """Read once for each state of the file."""
    total = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_CHUNK):
            total.update(block)
    return total.hexdigest()


def step_key(**parts: Any) -> str:
    """The name of what a step makes: the hash of its inputs' hashes, preparer, version, scheme and parameters."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


class Artifacts:
    """The folder of artifacts (in the cache: everything in it can be made again)."""

    def __init__(self, root: Path | None = None):
        self.root = root or Path(cache_dir()) / "artifacts"

    def finished(self, key: str) -> Made | None:
        """The artifact of a key when it is there with all its bytes; a damaged one is dropped."""
        folder = self.root / key
        try:
            manifest = json.loads((folder / _MANIFEST).read_text("utf-8"))
            path = folder / _FILES / manifest["artifact"]
            if all((folder / _FILES / name).stat().st_size == size for name, size in manifest["files"].items()):
                return Made(key=key, path=path, size=sum(manifest["files"].values()), hash=manifest["hash"], facts=manifest["facts"])
        except (OSError, ValueError, LookupError, TypeError):
            pass
        shutil.rmtree(folder, ignore_errors=True)
        return None

    def begin(self, key: str) -> Path:
        """A folder for a step, with an empty `files/` to work in, named after this process so that a later run knows whether it is still at work.

        Raises:
            ActionFailed: the folder cannot be written.
        """
        self.sweep()
        folder = self.root / "partial" / f"{key}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        try:
            (folder / _FILES).mkdir(parents=True)
        except OSError as error:
            raise ActionFailed(f"artifacts cannot be made in {self.root}: {error.strerror}", hints=("RECOMMEND_CACHE_DIR=/another/folder",)) from None
        return folder

    def finish(self, key: str, folder: Path, artifact: str, facts: Mapping[str, Any], made_by: Mapping[str, Any]) -> Made:
        """Give the step's folder its name.

        Raises:
            WrongOutput: the artifact is not there, or empty.
        """
        made = folder / _FILES
        path = made / artifact
        files = {each.relative_to(made).as_posix(): each.stat().st_size for each in files_of(made)}
        if not path.exists() or not sum(files.values()):
            raise WrongOutput(f"the step left no artifact `{artifact}`")
        manifest = {"key": key, "artifact": artifact, "files": files, "hash": content_hash(path), "facts": facts, "made_by": made_by}
        with (folder / _MANIFEST).open("w", encoding="utf-8") as stream:
            json.dump(manifest, stream, sort_keys=True)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            folder.rename(self.root / key)
        except OSError:  # another process was first
            if (found := self.finished(key)) is None:
                raise
            shutil.rmtree(folder, ignore_errors=True)
            return found
        found = self.finished(key)
        assert found is not None
        return found

    def sweep(self) -> None:
        """Drop what runs that no longer exist have left half-made."""
        import psutil

        for folder in (self.root / "partial").glob("*-*-*"):
            owner = folder.name.rsplit("-", 2)[1]
            if owner.isdigit() and not psutil.pid_exists(int(owner)):
                shutil.rmtree(folder, ignore_errors=True)


def free_disk(folder: Path) -> int:
    """Bytes free where a folder is or would be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
