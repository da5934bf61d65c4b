"""ExecuTorch programs (.pte): which operators and which delegates a program calls (schema/program.fbs)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from recommender.domain.model import Artifact, ModelSpec
from recommender.intake.models import graph_guess
from recommender.intake.models.flatbuffer import Table, root
from recommender.intake.models.reading import Malformed, not_a, open_window

MAX_PLANS = 1000
_VALUES, _INPUTS, _OPERATORS, _DELEGATES = 2, 3, 6, 7  # ExecutionPlan
_TENSOR_KIND = 5  # KernelTypes: none, Null, Int, Bool, Double, Tensor


def read_executorch(path: Path) -> ModelSpec:
    """ModelSpec of a .pte file. Weights and delegated parts are opaque: their number and precision stay unknown.

    Raises:
        Malformed
    """
    with open_window(path) as window:
        head = window.data[:64]
        if head[4:6] != b"ET" or not head[6:8].isdigit():
            raise not_a("an ExecuTorch program", head)
        plans = root(window).tables(1)
        if not plans or len(plans) > MAX_PLANS:
            raise Malformed("is broken: it has no method to run")
        operators: Counter[str] = Counter()
        delegates: Counter[str] = Counter()
        for plan in plans:
            operators.update(_operator(item) for item in plan.tables(_OPERATORS))
            delegates.update((item.text(0) or "?")[:100] for item in plan.tables(_DELEGATES))
        main = next((plan for plan in plans if plan.text(0) == "forward"), plans[0])
        details = {
            "identifier": head[4:8].decode("ascii"),
            "has_segments": head[8:12] == b"eh00",
            "methods": [(plan.text(0) or "?")[:100] for plan in plans][:100],
            "delegates": dict(delegates.most_common(50)),
            "task_is_guess": True,
            "structure_is_guess": True,
        }
        return _describe(path, window.size, operators, graph_guess.shape_text(_input(main)), details)


def _describe(path: Path, size: int, operators: Counter[str], shape: str, details: dict[str, Any]) -> ModelSpec:
    names = Counter({name.split("::")[-1].split(".")[0]: count for name, count in operators.items()})
    is_language = any("sdpa" in name or "update_cache" in name for name in operators) or "get_max_seq_len" in details["methods"]
    structure = "transformer" if is_language else graph_guess.structure_of(names) if names else "cnn"
    task = "text-generation" if is_language else "image-classification"
    return ModelSpec(
        key=path.stem,
        name=path.stem,
        task=task,
        structure=structure,
        modality=graph_guess.modality_of(task),
        operators=tuple(sorted(operators)),
        input=shape,
        note="parts that were handed to a delegate cannot be read; task and structure are guessed",
        artifact=Artifact(format="pte", path=str(path), size=size, details=details),
    )


def _operator(table: Table) -> str:
    name, overload = table.text(0) or "?", table.text(1)
    return f"{name}.{overload}"[:200] if overload else name[:200]


def _input(plan: Table) -> tuple[int, ...]:
    """Shape of the first input that is a tensor. EValue: kind 0, value 1; Tensor: sizes 2."""
    values = plan.tables(_VALUES)
    for index in plan.numbers(_INPUTS, "i"):
        if 0 <= index < len(values) and values[index].number(0, "B") == _TENSOR_KIND:
            tensor = values[index].table(1)
            return tuple(size for size in tensor.numbers(2, "i") if size >= 0) if tensor else ()
    return ()
