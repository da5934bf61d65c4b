"""Rows of published tables, in their own spelling, as cases: devices, models, schemes, back ends, tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommender.domain.catalog import Catalog
from recommender.estimate.learned.case import LanguageCase
from recommender.loader.files import built_in_root
from recommender.predict.language_rows import Trial, language_case, read_trial
from recommender.predict.spelling import Names, names_of, read_aliases

ROW = {
    "device": "NVIDIA GeForce RTX 4090", "soc_or_cpu_or_gpu": "NVIDIA GeForce RTX 4090", "vendor": "NVIDIA", "compute_unit": "gpu", "framework": "llama.cpp",
    "backend": "CUDA", "model": "Llama-3.1-8B-Instruct", "params_b": "8.03", "quant": "Q4_K_M", "context_or_test": "pp512,tg128",
}  # fmt: skip


@pytest.fixture(scope="module")
def names(catalog: Catalog) -> Names:
    return names_of(catalog, read_aliases(built_in_root() / "aliases"))


def case_of(names: Names, **columns: str) -> LanguageCase:
    found = language_case({**ROW, **columns}, names)
    assert isinstance(found, LanguageCase), found
    return found


@pytest.mark.parametrize(("kind", "spellings", "key"), [
    ("gpu", ("NVIDIA GeForce RTX 4070 Ti SUPER",), "nvidia.rtx-4070-ti-super.gpu"),
    ("gpu", ("NVIDIA GeForce RTX 4070 Laptop 8GB",), "nvidia.rtx-4070-laptop.gpu"),
    ("gpu", ("Apple M1 Pro (14-core GPU)", "Apple M1 Pro"), "apple.m1-pro-14.gpu"),
    ("gpu", ("Apple M5 Max 48GB", "Apple M5 Max"), "apple.m5-max-40.gpu"),
    ("cpu", ("Apple M2 Max (CPU)", "Apple M2 Max"), "apple.m2-max-38.cpu"),
    ("npu", ("Qualcomm Snapdragon 8 Elite QRD",), "qualcomm.sm8750.npu"),
    ("cpu", ("OnePlus 12", "Qualcomm Snapdragon 8 Gen 3"), "qualcomm.sm8650.cpu"),
    ("gpu", ("AMD Ryzen 7 6800H", "AMD Ryzen 7 6800H / Radeon 680M"), "amd.radeon-680m.gpu"),
    ("cpu", ("Raspberry Pi 5 8GB", "Broadcom BCM2712"), "broadcom.bcm2712.cpu"),
    ("gpu", ("NVIDIA DGX Spark (GB10)",), "nvidia.gb10.gpu"),
    ("gpu", ("nvidia.rtx-4090.gpu",), "nvidia.rtx-4090.gpu"),
])  # fmt: skip
def test_a_unit_by_any_of_its_names(kind: str, spellings: tuple[str, ...], key: str, names: Names) -> None:
    found = names.device(kind, *spellings)
    assert found and found.key == key


@pytest.mark.parametrize(("kind", "text"), [
    ("cpu", "Samsung Galaxy A14"), ("gpu", "NVIDIA GeForce RTX 4090 Quantum Pro"), ("npu", "NVIDIA GeForce RTX 4090"), ("gpu", ""), ("gpu", "2x NVIDIA GeForce RTX 4090"),
])  # fmt: skip
def test_a_name_that_is_near_a_unit_is_not_it(kind: str, text: str, names: Names) -> None:
    assert names.device(kind, text) is None


@pytest.mark.parametrize(("text", "key"), [
    ("LLAMA3_2_1B", "llama-3.2-1b"), ("Qwen_Qwen3.5-9B-Q4_K_M", "qwen3.5-9b"), ("gemma3:4b", "gemma-3-4b"), ("Llama-v3.2-3B-Instruct", "llama-3.2-3b"),
    ("Qwen3-30B-A3B", "qwen3-30b-a3b"), ("Meta-Llama-3.1-8B-Instruct-4bit", "llama-3.1-8b"), ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"), ("llama 8B", "llama-3.1-8b"),
])  # fmt: skip
def test_a_model_by_any_of_its_names(text: str, key: str, names: Names) -> None:
    found = names.model(text)
    assert found and found.key == key


def test_a_model_nobody_knows_is_none(names: Names) -> None:
    assert names.model("Nobody-Knows-It-7B") is None


@pytest.mark.parametrize(("text", "framework", "expected"), [
    ("FP16", "llama-cpp", "F16"), ("FP16", "openvino-genai", "fp16"), ("INT4-MIXED", "openvino-genai", "int4-weights-g64-r0.8"), ("q4_k_m", "", "Q4_K_M"), ("8da4w", "executorch", "int4-weights-g32"),
])  # fmt: skip
def test_a_scheme_by_any_of_its_names(text: str, framework: str, expected: str, names: Names) -> None:
    key, bits = names.scheme(text, framework)
    assert key == expected and bits


def test_a_scheme_the_catalogue_lacks_keeps_its_name_and_has_bits(names: Names) -> None:
    assert names.scheme("IQ4_KS") == ("IQ4_KS", 4.45)
    assert names.scheme("not stated") == ("not stated", None)


@pytest.mark.parametrize(("text", "expected"), [
    ("pp512,tg128", Trial(prompt=512, output=128, depth=64)),
    ("pp2048@d32768,tg32@d32768", Trial(prompt=2048, output=32, depth=32784)),
    ("tg128", Trial(output=128, depth=64)),
    ("decode 256 at depth 2048", Trial(output=256, depth=2176)),
    ("prompt 1024, generate 1024", Trial(prompt=1024, output=1024, depth=1536)),
    ("input 1024", Trial(prompt=1024, depth=1088)),
    ("seq128,gen64", Trial(prompt=128, output=64, depth=160)),
    ("short prompt, ~300 tokens out", Trial(prompt=32, output=300, depth=182)),
    ("decode @ctx16k", Trial(depth=16448, context=16384)),
    ("pp4096,tg128 (ctx sized 131072, ubatch 512)", Trial(prompt=4096, output=128, depth=64, context=131072)),
    ("ctx4096", Trial(depth=64, context=4096)),
    ("", Trial(depth=64)),
])  # fmt: skip
def test_what_was_run(text: str, expected: Trial) -> None:
    assert read_trial(text) == expected


def test_a_row_of_measured_speeds(names: Names) -> None:
    case = case_of(names)
    assert (case.silicon.key, case.framework, case.execution_provider, case.scheme, case.model) == ("nvidia.rtx-4090.gpu", "llama-cpp", "cuda", "Q4_K_M", "llama-3.1-8b")
    assert case.weight_bytes and case.active_bytes and 4.5e9 < case.active_bytes < case.weight_bytes < 5.2e9
    assert case.kv_bytes == pytest.approx(131072) and not case.is_mixture


def test_a_row_of_first_token_latencies(names: Names) -> None:
    found = language_case({
        "platform": "Intel Core Ultra 7 258V (built-in GPU table)", "framework": "OpenVINO GenAI", "model": "phi-2", "precision": "INT8-CW", "input_tokens": "1024",
    }, names)  # fmt: skip
    assert isinstance(found, LanguageCase), found
    assert (found.silicon.key, found.execution_provider, found.scheme, found.prompt_tokens) == ("intel.arc-140v.gpu", "openvino-gpu", "int8-weights", 1024)


def test_a_row_of_a_phone_vendors_hub(names: Names) -> None:
    found = language_case({
        "device": "Snapdragon 8 Elite QRD", "chipset": "qualcomm-snapdragon-8-elite", "runtime": "genie", "model": "llama_v3_2_3b_instruct", "precision": "w4a16",
        "context_length": "4096.0",
    }, names)  # fmt: skip
    assert isinstance(found, LanguageCase), found
    assert (found.silicon.key, found.framework, found.execution_provider, found.model, found.context) == ("qualcomm.sm8750.npu", "qnn", "qnn-htp", "llama-3.2-3b", 4096)


def test_a_unit_nobody_knows_is_what_its_columns_say(names: Names) -> None:
    case = case_of(names, device="NVIDIA Something 9999", soc_or_cpu_or_gpu="", memory_bandwidth_gb_s="500")
    assert case.silicon.key == "" and case.silicon.family == "nvidia-gpu" and case.silicon.memory_bandwidth == 500e9


def test_a_model_nobody_knows_is_what_its_columns_and_name_say(names: Names) -> None:
    case = case_of(names, model="Stranger-30B-A3B", params_b="30.5", file_size_gib="17.3")
    assert case.is_mixture and case.n_active_params == 3e9
    assert case.weight_bytes == pytest.approx(17.3 * 2**30) and case.active_bytes == pytest.approx(17.3 * 2**30 * 3 / 30.5)
    dense = case_of(names, model="Stranger-7B", params_b="")
    assert dense.n_params == 7e9 and dense.weight_bytes and not dense.is_mixture


def test_weights_that_a_card_does_not_hold_are_shared_with_the_processor(names: Names) -> None:
    case = case_of(names, model="Llama 3.1 70B", params_b="70.55")
    assert case.silicon.key == "" and case.silicon.memory_bandwidth and 4e10 < case.silicon.memory_bandwidth < 2e11


@pytest.mark.parametrize(("columns", "word"), [
    ({"compute_unit": "quantum"}, "quantum"), ({"compute_unit": ""}, "compute unit"), ({"model": "Nobody", "params_b": ""}, "Nobody"),
    ({"device": "", "soc_or_cpu_or_gpu": ""}, "device"),
])  # fmt: skip
def test_a_row_that_says_too_little_says_what_is_missing(columns: dict[str, str], word: str, names: Names) -> None:
    found = language_case({**ROW, **columns}, names)
    assert isinstance(found, str) and word in found


def test_alias_files_name_what_the_catalogue_has(catalog: Catalog) -> None:
    aliases = read_aliases(built_in_root() / "aliases")
    units = {key.rpartition(".")[0] for key in catalog.devices} | set(catalog.devices)
    assert [key for key in aliases["device"].values() if key not in units] == []
    assert [key for key in aliases["group"] if key not in catalog.devices] == []
    assert [key for key in aliases["model"].values() if key not in catalog.models] == []
    assert [key for key in aliases["scheme"].values() if key not in catalog.schemes] == []
    families = {family for listed in catalog.vocabulary["families"].values() for family in listed}
    assert set(aliases["family"].values()) <= families


def test_alias_files_are_merged(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[model]\n"x y" = "one"\n')
    (tmp_path / "b.toml").write_text('[model]\n"z" = "two"\n')
    assert read_aliases(tmp_path) == {"model": {"x y": "one", "z": "two"}}
