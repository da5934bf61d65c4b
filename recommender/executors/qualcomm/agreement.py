"""How far a graph's outputs are from another's on the same inputs, both on the CPU execution provider."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.domain.errors import WrongOutput
from recommender.executors.qualcomm.calibration import Feeds

if TYPE_CHECKING:
    import numpy as np


def outputs_on_cpu(model: Path, feeds: Sequence[Feeds], threads: int = 1) -> list[list[np.ndarray]]:
    """Outputs by call, in the graph's order. Nodes are not fused: the fused form of a 16-bit QDQ Concat returns zeros (onnxruntime 1.32, CPU)."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return [session.run(None, dict(each)) for each in feeds]


def agreement(reference: Sequence[Sequence[np.ndarray]], outputs: Sequence[Sequence[np.ndarray]]) -> dict[str, float | int | None]:
    """Pure. Over all calls, both given as outputs by call:

    argmax_agreement: share of rows of the first float output whose largest entry is the same; None when it has one entry a row.
    cosine: mean over calls, the lowest of the float outputs. max_abs_difference: over all float outputs.

    Raises:
        WrongOutput: NaN, infinity, or another shape than the reference's.
    """
    import numpy as np

    floats = [index for index, value in enumerate(reference[0]) if value.dtype.kind == "f"]
    if not floats:
        raise WrongOutput("the model has no float output to compare")
    cosines, difference = [], 0.0
    for index in floats:
        pairs = [(wanted[index].astype(np.float64), got[index].astype(np.float64)) for wanted, got in zip(reference, outputs, strict=True)]
        if any(wanted.shape != got.shape for wanted, got in pairs):
            raise WrongOutput(f"output {index} has the shape {list(pairs[0][1].shape)}, the source's has {list(pairs[0][0].shape)}")
        if not all(np.isfinite(got).all() for _, got in pairs):
            raise WrongOutput(f"output {index} holds NaN or infinity")
        cosines.append(float(np.mean([_cosine(wanted, got) for wanted, got in pairs])))
        difference = max(difference, *(float(np.abs(wanted - got).max(initial=0.0)) for wanted, got in pairs))
    return {"argmax_agreement": _argmax_agreement(reference, outputs, floats[0]), "cosine": min(cosines), "max_abs_difference": difference, "n": len(reference)}


def _argmax_agreement(reference: Sequence[Sequence[np.ndarray]], outputs: Sequence[Sequence[np.ndarray]], index: int) -> float | None:
    import numpy as np

    if reference[0][index].ndim == 0 or reference[0][index].shape[-1] < 2:
        return None
    return float(np.mean([np.mean(wanted[index].argmax(-1) == got[index].argmax(-1)) for wanted, got in zip(reference, outputs, strict=True)]))


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    import numpy as np

    lengths = np.linalg.norm(one) * np.linalg.norm(other)
    return float(np.vdot(one, other) / lengths) if lengths else float(np.array_equal(one, other))


def accuracy(outputs: Sequence[Sequence[np.ndarray]], labels: Sequence[np.ndarray]) -> float | None:
    """Share of rows of the first output whose largest entry is the label's; None when labels are not one a row."""
    import numpy as np

    guesses = [call[0].argmax(-1).ravel() for call in outputs if call[0].ndim]
    wanted = [np.ravel(each) for each in labels]
    if not guesses or [len(each) for each in guesses] != [len(each) for each in wanted]:
        return None
    return float(np.mean(np.concatenate(guesses) == np.concatenate(wanted)))
