"""A Hugging Face folder to one GGUF file with the `gguf` package: names, hyper-parameters, tokenizer and weights, one tensor at a time."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import ModelFileError, Unsupported, WrongOutput
from recommender.executors.llama_cpp.architectures import (
    Architecture,
    architecture_of,
    interleave,
    needed,
    rotary_of,
    rotary_tensors,
    write_parameters,
)
from recommender.executors.llama_cpp.checkpoint import Checkpoint, Stored, open_checkpoint
from recommender.executors.llama_cpp.installed import installed
from recommender.executors.llama_cpp.vocabulary import Vocabulary, read_vocabulary, write_vocabulary
from recommender.ports import EXECUTOR_API, Availability, Prepared, PrepareJob

if TYPE_CHECKING:
    import numpy as np

_FLOATS = ("F32", "F16", "BF16")
_NUMPY = {"F32": "float32", "F16": "float16", "BF16": "uint16"}
_NOT_WEIGHTS = ("rotary_emb.inv_freq",)  # computed at load; some folders store it all the same
# llama.cpp looks these tokens up in any model whose name says that it is a Phi-3, and dies without them.
_PHI3_TOKENS = {b"</s>", b"<unk>", b"<s>", b"<|endoftext|>"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Planned:
    """One tensor of the file. dtype: F32, F16 or BF16."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    make: Callable[[], np.ndarray]


@dataclass(frozen=True, slots=True)
class HuggingFaceToGguf:
    """`scheme["key"]` F32, F16 or BF16 is written; any other scheme is a later step's, so weights keep the precision they are stored in."""

    name: str = "hf-to-gguf"
    api: int = EXECUTOR_API
    environment: str = ""

    def availability(self) -> Availability:
        return installed("gguf")

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        """Raises Unsupported (architecture, tokenizer or a variant that llama.cpp lacks), ModelFileError, WrongOutput (overflow in F16)."""
        import gguf

        checkpoint = open_checkpoint(job.source)
        kind = architecture_of(checkpoint.config)
        precision = _precision(str(job.scheme.get("key", "")), checkpoint)
        vocabulary = read_vocabulary(checkpoint.folder, needed(checkpoint.config, "vocab_size"))
        plan = list(_plan(checkpoint, kind, precision))
        _check_complete({each.name for each in plan}, needed(checkpoint.config, "num_hidden_layers"))
        say(f"writing {len(plan)} tensors of {kind.gguf} in {precision}")
        artifact = job.out / "model.gguf"
        writer = gguf.GGUFWriter(artifact, kind.gguf)
        try:
            _write_metadata(writer, kind, checkpoint, vocabulary, precision)
            _write_tensors(writer, plan)
        finally:
            writer.close()
        return Prepared(artifact=artifact.name, facts=_facts(kind, checkpoint, vocabulary, plan))


def _precision(key: str, checkpoint: Checkpoint) -> str:
    """The scheme's, or the one that most of the stored weights have."""
    if key in _FLOATS:
        return key
    stored: Counter[str] = Counter()
    for tensor in checkpoint.tensors.values():
        stored[tensor.dtype] += _elements(tensor.shape)
    return max(stored, key=lambda dtype: stored[dtype])


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count


def _plan(checkpoint: Checkpoint, kind: Architecture, precision: str) -> Iterator[_Planned]:
    """The tensors in the order of the file; vectors stay F32, as llama.cpp wants them.

    Raises:
        Unsupported: a tensor that the architecture does not have.
    """
    import gguf

    config = checkpoint.config
    architecture = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}[kind.gguf]
    names = gguf.get_tensor_name_map(architecture, needed(config, "num_hidden_layers"))
    for name, divisors in rotary_tensors(config).items():
        yield _Planned(name=name, shape=divisors.shape, dtype="F32", make=lambda made=divisors: made)  # type: ignore[misc]
    for source, stored in checkpoint.tensors.items():
        if source.endswith(_NOT_WEIGHTS) or (source == "lm_head.weight" and config.get("tie_word_embeddings", kind.gemma)):
            continue
        mapped = names.get_name(source, try_suffixes=(".weight", ".bias"))
        if mapped is None:
            raise Unsupported(f"tensor `{source}` has no counterpart in llama.cpp's {kind.gguf}")
        dtype = "F32" if len(stored.shape) == 1 else precision
        yield _Planned(name=mapped, shape=stored.shape, dtype=dtype, make=_maker(source, stored, kind, config, dtype))


