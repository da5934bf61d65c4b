"""Reports as JSON, CSV and text of loadgen. Figures are invented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recommender.evidence.told import Fault, Told
from tests.evidence.conftest import Gather, told, values

APP: dict[str, Any] = {
    "cmd_options": {"-m": "models/FP16/mobilenet-v2.xml", "-d": "GPU.0"},
    "configuration_setup": {"topology": "Model1", "target device": "GPU.0", "API": "sync", "batch size": "1", "number of parallel infer requests": "1"},
    "execution_results": {"compile model time (ms)": "60.5", "first inference time (ms)": "0.00", "latency (ms)": "2.50", "avg latency": "2.75", "throughput": "395.25"},
}
CPP = {
    "configuration_setup": {"target_device": "CPU", "batch_size": 1, "nireq": 4, "topology": "mobilenet-v2"},
    "execution_results": {"latency_median": 2.5, "latency_average": 2.75, "throughput": 395.25},
}


def test_benchmark_app_in_python_and_in_cpp(gather: Gather) -> None:
    [row] = told("benchmark-app", json.dumps(APP))
    assert values(row) == pytest.approx({"throughput": 395.25, "latency": 0.0025, "load_time": 0.0605})
    assert isinstance(row, Told) and (row.models, row.back_end, row.workload) == (("mobilenet-v2", "Model1"), "GPU", {"batch": 1, "streams": 1})
    lines = [f"{head}\n" + "\n".join(f"{name};{value}" for name, value in APP[part].items()) + "\n" for head, part in (("Command line parameters", "cmd_options"), ("Configuration setup", "configuration_setup"), ("Execution results", "execution_results"))]
    [table] = told("benchmark-app", "\n".join(lines))
    assert table == row
    [row] = told("benchmark-app", json.dumps(CPP))
    assert values(row) == pytest.approx({"throughput": 395.25, "latency": 0.0025}) and isinstance(row, Told) and row.workload["streams"] == 4
    [stored] = gather("benchmark-app", json.dumps(APP), device="Core Ultra 7 155H", scheme="fp16").measurements
    assert (stored.candidate["device_kind"], stored.framework, stored.execution_provider, stored.model) == ("gpu", "openvino", "openvino-gpu", "mobilenet-v2")


def test_a_benchmark_that_failed_says_so() -> None:
    failed = {**APP, "execution_results": {"error": "Check failed"}}
    assert told("benchmark-app", json.dumps(failed)) == [Fault(row="run 1", reason="the run failed: Check failed")]
    wrong = {**APP, "execution_results": {"throughput": "-3"}}
    assert told("benchmark-app", json.dumps(wrong)) == [Fault(row="run 1", reason="throughput: `-3` is not above zero")]


WINML: dict[str, Any] = {
    "benchmark_info": {"model_id": "microsoft/resnet-50", "task": "image-classification", "device": "npu", "precision": "w8a16", "batch_size": 1, "timestamp": "2026-05-27T12:00:00+00:00"},
    "model_info": {}, "latency_ms": {"mean": 2.5, "min": 2.0, "max": 4.0, "p50": 2.25, "p90": 2.75, "p95": 3.0, "p99": 3.5, "std": 0.1, "warmup_mean": 9.0},
    "throughput": {"samples_per_sec": 400.0, "batches_per_sec": 400.0}, "raw_samples_ms": [2.0, 2.5],
}  # fmt: skip


def test_winml_of_one_network(gather: Gather) -> None:
    [row] = told("winml", json.dumps(WINML))
    assert values(row) == pytest.approx({"latency": 0.00225, "throughput": 400.0}) and isinstance(row, Told) and (row.unit, row.scheme) == ("npu", "w8a16")
    assert (row.metrics["latency"].p95, row.metrics["latency"].n_samples) == (0.003, 2)
    info = {**WINML["benchmark_info"], "ep": "qnn"}
    [stored] = gather("winml", json.dumps({**WINML, "benchmark_info": info}), device="Snapdragon X Elite").measurements
    assert (stored.candidate["device"], stored.execution_provider, stored.model, stored.scheme) == ("qualcomm.x1e-80-100.npu", "qnn-htp", "resnet-50", "w8a16")


def test_winml_of_a_language_model() -> None:
    stats = {"mean": 30.0, "p50": 31.0}
    report = {
        "schema_version": 2, "benchmark_info": {"runtime": "ort-genai", "model_id": "phi", "ep": "qnn", "device": "config", "effective_device": "npu", "prompt_tokens": 20, "generated_tokens": 128},
        "load": {}, "requests": [], "aggregate": {"warmup_excluded": True, "steady_state_decode_tokens_per_second": stats, "prefill_tokens_per_second": {"mean": 500.0, "p50": 0}, "model_ttft_duration_ms": stats},
    }  # fmt: skip
    [row] = told("winml", json.dumps(report))
    assert values(row) == pytest.approx({"decode_rate": 31.0, "prefill_rate": 500.0, "ttft": 0.031})
    assert isinstance(row, Told) and (row.framework, row.unit, row.workload) == ("onnxruntime-genai", "npu", {"prompt_tokens": 20, "output_tokens": 128})


REPORT: dict[str, Any] = {
    "load": {"latency": {"unit": "s", "values": [1.0], "mean": 1.0}},
    "prefill": {"memory": {"unit": "MB", "max_ram": 900.0}, "latency": {"unit": "s", "values": [0.5, 0.25, 0.75], "mean": 0.5, "p50": 0.5}, "throughput": {"unit": "tokens/s", "value": 128.0}},
    "decode": {"memory": {"unit": "MB", "max_ram": 1000.0}, "latency": {"unit": "s", "values": [2.0], "mean": 2.0}, "throughput": {"unit": "tokens/s", "value": 31.5}, "efficiency": {"unit": "tokens/kWh", "value": 3.6e5}},
}  # fmt: skip
CONFIG: dict[str, Any] = {
    "name": "x", "backend": {"name": "openvino", "version": "2026.1", "model": "meta-llama/Llama-3.2-1B", "device": "cpu", "torch_dtype": "float16"},
    "scenario": {"name": "inference", "input_shapes": {"batch_size": 1, "sequence_length": 64}, "generate_kwargs": {"max_new_tokens": 64}},
    "environment": {"cpu": " AMD EPYC 7742 64-Core Processor", "gpu": []},
}  # fmt: skip
EXPECTED = {"ttft": 0.5, "prefill_rate": 128.0, "decode_rate": 31.5, "energy": 10.0, "peak_memory": 1e9}


def test_optimum_benchmark_with_its_configuration(tmp_path: Path, gather: Gather) -> None:
    [row] = told("optimum-benchmark", json.dumps({"config": CONFIG, "report": REPORT}))
    assert values(row) == pytest.approx(EXPECTED)
    (tmp_path / "benchmark_report.json").write_text(json.dumps(REPORT))
    (tmp_path / "benchmark_config.json").write_text(json.dumps(CONFIG))
    for path in (tmp_path / "benchmark_report.json", tmp_path):
        [stored] = gather("optimum-benchmark", path).measurements
        assert (stored.candidate["device"], stored.framework, stored.execution_provider, stored.model, stored.scheme) == ("amd.epyc-7742.cpu", "openvino", "cpu", "llama-3.2-1b", "fp16")
        assert stored.workload == {"batch": 1, "prompt_tokens": 64, "output_tokens": 64} and stored.version == "2026.1"


def test_optimum_benchmark_alone_and_of_one_run() -> None:
    [row] = told("optimum-benchmark", json.dumps(REPORT))
    assert isinstance(row, Told) and row.models == () and "decode_rate" in row.metrics
    [row] = told("optimum-benchmark", json.dumps({"forward": {"latency": {"p50": 0.5}, "throughput": {"value": 2.0}}}))
    assert values(row) == {"latency": 0.5, "throughput": 2.0}
    [row] = told("optimum-benchmark", json.dumps({"forward": {"latency": [1]}}))
    assert isinstance(row, Fault)


LOADGEN = """================================================
MLPerf Results Summary
================================================
SUT name : PySUT
Scenario : {scenario}
Mode     : PerformanceOnly
{result}
Result is : {valid}
  Min duration satisfied : Yes

