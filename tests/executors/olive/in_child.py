"""What the tests run in a child process, where Olive or ONNX Runtime may be imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def prepare_all(orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Artifact and facts of each order (name, source, out, key, scheme, parameters, calibration), or class and message of its failure; one process for all."""
    from recommender.domain.errors import StepFailed
    from recommender.executors.olive.prepare import PREPARER
    from recommender.ports import PrepareJob

    told: list[dict[str, Any]] = []
    for order in orders:
        out = Path(order["out"])
        out.mkdir(parents=True)
        job = PrepareJob(
            source=Path(order["source"]), out=out, scheme=order["scheme"], parameters=order["parameters"], threads=2,
            calibration=Path(order["calibration"]) if order["calibration"] else None,
        )
        try:
            made = PREPARER.prepare(job, print)
            told.append({"artifact": str(out / made.artifact), "facts": dict(made.facts), "files": sorted(file.name for file in out.iterdir())})
        except StepFailed as error:
            told.append({"kind": error.kind, "message": error.message, "files": sorted(file.name for file in out.iterdir())})
    return told


def outputs(artifacts: list[str], test: str, out: str) -> None:
    """The first output of two axes of each artifact for all test samples, [samples, ...] as `0.npy`, `1.npy`, ..."""
    import numpy as np
    import onnxruntime

    samples = np.load(test)
    for at, artifact in enumerate(artifacts):
        session = onnxruntime.InferenceSession(artifact, providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_inputs()]
        rows = [session.run(None, {name: samples[name][i : i + 1] for name in names}) for i in range(len(samples[names[0]]))]
        np.save(Path(out) / f"{at}.npy", np.stack([next(value for value in row if value.ndim == 2)[0] for row in rows]))


def with_external_weights(source: str, out: str) -> None:
    """The same model as a folder, its weights in a file of their own."""
    import onnx

    Path(out).mkdir()
    onnx.save_model(onnx.load(source), Path(out) / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
