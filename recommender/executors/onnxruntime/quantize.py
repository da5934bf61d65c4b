"""Quantizing ONNX graphs with ONNX Runtime's own tools: `ort-quantizer`.

F32 and fp16 by conversion, int8-dynamic, int8-static and int8-static-a16 by `onnxruntime.quantization`, weights alone by MatMulNBits (8 and 4 bit)
and MatMulBnb4 (NF4). A step that quantized nothing, or made what ONNX Runtime cannot load, fails: the tools say nothing of either.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import StepFailed, Unsupported, WrongOutput
from recommender.executors.onnxruntime.execution_provider import provider
from recommender.executors.onnxruntime.failure import line_of, step_failure
from recommender.executors.onnxruntime.model_file import (
    FILE,
    INTEGERS,
    SINGLE_FILE,
    describe,
    model_file,
    quantized_weights,
    save,
    stored_size,
    versions,
)
from recommender.executors.onnxruntime.preprocess import preprocess
from recommender.executors.onnxruntime.process import NO_REPORTS
from recommender.executors.onnxruntime.static_int8 import quantize_static
from recommender.ports import EXECUTOR_API, Availability, Prepared

if TYPE_CHECKING:
    from recommender.ports import PrepareJob

    Maker = Callable[[PrepareJob, Path, Path, Path, Callable[[str], None]], dict[str, Any]]

PARAMETERS = (
    "exclude", "op_types", "per_channel", "reduce_range", "exclude_op_types", "calibration_method", "samples", "activation_type", "weight_type", "block_size",
    "accuracy_level", "symmetric",
)
HALF = frozenset(("float16",))
TREES = ("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor")
BLOCK_SIZES = (16, 32, 64, 128, 256)  # that MatMulNBits takes
INT8_ACTIVATIONS = 4  # MatMulNBits' accuracy level: the products run in int8, as its model builder has it on processors
_WEIGHTS = re.compile(r"int(?P<bits>[48])-weights(-sym)?(-g\d+)?")


class OrtQuantizer:
    """Parameters (PARAMETERS), each for some schemes: exclude (names of nodes; all), op_types, per_channel and reduce_range (int8), exclude_op_types (fp16),
    calibration_method, samples, activation_type and weight_type (static, see `static_int8`); for weights alone block_size, accuracy_level and symmetric
    (default true: the sizes of our schemes count no zero points)."""

    name = "ort-quantizer"
    api = EXECUTOR_API
    environment = ""

    def availability(self) -> Availability:
        for package in ("onnxruntime", "onnx"):
            if find_spec(package) is None:
                return Availability(ok=False, reason=f"{package} is not installed", hint="pip install 'edge-recommender[onnxruntime]'")
        return Availability(ok=True, version=versions("onnxruntime")["onnxruntime"])

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        """ONNX in (a file, or a folder with one), ONNX out: `model.onnx`, or the whole folder where the weights lie beside it.

        Raises:
            Unsupported: an unknown scheme, a tree ensemble, a model or samples that the tools cannot take.
            WrongOutput: nothing was quantized, or ONNX Runtime cannot load the outcome.
        """
        if unknown := sorted(job.parameters.keys() - set(PARAMETERS)):
            raise Unsupported(f"ort-quantizer has no parameter {', '.join(unknown)} (it has {', '.join(PARAMETERS)})")
        os.environ |= NO_REPORTS
        if hasattr(os, "sched_setaffinity"):  # the calibrators' sessions take no limit
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: max(1, job.threads)])
        key = str(job.scheme["key"])
        make, types = _maker(key)
        source = model_file(job.source)
        given = describe(source)
        if key != "F32" and not {"MatMul", "Gemm", "Conv"} & set(given["operators"]) and set(TREES) & set(given["operators"]):
            raise Unsupported(f"{source.name}: tree ensembles cannot be quantized, they have no weights to store in fewer bits")
        target = job.out / FILE
        with TemporaryDirectory(dir=job.out) as work:
            say(f"{source.name} to {key}")
            try:
                how = make(job, source, target, Path(work), say)
            except (StepFailed, MemoryError):
                raise
            except Exception as error:
                raise step_failure(f"{key}: onnxruntime cannot quantize {source.name}", error) from error
        made = describe(target)
        n_weights = quantized_weights(target, types)
        if types and not n_weights:
            raise WrongOutput(f"{key} changed nothing: none of the operators of {source.name} is quantized ({_listed(given['operators'])})")
        if refused := _refusal(target):
            if _refusal(source):
                raise Unsupported(f"onnxruntime cannot load {source.name}: {_refusal(source)}")
            raise WrongOutput(f"onnxruntime cannot load what it made: {refused}")
        facts = {
            "scheme": key, **made, "quantized_weights": n_weights, "quantize_nodes": made["operators"].get("QuantizeLinear", 0),
            "bytes": stored_size(target), "source_bytes": stored_size(source), "versions": versions("onnxruntime", "onnx"), **how,
        }
        if "ConvInteger" in made["operators"]:
            facts["slow"] = f"{made['operators']['ConvInteger']} convolutions became ConvInteger, which is several times slower than fp32: use int8-static"
        return Prepared(artifact=FILE if len(list(job.out.iterdir())) == 1 else ".", facts=facts)


def _maker(key: str) -> tuple[Maker, frozenset[str]]:
    """What makes a scheme, and the element types of the weights that it leaves."""
    makers: Mapping[str, tuple[Maker, frozenset[str]]] = {
        "F32": (_copy, frozenset()), "fp16": (_fp16, HALF), "int8-dynamic": (_dynamic, INTEGERS),
        "int8-static": (quantize_static, INTEGERS), "int8-static-a16": (quantize_static, INTEGERS), "NF4": (_nf4, INTEGERS),
    }
    if _WEIGHTS.fullmatch(key):
        return _weights, INTEGERS
    if key not in makers:
        raise Unsupported(f"`{key}`: ort-quantizer makes {', '.join(makers)}, int8-weights and int4-weights-gN")
    return makers[key]


def _copy(job: PrepareJob, source: Path, target: Path, work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The same model, its weights in one file where they fit; only for one that is in fp32."""
    import onnx

    lower = sorted((INTEGERS | HALF | {"bfloat16"}) & set(describe(source)["weights"]))
    if quantized_weights(source, frozenset(lower)):
        raise Unsupported(f"{source.name} holds weights in {', '.join(lower)}: F32 cannot be made from it")
    save(onnx.load(source), target)
    return {}


