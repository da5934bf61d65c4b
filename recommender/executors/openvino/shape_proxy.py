"""OpenVINO GenAI folders with the exact layers of a model and random weights: as fast as the model, without its weights.

Neither the exporter nor NNCF is needed: the graph is put together here, and each weight is stored in the form that NNCF gives it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import prod
from pathlib import Path
from typing import Any

from recommender.domain.errors import Unsupported
from recommender.executors import byte_tokenizer
from recommender.executors.decoder import Decoder, decoder, indivisible, refusal
from recommender.executors.openvino import process, weights
from recommender.executors.openvino.compress import WeightPlan, versions, weight_plan
from recommender.executors.openvino.decoder_graph import decoder_graph
from recommender.executors.openvino.random_constants import RandomConstants
from recommender.executors.random_weights import RandomWeights
from recommender.ports import EXECUTOR_API, Prepared, ProxyJob

_FLOATS = ("F32", "fp16")
_MODES = ("int8_asym", "int4_asym", "int4_sym")
_GENERATION = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}


@dataclass(frozen=True, slots=True)
class GenAIShapes:
    """Schemes: F32, fp16, int8-weights, int4-weights-... in groups or by channel, symmetric or not, with any ratio."""

    name: str = "openvino-genai"
    api: int = EXECUTOR_API
    environment: str = ""

    def refusal(self, model: Mapping[str, Any], scheme: Mapping[str, Any]) -> str:
        if why := refusal(model):
            return why
        try:
            plan = _plan(scheme)
        except Unsupported as error:
            return error.message
        if plan is None or not plan.group_size or plan.group_size < 0:
            return ""
        return indivisible(decoder(model, n_layers=1, context=0).matrices, plan.group_size)

    def write(self, job: ProxyJob) -> Prepared:
        """Raises Unsupported for what it refuses, WrongOutput where OpenVINO stores something else."""
        if why := self.refusal(job.model, job.scheme):
            raise Unsupported(why)
        process.send_no_reports()
        import openvino

        shape, plan, key = decoder(job.model, n_layers=job.n_layers, context=job.context), _plan(job.scheme), str(job.scheme["key"])
        better = eight_bit_share(shape, plan)
        constants = RandomConstants(numbers=RandomWeights(job.seed), plan=plan, better=better)
        model = decoder_graph(shape, constants)
        _mark(model, keeps_cache=plan is None)
        target = job.out / "openvino_model.xml"
        openvino.save_model(model, target, compress_to_fp16=key == "fp16")
        _write_tokenizer(job.out)
        for name, told in (("config.json", shape.config()), ("generation_config.json", _GENERATION)):
            (job.out / name).write_text(json.dumps(told, indent=2), "utf-8")
        return Prepared(artifact=".", facts={**weights.verified(target, key), "n_params": shape.n_params, "in_8_bit": list(better), **versions()})


def _plan(scheme: Mapping[str, Any]) -> WeightPlan | None:
    """None: in floating point. Raises Unsupported for what has no random form here."""
    if scheme["key"] in _FLOATS:
        return None
    plan = weight_plan(scheme)
    if plan.mode not in _MODES:
        raise Unsupported(f"random weights of {scheme['key']} are not known here")
    return plan


def eight_bit_share(shape: Decoder, plan: WeightPlan | None) -> tuple[str, ...]:
    """PURE: matrices of a layer that stay in 8 bit under a ratio: those whose share of the weights is nearest to it, the same in every layer.

    NNCF chooses by the error of each matrix, which random weights cannot tell; speed depends on how many bytes there are.
    """
    if plan is None or plan.ratio is None or plan.ratio >= 1:
        return ()
    sizes = {name: prod(each) for name, each in shape.matrices.items()}
    wanted = (1 - plan.ratio) * sum(sizes.values())
    choices = [some for n in range(len(sizes) + 1) for some in combinations(sizes, n)]
    return min(choices, key=lambda some: abs(sum(sizes[name] for name in some) - wanted))


def _mark(model: Any, *, keeps_cache: bool) -> None:
    """Settings that the exporter gives a language model along; NNCF takes away that of the cache."""
    model.set_rt_info("8.0", ["runtime_options", "ACTIVATIONS_SCALE_FACTOR"])
    if keeps_cache:
        model.set_rt_info("f16", ["runtime_options", "KV_CACHE_PRECISION"])


def _write_tokenizer(folder: Path) -> None:
    """One token a byte, as a trie of words; what is generated beyond them has no text.

    GenAI wants the mask beside the ids: it is the second output of what makes rows of one length.
    """
    import openvino
    from openvino import opset13 as opset
    from openvino_tokenizers.build_tokenizer import build_rwkv_tokenizer

    words = [byte_tokenizer.END.encode(), *(bytes([byte]) for byte in range(256))]
    encoder, decoder = build_rwkv_tokenizer(f"{number} {word!r} {len(word)}" for number, word in enumerate(words))
    dense = next(node for node in encoder.get_ops() if node.get_type_name() == "RaggedToDense")
    mask = opset.convert(dense.output(1), openvino.Type.i64)
    mask.output(0).set_names({"attention_mask"})
    encoder.add_outputs([mask.output(0)])
    openvino.save_model(encoder, folder / "openvino_tokenizer.xml")
    openvino.save_model(decoder, folder / "openvino_detokenizer.xml")


PROXY = GenAIShapes()
