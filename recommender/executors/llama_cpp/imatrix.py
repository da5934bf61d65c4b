"""Importance matrices: how large the inputs of each weight matrix are, channel by channel (mean square over a calibration text).

Read from the files that llama.cpp's `imatrix` tool writes (GGUF, or the older `.dat`), or collected here from the model itself.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import ModelFileError, Unsupported
from recommender.executors.llama_cpp.binding import Batch, binding, listening, load_model, new_context, tokenize

if TYPE_CHECKING:
    import numpy as np

Importance = dict[str, "np.ndarray"]  # tensor -> float32 [channels], or [experts * channels]

CHUNKS = 32  # of 512 tokens that are run by default
_CHUNK = 512  # tokens, as the tool's default
_LONGEST_TOKEN = 16  # bytes of text per token that are read at most
_SUMS, _COUNTS = ".in_sum2", ".counts"


def read_importance(path: Path) -> Importance:
    """From a file of either form.

    Raises:
        ModelFileError: it is not there, or in neither form.
    """
    import numpy as np

    try:
        data = path.read_bytes()
        found = _from_gguf(path) if data[:4] == b"GGUF" else _from_dat(data)
    except OSError as error:
        raise ModelFileError(f"importance matrix `{path.name}` cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, IndexError, struct.error):
        found = {}
    if not found or not all(np.isfinite(values).all() for values in found.values()):
        raise ModelFileError(f"`{path.name}` is not an importance matrix as llama.cpp's imatrix tool writes it")
    return found


def _from_gguf(path: Path) -> Importance:
    """Tensors NAME.in_sum2 [experts, channels] (sums of squares) and NAME.counts [experts, 1]."""
    import gguf
    import numpy as np

    tensors = {tensor.name: tensor.data for tensor in gguf.GGUFReader(path).tensors}
    found: Importance = {}
    for name, sums in tensors.items():
        if name.endswith(_SUMS):
            counts = np.asarray(tensors[name.removesuffix(_SUMS) + _COUNTS], np.float32).reshape(-1, 1)
            means = np.where(counts > 0, sums.reshape(len(counts), -1) / np.maximum(counts, 1), 1.0)  # an expert that never ran: no preference
            found[name.removesuffix(_SUMS)] = means.astype(np.float32).ravel()
    return found


def _from_dat(data: bytes) -> Importance:
    """Number of entries; each: length and name, number of calls, number of values, values summed over calls (int32 and float32, little endian)."""
    import numpy as np

    at = 0

    def number() -> int:
        nonlocal at
        (value,) = struct.unpack_from("<i", data, at)
        at += 4
        if value < 0:
            raise ValueError("a negative length")
        return int(value)

    found: Importance = {}
    for _ in range(number()):
        length = number()
        name = data[at : at + length].decode()
        at += length
        calls, count = number(), number()
        found[name] = np.frombuffer(data, "<f4", count, at) / np.float32(max(calls, 1))
        at += 4 * count
    return found


def collect_importance(model_file: Path, text: str, threads: int, chunks: int = CHUNKS) -> Importance:
    """Run the model over the text (at most `chunks` times 512 tokens) and watch what enters its weight matrices.

    Raises:
        Unsupported: the text is shorter than 512 tokens, or this build of llama.cpp cannot be watched.
    """
    library = binding()
    with listening():
        parameters = library.llama_model_default_params()
        parameters.n_gpu_layers = 0
        model = load_model(model_file, parameters)
    try:
        vocabulary = library.llama_model_get_vocab(model)
        tokens = tokenize(vocabulary, text[: chunks * _CHUNK * _LONGEST_TOKEN], special=False)[: chunks * _CHUNK]
        if len(tokens) < _CHUNK:
            raise Unsupported(f"the calibration text has {len(tokens)} tokens; an importance matrix needs at least {_CHUNK}")
        return _watched(model, tokens, threads)
    finally:
        library.llama_model_free(model)


def _watched(model: Any, tokens: list[int], threads: int) -> Importance:
    library = binding()
    watcher = _Watcher()
    parameters = library.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = _CHUNK
    parameters.n_threads = parameters.n_threads_batch = threads
    parameters.cb_eval = callback = library.ggml_backend_sched_eval_callback(watcher.look)
    with listening():
        context = new_context(model, parameters)
    batch = Batch(context, _CHUNK)
    try:
        for start in range(0, len(tokens) - _CHUNK + 1, _CHUNK):
            batch.forget()
            batch.decode(tokens[start : start + _CHUNK], 0, every=True)  # all of them: else the last layer sees one token
    finally:
        batch.close()
        library.llama_free(context)
        del callback
    return watcher.means()


class _Tensor(ctypes.Structure):
    """`struct ggml_tensor`, as far as needed (ggml.h). It is not a stable interface: `_Watcher` checks it against the library's own answer."""

    _fields_ = [
        ("type", ctypes.c_int), ("buffer", ctypes.c_void_p), ("ne", ctypes.c_int64 * 4), ("nb", ctypes.c_size_t * 4), ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16), ("flags", ctypes.c_int32), ("src", ctypes.c_void_p * 10), ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t), ("data", ctypes.c_void_p), ("name", ctypes.c_char * 64),
    ]  # fmt: skip


