"""GGUF files with the exact layers of a model and random weights: as fast as the model, without its weights.

Which type a level gives to which tensor is asked of llama.cpp's own quantizer, by a dry run on a file of the whole model's names and shapes
whose data is a hole. Of the kinds of layers that come out (the better type of some levels goes to half of them) a proxy of few layers gets
each in its share.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from recommender.domain.errors import Unsupported
from recommender.executors.llama_cpp.binding import binding, failure, listening
from recommender.executors.llama_cpp.layers import Tensor, refusal, tensors, write_parameters
from recommender.executors.llama_cpp.quantize import LEVELS, file_type
from recommender.executors.llama_cpp.random_blocks import TYPES, random_blocks
from recommender.ports import EXECUTOR_API, Prepared, ProxyJob

_FLOATS = ("F32", "F16", "BF16")
_ALIGNMENT = 32  # bytes; GGUF's default
_LEAST_WRITE = 1 << 22  # bytes
_CHOSEN = re.compile(r"\] +(\S+) +- \[[^\]]*\], type = +\w+,\s+size = +[\d.]+ MiB(?: -> +[\d.]+ MiB \((\w+)\))?")

Types = Mapping[str, str]  # tensor -> ggml's name of its type
Put = Callable[[Tensor, str, int], object]  # puts a tensor of a type and so many bytes where the file is at


@dataclass(frozen=True, slots=True)
class GgufShapes:
    """Levels: those of llama-quantize but for IQ1_M, whose scale has no bytes of its own."""

    name: str = "llama-cpp"
    api: int = EXECUTOR_API
    environment: str = ""

    def refusal(self, model: Mapping[str, Any], scheme: Mapping[str, Any]) -> str:
        level = str(scheme["key"])
        if level not in LEVELS or LEVELS[level] not in TYPES:
            return f"random weights of the level {level} are not known here"
        if level == "MXFP4" and not model.get("n_experts"):
            return "MXFP4 is for mixtures of experts"
        return refusal(model)

    def write(self, job: ProxyJob) -> Prepared:
        """Raises Unsupported for what it refuses."""
        if why := self.refusal(job.model, job.scheme):
            raise Unsupported(why)
        level = str(job.scheme["key"])
        types = chosen_types(job.model, level, job.out)
        sources = spread_layers(types, job.model["n_layers"], job.n_layers)
        planned = [(tensor, types[_source(tensor.name, sources)]) for tensor in tensors(job.model, job.n_layers)]
        artifact = job.out / "model.gguf"
        write_file(artifact, job.model, job.n_layers, planned, context=job.context, seed=job.seed)
        held: Counter[str] = Counter()
        for tensor, kind in planned:
            held[kind] += tensor.elements
        return Prepared(artifact=artifact.name, facts={"level": level, "tensor_types": dict(held), "layers": list(sources), "of_layers": job.model["n_layers"]})


def chosen_types(model: Mapping[str, Any], level: str, folder: Path) -> Types:
    """The type of every tensor of the whole model under a level. `folder` is for a file that is there meanwhile.

    Raises:
        Unsupported: llama.cpp does not quantize such a model, or says it in words that are not understood.
    """
    whole = list(tensors(model, model["n_layers"]))
    if level in _FLOATS:
        return {tensor.name: "F32" if tensor.is_plain else level for tensor in whole}
    skeleton = folder / "skeleton.gguf"
    write_file(skeleton, model, model["n_layers"], [(tensor, "F32" if tensor.is_plain else "F16") for tensor in whole], is_hollow=True)
    try:
        said = _dry_run(skeleton, level)
    finally:
        skeleton.unlink()
    found = {name: (kind or "").upper() for name, kind in _CHOSEN.findall(" ".join(said))}
    types = {tensor.name: found.get(tensor.name) or ("F32" if tensor.is_plain else "F16") for tensor in whole}
    if not set(found) >= set(types) or not set(types.values()) <= set(TYPES):
        raise Unsupported(f"what llama.cpp {binding().__version__} says of the level {level} is not understood")
    return types


def _dry_run(path: Path, level: str) -> Sequence[str]:
    """What llama.cpp says while it chooses types."""
    library = binding()
    parameters = library.llama_model_quantize_default_params()
    parameters.ftype = file_type(level)
    parameters.dry_run = True
    with listening() as said:
        status = library.llama_model_quantize(str(path).encode(), str(path.with_suffix(".none")).encode(), ctypes.byref(parameters))
    if status != 0:
        raise failure(f"llama.cpp does not choose types for the level {level}")
    return said


def spread_layers(types: Types, of_layers: int, n_layers: int) -> tuple[int, ...]:
    """PURE: `n_layers` of the whole model's layers in which each kind (the types of its tensors) has its share, by largest remainders."""
    kinds: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for layer in range(of_layers):
        prefix = f"blk.{layer}."
        kind = tuple(sorted((name.removeprefix(prefix), of) for name, of in types.items() if name.startswith(prefix)))
        kinds.setdefault(kind, []).append(layer)
    exact = [len(members) * n_layers / of_layers for members in kinds.values()]
    quotas = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda at: quotas[at] - exact[at])
    for at in by_remainder[: n_layers - sum(quotas)]:
        quotas[at] += 1
    return tuple(sorted(layer for members, quota in zip(kinds.values(), quotas, strict=True) for layer in members[:quota]))


