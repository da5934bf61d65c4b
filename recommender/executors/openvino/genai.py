"""Run a language model with OpenVINO GenAI; logits come from the same graph in OpenVINO itself, which GenAI does not show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported
from recommender.executors.openvino import device, graph, process
from recommender.ports import EXECUTOR_API, Availability

if TYPE_CHECKING:
    import numpy as np

_PACKAGES = ("openvino", "openvino_genai", "openvino_tokenizers")
_NEEDED = ("openvino_model.xml", "openvino_tokenizer.xml", "openvino_detokenizer.xml")
_UNBOUNDED = 2**64 - 1  # tokens a step takes: the whole prompt, as GenAI does for a single user
_CACHE_PRECISIONS = ("f32", "f16", "bf16", "u8", "i8", "u4")
_SETTINGS = ("execution_devices", "precision", "n_threads", "streams", "performance_hint", "kv_cache_precision", "dynamic_quantization_group_size")
_PLAIN = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}  # nothing rounded on the way


def properties(options: Mapping[str, Any]) -> dict[str, Any]:
    """Properties of the compiled model. `precision` f32 means f32 throughout, unless the cache or the activations are told apart."""
    found = device.properties(options)
    if options.get("precision") == "f32":
        found |= _PLAIN
    if cache := options.get("kv_cache_type"):
        if cache not in _CACHE_PRECISIONS:
            raise Unsupported(f"kv_cache_type `{cache}` (OpenVINO has {', '.join(_CACHE_PRECISIONS)})")
        found["KV_CACHE_PRECISION"] = cache
    if (group := options.get("dynamic_quantization_group_size")) is not None:
        found["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = int(group)
    return found


class Tokens:
    """A pipeline for generation and, from the first question for logits on, the same graph compiled once more for them."""

    def __init__(self, folder: Path, unit: str, asked: Mapping[str, Any], options: Mapping[str, Any]):
        self._model: Any = graph.read(folder / "openvino_model.xml")[0]
        self._unit, self._asked = unit, dict(asked)
        n_vocab = _n_vocab(self._model, folder)
        settings = _settings(self._model, unit, self._asked)
        device.prove({**settings, "product_precisions": {}}, unit, options)
        self._pipeline, attention = _pipeline(folder, unit, self._asked, options)
        self._tokenizer = self._pipeline.get_tokenizer()
        self._request: Any = None
        self.n_vocab = n_vocab
        self.facts: Mapping[str, Any] = {**settings, **attention}

    def tokenize(self, text: str) -> list[int]:
        return [int(token) for token in self._tokenizer.encode(text, add_special_tokens=False).input_ids.data.ravel()]

    def generate(self, prompt: Sequence[int], n_tokens: int, on_token: Callable[[], None]) -> list[int]:
        """Greedy, one call of `on_token` for each token. Raises Unsupported for an empty prompt."""
        import numpy as np
        import openvino
        import openvino_genai

        if not prompt:
            raise Unsupported("an empty prompt: OpenVINO GenAI needs at least one token")
        tokens = np.asarray([prompt], np.int64)
        inputs = openvino_genai.TokenizedInputs(openvino.Tensor(tokens), openvino.Tensor(np.ones_like(tokens)))
        return [int(token) for token in self._pipeline.generate(inputs, _greedy(n_tokens), _streamer()(on_token)).tokens[0]]

    def logits(self, tokens: Sequence[int]) -> np.ndarray:
        """float32 [len(tokens), n_vocab] of one pass over the graph with an empty cache."""
        import numpy as np
        import openvino

        if self._request is None:
            compiled = openvino.Core().compile_model(self._model, self._unit, self._asked)
            self.facts = {**self.facts, "logits": device.observed(compiled)}
            self._request = compiled.create_infer_request()
        self._request.reset_state()
        found = self._request.infer(graph.language_inputs(self._model, tokens))["logits"]
        return np.ascontiguousarray(found[0], np.float32)

    def complete(self, text: str, n_tokens: int) -> str:
        """Without a chat template, so that it is the same work for every framework."""
        return str(self._pipeline.generate([text], _greedy(n_tokens)).texts[0])

    def close(self) -> None:
        self._pipeline = self._tokenizer = self._request = self._model = None


def _n_vocab(model: Any, folder: Path) -> int:
    port = next((port for port in model.outputs if "logits" in port.get_names()), None)
    if port is None:
        raise Unsupported(f"the graph in `{folder.name}` gives no logits: it is no language model")
    return int(port.partial_shape[2].get_length())


@cache
def _streamer() -> Any:
    """A class that hears of each token; a plain function would be given text, which waits for whole words."""
    import openvino_genai

    class Streamer(openvino_genai.StreamerBase):  # type: ignore[misc]
        def __init__(self, on_token: Callable[[], None]):
            super().__init__()
            self._on_token = on_token

        def write(self, token: int | list[int]) -> Any:
            for _ in token if isinstance(token, list) else [token]:
                self._on_token()
            return openvino_genai.StreamingStatus.RUNNING

        def end(self) -> None:
            pass

    return Streamer


def _greedy(n_tokens: int) -> Any:
    import openvino_genai

    config = openvino_genai.GenerationConfig()
    config.max_new_tokens = config.min_new_tokens = n_tokens
    config.ignore_eos, config.do_sample, config.apply_chat_template = True, False, False
    return config


def _pipeline(folder: Path, unit: str, asked: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A pipeline that keeps nothing of earlier prompts, and facts of it.

    By default GenAI keeps the cache of every prompt and recognises its start in the next (which hides the prefill of a repeated prompt).
    Its scheduler is told not to. A model that it cannot page is run without it, on the state in the graph, which is reset before each prompt.
    """
    import openvino_genai

    scheduler = openvino_genai.SchedulerConfig()
    scheduler.enable_prefix_caching = False
    scheduler.max_num_batched_tokens = int(options.get("micro_batch") or _UNBOUNDED)
    attempts: list[tuple[str, dict[str, Any]]] = [("paged", {"scheduler_config": scheduler}), ("state", {"ATTENTION_BACKEND": "SDPA"})]
    if unit == "NPU":  # a pipeline of fixed shapes, without a scheduler
        attempts = [("static", {})]
    for name, further in attempts:
        try:
            made = openvino_genai.LLMPipeline(str(folder), unit, **asked, **further)
            return made, {"attention_backend": name, "prefix_caching": False}
        except RuntimeError as error:
            refused = graph.reason(error)
    raise Unsupported(f"OpenVINO GenAI cannot load `{folder.name}` on {unit}: {refused}")


