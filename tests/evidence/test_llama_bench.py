"""One test in the five forms that llama-bench prints. Figures are invented."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recommender.evidence.told import Fault, NotThisFormat, Told
from tests.evidence.conftest import Gather, told, values

PREFILL: dict[str, Any] = {
    "build_commit": "abc12345", "build_number": 7000, "cpu_info": "AMD Ryzen 7 7800X3D 8-Core Processor", "gpu_info": "NVIDIA GeForce RTX 4080", "backends": "CUDA",
    "model_filename": "models/Qwen2.5-7B-Instruct-Q4_K_M.gguf", "model_type": "qwen2 7B Q4_K - Medium", "model_size": 4677120000, "model_n_params": 7615616512, "n_threads": 8,
    "type_k": "f16", "n_gpu_layers": -1, "no_kv_offload": False, "n_prompt": 512, "n_gen": 0, "n_depth": 0, "test_time": "2026-04-24T11:58:50Z", "avg_ns": 100, "stddev_ns": 1,
    "avg_ts": 5001.5, "stddev_ts": 10.0, "samples_ns": [1, 2, 3], "samples_ts": [4000.0, 5000.0, 9000.0],
}  # fmt: skip
DECODE = {**PREFILL, "n_prompt": 0, "n_gen": 128, "n_depth": 512, "avg_ts": 100.25, "samples_ts": [99.0, 100.0, 102.0]}
FIELDS = [name for name in PREFILL if not name.startswith("samples")]
JSON = json.dumps([PREFILL, DECODE], indent=2)
JSONL = "\n".join(json.dumps(row) for row in (PREFILL, DECODE)) + "\n"
CSV = "\n".join([",".join(FIELDS), *(",".join(f'"{row[name]}"' for name in FIELDS) for row in (PREFILL, DECODE))]) + "\n"
SQL = "CREATE TABLE IF NOT EXISTS llama_bench (\n  build_commit TEXT,\n  avg_ts REAL\n);\n\n" + "\n".join(
    f"INSERT INTO llama_bench ({', '.join(FIELDS)}) VALUES ({', '.join(repr(str(row[name])) for name in FIELDS)});" for row in (PREFILL, DECODE)
)
MARKDOWN = """ggml_cuda_init: found 1 CUDA devices:
| model                          |       size |     params | backend    | ngl |            test |                  t/s |
| ------------------------------ | ---------: | ---------: | ---------- | --: | --------------: | -------------------: |
| qwen2 7B Q4_K - Medium         |   4.36 GiB |     7.62 B | CUDA       |  99 |           pp512 |      5001.50 ± 10.00 |
| qwen2 7B Q4_K - Medium         |   4.36 GiB |     7.62 B | CUDA       |  99 |    tg128 @ d512 |        100.25 ± 0.50 |

