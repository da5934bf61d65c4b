"""Graphs: the outputs of a candidate against those of the source model, sample by sample. Runs in the child, with numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported, WrongOutput
from recommender.measure.inputs import checked, file_feeds

if TYPE_CHECKING:
    import numpy as np

    from recommender.ports import GraphSession

N_SAMPLES = 400  # that judge at first; the reference holds twice as many where the file has them
_LABELS = "labels"
_Z = 1.959964  # 97.5 % quantile of the normal distribution
LEFT_OUT = {
    "miou": "segmentation maps are compared by cosine only: the labels' classes are not known here",
    "map": "boxes are compared by cosine only: how they are decoded is the model's own",
}


def figure(values: Sequence[float], n: int | None = None) -> dict[str, Any]:
    """Mean of independent values with standard error and 95 % interval; `n` where it counts something finer than the values."""
    mean = fmean(values)
    error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    low, high = (None, None) if error is None else (mean - _Z * error, mean + _Z * error)
    return {"value": mean, "se": error, "low": low, "high": high, "n": n or len(values)}


def keep(session: GraphSession, plan: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Write the source's outputs, `name` -> [samples, ...]. Raises Unsupported without test samples."""
    import numpy as np

    outputs = _outputs(session, plan, 2 * int(plan.get("n_samples", N_SAMPLES)))
    with out.open("wb") as stream:
        np.savez(stream, **{f"output_{at:03}_{name}": array for at, (name, array) in enumerate(outputs.items())})  # type: ignore[arg-type]
    return {"kind": "graph", "n_samples": len(next(iter(outputs.values())))}


def compare(session: GraphSession, plan: Mapping[str, Any], kept: Path) -> dict[str, Any]:
    """cosine (of the main output, per sample), max_abs_diff (of all); with labels, or for the task `image-classification`, top1_agreement; with
    labels accuracy, accuracy_reference and quality_drop, the relative loss of accuracy, its error from the paired samples. `left_out` says what
    is not judged, and why.

    Raises: WrongOutput (other outputs than the source's), Unsupported (no test samples).
    """
    import numpy as np

    with np.load(kept, allow_pickle=False) as stored:
        before = {name.split("_", 2)[2]: stored[name] for name in sorted(stored.files)}
    after = _matched(_outputs(session, plan, int(plan.get("n_samples", N_SAMPLES))), before)
    n = min(len(next(iter(after.values()))), len(next(iter(before.values()))))
    pairs = {name: (before[name][:n].astype(np.float64), after[name][:n].astype(np.float64)) for name in after}
    main = main_output({name: pair[0] for name, pair in pairs.items()}, plan)
    labels = _labels(Path(plan["test"]), n)
    told: dict[str, Any] = {
        "kind": "graph", "n_samples": n, "output": main, "cosine": figure(cosines(*pairs[main])), "left_out": LEFT_OUT,
        "max_abs_diff": {"value": max(float(np.abs(a - b).max(initial=0.0)) for a, b in pairs.values()), "se": None, "n": n},
    }
    if labels is not None or plan.get("task") == "image-classification":
        told |= classified(_classes(pairs[main][0]), _classes(pairs[main][1]), labels)
    return told


def _outputs(session: GraphSession, plan: Mapping[str, Any], most: int) -> dict[str, np.ndarray]:
    """Outputs of the test samples, [samples, ...] each; an output without the batch's axis counts as one of each feed."""
    import numpy as np

    if not plan.get("test"):
        raise Unsupported("no test samples were given: quality cannot be told", hints=("--data samples.npz",))
    feeds = file_feeds(session.inputs, Path(plan["test"]), batch=int(plan.get("batch", 1)))
    batch = next((len(array) for array in feeds[0].values() if array.ndim), 1)
    rows: dict[str, list[np.ndarray]] = {}
    shapes = None
    for feed in feeds[: max(1, most // batch)]:
        outputs = session.run(feed)
        shapes = checked(outputs, shapes)
        for name, array in outputs.items():
            rows.setdefault(name, []).append(np.array(array if array.ndim and len(array) == batch else array[None]))
    return {name: np.concatenate(parts) for name, parts in rows.items()}


def _matched(outputs: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """By name, those that both have (a converter may leave out what its format cannot say); by place where a converter renamed all of them."""
    common = [name for name in expected if name in outputs]
    if common:
        found = {name: outputs[name] for name in common}
    elif len(outputs) == len(expected):
        found = dict(zip(expected, outputs.values(), strict=True))
    else:
        raise WrongOutput(f"the outputs are {', '.join(outputs)}; the source has {', '.join(expected)}")
    for name, array in found.items():
        if array.shape[1:] != expected[name].shape[1:]:
            raise WrongOutput(f"the output `{name}` has the shape {list(array.shape[1:])} per sample, in the source {list(expected[name].shape[1:])}")
    return found


def main_output(outputs: Mapping[str, np.ndarray], plan: Mapping[str, Any]) -> str:
    """The plan's `output`; else the first one with several numbers a sample, else the first."""
    if plan.get("output") in outputs:
        return str(plan["output"])
    return next((name for name, array in outputs.items() if array.ndim > 1 and array.shape[-1] > 1), next(iter(outputs)))


def _classes(scores: np.ndarray) -> np.ndarray:
    """The best class of each sample; scores [samples, classes], or classes already."""
    flat = scores.reshape(len(scores), -1)
    found: np.ndarray = flat.argmax(axis=1) if flat.shape[1] > 1 else flat[:, 0]
    return found


def classified(before: np.ndarray, after: np.ndarray, labels: np.ndarray | None) -> dict[str, Any]:
    """PURE: figures from the classes that source and candidate gave."""
    told = {"top1_agreement": figure([float(same) for same in before == after])}
    if labels is None:
        return told
    right_before, right_after = (before == labels).astype(float), (after == labels).astype(float)
    accuracy, was = figure(right_after.tolist()), figure(right_before.tolist())
    loss = figure((right_before - right_after).tolist())
    scale = was["value"]
    drop = {key: None if loss[key] is None or not scale else loss[key] / scale for key in ("value", "se", "low", "high")}
    return {**told, "accuracy": accuracy, "accuracy_reference": was, "quality_drop": {**drop, "n": loss["n"], "metric": "accuracy"}}


def cosines(before: np.ndarray, after: np.ndarray) -> list[float]:
    """PURE: cosine of each sample's flattened output with the source's; 1 where both are zero."""
    import numpy as np

    a, b = before.reshape(len(before), -1), after.reshape(len(after), -1)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return [float(dot / norm) if norm else float(np.array_equal(x, y)) for dot, norm, x, y in zip((a * b).sum(axis=1), norms, a, b, strict=True)]


def _labels(path: Path, n: int) -> np.ndarray | None:
    import numpy as np

    with np.load(path, allow_pickle=False) as stored:
        if _LABELS not in stored.files:
            return None
        found: np.ndarray = stored[_LABELS][:n].reshape(-1)
    return found if len(found) == n else None
