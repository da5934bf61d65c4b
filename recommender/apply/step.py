"""The child's side of a step: find the preparer, let it work, hand back what it says. Standard library only: it runs in any environment."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recommender.domain.errors import StepFailed, WrongOutput
from recommender.ports import PrepareJob


def prepare(
    *, preparer: str, source: str, out: str, scheme: dict[str, Any], parameters: dict[str, Any], execution_provider: str, calibration: str | None, threads: int
) -> dict[str, Any]:
    """`preparer` is `module:attribute`; the answer is {"artifact": relative path, "facts": ...}."""
    module, _, attribute = preparer.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    job = PrepareJob(
        source=Path(source), out=Path(out), scheme=scheme, parameters=parameters, execution_provider=execution_provider,
        calibration=Path(calibration) if calibration else None, threads=threads,
    )
    try:
        with _temporary_files_in(job.out):
            made = found.prepare(job, lambda text: print(text, file=sys.stderr, flush=True))
    except OSError as error:
        raise StepFailed(f"{error.filename or out}: {error.strerror or error}") from error
    if not (job.out / made.artifact).exists():
        raise WrongOutput(f"{found.name} says it made `{made.artifact}`, which is not there")
    return {"artifact": made.artifact, "facts": dict(made.facts)}


@contextmanager
def _temporary_files_in(out: Path) -> Iterator[None]:
    """Also what frameworks and the programs they start keep for a while: a step that is killed then leaves nothing outside of its folder."""
    before = dict(os.environ), tempfile.tempdir
    with tempfile.TemporaryDirectory(dir=out, ignore_cleanup_errors=True) as folder:
        os.environ |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)
        tempfile.tempdir = folder
        try:
            yield
        finally:
            os.environ.clear()
            os.environ |= before[0]
            tempfile.tempdir = before[1]
