"""ONNX to QDQ ONNX for the Hexagon NPU: 8-bit weights, 8- or 16-bit activations or a mixture, with ranges from samples.

Schemes: w8a8 and w8a16 (int8-static and int8-static-a16 mean the same here). Parameters, each optional:

    calibration_method   minmax (default), entropy, percentile or distribution
    percentile           99.999, of the method of that name
    calibration_samples  how many of the calibrating half to use at most
    per_channel          scales by output channel of a convolution (default: as the scheme says)
    mixed                {"tensor or node": 16, ...}, or "auto": raise the worst activations of w8a8 to 16 bit until the other half agrees
    accuracy_drop        0.01: what "auto" may lose of `criterion` (argmax_agreement, cosine, or accuracy where the samples have labels)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported, WrongOutput
from recommender.executors.qualcomm import agreement as compare
from recommender.executors.qualcomm import mixed, source
from recommender.executors.qualcomm.calibration import Samples, read_samples, reader
from recommender.executors.qualcomm.plugin import NO_REPORTS
from recommender.ports import EXECUTOR_API, Availability, Prepared, PrepareJob

if TYPE_CHECKING:
    import onnx

SCHEMES = {"w8a8": 8, "int8-static": 8, "w8a16": 16, "int8-static-a16": 16}  # to activation bits
METHODS = ("minmax", "entropy", "percentile", "distribution")
CRITERIA = ("argmax_agreement", "cosine", "accuracy")
ARTIFACT = "model.onnx"
_LARGE = 1 << 31  # bytes of a protobuf message; weights go to a file beside it from here on


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is asked for, checked."""

    activation_bits: int
    method: str
    percentile: float
    n_samples: int | None
    per_channel: bool
    symmetric: bool
    mixed: Mapping[str, Any] | str
    accuracy_drop: float
    criterion: str


def request_of(scheme: Mapping[str, Any], parameters: Mapping[str, Any]) -> Request:
    """Raises Unsupported for a scheme, method or criterion that there is not."""
    key = str(scheme.get("key", ""))
    if key not in SCHEMES:
        raise Unsupported(f"scheme `{key}`: the QDQ step makes {', '.join(SCHEMES)}")
    method, criterion = parameters.get("calibration_method", "minmax"), parameters.get("criterion", "argmax_agreement")
    if method not in METHODS:
        raise Unsupported(f"calibration method `{method}`: there are {', '.join(METHODS)}")
    if criterion not in CRITERIA:
        raise Unsupported(f"criterion `{criterion}`: there are {', '.join(CRITERIA)}")
    wanted = parameters.get("mixed") or {}
    if wanted and (SCHEMES[key] != 8 or not (wanted == "auto" or isinstance(wanted, Mapping))):
        raise Unsupported(f"mixed precision {wanted!r} with `{key}`: it starts from w8a8, and is \"auto\" or {{\"tensor or node\": 16}}")
    per_channel = bool(parameters.get("per_channel", scheme.get("granularity") == "per-channel"))
    return Request(
        activation_bits=SCHEMES[key], method=method, percentile=float(parameters.get("percentile", 99.999)), n_samples=parameters.get("calibration_samples"),
        per_channel=per_channel, symmetric=per_channel or bool(scheme.get("symmetric", True)),  # QNN takes scales by channel of signed symmetric weights only
        mixed=wanted, accuracy_drop=float(parameters.get("accuracy_drop", 0.01)), criterion=criterion,
    )


