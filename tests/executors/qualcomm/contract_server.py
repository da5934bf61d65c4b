"""AI Hub's wire format on 127.0.0.1: what the real client talks to in tests. Run as a program, it prints its port.

It keeps what is uploaded, compiles by handing the model back, quantizes and infers with ONNX Runtime, and profiles by counting nodes. The token
chooses how it behaves: `works`, `partly` (one layer on the CPU), `job-fails`, `device-lost`, `device-gone`, `drops` (the connection, once a job is
submitted); any other token is refused. Written from the client: it proves our use of the client, not the service.
"""

from __future__ import annotations

import io
import itertools
import re
import sys
import tempfile
import zipfile
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import h5py
import numpy as np
import onnx
import onnxruntime as ort
import qai_hub.public_api_pb2 as wire
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from qai_hub.util.dataset_entries_converters import dataset_entries_to_h5, h5_to_dataset_entries

TOKENS = ("works", "partly", "job-fails", "device-lost", "device-gone", "drops")
PART = 256 << 10  # bytes of an upload's part: models are sent in several
DEVICES = [("Samsung Galaxy S24", "14"), ("Samsung Galaxy S23", "13"), ("Snapdragon X Elite CRD", "11")]
NPU_TIME, CPU_TIME = 40, 400  # microseconds a layer
MEMORY = (1 << 20, 3 << 20)

numbers = itertools.count(1)
models: dict[str, wire.Model] = {}
files: dict[str, bytes] = {}  # of models and datasets by their id
parts: dict[str, dict[int, bytes]] = {}
jobs: dict[str, wire.Job] = {}
results: dict[str, wire.JobResult] = {}


def new_id(kind: str) -> str:
    return f"{kind}{next(numbers):06d}"


def store_model(data: bytes, name: str) -> wire.Model:
    model = wire.Model(model_id=new_id("m"), name=name, model_type=wire.MODEL_TYPE_ONNX)
    models[model.model_id], files[model.model_id] = model, data
    return model


def entries_of(data: bytes) -> dict[str, list[np.ndarray]]:
    with h5py.File(io.BytesIO(data), "r") as stored:
        return dict(h5_to_dataset_entries(stored))


def quantized(data: bytes, samples: dict[str, list[np.ndarray]], bits: int) -> bytes:
    class Reader(CalibrationDataReader):
        left = iter([dict(zip(samples, values, strict=True)) for values in zip(*samples.values(), strict=True)])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.left, None)

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "quantized.onnx")
        source.write_bytes(data)
        quantize_static(source, target, Reader(), activation_type=QuantType.QUInt16 if bits == 16 else QuantType.QUInt8, extra_options={"UseQDQContribOps": True})
        return target.read_bytes()


def inferred(data: bytes, samples: dict[str, list[np.ndarray]]) -> bytes:
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    rows = [session.run(None, dict(zip(samples, values, strict=True))) for values in zip(*samples.values(), strict=True)]
    answer = io.BytesIO()
    with h5py.File(answer, "w") as stored:
        dataset_entries_to_h5({name: [row[index] for row in rows] for index, name in enumerate(names)}, stored)
    return answer.getvalue()


def profiled(data: bytes, *, partly: bool) -> wire.ProfileDetail:
    nodes = onnx.load_from_string(data).graph.node
    layers = [
        wire.LayerDetail(
            name=node.name, layer_type_name=node.op_type, compute_unit=wire.COMPUTE_UNIT_CPU if partly and node.op_type == "Gemm" else wire.COMPUTE_UNIT_NPU,
            execution_time=CPU_TIME if partly and node.op_type == "Gemm" else NPU_TIME,
        )
        for node in nodes
    ]
    usage = wire.ProfileDetail.MemoryUsage(peak={"lower": MEMORY[0], "upper": MEMORY[1]})
    return wire.ProfileDetail(
        major_version=1, minor_version=2, execution_time=1234, cold_load_time=500000, warm_load_time=200000, compile_time=0, layer_details=layers,
        execution_memory=usage, all_execution_times=[1300, 1250, 1234],
    )


