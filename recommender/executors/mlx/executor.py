"""Running MLX folders with mlx-lm's models: logits, greedy generation and text, by Metal on Apple devices, else on the processor."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import OutOfMemory, Unsupported, WrongOutput
from recommender.executors.mlx import installed
from recommender.ports import EXECUTOR_API, Availability

if TYPE_CHECKING:
    import numpy as np

PREFILL = 2048  # tokens that go through the model at once, as mlx_lm.generate has it
_ROWS = 256  # tokens whose logits are made at once, so that a long text needs no buffer of its length
_UNITS = ("metal", "cuda")  # builds of MLX with a device of their own
_FLOATS = ("f16", "bf16", "f32")
_NO_MEMORY = re.compile(r"unable to allocate|insufficient memory|out of memory|bad_alloc", re.IGNORECASE)
_NOTE = "MLX's processor backend is a reference without fast kernels: its speed tells nothing about Apple devices, size and quality hold"


class MlxSession:
    """A loaded model; see `ports.TokenSession`. Every call starts with an empty cache of its own: nothing is kept of earlier prompts.

    facts: precision (stored type -> number of tensors), bits_per_weight, execution_provider, device, placement, kv_cache_type, versions; `note` on a processor.
    """

    def __init__(self, artifact: Path, options: Mapping[str, Any]):
        self._mx = mx = installed.module("mlx.core")
        unit = _unit(mx, str(options.get("execution_provider") or ""))
        kv = options.get("kv_cache_type")
        if kv and kv not in _FLOATS:
            raise Unsupported(f"kv_cache_type `{kv}`: it is kept in the model's own floating point here")
        self._step = int(options.get("micro_batch") or PREFILL)
        with _decoded(f"mlx-lm cannot load `{artifact.name}`"):
            self._model, self._tokenizer = installed.module("mlx_lm.utils").load(str(artifact))[:2]
            self.n_vocab: int = self._model(mx.array([[0]])).shape[-1]  # the shape is known before anything is computed
        self.facts: Mapping[str, Any] = {**_facts(mx, self._model, unit), "micro_batch": self._step}

    def tokenize(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def generate(self, prompt: Sequence[int], n_tokens: int, on_token: Callable[[], None]) -> list[int]:
        """The next token is computed while the last one is told, as mlx_lm.generate does it."""
        self._check(prompt)
        found: list[int] = []
        with _decoded("mlx-lm cannot generate"):
            cache = self._prefilled(prompt[:-1])
            token = self._next(self._mx.array(list(prompt[-1:])), cache)
            for remaining in range(n_tokens - 1, -1, -1):
                following = self._next(token, cache) if remaining else token
                found.append(int(token.item()))
                on_token()
                token = following
        return found

    def logits(self, tokens: Sequence[int]) -> np.ndarray:
        import numpy as np

        mx = self._mx
        self._check(tokens)
        rows = np.empty((len(tokens), self.n_vocab), np.float32)
        with _decoded("mlx-lm cannot compute logits"):
            cache = _new_cache(self._model)
            for start in range(0, len(tokens), _ROWS):
                part = self._model(mx.array([list(tokens[start : start + _ROWS])]), cache=cache)[0]
                rows[start : start + _ROWS] = np.asarray(part.astype(mx.float32))
        if not np.isfinite(rows).all():
            raise WrongOutput("logits that are not finite")
        return rows

    def complete(self, text: str, n_tokens: int) -> str:
        return str(self._tokenizer.decode(self.generate(self._tokenizer.encode(text), n_tokens, lambda: None)))

    def close(self) -> None:
        del self._model, self._tokenizer
        self._mx.clear_cache()

    def _check(self, tokens: Sequence[int]) -> None:
        if not tokens:
            raise Unsupported("an empty prompt: MLX needs at least one token")
        if not (0 <= min(tokens) and max(tokens) < self.n_vocab):
            raise Unsupported(f"a token outside the vocabulary of {self.n_vocab}")

    def _prefilled(self, tokens: Sequence[int]) -> list[Any]:
        """A cache that holds the tokens; no logits are computed for them."""
        cache = _new_cache(self._model)
        for start in range(0, len(tokens), self._step):
            self._model(self._mx.array([list(tokens[start : start + self._step])]), cache=cache)
            self._mx.eval([each.state for each in cache])
        return cache

    def _next(self, token: Any, cache: list[Any]) -> Any:
        """The likeliest token after one, its computation begun."""
        likeliest = self._mx.argmax(self._model(token[None], cache=cache)[:, -1, :], axis=-1)
        self._mx.async_eval(likeliest)
        return likeliest


def _unit(mx: Any, asked: str) -> str:
    """Our key of what MLX runs on; raises Unsupported when that is not what was asked for."""
    found = next((name for name in _UNITS if (module := getattr(mx, name, None)) is not None and module.is_available()), "cpu")
    if asked == "cpu":
        mx.set_default_device(mx.cpu)
        return asked
    if asked and asked != found:
        raise Unsupported(f"this build of MLX has no execution provider `{asked}`, it offers {found}")
    return found


def _facts(mx: Any, model: Any, unit: str) -> dict[str, Any]:
    arrays = [array for _, array in installed.module("mlx.utils").tree_flatten(model.parameters())]
    floats = {_name(array.dtype) for array in arrays if mx.issubdtype(array.dtype, mx.floating)}
    versions, bits = installed.versions(), installed.module("mlx_lm.utils").compute_bits_per_weight
    return {
        "framework_version": versions["mlx"], "versions": versions, "execution_provider": unit, "device": dict(mx.device_info()).get("device_name", ""),
        "precision": dict(Counter(_name(array.dtype) for array in arrays)), "bits_per_weight": round(float(bits(model)), 4),
        "placement": {unit: len(model.layers)}, "kv_cache": type(_new_cache(model)[0]).__name__, "kv_cache_type": "/".join(sorted(floats)),
        **({"note": _NOTE} if unit == "cpu" else {}),
    }


def _new_cache(model: Any) -> list[Any]:
    """An empty one, a part for each layer, of the kind that the model asks for."""
    return list(installed.module("mlx_lm.models.cache").make_prompt_cache(model))


def _name(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]


@contextmanager
def _decoded(what: str) -> Iterator[None]:
    """Raise MLX's failures by class; its exceptions share no parent, their text tells what it was."""
    try:
        yield
    except (ValueError, KeyError, OSError, NotImplementedError, RuntimeError) as error:
        kind = OutOfMemory if _NO_MEMORY.search(str(error)) else Unsupported
        raise kind(f"{what}: {' '.join(str(error).split())[:300]}") from error


class MlxRunner:
    """Options that it heeds: execution_provider, micro_batch (tokens at once in prefill), kv_cache_type (its own floating point only). MLX has no setting for threads."""

    name = "mlx"
    api = EXECUTOR_API
    environment = ""
    formats = ("mlx",)

    def availability(self) -> Availability:
        return installed.availability()

    def environ(self, options: Mapping[str, Any]) -> dict[str, str]:
        return {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

    def open(self, artifact: Path, options: Mapping[str, Any]) -> MlxSession:
        """Raises Unsupported or OutOfMemory."""
        return MlxSession(artifact, options)


RUNNER = MlxRunner()
