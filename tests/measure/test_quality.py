from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.domain.errors import Unsupported, WrongOutput
from recommender.measure import quality
from recommender.measure.agreement import _matched, classified, cosines, figure
from recommender.measure.quality import disjoint, divergence, gate, log_softmax, token_figures
from tests.measure.null_artifact import RUNNER, artifact

PLAN = {"window": 64, "n_windows": 4}
LOSSY: dict[str, Any] = {}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    draw = np.random.default_rng(3)
    path = tmp_path / "evaluation.txt"
    path.write_text("".join(chr(97 + int(letter)) for letter in draw.integers(0, 26, 4000)), "utf-8")
    return path


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    draw = np.random.default_rng(4)
    x = draw.standard_normal((200, 8)).astype(np.float32)
    labels = np.where(draw.random(200) < 0.8, x.argmax(axis=1), draw.integers(0, 8, 200))
    path = tmp_path / "test.npz"
    np.savez(path, x=x, labels=labels)
    return path


def compared(folder: Path, plan: dict[str, Any], **candidate: Any) -> dict[str, Any]:
    kept = folder / "reference.npz"
    kind = candidate["kind"]
    quality.reference(RUNNER, str(artifact(folder, kind=kind)), {}, plan, str(kept))
    found = quality.compare(RUNNER, str(artifact(folder, **candidate)), {}, plan, str(kept))
    return json.loads(json.dumps(found, allow_nan=False))  # type: ignore[no-any-return]


# --- language models ---------------------------------------------------------------------------------------------------


def test_the_same_model_has_a_divergence_of_exactly_zero(tmp_path: Path, text: Path) -> None:
    found = compared(tmp_path, {**PLAN, "text": str(text)}, kind="tokens")
    assert found["kl"]["value"] == 0.0 and found["top1_agreement"]["value"] == 1.0
    assert found["perplexity"] == found["perplexity_reference"] > 1
    assert found["kl"]["n"] == 4 * 63


def test_a_larger_error_diverges_more(tmp_path: Path, text: Path) -> None:
    plan = {**PLAN, "text": str(text)}
    small, large = (compared(tmp_path, plan, kind="tokens", error=error) for error in (0.05, 0.5))
    assert 0 < small["kl"]["value"] < 0.1 * large["kl"]["value"]
    assert large["top1_agreement"]["value"] < small["top1_agreement"]["value"] < 1
    assert large["kl"]["se"] > 0 and large["kl"]["low"] < large["kl"]["value"] < large["kl"]["high"]
    assert large["quality_drop"]["value"] == pytest.approx(large["perplexity"] / large["perplexity_reference"] - 1)


def test_doubling_uses_more_of_the_same_reference(tmp_path: Path, text: Path) -> None:
    plan, kept = {**PLAN, "text": str(text)}, tmp_path / "reference.npz"
    assert quality.reference(RUNNER, str(artifact(tmp_path, kind="tokens")), {}, plan, str(kept))["n_windows"] == 8
    candidate = str(artifact(tmp_path, kind="tokens", error=0.1))
    once, twice = (quality.compare(RUNNER, candidate, {}, {**plan, "n_windows": n}, str(kept)) for n in (4, 8))
    assert (once["n_windows"], twice["n_windows"]) == (4, 8) and twice["kl"]["n"] == 2 * once["kl"]["n"]


def test_nan_is_not_finite(tmp_path: Path, text: Path) -> None:
    found = compared(tmp_path, {**PLAN, "text": str(text)}, kind="tokens", nan=0)
    assert found["is_finite"] is False and gate(found, LOSSY, {"kl": 1.0}) == ("fail", "the output `logits` holds NaN")


