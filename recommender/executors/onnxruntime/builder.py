"""Making a folder for onnxruntime-genai from a Hugging Face folder with its model builder: `ort-genai-builder`.

It runs in the environment `conversion`, offline.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from recommender.domain.errors import Unsupported, WrongOutput
from recommender.executors.onnxruntime.execution_provider import PROVIDERS, provider
from recommender.executors.onnxruntime.failure import decoded
from recommender.executors.onnxruntime.model_file import FILE, INTEGERS, describe, quantized_weights, versions
from recommender.executors.onnxruntime.process import NO_REPORTS
from recommender.ports import EXECUTOR_API, Availability, Prepared

if TYPE_CHECKING:
    from recommender.ports import PrepareJob

PRECISIONS = {"F32": "fp32", "fp16": "fp16"}
_WEIGHTS = re.compile(r"int(?P<bits>[48])-weights(-sym)?(-g\d+)?")
_PACKAGES = {"onnxruntime_genai": "onnxruntime-genai", "onnx_ir": "onnx-ir", "torch": "torch", "transformers": "transformers"}
PARAMETERS = ("block_size", "symmetric", "execution_provider", "extra")
REFUSED = {("fp16", "cpu"): "its second step fails", ("int8", "dml"): "the provider has no 8-bit products"}  # the builder makes them all the same
BLOCK_SIZE = 32  # the builder's own, where the scheme names none


class GenAIBuilder:
    """Parameters: block_size (over the scheme's group size), symmetric (default true, as the builder has it: the sizes of our schemes count no zero
    points, and a shared embedding table does not load with them), execution_provider (over the job's), extra (further options of the builder)."""

    name = "ort-genai-builder"
    api = EXECUTOR_API
    environment = "conversion"

    def availability(self) -> Availability:
        missing = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
        if missing:
            return Availability(ok=False, reason=f"{', '.join(missing)} not installed here", hint="recommend apply makes the environment on demand")
        return Availability(ok=True, version=versions("onnxruntime-genai")["onnxruntime-genai"])

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        """The whole folder: graph, weights beside it, genai_config.json and tokenizer.

        Raises:
            Unsupported: an unknown scheme, provider or architecture, a pair of them that does not run, or no Hugging Face folder.
            WrongOutput: weights were to be quantized and none is, or what came out does not load.
        """
        if unknown := sorted(job.parameters.keys() - set(PARAMETERS)):
            raise Unsupported(f"the model builder has no parameter {', '.join(unknown)} (it has {', '.join(PARAMETERS)})")
        precision, options = _precision(job)
        key = str(job.parameters.get("execution_provider") or job.execution_provider)
        target = provider(key).builder
        if not target:
            raise Unsupported(f"the model builder knows no execution provider `{key}` (it knows {', '.join(k for k, p in PROVIDERS.items() if p.builder)})")
        if (precision, key) in REFUSED:
            raise Unsupported(f"{job.scheme['key']} on `{key}`: onnxruntime-genai cannot run it ({REFUSED[precision, key]})")
        architecture = _architecture(job.source)
        os.environ |= {**NO_REPORTS, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        import torch
        from onnxruntime_genai.models import builder

        torch.set_num_threads(job.threads)
        say(f"building {architecture} in {precision} for {key}")
        given = [f"{name}={value}" for name, value in {**options, **job.parameters.get("extra", {})}.items()]
        with TemporaryDirectory(dir=job.out) as cache, decoded(f"the model builder of onnxruntime-genai cannot convert `{architecture}`"):
            order = (None, str(job.source), str(job.out), precision, target, cache)
            builder.create_model(*order, **builder.parse_extra_options(*order, given))
        quantized = quantized_weights(job.out / FILE, INTEGERS)
        if precision.startswith("int") and not quantized:
            raise WrongOutput(f"{job.scheme['key']} changed nothing: no weight of `{architecture}` is in {precision}")
        if key == "cpu":
            _check_it_loads(job.out)
        facts = {
            "scheme": job.scheme["key"], "architecture": architecture, "precision": precision, "execution_provider": key, **options,
            **describe(job.out / FILE), "quantized_weights": quantized, "bytes": sum(file.stat().st_size for file in job.out.iterdir()),
            "versions": versions(*_PACKAGES.values(), "onnxruntime"),
        }
        return Prepared(artifact=".", facts=facts)


def _precision(job: PrepareJob) -> tuple[str, dict[str, str]]:
    """The builder's word for a scheme and the options that complete it."""
    key = str(job.scheme["key"])
    if key in PRECISIONS:
        return PRECISIONS[key], {}
    matched = _WEIGHTS.fullmatch(key)
    if not matched:
        raise Unsupported(f"`{key}`: the model builder makes {', '.join(PRECISIONS)}, int8-weights and int4-weights-gN")
    block = job.parameters.get("block_size") or job.scheme.get("group_size") or BLOCK_SIZE
    return f"int{matched['bits']}", {"block_size": str(block), "is_symmetric": str(bool(job.parameters.get("symmetric", True))).lower()}


def _check_it_loads(folder: Path) -> None:
    import onnxruntime_genai as og

    try:
        og.Model(str(folder))
    except Exception as error:
        raise WrongOutput(f"onnxruntime-genai cannot load what its builder made: {error}"[:400]) from error


def _architecture(folder: Path) -> str:
    try:
        return str(json.loads((folder / "config.json").read_text("utf-8"))["architectures"][0])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Unsupported(f"{folder.name} is no Hugging Face folder: its config.json names no architecture") from error


PREPARER = GenAIBuilder()
