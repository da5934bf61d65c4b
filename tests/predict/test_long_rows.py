"""Rows of long-form tables, as their publishers write them, to cases: unit, path, network and what the name of a processor says."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from benchmarks.evidence import board_tables
from benchmarks.evidence.graphs import KNOWLEDGE
from recommender.compose import load_catalog
from recommender.estimate.learned.case import GraphCase
from recommender.predict.long_rows import base_model_of, long_case, precision_of
from recommender.predict.spelling import Names, names_of, read_aliases

SHARED = {"date": "2026-01-20", "value": "10", "value_unit": "", "batch": "1", "note": ""}
OPENVINO = {
    **SHARED, "platform": "Intel® Core™ i7-1185G7", "unit": "iGPU", "framework": "OpenVINO", "framework_version": "OV-2024.0", "model": "resnet-50-TF [224x224]",
    "precision": "int8", "metric": "throughput_fps", "ie_type": "core-iGPU",
}  # fmt: skip
NCNN = {
    **SHARED, "platform": "Kirin 970 (Cortex-A73 2.4GHz x 4 + Cortex-A53 1.8GHz x 4)", "unit": "CPU", "framework": "ncnn", "model": "mobilenet_int8",
    "precision": "int8", "threads": "4", "powersave": "2", "metric": "latency_ms_avg",
}  # fmt: skip
HAILO = {
    **SHARED, "platform": "HAILO8L", "unit": "NPU", "framework": "Hailo DFC", "framework_version": "3.33.0", "model": "resnet_v1_50", "input": "224x224x3",
    "params_m": "25.53", "gops": "6.98", "precision": "int8 (mixed a8/w4-w8-w16 per model script)", "metric": "throughput_fps",
}  # fmt: skip


@pytest.fixture(scope="module")
def names() -> Names:
    return names_of(load_catalog(), read_aliases(KNOWLEDGE / "aliases"))


def case_of(row: Mapping[str, str], names: Names) -> GraphCase:
    found = long_case(row, names)
    assert isinstance(found, GraphCase), found
    return found


@pytest.mark.parametrize(
    ("row", "unit", "path", "network"),
    [
        (OPENVINO, "intel.iris-xe-tgl.gpu", "openvino/openvino-gpu", "resnet-50"), (NCNN, "", "ncnn/cpu/big cores", "mobilenet-v1"),
        (HAILO, "hailo.hailo-8l.accelerator", "hailo/hailo", "resnet-50-v1"),
    ],
    ids=["graphics of a processor", "phone of a name", "accelerator"],
)  # fmt: skip
def test_row_as_published(row: Mapping[str, str], unit: str, path: str, network: str, names: Names) -> None:
    case = case_of(row, names)
    assert (case.silicon.key, case.path, case.base_model) == (unit, path, network)


def test_name_tells_cores_and_clock(names: Names) -> None:
    silicon = case_of(NCNN, names).silicon
    assert (silicon.generation, silicon.cores, silicon.clock) == ("cortex-a73", 4, 2.4e9)
    assert silicon.peak_ops["fp32"] == pytest.approx(4 * 2.4e9 * 8)


def test_facts_of_the_row_win_over_the_catalogue(names: Names) -> None:
    case = case_of({**HAILO, "model": "yolov8s", "gops": "20"}, names)
    assert case.macs == pytest.approx(10e9)
    assert case.n_params == pytest.approx(25.53e6)


def test_operations_grow_with_the_input(names: Names) -> None:
    usual = case_of({**HAILO, "model": "yolov8s", "gops": "", "input": "640x640x3"}, names)
    half = case_of({**HAILO, "model": "yolov8s", "gops": "", "input": "320x320x3"}, names)
    assert usual.macs and half.macs == pytest.approx(usual.macs / 4)


@pytest.mark.parametrize("missing", ["platform", "model", "framework"])
def test_what_is_not_named_is_the_reason(missing: str, names: Names) -> None:
    reason = long_case({**OPENVINO, missing: ""}, names)
    assert isinstance(reason, str)
    assert missing in reason


def test_unknown_framework_without_a_unit_is_refused(names: Names) -> None:
    reason = long_case({**OPENVINO, "framework": "Nobody's", "unit": ""}, names)
    assert isinstance(reason, str)
    assert "Nobody's" in reason


@pytest.mark.parametrize(
    ("text", "size"),
    [("640", 640 * 640), ("[1, 3, 320, 640]", 320 * 640), ("300x300", 300 * 300), ("1x77x512", 77 * 512), ("", 224 * 224), ("20s audio", 400)],
    ids=["side", "shape", "two sides", "tokens", "the catalogue's", "one number"],
)  # fmt: skip
def test_input_size(text: str, size: float, names: Names) -> None:
    assert case_of({**OPENVINO, "model": "resnet-50", "input": text}, names).input_size == size


def test_words_of_a_network_are_not_the_network(names: Names) -> None:
    assert base_model_of(names, "hailo", "retinaface_mobilenet_v1") == "retinaface-mobilenet-v1"
    assert base_model_of(names, "executorch", "DEEPLABV3_RESNET50") == "deeplabv3-resnet50"


@pytest.mark.parametrize(("published", "plain"), [("INT8", "int8"), ("int8 (mixed)", "int8"), ("float32", "fp32"), ("fp16/fp32 (ncnn default)", "fp16/fp32"), ("", "")])
def test_precision(published: str, plain: str) -> None:
    assert precision_of(published) == plain


@pytest.mark.parametrize("reader", [board_tables.openvino, board_tables.ncnn, board_tables.hailo], ids=["openvino", "ncnn", "hailo"])
def test_fits_read_a_row_as_predictions_do(reader: board_tables.Reader, names: Names) -> None:
    row = {"openvino": OPENVINO, "ncnn": {**NCNN, "latency_ms_min": "9", "latency_ms_max": "11"}, "hailo": HAILO}[reader.__name__]
    figure = reader(row)
    assert figure is not None
    evidence = {
        "device_name": figure.device_name, "model_name": figure.model_name, "framework": figure.framework, "execution_provider": figure.execution_provider,
        "unit": figure.unit, "kind": figure.kind, "precision": figure.precision, "input": figure.input, "batch": figure.batch, "threads": figure.threads,
        "setting": figure.conditions, "params_m": figure.params_m, "gmacs": figure.gmacs, "scheme": figure.scheme,
    }  # fmt: skip
    from_fit, from_table = case_of(evidence, names), case_of(row, names)
    for name in ("silicon", "path", "base_model", "precision", "macs", "input_size", "threads"):
        assert getattr(from_fit, name) == getattr(from_table, name), name
