"""The two public documents are what their schemas say."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from recommender import compose
from recommender.domain.catalog import Catalog
from recommender.domain.fingerprint import (
    Cache,
    Cores,
    Device,
    Fingerprint,
    HostMemory,
    InstalledFramework,
    ProbeOutcome,
)
from recommender.domain.recommendation import Wishes
from recommender.intake.document import fingerprint_to_document
from recommender.loader import schemas
from recommender.recommend import combined, decide, largest_usable

jsonschema = pytest.importorskip("jsonschema")


def faults(name: str, document: Any) -> list[str]:
    """Faults of a document, those of the branch that fits best."""
    schema = schemas.stored()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    found = jsonschema.Draft202012Validator(schema).iter_errors(document)
    return [f"{list(best.path)}: {best.message[:300]}" for best in (jsonschema.exceptions.best_match([error]) for error in found)]


def answer(catalog: Catalog, model: str, target: str, *, full: bool = False, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    return decide(
        catalog.models[model],
        compose.resolve_target(target, catalog, lambda _: None),
        catalog,
        workload_key=None,
        workload_overrides={},
        needs=needs,
        wishes=Wishes(prefer={"speed": 2.0, "quality": 1.0}),
        beside=(),
        today="2026-11-24",
        full_trace=full,
    )


@pytest.fixture(scope="module")
def sample(catalog: Catalog) -> dict[str, Any]:
    return answer(catalog, "llama-3.2-3b", "galaxy-s25")


@pytest.mark.parametrize(
    ("model", "target", "full", "needs"),
    [
        ("llama-3.2-3b", "galaxy-s25", False, ()),
        ("llama-3.2-3b", "raspberry-pi-5", True, ()),
        ("mobilenet-v2", "jetson-orin-nano-8gb", False, ("latency<=0.001 ms",)),
        ("tabular-gbdt", "raspberry-pi-5", False, ()),
        ("whisper-base", "raspberry-pi-5", False, ()),
    ],
    ids=["phone", "full trace", "infeasible", "tabular", "speech"],
)
def test_answer_is_valid(catalog: Catalog, model: str, target: str, full: bool, needs: tuple[str, ...]) -> None:
    assert faults("recommendation", answer(catalog, model, target, full=full, needs=needs)) == []


def test_answer_without_a_model_is_valid(catalog: Catalog, sample: dict[str, Any]) -> None:
    target = compose.resolve_target("galaxy-s25", catalog, lambda _: None)
    assert faults("recommendation", combined([sample], {"language": largest_usable(target, catalog, Wishes())})) == []
    assert faults("recommendation", combined([sample], {"language": None})) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("verdict",), "MAYBE"),
        (("today",), "today"),
        (("id",), "xyz"),
        (("target", "kind"), "dream"),
        (("colour",), "red"),
        (("choices", 0, "eligibility"), "ineligible"),
        (("choices", 0, "rank"), 0),
        (("choices", 0, "estimates", "joy"), {}),
        (("choices", 0, "estimates", "peak_memory", "basis"), "guess"),
        (("choices", 0, "device_kind"), "tpu"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_changed_answer_is_refused(sample: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    changed = copy.deepcopy(sample)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    assert faults("recommendation", changed) != []


def test_unknown_number_needs_a_reason(sample: dict[str, Any]) -> None:
    changed = copy.deepcopy(sample)
    changed["choices"][0]["estimates"]["peak_memory"].update(central=None, why=None)
    assert faults("recommendation", changed) != []
    changed["choices"][0]["estimates"]["peak_memory"]["why"] = "not observed"
    assert faults("recommendation", changed) == []


FULL = Fingerprint(
    os={"name": "linux", "version": "6.1"},
    architecture="aarch64",
    machine={"model": "Board"},
    devices=(
        Device(
            id="cpu0",
            kind="cpu",
            features=("asimddp",),
            cores=Cores(physical=4),
            caches=(Cache(level=1, type="data", size=65536),),
        ),
        Device(id="npu0", kind="npu", vendor="acme", identifiers={"soc": "A1"}, memory_kind="shared"),
    ),
    memory=HostMemory(total=2**33),
    frameworks=(InstalledFramework(framework="mlx", package="mlx", version="1", execution_providers=None),),
    power={"source": "mains"},
    limits={"cpu_quota": 1.5},
    microbenchmark={"memory_bandwidth": 1e10},
    outcomes=(ProbeOutcome(probe="memory", status="ok", elapsed=0.1, produced=("memory",)),),
    digest="abc",
)
EMPTY = Fingerprint(
    os={},
    architecture=None,
    machine={},
    devices=(),
    memory=HostMemory(),
    frameworks=(),
    power={},
    limits={},
    microbenchmark={},
    outcomes=(),
    digest="",
)


@pytest.mark.parametrize("fingerprint", [FULL, EMPTY], ids=["full", "empty"])
def test_probe_document_is_valid(fingerprint: Fingerprint) -> None:
    assert faults("probe", fingerprint_to_document(fingerprint)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"colour": "red"},
        {"devices": [{"kind": "cpu"}]},
        {"memory": None},
        {"outcomes": [{"probe": "x", "status": "fine"}]},
    ],
    ids=["newer", "unknown key", "half a device", "no memory", "unknown status"],
)
def test_changed_probe_document_is_refused(change: dict[str, Any]) -> None:
    assert faults("probe", {**fingerprint_to_document(FULL), **change}) != []
