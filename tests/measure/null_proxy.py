"""Shape proxies of the null executor: each layer takes so many seconds a token, the rest as many as two layers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from recommender.domain.errors import Unsupported
from recommender.executors import registry
from recommender.ports import EXECUTOR_API, Prepared, ProxyJob

FIXED = 2  # layers


@dataclass(frozen=True, kw_only=True, slots=True)
class NullShapes:
    """per_layer [s]; fails: writing does."""

    name: str
    per_layer: float
    fails: bool = False
    api: int = EXECUTOR_API
    environment: str = ""

    def refusal(self, model: Mapping[str, Any], scheme: Mapping[str, Any]) -> str:
        return "" if model["hidden_size"] else "its hidden_size is not known"

    def write(self, job: ProxyJob) -> Prepared:
        if self.fails:
            raise Unsupported("no such layers")
        told = {"kind": "tokens", "latency": self.per_layer * (FIXED + job.n_layers), "facts": {"scheme": job.scheme["key"]}}
        (job.out / "model.json").write_text(json.dumps(told), "utf-8")
        return Prepared(artifact="model.json")


SLOW = NullShapes(name="alpha", per_layer=0.003)
FAST = NullShapes(name="beta", per_layer=0.0005)
BROKEN = NullShapes(name="gamma", per_layer=0.001, fails=True)


def install(patch: pytest.MonkeyPatch) -> None:
    """alpha, beta and gamma are the null executor, each with proxies of its own; there is nothing else."""
    groups = {
        registry.RUNNERS: dict.fromkeys(("alpha", "beta", "gamma"), "recommender.executors.null.executor:RUNNER"),
        registry.PROXIES: {"alpha": f"{__name__}:SLOW", "beta": f"{__name__}:FAST", "gamma": f"{__name__}:BROKEN"},
    }
    patch.setattr(registry, "_entries", lambda group: {name: EntryPoint(name=name, value=value, group=group) for name, value in groups.get(group, {}).items()})
