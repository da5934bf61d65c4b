"""Run GGUF models with llama.cpp: logits, greedy generation and text, on processors or cards."""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Fallback, Unsupported
from recommender.executors.llama_cpp.binding import (
    Batch,
    binding,
    detokenize,
    failure,
    listening,
    load_model,
    new_context,
    tokenize,
)
from recommender.executors.llama_cpp.installed import installed
from recommender.ports import EXECUTOR_API, Availability

if TYPE_CHECKING:
    import numpy as np

_DEFAULT_CONTEXT = 4096  # tokens, where neither the options nor a shorter model say otherwise
_ROWS = 256  # tokens whose logits are kept at once, so that a long text does not need a buffer of its length
_KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
_LAYER = re.compile(r"layer +\d+ assigned to device (\S+?),")
_BUFFER = re.compile(r"(\S+) (model|KV|compute|output) +buffer size = +([\d.]+) MiB")
_TENSORS = re.compile(r"- type +(\w+): +(\d+) tensors")
_KV_TYPE = re.compile(r"K \((\w+)\):.*V \((\w+)\):")
_FLASH = re.compile(r"Flash Attention (enabled|disabled)|flash_attn += (enabled|disabled)")


class LlamaSession:
    """A loaded GGUF model; see `ports.TokenSession`.

    facts as llama.cpp said them while it loaded: precision (type -> number of tensors), placement (device -> layers, the output one included),
    buffers (device and kind -> bytes), kv_cache_type, flash_attention, repacked, context, batch, micro_batch, n_threads, versions.
    """

    def __init__(self, artifact: Path, options: Mapping[str, Any]):
        library = binding()
        offloaded = _offloaded(options)
        with listening() as said:
            self._model = load_model(artifact, _model_parameters(options, offloaded))
            try:
                self._context = new_context(self._model, _context_parameters(self._model, options, offloaded))
            except Exception:
                library.llama_model_free(self._model)
                raise
        self._vocabulary = library.llama_model_get_vocab(self._model)
        self.n_vocab: int = library.llama_vocab_n_tokens(self._vocabulary)
        self._row = ctypes.c_float * self.n_vocab
        self._batch = Batch(self._context, library.llama_n_batch(self._context))
        self._limit = library.llama_n_ctx(self._context)
        self.facts: Mapping[str, Any] = {**_facts(said), **self._settings()}
        if offloaded and set(self.facts["placement"]) == {"CPU"}:
            self.close()
            raise Fallback("all layers run on the processor, though a card was asked for")

    def _settings(self) -> dict[str, Any]:
        library = binding()
        return {
            "n_threads": library.llama_n_threads(self._context), "n_threads_batch": library.llama_n_threads_batch(self._context),
            "context": self._limit, "batch": self._batch.size, "micro_batch": library.llama_n_ubatch(self._context),
        }

    def tokenize(self, text: str) -> list[int]:
        return self._tokens(text, special=False)

    def _tokens(self, text: str, *, special: bool) -> list[int]:
        if binding().llama_vocab_type(self._vocabulary) == binding().LLAMA_VOCAB_TYPE_NONE:  # llama.cpp would end the process
            raise Unsupported("the file holds no tokenizer")
        return tokenize(self._vocabulary, text, special=special)

    def generate(self, prompt: Sequence[int], n_tokens: int, on_token: Callable[[], None]) -> list[int]:
        self._check(prompt, len(prompt) + n_tokens - 1)
        self._prefill(prompt)
        found = [self._best()]
        on_token()
        for position in range(len(prompt), len(prompt) + n_tokens - 1):
            self._batch.decode(found[-1:], position, every=False)
            found.append(self._best())
            on_token()
        return found

    def logits(self, tokens: Sequence[int]) -> np.ndarray:
        import numpy as np

        self._check(tokens, len(tokens))
        library = binding()
        rows = np.empty((len(tokens), self.n_vocab), np.float32)
        step = min(_ROWS, self._batch.size)
        self._batch.forget()
        for start in range(0, len(tokens), step):
            part = tokens[start : start + step]
            self._batch.decode(part, start, every=True)
            rows[start : start + len(part)] = np.ctypeslib.as_array(library.llama_get_logits(self._context), (len(part), self.n_vocab))
        return rows

    def complete(self, text: str, n_tokens: int) -> str:
        return detokenize(self._vocabulary, self.generate(self._tokens(text, special=True), n_tokens, lambda: None))

    def close(self) -> None:
        library = binding()
        self._batch.close()
        library.llama_free(self._context)
        library.llama_model_free(self._model)

    def _check(self, tokens: Sequence[int], total: int) -> None:
        if not tokens:
            raise Unsupported("an empty prompt: llama.cpp needs at least one token")
        if total > self._limit:
            raise Unsupported(f"{total} tokens do not fit the context of {self._limit}")
        if not (0 <= min(tokens) and max(tokens) < self.n_vocab):
            raise Unsupported(f"a token outside the vocabulary of {self.n_vocab}")

    def _prefill(self, prompt: Sequence[int]) -> None:
        self._batch.forget()
        for start in range(0, len(prompt), self._batch.size):
            self._batch.decode(prompt[start : start + self._batch.size], start, every=False)

    def _best(self) -> int:
        """The likeliest token after the last one; a view of llama.cpp's own row, for nothing may be copied per token."""
        import numpy as np

        row = binding().llama_get_logits_ith(self._context, -1)
        if not row:
            raise failure("llama.cpp gave no logits")
        return int(np.frombuffer(self._row.from_address(ctypes.addressof(row.contents)), np.float32).argmax())


