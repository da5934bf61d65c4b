"""Who works on a sweep: names by which a worker on the same machine can tell whether the process behind one still lives."""

from __future__ import annotations

import hashlib
import os
import platform
import uuid
from contextlib import suppress
from functools import cache

_TOLERANCE = 2.0  # seconds; the start of a process is computed from the time of the boot, which is read to the second


def worker_name() -> str:
    """`HOST-MACHINE-PID-START-NONCE`: of this process, another one at each call."""
    import psutil

    return f"{platform.node() or 'host'}-{_machine()}-{os.getpid()}-{int(psutil.Process().create_time())}-{uuid.uuid4().hex[:6]}"


def is_gone(worker: str) -> bool:
    """Whether a worker was a process of this machine and has ended. Of those on other machines nothing can be told: False."""
    import psutil

    parts = worker.rsplit("-", 4)
    if len(parts) != 5 or parts[1] != _machine():
        return False
    try:
        process = psutil.Process(int(parts[2]))
        return bool(abs(process.create_time() - int(parts[3])) > _TOLERANCE or process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, ValueError):
        return False


@cache
def _machine() -> str:
    """Of the machine, and of the container: a process number speaks of one of them only."""
    told = [platform.node(), str(uuid.getnode())]
    with suppress(OSError):
        told.append(str(os.stat("/proc/self/ns/pid").st_ino))
    return hashlib.sha256("/".join(told).encode()).hexdigest()[:8]
