"""An imported figure of the target's device in the next answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, run  # noqa: F401
from tests.evidence.test_llama_bench import DECODE

MODEL, TARGET = "llama-3.2-1b", "raspberry-pi-5"
PATH = ("llama-cpp", "cpu", "Q4_K_M")
BENCH = {**DECODE, "backends": "CPU", "cpu_info": "", "gpu_info": "", "model_type": "llama 1B Q4_K - Medium", "model_filename": "Llama-3.2-1B-Instruct-Q4_K_M.gguf", "n_gpu_layers": 0, "samples_ts": [12.5, 12.5, 12.5]}


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOMMEND_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("RECOMMEND_EVIDENCE_URL", raising=False)


def rate(run: Run, *more: str) -> dict[str, Any]:  # noqa: F811
    answer = run("--model", MODEL, "--target", TARGET, "--allow-below-floor", "--json", *more).document
    [found] = [choice["estimates"]["decode_rate"] for choice in answer["choices"] if (choice["framework"], choice["execution_provider"], choice["scheme"]) == PATH]
    return dict(found)


def taken(run: Run, tmp_path: Path, *more: str, **changes: Any) -> None:  # noqa: F811
    path = tmp_path / "bench.json"
    path.write_text(json.dumps([{**BENCH, **changes}]))
    assert run("evidence", "import", "llama-bench", str(path), "--model", MODEL, *more).code == 0


def test_it_is_used_as_measured_elsewhere(run: Run, tmp_path: Path) -> None:  # noqa: F811
    taken(run, tmp_path, "--device", "broadcom.bcm2712.cpu")
    after = rate(run)
    assert after["basis"] == "measured-elsewhere" and any(source.startswith("measurement:") for source in after["sources"])
    assert "measurement:" not in str(rate(run, "--no-evidence")["sources"])


@pytest.mark.parametrize(("device", "changes"), [("apple.m4-max-40.cpu", {}), ("broadcom.bcm2712.cpu", {"n_depth": 65536}), ("nobody knows", {})])
def test_of_another_device_or_depth_it_is_not(device: str, changes: dict[str, Any], run: Run, tmp_path: Path) -> None:  # noqa: F811
    before = rate(run)
    taken(run, tmp_path, "--device", device, **changes)
    assert rate(run) == before
