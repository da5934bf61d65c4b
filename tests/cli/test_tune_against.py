"""`recommend tune --against`: the words of the user, and the night as he reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recommender.cli.render import nightly
from recommender.cli.tune_against import as_measured
from recommender.domain.errors import UsageError
from recommender.tune.baseline import read
from tests.cli.conftest import Run
from tests.tune.nights import CLASS, POINTS, Fleet, document, written

ASKED: dict[str, Any] = {"model": None, "workload": None, "need": (), "prompt_tokens": None, "output_tokens": None, "context": None, "batch": None, "streams": None}
CHAT = {"key": "chat", "prompt_tokens": 512, "output_tokens": 128, "context": 1024, "batch": 1, "streams": 1}


# --- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words", "named"),
    [
        (None, (), "none.json"), ("not json", (), "baseline.json"), ('{"verdict": "TIE", "choices": []}', (), "no `study`"),
        (document(), ("--max-regression", "five"), "five"), (document(), ("--max-regression", "0%"), "0%"), (document(), ("--max-regression", "120%"), "120%"), (document(), ("--rounds", "1"), "1"),
    ],
)  # fmt: skip
def test_bad_words_are_one_clear_error(run: Run, own_cache: Path, content: Any, words: tuple[str, ...], named: str) -> None:
    path = own_cache / "none.json" if content is None else written(own_cache, content)
    told = run("tune", "--model", "llama-3.2-1b", "--against", str(path), *words, "--json")
    assert told.code == 2 and named in told.document["error"]["message"] and told.document["error"]["hints"]
    assert not (own_cache / "data" / "nights").exists()


def test_the_workload_is_the_baselines(tmp_path: Path) -> None:
    baseline = read(written(tmp_path, document(needs=("peak_memory<=2GB",), workload=CHAT)))
    found = as_measured(baseline, {**ASKED, "prompt_tokens": 512})
    assert (found["model"], found["workload"], found["prompt_tokens"], found["output_tokens"], found["objective"]) == ("tiny", "chat", 512, 128, "decode_rate")
    assert found["need"] == ("peak_memory<=2GB",)


@pytest.mark.parametrize(("changed", "named"), [({"workload": "batch-text"}, "--workload batch-text"), ({"prompt_tokens": 64}, "--prompt-tokens 64")])
def test_another_workload_is_no_comparison(tmp_path: Path, changed: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named) as error:
        as_measured(read(written(tmp_path, document(workload=CHAT))), {**ASKED, **changed})
    assert "--against" in error.value.hints[0]


def test_a_baseline_without_a_model_needs_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--model"):
        as_measured(read(written(tmp_path, document(model=None))), ASKED)


# --- the text ----------------------------------------------------------------------------------------------------------


def test_a_quiet_night_is_short(tmp_path: Path) -> None:
    shown = nightly.text(Fleet(folder=tmp_path).night())
    assert "NO-REGRESSION  none is worse of 8 cells" in shown and f"{CLASS}: 8 same" in shown and len(shown.splitlines()) <= 6


def test_what_is_wrong_comes_first_with_effect_interval_and_p(tmp_path: Path) -> None:
    fleet = Fleet(folder=tmp_path, told=document(needs=("quality_drop<=1%",)))
    for _ in range(4):
        fleet.night()
    fleet.factors[CLASS, POINTS[2]] = 0.88
    fleet.factors[CLASS, POINTS[5]] = 1.20
    fleet.replies[POINTS[3]] = {"kind": "lost", "message": "no answer"}
    shown = nightly.text(fleet.night()).splitlines()
    at = {title: shown.index(title) for title in ("Regressions", "Lost", "Improved")}
    assert at["Regressions"] < at["Lost"] < at["Improved"]
    assert shown[at["Regressions"] + 1].strip().startswith(POINTS[2])
    effect = shown[at["Regressions"] + 2]
    assert " to -" in effect and ", p " in effect and "baseline 100 tok/s" in effect and "21 processes, rerun" in effect
    assert shown[at["Lost"] + 2].strip() == "no answer"
    assert "note: quality_drop is not judged: a repetition does not tell it" in shown


def test_a_long_list_is_cut_and_says_so(tmp_path: Path) -> None:
    points = tuple(f"null/cpu/int8?n={n:03}" for n in range(60))
    fleet = Fleet(folder=tmp_path, told=document(points, n=1), replies=dict.fromkeys(points, {"kind": "crash", "message": "boom"}))
    shown = nightly.text(fleet.night())
    assert shown.count("boom") == 40 and "and 20 more" in shown


def test_the_document_is_json(tmp_path: Path) -> None:
    told = Fleet(folder=tmp_path).night()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert {"schema_version", "baseline", "night", "class", "max_regression", "cells", "regressions", "suspects", "inconclusive", "lost", "verdict", "exit_code", "why"} <= set(told)
