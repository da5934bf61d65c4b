"""Which Python runs a step: this one where it has all that is needed, else a side environment made on demand."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from recommender.domain.errors import ExecutorUnavailable
from recommender.intake.cache_folder import cache_dir

VARIABLE = "RECOMMEND_ENVIRONMENTS_DIR"
_READY = "ready"  # a file written last: an environment without it is not used
_PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--quiet")


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """One entry of environments.toml. `size` is for the reader."""

    key: str
    why: str
    packages: tuple[str, ...]
    without_dependencies: tuple[str, ...]
    imports: tuple[str, ...]
    size: str


@cache
def environments() -> Mapping[str, Environment]:
    """All entries by key."""
    raw = tomllib.loads(Path(__file__).with_name("environments.toml").read_text("utf-8"))
    return {
        key: Environment(
            key=key, why=row["why"], packages=tuple(row["packages"]), without_dependencies=tuple(row["without_dependencies"]),
            imports=tuple(row["imports"]), size=row["size"],
        )
        for key, row in raw.items()
    }


def folder_of(environment: Environment) -> Path:
    """Where it is or would be made: named after its contents and the Python version, so that a change of either makes a new one."""
    named = hashlib.sha256(repr((environment.packages, environment.without_dependencies, sys.version_info[:2])).encode()).hexdigest()[:10]
    return _root() / f"{environment.key}-{named}"


def _root() -> Path:
    """What the variable says; else beside this Python where it is a virtual environment that may be written, so that both go together; else the cache."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    is_virtual = sys.prefix != sys.base_prefix
    return Path(sys.prefix) / "side-environments" if is_virtual and os.access(sys.prefix, os.W_OK) else Path(cache_dir()) / "environments"


def interpreter(key: str) -> Path | None:
    """The Python of an environment: this one for "" or when it can import all of it, the side environment when it is ready, else None."""
    if not key:
        return Path(sys.executable)
    environment = environments()[key]
    made = folder_of(environment)
    if (made / _READY).is_file():
        return _python_in(made)
    return Path(sys.executable) if all(find_spec(name) for name in environment.imports) else None


def make(key: str, say: Callable[[str], None]) -> Path:
    """The Python of an environment, made now if it is not there (minutes, a download).

    Raises:
        ExecutorUnavailable: pip could not resolve or build it; the message is pip's own last error, the hint its command.
    """
    found = interpreter(key)
    if found is not None:
        return found
    environment = environments()[key]
    folder = folder_of(environment)
    with _only_one(folder):
        if (folder / _READY).is_file():
            return _python_in(folder)
        say(f"making the environment `{key}` in {folder} ({environment.size}): {environment.why}")
        shutil.rmtree(folder, ignore_errors=True)
        _checked([sys.executable, "-m", "venv", str(folder)], key)
        python = _python_in(folder)
        _checked([str(python), *_PIP, *environment.packages], key)
        if environment.without_dependencies:
            _checked([str(python), *_PIP, "--no-deps", *environment.without_dependencies], key)
        (folder / _READY).write_text("\n".join(environment.packages) + "\n", "utf-8")
    return python


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _checked(command: list[str], key: str) -> None:
    """Run a set-up command; its output is shown only when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False)
    except OSError as error:
        raise ExecutorUnavailable(f"environment `{key}` cannot be made: {error}") from None
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower() or "conflict" in line.lower()]
        raise ExecutorUnavailable(f"environment `{key}` cannot be made: {(errors or lines or ['no message'])[-1].strip()[:400]}", hints=(shlex.join(command),))


class _only_one:
    """A lock between processes: a file that is locked while the environment is made, so that two do not make it at once."""

    def __init__(self, folder: Path):
        self._path = folder.with_name(folder.name + ".lock")

    def __enter__(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._path.open("w")
        except OSError as error:
            raise ExecutorUnavailable(f"environments cannot be made in {self._path.parent}: {error.strerror}", hints=(f"{VARIABLE}=/another/folder",)) from None
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(self._stream.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(self._stream, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._stream.close()
