"""A user script of Olive's, which loads it by path: calibration samples from an .npz file as its data sets give them. It imports nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from olive.data.registry import Registry


class Samples:
    """Item i is (feeds of batch i by input, None): Olive wants a label beside them and does not look at it in calibration."""

    def __init__(self, file: Path, inputs: Mapping[str, tuple[str, int]], limit: int | None):
        import numpy as np

        with np.load(file) as samples:
            self._arrays = {name: samples[name][:limit].astype(dtype, copy=False) for name, (dtype, _) in inputs.items()}
        self._batch = max(batch for _, batch in inputs.values())

    def __len__(self) -> int:
        return min(len(array) for array in self._arrays.values()) // self._batch

    def __getitem__(self, i: int) -> tuple[dict[str, Any], int]:
        if not 0 <= i < len(self):
            raise IndexError(i)
        return {name: array[i * self._batch : (i + 1) * self._batch] for name, array in self._arrays.items()}, 0


@Registry.register_dataset("samples_of_npz")  # type: ignore[untyped-decorator]
def samples_of_npz(file: str, inputs: Mapping[str, tuple[str, int]], limit: int | None = None, **_: Any) -> Samples:
    """What `workflow` names as the data set of a calibration."""
    return Samples(Path(file), inputs, limit)
