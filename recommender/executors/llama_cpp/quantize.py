"""GGUF to GGUF in fewer bits by llama.cpp's own quantizer, and what it really did, tensor by tensor."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommender.domain.errors import ModelFileError, StepFailed, Unsupported, WrongOutput
from recommender.executors.llama_cpp.binding import binding, failure, listening
from recommender.executors.llama_cpp.imatrix import CHUNKS, Importance, as_array, collect_importance, read_importance
from recommender.executors.llama_cpp.installed import installed
from recommender.executors.llama_cpp.tensors import Held, bits_per_weight, count_types, held_tensors
from recommender.ports import EXECUTOR_API, Availability, Prepared, PrepareJob

# Level -> the type that its name stands for (llama.cpp `src/llama-quant.cpp`); some tensors get a better one.
LEVELS = {
    "F32": "F32", "F16": "F16", "BF16": "BF16", "Q8_0": "Q8_0", "Q6_K": "Q6_K", "Q5_K_M": "Q5_K", "Q5_K_S": "Q5_K", "Q5_1": "Q5_1", "Q5_0": "Q5_0",
    "Q4_K_M": "Q4_K", "Q4_K_S": "Q4_K", "Q4_1": "Q4_1", "Q4_0": "Q4_0", "IQ4_NL": "IQ4_NL", "IQ4_XS": "IQ4_XS", "Q3_K_L": "Q3_K", "Q3_K_M": "Q3_K",
    "Q3_K_S": "Q3_K", "IQ3_M": "IQ3_S", "IQ3_S": "IQ3_S", "IQ3_XS": "IQ3_S", "IQ3_XXS": "IQ3_XXS", "Q2_K": "Q2_K", "Q2_K_S": "Q2_K", "IQ2_M": "IQ2_S",
    "IQ2_S": "IQ2_XS", "IQ2_XS": "IQ2_XS", "IQ2_XXS": "IQ2_XXS", "IQ1_M": "IQ1_M", "IQ1_S": "IQ1_S", "MXFP4": "MXFP4",
}  # fmt: skip
_MISSING = "mportance matri"  # how llama.cpp says that a level wants one


@dataclass(frozen=True, slots=True)
class LlamaQuantize:
    """Parameters: `imatrix`, a file. Without it an importance matrix is collected from `calibration` where the scheme asks for calibration,
    over `imatrix_chunks` (32) times 512 tokens.
    """

    name: str = "llama-quantize"
    api: int = EXECUTOR_API
    environment: str = ""

    def availability(self) -> Availability:
        return installed("llama_cpp", "gguf")

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        """Raises Unsupported (unknown level, no importance matrix, quantized already), WrongOutput (nothing changed), ModelFileError, OutOfMemory."""
        level = str(job.scheme["key"])
        number = file_type(level)
        source = _model_file(job.source)
        before = held_tensors(source)
        if level == "MXFP4" and not any("_exps." in name for name in before):
            raise Unsupported("MXFP4 is for mixtures of experts: a dense model would come out as Q8_0")
        importance = _importance(job, source, say)
        artifact = job.out / "model.gguf"
        say(f"quantizing {len(before)} tensors to {level}{' by an importance matrix' if importance else ''}")
        try:
            _quantize(source, artifact, number, importance, job.threads)
            after = held_tensors(artifact)
            _check(before, after, level)
        except StepFailed:
            artifact.unlink(missing_ok=True)  # the quantizer leaves what it had written
            raise
        return Prepared(artifact=artifact.name, facts=_facts(after, level, importance))


def file_type(level: str) -> int:
    """llama.cpp's number of a level. Raises Unsupported when there is none."""
    library = binding()
    spelled = {"F32": "ALL_F32", "MXFP4": "MOSTLY_MXFP4_MOE"}.get(level, f"MOSTLY_{level}")
    number = getattr(library, f"LLAMA_FTYPE_{spelled}", None)
    if level not in LEVELS or number is None:
        raise Unsupported(f"llama.cpp {library.__version__} has no quantization level {level} (has: {', '.join(LEVELS)})")
    return int(number)


def _model_file(source: Path) -> Path:
    """A GGUF file, or the only one of a folder. Raises ModelFileError."""
    if source.is_file():
        return source
    found = sorted(source.glob("*.gguf"))
    if len(found) != 1:
        raise ModelFileError(f"`{source.name}` holds {len(found)} GGUF files; name one")
    return found[0]


def _importance(job: PrepareJob, source: Path, say: Callable[[str], None]) -> Importance:
    if given := job.parameters.get("imatrix"):
        return read_importance(Path(given))
    if job.calibration is None or job.scheme.get("needs_calibration", "no") == "no":
        return {}
    say(f"collecting an importance matrix from {job.calibration.name}")
    chunks = int(job.parameters.get("imatrix_chunks", CHUNKS))
    return collect_importance(source, job.calibration.read_text("utf-8", "replace"), job.threads, chunks)


def _quantize(source: Path, artifact: Path, file_type: int, importance: Importance, threads: int) -> None:
    library = binding()
    parameters = library.llama_model_quantize_default_params()
    parameters.ftype = file_type
    parameters.nthread = threads
    entries = as_array(importance) if importance else None
    if entries is not None:
        parameters.imatrix = ctypes.cast(entries, type(parameters.imatrix))
    with listening() as said:
        status = library.llama_model_quantize(str(source).encode(), str(artifact).encode(), ctypes.byref(parameters))
    if status == 0:
        return
    if not importance and any(_MISSING in line for line in said):
        raise Unsupported("this level needs an importance matrix: give a calibration text, or a file made by llama.cpp's imatrix tool as `imatrix`")
    raise failure(f"llama.cpp does not quantize `{source.name}`")


def _check(before: Mapping[str, Held], after: Mapping[str, Held], level: str) -> None:
    """A quantizer that did nothing is the commonest fault, and the quietest."""
    if before.keys() != after.keys() or any(before[name].elements != tensor.elements for name, tensor in after.items()):
        raise WrongOutput(f"{level}: the quantized file does not hold the same tensors")
    if all(before[name].type == tensor.type for name, tensor in after.items()):
        held = ", ".join(f"{n} {kind}" for kind, n in count_types(after).items())
        raise WrongOutput(f"{level}: nothing was quantized, every tensor has the type it had ({held})")


def _facts(after: Mapping[str, Held], level: str, importance: Importance) -> dict[str, Any]:
    return {
        "framework_version": binding().__version__, "level": level, "tensor_types": count_types(after), "bits_per_weight": round(bits_per_weight(after), 4),
        "fallbacks": fallbacks(after, level), "importance_matrix": len(importance),
    }


def fallbacks(tensors: Mapping[str, Held], level: str) -> dict[str, str]:
    """Matrices whose rows do not divide into the blocks of the level's type -> the type they got instead, silently and mostly larger."""
    import gguf

    block = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[LEVELS[level]]][0]
    return {name: tensor.type for name, tensor in tensors.items() if tensor.dimensions > 1 and tensor.row % block}


PREPARER = LlamaQuantize()
