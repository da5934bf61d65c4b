"""AI Hub's YAML in its two schemas, and a clone on disk. Figures are invented."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommender.domain.errors import UsageError
from recommender.evidence.told import Fault, NotThisFormat, Told
from tests.evidence.conftest import Gather, told, values

NEW = """
supported_devices:
- Samsung Galaxy S24
precisions:
  float:
    components:
      MobileNet-v2:
        universal_assets:
          tflite:
            model_id: abc
        performance_metrics:
          Samsung Galaxy S24:
            tflite:
              job_id: j1
              job_status: Passed
              inference_time_milliseconds: 0.5
              estimated_peak_memory_range_mb:
                min: 1
                max: 40
              primary_compute_unit: NPU
              layer_counts:
                total: 70
                npu: 70
              tool_versions:
                qairt: 2.43.0
                tflite: 2.17.0
            onnx:
              job_id: j2
              job_status: Failed
          QCS8550 (Proxy):
            qnn_dlc:
              job_id: j3
              job_status: Passed
              inference_time_milliseconds: 0.75
              estimated_peak_memory_range_mb:
                min: 0
                max: 0
              primary_compute_unit: NPU
          Samsung Galaxy S23:
            qnn_dlc:
              job_id: j3
              job_status: Passed
              inference_time_milliseconds: 0.75
              primary_compute_unit: NPU
  w8a8:
    components:
      MobileNet-v2:
        performance_metrics:
          Samsung Galaxy S24:
            tflite:
              job_id: j4
              job_status: Passed
              inference_time_milliseconds: 3.5
              primary_compute_unit: CPU
              layer_counts:
                total: 72
                npu: 2
                cpu: 70
"""
OLD = """
models:
- name: Encoder
  performance_metrics:
  - torchscript_onnx_tflite:
      inference_time: 1500.0
      throughput: 666.0
      estimated_peak_memory_range:
        min: 2000
        max: 3000000
      primary_compute_unit: NPU
      precision: int8
      layer_info:
        layers_on_npu: 70
        layers_on_gpu: 0
        layers_on_cpu: 0
        total_layers: 70
      job_id: j1
      job_status: Passed
    reference_device_info:
      name: Samsung Galaxy S23
      chipset: Snapdragon® 8 Gen 2
    timestamp: '2024-02-16T22:23:17.643089Z'
- name: Decoder
  performance_metrics: []
aggregated:
  supported_devices: []
"""
LANGUAGE = """
precisions:
  w4a16:
    components:
      Llama-v3.2-1B:
        performance_metrics:
          Samsung Galaxy S24:
            genie:
              llm_metrics:
              - context_length: 4096
                tokens_per_second: 20.5
                time_to_first_token_range_milliseconds: {min: 100, max: 3200}
                prefill_tokens_per_second: 800.0
                desired_compute_unit: npu
          Snapdragon X Elite CRD:
            qnn_context_binary:
              tokens_per_second: 9.5
              time_to_first_token_range_milliseconds: {min: 200, max: 900}
"""
NUMERICS = """
metrics:
- dataset_name: imagenet
  metric_name: Classification Accuracy
  metric_unit: '%'
  num_partial_samples: 1000
  partial_torch_metric: 80.0
  device_metric:
    Samsung Galaxy S24:
      w8a16:
        qnn_dlc:
          partial_metric: 78.0
      float:
        onnx:
          partial_metric: 81.0
- dataset_name: faces
  metric_name: Normalized Mean Error
  partial_torch_metric: 0.0
  device_metric:
    Samsung Galaxy S24:
      float:
        onnx: {partial_metric: 0.1}
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name, files in {"mobilenet_v2": {"perf.yaml": NEW, "numerics.yaml": NUMERICS, "info.yaml": "x: 1"}, "llama_v3_2_1b_instruct": {"perf.yaml": LANGUAGE}, "broken": {"perf.yaml": "a: [1\n"}}.items():
        folder = tmp_path / "qai_hub_models" / "models" / name
        folder.mkdir(parents=True)
        for file, text in files.items():
            (folder / file).write_text(text)
    return tmp_path


def test_the_present_schema() -> None:
    first, failed, proxy, copy, fallen = told("ai-hub", NEW, folders=("mobilenet_v2",))
    assert values(first) == pytest.approx({"latency": 0.0005, "peak_memory": 40 * 2**20}) and isinstance(first, Told)
    assert (first.devices, first.back_end, first.scheme, first.component, first.version) == (("Samsung Galaxy S24",), "tflite npu", "tflite float", "", "qairt 2.43.0 tflite 2.17.0")
    assert first.metrics["peak_memory"].low == 2**20
    assert isinstance(failed, Fault) and failed.reason == "the job is Failed" and "onnx" in failed.row
    assert values(proxy) == {"latency": 0.00075} and isinstance(proxy, Told) and proxy.flags == ()
    assert isinstance(copy, Told) and copy.flags == ("copied",)
    assert isinstance(fallen, Told) and fallen.flags == ("fallback",) and fallen.unit == "cpu"
    split = told("ai-hub", NEW.replace("npu: 70", "npu: 69\n                cpu: 1"), folders=("mobilenet_v2",))[0]
    assert isinstance(split, Told) and split.flags == ("split",)


