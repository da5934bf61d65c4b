"""The C interface of llama.cpp through its Python binding: started quietly, listened to, and its refusals as our errors."""

from __future__ import annotations

import ctypes
import re
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from recommender.domain.errors import OutOfMemory, StepFailed, Unsupported, WrongOutput

_WARNING, _ERROR = 3, 4  # ggml_log_level; 5 continues the line before
_heard: list[str] | None = None  # where lines go while somebody listens
_failures: deque[str] = deque(maxlen=50)  # errors since the last action began
_OUT_OF_MEMORY = re.compile(r"failed to allocate|out of memory|unable to allocate|not enough (memory|space)|bad_alloc", re.IGNORECASE)
_BROKEN_FILE = re.compile(r"corrupted|incomplete|invalid magic|failed to read|not within|bad alignment|unexpectedly reached end|failed to open", re.IGNORECASE)
_PREFIX = re.compile(r"^\w+: ")  # llama.cpp begins a line with the name of its function


@cache
def binding() -> Any:
    """The module `llama_cpp`, its back ends initialised, its log in our hands."""
    import llama_cpp

    llama_cpp.llama_log_set(_receiver(), ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    return llama_cpp


@cache  # keeps the callback alive as long as the library may call it
def _receiver() -> Any:
    import llama_cpp

    def receive(level: int, text: bytes, _: Any) -> None:
        if level not in (_WARNING, _ERROR) and (_heard is None or level > _ERROR):
            return
        line = text.decode("utf-8", "replace").rstrip()
        if _heard is not None:
            _heard.append(line)
        if level >= _WARNING:
            print(line, file=sys.stderr, flush=True)
        if level == _ERROR:
            _failures.append(_PREFIX.sub("", line))

    return llama_cpp.llama_log_callback(receive)


@contextmanager
def listening() -> Iterator[list[str]]:
    """What llama.cpp says meanwhile, line by line, at every level; an action begins. Not nested."""
    global _heard
    lines: list[str] = []
    _heard = lines
    _failures.clear()
    try:
        yield lines
    finally:
        _heard = None


def failure(what: str) -> StepFailed:
    """The error for the action that began last, of the class that llama.cpp's own words tell; its first error is the reason."""
    said = "; ".join(_failures)
    message = f"{what}: {_failures[0][:300]}" if _failures else what
    if _OUT_OF_MEMORY.search(said):
        return OutOfMemory(message)
    if _BROKEN_FILE.search(said):
        return WrongOutput(message)
    return Unsupported(message)


def load_model(path: Path, parameters: Any) -> Any:
    """Model handle; `parameters` from `llama_model_default_params`.

    Raises:
        OutOfMemory, WrongOutput (a broken file), Unsupported: with llama.cpp's first error.
    """
    model = binding().llama_model_load_from_file(str(path).encode(), parameters)
    if not model:
        raise failure(f"llama.cpp does not load `{path.name}`")
    return model


def new_context(model: Any, parameters: Any) -> Any:
    """Context handle of a model.

    Raises:
        OutOfMemory, Unsupported: with llama.cpp's first error.
    """
    context = binding().llama_init_from_model(model, parameters)
    if not context:
        raise failure("llama.cpp makes no context with these options")
    return context


def tokenize(vocabulary: Any, text: str, *, special: bool) -> list[int]:
    """Token ids; `special`: with the tokens that the model puts around a text, and reading those written in it."""
    library = binding()
    data = text.encode()
    room = len(data) + 8  # a token is at least one byte, but for the special ones
    tokens = (library.llama_token * room)()
    count = library.llama_tokenize(vocabulary, data, len(data), tokens, room, special, special)
    if count < 0:  # more than the bytes: the library tells how many
        room = -count
        tokens = (library.llama_token * room)()
        count = library.llama_tokenize(vocabulary, data, len(data), tokens, room, special, special)
    return list(tokens[:count])


def detokenize(vocabulary: Any, tokens: Sequence[int]) -> str:
    """Text of the tokens, special ones left out; bytes that are no UTF-8 become U+FFFD."""
    library = binding()
    given = (library.llama_token * len(tokens))(*tokens)
    room = 16 * len(tokens) + 16
    buffer = ctypes.create_string_buffer(room)
    count = library.llama_detokenize(vocabulary, given, len(tokens), buffer, room, False, False)
    if count < 0:
        room = -count
        buffer = ctypes.create_string_buffer(room)
        count = library.llama_detokenize(vocabulary, given, len(tokens), buffer, room, False, False)
    return buffer.raw[:count].decode("utf-8", "replace")


class Batch:
    """The tokens of one call of `llama_decode`, as arrays that C and numpy share. `decode` runs the next tokens of the one sequence 0."""

    def __init__(self, context: Any, size: int):
        import numpy as np

        self._context = context
        self._library = binding()
        self._batch = self._library.llama_batch_init(size, 0, 1)
        self._token = np.ctypeslib.as_array(self._batch.token, (size,))
        self._position = np.ctypeslib.as_array(self._batch.pos, (size,))
        self._wanted = np.ctypeslib.as_array(self._batch.logits, (size,))
        np.ctypeslib.as_array(self._batch.n_seq_id, (size,))[:] = 1
        for index in range(size):
            self._batch.seq_id[index][0] = 0
        self.size = size
        self._memory = self._library.llama_get_memory(context)

    def forget(self) -> None:
        """Empty the key/value cache; an action begins."""
        _failures.clear()
        self._library.llama_memory_clear(self._memory, True)

    def decode(self, tokens: Sequence[int], position: int, *, every: bool) -> None:
        """At most `size` tokens, the first at `position`; logits of every one or of the last.

        Raises:
            StepFailed: by what llama.cpp says.
        """
        count = len(tokens)
        if count == 1:  # a token that is generated: slices would cost more than all else here
            self._token[0], self._position[0], self._wanted[0] = tokens[0], position, True
        else:
            self._token[:count] = tokens
            self._position[:count] = range(position, position + count)
            self._wanted[:count] = every
            self._wanted[count - 1] = True
        self._batch.n_tokens = count
        status = self._library.llama_decode(self._context, self._batch)
        if status != 0:
            raise failure(f"llama.cpp could not decode {count} tokens (status {status})")

    def close(self) -> None:
        self._library.llama_batch_free(self._batch)