class QDQPreparer:
    """Needs onnxruntime and onnx, and no Qualcomm library."""

    name = "qnn-qdq"
    api = EXECUTOR_API
    environment = ""

    def availability(self) -> Availability:
        missing = [name for name in ("onnxruntime", "onnx") if find_spec(name) is None]
        if missing:
            return Availability(ok=False, reason=f"{' and '.join(missing)} not installed", hint="pip install 'edge-recommender[onnxruntime]'")
        return Availability(ok=True, version=_version("onnxruntime"))

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        """`model.onnx`, with its agreement with the source on the half of the samples that did not calibrate.

        Raises:
            Unsupported: the scheme, a parameter, the samples or the model (classic machine learning, quantized or compiled already).
            WrongOutput: nothing was quantized, an output is NaN, or mixed precision does not reach what was asked.
        """
        os.environ |= NO_REPORTS
        request = request_of(job.scheme, job.parameters)
        path = source.find_model(job.source)
        model = source.load(path)
        source.check_float(model, path.name)
        samples = read_samples(job.calibration, source.inputs_of(model))
        with TemporaryDirectory(dir=job.out) as folder:
            return _Step(request, path, model, samples, job, Path(folder), say).run()


class _Step:
    """One run: the float model, its samples and what is said of the result."""

    def __init__(self, request: Request, path: Path, model: onnx.ModelProto, samples: Samples, job: PrepareJob, folder: Path, say: Callable[[str], None]):
        self._request, self._path, self._job, self._folder, self._say = request, path, job, folder, say
        calibrating, self._held_back = samples.halves()
        self._calibrating = calibrating.feeds[: request.n_samples]
        self._clamped = source.clamp_masks(model)
        self._shapes = source.free_shapes(source.inputs_of(model), samples.feeds[0])
        self._float = _ready(model, self._shapes, folder / "float.onnx")
        self._reference = compare.outputs_on_cpu(path, self._held_back.feeds, job.threads)

    def run(self) -> Prepared:
        request = self._request
        tries: list[dict[str, Any]] = []
        if request.mixed == "auto":
            raised, tries, found = self._search()
        else:
            raised = mixed.named_tensors(source.load(self._float), request.mixed) if isinstance(request.mixed, Mapping) else []
            self._say(f"quantizing {self._path.name} with {len(self._calibrating)} samples")
            found = self._try(raised)
        quantized = self._folder / ARTIFACT
        weights = quantized_weights(quantized)
        if not weights:
            raise WrongOutput(f"nothing in `{self._path.name}` was quantized: it has no weights that QNN takes in 8 bit")
        for file in self._folder.glob(f"{ARTIFACT}*"):
            file.replace(self._job.out / file.name)
        facts = {
            "framework_version": _version("onnxruntime"), "scheme": str(self._job.scheme["key"]), "weight_type": "int8" if request.symmetric else "uint8",
            "activation_type": f"uint{request.activation_bits}", "per_channel": request.per_channel, "calibration_method": request.method,
            "n_calibration": len(self._calibrating), "quantized_weights": weights, "fixed_shapes": {name: list(shape) for name, shape in self._shapes.items()},
            "clamped": self._clamped, "mixed_to_16_bit": raised, "tries": tries, "agreement": found,
        }
        return Prepared(artifact=ARTIFACT, facts=facts)

    def _try(self, raised: Sequence[str]) -> dict[str, Any]:
        """Quantize with these activations in 16 bit, and compare; NaN is no agreement but an error."""
        _quantize(self._float, self._folder / ARTIFACT, self._request, self._calibrating, raised)
        outputs = compare.outputs_on_cpu(self._folder / ARTIFACT, self._held_back.feeds, self._job.threads)
        found: dict[str, Any] = {**compare.agreement(self._reference, outputs)}
        if self._held_back.labels is not None:
            found["accuracy_float"] = compare.accuracy(self._reference, self._held_back.labels)
            found["accuracy"] = compare.accuracy(outputs, self._held_back.labels)
        return found

    def _search(self) -> tuple[list[str], list[dict[str, Any]], dict[str, Any]]:
        """Raised activations, every try, and the agreement of the last one."""
        found = self._try([])
        tries = [{"n_raised": 0, self._request.criterion: found.get(self._request.criterion)}]
        least = self._least(found)
        if found[self._request.criterion] >= least:
            return [], tries, found
        order = mixed.worst_first(self._folder / ARTIFACT, self._calibrating, self._folder)
        for number in mixed.steps(len(order)):
            found = self._try(order[:number])
            tries.append({"n_raised": number, self._request.criterion: found[self._request.criterion]})
            self._say(f"{number} of {len(order)} activations in 16 bit: {self._request.criterion} {found[self._request.criterion]:.6g}, at least {least:.6g} is asked for")
            if found[self._request.criterion] >= least:
                return order[:number], tries, found
        raise WrongOutput(f"all {len(order)} activations in 16 bit reach {self._request.criterion} {found[self._request.criterion]:.6g}, {least:.6g} was asked for (try another calibration_method or more samples)")

    def _least(self, found: Mapping[str, Any]) -> float:
        if found.get(self._request.criterion) is None:
            raise Unsupported(f"criterion `{self._request.criterion}`: " + ("the samples have no `labels`, one a row" if self._request.criterion == "accuracy" else "the model's output has no entries to choose from"))
        return float(found["accuracy_float"] if self._request.criterion == "accuracy" else 1.0) - self._request.accuracy_drop


