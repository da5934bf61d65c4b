"""What these tests run in a child process: a preparer, and a graph on QNN and on the CPU, compared."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from recommender.ports import PrepareJob


def prepare(preparer: str, source: str, out: str, scheme: dict[str, Any], parameters: dict[str, Any], calibration: str | None) -> dict[str, Any]:
    """One of Qualcomm's preparers by its module; what it made."""
    module = importlib.import_module(f"recommender.executors.qualcomm.{preparer}")
    job = PrepareJob(source=Path(source), out=Path(out), scheme=scheme, parameters=parameters, calibration=Path(calibration) if calibration else None)
    made = module.PREPARER.prepare(job, print)
    assert (job.out / made.artifact).exists()
    return {"artifact": made.artifact, "facts": dict(made.facts), "out": out}


def compare(artifact: str, reference: str, test: str, options: dict[str, Any], n: int) -> dict[str, Any]:
    """The first `n` test images through the runner, and through the CPU execution provider on `reference`."""
    import numpy as np
    import onnxruntime as ort

    from recommender.executors.qualcomm.executor import RUNNER

    with np.load(test) as stored:
        images, labels = stored["image"][:n], stored["labels"][:n]
    session = RUNNER.open(Path(artifact), options)
    feeds = [{"image": image[None]} for image in images]
    found = np.concatenate([session.run(each)["scores"] for each in feeds])
    session.run_all(feeds[:2])
    cpu = ort.InferenceSession(reference, providers=["CPUExecutionProvider"])
    wanted = np.concatenate([cpu.run(["scores"], each)[0] for each in feeds])
    answer = {
        "argmax": float(np.mean(found.argmax(1) == wanted.argmax(1))), "accuracy": float(np.mean(found.argmax(1) == labels)),
        "difference": float(np.abs(found - wanted).max()), "span": float(np.ptp(wanted)), "facts": dict(session.facts),
        "inputs": [(spec.name, spec.dtype, list(spec.shape)) for spec in session.inputs],
    }
    session.close()
    return answer


def look(artifact: str, options: dict[str, Any]) -> dict[str, Any]:
    """Only open; the facts."""
    from recommender.executors.qualcomm.executor import RUNNER

    return dict(RUNNER.open(Path(artifact), options).facts)


def packed(artifact: str) -> list[str]:
    """Names of what would be uploaded of an artifact, and whether the client takes it for an ONNX model."""
    from tempfile import TemporaryDirectory

    from qai_hub.client import SourceModelType, _determine_model_type

    from recommender.executors.qualcomm import hub_jobs

    with TemporaryDirectory() as folder:
        made = Path(hub_jobs.packed(Path(artifact), Path(folder)))
        assert _determine_model_type(str(made)) is SourceModelType.ONNX
        return sorted(path.name for path in made.iterdir())
