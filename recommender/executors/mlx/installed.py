"""Whether MLX is there, asked without importing it, and its modules when they are needed."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from recommender.ports import Availability

_PACKAGES = {"mlx": "mlx", "mlx_lm": "mlx-lm"}


def availability() -> Availability:
    """Ok with the version of MLX itself."""
    missing = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
    if missing:
        return Availability(ok=False, reason=f"{', '.join(missing)} not installed", hint="pip install 'edge-recommender[mlx]'")
    return Availability(ok=True, version=version("mlx"))


def versions() -> dict[str, str]:
    """Installed versions by package."""
    return {package: version(package) for package in (*_PACKAGES.values(), "transformers")}


def module(name: str) -> Any:
    """A module of the framework, imported now. Without types: they change from version to version."""
    return import_module(name)
