"""The user's samples, split so that nothing is judged by what it was calibrated with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from recommender.domain.errors import UsageError
from recommender.intake.cache_folder import cache_dir
from recommender.measure.texts import default_texts

_CALIBRATE = 300  # samples at most; more do not change ranges
_SHARE = 0.6  # of a text that calibrates
_NPZ_HINT = "numpy.savez('samples.npz', INPUT_NAME=array, labels=array)   (first axis: samples)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    """Files for calibrating and for judging; None: there are none."""

    calibration: Path | None
    evaluation: Path | None
    is_own: bool


def data_for(path: Path | None, *, is_language_model: bool) -> Data:
    """Text for language models (the default one where none is given), arrays for graphs (none: speed and agreement on synthetic inputs only).

    Raises:
        UsageError: not the kind of file that the model takes, or too few samples to split.
    """
    if is_language_model:
        if path is None:
            calibration, evaluation = default_texts()
            return Data(calibration=calibration, evaluation=evaluation, is_own=False)
        return _split_text(path)
    return Data(calibration=None, evaluation=None, is_own=False) if path is None else _split_arrays(path)


def _split_text(path: Path) -> Data:
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"--data `{path}` is no text that can be read: {error}") from None
    cut = int(len(text) * _SHARE)
    if len(text) < 2000:
        raise UsageError(f"--data `{path}` holds {len(text)} characters; at least 2000 are needed to calibrate with one part and judge with another")
    return Data(calibration=_kept(path, "calibration", text[:cut].encode()), evaluation=_kept(path, "evaluation", text[cut:].encode()), is_own=True)


def _split_arrays(path: Path) -> Data:
    """Even samples calibrate, odd ones judge."""
    import io

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        n = min(len(array) for array in arrays.values())
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"--data `{path}` is no .npz of arrays with samples on the first axis: {str(error).splitlines()[0]}", hints=(_NPZ_HINT,)) from None
    if n < 4:
        raise UsageError(f"--data `{path}` holds {n} samples; at least 4 are needed to calibrate with one half and judge with the other", hints=(_NPZ_HINT,))
    halves = []
    for name, rows in (("calibration", slice(0, min(n, 2 * _CALIBRATE), 2)), ("evaluation", slice(1, n, 2))):
        packed = io.BytesIO()
        np.savez(packed, **{key: array[rows] for key, array in arrays.items()})
        halves.append(_kept(path, name, packed.getvalue()))
    return Data(calibration=halves[0], evaluation=halves[1], is_own=True)


def _kept(path: Path, name: str, content: bytes) -> Path:
    """Written whole into the cache, named after its content."""
    import hashlib

    folder = Path(cache_dir()) / "texts"
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}"
    if not kept.is_file():
        partial = kept.with_name(f"{kept.name}.{os.getpid()}.partial")
        partial.write_bytes(content)
        os.replace(partial, kept)
    return kept
