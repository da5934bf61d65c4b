"""`recommend evidence import` and `add` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recommender.domain.errors import UsageError
from recommender.evidence.formats import formats
from recommender.evidence.importing import MAX_FILE
from recommender.store.evidence import EvidenceStore
from tests.cli.conftest import Run, run  # noqa: F401
from tests.evidence.conftest import Gather
from tests.evidence.test_ai_hub import clone  # noqa: F401
from tests.evidence.test_llama_bench import CSV, DECODE, JSON, JSONL, MARKDOWN, PREFILL
from tests.evidence.test_printed import HAILO


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECOMMEND_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("RECOMMEND_EVIDENCE_URL", raising=False)
    return tmp_path / "data"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bench.json"
    path.write_text(JSON)
    return path


def test_import_list_show_export(run: Run, file: Path, tmp_path: Path) -> None:  # noqa: F811
    found = run("evidence", "import", "llama-bench", str(file), "--json").document
    assert (found["read"], found["added"], found["already"], found["left_out"], found["unknown"], found["files"]) == (2, 2, 0, [], {}, 1)
    listed = run("evidence", "list")
    assert listed.out.count("elsewhere, llama-bench on nvidia.rtx-4080.gpu") == 2 and "llama-cpp/cuda/Q4_K_M" in listed.out and "decode_rate 100 tok/s" in listed.out
    [first, *_] = run("evidence", "list", "--json", "--model", "qwen2.5-7b").document
    assert first["method"] == "llama-bench" and first["digest"] == ""
    page = run("evidence", "show", first["id"]).out
    assert "method llama-bench" in page and "NVIDIA GeForce RTX 4080" in page and "protocol" not in page
    assert run("evidence", "export", "-o", str(tmp_path / "out.jsonl")).code == 0
    again = run("evidence", "import", "own", str(tmp_path / "out.jsonl"), "--json").document
    assert (again["read"], again["added"], again["already"]) == (2, 0, 2)


def test_the_same_file_twice_adds_nothing_whatever_its_name_and_form(run: Run, file: Path, tmp_path: Path) -> None:  # noqa: F811
    assert "2 new" in run("evidence", "import", "llama-bench", str(file)).err
    (tmp_path / "copy.txt").write_text(JSONL)
    for path in (file, tmp_path / "copy.txt"):
        assert "0 new, 2 there already" in run("evidence", "import", "llama-bench", str(path)).err
    assert len(EvidenceStore().elsewhere()) == 2
    assert "2 new" in run("evidence", "import", "llama-bench", str(file), "--device", "GeForce RTX 4090").err


def test_bad_rows_are_counted_and_shown(run: Run, tmp_path: Path) -> None:  # noqa: F811
    rows = [PREFILL, *({**DECODE, "avg_ts": -number, "samples_ts": []} for number in range(1, 13))]
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    found = run("evidence", "import", "llama-bench", str(path))
    assert found.code == 0 and found.out == "" and "left out: row 2: decode_rate: `-1` is not above zero" in found.err and "left out: 2 more" in found.err and "12 rows left out" in found.err
    assert len(run("evidence", "import", "llama-bench", str(path), "--json").document["left_out"]) == 12


def test_unknown_names_are_kept_and_said(run: Run, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "table.md"
    path.write_text(MARKDOWN.replace("qwen2 7B", "llamma-3 70T"))
    said = run("evidence", "import", "llama-bench", str(path), "--device", "RTX 4080 Hyper 99").err
    assert "device `RTX 4080 Hyper 99` is not in the catalogue and kept as written (2 cases)" in said and "model `llamma-3 70T`" in said
    assert {row.model for row in EvidenceStore().elsewhere()} == {"llamma-3 70T"} and {row.facts["device_name"] for row in EvidenceStore().elsewhere()} == {"RTX 4080 Hyper 99"}
    path.write_text(MARKDOWN)
    assert "no device is told; --device names it (2 cases)" in run("evidence", "import", "llama-bench", str(path)).err


def test_a_folder(run: Run, clone: Path) -> None:  # noqa: F811
    found = run("evidence", "import", "ai-hub", str(clone), "--json").document
    assert (found["files"], found["added"], len(found["left_out"])) == (4, 8, 3)


@pytest.mark.parametrize("form", [name for name in formats() if name != "own"])
def test_a_file_of_another_kind_is_refused_with_what_it_should_be(form: str, gather: Gather) -> None:
    with pytest.raises(UsageError) as raised:
        gather(form, "dear diary,\n", name="note.txt")
    assert "note.txt` is no result of" in raised.value.message and formats()[form].looks_like in raised.value.message and raised.value.hints == (formats()[form].made_by,)


@pytest.mark.parametrize(("content", "message"), [
    (b"\x7fELF\x02\x01\x01\xff\xfe" + b"\x80" * 40, "is no UTF-8 text"), (b"abc\0def", "holds zero bytes"), (JSON.encode("utf-16")[:-1], "is no UTF-8 text"),
    (b"\xff\xfe", "is no result of"), (b"", "is no result of"), (JSON.replace("5000", "\u20ac").encode("iso8859-15", "ignore"), "is no"),
    (b'[{"n_prompt": 512, "n_gen": 0, "avg_ts": NaN}]', "none of its 1 rows can be used; row 1: prefill_rate: `nan` is not a finite number"),
    (CSV.replace("5001.5", "-5").replace("100.25", "Infinity").encode(), "none of its 2 rows can be used"),
    (b"[" * 200_000, "is no"), (b'{"a":' * 100_000, "is no"), (b"9" * 100_000, "is no"), (JSON.replace("5000.0", "9" * 400).replace("4000.0", "1").encode()[:600], "none of its 1 rows"),
])  # fmt: skip
def test_hostile_files_get_one_clear_message(content: bytes, message: str, gather: Gather) -> None:
    with pytest.raises(UsageError) as raised:
        gather("llama-bench", content)
    assert message in raised.value.message and len(raised.value.message) < 1500


def test_a_file_that_is_refused_stores_nothing(run: Run, tmp_path: Path, data: Path) -> None:  # noqa: F811
    path = tmp_path / "note.txt"
    path.write_text("dear diary,\n")
    found = run("evidence", "import", "llama-bench", str(path))
    assert found.code == 2 and found.out == "" and len(found.err.splitlines()) == 2 and f"hint: {formats()['llama-bench'].made_by}" in found.err
    assert run("evidence", "import", "llama-bench", str(path), "--json").document["error"]["code"] == "usage" and not data.exists()


@pytest.mark.parametrize("content", [JSON.encode("utf-16"), JSON.encode("utf-8-sig"), JSON.replace("\n", "\r\n").encode()])
def test_files_of_other_systems_are_the_same_figures(content: bytes, gather: Gather) -> None:
    assert gather("llama-bench", content).measurements == gather("llama-bench", JSON).measurements


def test_a_file_that_is_too_large(gather: Gather, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as stream:
        stream.truncate(MAX_FILE + 1)
    with pytest.raises(UsageError, match="larger than 64 MiB"):
        gather("llama-bench", path)


@pytest.mark.parametrize(("words", "message"), [
    (("llama-bensch", "x"), "unknown format `llama-bensch` (one of llama-bench, "), (("llama-bench", "nowhere.json"), "`nowhere.json`: there is no such file"),
    (("llama-bench", "."), "`.` is a folder; llama-bench is read from one file"), (("llama-bench", "nowhere.json", "--date", "yesterday"), "--date `yesterday` is no ISO date"),
])  # fmt: skip
def test_words_that_are_wrong(words: tuple[str, ...], message: str, run: Run) -> None:  # noqa: F811
    found = run("evidence", "import", *words)
    assert found.code == 2 and message in found.err and "hint: " in found.err


def test_a_folder_without_any_file_of_the_format(run: Run, tmp_path: Path) -> None:  # noqa: F811
    found = run("evidence", "import", "ai-hub", str(tmp_path))
    assert found.code == 2 and "holds none of perf.yaml" in found.err


def test_help_lists_the_formats(run: Run) -> None:  # noqa: F811
    page = run("evidence", "import", "--help").out
    assert all(f"\n  {name} " in page for name in formats())


def test_what_a_csv_leaves_out_the_user_names(run: Run, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "x.csv"
    path.write_text(HAILO)
    found = run("evidence", "import", "hailortcli", str(path), "--device", "hailo.hailo-8.accelerator", "--version", "4.20", "--source", "our bench", "--date", "2026-10-01", "--json").document
    assert found["added"] == 2 and len(found["left_out"]) == 1
    row = EvidenceStore().find(model="yolov5m")[0]
    assert (row.version, row.created[:10], row.facts["source"], row.candidate["device"]) == ("4.20", "2026-10-01", "our bench", "hailo.hailo-8.accelerator")


ADD = ("evidence", "add", "--model", "llama-3.2-1b", "--device", "raspberry-pi-5", "--execution-provider", "cpu", "--framework", "llama-cpp", "--scheme", "Q4_K_M")


def test_one_figure_by_hand(run: Run) -> None:  # noqa: F811
    words = (*ADD, "--metric", "decode_rate", "--value", "11.5 tok/s", "--threads", "4", "--source", "a colleague")
    first = run(*words, "--json").document
    assert first["added"] == 1 and "is there already" in run(*words).err
    [row] = EvidenceStore().elsewhere()
    assert (row.method, row.metrics["decode_rate"].value, row.workload, row.facts["source"]) == ("by-hand", 11.5, {"threads": 4}, "a colleague")
    assert row.candidate["device"] == "broadcom.bcm2712.cpu" and row.execution_provider == "cpu"


def test_of_several_units_none_is_guessed(run: Run) -> None:  # noqa: F811
    words = [word for word in ADD if word not in ("--execution-provider", "cpu")]
    said = run(*words, "--metric", "decode_rate", "--value", "11.5 tok/s").err
    assert "device `raspberry-pi-5` is several units and kept as written (1 cases); one of: broadcom.bcm2712.cpu, broadcom.bcm2712.gpu" in said
    assert EvidenceStore().elsewhere()[0].candidate["device"] == ""


@pytest.mark.parametrize(("words", "message"), [
    ((*ADD, "--metric", "decode-rate", "--value", "1 tok/s"), "--metric `decode-rate`"), ((*ADD, "--metric", "latency", "--value", "5"), "has no unit"),
    ((*ADD, "--metric", "latency", "--value", "5 GB"), "`GB` measures bytes"), ((*ADD, "--metric", "latency", "--value", "-5 ms"), "is not above zero"),
    (("evidence", "add", "--metric", "latency", "--value", "5 ms", "--model", "x"), "a figure needs --device, --framework, --scheme"),
])  # fmt: skip
def test_a_figure_that_is_not_whole(words: tuple[str, ...], message: str, run: Run, data: Path) -> None:  # noqa: F811
    found = run(*words)
    assert found.code == 2 and message in found.err and not data.exists()