def test_text_that_calibrated_does_not_judge(tmp_path: Path, text: Path) -> None:
    words = text.read_text("utf-8")
    calibration = tmp_path / "calibration.txt"
    calibration.write_text(words[:2000], "utf-8")
    plan = {**PLAN, "text": str(text), "calibration": str(calibration), "n_windows": 50}
    kept = tmp_path / "reference.npz"
    quality.reference(RUNNER, str(artifact(tmp_path, kind="tokens")), {}, plan, str(kept))
    with np.load(kept) as stored:
        judged = bytes(int(token) for token in stored["tokens"].reshape(-1)).decode()
    assert judged in words[2000:]
    calibration.write_text(words, "utf-8")
    with pytest.raises(Unsupported, match="evaluation.txt"):
        quality.reference(RUNNER, str(artifact(tmp_path, kind="tokens")), {}, plan, str(kept))


def test_disjoint_keeps_what_lies_between() -> None:
    a, b, c = "a" * 200, "b" * 200, "c" * 200
    assert list(disjoint(a + b + c, "")) == [a + b + c]
    assert list(disjoint(a + b + c, "zz" + b)) == [a, c]
    assert list(disjoint(b, b)) == []


def test_divergence_is_kullback_and_leiblers() -> None:
    draw = np.random.default_rng(5)
    p, q = log_softmax(draw.standard_normal((6, 50))), log_softmax(draw.standard_normal((6, 50)))
    assert np.exp(p.astype(np.float64)).sum(axis=1) == pytest.approx(1.0)
    expected = (np.exp(p.astype(np.float64)) * (p.astype(np.float64) - q)).sum(axis=1)
    assert divergence(p, q) == pytest.approx(expected, abs=1e-6)
    assert (divergence(p.astype(np.float16), p.astype(np.float16)) == 0).all()
    rounded = divergence(p.astype(np.float16), p)
    assert (rounded >= 0).all() and rounded.max() < 1e-6


def test_standard_errors_are_over_windows() -> None:
    found = token_figures({"kl": [1.0, 3.0], "same": [0.5, 0.5], "nll": [1.1, 1.1], "nll_reference": [1.0, 1.0]}, 1000)
    assert found["kl"] == {"value": 2.0, "se": 1.0, "low": pytest.approx(0.04, abs=0.01), "high": pytest.approx(3.96, abs=0.01), "n": 1000}
    assert found["quality_drop"]["value"] == pytest.approx(math.exp(0.1) - 1) and found["quality_drop"]["se"] == pytest.approx(0.0, abs=1e-12)
    assert figure([2.0])["se"] is None


# --- graphs ------------------------------------------------------------------------------------------------------------


def test_a_graph_is_compared_sample_by_sample(tmp_path: Path, samples: Path) -> None:
    plan = {"test": str(samples)}
    same, damaged = (compared(tmp_path, plan, kind="graph", error=error) for error in (0.0, 0.5))
    assert same["max_abs_diff"]["value"] == 0.0 and same["top1_agreement"]["value"] == 1.0 and same["cosine"]["value"] == pytest.approx(1.0)
    assert same["accuracy"] == same["accuracy_reference"] and 0.7 < same["accuracy"]["value"] < 0.95
    assert damaged["max_abs_diff"]["value"] > 0.1 and damaged["cosine"]["value"] < 0.999 and damaged["n_samples"] == 200
    assert damaged["quality_drop"]["value"] == pytest.approx(1 - damaged["accuracy"]["value"] / damaged["accuracy_reference"]["value"])
    assert set(damaged["left_out"]) == {"miou", "map"}


def test_without_labels_there_is_no_accuracy(tmp_path: Path, samples: Path) -> None:
    with np.load(samples) as stored:
        np.savez(tmp_path / "bare.npz", x=stored["x"])
    found = compared(tmp_path, {"test": str(tmp_path / "bare.npz")}, kind="graph", error=0.1)
    assert "accuracy" not in found and "top1_agreement" not in found and found["cosine"]["n"] == 200
    with pytest.raises(Unsupported, match="no test samples"):
        compared(tmp_path, {}, kind="graph")


