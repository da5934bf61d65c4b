"""Compile, and quantize before that, by Qualcomm AI Hub: the service's compilers, for one of its real devices.

The float model and the samples are uploaded to the service: this step runs elsewhere. Schemes w8a8 and w8a16 quantize a float ONNX model there
(it needs samples); any other scheme, or a model that is quantized already, is compiled as it is. Parameters:

    device           name of a device of the service (needed; `qai-hub list-devices`)
    device_os        its version, where the service has several
    format           context-binary (default), onnx, dlc or tflite
    target_runtime   the service's own word for what to make, instead of the format
    compile_options, quantize_options   further text, as the service's documentation lists them
    hub_profile, timeout                as in `hub_jobs`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported, WrongOutput
from recommender.executors.qualcomm import hub_jobs, source
from recommender.executors.qualcomm.calibration import read_samples
from recommender.executors.qualcomm.plugin import INSTALL
from recommender.ports import EXECUTOR_API, Availability, Prepared, PrepareJob

if TYPE_CHECKING:
    from qai_hub.client import Client, CompileJob, QuantizeJob

ACTIVATION_BITS = {"w8a8": 8, "int8-static": 8, "w8a16": 16, "int8-static-a16": 16}
# Our formats as the service's compiler calls them (its documentation of --target_runtime). The context comes inside an ONNX model, as `qnn` loads it.
RUNTIMES = {"context-binary": "precompiled_qnn_onnx", "onnx": "onnx", "dlc": "qnn_dlc", "tflite": "tflite"}


class HubPreparer:
    """Needs the service's client and a token; the token stays in the client's configuration."""

    name = "qai-hub"
    api = EXECUTOR_API
    environment = ""

    def availability(self) -> Availability:
        """Whether the client is installed; whether it has a token shows when it is used (`hub_jobs.connect`)."""
        if find_spec("qai_hub") is None:
            return Availability(ok=False, reason="qai_hub not installed", hint=INSTALL)
        try:
            return Availability(ok=True, version=version("qai-hub"))
        except PackageNotFoundError:
            return Availability(ok=True)

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        """Raises ExecutorUnavailable (no token), DeviceLost, Unsupported, OutOfMemory, or StepFailed with the service's own message."""
        parameters = job.parameters
        options = compile_options(parameters)
        client = hub_jobs.connect(parameters.get("hub_profile"))
        device = hub_jobs.find_device(client, str(parameters.get("device", "")), str(parameters.get("device_os", "")))
        timeout = float(parameters.get("timeout", hub_jobs.TIMEOUT))
        quantized = self._quantize(client, job, timeout, say)
        say(f"compiling for {device.name} at AI Hub ({options})")
        with TemporaryDirectory() as folder, hub_jobs.translated(submitting=True):
            model = quantized.get_target_model() if quantized else hub_jobs.packed(job.source, Path(folder))
            compiled: CompileJob = client.submit_compile_job(model=model, device=device, options=options)
        hub_jobs.finish(client, compiled, timeout)
        with hub_jobs.translated():
            made = _unpacked(compiled.download_target_model(str(job.out)), job.out)
        if made is None or not made.exists():
            raise WrongOutput(f"compile job {compiled.job_id} ended without a model")
        facts = {
            "framework_version": version("qai-hub"), "scheme": str(job.scheme.get("key", "")), "device": device.name, "device_os": device.os,
            "device_attributes": sorted(device.attributes), "compile_job": compiled.job_id, "compile_options": options,
            "quantize_job": quantized.job_id if quantized else None, "file_size": _size(made),
        }
        return Prepared(artifact=str(made.relative_to(job.out)), facts=facts)

    def _quantize(self, client: Client, job: PrepareJob, timeout: float, say: Callable[[str], None]) -> QuantizeJob | None:
        """A quantize job to its end; None where the model is to be compiled as it is."""
        from qai_hub.client import QuantizeDtype

        bits = ACTIVATION_BITS.get(str(job.scheme.get("key", "")))
        if bits is None or job.source.suffix not in ("", ".onnx"):
            return None
        path = source.find_model(job.source)
        model = source.load(path, weights=False)
        if source.is_quantized(model) or source.is_compiled(model):
            return None
        source.check_float(model, path.name)
        samples = read_samples(job.calibration, source.inputs_of(model))
        entries = {name: [each[name] for each in samples.feeds] for name in samples.feeds[0]}
        say(f"quantizing {path.name} with {len(samples.feeds)} samples at AI Hub")
        with TemporaryDirectory() as folder, hub_jobs.translated():
            quantizing = client.submit_quantize_job(
                model=hub_jobs.packed(path, Path(folder)), calibration_data=entries, weights_dtype=QuantizeDtype.INT8,
                activations_dtype=QuantizeDtype.INT16 if bits == 16 else QuantizeDtype.INT8, options=str(job.parameters.get("quantize_options", "")),
            )
        hub_jobs.finish(client, quantizing, timeout)
        return quantizing


def compile_options(parameters: Mapping[str, Any]) -> str:
    """The compiler's command line. Raises Unsupported for a format that the service does not make."""
    chosen = parameters.get("format", "context-binary")
    if "target_runtime" not in parameters and chosen not in RUNTIMES:
        raise Unsupported(f"format `{chosen}`: AI Hub makes {', '.join(RUNTIMES)}")
    runtime = parameters.get("target_runtime", RUNTIMES.get(chosen))
    return f"--target_runtime {runtime} {parameters.get('compile_options', '')}".strip()


def _unpacked(made: str | None, out: Path) -> Path | None:
    """A model of several files comes as an archive of one folder."""
    from qai_hub.util.zipped_model import unzip_model

    if made is None or not made.endswith(".zip"):
        return Path(made) if made else None
    folder = Path(unzip_model(made, str(out)))
    Path(made).unlink()
    return folder


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


PREPARER = HubPreparer()
