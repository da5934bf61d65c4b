"""Put a finished artifact where the user wants it: under its final name it is whole, or it is not there."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recommender.apply.artifacts import Made, content_hash, files_of, free_disk
from recommender.domain.errors import ActionFailed, UsageError

NOTE = ".recommend.json"  # beside the artifact: what it is, how it was made, how it is started


def final_name(model: str, choice: Mapping[str, Any], made: Path) -> str:
    """`llama-3.2-1b-Q4_K_M.gguf` for a file, `minilm-int8-static.openvino-ir` for a folder."""
    stem = f"{model.rpartition('/')[2]}-{choice['scheme']}"
    return stem + (made.suffix if made.is_file() else f".{choice['format']}")


def deliver(made: Made, out: Path, name: str, note: Mapping[str, Any], *, may_replace: bool) -> Path:
    """Copy into `out` (no link: a change of the delivered file must not reach the cache); the same artifact already there is left alone.

    Raises:
        UsageError: another artifact has that name. ActionFailed: no room, no permission.
    """
    final = out / name
    try:
        out.mkdir(parents=True, exist_ok=True)
        _sweep(out)
        if final.exists() and content_hash(final) != made.hash:
            if not may_replace:
                raise UsageError(f"`{final}` is there already and is another artifact", hints=("recommend apply --yes ...   (replaces it)",))
            _place(made, final, replacing=True)
        elif not final.exists():
            _place(made, final, replacing=False)
        _write_whole(out / (name + NOTE), json.dumps(note, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise ActionFailed(f"{error.filename or out}: {error.strerror or error}", hints=("recommend apply --out /another/folder ...",)) from None
    return final


def _place(made: Made, final: Path, *, replacing: bool) -> None:
    if made.size > free_disk(final.parent):
        raise ActionFailed(f"{made.size / 2**20:.0f} MiB are needed in {final.parent}, {free_disk(final.parent) / 2**20:.0f} MiB are free")
    partial = final.with_name(f".{final.name}.partial-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    try:
        if made.path.is_file():
            shutil.copyfile(made.path, partial)
        else:
            for file in files_of(made.path):
                target = partial / file.relative_to(made.path)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
        if replacing and final.is_dir():
            old = partial.with_name(partial.name + "-old")
            final.rename(old)
            partial.rename(final)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(partial, final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        partial.unlink(missing_ok=True)
        raise


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    partial.write_text(text, "utf-8")
    os.replace(partial, path)


def _sweep(out: Path) -> None:
    """What a killed run left half-copied."""
    import psutil

    for path in out.glob(".*.partial-*-*"):
        owner = path.name.rpartition(".partial-")[2].partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
