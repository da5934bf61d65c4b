"""Samples for calibration: an .npz file of the inputs by name, its first axis the samples. The first half calibrates, the second checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported
from recommender.ports import TensorSpec

if TYPE_CHECKING:
    import numpy as np

Feeds = Mapping[str, "np.ndarray"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """One call's inputs each, and the labels of each call's rows where the file has them."""

    feeds: Sequence[Feeds]
    labels: Sequence[np.ndarray] | None = None

    def halves(self) -> tuple[Samples, Samples]:
        middle = len(self.feeds) // 2
        return self._part(0, middle), self._part(middle, len(self.feeds))

    def _part(self, start: int, end: int) -> Samples:
        return Samples(feeds=self.feeds[start:end], labels=None if self.labels is None else self.labels[start:end])


def read_samples(path: Path | None, inputs: Sequence[TensorSpec]) -> Samples:
    """Raises Unsupported when there is no file, it does not fit the model's inputs, or holds fewer than two samples."""
    import numpy as np

    if path is None:
        raise Unsupported("activation ranges come from sample inputs: none were given", hints=("recommend apply --model MODEL.onnx --out DIR --data samples.npz  # inputs by name, first axis = samples",))
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, AttributeError) as error:  # AttributeError: a bare .npy array
        raise Unsupported(f"`{path}` is not an .npz file of sample inputs: {str(error).splitlines()[0]}") from None
    missing = [spec.name for spec in inputs if spec.name not in arrays]
    if missing:
        raise Unsupported(f"`{path}` lacks the input {', '.join(missing)} (it has {', '.join(arrays) or 'nothing'})")
    calls = {spec.name: _calls(arrays[spec.name], spec, path) for spec in inputs}
    counts = {name: len(found) for name, found in calls.items()}
    if len(set(counts.values())) != 1 or min(counts.values()) < 2:
        raise Unsupported(f"`{path}`: at least two samples are needed, as many of each input (it has {counts})")
    number = next(iter(counts.values()))
    feeds = [{name: found[index] for name, found in calls.items()} for index in range(number)]
    return Samples(feeds=feeds, labels=_labels(arrays.get("labels"), number, rows=inputs[0].shape[0] or 1 if inputs[0].shape else 1))


def _calls(array: np.ndarray, spec: TensorSpec, path: Path) -> list[np.ndarray]:
    """Cut an array into what one call takes: the model's batch (1 where it is free) from the first axis, or one entry that is a whole batch."""
    import numpy as np

    if not np.can_cast(array.dtype, spec.dtype, "same_kind"):
        raise Unsupported(f"`{path}`: `{spec.name}` is {array.dtype}, the model takes {spec.dtype}")
    array = np.ascontiguousarray(array, dtype=spec.dtype)
    if array.ndim == len(spec.shape) + 1:
        calls = list(array)
    elif array.ndim == len(spec.shape) and array.ndim:
        batch = spec.shape[0] or 1
        calls = [array[start : start + batch] for start in range(0, len(array) - batch + 1, batch)]
    else:
        calls = []
    wanted = spec.shape
    if any(len(call.shape) != len(wanted) or any(size not in (None, got) for size, got in zip(wanted, call.shape, strict=True)) for call in calls[:1]) or not calls:
        raise Unsupported(f"`{path}`: `{spec.name}` has the shape {list(array.shape)}, the model takes {['free' if size is None else size for size in wanted]}")
    return calls


def _labels(labels: np.ndarray | None, n_calls: int, rows: int) -> list[np.ndarray] | None:
    """By call; `rows` of them a call, or one entry where the file has one a call."""
    if labels is None or len(labels) < n_calls:
        return None
    rows = 1 if len(labels) == n_calls else rows
    return [labels[start : start + rows] for start in range(0, n_calls * rows, rows)] if len(labels) >= n_calls * rows else None


def reader(feeds: Sequence[Feeds]) -> Any:
    """What the quantizer reads its samples from."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rewind()

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._left, None)

        def rewind(self) -> None:
            self._left = iter([dict(each) for each in feeds])

    return Reader()
