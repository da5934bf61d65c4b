"""`recommend evidence`, and measurements in the next answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recommender import compose
from recommender.cli import main
from recommender.domain.fingerprint import Fingerprint
from recommender.domain.measurement import Measurement, Summary
from recommender.domain.model import Artifact
from recommender.intake.identify import identify
from recommender.intake.model_identity import content_identity
from recommender.store.database import PostgreSQL
from recommender.store.evidence import EvidenceStore
from recommender.testing.store import measurement
from tests.cli.conftest import Run
from tests.invented import model
from tests.store.conftest import postgresql  # noqa: F401  a fixture

MODEL = "llama-3.2-1b"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of this test alone; the cache is shared, since observing this machine takes seconds the first time."""
    monkeypatch.setenv("RECOMMEND_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("RECOMMEND_EVIDENCE_URL", raising=False)
    return tmp_path / "data"


@pytest.fixture
def here() -> Fingerprint:
    return compose.observe_this_machine(lambda text: None, with_microbenchmark=False)


@pytest.fixture
def stored() -> EvidenceStore:
    store = EvidenceStore()
    for row in (
        measurement("aaa1", created="2026-11-20T10:00:00Z"),
        measurement("aaa2", created="2026-11-21T10:00:00Z", model="other", scheme="W8", valid=False, reasons=("NaN in the output", "too few samples")),
        measurement("bbb1", created="2026-11-22T10:00:00Z", framework="beta", metrics={"energy": Summary(unit="J", why="no counter")}),
    ):
        store.add(row)
    return store


# --- list --------------------------------------------------------------------------------------------------------------


def test_list_of_nothing(run: Run, data: Path) -> None:
    assert run("evidence", "list", "--json").document == []
    found = run("evidence", "list")
    assert (found.code, found.out) == (0, "") and str(data / "evidence.sqlite") in found.err
    assert not data.exists()


def test_list_as_json(run: Run, stored: EvidenceStore) -> None:
    newest, invalid, oldest = run("evidence", "list", "--json").document
    assert [row["id"] for row in (newest, invalid, oldest)] == ["bbb1", "aaa2", "aaa1"]
    for name, value in {"framework": "alpha", "scheme": "W4", "model": "tiny", "digest": "d1", "version": "1.0", "protocol": "1", "mode": "normal", "created": "2026-11-20T10:00:00Z"}.items():
        assert oldest[name] == value
    assert oldest["metrics"]["decode_rate"] == {**{name: None for name in ("mad", "spread", "p50", "p90", "p95", "p99")}, "unit": "tok/s", "value": 20.0, "low": 19.0, "high": 21.5, "n_processes": 3, "n_samples": 30, "percentile_why": "", "why": ""}
    assert oldest["validity"] == {"valid": True, "reasons": ["because"], "stale": False, "why": ""}
    assert invalid["validity"]["valid"] is False and invalid["validity"]["reasons"] == ["NaN in the output", "too few samples"]
    assert "samples" not in oldest


@pytest.mark.parametrize(("words", "ids"), [
    (("--model", "tiny"), ["bbb1", "aaa1"]), (("--framework", "beta"), ["bbb1"]), (("--scheme", "W8"), ["aaa2"]), (("--limit", "2"), ["bbb1", "aaa2"]),
    (("--model", "tiny", "--framework", "alpha"), ["aaa1"]), (("--model", "nobody"), []),
])  # fmt: skip
def test_list_filters(words: tuple[str, ...], ids: list[str], run: Run, stored: EvidenceStore) -> None:
    assert [row["id"] for row in run("evidence", "list", "--json", *words).document] == ids


def test_list_as_a_table(run: Run, stored: EvidenceStore) -> None:
    found = run("evidence", "list")
    head, *rows = found.out.splitlines()
    assert head.split() == ["ID", "MEASURED", "MODEL", "PATH", "RESULT", "STATE"] and len(rows) == 3
    assert "alpha/cpu/W4" in rows[2] and "decode_rate 20 tok/s (19-21.5)" in rows[2] and "2026-11-20 10:00" in rows[2]
    assert "invalid: NaN in the output; too few samples" in rows[1]
    assert "3 measurements" in found.err


def test_what_is_stale_is_told(run: Run, here: Fingerprint) -> None:
    installed = next((row for row in here.frameworks), None)
    if installed is None:
        pytest.skip("no framework is installed here")
    store = EvidenceStore()
    store.add(measurement("old", digest=here.digest, framework=installed.framework, version="0.0.1"))
    store.add(measurement("new", digest=here.digest, framework=installed.framework, version=installed.version, created="2026-11-21T10:00:00Z"))
    store.add(measurement("far", digest="d1", framework=installed.framework, version="0.0.1", created="2026-11-19T10:00:00Z"))
    new, old, far = (row["validity"] for row in run("evidence", "list", "--json").document)
    assert old["stale"] and "0.0.1 then" in old["why"] and installed.version in old["why"] and old["valid"]
    assert not new["stale"] and new["why"] == "" and not far["stale"]
    assert "stale: " in run("evidence", "list").out and "stale: " in run("evidence", "show", "old").out


# --- show --------------------------------------------------------------------------------------------------------------


def test_show_by_any_beginning_of_the_id(run: Run, stored: EvidenceStore) -> None:
    found = run("evidence", "show", "b", "--json").document
    assert found["id"] == "bbb1" and found["samples"] == measurement().samples and found["environment"] == measurement().environment and found["reproducer"] == measurement().reproducer
    page = run("evidence", "show", "aaa1").out
    assert "tiny on alpha/cpu/W4" in page and "20 tok/s (19-21.5), 3 processes, 30 samples" in page and "no counter" in page and "n_threads: 2" in page


@pytest.mark.parametrize(("words", "message", "hint"), [
    ("aaa", "2 measurements start with `aaa`", "recommend evidence show aaa2"), ("bbbx", "no measurement `bbbx`", "recommend evidence show bbb1"),
    ("zzz", "no measurement `zzz`", "recommend evidence list"),
])  # fmt: skip
def test_show_of_what_is_not_there(words: str, message: str, hint: str, run: Run, stored: EvidenceStore) -> None:
    found = run("evidence", "show", words)
    assert found.code == 2 and message in found.err and f"hint: {hint}" in found.err
    assert run("evidence", "show", words, "--json").document["error"]["code"] == "usage"


def test_the_group_alone_names_its_words(run: Run) -> None:
    found = run("evidence")
    assert found.code == 2 and all(word in found.err for word in ("list", "show", "export", "path"))


# --- export and path ---------------------------------------------------------------------------------------------------


def test_export_by_ending_and_by_format(run: Run, stored: EvidenceStore, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    for words in (("-o", "a.jsonl"), ("-o", "a.parquet"), ("-o", "a.txt", "--format", "parquet"), ("-o", "plain")):
        assert run("evidence", "export", words[0], str(tmp_path / words[1]), *words[2:]).code == 0
    ids = ["bbb1", "aaa2", "aaa1"]
    assert [json.loads(line)["id"] for line in (tmp_path / "a.jsonl").read_text().splitlines()] == ids
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "a.jsonl").read_bytes()
    assert all(pandas.read_parquet(tmp_path / name)["id"].tolist() == ids for name in ("a.parquet", "a.txt"))
    assert run("evidence", "export", "-o", "-").out == (tmp_path / "a.jsonl").read_text()
    assert run("evidence", "export", "-o", str(tmp_path / "b.jsonl"), "--json").document["measurements"] == 3


def test_export_to_where_nothing_can_be(run: Run, stored: EvidenceStore, tmp_path: Path) -> None:
    found = run("evidence", "export", "-o", str(tmp_path / "no" / "a.jsonl"))
    assert found.code == 2 and str(tmp_path / "no" / "a.jsonl") in found.err
    assert run("evidence", "export", "-o", "-", "--format", "parquet").code == 2


def test_path(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("evidence", "path").out.strip() == str(data / "evidence.sqlite")
    monkeypatch.setenv("RECOMMEND_EVIDENCE_URL", "postgresql://me:hunter2@127.0.0.1:9/db?sslpassword=hunter2")
    for words in (("evidence", "path"), ("evidence", "path", "--json"), ("evidence", "list"), ("evidence", "list", "--json"), ("evidence", "show", "x")):
        found = run(*words)
        assert "hunter2" not in found.out + found.err and "postgresql://me:***@127.0.0.1:9/db" in found.out + found.err
        assert found.code == (0 if "path" in words else 1)


def test_a_team_store(run: Run, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("RECOMMEND_EVIDENCE_URL", postgresql._url)
    EvidenceStore().add(measurement())
    assert [row["id"] for row in run("evidence", "list", "--json").document] == ["m1"]
    assert "s3cret" not in run("evidence", "list").err


# --- in the next answer ------------------------------------------------------------------------------------------------

Answer = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This machine as it was once: the same digest, and numbers that do not move between two answers."""
    file = tmp_path_factory.mktemp("recording") / "machine.json"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setenv("RECOMMEND_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "recommend_cache_dir"))
        main(["probe", "--record", str(file)])
    assert not ended.value.code
    return file


@pytest.fixture
def answer(run: Run, recording: Path) -> Answer:
    words = ("--model", MODEL, "--set", "device.is_quiet=true", "--allow-below-floor", "--json")
    return lambda *more, target=str(recording): run(*words, "--target", target, *more).document  # type: ignore[no-any-return]


def measured_choice(answer: dict[str, Any], here: Fingerprint, **values: Any) -> Measurement:
    """A measurement of the last choice (a first one would not move), much faster than estimated."""
    choice = answer["choices"][-1]
    names = ("prompt_tokens", "output_tokens", "context", "batch", "concurrency", "streams")
    version = next((row.version for row in here.frameworks if row.framework == choice["framework"]), "1")
    return replace(
        measurement("here", digest=here.digest, model=MODEL, framework=choice["framework"], execution_provider=choice["execution_provider"], scheme=choice["scheme"], version=version, model_hash=""),
        **{"workload": {name: answer["workload"][name] for name in names}, "candidate": {"device": choice["device"], "options": choice["options"]},
           "metrics": {"decode_rate": Summary(unit="tok/s", value=4321.0, low=4300.0, high=4350.0)}, **values},
    )  # fmt: skip


def rate(answer: dict[str, Any], row: Measurement) -> dict[str, Any]:
    wanted = (row.framework, row.execution_provider, row.scheme)
    [found] = [choice for choice in answer["choices"] if (choice["framework"], choice["execution_provider"], choice["scheme"]) == wanted]
    return dict(found["estimates"]["decode_rate"])


def test_a_measurement_replaces_the_estimate_of_its_workload(answer: Answer, here: Fingerprint) -> None:
    before = answer()
    row = measured_choice(before, here)
    EvidenceStore().add(row)
    for target in ({}, {"target": "this-machine"}):
        after = rate(answer(**target), row)
        assert (after["central"], after["basis"]) == (4321, "measured-here")
    assert (after["central"], after["low"], after["high"], after["basis"]) == (4321, 4300, 4350, "measured-here") and after["sources"] == ["measurement:here"]
    for words in (("--no-evidence",), ("--prompt-tokens", "100"), ("--concurrency", "2"), ("--set", "device.memory_bandwidth=50 GB/s")):
        assert rate(answer(*words), row)["basis"] != "measured-here", words
    assert rate(answer("--context", str(before["workload"]["context"] + 1)), row)["basis"] == "measured-here"


@pytest.mark.parametrize("change", [{"valid": False}, {"method": "some-bench"}, {"digest": "d1"}, {"model": "other"}])
def test_what_does_not_count_changes_nothing(change: dict[str, Any], answer: Answer, here: Fingerprint) -> None:
    before = answer()
    EvidenceStore().add(measured_choice(before, here, **change))
    assert answer() == before


def test_a_stale_measurement_is_told_and_not_used(answer: Answer, here: Fingerprint) -> None:
    before = answer()
    row = measured_choice(before, here, protocol="0")
    EvidenceStore().add(row)
    after = answer()
    assert rate(after, row) == rate(before, row)
    [note] = set(after["target"]["assumptions"]) - set(before["target"]["assumptions"])
    assert f"{row.framework}/{row.execution_provider}/{row.scheme}" in note and "2026-11-20" in note and "protocol 0 then, 1 now" in note
    assert answer("--no-evidence")["target"]["assumptions"] == before["target"]["assumptions"]


def test_a_damaged_store_costs_a_warning_and_no_answer(run: Run, answer: Answer, recording: Path, data: Path) -> None:
    before = answer()
    (data / "evidence.sqlite").write_bytes(b"nonsense" * 1000)
    assert answer() == before
    found = run("--model", MODEL, "--target", str(recording), "--json")
    assert "warning: measurements are left aside" in found.err and str(data / "evidence.sqlite") in found.err
    assert "measurements" not in run("--model", MODEL, "--target", str(recording), "--no-evidence", "--json").err


def test_a_file_is_known_by_its_content(tmp_path: Path, here: Fingerprint) -> None:
    """Another file of the same name gets nothing of it; a copy under another name does."""
    paths = {name: tmp_path / name / "model.gguf" for name in ("one", "two")}
    for name, file in paths.items():
        file.parent.mkdir()
        file.write_text(name)
    copy = tmp_path / "copy.gguf"
    copy.write_text("one")
    EvidenceStore().add(measurement("of-one", digest=here.digest, model="model", model_hash=content_identity(paths["one"])))
    target = identify(here, compose.load_catalog(), kind="this-machine", name="this-machine")
    for file, known in ((paths["one"], True), (paths["two"], False), (copy, True)):
        spec = model(key=file.stem, artifact=Artifact(format="gguf", path=str(file), size=3))
        found = compose.measurements(target, [spec], lambda text: None)
        assert bool(found.get(file.stem)) is known, file
