"""A file or a folder into the evidence store: read, look up, store all of it or nothing."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from recommender.domain.catalog import Catalog
from recommender.domain.errors import UsageError
from recommender.domain.measurement import Measurement
from recommender.evidence.figures import shown
from recommender.evidence.formats import Format, rows
from recommender.evidence.mlperf import system_file
from recommender.evidence.resolve import Given, Unknown, measurement, tell
from recommender.evidence.told import Document, Fault, NotThisFormat
from recommender.predict.spelling import Names

MAX_FILE = 64 << 20  # bytes
_PROGRESS = 50  # files between two lines of progress
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # PowerShell writes UTF-16

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What was read. `faults`: rows that were left out, with the file where there are several. `unknown`: kind -> name -> how many."""

    measurements: tuple[Measurement, ...]
    faults: tuple[Fault, ...]
    unknown: Mapping[str, Mapping[str, int]]
    files: int


def gathered(form: Format, path: Path, given: Given, catalog: Catalog, names: Names, say: Say, *, now: datetime) -> Found:
    """Everything that a file, or the format's files below a folder, tell.

    Raises:
        UsageError: there is no such file, it is no text, or nothing of it is of this format.
    """
    paths = _files(form, path)
    unknown, taken, faults = Unknown(), dict[str, Measurement](), list[Fault]()
    for number, file in enumerate(paths):
        if number and number % _PROGRESS == 0:
            say(f"{number} of {len(paths)} files read, {len(taken)} figures")
        place = "" if len(paths) == 1 and path.is_file() else f"{file.relative_to(path)}: "
        try:
            for row in rows(form, _document(form, file)):
                if isinstance(row, Fault):
                    faults.append(Fault(row=f"{place}{row.row}", reason=row.reason))
                    continue
                made = row if isinstance(row, Measurement) else measurement(row, form, given, catalog, names, unknown, now=now)
                taken.setdefault(made.id, made)
        except (NotThisFormat, UsageError) as error:  # one bad file of a folder costs no other
            if not place:
                raise (error if isinstance(error, UsageError) else _refused(form, path, str(error))) from None
            faults.append(Fault(row=place.removesuffix(": "), reason=str(error)))
    if not taken:
        first = f"; {faults[0].row}: {faults[0].reason}" if faults else ""
        raise _refused(form, path, f"none of its {len(faults)} rows can be used{first}")
    return Found(measurements=tuple(taken.values()), faults=tuple(faults), unknown=tell(unknown), files=len(paths))


def _refused(form: Format, path: Path, reason: str) -> UsageError:
    return UsageError(f"`{path}` is no result of {form.what}: {reason}. It should be {form.looks_like}", hints=(form.made_by,))


def _files(form: Format, path: Path) -> list[Path]:
    if not path.exists():
        raise UsageError(f"`{path}`: there is no such file", hints=(f"ls {path.parent}",))
    if not path.is_dir():
        return [path]
    if not form.files:
        raise UsageError(f"`{path}` is a folder; {form.key} is read from one file", hints=(f"recommend evidence import {form.key} {path / 'FILE'}",))
    found = sorted({file for pattern in form.files for file in path.rglob(pattern) if file.is_file()})
    if not found:
        raise UsageError(f"`{path}` holds none of {', '.join(form.files)}", hints=(form.made_by,))
    return found


def _document(form: Format, path: Path) -> Document:
    folders = path.absolute().parent.parts
    beside = [path.parent / name for name in form.beside]
    if form.key == "mlperf" and (system := system_file(folders)):
        up, name = system
        beside.append(Path(*folders[: len(folders) - up], name))
    return Document(name=path.name, text=_text(path), folders=folders, beside={file.name: _text(file) for file in beside if file.is_file()})


def _text(path: Path) -> str:
    """Raises UsageError: the file cannot be read, is too large or no text."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_FILE:
        raise UsageError(f"`{path}` is larger than {MAX_FILE >> 20} MiB, which no result is")
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UsageError(f"`{path}` is no UTF-8 text (byte {error.start}: `{shown(data[error.start:error.start + 4].hex())}`)") from None
    if "\0" in text:
        raise UsageError(f"`{path}` is no text: it holds zero bytes")
    return text

