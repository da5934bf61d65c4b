"""What makes a choice real: fetch, convert, quantize, compile, verify; each step says where it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from recommender.domain.candidate import Candidate
from recommender.domain.catalog import Catalog
from recommender.domain.estimate import Estimate
from recommender.domain.model import ModelSpec
from recommender.domain.quantization import QuantScheme
from recommender.domain.recommendation import RecipeStep

_SOURCE_BITS = 16.0  # what models are published in


def recipe(model: ModelSpec, candidate: Candidate, scheme: QuantScheme, estimates: Mapping[str, Estimate], catalog: Catalog) -> tuple[RecipeStep, ...]:
    """Steps in order; sizes in bytes where they can be told."""
    size = estimates["file_size"].central if "file_size" in estimates else None
    artifact = f"{model.key.rsplit('/', 1)[-1]}-{scheme.key}.{candidate.format}"
    steps: list[RecipeStep] = []
    source = model.artifact.path if model.artifact else (model.repository or model.key)
    if not candidate.is_as_is:
        if model.artifact is None or model.artifact.is_quantized:
            wanted = int(model.n_params * _SOURCE_BITS / 8) if model.n_params else None
            steps.append(RecipeStep(action="fetch", preparer="", where="here", inputs=(model.repository or f"source weights of {model.name}",), outputs=("source",), size=wanted))
        held = model.artifact.format if model.artifact and not model.artifact.is_quantized else ""
        needed = [key for key in candidate.preparers if not held or catalog.preparers[key].produces != held]
        if needed and scheme.method == "none" and _is_there(held, candidate.format, needed, catalog):
            needed.pop()
        for number, key in enumerate(needed, 1):
            preparer = catalog.preparers[key]
            is_last = number == len(needed)
            steps.append(RecipeStep(
                action=preparer.action, preparer=key, where=preparer.where, inputs=(steps[-1].outputs[0] if steps else source,), outputs=(artifact if is_last else f"{artifact}.{key}",),
                parameters=_parameters(scheme, preparer.command, source, artifact), size=int(size) if size and is_last else None,
            ))
    if candidate.portability == "built-on-device" and not candidate.is_as_is and (not steps or steps[-1].action != "compile"):
        steps.append(RecipeStep(action="compile", preparer="", where="target", inputs=steps[-1].outputs if steps else (source,), outputs=(artifact,)))
    verified = steps[-1].outputs if steps else (source,)
    steps.append(RecipeStep(action="verify", preparer="", where="target", inputs=verified, outputs=()))
    return tuple(steps)


def _is_there(held: str, wanted: str, needed: list[str], catalog: Catalog) -> bool:
    """Whether the format is reached before the last step, which then would only quantize what is not to be quantized."""
    before = catalog.preparers[needed[-2]].produces if len(needed) > 1 else held
    return before == wanted and not catalog.preparers[needed[-1]].produces


def _parameters(scheme: QuantScheme, command: str, source: str, artifact: str) -> dict[str, Any]:
    found: dict[str, Any] = {"scheme": scheme.key}
    if scheme.group_size:
        found["group_size"] = scheme.group_size
    if scheme.ratio:
        found["ratio"] = scheme.ratio
    if scheme.needs_calibration != "no":
        found["calibration"] = scheme.needs_calibration
    if command:
        values = {"source": source, "out": artifact, "scheme": scheme.key, "bits": f"{scheme.weight_bits:g}", "group_size": scheme.group_size or "", "ratio": scheme.ratio or 1}
        found["command"] = _filled(command, values)
    return found


def launch(candidate: Candidate, model: ModelSpec, catalog: Catalog) -> str:
    """The command or call that starts it, from the framework's template for the task; empty when there is none."""
    framework = catalog.frameworks[candidate.framework]
    template = framework.launch.get(model.task) or framework.launch.get("*", "")
    source = model.artifact.path if candidate.is_as_is and model.artifact else f"{model.key.rsplit('/', 1)[-1]}-{candidate.scheme}.{candidate.format}"
    return _filled(template, {"artifact": source, **candidate.options})


_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """Replace every `{name}` by its value; a word whose option is not set drops with the flag before it (` -t {n_threads}`)."""
    words: list[str] = []
    for word in template.split(" "):
        if any(values.get(name) in (None, "") for name in _PLACEHOLDER.findall(word)):
            if words and words[-1].startswith("-"):
                words.pop()
            continue
        words.append(_PLACEHOLDER.sub(lambda found: str(values[found[1]]), word))
    return " ".join(words)
