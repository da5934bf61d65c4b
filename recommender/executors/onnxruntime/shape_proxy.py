"""Folders for onnxruntime-genai with the exact layers of a model and random weights: as fast as the model, without its weights.

Neither the model builder nor PyTorch is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recommender.domain.errors import Unsupported
from recommender.executors import byte_tokenizer
from recommender.executors.decoder import Decoder, decoder, indivisible, refusal
from recommender.executors.onnxruntime.decoder_graph import DecoderGraph, Precision
from recommender.executors.onnxruntime.external_data import ExternalData
from recommender.executors.onnxruntime.genai import CONFIG
from recommender.executors.onnxruntime.model_file import FILE, INTEGERS, quantized_weights, versions
from recommender.executors.random_weights import RandomWeights
from recommender.ports import EXECUTOR_API, Prepared, ProxyJob

_WEIGHTS = re.compile(r"int(?P<bits>[48])-weights(-g\d+)?")
_BLOCK = 32  # the builder's own, where a scheme names none
_BLOCKS = (16, 32, 64, 128, 256)  # of MatMulNBits


@dataclass(frozen=True, slots=True)
class GenAIShapes:
    """Schemes: F32, int8-weights, int4-weights-gN, symmetric as the builder makes them for processors."""

    name: str = "onnxruntime-genai"
    api: int = EXECUTOR_API
    environment: str = ""

    def refusal(self, model: Mapping[str, Any], scheme: Mapping[str, Any]) -> str:
        if why := refusal(model):
            return why
        precision = _precision(scheme)
        if precision is None:
            return f"random weights of {scheme['key']} are not known here (known: F32, int8-weights, int4-weights-gN)"
        if precision.bits == 32:
            return ""
        if precision.block not in _BLOCKS:
            return f"blocks of {precision.block}: ONNX Runtime has {', '.join(map(str, _BLOCKS))}"
        return indivisible(decoder(model, n_layers=1, context=0).matrices, precision.block)

    def write(self, job: ProxyJob) -> Prepared:
        """Raises Unsupported for what it refuses."""
        precision = _precision(job.scheme)
        if (why := self.refusal(job.model, job.scheme)) or precision is None:
            raise Unsupported(why)
        import onnx

        shape = decoder(job.model, n_layers=job.n_layers, context=job.context)
        with ExternalData(job.out / f"{FILE}.data") as data:
            model = DecoderGraph(decoder=shape, precision=precision, numbers=RandomWeights(job.seed), data=data).model()
        onnx.save(model, job.out / FILE)
        told = {CONFIG: _config(shape), "tokenizer.json": byte_tokenizer.tokenizer(shape.n_vocab), "tokenizer_config.json": byte_tokenizer.tokenizer_config()}
        for name, content in told.items():
            (job.out / name).write_text(json.dumps(content, indent=None if name == "tokenizer.json" else 2), "utf-8")
        facts = {
            "n_params": shape.n_params, "bits": precision.bits, "block_size": precision.block, "quantized_weights": quantized_weights(job.out / FILE, INTEGERS),
            "bytes": sum(file.stat().st_size for file in job.out.iterdir() if file.is_file()), "versions": versions("onnx"),
        }
        return Prepared(artifact=".", facts=facts)


def _precision(scheme: Mapping[str, Any]) -> Precision | None:
    """None: not known here."""
    if scheme["key"] == "F32":
        return Precision()
    found = _WEIGHTS.fullmatch(scheme["key"])
    return Precision(bits=int(found["bits"]), block=int(scheme.get("group_size") or _BLOCK)) if found else None


def _config(shape: Decoder) -> dict[str, Any]:
    """What the builder writes to genai_config.json."""
    ids = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    cache = {f"{end}_{part}_names": f"{name}.%d.{part}" for end, name in (("past", "past_key_values"), ("present", "present")) for part in ("key", "value")}
    return {
        "model": {
            **ids, "context_length": shape.context, "type": shape.architecture, "vocab_size": shape.n_vocab,
            "decoder": {
                "session_options": {"log_id": "onnxruntime-genai", "provider_options": []}, "filename": FILE, "head_size": shape.head_dim,
                "hidden_size": shape.hidden, "num_attention_heads": shape.n_heads, "num_hidden_layers": shape.n_layers, "num_key_value_heads": shape.n_kv_heads,
                "inputs": {"input_ids": "input_ids", "attention_mask": "attention_mask", **{name: of for name, of in cache.items() if name.startswith("past")}},
                "outputs": {"logits": "logits", **{name: of for name, of in cache.items() if name.startswith("present")}},
            },
        },
        "search": {"do_sample": False, "max_length": shape.context, "past_present_share_buffer": True},
    }


PROXY = GenAIShapes()