def _settings(model: Any, unit: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is in force, as a graph of one operator tells it that is compiled with the same properties: GenAI itself does not tell."""
    import openvino
    from openvino import opset13

    parameter = opset13.parameter([1], openvino.Type.f32)
    probe = openvino.Model([opset13.relu(parameter)], [parameter])
    if model.has_rt_info("runtime_options"):  # settings that the exporter gave the model along
        probe.set_rt_info(model.get_rt_info("runtime_options").value, "runtime_options")
    facts = device.observed(openvino.Core().compile_model(probe, unit, {name: value for name, value in asked.items() if name != "CACHE_DIR"}))
    return {name: facts[name] for name in _SETTINGS if name in facts}


class _Runner:
    """Options: n_threads, performance_hint, cache_dir, precision, execution_provider, micro_batch (tokens of a prompt a step takes), kv_cache_type
    (f32, f16, bf16, u8, i8, u4), dynamic_quantization_group_size (activations to 8 bit in groups of so many, 0: not at all).
    """

    name = "openvino-genai"
    api = EXECUTOR_API
    environment = ""
    formats = ("openvino-ir",)

    def availability(self) -> Availability:
        missing = [name for name in _PACKAGES if find_spec(name) is None]
        if missing:
            return Availability(ok=False, reason=f"{', '.join(missing)} not installed", hint="pip install 'edge-recommender[openvino]'")
        return Availability(ok=True, version=version("openvino-genai"))

    def environ(self, options: Mapping[str, Any]) -> dict[str, str]:
        """Nothing: threads are a property of the pipeline, and OpenVINO's waiting threads sleep."""
        return {}

    def open(self, artifact: Path, options: Mapping[str, Any]) -> Tokens:
        """Raises Unsupported for a device that is not there or a folder that GenAI cannot load."""
        process.send_no_reports()
        import openvino

        if missing := [name for name in _NEEDED if not (artifact / name).is_file()]:
            raise Unsupported(f"`{artifact.name}` is no folder of OpenVINO GenAI: it lacks {', '.join(missing)}")
        unit, asked = device.device_of(openvino.Core(), options), properties(options)
        found = Tokens(artifact, unit, asked, options)
        found.facts = {
            "framework_version": version("openvino-genai"), "build": openvino.get_version(), "execution_provider": options.get("execution_provider") or "cpu",
            "asked": asked, **found.facts,
        }
        return found


RUNNER = _Runner()
