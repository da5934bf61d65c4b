"""Executors come by entry point; nothing of a framework is imported to look at them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from recommender.domain.catalog import Catalog
from recommender.domain.errors import ExecutorUnavailable
from recommender.executors import registry

_LOOK = """
import sys
from recommender.executors import registry
for name in registry.names(registry.RUNNERS):
    registry.runner(name).availability()
for name in registry.names(registry.PREPARERS):
    registry.preparer(name).availability()
heavy = {"torch", "transformers", "openvino", "openvino_genai", "nncf", "onnxruntime", "onnxruntime_genai", "llama_cpp", "mlx", "mlx_lm", "qai_hub", "numpy", "onnx", "gguf"}
print(sorted(heavy & set(sys.modules)))
"""


def test_every_framework_with_an_executor_has_a_runner_and_every_own_preparer_is_there(catalog: Catalog) -> None:
    assert {row.key for row in catalog.frameworks.values() if row.has_executor} == set(registry.names(registry.RUNNERS)) - {"null"}
    assert {row.key for row in catalog.preparers.values() if row.has_own} == set(registry.names(registry.PREPARERS)) - {"null"}


def test_looking_at_all_of_them_imports_no_framework() -> None:
    done = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(ExecutorUnavailable, match="no runner `nothing` is installed .*llama-cpp"):
        registry.runner("nothing")


def test_an_executor_for_another_version_of_the_interface_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "EXECUTOR_API", 99)
    with pytest.raises(ExecutorUnavailable, match="speaks version 1 of the interface, this program 99"):
        registry.runner("null")
