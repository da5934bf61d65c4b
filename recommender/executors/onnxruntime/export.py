"""From a Hugging Face folder of an encoder (text, images) to one ONNX file with PyTorch's exporter: `onnx-export`. It runs in the environment `conversion`, offline."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported, WrongOutput
from recommender.executors.onnxruntime.encoder import Encoder, load
from recommender.executors.onnxruntime.failure import decoded
from recommender.executors.onnxruntime.model_file import FILE, describe, model_file, save, versions
from recommender.executors.onnxruntime.process import NO_REPORTS
from recommender.ports import EXECUTOR_API, Availability, Prepared

if TYPE_CHECKING:
    import numpy as np

    from recommender.ports import PrepareJob

TOLERANCE = 1e-3  # largest difference to PyTorch, as a share of the largest value; exports that are right stay below 1e-5
OPSET = 18  # what PyTorch's exporter writes without converting
_PACKAGES = {"torch": "torch", "transformers": "transformers", "onnxscript": "onnxscript", "onnxruntime": "onnxruntime"}
_PICKLED = (".joblib", ".pkl", ".pickle")


class OnnxExport:
    """Parameters: static_shape ([batch, tokens] or [batch, channels, height, width]; default: batch and tokens are free), opset (default 18), pooling
    (default true: a sentence-transformers folder yields sentence embeddings; false: the hidden state of every token)."""

    name = "onnx-export"
    api = EXECUTOR_API
    environment = "conversion"

    def availability(self) -> Availability:
        missing = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
        if missing:
            return Availability(ok=False, reason=f"{', '.join(missing)} not installed here", hint="recommend apply makes the environment on demand")
        return Availability(ok=True, version=versions("torch")["torch"])

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        """`model.onnx` in fp32; a source that is ONNX already is copied.

        Raises:
            Unsupported: a scheme other than F32, a pickled model, an architecture that is no encoder or that the exporter fails on.
            WrongOutput: ONNX Runtime computes something else than PyTorch from the same inputs.
        """
        if job.scheme["key"] != "F32":
            raise Unsupported(f"`{job.scheme['key']}`: onnx-export makes F32; ort-quantizer makes the rest from its file")
        if job.source.suffix in _PICKLED:
            raise Unsupported(f"`{job.source.name}` is a pickled model, and loading one runs what its author wrote into it: convert it yourself", hints=_CONVERT_YOURSELF)
        out = job.out / FILE
        if job.source.suffix == ".onnx" or (job.source.is_dir() and not (job.source / "config.json").is_file()):
            return _copy(model_file(job.source), out, say)
        os.environ |= {**NO_REPORTS, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        encoder = load(job.source, shape=job.parameters.get("static_shape"), pooling=bool(job.parameters.get("pooling", True)), threads=job.threads)
        say(f"exporting {encoder.architecture}")
        with decoded(f"PyTorch cannot export `{encoder.architecture}`"):
            _export(encoder, out, int(job.parameters.get("opset") or OPSET))
        facts = {
            "scheme": "F32", "architecture": encoder.architecture, "pooling": encoder.pooling, "opset": int(job.parameters.get("opset") or OPSET),
            **_checked_against_torch(encoder, out, job.threads), **describe(out), "bytes": sum(file.stat().st_size for file in job.out.iterdir()),
            "versions": versions(*_PACKAGES.values(), "onnx"),
        }
        return Prepared(artifact=FILE, facts=facts)


_CONVERT_YOURSELF = ("pip install skl2onnx", "python -c \"import skl2onnx, joblib, numpy; m = joblib.load('MODEL'); open('model.onnx', 'wb').write(skl2onnx.to_onnx(m, numpy.zeros((1, m.n_features_in_), 'float32'), options={'zipmap': False}).SerializeToString())\"")


def _copy(source: Path, out: Path, say: Callable[[str], None]) -> Prepared:
    import onnx

    say(f"{source.name} is ONNX already: copying it")
    try:
        model = onnx.load(source)
    except Exception as error:  # protobuf's own classes, and OSError for weights that are kept apart and missing
        raise Unsupported(f"`{source.name}` cannot be read as ONNX: {' '.join(str(error).split())[:300]}") from error
    save(model, out)
    return Prepared(artifact=FILE, facts={"scheme": "F32", "copied": True, **describe(out), "versions": versions("onnx")})


def _export(encoder: Encoder, out: Path, opset: int) -> None:
    """Raises Unsupported with the exporter's own reason, which is in the exception's cause: its message is general advice."""
    import onnx
    import torch

    try:
        program = torch.onnx.export(
            encoder.module, kwargs={"inputs": dict(encoder.examples[0])}, dynamic_shapes={"inputs": encoder.dynamic_shapes} if encoder.dynamic_shapes else None,
            input_names=list(encoder.examples[0]), output_names=list(encoder.outputs), dynamo=True, opset_version=opset, verbose=False,
        )
    except RuntimeError as error:
        raise error.__cause__ or error from error
    assert program is not None
    save(program.model_proto, out)
    onnx.checker.check_model(str(out))


def _checked_against_torch(encoder: Encoder, file: Path, threads: int) -> Mapping[str, float]:
    """Largest difference of any output over the examples, absolute and as a share of the largest value; raises WrongOutput beyond the tolerance."""
    import numpy as np
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    absolute = relative = 0.0
    for example in encoder.examples:
        with torch.no_grad():
            expected = [value.numpy() for value in encoder.module(example)]
        feeds = {name: value.numpy() for name, value in example.items()}
        for name, want, got in zip(encoder.outputs, expected, _run(session, feeds, encoder.outputs), strict=True):
            if got.shape != want.shape or not np.isfinite(got).all():
                raise WrongOutput(f"`{name}` of the exported {encoder.architecture} has the shape {got.shape} instead of {want.shape}, or is not finite")
            difference = float(np.abs(got - want).max())
            absolute, relative = max(absolute, difference), max(relative, difference / max(float(np.abs(want).max()), 1e-12))
    if relative > TOLERANCE:
        raise WrongOutput(f"the exported {encoder.architecture} differs from PyTorch by {relative:.2g} of the largest value (more than {TOLERANCE:g})")
    return {"max_abs_difference": absolute, "max_rel_difference": relative}


def _run(session: Any, feeds: Mapping[str, np.ndarray], outputs: tuple[str, ...]) -> list[np.ndarray]:
    try:
        found: list[np.ndarray] = session.run(list(outputs), {each.name: feeds[each.name] for each in session.get_inputs()})
    except Exception as error:
        raise WrongOutput(f"the exported file does not run: {' '.join(str(error).split())[:300]}") from error
    return found


PREPARER = OnnxExport()
