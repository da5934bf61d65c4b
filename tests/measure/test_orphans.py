"""A child whose parent is killed ends itself, with what it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

_PARENT = """
import sys
from pathlib import Path
from recommender.measure.isolate import Job, run
run(Job(function="tests.measure.behaviours:hangs", arguments={}, folder=Path(sys.argv[1]), packages={"tests": sys.argv[2]}))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="an orphan is not told on Windows")
def test_a_child_does_not_outlive_its_parent(tmp_path: Path) -> None:
    tests = Path(__file__).parents[1]
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, str(tmp_path / "job"), str(tests)], env={**os.environ, "PYTHONPATH": str(tests.parent)})
    deadline = time.monotonic() + 20
    while not (children := psutil.Process(parent.pid).children()) and time.monotonic() < deadline:
        time.sleep(0.05)
    [child] = children
    time.sleep(1.0)
    assert child.is_running()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert child.wait(timeout=15) is None or not child.is_running()
