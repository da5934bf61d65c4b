"""What the installed tools really write, of a tiny model each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.evidence.conftest import Gather
from tests.graph_files import conv_net

# two layers of a llama with random weights, and a tokenizer of 32 words
TINY_LLAMA = """
import json, sys
from pathlib import Path
import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models.llama import Model, ModelArgs
from tokenizers import Tokenizer, models, pre_tokenizers
folder = Path(sys.argv[1])
folder.mkdir()
config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 128, "num_attention_heads": 4,
          "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "vocab_size": 32, "rope_theta": 10000.0, "tie_word_embeddings": True, "eos_token_id": 1, "bos_token_id": 0}
(folder / "config.json").write_text(json.dumps(config))
model = Model(ModelArgs.from_dict(config))
mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(model.parameters())), metadata={"format": "mlx"})
tokenizer = Tokenizer(models.WordLevel({f"w{number}": number for number in range(32)}, unk_token="w2"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer.save(str(folder / "tokenizer.json"))
(folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "w1", "bos_token": "w0", "unk_token": "w2"}))
"""


def program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def printed(words: Sequence[str], folder: Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=folder, env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_benchmark_app(gather: Gather, tmp_path: Path) -> None:
    tool = program("benchmark_app")
    conv_net(tmp_path / "tiny.onnx")
    words = [tool, "-m", "tiny.onnx", "-d", "CPU", "-niter", "20", "-nireq", "1", "-hint", "none", "-report_type", "no_counters", "-report_folder", "."]
    shown = printed([*words, "-json_stats"], tmp_path)
    printed(words, tmp_path)
    for source in (tmp_path / "benchmark_report.json", tmp_path / "benchmark_report.csv", shown):
        found = gather("benchmark-app", source, scheme="F32", name="printed.txt")
        [row] = found.measurements
        assert not found.faults and (row.framework, row.execution_provider, row.candidate["device_kind"]) == ("openvino", "cpu", "cpu")
        assert 0 < (row.metrics["throughput"].value or 0) < 1e7 and 0 < (row.metrics["load_time"].value or 0) < 60
        assert row.workload.get("streams") == 1
    assert gather("benchmark-app", tmp_path / "benchmark_report.json").measurements[0].model == "tiny"


def test_mlx_lm(gather: Gather, tmp_path: Path) -> None:
    tool = program("mlx_lm.benchmark")
    printed([sys.executable, "-c", TINY_LLAMA, "model"], tmp_path)
    text = printed([tool, "--model", "model", "-p", "8", "-g", "4", "-n", "2"], tmp_path)
    [row] = gather("mlx-lm", text, model="tiny").measurements
    assert {"decode_rate", "prefill_rate"} <= set(row.metrics) and row.metrics["decode_rate"].n_samples == 2 and row.workload == {"prompt_tokens": 8, "output_tokens": 4, "batch": 1}


def test_llama_bench(gather: Gather, tmp_path: Path) -> None:
    tool = program("llama-bench")
    from tests.model_files import write_llama_gguf

    write_llama_gguf(tmp_path / "tiny.gguf")
    for form in ("json", "jsonl", "md", "csv", "sql"):
        rows = gather("llama-bench", printed([tool, "-m", "tiny.gguf", "-p", "8", "-n", "4", "-r", "2", "-o", form], tmp_path)).measurements
        assert {metric for row in rows for metric in row.metrics} == {"prefill_rate", "decode_rate"}


def test_onnxruntime_perf_test(gather: Gather, tmp_path: Path) -> None:
    tool = program("onnxruntime_perf_test")
    conv_net(tmp_path / "tiny.onnx")
    shown = printed([tool, "-e", "cpu", "-r", "20", "-I", "tiny.onnx", "result.csv"], tmp_path)
    for source in (tmp_path / "result.csv", shown):
        [row] = gather("ort-perf-test", source, name="printed.txt").measurements
        assert 0 < (row.metrics["latency"].value or 0) < 10
