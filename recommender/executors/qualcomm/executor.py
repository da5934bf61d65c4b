"""Graphs on the Hexagon NPU or the Adreno GPU by ONNX Runtime's QNN plug-in; on x86-64 the NPU is emulated, and says so in its facts.

Options, each optional: execution_provider (qnn-htp, qnn-gpu), performance_mode (of `plugin.PERFORMANCE_MODES`), allow_cpu_fallback, n_threads,
context_binary with cache_dir (keep the compiled graph there and load it the next time), spin.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Fallback, Unsupported, WrongOutput
from recommender.executors.qualcomm import plugin, source
from recommender.ports import EXECUTOR_API, Availability, GraphSession, TensorSpec

if TYPE_CHECKING:
    import numpy as np

_TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}  # the others are spelled as numpy's


class QNNGraph:
    """A graph session on QNN."""

    def __init__(self, opened: plugin.Opened, facts: Mapping[str, Any]):
        self._session = opened.session
        self._outputs = [output.name for output in opened.session.get_outputs()]
        self.facts: Mapping[str, Any] = facts
        self.inputs: tuple[TensorSpec, ...] = tuple(
            TensorSpec(
                name=each.name, dtype=_TYPES.get(each.type, each.type.removeprefix("tensor(").removesuffix(")")),
                shape=tuple(size if isinstance(size, int) else None for size in each.shape),
            )
            for each in opened.session.get_inputs()
        )

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        try:
            return dict(zip(self._outputs, self._session.run(None, dict(feeds)), strict=True))
        except Exception as error:  # noqa: BLE001  the framework's own exceptions share no base
            raise plugin.translated(error, "the graph does not run on QNN") from error

    def run_all(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> None:
        """One after the other: the NPU works on one graph at a time."""
        for each in feeds:
            self._session.run(None, dict(each))

    def close(self) -> None:
        del self._session


class QNNRunner:
    """Loads ONNX models and compiled ones (an ONNX file with its context binary beside or in it); a DLC is refused with what to do."""

    name = "qnn"
    api = EXECUTOR_API
    environment = ""
    formats = ("onnx", "context-binary", "dlc")
    tasks = ()

    def availability(self) -> Availability:
        return plugin.plugin_availability()

    def environ(self, options: Mapping[str, Any]) -> dict[str, str]:
        return dict(plugin.NO_REPORTS)

    def open(self, artifact: Path, options: Mapping[str, Any]) -> GraphSession:
        """Raises Unsupported, OutOfMemory, or Fallback where nodes run on the processor and `allow_cpu_fallback` is not set."""
        path = source.find_model(artifact)
        model = source.load(path, weights=False)
        source.check_fixed(model, path.name)
        wanted = wanted_of(options)
        cached, is_hit = _cache(path, model, options, wanted)
        opened = _compiled(path, cached, wanted) if cached and not is_hit else plugin.open_on_qnn(cached or path, wanted)
        _check_placement(opened, path, wanted)
        facts: dict[str, Any] = {
            "framework_version": version("onnxruntime"), "build": f"onnxruntime-qnn {version('onnxruntime-qnn')}", "execution_provider": wanted.unit,
            "precision": "compiled" if source.is_compiled(model) else "qdq" if source.is_quantized(model) else "float",
            "n_threads": wanted.n_threads or None, "performance_mode": wanted.settings.get("htp_performance_mode", "default"),
            "spin": options.get("spin", "shipped"), "placement": opened.placement, "placement_operators": opened.nodes, "emulated": plugin.is_emulated(), "speed_is_meaningful": not plugin.is_emulated(),
        }
        if plugin.is_emulated():
            facts["note"] = plugin.EMULATED
        if cached:
            facts["is_cache_hit"] = is_hit
        return QNNGraph(opened, facts)


def wanted_of(options: Mapping[str, Any]) -> plugin.Wanted:
    """Raises Unsupported for a performance mode that there is not: the framework would take it without a word."""
    settings, entries = {}, {}
    mode = options.get("performance_mode")
    if mode is not None:
        if mode not in plugin.PERFORMANCE_MODES:
            raise Unsupported(f"performance mode `{mode}`: there are {', '.join(plugin.PERFORMANCE_MODES)}")
        settings["htp_performance_mode"] = str(mode)
    if options.get("spin") == "passive":
        entries["session.intra_op.allow_spinning"] = "0"
    return plugin.Wanted(
        unit=options.get("execution_provider", "qnn-htp"), settings=settings, entries=entries, may_fall_back=bool(options.get("allow_cpu_fallback")),
        n_threads=int(options.get("n_threads") or 0),
    )


def _check_placement(opened: plugin.Opened, path: Path, wanted: plugin.Wanted) -> None:
    """Even where falling back is allowed, something must run on the unit that was asked for."""
    if opened.placement is not None and not opened.placement[wanted.unit]:
        raise Fallback(f"no node of `{path.name}` runs on {wanted.unit}: its {opened.placement['cpu']} nodes are on the processor")


def _cache(path: Path, model: Any, options: Mapping[str, Any], wanted: plugin.Wanted) -> tuple[Path | None, bool]:
    """Where the compiled graph is or would be kept, and whether it is there. A name of its own by content, unit and versions."""
    if not options.get("context_binary") or not options.get("cache_dir") or source.is_compiled(model):
        return None, False
    told = hashlib.sha256(repr((version("onnxruntime"), version("onnxruntime-qnn"), wanted.unit)).encode())
    for file in (path, *source.data_files(path, model)):
        with file.open("rb") as stream:
            told.update(hashlib.file_digest(stream, "sha256").digest())
    kept = Path(options["cache_dir"]) / f"qnn-{told.hexdigest()[:20]}" / f"model{source.CONTEXT_SUFFIX}"
    return kept, kept.is_file()


def _compiled(path: Path, kept: Path, wanted: plugin.Wanted) -> plugin.Opened:
    """Open and keep the compiled graph; written aside and renamed, so that another process never loads half of it."""
    partial = kept.parent.with_name(f"{kept.parent.name}.{os.getpid()}")
    partial.mkdir(parents=True, exist_ok=True)
    try:
        entries = {**wanted.entries, "ep.context_enable": "1", "ep.context_embed_mode": "0", "ep.context_file_path": str(partial / kept.name)}
        opened = plugin.open_on_qnn(path, plugin.Wanted(unit=wanted.unit, settings=wanted.settings, entries=entries, may_fall_back=wanted.may_fall_back, n_threads=wanted.n_threads))
        if not (partial / kept.name).is_file():
            raise WrongOutput(f"`{path.name}` was not compiled: no context was written")
        if not kept.parent.exists():
            partial.rename(kept.parent)
        return opened
    finally:
        shutil.rmtree(partial, ignore_errors=True)


RUNNER = QNNRunner()
