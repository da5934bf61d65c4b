"""Distinct, seeded inputs: eight or more in rotation, because one shared input flatters caches and a repeated prompt may not be computed at all.

Runs in the child, with numpy. What was used is told by kind and SHA-256, so that two measurements can be seen to have had the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported, WrongOutput

if TYPE_CHECKING:
    import numpy as np

    from recommender.ports import TensorSpec, TokenSession

N_INPUTS = 8
SEED = 20
VOCABULARY = 1000  # ids below it exist in the vocabulary of any model of text
_FREE_DIMENSION = 128  # of a free axis other than the first, where the plan says nothing
_LABELS = "labels"
_CHARACTERS_PER_TOKEN = 8  # generous for text, so that a part of it yields enough tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """`items`: feeds of a graph or prompts. kind: `file`, `text` or `synthetic`. texts: prompts as text, where the kind is `text`."""

    items: Sequence[Any]
    kind: str
    sha256: str
    source: str = ""
    texts: Sequence[str] = field(default_factory=tuple)

    def told(self) -> dict[str, Any]:
        return {"kind": self.kind, "n": len(self.items), "sha256": self.sha256, "source": self.source}


# --- graphs ------------------------------------------------------------------------------------------------------------


def graph_inputs(specs: Sequence[TensorSpec], plan: Mapping[str, Any]) -> Inputs:
    """Feeds for a graph: from the file `plan["test"]` (`.npz`, first axis = samples), else synthetic.

    Of the plan: `test`, `n_inputs`, `seed`, and for what a graph leaves open `batch` (first axis), `free_dimension` (others), `shapes` (whole
    shapes by input name), `vocabulary` (ids stay below it).

    Raises:
        Unsupported: the file lacks an input, or its samples do not fit the graph's shape.
    """
    n = int(plan.get("n_inputs", N_INPUTS))
    if plan.get("test"):
        path = Path(plan["test"])
        items = file_feeds(specs, path, n=n, batch=int(plan.get("batch", 1)))
        return Inputs(items=items, kind="file", sha256=digest(items), source=path.name)
    import numpy as np

    draw = np.random.default_rng(int(plan.get("seed", SEED)))
    items = [{spec.name: _synthetic(spec, _shape(spec, plan), draw, plan) for spec in specs} for _ in range(n)]
    return Inputs(items=items, kind="synthetic", sha256=digest(items))


def file_feeds(specs: Sequence[TensorSpec], path: Path, *, n: int | None = None, batch: int = 1) -> list[dict[str, np.ndarray]]:
    """The first `n` feeds (all of them: None) of an `.npz`, each of the graph's own batch or of `batch` where that is free."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files if name != _LABELS}
    except (OSError, ValueError) as error:
        raise Unsupported(f"`{path}` cannot be read as .npz: {error}") from None
    lacking = [spec.name for spec in specs if spec.name not in arrays]
    if lacking and len(specs) == len(arrays) == 1:  # one input on either side: converters rename
        arrays, lacking = {specs[0].name: next(iter(arrays.values()))}, []
    if lacking:
        raise Unsupported(f"`{path}` has no array for the input `{lacking[0]}` (it has {', '.join(arrays) or 'none'})")
    each = next((spec.shape[0] for spec in specs if spec.shape and spec.shape[0]), None) or batch
    n_feeds = min(len(arrays[spec.name]) for spec in specs) // each
    if not n_feeds:
        raise Unsupported(f"`{path}` has fewer samples than one batch of {each}")
    rows = [slice(at * each, (at + 1) * each) for at in range(min(n or n_feeds, n_feeds))]
    return [{spec.name: _fitted(arrays[spec.name][part], spec, path) for spec in specs} for part in rows]


def _fitted(array: np.ndarray, spec: TensorSpec, path: Path) -> np.ndarray:
    import numpy as np

    fits = len(array.shape) == len(spec.shape) and all(want in (None, have) for want, have in zip(spec.shape, array.shape, strict=True))
    if not fits:
        raise Unsupported(f"`{path}`: samples of `{spec.name}` have the shape {list(array.shape)}, the model wants {list(spec.shape)}")
    return np.ascontiguousarray(array.astype(spec.dtype, casting="unsafe", copy=False))