def _check_complete(names: set[str], layers: int) -> None:
    """Every layer has the tensors of the first. Raises ModelFileError: an index that lost a part looks like a smaller model."""
    first = {name.removeprefix("blk.0") for name in names if name.startswith("blk.0.")}
    wanted = {"token_embd.weight", "output_norm.weight"} | {f"blk.{index}{rest}" for index in range(layers) for rest in first}
    if not first or (missing := sorted(wanted - names)):
        raise ModelFileError(f"the weights are incomplete: {len(missing)} tensors are missing, the first is {missing[0]}" if first else "the weights hold no layers")


def _maker(source: str, stored: Stored, kind: Architecture, config: Mapping[str, Any], dtype: str) -> Callable[[], np.ndarray]:
    heads = 0
    if kind.interleaved and ".q_proj." in source:
        heads = config["num_attention_heads"]
    elif kind.interleaved and ".k_proj." in source:
        heads = config.get("num_key_value_heads") or config["num_attention_heads"]

    def make() -> np.ndarray:
        values = stored.read()
        if heads:
            values = interleave(values, heads)
        values = cast(values, stored.dtype, dtype, source)
        return values + 1 if kind.gemma and source.endswith("norm.weight") else values

    return make


def cast(values: np.ndarray, stored: str, wanted: str, name: str) -> np.ndarray:
    """From one of F32, F16, BF16 (bits in uint16) to another.

    Raises:
        WrongOutput: a number that is too large for F16.
    """
    import gguf
    import numpy as np

    if stored == wanted:
        return values
    wide = (values.astype(np.uint32) << 16).view(np.float32) if stored == "BF16" else values.astype(np.float32)
    if wanted == "F32":
        return wide
    if wanted == "BF16":
        bits: np.ndarray = gguf.quants.quantize(wide, gguf.GGMLQuantizationType.BF16)
        return bits.view(np.uint16)
    with np.errstate(over="ignore"):
        narrow: np.ndarray = wide.astype(np.float16)
    if not np.isfinite(narrow).all():
        raise WrongOutput(f"tensor `{name}` has numbers that F16 cannot hold; BF16 and F32 can")
    return narrow


def _write_metadata(writer: Any, kind: Architecture, checkpoint: Checkpoint, vocabulary: Vocabulary, precision: str) -> None:
    import gguf

    writer.add_type(gguf.GGUFType.MODEL)
    if kind.gguf != "phi3":
        writer.add_name(kind.gguf)
    elif set(vocabulary.tokens) >= _PHI3_TOKENS:
        writer.add_name("Phi-3")
    write_parameters(writer, kind, checkpoint.config)
    file_type = gguf.LlamaFileType
    writer.add_file_type({"F32": file_type.ALL_F32, "F16": file_type.MOSTLY_F16, "BF16": file_type.MOSTLY_BF16}[precision])
    write_vocabulary(writer, checkpoint.folder, vocabulary)


def _write_tensors(writer: Any, plan: list[_Planned]) -> None:
    import gguf
    import numpy as np

    for each in plan:
        dtype = np.dtype(_NUMPY[each.dtype])
        raw = gguf.GGMLQuantizationType[each.dtype]
        writer.add_tensor_info(each.name, each.shape, dtype, _elements(each.shape) * dtype.itemsize, raw_dtype=raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for each in plan:
        writer.write_tensor_data(each.make())


def _facts(kind: Architecture, checkpoint: Checkpoint, vocabulary: Vocabulary, plan: list[_Planned]) -> dict[str, Any]:
    elements: Counter[str] = Counter()
    for each in plan:
        elements[each.dtype] += _elements(each.shape)
    config = checkpoint.config
    windowed = kind.gguf in ("llama", "qwen2", "qwen3") and bool(config.get("sliding_window")) and config.get("use_sliding_window", True)
    return {
        "gguf_version": importlib.metadata.version("gguf"), "architecture": kind.gguf, "tensor_types": dict(elements),
        "tokenizer": vocabulary.model, "pre_tokenizer": vocabulary.pre, "rotary_scaling": rotary_of(config).kind,
        # llama.cpp attends to everything there: the same up to the window, more than the model was made for beyond.
        "sliding_window_ignored": config["sliding_window"] if windowed else None,
    }


PREPARER = HuggingFaceToGguf()
