"""Artifacts of a sweep over many machines: each is made once, by the strongest worker that can, and fetched by all others from a folder that all see.

An artifact lies there under the hash of all that it is made from, with its manifest and the hash of its content: whole, or not at all. Who needs one that
is not there asks for it in a study beside the sweep's; the strongest live worker makes it between two trials of its own. A worker that dies loses its
say with its lease; one that cannot make it says so, and the next strongest does. All this is of the artifacts as a whole recipe leaves them.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recommender.apply.artifacts import Artifacts, Made, content_hash, files_of, step_key
from recommender.apply.recipe import steps_of
from recommender.domain.errors import ActionFailed, RecommenderError, StepFailed
from recommender.tune.storage import Record
from recommender.tune.worker import is_gone

Choice = Mapping[str, Any]
_MANIFEST, _FILES = "manifest.json", "files"
_STRENGTH, _WANTED, _UNABLE = "strength/", "wanted/", "unable/"  # what is kept of the study as a whole, by worker or by key
_POLL = 1.0  # seconds
_PATIENCE = 120.0  # seconds in which a stronger worker is expected to begin: it measures a point first


class Exchange:
    """`folder`: seen by all workers. `make`: makes the artifact of a choice here. `strength`: who makes what is missing; by default that of this machine.

    Raises:
        ActionFailed: the folder cannot be written.
    """

    def __init__(self, folder: Path, record: Record, make: Callable[[Choice], Made], *, source: str, strength: float | None = None, say: Callable[[str], None] = lambda line: None, patience: float = _PATIENCE):
        self._folder, self._record, self._make, self._source, self._say, self._patience = folder, record, make, source, say, patience
        self._strength = own_strength() if strength is None else strength
        self._local = Artifacts()
        try:
            (folder / "partial").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ActionFailed(f"--artifacts {folder}: {error.strerror}", hints=("--artifacts /a/folder/that/all/workers/see",)) from None
        self._closed = threading.Event()
        self._announce()
        threading.Thread(target=self._announcing, daemon=True).start()

    def close(self) -> None:
        """This worker makes nothing any more."""
        self._closed.set()
        self._record.keep(_STRENGTH + self._record.worker, None)

    # --- what a worker needs -------------------------------------------------------------------------------------------

    def made(self, choice: Choice) -> Made:
        """The artifact of a choice, from wherever it is first.

        Raises:
            StepFailed: it was made in vain. Whatever making it here raises.
        """
        if not steps_of(choice):
            return self._make(choice)
        key, asked = self.key(choice), time.monotonic()
        while (found := self._local.finished(key) or self._fetched(key)) is None:
            rows = [row for row in self._record.rows() if row.point == key]
            if failed := next((row for row in rows if row.state == "FAIL" and row.outcome), None):
                raise StepFailed(failed.why, kind=str(failed.outcome["kind"]))
            is_late = time.monotonic() - asked > self._patience and all(row.state != "RUNNING" for row in rows)
            if (self._is_strongest(key) or is_late) and self._make_for_all(key, choice, is_own=True):
                continue
            self._want(key, choice)
            time.sleep(_POLL)
            self._record.give_back_lapsed()
        return found

    def serve(self) -> None:
        """Make what others want, while this is the strongest worker."""
        for name, choice in self._kept(_WANTED).items():
            if not self._is_there(name) and self._is_strongest(name):
                self._make_for_all(name, choice)

    def key(self, choice: Choice) -> str:
        """Of all that an artifact is made from but the releases of the programs: all machines measure the one that was made first."""
        steps = [(step["action"], step["preparer"], step["parameters"]) for step in steps_of(choice)]
        return step_key(source=self._source, steps=steps, **{name: choice[name] for name in ("format", "scheme", "execution_provider")})

    def _want(self, key: str, choice: Choice) -> None:
        if key not in self._kept(_WANTED):
            self._say(f"{choice['id']}: waiting for a stronger machine to make it")
            self._record.keep(_WANTED + key, dict(choice))

    # --- making --------------------------------------------------------------------------------------------------------

    def _make_for_all(self, key: str, choice: Choice, *, is_own: bool = False) -> bool:
        """Make and publish; False when another worker is at it, or this one cannot: what it wants itself then raises, where nobody else is left to try."""
        done = sum(row.point == key and row.state == "COMPLETE" for row in self._record.rows())  # and gone since, or damaged
        claim = self._record.claim(key, done, {}, {})
        if claim is None:
            return False
        if self._is_there(key):
            return self._record.tell(claim, None, state="PRUNED", why="it is there")
        self._say(f"{choice['id']}: made here for all")
        try:
            with self._record.leased(claim):
                made = self._make(choice)
                self.publish(key, made)
        except StepFailed as error:  # it would fail elsewhere as well
            self._record.tell(claim, None, state="FAIL", why=error.message, outcome={"kind": error.kind})
        except RecommenderError as error:
            self._record.keep(f"{_UNABLE}{key}/{self._record.worker}", error.message)
            self._record.tell(claim, None, state="PRUNED", why=error.message)
            if is_own and not self._live(key):
                raise
            return False
        else:
            self._record.tell(claim, [float(made.size)], outcome={"hash": made.hash})
        return True

    def publish(self, key: str, made: Made) -> None:
        """Copy an artifact into the folder; it appears there whole, and the first one stays."""
        for left in (self._folder / "partial").iterdir():
            if is_gone(left.name.partition("-")[2]):
                shutil.rmtree(left, ignore_errors=True)
        partial = self._folder / "partial" / f"{key}-{self._record.worker}"
        for each in files_of(made.path):
            copy = partial / _FILES / each.relative_to(made.path.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(each, copy)
        told = {"key": key, "artifact": made.path.name, "hash": made.hash, "size": made.size, "facts": dict(made.facts), "worker": self._record.worker}
        with (partial / _MANIFEST).open("w", encoding="utf-8") as stream:
            json.dump(told, stream, sort_keys=True, default=str)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            partial.rename(self._folder / key)
        except OSError:  # another one is there
            shutil.rmtree(partial, ignore_errors=True)

    def _is_there(self, key: str) -> bool:
        return (self._folder / key / _MANIFEST).is_file()

    def _fetched(self, key: str) -> Made | None:
        """Copied into this machine's own cache, when it is there; one whose content is not what its manifest says is taken away."""
        shared = self._folder / key
        try:
            manifest = json.loads((shared / _MANIFEST).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        folder = self._local.begin(key)
        shutil.copytree(shared / _FILES, folder / _FILES, dirs_exist_ok=True)
        if content_hash(folder / _FILES / manifest["artifact"]) != manifest["hash"]:
            self._say(f"the artifact in {shared} is damaged: it is made again")
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(shared, ignore_errors=True)
            return None
        self._say(f"fetched {manifest['artifact']}, made by {manifest['worker'].partition('-')[0]}, {manifest['size'] / 2**20:.1f} MiB")
        return self._local.finish(key, folder, manifest["artifact"], manifest["facts"], {"fetched_from": manifest["worker"]})

    # --- who is the strongest ------------------------------------------------------------------------------------------

    def _announce(self) -> None:
        self._record.keep(_STRENGTH + self._record.worker, {"strength": self._strength, "until": time.time() + self._record.lease})

    def _announcing(self) -> None:
        while not self._closed.wait(self._record.lease / 3):
            try:
                self._announce()
            except Exception:  # noqa: BLE001  a storage that is away; the next time will see
                continue

    def _is_strongest(self, key: str) -> bool:
        mine = (self._strength, self._record.worker)
        return self._record.worker not in self._kept(f"{_UNABLE}{key}/") and all(other < mine for other in self._live(key))

    def _live(self, key: str) -> list[tuple[float, str]]:
        """Strength and name of the other live workers that have not said that they cannot make this one; of equals the later name is the stronger."""
        unable = {*self._kept(f"{_UNABLE}{key}/"), self._record.worker}
        return [
            (float(told["strength"]), name) for name, told in self._kept(_STRENGTH).items()
            if told and name not in unable and told["until"] > time.time() and not is_gone(name)
        ]

    def _kept(self, prefix: str) -> dict[str, Any]:
        return {name.removeprefix(prefix): value for name, value in self._record.all_kept().items() if name.startswith(prefix)}


def own_strength() -> float:
    """Processors times memory [GiB]."""
    import psutil

    return float((os.cpu_count() or 1) * psutil.virtual_memory().total / 2**30)
