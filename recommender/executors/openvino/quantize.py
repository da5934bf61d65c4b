"""Weights and activations to 8 bit with a calibration set, where asked for within a bound on the loss of accuracy (NNCF)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported, WrongOutput
from recommender.executors.openvino.calibration import Sample

if TYPE_CHECKING:
    import numpy as np
    import openvino

_SUBSET_SIZE = 300  # samples that NNCF takes at most when it is not told
Pair = tuple[Sample, "np.ndarray"]  # a sample and its labels


def quantize(
    model: openvino.Model, samples: Sequence[Sample], labels: np.ndarray | None, parameters: Mapping[str, Any], say: Callable[[str], None],
) -> tuple[openvino.Model, dict[str, Any]]:
    """The quantized model and facts of how. Parameters: see the README of this folder."""
    import nncf

    told: dict[str, Any] = {
        "preset": nncf.QuantizationPreset(parameters["preset"]) if "preset" in parameters else None,
        "model_type": nncf.ModelType.TRANSFORMER if _is_transformer_asked(model, parameters) else None,
        "fast_bias_correction": bool(parameters.get("fast_bias_correction", True)),
        "subset_size": min(int(parameters.get("subset_size", _SUBSET_SIZE)), len(samples)),
    }
    facts = {"n_samples": told["subset_size"], "model_type": "transformer" if told["model_type"] else ""}
    if "accuracy_drop" in parameters:
        return _within(float(parameters["accuracy_drop"]), model, _pairs(samples, labels), told, facts, say)
    say(f"quantizing with {told['subset_size']} samples")
    return nncf.quantize(model, nncf.Dataset(list(samples)), **told), facts


def _within(
    bound: float, model: openvino.Model, pairs: Sequence[Pair], told: dict[str, Any], facts: dict[str, Any], say: Callable[[str], None],
) -> tuple[openvino.Model, dict[str, Any]]:
    """Layers go back to floating point until the relative loss of accuracy is within the bound; it is checked on samples not calibrated with."""
    import nncf
    import numpy as np

    order = np.random.default_rng(0).permutation(len(pairs))  # a set sorted by class must not be cut between classes
    half = len(pairs) // 2
    calibration, validation = [pairs[i] for i in order[:half]], [pairs[i] for i in order[half:]]
    told["subset_size"] = facts["n_samples"] = min(told["subset_size"], half)
    say(f"quantizing with {facts['n_samples']} samples, {len(validation)} others tell the accuracy")
    reference = _accuracy_of(model, validation)
    quantized = nncf.quantize_with_accuracy_control(
        model, nncf.Dataset(calibration, _sample_of), nncf.Dataset(validation, _sample_of), _hits,
        max_drop=bound, drop_type=nncf.DropType.RELATIVE, **told,
    )
    accuracy = _accuracy_of(quantized, validation)
    if reference and (reference - accuracy) / reference > bound:
        raise WrongOutput(f"accuracy falls from {reference:.4f} to {accuracy:.4f}, more than the {bound:.1%} asked for, whatever layer is spared")
    return quantized, {**facts, "accuracy_before": reference, "accuracy": accuracy, "n_validation": len(validation)}


def _pairs(samples: Sequence[Sample], labels: np.ndarray | None) -> Sequence[Pair]:
    if labels is None or len(samples) < 2:
        raise Unsupported("a bound on the loss of accuracy needs `labels` in the calibration set, and at least two samples")
    return list(zip(samples, labels, strict=True))


def _sample_of(pair: Pair) -> Sample:
    return pair[0]


def _accuracy_of(model: openvino.Model, pairs: Sequence[Pair]) -> float:
    import openvino

    return _hits(openvino.Core().compile_model(model, "CPU"), pairs)[0]


def _hits(compiled: Any, pairs: Iterable[Pair]) -> tuple[float, list[float]]:
    """Share of labels that the highest score names, and the share by sample (NNCF's validation function)."""
    port = next((each for each in compiled.outputs if each.element_type.is_real()), None)
    if port is None:
        raise Unsupported("a bound on the loss of accuracy needs a model that gives scores")
    hits = [float((compiled(dict(sample))[port].argmax(axis=-1).ravel() == labels).mean()) for sample, labels in pairs]
    return sum(hits) / len(hits), hits


def _is_transformer_asked(model: openvino.Model, parameters: Mapping[str, Any]) -> bool:
    asked = parameters.get("model_type", "transformer" if is_transformer(model) else "")
    if asked not in ("", "transformer"):
        raise Unsupported(f"model_type `{asked}` (there is `transformer`, or empty)")
    return bool(asked)


def is_transformer(model: openvino.Model) -> bool:
    """Whether it has attention: fused, or a softmax and a product of two activations."""
    nodes = list(model.get_ops())
    kinds = {node.get_type_name() for node in nodes}
    products = (node for node in nodes if node.get_type_name() == "MatMul")
    return "ScaledDotProductAttention" in kinds or ("Softmax" in kinds and any(not any(map(_is_constant, _inputs(node))) for node in products))


def _inputs(node: Any) -> list[Any]:
    return [each.get_source_output().get_node() for each in node.inputs()]


def _is_constant(node: Any) -> bool:
    """A weight, perhaps stored in another type or layout."""
    return node.get_type_name() == "Constant" or (node.get_type_name() in ("Convert", "Reshape", "Transpose") and _is_constant(_inputs(node)[0]))
