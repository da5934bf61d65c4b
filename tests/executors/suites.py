"""The conformance suites for our own executors: what each is tried with, and made once for all tests and all of pytest's workers."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from recommender.domain.catalog import Catalog
from recommender.executors import environment, registry
from recommender.testing.preparer import PreparerSuite, Step, observe, observe_killed
from recommender.testing.runner import RunnerSuite

NOT_MADE_FOR = {"mlx": ("win32",), "mlx-lm": ("win32",), "qnn": ("darwin",), "qnn-context": ("darwin",)}  # platforms without the framework
DEVICE = "Samsung Galaxy S24"  # of the contract server


@dataclass(frozen=True, kw_only=True)
class Order:
    """source: a fixture, or the preparer whose artifact it is. calibration: a fixture."""

    source: str
    scheme: str
    calibration: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    execution_provider: str = "cpu"


ORDERS = {
    "hf-to-gguf": Order(source="llama_with_start", scheme="F32"),
    "llama-quantize": Order(source="hf-to-gguf", scheme="Q8_0"),
    "mlx-lm": Order(source="llama_with_start", scheme="BF16"),  # the processor's quantized products take seconds
    "nncf": Order(source="cnn", scheme="int8-static", calibration="cnn"),
    "null": Order(source="null_graph", scheme="F32"),
    "olive": Order(source="cnn", scheme="int8-static", calibration="cnn"),
    "onnx-export": Order(source="shallow_encoder", scheme="F32", parameters={"static_shape": [1, 32]}),
    "optimum-intel": Order(source="llama_with_start", scheme="fp16"),
    "ort-genai-builder": Order(source="llama_with_start", scheme="int8-weights"),
    "ort-quantizer": Order(source="cnn", scheme="int8-static", calibration="cnn"),
    "qai-hub": Order(source="cnn", scheme="w8a8", calibration="cnn", parameters={"device": DEVICE}, execution_provider="qnn-htp"),
    "qnn-context": Order(source="qnn-qdq", scheme="w8a8", execution_provider="qnn-htp"),
    "qnn-qdq": Order(source="cnn", scheme="w8a8", calibration="cnn", execution_provider="qnn-htp"),
}


class Once:
    """Values made by the first of pytest's workers that asks for them, each in a folder of its own."""

    def __init__(self, factory: pytest.TempPathFactory):
        base = factory.getbasetemp()
        self._root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "conformance"
        self._root.mkdir(exist_ok=True)
        self._values: dict[str, Any] = {}

    def __call__(self, name: str, make: Callable[[Path], Any]) -> Any:
        """JSON-ready; with the side environments of `hermetic_environment`, which fixtures of a class come before."""
        if name not in self._values:
            folder, told = self._root / name, self._root / f"{name}.json"
            with (self._root / f"{name}.lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
                patch.setenv(environment.VARIABLE, str(Path(sys.prefix) / "side-environments"))
                patch.setenv("HF_HUB_OFFLINE", "1")
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not told.is_file():
                    folder.mkdir()
                    told.write_text(json.dumps(make(folder)), "utf-8")
            self._values[name] = json.loads(told.read_text("utf-8"))
        return self._values[name]


class Steps:
    """Steps of our preparers by name, and what came of them."""

    def __init__(self, request: pytest.FixtureRequest, catalog: Catalog, once: Once):
        self._request, self._catalog, self._once = request, catalog, once

    def __call__(self, name: str) -> Step:
        order = ORDERS[name]
        return Step(
            preparer=registry.preparer(name), where=registry.where(registry.PREPARERS, name), source=self.source(order.source), parameters=order.parameters,
            scheme=asdict(self._catalog.schemes[order.scheme]), execution_provider=order.execution_provider,
            calibration=self._request.getfixturevalue(order.calibration).calibration if order.calibration else None,
            environ=self._request.getfixturevalue("signed_in") if name == "qai-hub" else {},
        )

    def source(self, name: str) -> Path:
        if name in ORDERS:
            return self.artifact(name)
        path: Path = self._request.getfixturevalue(name).model
        return path

    def observed(self, name: str) -> Any:
        return self._once(name, lambda folder: observe(self(name), folder))

    def artifact(self, name: str) -> Path:
        """What a preparer of ours made."""
        told = self.observed(name)
        assert told["artifact"], f"{name}: {told['made']['message']}"
        return Path(told["artifact"])


class _Ours:
    """By the name of its entry point."""

    group: ClassVar[str]
    name: ClassVar[str]

    @property
    def where(self) -> str:
        return registry.where(self.group, self.name)

    @pytest.fixture(autouse=True)
    def _skip_where_there_is_no_framework(self) -> None:
        if sys.platform in NOT_MADE_FOR.get(self.name, ()):
            pytest.skip(f"not made for {sys.platform}")

    def test_it_is_installed(self) -> None:
        found = registry.ready(self.executor)
        assert found.ok, f"{found.reason}: {found.hint}"


class OurPreparer(_Ours, PreparerSuite):
    """The suite for the preparer of a name."""

    group = registry.PREPARERS

    @property
    def preparer(self) -> Any:
        return registry.preparer(self.name)

    @pytest.fixture(scope="class")
    def step(self, steps: Steps) -> Step:
        return steps(self.name)

    @pytest.fixture(scope="class")
    def observed(self, steps: Steps) -> Any:
        return steps.observed(self.name)

    @pytest.fixture(scope="class")
    def killed(self, step: Step, once: Once) -> Any:
        return once(f"{self.name}-killed", lambda folder: observe_killed(step, folder))


class OurRunner(_Ours, RunnerSuite):
    """The suite for the runner of a name; before the suite of its kind of session."""

    group = registry.RUNNERS

    @property
    def runner(self) -> Any:
        return registry.runner(self.name)

    @pytest.fixture(scope="class")
    def free_artifact(self) -> Path | None:
        return None

    @pytest.fixture(scope="class")
    def observed(self, artifact: Path, free_artifact: Path | None, once: Once) -> Any:
        return once(type(self).__name__, lambda folder: self.observe(artifact, folder, free_artifact=free_artifact))

    @pytest.fixture(scope="class")
    def asked(self, artifact: Path, once: Once) -> Any:
        return once(f"{type(self).__name__}-asked", lambda folder: self.observe_asked(artifact, folder))


def names_of(suite: type[_Ours]) -> set[str]:
    """Executors that have a suite, over all subclasses."""
    found = {suite.name} if hasattr(suite, "name") else set()
    return found.union(*(names_of(each) for each in suite.__subclasses__()))
