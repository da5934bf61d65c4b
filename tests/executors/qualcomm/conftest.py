"""Steps in child processes, as the product runs them, and the contract server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tests
from recommender.measure import isolate

Child = Callable[..., isolate.Outcome]


@pytest.fixture(scope="session")
def child(tmp_path_factory: pytest.TempPathFactory) -> Child:
    """Run `module:function` of the program or of these tests with keyword arguments; `environ` and `folder` are the child's."""

    def run(function: str, *, environ: dict[str, str] | None = None, folder: Path | None = None, **arguments: Any) -> isolate.Outcome:
        packages = {"tests": str(Path(tests.__file__).parent)}
        job = isolate.Job(function=function, arguments=arguments, folder=folder or tmp_path_factory.mktemp("job"), environ=environ or {}, packages=packages, wall=120)
        return isolate.run(job)

    return run


@pytest.fixture(scope="session")
def prepare(child: Child, tmp_path_factory: pytest.TempPathFactory) -> Child:
    """Run a preparer of Qualcomm's; its outcome, whose value has the folder it worked into as `out`. A failure leaves nothing there."""

    def run(preparer: str, source: Path, *, scheme: str = "", calibration: Path | None = None, environ: dict[str, str] | None = None, folder: Path | None = None, **parameters: Any) -> isolate.Outcome:
        out = tmp_path_factory.mktemp("out")
        done = child(
            "tests.executors.qualcomm.on_qnn:prepare", environ=environ, folder=folder, preparer=preparer, source=str(source), out=str(out), parameters=parameters,
            scheme={"key": scheme, "granularity": "per-channel", "symmetric": True}, calibration=str(calibration) if calibration else None,
        )
        if not done.ok:
            assert not any(out.iterdir()), f"left behind: {list(out.iterdir())}"
        return done

    return run


@pytest.fixture(scope="session")
def quantized(prepare: Child, cnn: Any) -> Callable[[str], isolate.Outcome]:
    """The CNN by scheme, quantized once."""
    made: dict[str, isolate.Outcome] = {}

    def of(scheme: str) -> isolate.Outcome:
        if scheme not in made:
            made[scheme] = prepare("qdq", cnn.model, scheme=scheme, calibration=cnn.calibration)
            assert made[scheme].ok, made[scheme].message
        return made[scheme]

    return of


@pytest.fixture(scope="session")
def service() -> Iterator[str]:
    """Address of the contract server."""
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("contract_server.py"))], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    assert port, "the contract server did not start"
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()
    process.stdout.close()
