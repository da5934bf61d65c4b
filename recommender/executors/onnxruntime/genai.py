"""Running language models made for ONNX Runtime's generator: `onnxruntime-genai`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Fallback, Unsupported
from recommender.executors.onnxruntime.execution_provider import PROVIDERS, key_of_generator, provider
from recommender.executors.onnxruntime.executor import LEVELS, PASSIVE
from recommender.executors.onnxruntime.failure import decoded, memory_decoded
from recommender.executors.onnxruntime.model_file import versions
from recommender.executors.onnxruntime.process import NO_REPORTS
from recommender.ports import EXECUTOR_API, Availability

if TYPE_CHECKING:
    import numpy as np

CONFIG = "genai_config.json"


class OnnxRuntimeGenAI:
    """Options: n_threads, context (tokens that the KV cache is made for; default: as many as the request needs), graph_optimization, execution_provider, spin."""

    name = "onnxruntime-genai"
    api = EXECUTOR_API
    environment = ""
    formats = ("onnx",)
    tasks = ("text-generation",)

    def availability(self) -> Availability:
        for module in ("onnxruntime", "onnxruntime_genai"):
            if find_spec(module) is None:
                return Availability(ok=False, reason=f"{module} is not installed", hint="pip install 'edge-recommender[onnxruntime]'")
        return Availability(ok=True, version=versions("onnxruntime-genai")["onnxruntime-genai"])

    def environ(self, options: Mapping[str, Any]) -> dict[str, str]:
        """No reports to its maker. Threads and spinning are options of its session."""
        return dict(NO_REPORTS)

    def open(self, artifact: Path, options: Mapping[str, Any]) -> GenAISession:
        """Load a folder with a genai_config.json.

        Raises:
            Unsupported: no such folder, an unknown option, a provider that this build lacks, a model that it cannot load.
            Fallback: it runs on another unit than was asked for.
            OutOfMemory: as told by the framework.
        """
        import onnxruntime_genai as og
        import psutil

        try:
            told = json.loads((artifact / CONFIG).read_text("utf-8"))["model"]
        except (OSError, ValueError, LookupError) as error:
            raise Unsupported(f"{artifact.name}: no {CONFIG} that names a model") from error
        key = str(options.get("execution_provider") or "cpu")
        process = psutil.Process()
        with decoded(f"onnxruntime-genai cannot load {artifact.name}"):
            config = og.Config(str(artifact))
            config.overlay(json.dumps(overlay(options)))
            _choose_provider(config, key)
            before = process.num_threads()
            model = og.Model(config)
            workers = process.num_threads() - before
        unit = key_of_generator(model.device_type)
        if unit != key:
            raise Fallback(f"`{key}` was asked for and {artifact.name} runs on `{unit}`")
        facts = {
            "framework_version": og.__version__, "build": f"{og.__commit__} on onnxruntime {versions('onnxruntime')['onnxruntime']}",
            "execution_provider": key, "placement": {unit: told["decoder"]["num_hidden_layers"]}, "precision": "as stored in the graph",
            "n_threads": options.get("n_threads"), "worker_threads": workers, "graph_optimization": options.get("graph_optimization", "all"),
            "spin": options.get("spin", "shipped"), "architecture": told["type"],
        }
        return GenAISession(model, n_vocab=int(told["vocab_size"]), context=options.get("context"), facts=facts)


class GenAISession:
    """A loaded language model. Each call makes a generator of its own: nothing is kept of earlier prompts."""

    def __init__(self, model: Any, *, n_vocab: int, context: int | None, facts: Mapping[str, Any]):
        import onnxruntime_genai as og

        self._model, self._context = model, context
        self._tokenizer = og.Tokenizer(model)
        self.n_vocab = n_vocab
        self.facts = facts

    def tokenize(self, text: str) -> list[int]:
        """Without special tokens."""
        return [int(token) for token in self._tokenizer.encode(text)]

    def generate(self, prompt: Sequence[int], n_tokens: int, on_token: Callable[[], None]) -> list[int]:
        """Greedy, exactly `n_tokens`. The generator stops at an end token without taking it in: it is appended by us like a prompt, and goes on."""
        generator = self._generator(prompt, len(prompt) + n_tokens)
        tokens: list[int] = []
        with memory_decoded():
            while len(tokens) < n_tokens:
                if generator.is_done():
                    generator.append_tokens(_ids(tokens[-1:]))
                generator.generate_next_token()
                tokens.append(int(generator.get_next_tokens()[0]))
                on_token()
        return tokens

    def logits(self, tokens: Sequence[int]) -> np.ndarray:
        """float32 [len(tokens), n_vocab]; raises Unsupported for a graph that gives those of the last position only."""
        import numpy as np

        found = self._generator(tokens, len(tokens)).get_output("logits")
        if found.shape[1] != len(tokens):
            raise Unsupported("the graph gives the logits of the last position only (it was built with prune_lm_head)")
        return np.asarray(found[0, :, : self.n_vocab], dtype=np.float32)

    def complete(self, text: str, n_tokens: int) -> str:
        """Text in, text out."""
        return str(self._tokenizer.decode(_ids(self.generate(self.tokenize(text), n_tokens, lambda: None))))

    def close(self) -> None:
        del self._tokenizer, self._model

    def _generator(self, prompt: Sequence[int], length: int) -> Any:
        """A generator that has taken in the prompt and has room for `length` tokens; Unsupported when that is more than the model or the context takes."""
        import onnxruntime_genai as og

        if self._context and length > self._context:
            raise Unsupported(f"{length} tokens do not fit the context of {self._context}")
        with decoded(f"{len(prompt)} tokens of prompt, {length} in all"):
            parameters = og.GeneratorParams(self._model)
            parameters.set_search_options(do_sample=False, max_length=self._context or length)
            generator = og.Generator(self._model, parameters)
            generator.append_tokens(_ids(prompt))
        return generator


def overlay(options: Mapping[str, Any]) -> dict[str, Any]:
    """PURE: what is laid over genai_config.json; names it does not know go to the session as configuration entries."""
    session: dict[str, Any] = {}
    if options.get("n_threads"):
        session["intra_op_num_threads"] = int(options["n_threads"])
    if level := options.get("graph_optimization"):
        if level not in LEVELS:
            raise Unsupported(f"graph optimization `{level}`: there are {', '.join(LEVELS)}")
        session["graph_optimization_level"] = LEVELS[level]
    if options.get("spin") == "passive":
        session |= PASSIVE
    return {"model": {"decoder": {"session_options": session}}}


def _choose_provider(config: Any, key: str) -> None:
    import onnxruntime_genai as og

    chosen = provider(key)
    if key != "cpu" and not (chosen.check and getattr(og, chosen.check)()):
        offered = ["cpu", *(ours for ours, known in PROVIDERS.items() if known.check and getattr(og, known.check)())]
        raise Unsupported(f"this build of onnxruntime-genai {og.__version__} has no execution provider `{key}`; it offers {', '.join(offered)}")
    config.clear_providers()
    if chosen.generator:
        config.append_provider(chosen.generator)


def _ids(tokens: Sequence[int]) -> np.ndarray:
    import numpy as np

    return np.asarray(tokens, dtype=np.int32)


RUNNER = OnnxRuntimeGenAI()
