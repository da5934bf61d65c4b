"""Small trained models for the executors' tests: made once by the scripts in `trained/`, kept in pytest's cache, shared by all workers and runs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from recommender.executors import environment

_SCRIPTS = Path(__file__).with_name("trained")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A model and its data. `model`: the .onnx file or the HF folder. `test` and `calibration` have nothing in common with each other or the training."""

    folder: Path
    model: Path
    test: Path
    calibration: Path


def _made(config: pytest.Config, name: str, *, where: str) -> Path:
    """The folder that `trained/make_NAME.py` filled, run with the Python of the environment `where` unless it has been before."""
    script = _SCRIPTS / f"make_{name}.py"
    sources = (script, _SCRIPTS / "retrieval.py") if name == "minilm" else (script,)
    contents = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + repr(sys.version_info[:2]).encode()).hexdigest()[:10]
    root = config.cache.mkdir("trained-models")
    folder = root / f"{name}-{contents}"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            partial = Path(tempfile.mkdtemp(dir=root))
            try:
                _run(script, partial, _python(where))
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return folder


def _python(where: str) -> Path:
    """As `hermetic_environment` has it, which session fixtures come before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(environment.VARIABLE, str(Path(sys.prefix) / "side-environments"))
        return environment.make(where, print)


def _run(script: Path, out: Path, python: Path) -> None:
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "HF_HUB_OFFLINE": "1"}  # a neighbour's load must not multiply the time
    done = subprocess.run([python, script, out], env={**os.environ, **quiet}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        pytest.fail(f"{script.name} failed:\n{done.stderr[-2000:]}")


@pytest.fixture(scope="session")
def tiny_llama(request: pytest.FixtureRequest) -> Trained:
    """LlamaForCausalLM of 2.9 M parameters as an HF folder; texts."""
    folder = _made(request.config, "llama", where="conversion")
    return Trained(folder=folder, model=folder / "model", test=folder / "text-eval.txt", calibration=folder / "text-calibration.txt")


@pytest.fixture(scope="session")
def cnn(request: pytest.FixtureRequest) -> Trained:
    """image [1, 1, 32, 32] -> scores [1, 10]; labels in `test`."""
    return _graph(_made(request.config, "cnn", where="conversion"))


@pytest.fixture(scope="session")
def minilm(request: pytest.FixtureRequest) -> Trained:
    """input_ids, attention_mask [1, 64] -> sentence_embedding [1, 384]; `test` is for `trained.retrieval.top1`; folder / "model" is the HF folder."""
    return _graph(_made(request.config, "minilm", where="conversion"))


@pytest.fixture(scope="session")
def classic(request: pytest.FixtureRequest) -> Trained:
    """X [n, 64] -> label, probabilities; `model` is the perceptron, folder / "forest.onnx" the forest."""
    folder = _made(request.config, "classic", where="")
    return Trained(folder=folder, model=folder / "mlp.onnx", test=folder / "test.npz", calibration=folder / "calibration.npz")


def _graph(folder: Path) -> Trained:
    return Trained(folder=folder, model=folder / "model.onnx", test=folder / "test.npz", calibration=folder / "calibration.npz")
