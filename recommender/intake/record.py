"""Write a scrubbed recording that RecordedHost can replay, and read one (or a probe document) back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from recommender import __version__
from recommender.domain.errors import RecordingError
from recommender.domain.fingerprint import Fingerprint
from recommender.intake.document import fingerprint_from_document, plain
from recommender.intake.host import RecordedHost, RecordingHost
from recommender.intake.run import DEFAULT_TIMEOUT, load_probes, observe, run_probes
from recommender.intake.scrub import local_names, private_names, reduced, scrub, scrub_names
from recommender.ports import HostAccess, Probe

RECORDING_SCHEMA = 1
MAX_RECORDING = 64 << 20  # bytes
_STREAMS = (Path("/dev"), Path("/dev/fd"))  # /dev/stdin, and what a shell gives for <(command)
_PARTS: dict[str, type] = {"files": str, "links": str, "dirs": list, "commands": dict, "python": object}


def record(
    host: HostAccess,
    probes: Sequence[Probe] | None = None,
    *,
    names: Sequence[str] | None = None,
    microbenchmark: Mapping[str, Any] | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> dict[str, Any]:
    """Run the probes (default: the installed ones) and keep what they read, scrubbed, as a recording.

    `names` are words to take out beside what has a private shape; by default this host's and user's name.
    """
    recorder = RecordingHost(host)
    run_probes(load_probes() if probes is None else probes, recorder, timeout=timeout)
    return scrubbed_recording(
        {kind: dict(items) for kind, items in recorder.taken.items()},  # a probe that was given up may still be reading
        system=host.platform().os,
        architecture=host.platform().architecture,
        names=local_names() if names is None else names,
        microbenchmark=microbenchmark,
    )


def scrubbed_recording(
    taken: Mapping[str, Mapping[str, Any]],
    *,
    system: str | None,
    architecture: str | None,
    names: Sequence[str] = (),
    microbenchmark: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a RecordingHost has taken -> the recording document."""
    private = private_names(names, taken)
    return {
        "recording_schema": RECORDING_SCHEMA,
        "recorder": f"recommend {__version__}",
        "os": system,
        "architecture": architecture,
        # Paths are scrubbed like texts: a cgroup's path is read from one file and asked for in the next.
        "files": _scrubbed({path: reduced(path, text) for path, text in taken["files"].items()}, private),
        "links": _scrubbed(taken["links"], private),
        "dirs": _scrubbed(taken["dirs"], private),
        "commands": {scrub_names(key, private): _command(key, told, private) for key, told in sorted(taken["commands"].items())},
        "python": _scrubbed(plain(taken["python"]), private),
        "microbenchmark": dict(microbenchmark or {}),
    }


def load_recording(path: str | Path) -> RecordedHost | Fingerprint:
    """A recording -> a host to run probes on; a probe document (`recommend probe --json`) -> its Fingerprint.

    Raises:
        RecordingError: not readable, not JSON, too large, of a newer schema, or with fields of a wrong type; names the file.
    """
    try:
        document = _read_json(Path(path))
        if "recording_schema" not in document and "devices" in document:
            return fingerprint_from_document(document)
        return RecordedHost(_checked(document))
    except RecordingError as error:
        raise RecordingError(f"{path}: {error.message}", hints=error.hints) from None


def observe_recording(path: str | Path, probes: Sequence[Probe] | None = None) -> Fingerprint:
    """The fingerprint that a recording or a probe document describes. Raises RecordingError like load_recording."""
    found = load_recording(path)
    return found if isinstance(found, Fingerprint) else replace(observe(found, probes), microbenchmark=found.microbenchmark)


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file() and path.parent not in _STREAMS:
        raise RecordingError("cannot be read (no regular file)")  # opening a pipe that nobody writes would never end
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_RECORDING + 1)
    except OSError as error:
        raise RecordingError(f"cannot be read ({error.strerror or error})") from None
    if len(data) > MAX_RECORDING:
        raise RecordingError(f"is larger than {MAX_RECORDING >> 20} MiB, the most that a recording may have")
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise RecordingError("is nested too deeply for a recording") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are both
        raise RecordingError(f"is not JSON ({error})") from None
    if not isinstance(document, dict):
        raise RecordingError(f"holds {type(document).__name__}, not the JSON object of a recording")
    return document


def _checked(document: dict[str, Any]) -> dict[str, Any]:
    """The document when it has the form of a recording. Raises RecordingError naming what is wrong."""
    schema = document.get("recording_schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise RecordingError(
            "is no recording: `recording_schema` is missing or no number", hints=("recommend probe --record FILE",)
        )
    if schema > RECORDING_SCHEMA:
        raise RecordingError(
            f"recording_schema {schema} is newer than {RECORDING_SCHEMA}, the newest that version {__version__} reads:"
            " upgrade this program"
        )
    for key in ("os", "architecture"):
        if not isinstance(document.get(key), str | None):
            raise RecordingError(f"`{key}` is not text")
    checked = dict(document)
    for part, kind in _PARTS.items():
        value = document.get(part)
        checked[part] = {} if value is None else value
        if not isinstance(checked[part], dict):
            raise RecordingError(f"`{part}` is not an object")
        for key, item in checked[part].items():
            _check_item(part, kind, key, item)
    return checked


def _check_item(part: str, kind: type, key: str, item: Any) -> None:
    if not isinstance(item, kind):
        raise RecordingError(f"`{part}` of `{key}` is {type(item).__name__}, not {kind.__name__}")
    if isinstance(item, list) and part == "dirs" and not all(isinstance(name, str) for name in item):
        raise RecordingError(f"`{part}` of `{key}` holds something that is no name")
    if isinstance(item, dict) and part == "commands":
        texts_fit = all(isinstance(item.get(name, ""), str) for name in ("stdout", "stderr"))
        if not texts_fit or not isinstance(item.get("returncode", 0), int):
            raise RecordingError(f"`commands` of `{key}` needs text in stdout and stderr and a number in returncode")


def _command(key: str, told: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {
        "stdout": scrub(reduced(key, told["stdout"]), names),
        "stderr": scrub(told["stderr"], names),
        "returncode": told["returncode"],
    }


def _scrubbed(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, str):
        return scrub(value, names)
    if isinstance(value, Mapping):
        return {_scrub_key(key, names): _scrubbed(inner, names) for key, inner in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        return [_scrubbed(inner, names) for inner in value]
    return value


def _scrub_key(key: Any, names: Sequence[str]) -> str:
    return str(scrub(str(key), names))
