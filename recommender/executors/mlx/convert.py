"""From a Hugging Face folder of a language model to an MLX folder, in 16 or 32 bit or quantized in groups: `mlx-lm`."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported, WrongOutput
from recommender.executors.mlx import installed
from recommender.ports import EXECUTOR_API, Availability, Prepared

if TYPE_CHECKING:
    from recommender.ports import PrepareJob

FOLDER = "model"
FLOATS = {"BF16": "bfloat16", "fp16": "float16", "F32": "float32"}
_AFFINE = re.compile(r"int(?P<bits>[23468])-mlx-g(?P<group>32|64|128)")
_MXFP4 = {"q_mode": "mxfp4", "q_bits": 4, "q_group_size": 32}  # the block format of the OCP microscaling specification 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What mlx_lm.convert is told. dtype: of everything that is not quantized, scales included. quantization: its q_ arguments, {} for none."""

    dtype: str
    quantization: Mapping[str, Any]


class MlxLm:
    """Parameters: dtype (of what a scheme leaves in floating point: float16, bfloat16 or float32; default the source's own where it has 16 bit, else bfloat16)."""

    name = "mlx-lm"
    api = EXECUTOR_API
    environment = ""

    def availability(self) -> Availability:
        return installed.availability()

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        """A folder that mlx-lm loads.

        Raises:
            Unsupported: an unknown scheme, a folder that mlx-lm cannot read, or an architecture it does not know.
            WrongOutput: no layer was quantized, or the stored type is not the one that was asked for.
        """
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        config = _config(job.source)
        made = plan(job.scheme["key"], config, str(job.parameters.get("dtype") or ""))
        convert = installed.module("mlx_lm").convert
        say(f"converting {config.get('model_type')} to {job.scheme['key']}")
        try:
            convert(str(job.source), str(job.out / FOLDER), quantize=bool(made.quantization), dtype=made.dtype, **made.quantization)
        except (ValueError, KeyError, FileNotFoundError, NotImplementedError, TypeError) as error:
            raise Unsupported(f"mlx-lm cannot convert `{config.get('model_type', '?')}` of `{job.source.name}` to {job.scheme['key']}: {_line(error)}") from error
        return Prepared(artifact=FOLDER, facts={"scheme": job.scheme["key"], **_verified(job.out / FOLDER, made), "versions": installed.versions()})


def plan(key: str, config: Mapping[str, Any], dtype: str = "") -> Plan:
    """PURE: what a scheme means to mlx_lm.convert, for a source's config.json; raises Unsupported for a scheme it does not make."""
    if dtype and dtype not in FLOATS.values():
        raise Unsupported(f"dtype `{dtype}`: mlx-lm converts to {', '.join(FLOATS.values())}")
    if key in FLOATS:
        return Plan(dtype=FLOATS[key], quantization={})
    own = str(config.get("dtype") or config.get("torch_dtype"))
    kept = dtype or (own if own in ("float16", "bfloat16") else "bfloat16")
    if key == "MXFP4":
        return Plan(dtype=kept, quantization=_MXFP4)
    matched = _AFFINE.fullmatch(key)
    if not matched:
        raise Unsupported(f"`{key}`: mlx-lm makes {', '.join(FLOATS)}, MXFP4 and int2, int3, int4, int6, int8 as int4-mlx-g64, in groups of 32, 64 or 128")
    return Plan(dtype=kept, quantization={"q_mode": "affine", "q_bits": int(matched["bits"]), "q_group_size": int(matched["group"])})


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Unsupported(f"`{folder.name}` has no readable config.json: {_line(error)}") from error
    if not isinstance(config, dict):
        raise Unsupported(f"config.json of `{folder.name}` is no model configuration")
    return config


def _verified(folder: Path, made: Plan) -> dict[str, Any]:
    """What was really stored: tensors by type, layers by their bits, bits per weight over all tensors.

    A layer whose rows are no multiple of the group stays in floating point without a word: those are named in `not_quantized`.
    """
    mlx_lm = installed.module("mlx_lm.utils")
    model, _ = mlx_lm.load_model(folder, lazy=True)
    arrays = installed.module("mlx.utils").tree_flatten(model.parameters())
    types = Counter(str(array.dtype).rpartition(".")[2] for _, array in arrays)
    layers = {name: module for name, module in model.named_modules() if hasattr(module, "weight") and module.weight.ndim > 1}
    quantized = {name: module for name, module in layers.items() if hasattr(module, "scales")}
    if made.quantization and not quantized:
        raise WrongOutput(f"no layer was quantized: no row is a multiple of the group of {made.quantization['q_group_size']}")
    if not made.quantization and set(types) != {made.dtype}:
        raise WrongOutput(f"asked for {made.dtype}, stored {dict(types)}")
    return {
        "dtype": made.dtype, "tensors": dict(sorted(types.items())), "layers": dict(Counter(f"{m.mode}-{m.bits}-g{m.group_size}" for m in quantized.values())),
        "not_quantized": sorted(set(layers) - set(quantized)) if made.quantization else [], "bits_per_weight": round(float(mlx_lm.compute_bits_per_weight(model)), 4),
        "bytes": sum(file.stat().st_size for file in folder.iterdir()),
    }


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


PREPARER = MlxLm()
