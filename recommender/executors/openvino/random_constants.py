"""Random weights as nodes of a graph, stored in the form that the exporter and NNCF give to trained ones."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from recommender.executors.openvino.compress import WeightPlan
from recommender.executors.random_weights import RandomWeights

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True)
class RandomConstants:
    """Must live until the graph is saved: its constants share the memory of `numbers`.

    Attributes:
        plan: None: nothing is compressed, and saving decides on the floating point. better: names of matrices that stay in 8 bit where others have 4.
    """

    numbers: RandomWeights
    plan: WeightPlan | None
    better: Collection[str] = ()

    def matrix(self, name: str, rows: int, columns: int) -> Any:
        """[rows, columns] in f32. Embedding and output are in 8 bit where anything is compressed, as NNCF keeps them."""
        if self.plan is None:
            return _constant(self.numbers.take("weights", rows * columns), (rows, columns), "f32", name)
        is_layer = name.startswith("model.layers.")
        if self.plan.mode == "int8_asym" or not is_layer or name.rpartition(".")[2] in self.better:
            return self._compressed(name, rows, columns, bits=8, group=columns)
        group = int(self.plan.group_size or -1)
        return self._compressed(name, rows, columns, bits=4, group=columns if group < 0 else group, is_symmetric=self.plan.mode == "int4_sym")

    def vector(self, kind: str, shape: tuple[int, ...]) -> Any:
        """In f32; with compressed matrices stored in fp16, as they were before NNCF took them."""
        import openvino
        from openvino import opset13 as opset

        if self.plan is None:
            return _constant(self.numbers.take(kind, prod(shape)), shape, "f32")
        return opset.convert(_constant(self.numbers.take(kind, prod(shape), "f16"), shape, "f16"), openvino.Type.f32)

    def _compressed(self, name: str, rows: int, columns: int, *, bits: int, group: int, is_symmetric: bool = False) -> Any:
        """Integers, less their zero points, times their scales, in fp16. Groups have an axis of their own where a row has several."""
        import openvino
        from openvino import opset13 as opset

        n_groups, numbers = columns // group, self.numbers
        shape = (rows, columns) if n_groups == 1 else (rows, n_groups, group)
        ones = (*shape[:-1], 1)
        kind = f"{'i' if is_symmetric else 'u'}{bits}"
        found = opset.convert(_constant(numbers.take("codes", rows * columns * bits // 8), shape, kind, name), openvino.Type.f16)
        if not is_symmetric:
            middles = _constant(numbers.take(f"middles{bits}", -(-rows * n_groups * bits // 8)), ones, kind, f"{name}/zero_point")
            found = opset.subtract(found, opset.convert(middles, openvino.Type.f16))
        found = opset.multiply(found, _constant(numbers.take(f"scales{bits}", rows * n_groups, "f16"), ones, "f16", f"{name}/scale"))
        if n_groups > 1:
            found = opset.reshape(found, opset.constant([rows, columns], openvino.Type.i64), special_zero=False)
        return opset.convert(found, openvino.Type.f32)


def _constant(values: np.ndarray, shape: tuple[int, ...], kind: str, name: str = "") -> Any:
    """Shares the memory of `values`, whatever their type: `kind` says how the bytes are read."""
    import openvino

    found = openvino.op.Constant(openvino.Tensor(values, openvino.Shape(shape), getattr(openvino.Type, kind)), shared_memory=True)
    if name:
        found.set_friendly_name(name)
    return found