def _source(name: str, sources: Sequence[int]) -> str:
    """The tensor of the whole model that a tensor of the proxy is like."""
    if not name.startswith("blk."):
        return name
    _, layer, rest = name.split(".", 2)
    return f"blk.{sources[int(layer)]}.{rest}"


def write_file(
    path: Path, model: Mapping[str, Any], n_layers: int, planned: Sequence[tuple[Tensor, str]], *, context: int = 0, seed: int = 0, is_hollow: bool = False,
) -> None:
    """A GGUF file of these tensors in these types; `is_hollow`: with a hole where the data would be."""
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(path, model["architecture"])
    try:
        write_parameters(writer, model, n_layers, context)
        for tensor, type_name in planned:
            kind = gguf.GGMLQuantizationType[type_name]
            block, size = gguf.GGML_QUANT_SIZES[kind]
            rows = (*tensor.shape[:-1], tensor.shape[-1] // block * size)  # bytes stand for numbers where the type is none of numpy's
            writer.add_tensor_info(tensor.name, rows, np.dtype(np.uint8), tensor.elements // block * size, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        assert writer.fout
        stream = writer.fout[0]
        _write_data(stream, planned, _skip(stream) if is_hollow else _fill(stream, seed))
        stream.truncate(stream.tell())
    finally:
        writer.close()


def _write_data(stream: BinaryIO, planned: Sequence[tuple[Tensor, str]], put: Put) -> None:
    """Every tensor at its aligned place, and the end aligned too."""
    import gguf

    _align(stream)
    for tensor, type_name in planned:
        block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[type_name]]
        put(tensor, type_name, tensor.elements // block * size)
        _align(stream)


def _align(stream: BinaryIO) -> None:
    stream.seek(-stream.tell() % _ALIGNMENT, 1)


def _skip(stream: BinaryIO) -> Put:
    return lambda tensor, type_name, n_bytes: stream.seek(n_bytes, 1)


def _fill(stream: BinaryIO, seed: int) -> Put:
    """Matrices of repeated random blocks; vectors of ones for norms and of noughts for biases, as they are before training."""
    import numpy as np

    repeated: dict[str, bytes] = {}

    def put(tensor: Tensor, type_name: str, n_bytes: int) -> None:
        if len(tensor.shape) == 1:
            stream.write(np.full(tensor.shape, not tensor.name.endswith(".bias"), np.float32).tobytes())
            return
        if type_name not in repeated:
            once = random_blocks(type_name, seed).tobytes()
            repeated[type_name] = once * -(-_LEAST_WRITE // len(once))
        data = memoryview(repeated[type_name])
        for start in range(0, n_bytes, len(data)):
            stream.write(data[: n_bytes - start])

    return put


PROXY = GgufShapes()