build: abc12345 (7000)
"""


@pytest.mark.parametrize(("text", "prefill", "decode"), [(JSON, 5000.0, 100.0), (JSONL, 5000.0, 100.0), (CSV, 5001.5, 100.25), (SQL, 5001.5, 100.25), (MARKDOWN, 5001.5, 100.25)])
def test_the_five_forms_say_the_same(text: str, prefill: float, decode: float) -> None:
    first, second = told("llama-bench", text)
    assert values(first) == {"prefill_rate": prefill} and values(second) == {"decode_rate": decode}  # the median where there are samples, else the mean
    assert isinstance(first, Told) and isinstance(second, Told)
    assert (first.workload["prompt_tokens"], second.workload["output_tokens"], second.workload["depth"]) == (512, 128, 512)
    assert first.back_end == "CUDA" and first.scheme == "Q4_K_M" and first.version == "abc12345" and first.flags == ()


@pytest.mark.parametrize("text", [JSON, JSONL, CSV, SQL])
def test_names_are_looked_up(text: str, gather: Gather) -> None:
    found = gather("llama-bench", text)
    assert {row.candidate["device"] for row in found.measurements} == {"nvidia.rtx-4080.gpu"}
    assert {(row.model, row.framework, row.execution_provider, row.scheme) for row in found.measurements} == {("qwen2.5-7b", "llama-cpp", "cuda", "Q4_K_M")}
    assert {row.created for row in found.measurements} == {"2026-04-24T11:58:50+00:00"} and not found.unknown and not found.faults


def test_a_table_names_no_hardware_and_the_user_does(gather: Gather) -> None:
    assert gather("llama-bench", MARKDOWN).unknown["device"] == {"": 2}
    found = gather("llama-bench", MARKDOWN, device="GeForce RTX 4080", model="qwen2.5-7b")
    assert {(row.candidate["device"], row.model) for row in found.measurements} == {("nvidia.rtx-4080.gpu", "qwen2.5-7b")} and not found.unknown


@pytest.mark.parametrize(("changes", "flags", "back_end"), [
    ({"n_gpu_layers": 10}, ("partial-offload",), "CUDA"), ({"n_gpu_layers": 0}, ("helped-by-the-card",), "CPU"), ({"backends": "BLAS", "gpu_info": ""}, (), "CPU"),
    ({"backends": "Metal,BLAS"}, (), "Metal"), ({"gpu_info": "NVIDIA GeForce RTX 4080, NVIDIA GeForce RTX 4080"}, ("several-devices",), "CUDA"), ({"backends": None}, (), ""),
])  # fmt: skip
def test_where_it_ran(changes: dict[str, Any], flags: tuple[str, ...], back_end: str) -> None:
    [row] = told("llama-bench", json.dumps([{**PREFILL, **changes}]))
    assert isinstance(row, Told) and (row.flags, row.back_end) == (flags, back_end)


def test_as_many_layers_as_the_model_has_are_all(gather: Gather) -> None:
    for layers, flags in ((28, ()), (27, ("partial-offload",))):
        [row] = gather("llama-bench", json.dumps([{**PREFILL, "n_gpu_layers": layers}])).measurements
        assert row.flags == flags


def test_a_figure_of_two_cards_belongs_to_no_device(gather: Gather) -> None:
    [row] = gather("llama-bench", json.dumps([{**PREFILL, "gpu_info": "NVIDIA GeForce RTX 4080, NVIDIA GeForce RTX 4080"}])).measurements
    assert row.candidate["device"] == "" and row.flags == ("several-devices",)


@pytest.mark.parametrize(("words", "scheme"), [
    ("llama 7B mostly Q4_0", "Q4_0"), ("llama 8B all F32", "F32"), ("llama 8B F16", "F16"), ("llama 1B Q2_K - Medium", "Q2_K_M"), ("qwen3 4B Q5_K - Small", "Q5_K_S"),
    ("llama 8B IQ2_XS - 2.3125 bpw", "IQ2_XS"), ("llama 8B IQ3_S mix - 3.66 bpw", "IQ3_S mix - 3.66 bpw"), ("gpt-oss 20B MXFP4 MoE", "MXFP4 MoE"), ("llama 8B Q6_K", "Q6_K"),
])  # fmt: skip
def test_schemes_as_the_tool_describes_them(words: str, scheme: str) -> None:
    [row] = told("llama-bench", json.dumps([{**PREFILL, "model_type": words}]))
    assert isinstance(row, Told) and row.scheme == scheme and row.models[1] == words.split(" Q")[0].split(" mostly")[0].split(" all")[0].split(" F16")[0].split(" IQ")[0].split(" MX")[0]


def test_odd_schemes_become_ours(gather: Gather) -> None:
    for words, scheme in (("llama 1B Q2_K - Medium", "Q2_K"), ("llama 8B IQ3_S mix - 3.66 bpw", "IQ3_M"), ("gpt-oss 20B MXFP4 MoE", "MXFP4")):
        [row] = gather("llama-bench", json.dumps([{**PREFILL, "model_type": words}])).measurements
        assert row.scheme == scheme


@pytest.mark.parametrize(("change", "reason"), [
    ({"avg_ts": "NaN"}, "`NaN` is not a finite number"), ({"avg_ts": -1}, "`-1` is not above zero"), ({"avg_ts": "12 t/s"}, "`12 t/s` is not a plain number"),
    ({"avg_ts": float("inf")}, "`inf` is not a finite number"), ({"n_gen": 128}, "512 prompt and 128 generated tokens together"), ({"n_prompt": 0.5}, "`0.5` is not a whole number"),
    ({"avg_ts": [1]}, "`[1]` is not a finite number"), ({"avg_ts": True}, "`True`"), ({"n_prompt": "1e999"}, "`1e999`"),
])  # fmt: skip
def test_a_row_that_is_wrong_costs_no_other(change: dict[str, Any], reason: str) -> None:
    bad = {name: value for name, value in {**PREFILL, **change}.items() if name != "samples_ts"}
    first, second = told("llama-bench", json.dumps([bad, DECODE]))
    assert isinstance(first, Fault) and first.row == "row 1" and reason in first.reason and isinstance(second, Told)


def test_a_missing_field_is_named() -> None:
    bad = {name: value for name, value in PREFILL.items() if name not in ("avg_ts", "samples_ts")}
    assert told("llama-bench", json.dumps([bad, DECODE]))[0] == Fault(row="row 1", reason="`avg_ts` is missing")


def test_a_run_that_was_stopped_keeps_what_is_whole() -> None:
    first, second = told("llama-bench", JSON[: len(JSON) - 200])
    assert isinstance(first, Told) and isinstance(second, Fault) and "not whole JSON" in second.reason


def test_rows_of_another_length_are_told() -> None:
    lines = CSV.splitlines()
    first, second = told("llama-bench", "\n".join([lines[0], lines[1] + ',"more"', lines[2]]))
    assert isinstance(first, Fault) and "another number of fields" in first.reason and isinstance(second, Told)
    [wrong, *_] = told("llama-bench", MARKDOWN.replace("|  99 |           pp512", "|           pp512"))
    assert isinstance(wrong, Fault) and "columns" in wrong.reason


def test_sql_is_read_and_never_run() -> None:
    [row] = told("llama-bench", "DROP TABLE x;\nINSERT INTO llama_bench (n_prompt) VALUES ('512'); ATTACH DATABASE 'x' AS y;\n")
    assert isinstance(row, Fault)


@pytest.mark.parametrize("text", ["", "no table at all\n1,2,3\n", "{}x", "[]"])
def test_what_is_no_output_of_it(text: str) -> None:
    try:
        found = told("llama-bench", text)
    except NotThisFormat:
        return
    assert all(isinstance(row, Fault) for row in found)
