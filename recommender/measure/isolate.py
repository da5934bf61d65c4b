"""One step in one fresh child process: bounded time and memory, its own process group, its exit decoded to a class."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import recommender
from recommender.executors import child

_SELDOM, _OFTEN = 0.5, 0.05  # seconds between two looks at the memory: far from the cap, and near to it; a look takes milliseconds of the machine
_GRACE = 2.0  # seconds a group gets to end by itself


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What a child runs. `packages`: further top-level packages by folder (the engine's own is always there)."""

    function: str  # package.module:attribute[.method]
    arguments: Mapping[str, Any]
    folder: Path  # of its own; job.json, log.txt and result.json go there
    interpreter: Path = Path(sys.executable)
    environ: Mapping[str, str] = field(default_factory=dict)  # on top of ours
    packages: Mapping[str, str] = field(default_factory=dict)
    wall: float = 600.0  # seconds
    memory: int | None = None  # bytes of resident memory of the whole group, else killed


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """kind: `ok` or one of measurement.FAILURES. peak_memory: resident bytes of the group as seen from outside."""

    kind: str
    value: Any = None
    message: str = ""
    hints: tuple[str, ...] = ()
    signal: str = ""
    elapsed: float = 0.0
    peak_memory: int = 0
    log: Path | None = None
    reproducer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.kind == "ok"


def run(job: Job, *, watch: Callable[[int], None] | None = None, tick: float | None = None) -> Outcome:
    """Run the job and wait for it, blocked. `watch` gets the child's process id at every tick [s] (memory passes sample there).

    Never raises for what the child does; OSError when its folder cannot be written.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    engine = str(Path(recommender.__file__).parent)
    told = {"function": job.function, "arguments": dict(job.arguments), "packages": {"recommender": engine, **job.packages}, "parent": os.getpid()}
    (job.folder / "job.json").write_text(json.dumps(told), "utf-8")
    (job.folder / "result.json").unlink(missing_ok=True)
    command = [str(job.interpreter), "-P", child.__file__, str(job.folder)]
    reproducer = {"command": shlex.join(command), "environ": dict(job.environ), "job": told}
    (job.folder / "reproduce.sh").write_text(f"#!/bin/sh\nexec env {' '.join(shlex.quote(f'{k}={v}') for k, v in job.environ.items())} {shlex.join(command)}\n", "utf-8")
    log = job.folder / "log.txt"
    started = time.monotonic()
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env={**_clean_environ(), **job.environ}, cwd=job.folder, **_own_group(),
        )
    ended = threading.Event()

    def wait() -> None:
        process.wait()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    peak, stopped = 0, ""
    try:
        while not ended.wait(tick or (_OFTEN if not peak or (job.memory and peak > job.memory / 4) else _SELDOM)):
            peak = max(peak, group_memory(process.pid))
            if watch:
                watch(process.pid)
            if job.memory and peak > job.memory:
                stopped = "out-of-memory"
            elif time.monotonic() - started > job.wall:
                stopped = "timeout"
            if stopped:
                break
    finally:
        _end_group(process, ended)
    elapsed = time.monotonic() - started
    return _decoded(job, process.returncode, stopped, log, elapsed=elapsed, peak=peak, reproducer=reproducer)


def _decoded(job: Job, code: int | None, stopped: str, log: Path, *, elapsed: float, peak: int, reproducer: Mapping[str, Any]) -> Outcome:
    facts: dict[str, Any] = {"elapsed": elapsed, "peak_memory": peak, "log": log, "reproducer": reproducer}
    if stopped == "timeout":
        return Outcome(kind="timeout", message=f"no end within {job.wall:g} s", **facts)
    if stopped:
        return Outcome(kind=stopped, message=f"more than {(job.memory or 0) / 2**20:.0f} MiB of memory", **facts)
    try:
        result = json.loads((job.folder / "result.json").read_text("utf-8"))
    except (OSError, ValueError):
        return _died(code, log, facts)
    if result["outcome"] == "ok":
        return Outcome(kind="ok", value=result["value"], **facts)
    return Outcome(kind=result["outcome"], message=result["message"], hints=tuple(result["hints"]), **facts)


def _died(code: int | None, log: Path, facts: Mapping[str, Any]) -> Outcome:
    """No result: killed by a signal (by the kernel for want of memory: SIGKILL), or ended without a word."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        if name == "SIGKILL":
            return Outcome(kind="out-of-memory", message="killed by the system, most often for want of memory", signal=name, **facts)
        return Outcome(kind="crash", message=f"ended by {name}{_last_line(log)}", signal=name, **facts)
    if sys.platform == "win32" and code is not None and code & 0xC0000000 == 0xC0000000:
        return Outcome(kind="crash", message=f"ended with 0x{code & 0xFFFFFFFF:08X}", signal=f"0x{code & 0xFFFFFFFF:08X}", **facts)
    return Outcome(kind="crash" if code else "tool-bug", message=f"ended with {code} and no result{_last_line(log)}", **facts)


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", "replace").split("\n")
    except OSError:
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {last[:300]}" if last else ""


def group_memory(pid: int) -> int:
    """Resident bytes of a process and its children; 0 when it has gone."""
    import psutil

    try:
        process = psutil.Process(pid)
        return sum(_resident(each) for each in (process, *process.children(recursive=True)))
    except psutil.Error:
        return 0


def _resident(process: Any) -> int:
    import psutil

    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


_DROPPED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "RECOMMEND_EVIDENCE_URL")  # of our interpreter, or no child's business: a password


def _clean_environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _DROPPED}


def _own_group() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _end_group(process: subprocess.Popen[bytes], ended: threading.Event) -> None:
    """End what is left of the group, by its own id only, and wait for the child."""
    import psutil

    if sys.platform == "win32":
        try:
            left = psutil.Process(process.pid).children(recursive=True)
        except psutil.Error:
            left = []
        if not ended.is_set():
            process.kill()
        for each in left:
            try:
                each.kill()
            except psutil.Error:
                continue
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
    ended.wait(_GRACE)