class _Watcher:
    """Sums of squares of what enters each matrix of a layer. `look` is llama.cpp's callback: asked before each operation, told after it."""

    def __init__(self) -> None:
        self._ggml = _ggml()
        self._sums: dict[str, Any] = {}
        self._counts: dict[str, int] = {}
        self._fits = True

    def look(self, address: int, asks: bool, _: Any) -> bool:
        if self._ggml.ggml_op_desc(address) != b"MUL_MAT":
            return not asks
        tensor = _Tensor.from_address(address)
        self._fits = self._fits and tensor.name == self._ggml.ggml_get_name(address)
        if not self._fits:
            return not asks
        name = (self._ggml.ggml_get_name(tensor.src[0]) or b"").decode("utf-8", "replace")
        if not (name.startswith("blk.") and name.endswith(".weight")):
            return not asks
        if not asks:
            self._add(name, tensor.src[1])
        return True

    def _add(self, name: str, address: int) -> None:
        import numpy as np

        tensor = _Tensor.from_address(address)
        channels, rows = tensor.ne[0], tensor.ne[1] * tensor.ne[2] * tensor.ne[3]
        if tensor.type != 0 or self._ggml.ggml_nbytes(address) != 4 * channels * rows:  # float32 without gaps
            self._fits = False
            return
        values = np.empty((rows, channels), np.float32)
        self._ggml.ggml_backend_tensor_get(address, values.ctypes.data, 0, values.nbytes)
        self._sums[name] = self._sums.get(name, 0.0) + np.square(values, dtype=np.float64).sum(axis=0)
        self._counts[name] = self._counts.get(name, 0) + rows

    def means(self) -> Importance:
        import numpy as np

        if not self._fits or not self._sums:
            raise Unsupported("this build of llama.cpp does not show what enters its matrices; give a file made by its imatrix tool as `imatrix`")
        return {name: (sums / self._counts[name]).astype(np.float32) for name, sums in self._sums.items()}


def _ggml() -> Any:
    """The tensor library beside llama.cpp's own, with the signatures of what is called."""
    import llama_cpp
    from llama_cpp._ctypes_extensions import load_shared_library

    library = load_shared_library("ggml-base", Path(llama_cpp.__file__).parent / "lib")
    for name, result in (("ggml_get_name", ctypes.c_char_p), ("ggml_op_desc", ctypes.c_char_p), ("ggml_nbytes", ctypes.c_size_t)):
        getattr(library, name).argtypes, getattr(library, name).restype = [ctypes.c_void_p], result
    library.ggml_backend_tensor_get.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
    library.ggml_backend_tensor_get.restype = None
    return library


def as_array(importance: Mapping[str, np.ndarray]) -> Any:
    """The matrix as llama.cpp's quantizer takes it: an array that an empty entry ends. It borrows the values: keep them alive."""
    entry = binding().llama_model_imatrix_data
    array = (entry * (len(importance) + 1))()
    for index, (name, values) in enumerate(importance.items()):
        array[index] = entry(name.encode(), values.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), values.size)
    return array
