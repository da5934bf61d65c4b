"""Shape proxies as artifacts: written in a child process, kept by content like all others, so that a sweep writes each once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from recommender.apply.artifacts import Artifacts, Made, free_disk, step_key
from recommender.apply.recipe import run_step
from recommender.domain.errors import ActionFailed, ExecutorUnavailable
from recommender.domain.model import ModelSpec
from recommender.domain.quantization import QuantScheme
from recommender.estimate.weights import parts, weight_bytes
from recommender.executors import environment, registry
from recommender.measure import isolate

_SAID = ("name", "license", "gated", "repository", "aliases", "sources", "note", "artifact", "input")  # of a model, and no matter of its shape
_WALL = 1800.0  # seconds; writing is as fast as the disk
_MARGIN = 1.5  # of the bytes that are expected: rows that do not divide into blocks get a wider type


def shape_of(model: ModelSpec) -> dict[str, Any]:
    """What a writer is told of a model."""
    return {name: value for name, value in asdict(model).items() if name not in _SAID}


def refusal(framework: str, model: ModelSpec, scheme: QuantScheme) -> str:
    """Why there is no proxy of this model for a framework, else empty."""
    if framework not in registry.names(registry.PROXIES):
        return f"no shape proxies for {framework} (there are {', '.join(registry.names(registry.PROXIES)) or 'none'})"
    try:
        return registry.proxy(framework).refusal(shape_of(model), asdict(scheme))
    except ExecutorUnavailable as error:
        return error.message


def make_proxy(framework: str, model: ModelSpec, scheme: QuantScheme, *, n_layers: int, context: int) -> tuple[Made, float]:
    """The proxy with so many layers, and the seconds that writing it took (0: it was there).

    Raises:
        StepFailed: the writer refused or failed. ExecutorUnavailable: there is none here. ActionFailed: no room on the disk.
    """
    proxy, artifacts = registry.proxy(framework), Artifacts()
    python = environment.interpreter(proxy.environment)
    if python is None:
        raise ExecutorUnavailable(f"{framework} needs the environment `{proxy.environment}`, which is not made", hints=("recommend apply --yes ...",))
    version = registry.ready(registry.runner(framework)).version
    asked = {"model": shape_of(model), "scheme": asdict(scheme), "n_layers": n_layers, "context": context}
    made_by: Mapping[str, Any] = {"proxy": framework, "version": version, **asked}
    key = step_key(**made_by)
    if (found := artifacts.finished(key)) is not None:
        return found, 0.0
    wanted, free = int(_MARGIN * expected_bytes(model, scheme, n_layers)), free_disk(artifacts.root)
    if wanted > free:
        raise ActionFailed(f"{wanted / 2**20:.0f} MiB are needed in {artifacts.root}, {free / 2**20:.0f} MiB are free", hints=("recommend cache prune --artifacts", "RECOMMEND_CACHE_DIR=/another/disk"))
    return run_step(artifacts, key, made_by, f"a shape proxy of {model.key} for {framework}", lambda out, work: isolate.Job(
        function="recommender.apply.step:write_proxy", folder=work, interpreter=python, wall=_WALL, packages=dict([registry.package_folder(registry.PROXIES, framework)]),
        arguments={"proxy": registry.where(registry.PROXIES, framework), "out": str(out), **asked},
    ))


def expected_bytes(model: ModelSpec, scheme: QuantScheme, n_layers: int) -> float:
    """Size of a proxy, roughly: embedding and output are whole, and of the layers these many."""
    found, whole = parts(model), weight_bytes(model, scheme) or 0.0
    if found is None or not model.n_layers:
        return whole
    return whole * (found.embedding + found.output + found.layers * n_layers / model.n_layers) / found.total