================================================
Additional Stats
================================================
Min latency (ns)                : 1000000
Mean latency (ns)               : 3000000
50.00 percentile latency (ns)   : 2500000
90.00 percentile latency (ns)   : 4000000
99.00 percentile latency (ns)   : 5000000

================================================
Test Parameters Used
================================================
samples_per_query : {samples}
"""


def loadgen(scenario: str, result: str, *, valid: str = "VALID", samples: int = 1) -> str:
    return LOADGEN.format(scenario=scenario, result=result, valid=valid, samples=samples)


def test_mlperf_scenarios() -> None:
    [row] = told("mlperf", loadgen("SingleStream", "90th percentile latency (ns) : 4000000"))
    assert values(row) == {"latency": 0.0025} and isinstance(row, Told) and row.flags == () and row.metrics["latency"].p99 == 0.005
    [row] = told("mlperf", loadgen("MultiStream", "99th percentile latency (ns) : 5000000", samples=8))
    assert isinstance(row, Told) and row.workload == {"batch": 8}
    [row] = told("mlperf", loadgen("Offline", "Samples per second: 123.5", samples=24576))
    assert values(row) == {"throughput": 123.5} and isinstance(row, Told) and row.flags == ("offline",)
    [row] = told("mlperf", loadgen("Server", "Completed samples per second    : 10\nCompleted tokens per second     : 900.5"))
    assert values(row) == {"throughput": 900.5} and isinstance(row, Told) and row.flags == ("server",)


def test_mlperf_runs_that_do_not_count() -> None:
    assert told("mlperf", loadgen("Offline", "Samples per second: 1", valid="INVALID")) == [Fault(row="run 1", reason="loadgen calls the run INVALID")]
    [accuracy] = told("mlperf", loadgen("Offline", "").replace("PerformanceOnly", "AccuracyOnly"))
    assert isinstance(accuracy, Fault) and "AccuracyOnly" in accuracy.reason


def test_a_submission_tells_model_and_system(tmp_path: Path, gather: Gather) -> None:
    run = tmp_path / "closed" / "ACME" / "results" / "acme_orin" / "resnet50" / "SingleStream" / "performance" / "run_1"
    run.mkdir(parents=True)
    (run / "mlperf_log_summary.txt").write_text(loadgen("SingleStream", ""))
    (tmp_path / "closed" / "ACME" / "systems").mkdir()
    (tmp_path / "closed" / "ACME" / "systems" / "acme_orin.json").write_text(json.dumps({"accelerator_model_name": "NVIDIA Jetson AGX Orin 64GB", "accelerators_per_node": "1", "number_of_nodes": 1, "framework": "tensorrt"}))
    (run.parent / "run_2").mkdir()
    (run.parent / "run_2" / "mlperf_log_summary.txt").write_text("half a file")
    found = gather("mlperf", tmp_path)
    [row] = found.measurements
    assert (row.model, row.framework, row.facts["device_name"]) == ("resnet-50", "tensorrt", "NVIDIA Jetson AGX Orin 64GB") and row.candidate["device"].startswith("nvidia.")
    [fault] = found.faults
    assert fault.row.endswith("run_2/mlperf_log_summary.txt") and "Scenario" in fault.reason