def run(job: wire.Job, token: str) -> None:
    """Fill in the job and its result: it has ended when it is asked about for the first time."""
    kind = job.WhichOneof("job")
    told = getattr(job, kind)
    if token in ("job-fails", "device-lost"):
        told.job_state, told.failure_reason = wire.JOB_STATE_FAILED, "Op NonMaxSuppression is not supported" if token == "job-fails" else "The device went offline"
        job.failure_type = wire.JOB_FAILURE_TYPE_UNSUPPORTED if token == "job-fails" else wire.JOB_FAILURE_TYPE_QDC_API_ERROR
        return
    told.job_state = wire.JOB_STATE_DONE
    data, name = files[told.model.model_id], Path(models[told.model.model_id].name).stem
    if kind == "compile_job":
        told.device.CopyFrom(told.devices.devices[0])
        if "precompiled_qnn_onnx" in told.options:
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                archive.writestr(f"{name}.onnx/model.onnx", data)
            told.target_model.CopyFrom(store_model(packed.getvalue(), f"{name}.onnx.zip"))
        else:
            told.target_model.CopyFrom(store_model(data, f"{name}.onnx"))
    elif kind == "quantize_job":
        bits = 16 if told.activations_dtype == wire.QUANTIZE_DTYPE_INT16 else 8
        told.target_model.CopyFrom(store_model(quantized(data, entries_of(files[told.calibration_dataset.dataset_id]), bits), f"{name}.onnx"))
    elif kind == "inference_job":
        result = wire.InferenceJobResult(inference_job_id=told.inference_job_id)
        if told.dataset.dataset_id:
            result.output_dataset_id = new_id("d")
            files[result.output_dataset_id] = inferred(data, entries_of(files[told.dataset.dataset_id]))
        if told.is_profiling_on:
            result.detail.CopyFrom(profiled(data, partly=token == "partly"))
        results[told.inference_job_id] = wire.JobResult(inference_job_result=result)