def _shape(spec: TensorSpec, plan: Mapping[str, Any]) -> tuple[int, ...]:
    """The graph's own shape, its free axes filled."""
    if given := plan.get("shapes", {}).get(spec.name):
        return tuple(given)
    free = [int(plan.get("batch", 1)), *[int(plan.get("free_dimension", _FREE_DIMENSION))] * len(spec.shape)]
    return tuple(size if size is not None else free[at] for at, size in enumerate(spec.shape))


def _synthetic(spec: TensorSpec, shape: tuple[int, ...], draw: np.random.Generator, plan: Mapping[str, Any]) -> np.ndarray:
    """Ids, masks of ones, types of zeros, positions in order; standard normal numbers for all else."""
    import numpy as np

    dtype, name = np.dtype(spec.dtype), spec.name.lower()
    if dtype.kind == "b" or "mask" in name:
        return np.ones(shape, dtype)
    if dtype.kind not in "iu":
        return draw.standard_normal(shape).astype(dtype)
    if "type" in name:
        return np.zeros(shape, dtype)
    if "position" in name and shape:
        return np.broadcast_to(np.arange(shape[-1]), shape).astype(dtype)
    return draw.integers(0, min(int(plan.get("vocabulary", VOCABULARY)), np.iinfo(dtype).max), shape).astype(dtype)


# --- text --------------------------------------------------------------------------------------------------------------


def default_text() -> str:
    """Python's own reference, part of every CPython. It differs between versions: give one text to all candidates."""
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))


def prompts(session: TokenSession, plan: Mapping[str, Any]) -> Inputs:
    """`n_inputs` distinct prompts of exactly `plan["prompt_tokens"]` ids: windows of the text, else seeded ids.

    The text is the file `plan["text"]`, else the default one. Seeded ids where the session has no tokenizer or the text is too short.
    """
    length, n = int(plan["prompt_tokens"]), int(plan.get("n_inputs", N_INPUTS))
    text = read_text(plan["text"]) if plan.get("text") else default_text()
    part = text[: length * n * _CHARACTERS_PER_TOKEN + 1000]
    try:
        tokens = session.tokenize(part)
    except (Unsupported, NotImplementedError):
        tokens = []
    if len(tokens) < length + n - 1:
        return _seeded(session.n_vocab, length, n, int(plan.get("seed", SEED)))
    step = min(length, (len(tokens) - length) // max(1, n - 1))
    items = [tokens[at * step : at * step + length] for at in range(n)]
    per_token = len(part) / len(tokens)
    texts = [part[round(at * step * per_token) :][: round(length * per_token)] for at in range(n)]
    return Inputs(items=items, kind="text", sha256=hashlib.sha256(part.encode()).hexdigest(), source=Path(plan.get("text", "default")).name, texts=texts)


def _seeded(n_vocab: int, length: int, n: int, seed: int) -> Inputs:
    import random

    draw = random.Random(seed)
    items = [[draw.randrange(min(n_vocab, VOCABULARY)) for _ in range(length)] for _ in range(n)]
    return Inputs(items=items, kind="synthetic", sha256=hashlib.sha256(repr(items).encode()).hexdigest(), source=f"seed {seed}")


def read_text(path: str) -> str:
    """Raises Unsupported when it cannot be read as UTF-8."""
    try:
        return Path(path).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise Unsupported(f"the text `{path}` cannot be read: {error}") from None


# --- what came out -----------------------------------------------------------------------------------------------------


def checked(outputs: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]] | None = None) -> dict[str, tuple[int, ...]]:
    """Shapes of the outputs. Raises WrongOutput: none, not a number, infinite, or another shape than before."""
    import numpy as np

    if not outputs:
        raise WrongOutput("no output")
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise WrongOutput(f"the output `{name}` holds {'NaN' if np.isnan(array).any() else 'infinity'}")
        if shapes is not None and shapes.get(name) != array.shape:
            raise WrongOutput(f"the output `{name}` has the shape {list(array.shape)}, before it had {list(shapes.get(name, ()))}")
    return {name: tuple(array.shape) for name, array in outputs.items()}


def digest(items: Sequence[Mapping[str, np.ndarray]]) -> str:
    """SHA-256 of arrays, names and shapes."""
    found = hashlib.sha256()
    for item in items:
        for name, array in sorted(item.items()):
            found.update(f"{name} {array.dtype} {array.shape}".encode())
            found.update(array.tobytes())
    return found.hexdigest()
