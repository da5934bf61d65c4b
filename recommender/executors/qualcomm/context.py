"""QDQ ONNX to a context binary: the graph compiled for one generation of the Hexagon NPU, in an ONNX file that ONNX Runtime loads.

Parameters, each optional: htp_arch (of `plugin.HTP_ARCHITECTURES`; a chip of another generation does not load it), soc_model (Qualcomm's number of
the chip, which wins over htp_arch), embed (the binary inside the ONNX file), optimization (0 to 3: how long the compiler may look for a better
schedule), vtcm_mb (its memory on the chip), allow_cpu_fallback (nodes that the NPU cannot run stay in the ONNX file).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recommender.domain.errors import Unsupported, WrongOutput
from recommender.executors.qualcomm import plugin, source
from recommender.ports import EXECUTOR_API, Availability, Prepared, PrepareJob

ARTIFACT = f"model{source.CONTEXT_SUFFIX}"


class ContextPreparer:
    """Compiles by opening a session that writes what it compiled; no device is needed, and none has ever loaded the result when it is done."""

    name = "qnn-context"
    api = EXECUTOR_API
    environment = ""

    def availability(self) -> Availability:
        return plugin.plugin_availability()

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        """Raises Unsupported, OutOfMemory, Fallback (nodes that the NPU cannot run), or WrongOutput when nothing was compiled."""
        os.environ |= plugin.NO_REPORTS
        path = source.find_model(job.source)
        model = source.load(path, weights=False)
        if source.is_compiled(model):
            raise Unsupported(f"`{path.name}` is compiled already: give the ONNX model it was made from")
        source.check_fixed(model, path.name)
        settings = settings_of(job.parameters)
        embed = bool(job.parameters.get("embed", False))
        say(f"compiling {path.name} for " + (f"HTP v{settings['htp_arch']}" if "htp_arch" in settings else "the default HTP generation"))
        with TemporaryDirectory(dir=job.out) as folder:  # a context is written before it shows that nodes are left to the processor
            made = Path(folder, ARTIFACT)
            entries = {"ep.context_enable": "1", "ep.context_embed_mode": str(int(embed)), "ep.context_file_path": str(made)}
            may_fall_back = bool(job.parameters.get("allow_cpu_fallback"))
            unit = job.execution_provider if job.execution_provider == "qnn-gpu" else "qnn-htp"
            opened = plugin.open_on_qnn(path, plugin.Wanted(unit=unit, settings=settings, entries=entries, may_fall_back=may_fall_back, n_threads=job.threads))
            contexts = _contexts(made)
            if not contexts:
                raise WrongOutput(f"`{path.name}`: no part of it was compiled for the NPU")
            for file in list(made.parent.iterdir()):
                file.replace(job.out / file.name)
        facts = {
            "framework_version": version("onnxruntime-qnn"), "sdk_version": contexts[0].get("ep_sdk_version", ""), "n_contexts": len(contexts),
            "htp_arch": int(settings.get("htp_arch", 0)), "soc_model": int(settings.get("soc_model", 0)), "embedded": embed, "placement": opened.placement,
            "placement_operators": opened.nodes, "source_is_quantized": source.is_quantized(model),
            "file_sizes": {file.name: file.stat().st_size for file in sorted(job.out.iterdir())},
            "note": "compiled without a device: it was never loaded on one",
        }
        return Prepared(artifact=ARTIFACT if embed else ".", facts=facts)


def settings_of(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Of the provider. Raises Unsupported for numbers it would ignore without a word."""
    settings: dict[str, str] = {}
    for key, name, valid in (
        ("htp_arch", "htp_arch", (0, *plugin.HTP_ARCHITECTURES)), ("soc_model", "soc_model", None), ("vtcm_mb", "vtcm_mb", None),
        ("optimization", "htp_graph_finalization_optimization_mode", (0, 1, 2, 3)),
    ):
        if (value := parameters.get(key)) is None:
            continue
        text = str(value).lower().removeprefix("v")
        if not text.isdecimal() or (valid and int(text) not in valid):
            raise Unsupported(f"{key} `{value}`: " + (f"there are {', '.join(map(str, valid))}" if valid else "a number is needed"))
        settings[name] = text
    return settings


def _contexts(path: Path) -> list[dict[str, str]]:
    """Text attributes of the compiled parts of a model."""
    if not path.is_file():
        return []
    model = source.load(path, weights=False)
    return [{field.name: field.s.decode("utf-8", "replace") for field in node.attribute if field.s and len(field.s) < 200} for node in model.graph.node if node.op_type == "EPContext"]


PREPARER = ContextPreparer()
