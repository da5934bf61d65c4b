"""Failures of ONNX Runtime by class: its exceptions share no parent, their text tells what it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from recommender.domain.errors import OutOfMemory, RecommenderError, Unsupported

_NO_MEMORY = re.compile(r"bad.?alloc|failed to allocate|out of memory|memoryallocation", re.IGNORECASE)
_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")


@contextmanager
def decoded(what: str) -> Iterator[None]:
    """Raise what goes wrong inside as OutOfMemory or, with `what` before the framework's own line, as Unsupported."""
    try:
        yield
    except (RecommenderError, MemoryError):
        raise
    except Exception as error:
        raise step_failure(what, error) from error


@contextmanager
def memory_decoded() -> Iterator[None]:
    """Raise a lack of memory inside as OutOfMemory and let everything else pass."""
    try:
        yield
    except Exception as error:
        if _NO_MEMORY.search(str(error)):
            raise OutOfMemory(f"onnxruntime: {line_of(error)}") from error
        raise


def step_failure(what: str, error: Exception) -> OutOfMemory | Unsupported:
    """The class of an exception, with one line of it."""
    kind = OutOfMemory if _NO_MEMORY.search(str(error)) else Unsupported
    return kind(f"{what}: {line_of(error)}")


def line_of(error: Exception) -> str:
    """The first line of an exception's text, without the framework's number."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return _PREFIX.sub("", lines[0])[:300] if lines else type(error).__name__