def _fp16(job: PrepareJob, source: Path, target: Path, work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Inputs and outputs stay in fp32, and operators without a half-precision form with them.

    ONNX Runtime's converter: the one of onnxconverter-common makes models that do not load (operands of two types).
    """
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    model = convert_float_to_float16(
        onnx.load(source), keep_io_types=True, disable_shape_infer=stored_size(source) > SINGLE_FILE,
        op_block_list=[*DEFAULT_OP_BLOCK_LIST, *job.parameters.get("exclude_op_types", ())], node_block_list=job.parameters.get("exclude"),
    )
    save(model, target)
    return {}


def _dynamic(job: PrepareJob, source: Path, target: Path, work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Weights per channel, activations by the range of each call."""
    import onnx
    from onnxruntime.quantization import quantize_dynamic

    plain = work / "plain.onnx"  # the tools write beside what they read
    save(onnx.load(source), plain)
    prepared, how = preprocess(plain, work / "prepared.onnx")
    quantize_dynamic(
        str(prepared), str(target), per_channel=bool(job.parameters.get("per_channel", True)), reduce_range=bool(job.parameters.get("reduce_range", False)),
        op_types_to_quantize=job.parameters.get("op_types"), nodes_to_exclude=job.parameters.get("exclude"),
        use_external_data_format=stored_size(prepared) > SINGLE_FILE,
    )
    return {"preprocessing": how}


def _weights(job: PrepareJob, source: Path, target: Path, work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Matrix products with constant weights, in blocks that share a scale; convolutions and embedding tables are left alone."""
    import onnx

    try:
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    except ImportError as error:
        raise Unsupported(f"MatMulNBits: {error}", hints=("pip install onnx-ir",)) from None
    matched = _WEIGHTS.fullmatch(job.scheme["key"])
    assert matched
    bits, block = int(matched["bits"]), _block_size(job, 32)
    symmetric = bool(job.parameters.get("symmetric", True))
    level = int(job.parameters.get("accuracy_level", INT8_ACTIVATIONS))
    quantizer = MatMulNBitsQuantizer(
        onnx.load(source), bits=bits, block_size=block, is_symmetric=symmetric, accuracy_level=level, nodes_to_exclude=job.parameters.get("exclude"),
    )
    quantizer.process()
    save(quantizer.model.model, target)
    return {"block_size": block, "symmetric": symmetric, "accuracy_level": level}


def _nf4(job: PrepareJob, source: Path, target: Path, work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """4-bit normal floats in blocks (MatMulBnb4)."""
    import onnx
    from onnxruntime.quantization.matmul_bnb4_quantizer import MatMulBnb4Quantizer

    block = _block_size(job, 64)
    quantizer = MatMulBnb4Quantizer(onnx.load(source), MatMulBnb4Quantizer.NF4, block, nodes_to_exclude=job.parameters.get("exclude"))
    quantizer.process()
    save(quantizer.model.model, target)
    return {"block_size": block}


def _block_size(job: PrepareJob, default: int) -> int:
    block = int(job.parameters.get("block_size") or job.scheme.get("group_size") or default)
    if block not in BLOCK_SIZES:
        raise Unsupported(f"groups of {block}: ONNX Runtime takes {', '.join(map(str, BLOCK_SIZES))}")
    return block


def _refusal(file: Path) -> str:
    """Why ONNX Runtime does not load a model, empty when it does."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnxruntime.InferenceSession(str(file), options, providers=list(provider("cpu").names))
    except Exception as error:  # noqa: BLE001  its exceptions share no parent
        return line_of(error)
    return ""


def _listed(operators: Mapping[str, int]) -> str:
    often = sorted(operators, key=lambda name: (-operators[name], name))
    return ", ".join(f"{operators[name]} {name}" for name in often[:5])


PREPARER = OrtQuantizer()
