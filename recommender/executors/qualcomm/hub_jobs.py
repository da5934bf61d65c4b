"""Jobs on AI Hub's real devices by the service's own client: signing in, devices, jobs to their end, every failure by its class.

The token comes from the client's own configuration (a profile in ~/.qai_hub, the file that QAIHUB_CLIENT_INI names, ~/.qai_hub/client.ini) and
goes nowhere else. `profile` and `infer` take and return what JSON can hold: they run in a child process.

Options, each optional: hub_profile (of the client's configuration), device_os, timeout [s], job_options (text, as the service's documentation
lists them), compute_unit (npu, gpu, cpu: what the layers must have run on), allow_cpu_fallback.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import DeviceLost, ExecutorUnavailable, Fallback, OutOfMemory, StepFailed, Unsupported, WrongOutput
from recommender.executors.qualcomm import hub_profile, source
from recommender.executors.qualcomm.plugin import INSTALL

if TYPE_CHECKING:
    from qai_hub.client import Client, Device, InferenceJob, Job

CONFIGURE = "qai-hub configure --api_token TOKEN  # the token is on your account page at https://workbench.aihub.qualcomm.com"
TIMEOUT = 3600  # seconds that a job may take; devices are shared and jobs queue
_RETRIES = 3  # of the client's 6: with those, a service that is away is noticed after 46 s, and after minutes when something is sent
# The service's own classes of failure (public_api_pb2.JobFailureType, without its prefix), to ours; all others are faults of its tools.
_LOST = ("CLOUD_API_ERROR", "CLOUD_RESOURCE_MISSING", "CLOUD_THROTTLED", "QDC_API_ERROR", "RUNTIME_INTERNAL_SERVICE_BUSY")
_MEMORY = ("RUNTIME_OUT_OF_MEMORY", "RUNTIME_DEVICE_OOM")
_KINDS = {
    "RUNTIME_CRASH": "crash", "RUNTIME_TIMEOUT": "timeout", "UNSUPPORTED": "unsupported", "INVALID_INPUTS": "unsupported", "INVALID_ARGUMENT": "unsupported",
    "MODEL_UNKNOWN": "unsupported", "MODEL_CORRUPT": "unsupported", "MODEL_INVALID": "unsupported", "QNN_VERSION_MISMATCH": "unsupported", "DSP_VERSION_MISMATCH": "unsupported",
}


def connect(hub_profile_name: str | None = None) -> Client:
    """A client that has shown its token to the service.

    Raises:
        ExecutorUnavailable: there is no client, no token, or the service does not accept it.
        DeviceLost: the service cannot be reached.
    """
    if find_spec("qai_hub") is None:
        raise ExecutorUnavailable("qai_hub is not installed", hints=(INSTALL,))
    from qai_hub import api_utils
    from qai_hub.client import Client
    from qai_hub.util import session

    path = Path(api_utils.get_config_path(hub_profile_name))
    if not path.is_file():
        raise ExecutorUnavailable(f"AI Hub needs a token: there is no {path}", hints=(CONFIGURE,))
    session.MAX_RETRIES = min(session.MAX_RETRIES, _RETRIES)
    with translated():
        client = Client(profile=hub_profile_name)
        client.config.verbose = False  # progress bars and addresses have no place in a log
    _sign_in(client)
    return client


def _sign_in(client: Client) -> None:
    """One request without the client's retries: a wrong address or token is told at once."""
    import requests
    from qai_hub import api_utils
    from qai_hub.util.session import create_session

    url = api_utils.api_url(client.config, "users", "auth", "user")
    try:
        answer = create_session(internal_retries=False).get(url, headers=api_utils.auth_header(client.config))
    except requests.RequestException as error:
        raise DeviceLost(f"AI Hub at {client.config.api_url} cannot be reached: {type(error).__name__}") from None
    if answer.status_code in (401, 403):
        raise ExecutorUnavailable("AI Hub does not accept the token: it is wrong or has expired", hints=(CONFIGURE,))
    if answer.status_code == 426:
        raise ExecutorUnavailable("AI Hub no longer talks to this version of its client", hints=("pip install --upgrade qai-hub",))
    if answer.status_code >= 400:
        raise DeviceLost(f"AI Hub at {client.config.api_url} answers with status {answer.status_code}")