def test_the_schema_before_it() -> None:
    [row] = told("ai-hub", OLD, folders=("whisper",))
    assert values(row) == pytest.approx({"latency": 0.0015, "peak_memory": 3e6}) and isinstance(row, Told)
    assert (row.devices, row.back_end, row.scheme, row.component, row.date[:10]) == (("Samsung Galaxy S23", "Snapdragon® 8 Gen 2"), "tflite npu", "tflite int8", "Encoder", "2024-02-16")


def test_language_models() -> None:
    deep, plain = told("ai-hub", LANGUAGE, folders=("llama",))
    assert values(deep) == {"decode_rate": 20.5, "prefill_rate": 800.0} and isinstance(deep, Told) and deep.workload == {"batch": 1, "depth": 4096}
    assert values(plain) == {"decode_rate": 9.5}


def test_numerics_are_relative_losses() -> None:
    loss, gain, senseless = told("ai-hub", NUMERICS, folders=("mobilenet_v2",))
    assert values(loss) == pytest.approx({"quality_drop": 0.025}) and values(gain) == pytest.approx({"quality_drop": -0.0125})
    assert isinstance(loss, Told) and loss.quality == {"metric": "Classification Accuracy", "dataset": "imagenet", "reference": 80.0, "value": 78.0, "n": 1000}
    assert isinstance(senseless, Fault) and "means nothing" in senseless.reason
    [worse] = told("ai-hub", NUMERICS.replace("Normalized Mean Error", "Mean Error").replace("partial_torch_metric: 0.0", "partial_torch_metric: 0.05"), folders=("x",))[2:]
    assert values(worse) == pytest.approx({"quality_drop": 1.0})


def test_a_clone_is_read_as_a_whole(clone: Path, gather: Gather) -> None:
    found = gather("ai-hub", clone)
    assert found.files == 4 and len(found.measurements) == 8
    assert sorted(fault.row.split(":")[0] for fault in found.faults) == ["qai_hub_models/models/broken/perf.yaml", "qai_hub_models/models/mobilenet_v2/numerics.yaml", "qai_hub_models/models/mobilenet_v2/perf.yaml"]
    speed = [row for row in found.measurements if row.model == "mobilenet-v2" and "latency" in row.metrics]
    assert {(row.candidate["device"], row.framework, row.execution_provider, row.scheme) for row in speed} == {
        ("qualcomm.sm8650.npu", "litert", "qnn-htp", "fp16"), ("qualcomm.sm8550.npu", "qnn", "qnn-htp", "fp16"), ("qualcomm.sm8650.cpu", "litert", "xnnpack", "int8-static"),
    }  # fmt: skip
    assert {row.scheme for row in found.measurements if "quality_drop" in row.metrics} == {"w8a16", "fp16"}
    assert {(row.model, row.scheme, row.candidate["device"]) for row in found.measurements if "decode_rate" in row.metrics} == {
        ("llama-3.2-1b", "w4a16", "qualcomm.sm8650.npu"), ("llama-3.2-1b", "w4a16", "qualcomm.x1e-80-100.npu"),
    }  # fmt: skip


def test_one_file_is_called_after_its_folder(clone: Path, gather: Gather) -> None:
    assert {row.model for row in gather("ai-hub", clone / "qai_hub_models" / "models" / "mobilenet_v2" / "perf.yaml").measurements} == {"mobilenet-v2"}


@pytest.mark.parametrize("text", ["", "- 1\n", "x: 1\n", "a: [1\n", "a: !!python/object/apply:os.system ['true']\n", "[" * 3000])
def test_other_yaml_is_refused_and_runs_nothing(text: str) -> None:
    with pytest.raises(NotThisFormat):
        told("ai-hub", text)


@pytest.mark.parametrize("text", ["precisions: {float: 3}\n", "precisions: {float: {components: {a: {performance_metrics: [1]}}}}\n", "models: [1, {performance_metrics: [2]}]\n", "metrics: [{device_metric: 4}]\n"])
def test_parts_of_another_kind_give_no_rows(text: str, gather: Gather) -> None:
    with pytest.raises(UsageError):
        gather("ai-hub", text)
