from __future__ import annotations

from typing import Any

import pytest

from recommender.decide.recipe import launch, recipe
from recommender.domain.model import Artifact, ModelSpec
from recommender.domain.recommendation import RecipeStep
from tests.invented import candidate, catalog, estimate, framework, model, scheme, with_frameworks

ESTIMATES = {"file_size": estimate("file_size", 6.5e8)}
QUANTIZED = Artifact(format="gguf", path="mine.gguf", size=650, scheme="W4", is_quantized=True)
FLOAT = Artifact(format="safetensors", path="mine", size=2200, is_quantized=False)


def steps(of: ModelSpec, with_scheme: Any = None, **values: Any) -> tuple[RecipeStep, ...]:
    return recipe(of, candidate(**values), with_scheme or scheme(), ESTIMATES, catalog())


def test_from_a_catalogue_model_weights_are_fetched_first() -> None:
    found = steps(model(), preparers=("maker", "squeezer"))
    assert [(s.action, s.where) for s in found] == [("fetch", "here"), ("convert", "here"), ("quantize", "any-x86-linux"), ("verify", "target")]
    assert found[0].inputs == ("acme/tiny-1b",) and found[0].size == pytest.approx(2 * 1_100_048_384)
    assert found[2].outputs == found[3].inputs == ("tiny-1b-W4.gguf",)
    assert found[2].size == 650_000_000


def test_each_step_uses_what_the_one_before_made() -> None:
    found = steps(model(), preparers=("maker", "squeezer"))
    for before, after in zip(found, found[1:], strict=False):
        assert after.inputs == before.outputs


def test_a_float_file_of_the_user_is_where_it_starts() -> None:
    found = steps(model(artifact=FLOAT), preparers=("maker",))
    assert [s.action for s in found] == ["convert", "verify"] and found[0].inputs == ("mine",)


def test_a_quantized_file_is_not_quantized_again() -> None:
    found = steps(model(artifact=QUANTIZED), preparers=("maker",))
    assert found[0].action == "fetch" and found[0].inputs == ("acme/tiny-1b",)


def test_as_it_is_means_nothing_but_a_check() -> None:
    found = steps(model(artifact=QUANTIZED), is_as_is=True)
    assert [(s.action, s.inputs) for s in found] == [("verify", ("mine.gguf",))]


def test_parameters_say_what_the_preparer_must_know() -> None:
    wanted = scheme(group_size=64, ratio=0.8, needs_calibration="required")
    made = steps(model(), wanted, preparers=("maker",))[1]
    assert made.parameters == {
        "scheme": "W4", "group_size": 64, "ratio": 0.8, "calibration": "required", "command": "maker acme/tiny-1b tiny-1b-W4.gguf",
    }


@pytest.mark.parametrize(("options", "expected"), [
    ({"n_threads": 4, "context": 2048}, "run -m tiny-1b-W4.gguf -c 2048 -t 4"),
    ({"context": 2048}, "run -m tiny-1b-W4.gguf -c 2048"),
    ({"n_threads": None, "context": ""}, "run -m tiny-1b-W4.gguf"),
])
def test_the_launch_command_drops_what_is_not_set(options: dict[str, Any], expected: str) -> None:
    found = with_frameworks(framework("alpha", launch={"text-generation": "run -m {artifact} -c {context} -t {n_threads}"}))
    assert launch(candidate(options=options), model(), found) == expected


@pytest.mark.parametrize(("templates", "expected"), [({"*": "go {artifact}"}, "go tiny-1b-W4.gguf"), ({"embedding": "x"}, ""), ({}, "")])
def test_without_a_template_for_the_task_there_is_no_command(templates: dict[str, str], expected: str) -> None:
    assert launch(candidate(), model(), with_frameworks(framework("alpha", launch=templates))) == expected


def test_the_users_own_file_is_launched_as_it_is() -> None:
    found = with_frameworks(framework("alpha", launch={"*": "go {artifact}"}))
    assert launch(candidate(is_as_is=True), model(artifact=QUANTIZED), found) == "go mine.gguf"
