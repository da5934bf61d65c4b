"""From a Hugging Face folder to an OpenVINO folder that OpenVINO GenAI loads, tokenizer included, with optimum-intel and NNCF."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recommender.domain.errors import Unsupported, WrongOutput
from recommender.executors.openvino import compress, process, weights
from recommender.ports import EXECUTOR_API, Availability, Prepared, PrepareJob

_PACKAGES = ("optimum", "torch", "openvino", "nncf")
_STORED = {"F32": "fp32", "fp16": "fp16"}  # schemes that the export itself makes


class _Preparer:
    """Exports in floating point; the other schemes then go through NNCF, as `compress` does it."""

    name = "optimum-intel"
    api = EXECUTOR_API
    environment = "conversion"

    def availability(self) -> Availability:
        missing = [name for name in _PACKAGES if find_spec(name) is None]
        if missing:
            return Availability(ok=False, reason=f"{', '.join(missing)} not installed here", hint="recommend apply makes the environment on demand")
        return Availability(ok=True, version=version("optimum-intel"))

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        """A folder with openvino_model.xml, the tokenizer as OpenVINO graphs where the source has one, and the configuration.

        Parameters: `task`, else told by the architecture in config.json; further those of `nncf`.
        """
        process.send_no_reports()
        process.use_processors(job.threads)
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        config = _config(job.source)
        parameters = dict(job.parameters)
        task = str(parameters.pop("task", "") or _task(config))
        key = job.scheme["key"]
        if key in _STORED:
            _export(job.source, job.out, task, _STORED[key], config, say)
            return Prepared(artifact=".", facts={**weights.verified(job.out / "openvino_model.xml", key), **compress.versions(), "task": task})
        if key != "int8-static":
            compress.weight_plan(job.scheme)  # a scheme that is not there shall not cost an export
        with tempfile.TemporaryDirectory(dir=job.out, ignore_cleanup_errors=True) as folder:
            _export(job.source, Path(folder), task, "fp16", config, say)
            made = compress.PREPARER.prepare(replace(job, source=Path(folder), parameters=parameters), say)
        return replace(made, facts={**made.facts, "task": task})


def _config(source: Path) -> Mapping[str, Any]:
    try:
        config = json.loads((source / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Unsupported(f"`{source.name}` has no readable config.json: {error}") from None
    if not isinstance(config, dict):
        raise Unsupported(f"config.json of `{source.name}` is no model configuration")
    return config


def _task(config: Mapping[str, Any]) -> str:
    """The exporter's name of what the model's class is for; generators keep their past, as a state of the graph."""
    import optimum.exporters.openvino  # noqa: F401  registers what can be exported
    import transformers
    from optimum.exporters.tasks import TasksManager

    model_type, names = str(config.get("model_type", "")), config.get("architectures") or ()
    found = next((getattr(transformers, name) for name in names if hasattr(transformers, name)), None)
    if found is None:
        raise Unsupported(f"transformers {transformers.__version__} has no {' or '.join(names) or 'class for a config.json without architectures'}")
    try:
        task = str(TasksManager.infer_task_from_model(found))
        known = TasksManager.get_supported_tasks_for_model_type(model_type, "openvino", library_name="transformers")
    except (KeyError, ValueError) as error:
        raise Unsupported(f"optimum-intel cannot export {found.__name__} (`{model_type}`): {_line(error)}") from None
    return f"{task}-with-past" if f"{task}-with-past" in known else task


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _export(source: Path, out: Path, task: str, dtype: str, config: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """One export in floating point. Raises Unsupported, naming the architecture, when the exporter or its libraries do not know it."""
    from optimum.exporters.openvino import main_export
    from optimum.intel import OVConfig

    say(f"exporting {config.get('model_type', 'the model')} for {task} in {dtype}")
    has_tokenizer = any((source / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.txt"))
    try:
        main_export(str(source), str(out), task=task, ov_config=OVConfig(dtype=dtype), convert_tokenizer=has_tokenizer, local_files_only=True, library_name="transformers")
    except (ValueError, KeyError, ImportError, NotImplementedError) as error:
        raise Unsupported(f"optimum-intel cannot export `{config.get('model_type', '?')}` for {task}: {_line(error)}") from None
    if has_tokenizer and not (out / "openvino_tokenizer.xml").is_file():
        raise WrongOutput(f"the tokenizer of `{source.name}` was not converted: OpenVINO GenAI cannot run the model without it")
    for path in source.glob("*.jinja"):  # a chat template that lies beside the tokenizer
        shutil.copy2(path, out / path.name)


PREPARER = _Preparer()
