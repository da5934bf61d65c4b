"""Mixed precision: which activations get 16 bit in a graph that is otherwise 8 bit, as said by name or by their error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported
from recommender.executors.qualcomm.calibration import Feeds, reader

if TYPE_CHECKING:
    import onnx

_MAX_SAMPLES = 8  # every activation of every sample is kept in memory while errors are compared


def named_tensors(model: onnx.ModelProto, mixed: Mapping[str, Any]) -> list[str]:
    """The tensors of names in {tensor or node: 16}; a node stands for its outputs.

    Raises:
        Unsupported: there is no such name, or the number is not 16.
    """
    outputs = {node.name: list(node.output) for node in model.graph.node}
    weights = {tensor.name for tensor in model.graph.initializer}
    tensors = {name for node in model.graph.node for name in (*node.input, *node.output) if name and name not in weights}
    found: list[str] = []
    for name, bits in mixed.items():
        if bits != 16:
            raise Unsupported(f"mixed precision of `{name}`: {bits!r} bits (16 is what can be asked for)")
        if name not in tensors and name not in outputs:
            near = get_close_matches(name, [*outputs, *tensors], 3, 0.4)
            raise Unsupported(f"mixed precision: the model has no tensor or node `{name}`" + (f" (near: {', '.join(near)})" if near else ""))
        found += [name] if name in tensors else outputs[name]
    return list(dict.fromkeys(found))


def overrides(tensors: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """What the QNN configuration extends to the neighbours of each, with conversions between 8 and 16 bit."""
    from onnxruntime.quantization import QuantType

    return {name: [{"quant_type": QuantType.QUInt16}] for name in tensors}


def worst_first(quantized: Path, feeds: Sequence[Feeds], folder: Path) -> list[str]:
    """Activations of an 8-bit model by the noise that their own quantization adds, the noisiest first (by signal to noise)."""
    from onnxruntime.quantization import qdq_loss_debug as debug

    augmented = folder / "every-activation.onnx"
    debug.modify_model_output_intermediate_tensors(quantized, augmented)
    activations = debug.collect_activations(str(augmented), reader(feeds[:_MAX_SAMPLES]))
    pairs = debug.create_activation_matching(activations)
    ratio = {name: debug.compute_signal_to_quantization_noice_ratio(pair["pre_qdq"], pair["post_qdq"]) for name, pair in pairs.items()}
    return sorted(ratio, key=lambda name: (ratio[name], name))


def steps(n_tensors: int) -> list[int]:
    """How many of the worst to raise, try by try: 1, 2, 4, ... and at last all. Each try quantizes and checks anew."""
    tries = [2**power for power in range(n_tensors.bit_length()) if 2**power < n_tensors]
    return [*tries, n_tensors] if n_tensors else []
