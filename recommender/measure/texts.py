"""The default texts for language models: one to calibrate with, another to judge with, from the reference that every CPython carries."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from recommender.intake.cache_folder import cache_dir

_SHARE = 0.6  # of the text that calibrates; the rest judges


def default_texts() -> tuple[Path, Path]:
    """(calibration, evaluation): two disjoint files in the cache, the same bytes for the same Python version.

    Raises:
        OSError: the cache cannot be written.
    """
    from recommender.measure.inputs import default_text

    text = default_text()
    cut = text.index("\n\n", int(len(text) * _SHARE))
    folder = Path(cache_dir()) / "texts"
    folder.mkdir(parents=True, exist_ok=True)
    return _kept(folder, "calibration", text[:cut]), _kept(folder, "evaluation", text[cut:])


def _kept(folder: Path, name: str, text: str) -> Path:
    """The file, named after its content; written whole."""
    data = text.encode()
    path = folder / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}.txt"
    if not path.is_file() or path.stat().st_size != len(data):
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        partial.write_bytes(data)
        os.replace(partial, path)
    return path