@contextmanager
def translated(*, submitting: bool = False) -> Iterator[None]:
    """The client's exceptions as ours, in one line. `submitting`: a device that is refused now was there a moment ago."""
    import requests
    from qai_hub.client import InternalError, RateLimitedError, UserError
    from qai_hub.public_rest_api import APIException

    try:
        yield
    except (InternalError, RateLimitedError, requests.RequestException) as error:
        raise DeviceLost(f"AI Hub was lost: {_line(error)}") from None
    except UserError as error:
        text = _line(error)
        if re.search(r"Failed to (authenticate|load)|API token", text):
            raise ExecutorUnavailable(f"AI Hub: {text}", hints=(CONFIGURE,)) from None
        if submitting and "not available" in text:
            raise DeviceLost(f"AI Hub: {text}") from None
        raise Unsupported(f"AI Hub: {text}") from None
    except (APIException, ValueError) as error:
        raise StepFailed(f"AI Hub: {_line(error)}") from None


def _line(error: Exception) -> str:
    """The client draws boxes around its messages."""
    return " ".join(re.sub(r"[─┌┐└┘|]", " ", str(error)).split())[:500] or type(error).__name__


def find_device(client: Client, name: str, system: str = "") -> Device:
    """A device of the service by its name, upper or lower case.

    Raises:
        Unsupported: there is none of that name; the hints are names near it.
    """
    if not name:
        raise Unsupported("which of AI Hub's devices? The parameter `device` names none", hints=("qai-hub list-devices",))
    with translated():
        devices = client.get_devices(os=system)
    names = {device.name.lower(): device.name for device in devices}
    if name.lower() not in names:
        near = [names[each] for each in get_close_matches(name.lower(), names, 3, 0.3)]
        raise Unsupported(f"AI Hub has no device `{name}`" + (f" with {system}" if system else "") + (f" (near: {', '.join(near)})" if near else ""), hints=("qai-hub list-devices",))
    return next(device for device in devices if device.name.lower() == name.lower())


def finish(client: Client, job: Job, timeout: float = TIMEOUT) -> Job:
    """Wait for a job.

    Raises:
        StepFailed: it failed, with the service's message and the class of its failure; or it did not end in time.
        DeviceLost: the service, or the device in it, was lost.
    """
    from qai_hub import public_api_pb2, public_rest_api

    with translated():
        try:
            status = job.wait(timeout=int(timeout))
        except TimeoutError:
            raise StepFailed(f"{job.job_type} job {job.job_id}: no end within {timeout:g} s", kind="timeout") from None
        if status.success:
            return job
        number = public_rest_api.get_job(client.config, job.job_id).failure_type
    reason = public_api_pb2.JobFailureType.Name(number).removeprefix("JOB_FAILURE_TYPE_") if number in public_api_pb2.JobFailureType.values() else "UNKNOWN"
    text = f"{job.job_type} job {job.job_id} failed: {' '.join((status.message or reason).split())[:500]}"
    if reason in _LOST:
        raise DeviceLost(text)
    if reason in _MEMORY:
        raise OutOfMemory(text)
    raise StepFailed(text, kind=_KINDS.get(reason, ""))


