"""What a child process may do: functions that end well, badly or not at all. Run in children of the tests only."""

from __future__ import annotations

import ctypes
import os
import sys
import time

from recommender.domain.errors import Fallback, Unsupported, WrongOutput


def answers(value: object) -> object:
    return value


def hangs() -> None:
    time.sleep(3600)


def spins() -> None:
    while True:
        pass


def leaks() -> None:
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1)) * (8 << 20))
        time.sleep(0.005)


def leaks_in_its_own_child() -> None:
    import subprocess

    subprocess.run([sys.executable, "-c", "import time\nkept = []\nwhile True:\n    kept.append(b'x' * (8 << 20))\n    time.sleep(0.005)"], check=False)


def has_no_memory() -> None:
    raise MemoryError("cannot allocate")


def aborts() -> None:
    os.abort()


def reads_nowhere() -> None:
    ctypes.string_at(0)


def ends_silently() -> None:
    os._exit(0)


def ends_with_3() -> None:
    print("the last words", flush=True)
    os._exit(3)


def is_unsupported() -> None:
    raise Unsupported("operator Foo is not supported", hints=("try bar",))


def falls_back() -> None:
    raise Fallback("ran on another unit")


def is_broken() -> None:
    raise ZeroDivisionError("a fault of the tool")


def checked(values: list[float]) -> list[float]:
    """A gate as an executor has it: not a number is no answer."""
    if any(value != value for value in values):
        raise WrongOutput("NaN in the output")
    return values


def gives_nan() -> list[float]:
    return checked([1.0, float("nan")])