def test_paired_errors_are_smaller_than_unpaired_ones() -> None:
    draw = np.random.default_rng(6)
    labels = draw.integers(0, 4, 1000)
    before = np.where(draw.random(1000) < 0.7, labels, 9)
    after = np.where(draw.random(1000) < 0.99, before, 9)
    found = classified(before, after, labels)
    assert found["quality_drop"]["se"] * found["accuracy_reference"]["value"] < 0.5 * found["accuracy"]["se"]
    assert cosines(np.zeros((1, 3)), np.zeros((1, 3))) == [1.0] and cosines(np.zeros((1, 3)), np.ones((1, 3))) == [0.0]


# --- the gate ----------------------------------------------------------------------------------------------------------


def entry(value: float, se: float | None = 0.001) -> dict[str, Any]:
    return {"value": value, "se": se}


@pytest.mark.parametrize(("found", "scheme", "limits", "word"), [
    ({"kl": entry(0.01)}, {}, {"kl": 0.05}, "pass"),
    ({"kl": entry(0.08)}, {}, {"kl": 0.05}, "fail"),
    ({"kl": entry(0.0505)}, {}, {"kl": 0.05}, "near"),
    ({"kl": entry(0.0495)}, {}, {"kl": 0.05}, "near"),
    ({"top1_agreement": entry(0.97)}, {}, {"top1_agreement": 0.9}, "pass"),
    ({"top1_agreement": entry(0.8)}, {}, {"top1_agreement": 0.9}, "fail"),
    ({"kl": entry(0.01), "top1_agreement": entry(0.8)}, {}, {"kl": 0.05, "top1_agreement": 0.9}, "fail"),
    ({"kl": entry(0.0)}, {}, {"kl": 0.05}, "anomalous"),
    ({"kl": entry(0.0)}, {"is_lossless": True}, {"kl": 0.05}, "pass"),
    ({"max_abs_diff": {"value": 0.0, "se": None}}, {}, {}, "anomalous"),
    ({"kl": entry(0.01)}, {"is_unchanged": True}, {"kl": 0.05}, "anomalous"),
    ({"accuracy": entry(0.96), "accuracy_reference": entry(0.9)}, {"is_lossless": True}, {}, "anomalous"),
    ({"accuracy": entry(0.94), "accuracy_reference": entry(0.9)}, {}, {}, "pass"),
    ({"quality_drop": entry(-0.08)}, {}, {"quality_drop": 0.01}, "anomalous"),
    ({"is_finite": False, "why": "NaN"}, {}, {}, "fail"),
    ({"kl": entry(float("nan"))}, {}, {"kl": 0.05}, "fail"),
    ({"cosine": entry(0.99)}, {}, {"kl": 0.05}, "fail"),
])
def test_the_gate(found: dict[str, Any], scheme: dict[str, Any], limits: dict[str, float], word: str) -> None:
    assert gate(found, scheme, limits)[0] == word


def test_what_is_near_is_decided_by_its_value_the_second_time() -> None:
    assert gate({"kl": entry(0.0505)}, {}, {"kl": 0.05}, is_final=True)[0] == "fail"
    assert gate({"kl": entry(0.0495)}, {}, {"kl": 0.05}, is_final=True)[0] == "pass"


def test_a_quantizer_that_did_nothing_is_anomalous(tmp_path: Path, text: Path, samples: Path) -> None:
    tokens = compared(tmp_path, {**PLAN, "text": str(text)}, kind="tokens")
    graph = compared(tmp_path, {"test": str(samples)}, kind="graph")
    for found in (tokens, graph):
        word, reason = gate(found, LOSSY, {})
        assert word == "anomalous" and "exactly 0" in reason
        assert gate(found, {"is_lossless": True}, {})[0] == "pass"


def test_an_output_that_a_converter_left_out_is_not_missed() -> None:
    label, scores = np.zeros((3,)), np.ones((3, 4))
    assert list(_matched({"scores": scores}, {"label": label, "scores": scores})) == ["scores"]
    assert list(_matched({"a": label, "b": scores}, {"label": label, "scores": scores})) == ["label", "scores"], "all renamed: by place"
    with pytest.raises(WrongOutput, match="the outputs are x; the source has label, scores"):
        _matched({"x": scores}, {"label": label, "scores": scores})
