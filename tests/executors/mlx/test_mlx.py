"""A trained Llama through mlx-lm and back: size and quality of each scheme, the same tokens by generation and by logits, failures by class."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.domain.errors import Unsupported
from recommender.executors import environment
from recommender.executors.mlx.convert import PREPARER, plan
from recommender.executors.mlx.executor import RUNNER
from recommender.measure.isolate import Job, run
from tests.executors.conftest import Trained

pytest.importorskip("mlx_lm")
TESTS = Path(__file__).parents[2]
SCHEMES = ("F32", "BF16", "fp16", "int8-mlx-g64", "int4-mlx-g32", "int4-mlx-g64", "int2-mlx-g64", "MXFP4")
RUN = ("F32", "int8-mlx-g64", "int4-mlx-g64", "int2-mlx-g64")
TOKENS, PROMPT = 80, "The following example shows how"


def answer(function: str, folder: Path, interpreter: Path = Path(sys.executable), **arguments: Any) -> Any:
    """What a function of `in_child` returns, run in a child."""
    outcome = run(Job(
        function=f"tests.executors.mlx.in_child:{function}", arguments=arguments, folder=folder, interpreter=interpreter, packages={"tests": str(TESTS)}, wall=240,
    ))
    assert outcome.ok, (outcome.kind, outcome.message, outcome.log and outcome.log.read_text("utf-8", "replace")[-2000:])
    return outcome.value


@dataclass(frozen=True, kw_only=True)
class Results:
    made: dict[str, dict[str, Any]]
    ran: dict[str, dict[str, Any]]
    logits: dict[str, np.ndarray]  # of the same held-out tokens by scheme; "torch": the source's


@pytest.fixture(scope="module")
def results(tiny_llama: Trained, tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("mlx")
    orders = {**{key: (key, {}) for key in SCHEMES}, "own scales": ("int4-mlx-g64", {"dtype": "float32"})}
    made = answer("prepare_all", folder / "prepare", source=str(tiny_llama.model), out=str(folder), orders=orders)
    assert all("artifact" in row for row in made.values()), made
    text = tiny_llama.test.read_text("utf-8")[:300]
    ran = {
        key: answer("run", folder / f"run-{key}", artifact=made[key]["artifact"], text=text, prompt=PROMPT, n_tokens=6, options={"micro_batch": 4}) for key in RUN
    }
    logits = {key: np.load(Path(made[key]["artifact"]) / "logits.npy")[:TOKENS] for key in RUN}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(environment.VARIABLE, str(Path(sys.prefix) / "side-environments"))
        torch = environment.make("conversion", print)
    answer("reference", folder / "torch", torch, model=str(tiny_llama.model), tokens=ran["F32"]["tokens"], out=str(folder / "torch.npy"))
    logits["torch"] = np.load(folder / "torch.npy")[:TOKENS]
    return Results(made=made, ran=ran, logits=logits)


def log_softmax(rows: np.ndarray) -> np.ndarray:
    shifted = rows.astype(np.float64) - rows.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def divergence(results: Results, key: str) -> float:
    """Mean KL of a scheme's predictions to the source's."""
    source, other = log_softmax(results.logits["torch"]), log_softmax(results.logits[key])
    return float((np.exp(source) * (source - other)).sum(-1).mean())


def test_the_unquantized_model_computes_what_the_source_does(results: Results) -> None:
    assert np.abs(results.logits["F32"] - results.logits["torch"]).max() < 1e-3


def test_less_bits_lose_more(results: Results) -> None:
    lost = [divergence(results, key) for key in ("F32", "int8-mlx-g64", "int4-mlx-g64", "int2-mlx-g64")]
    assert lost == sorted(lost) and lost[0] < 1e-6 < lost[1] < 0.01 < lost[3]


@pytest.mark.parametrize(
    ("key", "bits"), [("F32", 32), ("BF16", 16), ("fp16", 16), ("int8-mlx-g64", 8.5), ("int4-mlx-g32", 5), ("int4-mlx-g64", 4.5), ("int2-mlx-g64", 2.5), ("MXFP4", 4.25), ("own scales", 5)]
)
def test_bits_per_weight_are_those_of_the_format(results: Results, key: str, bits: float) -> None:
    """Scales and biases are counted: 2 x 16 bit a group, 2 x 32 where they stay in fp32, one of 8 bit a group of 32 for MXFP4; norms add a trifle."""
    facts = results.made[key]["facts"]
    assert facts["bits_per_weight"] == pytest.approx(bits, abs=0.03) and facts["not_quantized"] == []
    weights = Path(results.made[key]["artifact"]) / "model.safetensors"
    assert weights.stat().st_size * 8 / 2_885_888 == pytest.approx(bits, abs=0.06)


def test_every_layer_is_told_by_its_format(results: Results) -> None:
    assert results.made["int4-mlx-g64"]["facts"]["layers"] == {"affine-4-g64": 29}  # 4 x 7 matrices and the embedding, which is the output as well
    assert results.made["MXFP4"]["facts"]["layers"] == {"mxfp4-4-g32": 29}
    assert results.made["BF16"]["facts"]["tensors"] == {"bfloat16": 38}


@pytest.mark.parametrize("key", RUN)
def test_generation_chooses_what_the_logits_say_and_keeps_nothing(results: Results, key: str) -> None:
    """With a prompt in pieces of 4 tokens; where the two best are closer than rounding either may come."""
    told = results.ran[key]
    assert len(told["first"]) == told["calls"] == 6 and told["again"] == told["first"]
    unequal = [gap for chosen, by_logits, gap in zip(told["first"], told["steps"], told["gaps"], strict=True) if chosen != by_logits]
    assert all(gap < 0.05 for gap in unequal)
    assert told["n_vocab"] == 2048 and told["text"]


def test_a_processor_is_told_as_one(results: Results) -> None:
    facts = results.ran["int4-mlx-g64"]["facts"]
    assert facts["precision"] == {"uint32": 29, "bfloat16": 67} and facts["kv_cache_type"] == "bfloat16" and facts["micro_batch"] == 4
    assert ("Apple" in facts.get("note", "")) == (facts["execution_provider"] == "cpu")
    assert facts["placement"] == {facts["execution_provider"]: 4}


def test_rows_that_are_no_multiple_of_the_group_are_named(tiny_llama: Trained, tmp_path: Path) -> None:
    answer("narrow_model", tmp_path / "make", source=str(tiny_llama.model), out=str(tmp_path / "narrow"))
    orders = {"some": ("int4-mlx-g64", {}), "none": ("int4-mlx-g128", {}), "all": ("int4-mlx-g32", {})}
    made = answer("prepare_all", tmp_path / "prepare", source=str(tmp_path / "narrow"), out=str(tmp_path / "out"), orders=orders)
    assert made["some"]["facts"]["layers"] == {"affine-4-g64": 1} and "layers.0.mlp.up_proj" in " ".join(made["some"]["facts"]["not_quantized"])
    assert made["none"]["kind"] == "wrong-output" and "group of 128" in made["none"]["message"]
    assert made["all"]["facts"]["not_quantized"] == []


def test_failures_have_a_class_and_name_the_thing(tiny_llama: Trained, tmp_path: Path) -> None:
    (tmp_path / "unknown").mkdir()
    (tmp_path / "unknown" / "config.json").write_text('{"model_type": "no_such_model"}', "utf-8")
    (tmp_path / "unknown" / "model.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    orders = {"scheme": ("Q4_K_M", {}), "dtype": ("int4-mlx-g64", {"dtype": "int8"})}
    made = answer("prepare_all", tmp_path / "a", source=str(tiny_llama.model), out=str(tmp_path / "out"), orders=orders)
    made |= answer("prepare_all", tmp_path / "b", source=str(tmp_path / "unknown"), out=str(tmp_path / "out"), orders={"architecture": ("BF16", {})})
    made |= answer("prepare_all", tmp_path / "c", source=str(tmp_path / "empty"), out=str(tmp_path / "out"), orders={"folder": ("BF16", {})})
    assert {row["kind"] for row in made.values()} == {"unsupported"}
    for name, words in {"scheme": "Q4_K_M", "dtype": "int8", "architecture": "no_such_model", "folder": "empty"}.items():
        assert words in made[name]["message"]
    opened = answer("open_all", tmp_path / "d", orders={
        "architecture": (str(tmp_path / "unknown"), {}), "unit": (str(tiny_llama.model), {"execution_provider": "hexagon"}),
        "cache": (str(tiny_llama.model), {"kv_cache_type": "q8_0"}), "fine": (str(tiny_llama.model), {"execution_provider": "cpu"}),
    })
    assert opened["architecture"].startswith("unsupported") and opened["unit"].startswith("unsupported: ") and "q8_0" in opened["cache"] and opened["fine"] == ""


@pytest.mark.parametrize(("told", "kept"), [({}, "bfloat16"), ({"dtype": "float16"}, "float16"), ({"torch_dtype": "bfloat16"}, "bfloat16"), ({"dtype": "float32"}, "bfloat16")])
def test_scales_keep_the_sources_16_bit_type(told: dict[str, str], kept: str) -> None:
    assert plan("int4-mlx-g64", told).dtype == kept
    assert plan("int4-mlx-g64", told, "float32").dtype == "float32"


@pytest.mark.parametrize("key", ["int5-mlx-g64", "int4-mlx-g16", "int4-mlx", "int4-weights-g64", "NF4", ""])
def test_schemes_that_are_not_there_are_refused(key: str) -> None:
    with pytest.raises(Unsupported, match="mlx-lm makes"):
        plan(key, {})


def test_both_are_available_where_mlx_is() -> None:
    assert PREPARER.availability() == RUNNER.availability() and RUNNER.availability().ok and RUNNER.formats == ("mlx",)
