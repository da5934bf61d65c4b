"""What tools print: figures by the parsers that `measure --runner` uses, names beside them. Figures are invented; some texts are those that its tests recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommender.evidence.formats import formats
from recommender.evidence.told import Fault, NotThisFormat, Told
from tests.evidence.conftest import Gather, told, values

RECORDED = Path(__file__).parents[1] / "executors" / "remote" / "recorded"


@pytest.mark.parametrize(("form", "file", "expected"), [
    ("litert", "benchmark_model.txt", {"latency": 0.0332094, "load_time": 0.000855, "first_call": 0.04906, "peak_memory": 12.8672 * 2**20}),
    ("trtexec", "trtexec.txt", {"throughput": 3716.81, "latency": 0.000179932}), ("hailortcli", "hailortcli-benchmark.txt", {"throughput": 218.078, "latency": 0.0128354}),
    ("hailortcli", "hailortcli-run.txt", {"throughput": 217.34}), ("rknn", "rknn_benchmark.txt", {"latency": 0.00412, "throughput": 242.424}),
    ("rknn", "rknn_eval_perf.txt", {"latency": 0.00714}),
    ("ort-perf-test", "onnxruntime_perf_test.txt", {"latency": 0.144871, "throughput": 6.90055, "load_time": 0.127918, "first_call": 0.161, "peak_memory": 158171136}),
])  # fmt: skip
def test_figures_are_those_of_the_parsers(form: str, file: str, expected: dict[str, float]) -> None:
    [row] = told(form, (RECORDED / file).read_text("utf-8"))
    assert values(row) == pytest.approx(expected)


def test_what_stands_beside_the_figures() -> None:
    [row] = told("litert", (RECORDED / "benchmark_model.txt").read_text("utf-8").replace("Loaded model", "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nLoaded model"))
    assert isinstance(row, Told) and (row.models, row.workload, row.back_end, row.flags) == (("model",), {"threads": 4}, "XNNPACK", ())
    text = (RECORDED / "trtexec.txt").read_text("utf-8")
    head = "&&&& RUNNING TensorRT.trtexec [TensorRT v100000] # trtexec --onnx=nets/resnet50.onnx --fp16\n[I] Precision: FP32+FP16\n[I] Inference Streams: 1\n[I] Selected Device: Orin\n"
    [row] = told("trtexec", head + text)
    assert isinstance(row, Told) and (row.models, row.scheme, row.devices, row.workload) == (("resnet50",), "FP32+FP16", ("Orin",), {"streams": 1})
    first, second = told("trtexec", 2 * (head + text))
    assert values(first) == values(second)
    [row] = told("hailortcli", (RECORDED / "hailortcli-run.txt").read_text("utf-8"))
    assert isinstance(row, Told) and row.models == ("yolov5m_wo_spp_60p",)


def test_a_graph_that_ran_in_parts_is_flagged() -> None:
    text = (RECORDED / "benchmark_model.txt").read_text("utf-8")
    said = "Explicitly applied GPU delegate, and the model graph will be partially executed by the delegate w/ 2 delegate kernels.\n"
    [row] = told("litert", text.replace("Loaded model", said + "Loaded model"))
    assert isinstance(row, Told) and row.flags == ("fallback",) and row.back_end == "GPU"


def test_names_are_looked_up(gather: Gather) -> None:
    [row] = gather("hailortcli", (RECORDED / "hailortcli-run.txt").read_text("utf-8"), device="Hailo-8", model="yolov5m").measurements
    assert (row.candidate["device"], row.framework, row.execution_provider, row.scheme, row.model, row.method) == ("hailo.hailo-8.accelerator", "hailo", "hailo", "int8-static", "yolov5m", "hailortcli")
    [row] = gather("rknn", (RECORDED / "rknn_eval_perf.txt").read_text("utf-8"), device="RK3588", model="yolov8n", scheme="int8-static").measurements
    assert (row.candidate["device"], row.execution_provider, row.scheme) == ("rockchip.rk3588.npu", "rknpu", "int8-static")


MLX = """Running warmup..
Timing with prompt_tokens=64, generation_tokens=32, batch_size=1.
Trial 1:  prompt_tps=900.000, generation_tps=40.000, peak_memory=1.500, total_time=0.9
Trial 2:  prompt_tps=1000.000, generation_tps=50.000, peak_memory=1.600, total_time=0.8
Trial 3:  prompt_tps=2000.000, generation_tps=60.000, peak_memory=1.600, total_time=0.7
Averages: prompt_tps=1300.000, generation_tps=50.000, peak_memory=1.567
Timing with prompt_tokens=64, generation_tokens=32, batch_size=4.
Trial 1:  prompt_tps=900.000, generation_tps=160.000, peak_memory=0.000
"""


def test_mlx_lm(gather: Gather) -> None:
    one, four = told("mlx-lm", MLX)
    assert values(one) == {"decode_rate": 50.0, "prefill_rate": 1000.0, "peak_memory": 1.6e9} and values(four) == {"throughput": 160.0}
    assert isinstance(four, Told) and four.workload == {"prompt_tokens": 64, "output_tokens": 32, "batch": 4}
    rows = gather("mlx-lm", MLX, device="Apple M4 Max (40 GPU cores)", model="mlx-community/Llama-3.2-1B-Instruct-4bit", scheme="int4-mlx-g64").measurements
    assert {(row.candidate["device"], row.model, row.framework, row.execution_provider) for row in rows} == {("apple.m4-max-40.gpu", "llama-3.2-1b", "mlx", "metal")}
    assert told("mlx-lm", MLX.replace("40.000", "nan"))[0] == Fault(row="run 1", reason="decode_rate: `nan` is not a finite number")


TIMES = '[\n  { "startH2dMs" : 1.0, "computeMs" : 2.0, "latencyMs" : 3.0 }\n, { "startH2dMs" : 1.0, "computeMs" : 2.0, "latencyMs" : 5.0 }\n, { "computeMs" : 9.0 }\n]\n'


def test_trtexec_times() -> None:
    fault, row = told("trtexec", TIMES)
    assert fault == Fault(row="row 3", reason="`latencyMs` is missing") and values(row) == {"latency": 0.004}
    assert isinstance(row, Told) and row.metrics["latency"].n_samples == 2


HAILO = """net_name,fps,hw_only_fps,num_of_frames,num_of_frames_hw_only,hw_latency,overall_latency,min_power,average_power,max_power
resnet_v1_50,1330.5,1331.0,19957,19965,2.5,3.0,2.0,2.5,3.0
yolov5m,157.25,157.5,2358,2362,,,,,
broken,0,,,,,,,,
"""


def test_hailortcli_csv() -> None:
    first, second, third = told("hailortcli", HAILO)
    assert values(first) == {"throughput": 1330.5, "latency": 0.003} and values(second) == {"throughput": 157.25}
    assert third == Fault(row="row 3", reason="throughput: `0` is not above zero")
    [failed] = told("hailortcli", "net_name,status,status_description,fps\nx,8,HAILO_TIMEOUT,\n")
    assert failed == Fault(row="row 1", reason="the run failed: HAILO_TIMEOUT")


PERF_TEST = "squeezenet.onnx,0.0210,52428800,95,0\nsqueezenet.onnx,0.0230,52428800,95,1\nsqueezenet.onnx,0.0220,52428800,95,2\n\nMin Latency is 0.021sec\n"


def test_onnxruntime_perf_test_file() -> None:
    [row] = told("ort-perf-test", PERF_TEST)
    assert values(row) == {"latency": 0.022, "peak_memory": 52428800.0} and isinstance(row, Told) and row.models == ("squeezenet",)
    [row] = told("ort-perf-test", "squeezenet.onnx,21000000,52428800,95,0\n")
    assert isinstance(row, Fault) and "nanoseconds" in row.reason


@pytest.mark.parametrize("form", [name for name in formats() if name not in ("ai-hub",)])
@pytest.mark.parametrize("text", ["", "hello\n", "{", "[]", '{"a": 1}', "a,b\n1,2\n", "| a |\n", "- x: 1\n", "\n" * 50, "[" * 100_000, "&&&& RUNNING\n" * 3, "Timing with\n"])
def test_what_is_none_of_it_is_refused_or_left_out(form: str, text: str) -> None:
    try:
        found = told(form, text)
    except NotThisFormat as error:
        assert str(error)
    else:
        assert found and all(isinstance(row, Fault) for row in found)
