"""What a profile of AI Hub says, in our units."""

from __future__ import annotations

import pytest

from recommender.domain.errors import WrongOutput
from recommender.executors.qualcomm import hub_profile

LAYERS = [
    {"name": "conv", "type": "Conv2d", "compute_unit": "NPU", "execution_time": 300},
    {"name": "gemm", "type": "Gemm", "compute_unit": "NPU", "execution_time": 500},
    {"name": "soft", "type": "Softmax", "compute_unit": "CPU", "execution_time": 200},
    {"name": "odd", "type": "Odd", "compute_unit": "UNSPECIFIED"},
]
SUMMARY = {
    "estimated_inference_time": 1234, "estimated_inference_peak_memory": 111, "first_load_time": 500000, "warm_load_time": 200000, "compile_time": 0,
    "inference_memory_peak_range": (1000, 3000), "all_inference_times": [1300, 1234],
}


def test_times_are_seconds_and_layers_are_counted_by_unit() -> None:
    told = hub_profile.parse({"execution_summary": SUMMARY, "execution_detail": LAYERS})
    assert told["metrics"] == {"latency": pytest.approx(0.001234), "load_time": pytest.approx(0.2), "first_load_time": pytest.approx(0.5), "peak_memory": 3000}
    assert told["samples"]["latency"] == pytest.approx([0.0013, 0.001234]) and told["peak_memory_range"] == [1000, 3000]
    assert told["placement"] == {"npu": 2, "gpu": 0, "cpu": 1, "unknown": 1} and told["n_layers"] == 4
    assert told["placement_time"] == pytest.approx({"npu": 0.8, "gpu": 0.0, "cpu": 0.2})


def test_an_older_profile_has_less() -> None:
    told = hub_profile.parse({"execution_summary": {"estimated_inference_time": 10, "first_load_time": 5, "warm_load_time": None, "estimated_inference_peak_memory": 7}})
    assert told["metrics"] == {"latency": pytest.approx(1e-5), "first_load_time": pytest.approx(5e-6), "peak_memory": 7}
    assert told["placement"] == {"npu": 0, "gpu": 0, "cpu": 0} and told["placement_time"] is None and told["peak_memory_range"] is None


def test_what_ran_elsewhere() -> None:
    assert hub_profile.off_unit({"execution_detail": LAYERS}, "npu") == {"Odd": 1, "Softmax": 1}
    assert hub_profile.off_unit({"execution_detail": LAYERS[:2]}, "npu") == {}


@pytest.mark.parametrize("profile", [{}, {"execution_summary": {}}, {"execution_summary": {"estimated_inference_time": 0}, "execution_detail": LAYERS}])
def test_no_inference_time_is_no_profile(profile: dict[str, object]) -> None:
    with pytest.raises(WrongOutput, match="no inference time"):
        hub_profile.parse(profile)
