"""Ways to look at a machine: the live one, another machine's /proc and /sys tree, a recording.

Commands are argument lists with a time limit and a bounded output, never a shell. A replayed host answers only from what
it holds; it never looks at the machine that reads it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recommender.ports import Completed, HostAccess, Platform

MAX_TEXT = 4 << 20  # bytes of a file or of a command's output that are kept
NOT_FOUND, TIMED_OUT = 127, 124
_ARCHITECTURES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}


def command_key(argv: Sequence[str]) -> str:
    """How a recording names a command."""
    return " ".join(argv)


class LiveHost:
    """The machine this process runs on. `questions` answers `python(...)`, each a function without arguments."""

    is_live = True

    def __init__(self, questions: Mapping[str, Callable[[], Any]] | None = None):
        self._questions = dict(questions or {})

    def platform(self) -> Platform:
        name = {"darwin": "macos", "win32": "windows", "cygwin": "windows"}.get(sys.platform, sys.platform)
        if name == "linux" and ("ANDROID_ROOT" in os.environ or hasattr(sys, "getandroidapilevel")):
            name = "android"
        return Platform(os=name, architecture=machine_architecture())

    def read_text(self, path: str) -> str | None:
        return _read(Path(path))

    def list_dir(self, path: str) -> tuple[str, ...]:
        return _list(Path(path))

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def read_link(self, path: str) -> str | None:
        return _link(Path(path))

    def run(self, argv: Sequence[str], timeout: float = 5.0) -> Completed:
        environment = {**os.environ, "LC_ALL": "C", "LANG": "C"}
        try:
            done = subprocess.run(
                list(argv), capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL, env=environment, check=False
            )
        except subprocess.TimeoutExpired:
            return Completed(stdout="", stderr=f"no answer in {timeout:g} s", returncode=TIMED_OUT)
        except OSError as error:
            return Completed(stdout="", stderr=str(error), returncode=NOT_FOUND)
        return Completed(stdout=_decode(done.stdout), stderr=_decode(done.stderr)[:2000], returncode=done.returncode)

    def python(self, question: str) -> Any:
        ask = self._questions.get(question)
        return ask() if ask else None


class SysrootHost:
    """Another machine's file tree below `root`, as lscpu --sysroot reads it. Commands and Python are unknown there."""

    is_live = False

    def __init__(self, root: str | Path):
        self._root = Path(root).resolve()

    def platform(self) -> Platform:
        if not any((self._root / name).exists() for name in ("proc", "sys")):
            return Platform(os=None, architecture=None)
        android = any((self._root / name).exists() for name in ("system/build.prop", "build.prop"))
        return Platform(os="android" if android else "linux", architecture=None)  # the CPU probe reads it off the tree

    def read_text(self, path: str) -> str | None:
        inside = self._inside(path)
        return _read(inside) if inside else None

    def list_dir(self, path: str) -> tuple[str, ...]:
        inside = self._inside(path)
        return _list(inside) if inside else ()

    def exists(self, path: str) -> bool:
        inside = self._inside(path)
        return inside is not None and inside.exists()

    def read_link(self, path: str) -> str | None:
        # The last part must not be followed, only the way to it must stay inside the tree.
        relative = path.lstrip("/")
        parent, _, name = relative.rpartition("/")
        inside = self._inside(parent)
        return _link(inside / name) if inside and name not in ("", "..") else None

    def run(self, argv: Sequence[str], timeout: float = 5.0) -> Completed:
        return Completed(stdout="", stderr="a file tree runs no commands", returncode=NOT_FOUND)

    def python(self, question: str) -> Any:
        return None

    def _inside(self, path: str) -> Path | None:
        """The path below the root, or None when `..` or a link leads out: nothing of the reading host may leak in."""
        try:
            full = (self._root / path.lstrip("/")).resolve()
        except (OSError, RuntimeError, ValueError):
            return None
        return full if full.is_relative_to(self._root) else None