def _ready(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]], path: Path) -> Path:
    """QNN's own preparation (fused Gelu and norms, fixed shapes), with a name for every node."""
    import onnx
    from onnxruntime.quantization.execution_providers.qnn import qnn_preprocess_model

    fixed = [(name, ",".join(map(str, shape))) for name, shape in shapes.items()]
    _save(model, path)
    prepared = path.with_name("prepared.onnx")
    try:
        changed = qnn_preprocess_model(path, prepared, fuse_layernorm=True, exclude_initializer_from_input=True, dynamic_input_shapes=fixed or None)
    except Exception as error:  # noqa: BLE001  shape inference raises whatever it meets
        raise Unsupported(f"QNN's preparation of the model failed: {str(error).splitlines()[0][:300]}") from error
    ready = onnx.load(prepared if changed else path)
    source.name_nodes(ready)
    source.flatten_biases(ready)
    _save(ready, path)
    return path


def _save(model: onnx.ModelProto, path: Path) -> None:
    import onnx

    onnx.save(model, path, save_as_external_data=model.ByteSize() >= _LARGE, location=f"{path.name}.data")


def _quantize(model: Path, out: Path, request: Request, feeds: Sequence[Any], raised: Sequence[str]) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantType, quantize
    from onnxruntime.quantization.execution_providers.qnn import get_qnn_qdq_config

    method = next(each for each in CalibrationMethod if each.name.lower() == request.method)
    try:
        config = get_qnn_qdq_config(
            model, reader(feeds), calibrate_method=method, per_channel=request.per_channel, init_overrides=mixed.overrides(raised) or None,
            activation_type=QuantType.QUInt16 if request.activation_bits == 16 else QuantType.QUInt8,
            weight_type=QuantType.QInt8 if request.symmetric else QuantType.QUInt8, weight_symmetric=request.symmetric,
        )
        if request.method == "percentile":
            config.extra_options["CalibPercentile"] = request.percentile
        quantize(model, out, config)
    except (ValueError, IndexError, AssertionError) as error:  # histograms of degenerate ranges, overrides that contradict each other
        raise Unsupported(f"{request.method} calibration of the model failed: {str(error).splitlines()[0][:300] if str(error) else type(error).__name__}") from error


def quantized_weights(path: Path) -> dict[str, int]:
    """Type -> number of weights of that type that a DequantizeLinear reads; biases (int32) do not count."""
    import onnx
    from onnx.helper import tensor_dtype_to_np_dtype

    model = onnx.load(path, load_external_data=False)
    types = {tensor.name: tensor_dtype_to_np_dtype(tensor.data_type).name for tensor in model.graph.initializer}
    read = {node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"} & types.keys()
    found = [types[name] for name in read if types[name] != "int32"]
    return {name: found.count(name) for name in sorted(set(found))}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


PREPARER = QDQPreparer()
