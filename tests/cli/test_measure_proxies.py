"""`recommend --model NAME --measure 60s` without weights: what is measured changes the answer, and equals stay equal."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from recommender.apply.artifacts import Made
from recommender.cli.measure_proxies import Series, expected_seconds
from recommender.domain.catalog import Catalog
from recommender.domain.fingerprint import InstalledFramework
from recommender.domain.measurement import Measurement
from recommender.domain.recommendation import Wishes
from recommender.domain.target import Target
from recommender.measure.proxy import Proxied, metrics_of, plan_of
from recommender.measure.proxy_report import measurement_of
from recommender.recommend import decide
from recommender.store.evidence import EvidenceStore
from tests.cli.conftest import Run
from tests.invented import efficiency, framework, model, statement, target, with_frameworks, workload
from tests.loader.overlay import folder
from tests.measure.null_proxy import FAST, SLOW, install
from tests.measure.test_proxy import taken

NAMES = ("alpha", "beta", "gamma")
MODEL = model()


def invented(*, alpha: float = 0.9, others: float = 0.1) -> Catalog:
    """Frameworks alpha, beta and gamma of one scheme; alpha is taken to use that share of the machine."""
    def rows(share: float, **when: Any) -> list[Any]:
        return [replace(efficiency(phase, resource, share), when=when) for phase in ("prefill", "decode") for resource in ("compute", "memory-bandwidth")]

    efficiencies = (*rows(alpha, **{"candidate.framework": "alpha"}), *rows(others, **{"candidate.framework": {"in": ["beta", "gamma"]}}))
    return with_frameworks(
        *(framework(name, statement(name, schemes=("W4",))) for name in NAMES), efficiencies=efficiencies,
        workloads={"chat": workload(prompt_tokens=8, output_tokens=4, context=64)},
    )


def here() -> Target:
    """This machine, with all three installed."""
    return target(kind="this-machine", frameworks=tuple(InstalledFramework(framework=name, package=name, version="1", execution_providers=("cpu",)) for name in NAMES))


def answer(catalog: Catalog, rows: tuple[Measurement, ...] = (), excluded: tuple[str, ...] = ()) -> dict[str, Any]:
    return decide(
        MODEL, here(), catalog, workload_key="chat", workload_overrides={}, needs=(), wishes=Wishes(excluded_frameworks=excluded), beside=(), today="2026-11-24", measurements={MODEL.key: rows},
    )


def series(document: dict[str, Any], catalog: Catalog, work: Path, budget: float) -> Series:
    return Series(model=MODEL, target=here(), catalog=catalog, workload=document["workload"], budget=budget, work=work)


def test_an_estimate_that_is_wrong_gives_way_and_the_order_changes(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    catalog = invented()
    before = answer(catalog)
    assert [choice["framework"] for choice in before["choices"]] == ["alpha", "beta", "gamma"] and SLOW.per_layer > 5 * FAST.per_layer
    measuring = series(before, catalog, own_cache / "work", 90.0)
    rows = tuple(measuring.run(before["choices"]))
    assert [row.framework for row in rows] == ["alpha", "beta"] and [row.id for row in measuring.left] == ["gamma/cpu/W4"] and "no such layers" in measuring.left[0].reason
    assert {row.id for row in EvidenceStore().find()} == {row.id for row in rows}, "each is stored before the next begins"
    after = answer(catalog, rows)
    assert after["choices"][0]["framework"] == "beta" and after["verdict"] == "RECOMMENDED"
    for choice in after["choices"][:2]:
        for metric in ("decode_rate", "ttft", "tpot"):
            assert (choice["estimates"][metric]["basis"], choice["estimates"][metric]["proxy"]) == ("measured-here", choice["framework"] != "gamma")


def test_equal_candidates_are_a_tie() -> None:
    catalog = invented()
    before = answer(catalog, excluded=("gamma",))
    assert before["verdict"] == "RECOMMENDED"
    repetitions = taken()
    metrics = metrics_of(repetitions, MODEL, catalog.schemes["W4"], before["workload"], plan_of(before["workload"]))
    made = Made(key="k", path=Path("p"), size=1, hash="h", facts={})
    found = Proxied(metrics=metrics, depths=(2, 6), made=(made, made), repetitions=(*repetitions[2], *repetitions[6]), cost={"write": 1.0, "run": 2.0})
    rows = tuple(measurement_of(choice, found, MODEL, before["workload"], here(), started=1.0) for choice in before["choices"])
    after = answer(catalog, rows, excluded=("gamma",))
    assert (after["verdict"], after["why"]) == ("TIE", "nothing that is known separates alpha/cpu/W4, beta/cpu/W4")


def test_only_what_fits_the_time_is_started(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    catalog = invented()
    document = answer(catalog)
    assert expected_seconds(document["choices"][0], MODEL, catalog, document["workload"]) > 2.0
    measuring = series(document, catalog, own_cache / "work", 2.0)
    assert list(measuring.run(document["choices"])) == []
    error = measuring.nothing()
    assert "it would take about" in error.message and all(hint.startswith("recommend --measure") for hint in error.hints)


OWN_MODEL = """
    [[model]]
    key = "thin-5m"
    name = "Thin 5M"
    task = "text-generation"
    structure = "transformer"
    architecture = "llama"
    n_params = 11010304
    n_layers = 16
    hidden_size = 256
    n_heads = 4
    n_kv_heads = 2
    head_dim = 64
    ffn_size = 512
    vocab_size = 4096
    context_length = 2048
    tied_embeddings = true
    sources = ["own"]
"""
OWN_SOURCE = """
    [[source]]
    id = "own"
    title = "Own"
    url = "https://example.org/own"
    kind = "measured"
    retrieved = "2026-11-01"
"""


@pytest.mark.skipif(find_spec("llama_cpp") is None or find_spec("gguf") is None, reason="llama.cpp is not installed")
def test_a_name_alone_is_measured_and_the_text_says_of_what(own_cache: Path, run: Run) -> None:
    overlay = str(folder(own_cache / "overlay", {"models/m.toml": OWN_MODEL, "sources/m.toml": OWN_SOURCE}))
    words = ("--model", "thin-5m", "--catalog", overlay, "--framework", "llama-cpp", "--prompt-tokens", "32", "--output-tokens", "16", "--measure", "9s")
    told = run(*words, "--json")
    assert told.code == 0, told.out + told.err
    measured = [choice for choice in told.document["choices"] if choice["estimates"]["decode_rate"]["basis"] == "measured-here"]
    assert measured and all(choice["estimates"]["decode_rate"]["proxy"] for choice in measured) and measured[0]["framework"] == "llama-cpp"
    assert "by shape proxies of 2 and 6 layers" in told.err
    assert "measured here (shape proxy)" in run(*words[:-2], "--limit", "9").out
    [*rows] = EvidenceStore().find(model="thin-5m")
    assert rows and all(row.model_hash == "" and "shape-proxy" in row.flags for row in rows)
    refused = run("--model", "mobilenet-v2", "--measure", "5s")
    assert refused.code == 2 and "its weights are not on this machine" in refused.err
