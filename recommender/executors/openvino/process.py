"""What an executor settles in its own child process before OpenVINO is imported."""

from __future__ import annotations

import os
import sys


def send_no_reports() -> None:
    """Keep OpenVINO's converter and NNCF from reporting usage to their makers.

    Without a consent file in the user's home they report by default, and importing NNCF alone writes a client id there. Both do without the
    reporting package when it cannot be imported, so it is made unimportable in this process: nothing is sent and no file is written.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]


def use_processors(n: int) -> None:
    """Confine this process to `n` of its processors where the system can: NNCF and the exporter open their own thread pools, and none takes a limit."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: max(1, n)])
