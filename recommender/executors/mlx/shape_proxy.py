"""MLX folders with the exact layers of a model and random weights: as fast as the model, without its weights.

mlx-lm itself says which tensors there are: its model is made from the configuration alone and quantized without anything being computed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from recommender.domain.errors import Unsupported
from recommender.executors import byte_tokenizer
from recommender.executors.decoder import Decoder, decoder, refusal
from recommender.executors.mlx import installed
from recommender.executors.mlx.convert import FOLDER, Plan, plan
from recommender.executors.random_weights import RandomWeights
from recommender.ports import EXECUTOR_API, Prepared, ProxyJob

_AFFINE = "affine"
_ALIGNMENT = 8  # bytes; of the data behind the header

Tensor = tuple[str, str, tuple[int, ...]]  # name, MLX's name of its type, shape


class _Type(NamedTuple):
    """name: of safetensors. size: bytes of an element. stored: as random numbers are asked for."""

    name: str
    size: int
    stored: str


_TYPES = {"uint32": _Type("U32", 4, ""), "float32": _Type("F32", 4, "f32"), "float16": _Type("F16", 2, "f16"), "bfloat16": _Type("BF16", 2, "bf16")}


@dataclass(frozen=True, slots=True)
class MlxShapes:
    """Schemes: those of mlx-lm but for MXFP4, whose scales are no numbers of this kind."""

    name: str = "mlx"
    api: int = EXECUTOR_API
    environment: str = ""

    def refusal(self, model: Mapping[str, Any], scheme: Mapping[str, Any]) -> str:
        if why := refusal(model):
            return why
        try:
            made = plan(str(scheme["key"]), {})
        except Unsupported as error:
            return error.message
        return "" if made.quantization.get("q_mode", _AFFINE) == _AFFINE else f"random weights of {scheme['key']} are not known here"

    def write(self, job: ProxyJob) -> Prepared:
        """Raises Unsupported for what it refuses, and where mlx-lm makes another model of the configuration."""
        if why := self.refusal(job.model, job.scheme):
            raise Unsupported(why)
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        shape, made, folder = decoder(job.model, n_layers=job.n_layers, context=job.context), plan(str(job.scheme["key"]), {}), job.out / FOLDER
        folder.mkdir()
        _write_json(folder / "config.json", shape.config())
        config, tensors = _planned(folder, shape, made)
        _write_json(folder / "config.json", config)
        _write_json(folder / "tokenizer.json", byte_tokenizer.tokenizer(shape.n_vocab))
        _write_json(folder / "tokenizer_config.json", byte_tokenizer.tokenizer_config())
        _write_tensors(folder / "model.safetensors", tensors, int(made.quantization.get("q_bits", 0)), RandomWeights(job.seed))
        facts = {"n_params": shape.n_params, "dtype": made.dtype, "bytes": sum(file.stat().st_size for file in folder.iterdir()), "versions": installed.versions()}
        return Prepared(artifact=FOLDER, facts=facts)


def _planned(folder: Path, shape: Decoder, made: Plan) -> tuple[dict[str, Any], list[Tensor]]:
    """The configuration as mlx-lm completes it, and all tensors."""
    mx, utils, tree = installed.module("mlx.core"), installed.module("mlx_lm.utils"), installed.module("mlx.utils")
    model, config = utils.load_model(folder, lazy=True, strict=False)
    n_params = sum(array.size for _, array in tree.tree_flatten(model.parameters()))
    if n_params != shape.n_params:
        raise Unsupported(f"mlx-lm makes `{shape.architecture}` with {n_params} parameters of a configuration that has {shape.n_params}")
    model.set_dtype(getattr(mx, made.dtype))
    if made.quantization:
        model, config = utils.quantize_model(model, config, made.quantization["q_group_size"], made.quantization["q_bits"])
    return config, [(name, str(array.dtype).rpartition(".")[2], tuple(array.shape)) for name, array in tree.tree_flatten(model.parameters())]


def _write_tensors(path: Path, tensors: Sequence[Tensor], bits: int, numbers: RandomWeights) -> None:
    """A safetensors file: the length of a header in JSON (8 bytes, little-endian), the header, the data."""
    header: dict[str, Any] = {"__metadata__": {"format": "mlx"}}
    end = 0
    for name, kind, shape in tensors:
        start, end = end, end + prod(shape) * _TYPES[kind].size
        header[name] = {"dtype": _TYPES[kind].name, "shape": shape, "data_offsets": [start, end]}
    told = json.dumps(header).encode()
    told += b" " * (-len(told) % _ALIGNMENT)
    with path.open("wb") as stream:
        stream.write(len(told).to_bytes(8, "little") + told)
        for name, kind, shape in tensors:
            what, each = "codes" if kind == "uint32" else _floats(name, shape, bits), _TYPES[kind]
            for part in numbers.parts(what, prod(shape) * (each.size if what == "codes" else 1), each.stored):
                stream.write(part.data)


def _floats(name: str, shape: tuple[int, ...], bits: int) -> str:
    """Kind of random numbers by a tensor's name: a matrix of integers has `scales` and `biases` beside it, with another meaning than a `bias`."""
    last = name.rpartition(".")[2]
    if last in ("scales", "biases"):
        return f"{last}{bits}"
    return "weights" if len(shape) > 1 or last == "bias" else "norms"


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content), "utf-8")


PROXY = MlxShapes()
