"""Static quantization: 8-bit weights, 8- or 16-bit activations, as QuantizeLinear/DequantizeLinear pairs (QDQ)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported
from recommender.executors.onnxruntime.calibration import CalibrationReader, reader
from recommender.executors.onnxruntime.model_file import SINGLE_FILE, save, stored_size
from recommender.executors.onnxruntime.preprocess import clamp_mask_fills, preprocess

if TYPE_CHECKING:
    from recommender.ports import PrepareJob

METHODS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
TYPES = {"int8": "QInt8", "uint8": "QUInt8", "int16": "QInt16", "uint16": "QUInt16"}
HELD_BATCHES = 8  # whose activations are held at once while histograms are made; without a limit it would be all of them
OPSET_WITH_INT16 = 21  # of ONNX; before it QuantizeLinear takes 16 bits in ONNX Runtime's own domain only


def quantize_static(job: PrepareJob, source: Path, target: Path, work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Write the quantized model to `target`; returns how it was made.

    Parameters of the job: calibration_method (a key of METHODS), samples (at most so many), per_channel (default true), activation_type (a key of
    TYPES; default unsigned, of the scheme's activation bits), weight_type, reduce_range, op_types and exclude (names of nodes).

    Raises:
        Unsupported: no or unfit samples, or a range that the calibration method cannot handle.
    """
    import onnx

    model = onnx.load(source)
    clamped = clamp_mask_fills(model)
    plain = work / "plain.onnx"
    save(model, plain)
    prepared, how = preprocess(plain, work / "prepared.onnx")
    samples = reader(model, job.calibration, job.parameters.get("samples"))
    del model
    say(f"calibrating with {len(samples)} batches")
    method = str(job.parameters.get("calibration_method", "minmax"))
    try:
        _quantize(job, prepared, target, method, samples)
    except ValueError as error:
        if "too many bins" in str(error).lower():
            raise Unsupported(
                f"calibration method `{method}` cannot divide the range of an activation into bins", hints=('the parameter calibration_method = "minmax"',),
            ) from error
        if prepared == plain:
            raise
        _quantize(job, plain, target, method, samples)  # folded classical models have weights whose channels it mistakes
        how = f"none (of the {how} form: {error})"[:300]
    return {"preprocessing": how, "clamped_mask_fills": clamped, "calibration": {"method": method, "batches": len(samples)}}


def _quantize(job: PrepareJob, source: Path, target: Path, method: str, samples: CalibrationReader) -> None:
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization import CalibrationMethod, QuantType

    bits = 16 if job.scheme["key"].endswith("-a16") else 8
    opset = next(each.version for each in onnx.load(source, load_external_data=False).opset_import if each.domain in ("", "ai.onnx"))
    extra: dict[str, Any] = {"UseQDQContribOps": bits == 16 and opset < OPSET_WITH_INT16}
    if method != "minmax":
        extra["CalibStridedMinMax"] = next(n for n in range(HELD_BATCHES, 0, -1) if len(samples) % n == 0)
    samples.set_range(0, len(samples))
    quantization.quantize_static(
        str(source), str(target), samples, quant_format=quantization.QuantFormat.QDQ,
        calibrate_method=getattr(CalibrationMethod, _known(METHODS, "calibration_method", method)),
        activation_type=getattr(QuantType, _known(TYPES, "activation_type", job.parameters.get("activation_type", f"uint{bits}"))),
        weight_type=getattr(QuantType, _known(TYPES, "weight_type", job.parameters.get("weight_type", "int8"))),
        per_channel=bool(job.parameters.get("per_channel", True)), reduce_range=bool(job.parameters.get("reduce_range", False)),
        op_types_to_quantize=job.parameters.get("op_types"), nodes_to_exclude=job.parameters.get("exclude"),
        use_external_data_format=stored_size(source) > SINGLE_FILE, extra_options=extra,
    )


def _known(table: dict[str, str], what: str, word: str) -> str:
    if word not in table:
        raise Unsupported(f"{what} `{word}`: there are {', '.join(table)}")
    return table[word]
