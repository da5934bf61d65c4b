"""The child's side of a step: find the preparer, let it work, hand back what it says. Standard library only: it runs in any environment."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recommender.domain.errors import StepFailed, WrongOutput
from recommender.ports import Prepared, PrepareJob, ProxyJob


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
    return _made(found.name, job.out, lambda: found.prepare(job, lambda text: print(text, file=sys.stderr, flush=True)))


def write_proxy(*, proxy: str, model: dict[str, Any], scheme: dict[str, Any], n_layers: int, context: int, out: str) -> dict[str, Any]:
    """`proxy` is `module:attribute`; the answer is that of `prepare`."""
    module, _, attribute = proxy.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    job = ProxyJob(model=model, scheme=scheme, n_layers=n_layers, out=Path(out), context=context)
    return _made(found.name, job.out, lambda: found.write(job))


def _made(name: str, out: Path, work: Callable[[], Prepared]) -> dict[str, Any]:
    """Run `work`, which leaves nothing outside of `out`, and hand on what it made."""
    try:
        with _temporary_files_in(out):
            made = work()
    except OSError as error:
        raise StepFailed(f"{error.filename or out}: {error.strerror or error}") from error
    if not (out / made.artifact).exists():
        raise WrongOutput(f"{name} says it made `{made.artifact}`, which is not there")
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