def profile(artifact: str, device: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Time a compiled model on a device: `hub_profile.parse` of what the service says, with the job's id and device.

    Raises:
        Fallback: layers ran elsewhere than on `compute_unit`, and that was not allowed.
    """
    options = options or {}
    client = connect(options.get("hub_profile"))
    job = _run(client, artifact, device, options, inputs=None)
    with translated():
        told = job.download_profile()
    unit = options.get("compute_unit")
    elsewhere = hub_profile.off_unit(told, unit) if unit else {}
    if elsewhere and not options.get("allow_cpu_fallback"):
        raise Fallback(f"{sum(elsewhere.values())} of {len(told['execution_detail'])} layers did not run on the {unit}: {', '.join(f'{number} {name}' for name, number in elsewhere.items())}")
    return {**hub_profile.parse(told), **_of_job(job)}


def infer(artifact: str, device: str, inputs: str, outputs: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Run a compiled model on a device with the samples of an .npz file (inputs by name, first axis = samples) and write its outputs to another.

    Raises:
        WrongOutput: the service gave back no outputs, or not one for each sample.
    """
    import numpy as np

    options = options or {}
    client = connect(options.get("hub_profile"))
    with np.load(inputs, allow_pickle=False) as stored:
        samples = {name: [np.ascontiguousarray(stored[name][index : index + 1]) for index in range(len(stored[name]))] for name in stored.files if name != "labels"}
    job = _run(client, artifact, device, options, inputs=samples)
    with translated():
        entries = job.download_output_data()
    if not isinstance(entries, dict) or not entries:
        raise WrongOutput(f"inference job {job.job_id} gave back no outputs")
    n_samples = len(next(iter(samples.values())))
    if any(len(values) != n_samples for values in entries.values()):
        raise WrongOutput(f"inference job {job.job_id} gave back {[len(values) for values in entries.values()]} outputs for {n_samples} samples")
    arrays: dict[str, Any] = {name: np.concatenate(values) for name, values in entries.items()}
    np.savez(outputs, **arrays)
    return {"n_samples": n_samples, "outputs": sorted(entries), **_of_job(job)}


def _run(client: Client, artifact: str, device: str, options: Mapping[str, Any], *, inputs: Any) -> InferenceJob:
    """An inference job to its end; without inputs it is a profile with random ones."""
    found = find_device(client, device, str(options.get("device_os", "")))
    text = " ".join(part for part in (f"--compute_unit {options['compute_unit']}" if options.get("compute_unit") else "", str(options.get("job_options", ""))) if part)
    with TemporaryDirectory() as folder, translated(submitting=True):
        job = client.submit_inference_job(model=packed(Path(artifact), Path(folder)), device=found, inputs=inputs, profile=inputs is None, options=text)
    finish(client, job, float(options.get("timeout", TIMEOUT)))
    return job


def packed(path: Path, folder: Path) -> str:
    """What the client uploads: the file, or a folder made in `folder` where an ONNX model has its weights or context in files of their own."""
    import onnx

    if path.is_dir() and not list(path.glob("*.onnx")):
        files = [file for file in sorted(path.iterdir()) if file.suffix in (".bin", ".dlc", ".tflite")]
        if len(files) != 1:
            raise Unsupported(f"`{path}` holds {len(files) or 'no'} models that AI Hub could take")
        path = files[0]
    if path.is_file() and path.suffix != ".onnx":
        return str(path)
    path = source.find_model(path)
    model = source.load(path, weights=False)
    beside, weights = source.context_files(path, model), source.data_files(path, model)
    if not beside and not weights:
        return str(path)
    staged = folder / f"{path.stem}.onnx"  # a folder: the client packs it as one
    staged.mkdir()
    if weights:  # the client wants them in one file whose name ends in .data
        onnx.save(source.load(path), staged / path.name, save_as_external_data=True, location=f"{path.stem}.data")
    else:
        shutil.copy2(path, staged / path.name)
    for file in beside:
        shutil.copy2(file, staged / file.name)
    return str(staged)


def _of_job(job: InferenceJob) -> dict[str, Any]:
    return {"job_id": job.job_id, "device": job.device.name, "device_os": job.device.os, "device_attributes": sorted(job.device.attributes)}
