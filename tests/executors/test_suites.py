"""The conformance suites find what they are there to find, each fault by the test that is about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recommender.testing.preparer import PreparerSuite, Step, observe, observe_killed
from recommender.testing.runner import GraphRunnerSuite, RunnerSuite, TokenRunnerSuite
from tests.executors.faulty import PREPARER, RUNNER

TOKENS = {
    "special token": "tokenizing_adds_no_special_tokens", "silent": "generation_is_of_the_asked_length_and_announced_token_by_token",
    "stops early": "generation_is_of_the_asked_length_and_announced_token_by_token", "keeps prompts": "generation_repeats_and_keeps_nothing_of_other_prompts",
    "takes no prompt": "an_empty_prompt_is_refused", "nan": "logits_are_finite_numbers_for_every_token", "double": "logits_are_finite_numbers_for_every_token",
    "shifted": "logits_say_what_is_generated", "keeps calls": "logits_repeat_and_keep_nothing_of_other_calls", "no text": "text_in_text_out",
    "does not close": "closing_ends_it", "no version": "facts_tell_what_is_used",
}
GRAPH = {
    "any name": "an_input_of_another_name_is_refused", "stale": "outputs_repeat_and_follow_the_inputs", "changes inputs": "inputs_stay_as_they_are",
    "lists": "outputs_are_arrays_of_stable_shapes", "growing": "outputs_are_arrays_of_stable_shapes", "returns all": "many_at_once_return_nothing",
}
PREPARED = {
    "any scheme": "an_unknown_scheme_is_refused_by_name", "reads nothing": "what_is_no_model_is_refused", "changes its source": "the_source_stays_as_it_is",
    "writes beside its source": "the_source_stays_as_it_is", "writes elsewhere": "it_writes_into_its_folder_only", "grows": "the_same_again_has_the_same_size",
    "absolute": "the_artifact_is_there_and_in_its_folder", "silent": "it_says_what_it_made",
}


class Tokens(TokenRunnerSuite):
    runner, where, heeds = RUNNER, "tests.executors.faulty:RUNNER", ()


class Graph(GraphRunnerSuite):
    runner, where, heeds = RUNNER, "tests.executors.faulty:RUNNER", ()
    inputs = {"x": ("float32", (1, 8))}


class Prepared(PreparerSuite):
    preparer, where = PREPARER, "tests.executors.faulty:PREPARER"


def check(suite: Any, name: str) -> Any:
    """A test of a suite."""
    return getattr(suite, f"test_{name}")


def artifact(folder: Path) -> Path:
    path = folder / "artifact" / "model.json"
    path.parent.mkdir()
    path.write_text("{}", "utf-8")
    return path


def faulty(suite: RunnerSuite, fault: str) -> RunnerSuite:
    suite.options = {"fault": fault, "kind": "tokens" if isinstance(suite, Tokens) else "graph"}
    return suite


def test_without_a_fault_nothing_is_found(tmp_path: Path) -> None:
    for suite, names in ((Tokens(), TOKENS), (Graph(), GRAPH)):
        folder = tmp_path / type(suite).__name__
        folder.mkdir()
        observed = faulty(suite, "").observe(artifact(folder), folder)
        for name in set(names.values()):
            check(suite, name)(observed)
    step = Step(preparer=PREPARER, where=Prepared.where, source=artifact(tmp_path), scheme={"key": "F32"})
    prepared, killed = observe(step, tmp_path / "job"), observe_killed(step, tmp_path / "killed")
    for name in set(PREPARED.values()):
        check(Prepared(), name)(prepared)
    check(Prepared(), "a_killed_run_leaves_nothing_outside_of_its_folder")(killed)


@pytest.mark.parametrize("fault", TOKENS)
def test_faults_of_a_language_models_session(fault: str, tmp_path: Path) -> None:
    suite = faulty(Tokens(), fault)
    observed = suite.observe(artifact(tmp_path), tmp_path)
    with pytest.raises((AssertionError, KeyError)):
        check(suite, TOKENS[fault])(observed)


@pytest.mark.parametrize("fault", GRAPH)
def test_faults_of_a_graphs_session(fault: str, tmp_path: Path) -> None:
    suite = faulty(Graph(), fault)
    observed = suite.observe(artifact(tmp_path), tmp_path)
    with pytest.raises(AssertionError):
        check(suite, GRAPH[fault])(observed)


@pytest.mark.parametrize("fault", PREPARED)
def test_faults_of_a_preparer(fault: str, tmp_path: Path) -> None:
    step = Step(preparer=PREPARER, where=Prepared.where, source=artifact(tmp_path), scheme={"key": "F32"}, parameters={"fault": fault})
    observed = observe(step, tmp_path / "job")
    with pytest.raises(AssertionError):
        check(Prepared(), PREPARED[fault])(observed)


def test_a_killed_step_that_wrote_elsewhere(tmp_path: Path) -> None:
    step = Step(preparer=PREPARER, where=Prepared.where, source=artifact(tmp_path), scheme={"key": "F32"}, parameters={"fault": "writes elsewhere"})
    killed = observe_killed(step, tmp_path / "job")
    with pytest.raises(AssertionError):
        check(Prepared(), "a_killed_run_leaves_nothing_outside_of_its_folder")(killed)


@pytest.mark.parametrize(
    ("fault", "name", "more"),
    [
        ("loads anything", "what_cannot_be_loaded_is_refused", ("random bytes",)), ("two lines", "an_unknown_option_is_ignored_or_refused_by_name", ()),
        ("reports", "it_writes_nothing_into_the_home", ({"home": []},)),
    ],
)
def test_faults_in_opening(fault: str, name: str, more: tuple[Any, ...], tmp_path: Path) -> None:
    suite = faulty(Graph(), fault)
    asked = suite.observe_asked(artifact(tmp_path), tmp_path / "asked")
    with pytest.raises(AssertionError):
        check(suite, name)(*more, asked)


def test_an_environment_that_is_not_of_text() -> None:
    with pytest.raises(AssertionError):
        check(faulty(Graph(), "numbers"), "the_environment_of_its_child_is_a_pure_function_of_the_options")()
