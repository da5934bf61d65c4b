"""The soak of benchmarks/, for some seconds instead of minutes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_two_writers_for_some_seconds(postgresql: object) -> None:
    command = [sys.executable, "-m", "benchmarks.store_soak", "--minutes", "0.05"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RECOMMEND_EVIDENCE_URL": postgresql._url}  # type: ignore[attr-defined]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["store"].partition("://")[0] for result in results[1:]] == ["postgresql"] and len(results) == 2
    for result in results:
        assert result["acknowledged"] == result["stored"] > 10 and (result["lost"], result["damaged"], result["failed"]) == (0, 0, [])
    assert "s3cret" not in done.stdout + done.stderr