class Service(BaseHTTPRequestHandler):
    """One request; the path is looked up in `ROUTES`."""

    def log_message(self, *_: object) -> None:
        pass

    def answer(self) -> None:
        url = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.token = (self.headers.get("Authorization") or "").removeprefix("token ")
        if url.path.startswith("/api/") and self.token not in TOKENS:
            return self.send(b"", status=401)
        for method, pattern, function in ROUTES:
            if method == self.command and (found := re.fullmatch(pattern, url.path)):
                return function(self, *found.groups())
        return self.send(f"no route {self.command} {url.path}".encode(), status=404)

    do_GET = do_POST = do_PUT = do_PATCH = answer

    def send(self, body: bytes, *, status: int = 200, kind: str = "application/x-protobuf", etag: str = "") -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **({"ETag": etag} if etag else {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def reply(self, message: object) -> None:
        self.send(message.SerializeToString())  # type: ignore[attr-defined]

    def address(self, path: str) -> str:
        return f"http://{self.headers['Host']}{path}"

    def user(self) -> None:
        self.reply(wire.User(id=1, email="somebody@example.org"))

    def devices(self) -> None:
        found = [] if self.token == "device-gone" and self.query.get("select") == "True" else [each for each in DEVICES if self.query.get("name", each[0]) == each[0]]
        attributes = ["framework:onnx", "framework:qnn", "os:android"]
        self.reply(wire.DeviceList(devices=[wire.Device(name=name, os=system, attributes=attributes) for name, system in found]))

    def create_model(self) -> None:
        self.reply(wire.CreateUpdateResponse(id=store_model(b"", wire.Model.FromString(self.body).name).model_id))

    def upload_urls(self, model_id: str) -> None:
        count = -(-int(self.query["file_size"]) // PART)
        urls = [self.address(f"/parts/{model_id}/{number}") for number in range(count)]
        parts[model_id] = {}
        self.reply(wire.FileUploadResponse(multipart_url=wire.FileMultipartUploadURL(urls=urls, upload_id=model_id, max_part_size=PART)))

    def put_part(self, model_id: str, number: str) -> None:
        parts[model_id][int(number)] = self.body
        self.send(b"", etag=f"{model_id}-{number}")

    def join_parts(self, model_id: str) -> None:
        etags = list(wire.FileMultipartUploadComplete.FromString(self.body).etags)
        if etags != [f"{model_id}-{number}" for number in sorted(parts[model_id])]:
            return self.send(b'{"detail": "parts are missing"}', status=400)
        files[model_id] = b"".join(data for _, data in sorted(parts[model_id].items()))
        return self.reply(wire.CreateUpdateResponse(id=model_id))

    def create_dataset(self) -> None:
        self.reply(wire.CreateUpdateResponse(id=new_id("d")))

    def dataset_url(self, dataset_id: str) -> None:
        self.reply(wire.FileUploadResponse(url=wire.FileUploadURL(url=self.address(f"/datasets/{dataset_id}"), file_field_name="file")))

    def put_dataset(self, dataset_id: str) -> None:
        form = message_from_bytes(f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode() + self.body)
        files[dataset_id] = next(part.get_payload(decode=True) for part in form.get_payload() if 'name="file"' in part["Content-Disposition"])
        self.send(b"", status=204)

    def confirm_dataset(self, dataset_id: str) -> None:
        self.reply(wire.CreateUpdateResponse(id=dataset_id))

    def dataset(self, dataset_id: str) -> None:
        self.reply(wire.Dataset(dataset_id=dataset_id, name="outputs", permanent=True))

    def dataset_data(self, dataset_id: str) -> None:
        self.reply(wire.FileDownloadResponse(url=wire.FileDownloadURL(url=self.address(f"/files/{dataset_id}"), filename="outputs.h5")))

    def model_data(self, model_id: str) -> None:
        self.reply(wire.FileDownloadResponse(url=wire.FileDownloadURL(url=self.address(f"/files/{model_id}"), filename=models[model_id].name)))

    def file(self, file_id: str) -> None:
        self.send(files[file_id], kind="application/octet-stream")

    def create_job(self) -> None:
        job = wire.Job.FromString(self.body)
        kind, job_id = job.WhichOneof("job"), new_id("j")
        setattr(getattr(job, kind), f"{kind}_id", job_id)
        run(job, self.token)
        jobs[job_id] = job
        self.reply(wire.CreateUpdateResponse(id=job_id))

    def job(self, job_id: str) -> None:
        if self.token == "drops":
            self.close_connection = True
            self.connection.close()
        else:
            self.reply(jobs[job_id])

    def result(self, job_id: str) -> None:
        self.reply(results[job_id])


_ID = "([a-z0-9]+)"
ROUTES = [
    ("GET", "/api/v1/users/auth/user/", Service.user),
    ("GET", "/api/v1/devices/", Service.devices),
    ("POST", "/api/v1/models/", Service.create_model),
    ("GET", f"/api/v1/models/{_ID}/multipart_upload/", Service.upload_urls),
    ("POST", f"/api/v1/models/{_ID}/multipart_upload/", Service.join_parts),
    ("GET", f"/api/v1/models/{_ID}/download/", Service.model_data),
    ("PUT", f"/parts/{_ID}/([0-9]+)", Service.put_part),
    ("POST", "/api/v1/datasets/", Service.create_dataset),
    ("GET", f"/api/v1/datasets/{_ID}/upload_url/", Service.dataset_url),
    ("POST", f"/datasets/{_ID}", Service.put_dataset),
    ("PATCH", f"/api/v1/datasets/{_ID}/", Service.confirm_dataset),
    ("GET", f"/api/v1/datasets/{_ID}/", Service.dataset),
    ("GET", f"/api/v1/datasets/{_ID}/download_data/", Service.dataset_data),
    ("GET", f"/files/{_ID}", Service.file),
    ("POST", "/api/v1/jobs/", Service.create_job),
    ("GET", f"/api/v1/jobs/{_ID}/", Service.job),
    ("GET", f"/api/v1/jobs/{_ID}/result/", Service.result),
]

if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
