"""Make an OpenVINO IR in the precision that a scheme asks for, with NNCF."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported
from recommender.executors.openvino import calibration, graph, process, weights
from recommender.ports import EXECUTOR_API, Availability, Prepared, PrepareJob

if TYPE_CHECKING:
    import openvino

_HINT = "pip install 'edge-recommender[openvino]'"
_INT4 = re.compile(r"int4-weights(?P<symmetric>-sym)?-(?:g(?P<group_size>\d+)|(?P<channel>channel))(?:-r(?P<ratio>[01](?:\.\d+)?))?")
_METHODS = ("awq", "scale_estimation", "gptq")
_NEEDS_DATA = ("scale_estimation", "gptq")
_NF4_GROUP = 64
PARAMETERS = (
    "preset", "model_type", "fast_bias_correction", "subset_size", "accuracy_drop", *_METHODS, "sequence_length", "group_size_fallback",
)
_FALLBACKS = ("error", "ignore", "adjust")


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightPlan:
    """Arguments of `nncf.compress_weights`. group_size: -1 one scale a row. ratio: share of the layers in the low precision."""

    mode: str
    group_size: int | None = None
    ratio: float | None = None


def weight_plan(scheme: Mapping[str, Any]) -> WeightPlan:
    """What a weight-only scheme asks for, by its key. Raises Unsupported for one that NNCF does not have."""
    key = str(scheme["key"])
    if key == "int8-weights":
        return WeightPlan(mode="int8_sym" if scheme.get("symmetric") else "int8_asym")
    if key == "NF4":
        return WeightPlan(mode="nf4", group_size=int(scheme.get("group_size") or _NF4_GROUP), ratio=1.0)
    found = _INT4.fullmatch(key)
    if found is None:
        raise Unsupported(f"NNCF makes no `{key}` (it makes F32, fp16, int8-static, int8-weights, int4-weights-..., NF4)")
    symmetric = bool(scheme.get("symmetric", found["symmetric"] or found["channel"]))
    group_size = -1 if found["channel"] else int(found["group_size"])
    return WeightPlan(mode="int4_sym" if symmetric else "int4_asym", group_size=group_size, ratio=float(found["ratio"] or 1.0))


class _Preparer:
    """From an ONNX file or an IR (alone, or in a folder of OpenVINO GenAI) to an IR."""

    name = "nncf"
    api = EXECUTOR_API
    environment = ""

    def availability(self) -> Availability:
        missing = [name for name in ("openvino", "nncf") if find_spec(name) is None]
        if missing:
            return Availability(ok=False, reason=f"{' and '.join(missing)} not installed", hint=_HINT)
        return Availability(ok=True, version=version("nncf"))

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        """An IR: in the folder of a language model `openvino_model.xml` with all that lay beside it, else `model.xml`."""
        process.send_no_reports()
        process.use_processors(job.threads)
        import openvino

        if unknown := sorted(job.parameters.keys() - set(PARAMETERS)):
            raise Unsupported(f"NNCF has no parameter {', '.join(unknown)} (it has {', '.join(PARAMETERS)})")
        entry = graph.entry(job.source)
        model, left_out = graph.read(entry)
        found = weights.describe(model)
        if found["layers"] or found["n_fake_quantize"]:
            raise Unsupported(f"`{entry.name}` is quantized already ({weights.told(found)}): start from floating-point weights")
        made, facts = _made(job, model, entry.parent, say)
        target = job.out / (entry.name if entry.name == "openvino_model.xml" else "model.xml")
        if entry.name == "openvino_model.xml":
            _copy_beside(entry, job.out)
        openvino.save_model(made, target, compress_to_fp16=job.scheme["key"] != "F32")
        stored = weights.verified(target, job.scheme["key"])
        return Prepared(artifact=".", facts={**facts, **stored, **versions(), "left_out_outputs": list(left_out)})


def versions() -> dict[str, str]:
    """Of the packages that have a part in an IR, where they are installed."""
    found = {}
    for name in ("openvino", "nncf", "openvino-tokenizers", "optimum-intel", "transformers"):
        try:
            found[f"{name.replace('-', '_')}_version"] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _made(job: PrepareJob, model: openvino.Model, folder: Path, say: Callable[[str], None]) -> tuple[openvino.Model, dict[str, Any]]:
    """The model as the scheme wants it, in memory, and facts of how."""
    key = job.scheme["key"]
    if key in ("F32", "fp16"):
        return model, {}
    if key != "int8-static":
        return _compressed(job, weight_plan(job.scheme), model, folder, say)
    if job.calibration is None:
        raise Unsupported("int8-static needs calibration data (a .npz with the inputs by name)")
    from recommender.executors.openvino.quantize import quantize

    samples, labels = calibration.samples(job.calibration, model, folder, job.parameters)
    with _plain_refusals():
        return quantize(model, samples, labels, job.parameters, say)


def _compressed(
    job: PrepareJob, plan: WeightPlan, model: openvino.Model, folder: Path, say: Callable[[str], None],
) -> tuple[openvino.Model, dict[str, Any]]:
    import nncf

    methods = [name for name in _METHODS if job.parameters.get(name)]
    if needy := [name for name in methods if name in _NEEDS_DATA and job.calibration is None]:
        raise Unsupported(f"{' and '.join(needy)} needs calibration data (a text, or a .npz with the inputs by name)")
    samples: Sequence[calibration.Sample] = []
    if methods and job.calibration is not None:
        samples, _ = calibration.samples(job.calibration, model, folder, job.parameters)
    say(f"compressing weights to {plan.mode}" + (f" with {' and '.join(methods)}" if methods else ""))
    with _plain_refusals():
        made = nncf.compress_weights(
            model, mode=nncf.CompressWeightsMode(plan.mode), group_size=plan.group_size, ratio=plan.ratio, **dict.fromkeys(methods, True),
            **({"dataset": nncf.Dataset(list(samples)), "subset_size": len(samples)} if samples else {}), **_fallback(plan, job.parameters),
        )
    _allow_cache_compression(made)
    return made, {"mode": plan.mode, "group_size": plan.group_size, "ratio": plan.ratio, "methods": methods, "n_samples": len(samples)}


def _fallback(plan: WeightPlan, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What NNCF does with a layer whose rows are no multiple of the group size."""
    import nncf

    asked = parameters.get("group_size_fallback", "error")
    if asked not in _FALLBACKS:
        raise Unsupported(f"group_size_fallback `{asked}` (there are {', '.join(_FALLBACKS)})")
    if plan.group_size is None:
        return {}
    return {"advanced_parameters": nncf.AdvancedCompressionParameters(group_size_fallback_mode=nncf.GroupSizeFallbackMode(asked))}


def _allow_cache_compression(model: openvino.Model) -> None:
    """An exporter marks 16-bit language models to keep their KV cache in 16 bit too; compressed ones come without that mark."""
    if model.has_rt_info(["runtime_options", "KV_CACHE_PRECISION"]):
        options = model.get_rt_info("runtime_options").value
        model.set_rt_info({name: value for name, value in options.items() if name != "KV_CACHE_PRECISION"}, "runtime_options")


@contextmanager
def _plain_refusals() -> Iterator[None]:
    """NNCF's refusals as ours, in one line."""
    import nncf

    try:
        yield
    except (nncf.ValidationError, nncf.ParameterNotSupportedError, nncf.InvalidGroupSizeError, nncf.UnsupportedModelError) as error:
        raise Unsupported(f"NNCF: {' '.join(str(error).split())[:400]}") from None


def _copy_beside(entry: Path, out: Path) -> None:
    """Tokenizer, configuration and further parts; not the graph itself."""
    for path in entry.parent.iterdir():
        if path.is_file() and path.stem != entry.stem:
            shutil.copy2(path, out / path.name)


PREPARER = _Preparer()