def _offloaded(options: Mapping[str, Any]) -> int:
    """Layers for a card: `n_gpu_layers` (a number or "all"), else all unless the execution provider is the processor; -1 = all.

    Raises:
        Unsupported: some are asked for and this build has no back end for cards.
    """
    asked = options.get("n_gpu_layers", 0 if options.get("execution_provider", "cpu") == "cpu" else "all")
    layers = -1 if asked == "all" else int(asked)
    if layers and not binding().llama_supports_gpu_offload():
        unit = options.get("execution_provider", "cpu")
        asked_for = "" if unit == "cpu" else f"execution provider `{unit}`: "
        raise Unsupported(f"{asked_for}this build of llama-cpp-python has no back end for cards, it offers cpu", hints=("recommend frameworks",))
    return layers


def _model_parameters(options: Mapping[str, Any], offloaded: int) -> Any:
    library = binding()
    parameters = library.llama_model_default_params()
    parameters.n_gpu_layers = offloaded
    if "mmap" in options:
        parameters.load_mode = library.LLAMA_LOAD_MODE_MMAP if options["mmap"] else library.LLAMA_LOAD_MODE_NONE
    if "repack" in options:
        parameters.use_extra_bufts = bool(options["repack"])
    return parameters


def _context_parameters(model: Any, options: Mapping[str, Any], offloaded: int) -> Any:
    """Raises Unsupported for a cache type that is not one of llama.cpp's."""
    library = binding()
    parameters = library.llama_context_default_params()
    if not offloaded:  # else a build with cards lends them the cache and the large products of the prompt all the same
        parameters.offload_kqv = parameters.op_offload = False
    parameters.n_ctx = int(options.get("context") or min(_DEFAULT_CONTEXT, library.llama_model_n_ctx_train(model)))
    if threads := options.get("n_threads"):
        parameters.n_threads = parameters.n_threads_batch = int(threads)
    if micro_batch := options.get("micro_batch"):
        parameters.n_ubatch = int(micro_batch)
        parameters.n_batch = max(parameters.n_batch, parameters.n_ubatch)
    if cache_type := options.get("kv_cache_type"):
        if cache_type not in _KV_TYPES:
            raise Unsupported(f"kv_cache_type `{cache_type}` (can: {', '.join(_KV_TYPES)})")
        parameters.type_k = parameters.type_v = getattr(library, f"GGML_TYPE_{cache_type.upper()}")
    flash = options.get("flash_attention", "auto")
    if flash != "auto":
        parameters.flash_attn_type = library.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash else library.LLAMA_FLASH_ATTN_TYPE_DISABLED
    return parameters


def _facts(said: Sequence[str]) -> dict[str, Any]:
    library = binding()
    types = {found[1].upper(): int(found[2]) for line in said if (found := _TENSORS.search(line))}
    placement = Counter(found[1] for line in said if (found := _LAYER.search(line)))
    buffers = {f"{found[1]} {found[2]}": round(float(found[3]) * 2**20) for line in said if (found := _BUFFER.search(line))}
    cache_type = next((found[1] for line in said if (found := _KV_TYPE.search(line))), "")
    flash = [found[1] or found[2] for line in said if (found := _FLASH.search(line))]
    return {
        "framework_version": library.__version__, "build": library.llama_print_system_info().decode().strip(" |"),
        "precision": types, "placement": dict(placement), "buffers": buffers, "kv_cache_type": cache_type,
        "flash_attention": bool(flash) and flash[-1] == "enabled", "repacked": any("REPACK model" in name for name in buffers),
    }


@dataclass(frozen=True, slots=True)
class LlamaRunner:
    """Options: n_threads, context, micro_batch, kv_cache_type, flash_attention ("auto", true, false), mmap, repack, n_gpu_layers, spin,
    execution_provider. What is not given stays as llama.cpp ships it, but for a context of at most 4096 tokens.
    """

    name: str = "llama-cpp"
    api: int = EXECUTOR_API
    environment: str = ""
    formats: tuple[str, ...] = ("gguf",)
    tasks: tuple[str, ...] = ()

    def availability(self) -> Availability:
        return installed("llama_cpp", "gguf")

    def environ(self, options: Mapping[str, Any]) -> dict[str, str]:
        found = {"OMP_NUM_THREADS": str(options["n_threads"])} if options.get("n_threads") else {}
        if options.get("spin") == "passive":
            found |= {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
        return found

    def open(self, artifact: Path, options: Mapping[str, Any]) -> LlamaSession:
        return LlamaSession(artifact, options)


RUNNER = LlamaRunner()