class RecordedHost:
    """A recording (see `intake.record`) replayed: files, folders, links, command outputs, Python answers."""

    is_live = False

    def __init__(self, recording: Mapping[str, Any]):
        self._files: Mapping[str, str] = recording.get("files", {})
        self._links: Mapping[str, str] = recording.get("links", {})
        self._dirs: Mapping[str, list[str]] = recording.get("dirs", {})
        self._commands: Mapping[str, Mapping[str, Any]] = recording.get("commands", {})
        self._python: Mapping[str, Any] = recording.get("python", {})
        self.microbenchmark: Mapping[str, Any] = recording.get("microbenchmark", {})
        self._platform = Platform(os=recording.get("os"), architecture=recording.get("architecture"))
        self._children: dict[str, set[str]] = {}
        for path in (*self._files, *self._links, *self._dirs):
            while path not in ("", "/"):
                parent, _, name = path.rpartition("/")
                self._children.setdefault(parent or "/", set()).add(name)
                path = parent
        for path, names in self._dirs.items():
            self._children.setdefault(path or "/", set()).update(names)

    def platform(self) -> Platform:
        return self._platform

    def read_text(self, path: str) -> str | None:
        return self._files.get(path)

    def list_dir(self, path: str) -> tuple[str, ...]:
        return tuple(sorted(self._children.get(path.rstrip("/") or "/", ())))

    def exists(self, path: str) -> bool:
        path = path.rstrip("/") or "/"
        parent, _, name = path.rpartition("/")
        return path in self._files or path in self._links or path in self._children or name in self._children.get(parent or "/", ())

    def read_link(self, path: str) -> str | None:
        return self._links.get(path)

    def run(self, argv: Sequence[str], timeout: float = 5.0) -> Completed:
        found = self._commands.get(command_key(argv))
        if found is None:
            return Completed(stdout="", stderr="not in this recording", returncode=NOT_FOUND)
        return Completed(stdout=found.get("stdout", ""), stderr=found.get("stderr", ""), returncode=found.get("returncode", 0))

    def python(self, question: str) -> Any:
        return self._python.get(question)


class RecordingHost:
    """Wraps a host and keeps everything that was asked of it, so that a RecordedHost can answer the same."""

    def __init__(self, host: HostAccess):
        self._host = host
        self.is_live = host.is_live
        self.taken: dict[str, dict[str, Any]] = {"files": {}, "links": {}, "dirs": {}, "commands": {}, "python": {}}

    def platform(self) -> Platform:
        return self._host.platform()

    def read_text(self, path: str) -> str | None:
        text = environ_of_manager(path, self._host.read_text(path))
        self._keep("files", path, text)
        return text

    def list_dir(self, path: str) -> tuple[str, ...]:
        names = self._host.list_dir(path)
        self._keep("dirs", path.rstrip("/"), list(names) or None)
        return names

    def exists(self, path: str) -> bool:
        found = self._host.exists(path)
        if found:
            parent, _, name = path.rstrip("/").rpartition("/")
            listed = self.taken["dirs"].setdefault(parent, [])
            if name not in listed:
                listed.append(name)
        return found

    def read_link(self, path: str) -> str | None:
        target = self._host.read_link(path)
        self._keep("links", path, target)
        return target

    def run(self, argv: Sequence[str], timeout: float = 5.0) -> Completed:
        done = self._host.run(argv, timeout)
        if done.returncode != NOT_FOUND:
            self.taken["commands"][command_key(argv)] = {
                "stdout": done.stdout, "stderr": done.stderr, "returncode": done.returncode,
            }
        return done

    def python(self, question: str) -> Any:
        return self._keep("python", question, self._host.python(question))

    def _keep(self, kind: str, key: str, value: Any) -> Any:
        if value is not None:
            self.taken[kind][key] = value
        return value


def environ_of_manager(path: str, text: str | None) -> str | None:
    """Of a process's environment, which holds secrets, only what a container manager writes; any other text as it is."""
    if text is None or not re.fullmatch(r"/proc/\w+/environ", path):
        return text
    return "\0".join(entry for entry in text.split("\0") if entry.startswith("container="))


def machine_architecture() -> str:
    """The architecture in Linux spelling, without starting a process."""
    if hasattr(os, "uname"):
        machine = os.uname().machine
    else:
        machine = os.environ.get("PROCESSOR_ARCHITEW6432") or os.environ.get("PROCESSOR_ARCHITECTURE", "")
    return _ARCHITECTURES.get(machine.lower(), machine.lower())


def _decode(data: bytes) -> str:
    return data[:MAX_TEXT].decode("utf-8", "replace")


def _read(path: Path) -> str | None:
    try:
        with open(path, "rb") as stream:
            return _decode(stream.read(MAX_TEXT))
    except (OSError, ValueError):
        return None


def _list(path: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(os.listdir(path)))
    except (OSError, ValueError):
        return ()


def _link(path: Path) -> str | None:
    try:
        return os.readlink(path)
    except (OSError, ValueError):
        return None
