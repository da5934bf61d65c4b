"""Run a tool's command, here or on another machine, and make one Repetition of each invocation."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from recommender.domain.errors import DeviceLost, OutOfMemory, StepFailed, Unsupported, UsageError
from recommender.executors.remote.parser import last_line, parser, read
from recommender.measure.repetition import Repetition

PLACEHOLDERS = ("artifact", "artifact_name", "n_threads", "batch", "prompt_tokens", "output_tokens", "context", "streams")
_PLACE = re.compile(r"\{([A-Za-z_]\w*)\}")
_KEPT = 4 << 20  # bytes of output that are read, from the end
_SSH = ("ssh", "plink", "dbclient")
FAR = (*_SSH, "adb")  # such a command runs elsewhere
_SSH_FAILED = 255  # their own exit status; also that of a connection that broke
_NOT_FOUND = 127  # of a shell: no such program
_KILLED = (137, -9)  # by SIGKILL, there or here: most often for want of memory
_GONE = tuple(
    re.compile(text, re.IGNORECASE) for text in (
        r"connection (to \S+ )?(closed|reset|refused|timed out|aborted)", r"no route to host", r"could not resolve hostname", r"broken pipe",
        r"client_loop: send disconnect", r"host key verification failed", r"permission denied \(publickey",
        r"device '[^']*' not found", r"device (not found|offline|unauthorized)", r"no devices/emulators found", r"network is unreachable",
    )
)
_NO_PROGRAM = re.compile(r"(?P<program>[^\s:]+): (?:inaccessible or |command )?not found")


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote:
    """A candidate that a tool measures.

    Attributes:
        candidate: id. command: template, split as a shell would, run without one of ours; {artifact}, {artifact_name}, {n_threads}, ... are filled in.
        parse: name of a parser or path of a .toml file. artifact: file or folder here. values: for the other placeholders.
        push: template of a command that brings the artifact there, or "". wall: seconds for one invocation.
    """

    candidate: str
    command: str
    parse: str
    artifact: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    push: str = ""
    wall: float = 600.0


def words(template: str, values: Mapping[str, Any]) -> list[str]:
    """The command's words with the placeholders filled in; values are quoted where a shell on the other side reads them again.

    Raises:
        UsageError: an unbalanced quote, an empty command, an unknown placeholder, or one without a value.
    """
    try:
        parts = shlex.split(template)
    except ValueError as error:
        raise UsageError(f"`{template}` cannot be split into words: {error}") from None
    if not parts:
        raise UsageError("the command is empty", hints=("recommend measure --runner 'ssh DEVICE COMMAND {artifact}' --parse TOOL",))
    quoted = _reaches_a_shell(parts)

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if values.get(name) is None:
            what = "is not known for this candidate" if name in PLACEHOLDERS or name in values else f"is no placeholder (one of {', '.join(PLACEHOLDERS)})"
            raise UsageError(f"`{{{name}}}` in `{template}` {what}")
        return shlex.quote(str(values[name])) if quoted else str(values[name])

    return [_PLACE.sub(value, part) for part in parts]


def placeholders(template: str) -> set[str]:
    """Names in braces."""
    return set(_PLACE.findall(template))


def _reaches_a_shell(parts: Sequence[str]) -> bool:
    program = _program(parts)
    return program in _SSH or (program == "adb" and "shell" in parts) or (program in ("sh", "bash", "dash", "zsh") and "-c" in parts)


def _program(parts: Sequence[str]) -> str:
    return os.path.basename(parts[0]).removesuffix(".exe")


def push(remote: Remote) -> None:
    """Bring the artifact to the device, once before the first repetition.

    Raises:
        UsageError, DeviceLost, Unsupported, StepFailed: as `measured` does.
    """
    if remote.push:
        command = words(remote.push, _values(remote))
        code, output = _run(command, remote.wall)
        if code:
            raise _failure(command, code, output, ()) or StepFailed(f"`{shlex.join(command)}` ended with {code}: {last_line(output)}", kind="crash")


def take_remote(remote: Remote, round: int) -> Repetition:
    """One invocation as one repetition. Of what can go wrong on the other side it raises nothing: a failure is a repetition of its kind.

    Raises:
        UsageError: the template or the parser is wrong.
    """
    tool = parser(remote.parse)
    command = words(remote.command, _values(remote))
    told: dict[str, Any] = {"candidate": remote.candidate, "round": round, "reproducer": {"command": shlex.join(command)}}
    began = time.monotonic()
    try:
        code, output = _run(command, remote.wall)
        if code or not output.strip():
            failure = _failure(command, code, output, tool.lost)
            if failure or code:
                raise failure or StepFailed(f"`{command[0]}` ended with {code}: {last_line(output)}", kind="crash")
        found = read(tool, output)
    except (StepFailed, DeviceLost) as error:
        kind = "lost" if isinstance(error, DeviceLost) else error.kind
        return Repetition(kind=kind, message="; hint: ".join((error.message, *error.hints)), elapsed=time.monotonic() - began, **told)
    facts = {"method": tool.name, "framework_version": found.version, "printed": found.printed}
    return Repetition(
        samples=found.samples, single_calls=found.single_calls, cold=found.cold, facts=facts, elapsed=time.monotonic() - began,
        raw={"output": output}, **told,
    )


def _values(remote: Remote) -> dict[str, Any]:
    return {**remote.values, "artifact": remote.artifact, "artifact_name": remote.artifact.name}


def _failure(command: Sequence[str], code: int, output: str, lost: Sequence[re.Pattern[str]]) -> DeviceLost | StepFailed | None:
    """What a failed invocation means; None when it has no special class."""
    said = last_line(output)
    if code == _NOT_FOUND:
        named = _NO_PROGRAM.search(output)
        program = named["program"] if named else command[0]
        return Unsupported(f"there is no program `{program}`", hints=(f"install {program} where `{shlex.join(command[:2])}` runs, or give its path",))
    if (code == _SSH_FAILED and _program(command) in _SSH) or any(pattern.search(output) for pattern in (*_GONE, *lost)):
        return DeviceLost(f"the device was lost: {said or f'{command[0]} ended with {code}'}")
    if not output.strip():
        return DeviceLost(f"the device was lost: `{command[0]}` said nothing and ended with {code}")
    return OutOfMemory(f"killed on the device, most often for want of memory: {said}") if code in _KILLED else None


def _run(command: Sequence[str], wall: float) -> tuple[int, str]:
    """Exit code and output of a command in a process group of its own, bounded in time.

    Output goes to a file: a pipe would stay open as long as something the command left behind (a shared connection) holds it.

    Raises:
        Unsupported: there is no such program here. StepFailed: `timeout`.
    """
    with tempfile.TemporaryFile() as stream:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, **_own_group())
        except FileNotFoundError:
            raise Unsupported(f"there is no program `{command[0]}`", hints=(f"install {command[0]}, or give its path",)) from None
        except OSError as error:
            raise Unsupported(f"`{command[0]}` cannot be run: {error.strerror}") from None
        try:
            code = process.wait(wall)
        except subprocess.TimeoutExpired:
            raise StepFailed(f"no end within {wall:g} s: {last_line(_end_of(stream))}", kind="timeout") from None
        finally:
            _end(process)
        return code, _end_of(stream)


def _own_group() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _end_of(stream: IO[bytes]) -> str:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _KEPT))
    return stream.read().decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command that has not ended, with its group, by its own id only. What an ended one left behind on purpose stays."""
    if process.poll() is None:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
