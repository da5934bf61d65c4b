"""Rows that say one job each, and rows of the long form, to cases of the estimators."""

from __future__ import annotations

from pathlib import Path

import pytest

import knowledge
from recommender.estimate.learned.case import GraphCase
from recommender.loader.compiled import load_catalog
from recommender.predict.graph_rows import graph_case, input_size
from recommender.predict.spelling import Names, names_of, read_aliases

ROW = {
    "model": "some_net_quantized", "base_model": "some_net", "component": "Encoder", "use_case": "Object Detection", "domain": "Computer Vision", "params_m": "3.5",
    "params_scope": "component", "model_size_float_mb": "14", "model_size_mb": "3.6", "input": "320x192", "precision": "w8a8", "device": "Samsung Galaxy S24",
    "chipset": "qualcomm-snapdragon-8gen3", "silicon_group": "sm8650", "os": "Android 14", "form_factor": "Phone", "runtime": "qnn_dlc", "layers_npu": "100", "layers_cpu": "3",
}  # fmt: skip


@pytest.fixture(scope="module")
def names() -> Names:
    return names_of(load_catalog(), read_aliases(Path(next(iter(knowledge.__path__))) / "aliases"))


def case_of(names: Names, **told: str) -> GraphCase:
    found = graph_case({**ROW, **told}, names)
    assert isinstance(found, GraphCase), found
    return found


def test_a_row_is_read_whole(names: Names) -> None:
    case = case_of(names)
    assert (case.path, case.framework, case.precision, case.base_model, case.component) == ("qnn-dlc", "qnn", "w8a8", "some_net", "Encoder")
    assert (case.n_params, case.input_size, case.n_operators, case.float_bytes, case.weight_bytes) == (3.5e6, 320 * 192, 103, 14e6, 3.6e6)
    assert (case.silicon.group, case.silicon.name, case.silicon.machine_class) == ("sm8650", "Samsung Galaxy S24", "phone")
    assert {"os=android 14", "fp16"} <= case.silicon.features and case.silicon.generation


def test_rows_of_our_evidence_are_read_the_same(names: Names) -> None:
    told = {
        "device": "", "device_name": "Samsung Galaxy S24", "n_params_m": "3.5", "params_m": "", "task": "Object Detection", "use_case": "", "model": "", "model_name": "some_net_quantized",
        "float_size_mb": "14", "model_size_float_mb": "",
    }  # fmt: skip
    assert case_of(names, **told) == case_of(names)


def test_a_stand_in_is_the_silicon_that_it_is(names: Names) -> None:
    assert case_of(names, device="SA8775 (Proxy)", chipset="", silicon_group="sm8550").silicon.group == case_of(names, device="Samsung Galaxy S23").silicon.group
    assert case_of(names, device="QCS9075 (Proxy)").silicon.group == case_of(names, device="SA8775P ADP").silicon.group


def test_a_device_that_nobody_knows_is_what_the_row_says(names: Names) -> None:
    case = case_of(names, device="Foo 9", chipset="foo-9", silicon_group="foo9", form_factor="Compute")
    assert (case.silicon.key, case.silicon.group, case.silicon.machine_class) == ("", "foo9", "laptop")


def test_the_size_of_a_whole_model_is_not_that_of_its_parts(names: Names) -> None:
    assert case_of(names, params_scope="whole_model").n_params is None


def test_what_is_no_number_is_not_known(names: Names) -> None:
    case = case_of(names, params_m="many", layers_npu="", layers_cpu="nan", model_size_float_mb="-1", input="")
    assert (case.n_params, case.n_operators, case.float_bytes, case.input_size) == (None, None, None, None)


@pytest.mark.parametrize(("text", "size"), [
    ("224x224", 224 * 224), ("1x3x224x224", 224 * 224), ("1x3x224", 224 * 224), ("720p (720x1280)", 720 * 1280), ("80x3000 (30 seconds audio)", 240_000),
    ("1 x 6 x 3 x 256 x 704", 6 * 256 * 704), ("1x384", 384), ("256 tokens (English text)", 256), ("5x20x5, 5x4, 5", 500), ("unknown", None),
])  # fmt: skip
def test_inputs_are_measured(text: str, size: float | None, names: Names) -> None:
    assert input_size(text, names) == size


def test_a_row_of_no_use_says_why(names: Names) -> None:
    assert "runtime `foo` is none of" in str(graph_case({**ROW, "runtime": "foo"}, names))
    assert graph_case({**ROW, "device": "", "chipset": "", "silicon_group": ""}, names) == "the row names no device, chipset or silicon group"


def test_rows_without_a_runtime_are_of_the_long_form(names: Names) -> None:
    row = {"platform": "Intel® Core™ i7-1185G7", "unit": "iGPU", "framework": "OpenVINO", "model": "resnet-50", "precision": "int8"}
    case = graph_case(row, names)
    assert isinstance(case, GraphCase) and case.silicon.kind == "gpu"
