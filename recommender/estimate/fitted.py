"""Numbers of a candidate from the estimators that were fitted to evidence, where one speaks for its path. What none speaks for stays as it was computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from recommender.domain.catalog import Catalog
from recommender.domain.estimate import Estimate
from recommender.domain.workload import METRICS
from recommender.estimate.kv_cache import kv_read_bytes
from recommender.estimate.learned import language, local, quality
from recommender.estimate.learned.case import LanguageCase, Predicted, Silicon
from recommender.estimate.learned.quality import QualityCase
from recommender.estimate.learned.silicon import silicon_of
from recommender.estimate.weights import active_bytes, active_params, weight_bytes

if TYPE_CHECKING:
    from recommender.estimate.estimates import Subject

_SPEEDS = ("decode_rate", "prefill_rate", "ttft")


def fitted(subject: Subject, computed: Mapping[str, Estimate], catalog: Catalog) -> dict[str, Estimate]:
    """Speeds of a language model, in place of the computed ones. Inputs keep what was computed, so that the trace shows both."""
    if not subject.model.is_language_model or subject.workload.concurrency != 1:
        return {}
    found: dict[str, Estimate] = {}
    for metric, value in _language(subject, catalog).items():
        if metric in _SPEEDS and isinstance(value, Predicted) and _is_near(metric, value, subject):
            found[metric] = _estimate(metric, value, computed[metric])
    if "decode_rate" in found:
        rate = found["decode_rate"]
        assert rate.low and rate.central and rate.high
        found["tpot"] = replace(rate, metric="tpot", unit=METRICS["tpot"][0], low=1 / rate.high, central=1 / rate.central, high=1 / rate.low)
        found["throughput"] = replace(rate, metric="throughput", unit=METRICS["throughput"][0])
    return found


def _is_near(metric: str, value: Predicted, subject: Subject) -> bool:
    """Far from all evidence the computed number is as good. What a prompt takes needs peak operations: those of its class say little of a unit whose own are not known."""
    needs_peak = metric != "decode_rate" and subject.device.kind != "cpu" and not silicon(subject).peak_ops
    return value.step in (("exact", "microarchitecture") if needs_peak else ("exact", "microarchitecture", "class"))


def fitted_quality(subject: Subject, catalog: Catalog) -> Estimate | None:
    """The loss of the scheme, where published losses of its class speak for this kind of model; None: they do not."""
    learned = catalog.learned.get("quality")
    model, scheme = subject.model, subject.scheme
    if not learned:
        return None
    found = quality.predict(
        QualityCase(
            scheme=scheme.key, bits_per_weight=scheme.bits_per_weight, scope=scheme.scope, activation_bits=scheme.activation_bits, family=model.family,
            n_params=model.n_params, task=model.task, structure=model.structure, framework=subject.candidate.framework, model=model.key,
            metric="" if "gguf" in scheme.formats else "accuracy",  # of GGUF levels perplexities are published, of other schemes accuracies
        ),
        learned,
    )
    if isinstance(found, str):
        return None
    return replace(_estimate("quality_drop", found, None), inputs={**found.parts, "step": found.step})


def language_case(subject: Subject) -> LanguageCase:
    """A candidate as the estimators read it: its workload at mid depth, its options' threads."""
    model, scheme, workload = subject.model, subject.scheme, subject.workload
    depth = workload.prompt_tokens + workload.output_tokens / 2
    threads = subject.candidate.options.get("n_threads")
    return LanguageCase(
        silicon=silicon(subject), framework=subject.candidate.framework, execution_provider=subject.candidate.execution_provider, scheme=scheme.key,
        bits_per_weight=scheme.bits_per_weight, model=model.key, family=model.family, n_params=model.n_params, n_active_params=active_params(model),
        is_mixture=bool(model.n_experts), weight_bytes=weight_bytes(model, scheme), active_bytes=active_bytes(model, scheme),
        kv_bytes=kv_read_bytes(model, depth) / depth if depth else None, prompt_tokens=workload.prompt_tokens, output_tokens=workload.output_tokens,
        depth=depth, context=workload.context, threads=threads if isinstance(threads, int) else None,
    )


def silicon(subject: Subject) -> Silicon:
    """The unit as facts know it, with what was observed or said otherwise (`--set`) of this one."""
    device, attributes = subject.device, subject.attributes
    known = silicon_of(subject.facts) if subject.facts else Silicon(kind=device.kind)
    bandwidth, features = attributes["device.memory_bandwidth"][0], attributes["device.features"][0]
    cores = attributes["device.cores_usable"][0]
    return replace(
        known, machine_class=attributes["host.machine_class"][0] or "", vendor=known.vendor or device.vendor or "", memory_bandwidth=bandwidth or known.memory_bandwidth,
        cores=cores or known.cores, clock=device.attributes.get("max_hz") or known.clock, features=frozenset(features or ()) | known.features,
    )


def _language(subject: Subject, catalog: Catalog) -> Mapping[str, Predicted | str]:
    """From the microbenchmark of this machine where there is one, else from the name plate."""
    case = language_case(subject)
    for name, ask in _ESTIMATORS.items():
        learned = catalog.learned.get(name)
        found = ask(case, subject, learned) if learned else {}
        if any(isinstance(value, Predicted) for value in found.values()):
            return found
    return {}


def _here(case: LanguageCase, subject: Subject, learned: Mapping[str, Any]) -> Mapping[str, Predicted | str]:
    is_measured = subject.device.kind == "cpu" and subject.attributes["device.memory_bandwidth"][1] == "measured"
    return local.predict(case, subject.microbenchmark, learned) if is_measured else {}


def _elsewhere(case: LanguageCase, subject: Subject, learned: Mapping[str, Any]) -> Mapping[str, Predicted | str]:
    """Its shares are of the data sheet's bandwidth: a measured one, which is lower, would be counted down twice."""
    return {} if subject.attributes["device.memory_bandwidth"][1] == "measured" else language.predict(case, learned)


_ESTIMATORS: Mapping[str, Callable[[LanguageCase, Subject, Mapping[str, Any]], Mapping[str, Predicted | str]]] = {"local": _here, "language": _elsewhere}


def _estimate(metric: str, value: Predicted, computed: Estimate | None) -> Estimate:
    return Estimate(
        metric=metric, unit=METRICS[metric][0], low=value.low, central=value.central, high=value.high, basis="analytic" if value.step == "analytic" else "calibrated",
        bound=computed.bound if computed else "", sources=value.sources,
        inputs={**(computed.inputs if computed else {}), "computed": computed.central if computed else None, "step": value.step, **value.parts},
    )
