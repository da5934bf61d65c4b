"""Quantizing an ONNX file by a workflow of Olive's: `olive`. It runs in the environment `olive`.

Olive ends well when a pass has failed, and writes a model that it has not changed: only what lies on the disk afterwards counts.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported, WrongOutput
from recommender.executors.olive import artifact
from recommender.executors.olive.workflow import quantization_pass, workflow
from recommender.ports import EXECUTOR_API, Availability, Prepared

if TYPE_CHECKING:
    from recommender.ports import PrepareJob

FILE, WORKFLOW = "model.onnx", "workflow.json"
# The first is Olive's own switch, but one message with the machine's identity goes out before it looks at it; in continuous integration it sends none.
QUIET = {"OLIVE_DISABLE_TELEMETRY": "1", "CI": "1", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
_PACKAGES = {"olive": "olive-ai", "onnxruntime": "onnxruntime", "torch": "torch", "onnx": "onnx"}


class Olive:
    """Parameters: those of `workflow.quantization_pass`, and samples (how many calibration samples to use, default all)."""

    name = "olive"
    api = EXECUTOR_API
    environment = "olive"

    def availability(self) -> Availability:
        missing = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
        if missing:
            return Availability(ok=False, reason=f"{', '.join(missing)} not installed here", hint="recommend apply makes the environment on demand")
        return Availability(ok=True, version=version("olive-ai"))

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        """`model.onnx`, and beside it `workflow.json`, the workflow that made it.

        Raises:
            Unsupported: a scheme without a pass, a source that is not ONNX, calibration samples that do not fit, or a pass that failed.
            WrongOutput: a file that does not load, or in which nothing was quantized.
        """
        source = artifact.only_file(job.source)
        quantization = quantization_pass(job.scheme, job.parameters)
        inputs = artifact.inputs(source)
        if quantization.get("data_config"):
            artifact.check_samples(job.calibration, inputs)
        os.environ |= {**QUIET, "OMP_NUM_THREADS": str(job.threads)}
        say(f"running Olive's {quantization['type']} on {source.name}")
        with tempfile.TemporaryDirectory(dir=job.out, ignore_cleanup_errors=True) as folder:
            made = Path(folder) / "made"
            config = workflow(
                quantization, source=str(source), out=str(made), cache=str(Path(folder) / "cache"), samples=str(job.calibration or ""),
                script=str(Path(__file__).with_name("samples.py")), inputs=inputs, limit=job.parameters.get("samples"),
            )
            written = Path(folder) / WORKFLOW
            written.write_text(json.dumps(config, indent=1), "utf-8")
            model = _only_model(made, _run(written), quantization["type"])
            facts = _verified(source, model, job.scheme["key"])
            artifact.save_as(model, job.out / FILE)
            shutil.move(written, job.out)
        size = sum(file.stat().st_size for file in job.out.iterdir() if file.name != WORKFLOW)
        return Prepared(artifact=FILE, facts={
            "scheme": job.scheme["key"], "pass": quantization, **facts, "bytes": size,
            "versions": {package: version(package) for package in _PACKAGES.values()},
        })


def _run(file: Path) -> str:
    """Run a workflow; returns the last complaint in Olive's log, or what it raised, for it is only by them that it tells why nothing came out."""
    from olive.workflows import run

    heard = _Complaints()
    logging.getLogger("olive").addHandler(heard)
    try:
        run(file)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  whatever it was, the artifact decides
        return _line(error)
    finally:
        logging.getLogger("olive").removeHandler(heard)
    return heard.last


class _Complaints(logging.Handler):
    """Keeps the last error of a log, with the exception behind it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self.last = _line(error)
        elif record.levelno >= logging.ERROR or not self.last:
            self.last = " ".join(record.getMessage().split())[:300]


def _line(error: BaseException) -> str:
    """The exception that it began with, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _only_model(made: Path, complaint: str, kind: str) -> Path:
    """The file that the workflow left; raises Unsupported with Olive's complaint when there is none."""
    files = sorted(made.rglob("*.onnx")) if made.is_dir() else []
    if len(files) != 1:
        raise Unsupported(f"Olive's {kind} made {len(files) or 'no'} models: {complaint or 'it does not say why'}")
    return files[0]


def _verified(source: Path, made: Path, key: str) -> dict[str, Any]:
    """What the model holds, and of which operators the source was made; raises WrongOutput when nothing was quantized or it does not load."""
    before, facts = artifact.described(source), artifact.described(made)
    if key == "fp16":
        changed = facts["weights"].get("float16", 0) > before["weights"].get("float16", 0)
    else:
        changed = facts["quantized_weights"] > before["quantized_weights"] and facts["quantized_nodes"] > before["quantized_nodes"]
    if not changed:
        raise WrongOutput(f"{key}: Olive changed nothing: no weight of the model it wrote is quantized")
    artifact.check_it_loads(made)
    return {**facts, "source_operators": before["operators"]}


PREPARER = Olive()
