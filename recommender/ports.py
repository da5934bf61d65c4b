"""The ports: what the engine asks of the world. Each has at least two implementations, one of them for tests or replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from recommender.domain.fingerprint import Observation

PROBE_API = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """A finished command. `returncode` 127 when there is no such program, 124 when it ran past its time."""

    stdout: str
    stderr: str = ""
    returncode: int = 0

    @property
    def ok(self) -> bool:
        return self.returncode == 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """os: linux, android, macos, windows, or None when a recording does not tell. architecture: x86_64, aarch64, ..."""

    os: str | None
    architecture: str | None


@runtime_checkable
class HostAccess(Protocol):
    """Everything a probe may know of a machine. A recording is just another host; nothing here raises."""

    is_live: bool  # False: another machine's tree or a recording; never fall back to the reading process

    def platform(self) -> Platform: ...

    def read_text(self, path: str) -> str | None:
        """Whole text of an absolute POSIX path (`/proc/cpuinfo`); None when absent or unreadable. NUL bytes are kept."""

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Names in a folder, sorted; empty when absent."""

    def exists(self, path: str) -> bool: ...

    def read_link(self, path: str) -> str | None:
        """Target of a symbolic link as text, None when it is none."""

    def run(self, argv: Sequence[str], timeout: float = 5.0) -> Completed:
        """Run a program (argv list, never a shell, bounded time and output)."""

    def python(self, question: str) -> Any:
        """Ask the running interpreter one of a closed set of questions (see `intake.host.QUESTIONS`); None in a replay that lacks it."""


class Probe(Protocol):
    """A module or object. `read` does the I/O and returns raw text by name (None or empty: nothing there); `parse` is pure.

    name: unique, snake_case. api: PROBE_API. volatile: True when it must be read fresh at every run.
    platforms: tuple of os names it is for, or () for any.
    """

    name: str
    api: int
    volatile: bool
    platforms: tuple[str, ...]

    def read(self, host: HostAccess) -> dict[str, Any] | None: ...

    def parse(self, raw: dict[str, Any]) -> Observation: ...
