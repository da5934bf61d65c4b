"""What every runner must do. Subclass the suite of your kind of session, name your runner, and give it a fixture `artifact`.

    from recommender.testing.runner import TokenRunnerSuite
    from my_package.executor import RUNNER

    class TestMine(TokenRunnerSuite):
        runner, where = RUNNER, "my_package.executor:RUNNER"

        @pytest.fixture(scope="class")
        def artifact(self, tmp_path_factory):
            return ...

`TokenRunnerSuite` is for language models, `GraphRunnerSuite` for everything else. Sessions live in child processes, as they do when they are measured.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from recommender.apply.artifacts import files_of
from recommender.testing.executor import REFUSED, ExecutorSuite, answer, ask, files_in, own_places, refusal, value
from recommender.testing.in_child import N_PROMPT, N_TOKENS
from recommender.testing.preparer import garbage_like

CONTEXT = 256  # tokens; frameworks round it up to multiples of less
OPTIONS = ("n_threads", "context", "spin", "execution_provider")  # whose effect is looked at
_UNIT, _OPTION = "no-such-unit", "no_such_option"
TEXT = (
    "The garden behind the house had been left to itself for years. Grass stood as high as the fence, and nobody remembered what had been planted "
    "under the trees. In the first week of spring she cut a path to the old well, cleaned the stones, and found that the water was still clear. "
    "Birds came back before the flowers did. By the end of the summer there were beans along the wall, three kinds of roses, and a bench that her "
    "brother had made of what was left of the gate. When it rained they sat inside and wrote down what to change in the coming year.\n"
)


def broken_copies(artifact: Path, folder: Path) -> dict[str, Path]:
    """What a runner must refuse, made from what it loads."""
    copies = {"random bytes": garbage_like(artifact, folder / "garbage"), "absent": folder / "absent" / artifact.name}
    short = folder / "short" / artifact.name
    short.parent.mkdir(parents=True)
    if artifact.is_dir():
        shutil.copytree(artifact, short)
    else:
        shutil.copy2(artifact, short)
    largest = max(files_of(short), key=lambda file: file.stat().st_size)
    os.truncate(largest, largest.stat().st_size // 2)
    text, empty = folder / "notes.txt", folder / "empty"
    text.write_text(TEXT, "utf-8")
    empty.mkdir()
    return {**copies, "cut short": short, "another format": text, "an empty folder": empty}


class RunnerSuite(ExecutorSuite):
    """Tests of what runners of both kinds promise in `recommender.ports.Runner`. Not for use by itself."""

    runner: ClassVar[Any]
    options: ClassVar[Mapping[str, Any]] = {}  # that the artifact needs
    heeds: ClassVar[tuple[str, ...]] = OPTIONS  # options that have an effect
    offers: ClassVar[str] = "cpu"  # an execution provider that is there
    tolerance: ClassVar[float] = 1e-5  # between equal calls, as a share of the largest value

    @property
    def executor(self) -> Any:
        return self.runner

    def _options(self, **changed: Any) -> dict[str, Any]:
        return {"n_threads": 2, "spin": "passive", **({"context": CONTEXT} if "context" in self.heeds else {}), **self.options, **changed}

    def _answer(self, function: str, arguments: Mapping[str, Any], folder: Path, options: Mapping[str, Any]) -> Any:
        """The answer of a child with the environment that the runner wants for these options."""
        environ = {**own_places(folder), **self.runner.environ(options)}
        outcome = ask(function, {"runner": self.where, **arguments}, folder, where=self.where, side=self.runner.environment, environ=environ)
        return {**answer(outcome), "home": files_in(folder, "home")}

    def observe(self, artifact: Path, folder: Path, **more: Any) -> Any:
        """All of a session that is well treated; JSON-ready."""
        raise NotImplementedError

    def observe_asked(self, artifact: Path, folder: Path) -> Any:
        """Sessions with other options, and what must not open; JSON-ready."""
        plain = self._options(n_threads=1, spin="shipped")
        asked: dict[str, tuple[Path, dict[str, Any]]] = {
            "other options": (artifact, plain), "unknown option": (artifact, {**plain, _OPTION: 1}), "unknown unit": (artifact, {**plain, "execution_provider": _UNIT}),
            **{name: (path, plain) for name, path in broken_copies(artifact, folder).items()},
        }
        told = {name: (str(path), options) for name, (path, options) in asked.items()}
        return self._answer("opened", {"asked": told}, folder / "job", plain)

    @pytest.fixture(scope="class")
    def observed(self, artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
        """What a session did in one child process."""
        found: Mapping[str, Any] = self.observe(artifact, tmp_path_factory.mktemp("session"))
        return found

    @pytest.fixture(scope="class")
    def asked(self, artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
        """What came of opening sessions in another."""
        found: Mapping[str, Any] = self.observe_asked(artifact, tmp_path_factory.mktemp("asked"))
        return found

    def _needs(self, option: str) -> None:
        if option not in self.heeds:
            pytest.skip(f"it does not heed {option}")

    def test_says_what_it_loads(self) -> None:
        assert self.runner.formats and all(isinstance(each, str) and each for each in self.runner.formats)

    def test_the_environment_of_its_child_is_a_pure_function_of_the_options(self) -> None:
        before, options = dict(os.environ), self._options()
        first, second = self.runner.environ(options), self.runner.environ(options)
        assert first == second and all(isinstance(each, str) for pair in first.items() for each in pair)
        assert options == self._options() and dict(os.environ) == before
        assert isinstance(self.runner.environ({}), dict)

    def test_facts_tell_what_is_used(self, observed: Mapping[str, Any]) -> None:
        facts = value(observed["facts"])
        assert isinstance(facts["framework_version"], str) and facts["framework_version"]
        assert facts.get("execution_provider", self.offers) == self.offers

    def test_the_number_of_threads_is_the_one_asked_for(self, observed: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
        self._needs("n_threads")
        assert (value(observed["facts"])["n_threads"], value(asked["other options"])["n_threads"]) == (2, 1)

    def test_how_threads_wait_reaches_the_child_or_the_session(self, observed: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
        self._needs("spin")
        environs = [self.runner.environ({"spin": each}) for each in ("passive", "shipped")]
        facts = [value(told).get("spin") for told in (observed["facts"], asked["other options"])]
        assert environs[0] != environs[1] or facts == ["passive", "shipped"]

    def test_the_harness_can_measure_it(self, observed: Mapping[str, Any]) -> None:
        assert "not-deterministic" not in value(observed["measured"])["flags"]

    def test_it_writes_nothing_into_the_home(self, observed: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
        assert observed["home"] == asked["home"] == [], "what is cached goes to the option cache_dir; nothing is reported"

    def test_closing_ends_it(self, observed: Mapping[str, Any]) -> None:
        value(observed["closed"])
        assert observed["left"] == [], "programs that it started still run"

    def test_an_unknown_option_is_ignored_or_refused_by_name(self, asked: Mapping[str, Any]) -> None:
        told = asked["unknown option"]
        assert told["outcome"] == "ok" or _OPTION in refusal(told, ("unsupported",))

    def test_a_unit_that_is_not_there_is_refused_with_what_is_offered(self, asked: Mapping[str, Any]) -> None:
        self._needs("execution_provider")
        message = refusal(asked["unknown unit"], ("unsupported",))
        assert _UNIT in message and self.offers in message.replace(_UNIT, "").lower()

    @pytest.mark.parametrize("what", ["random bytes", "cut short", "absent", "another format", "an empty folder"])
    def test_what_cannot_be_loaded_is_refused(self, what: str, asked: Mapping[str, Any]) -> None:
        refusal(asked[what], REFUSED)


class TokenRunnerSuite(RunnerSuite):
    """Tests of a runner of language models, by its promises in `recommender.ports.TokenSession`.

    The artifact's model takes `CONTEXT` tokens or more, and its tokenizer makes at least 60 tokens of `TEXT`.
    """

    closeness: ClassVar[float] = 1e-5  # how far a generated token's logit may lie below the largest, as a share of the largest: generation may compute in less precision

    def observe(self, artifact: Path, folder: Path, **more: Any) -> Any:
        options = self._options()
        return self._answer("tokens", {"artifact": str(artifact), "options": options, "text": TEXT}, folder / "job", options)

    def test_tokens_are_ids_of_the_vocabulary(self, observed: Mapping[str, Any]) -> None:
        told = value(observed["ids"])
        assert told["are_ids"] and told["n"] >= 60, told

    def test_tokenizing_adds_no_special_tokens(self, observed: Mapping[str, Any]) -> None:
        told = value(observed["ids"])
        assert told["none"] == 0, "no text, no tokens"
        assert len(set(told["first"])) > 1 and len(set(told["last"])) > 1, "texts that differ begin or end with the same token"

    def test_generation_is_of_the_asked_length_and_announced_token_by_token(self, observed: Mapping[str, Any]) -> None:
        told = value(observed["generated"])
        assert [len(told[name]) for name in ("first", "second", "again", "single")] == [N_TOKENS, N_TOKENS, N_TOKENS, 1]
        assert told["ticks"] == 3 * N_TOKENS + 1
        assert all(0 <= token < observed["n_vocab"] for token in told["first"])

    def test_generation_repeats_and_keeps_nothing_of_other_prompts(self, observed: Mapping[str, Any]) -> None:
        told = value(observed["generated"])
        assert told["again"] == told["first"] and told["single"] == told["first"][:1]
        assert told["second"] != told["first"], "another prompt, the same answer"

    def test_logits_are_finite_numbers_for_every_token(self, observed: Mapping[str, Any]) -> None:
        told = value(observed["logits"])
        assert told["is_array"] and told["dtype"] == "float32" and told["is_finite"]
        assert told["shape"] == [N_PROMPT, observed["n_vocab"]]

    def test_logits_repeat_and_keep_nothing_of_other_calls(self, observed: Mapping[str, Any]) -> None:
        told = value(observed["logits"])
        assert told["change"] <= self.tolerance
        assert not told["is_overwritten"], "a later call changed the array"

    def test_logits_say_what_is_generated(self, observed: Mapping[str, Any]) -> None:
        assert value(observed["logits"])["shortfall"] <= self.closeness

    def test_text_in_text_out(self, observed: Mapping[str, Any]) -> None:
        first, second = value(observed["text"])
        assert isinstance(first, str) and first.strip() and second == first

    def test_an_empty_prompt_is_refused(self, observed: Mapping[str, Any]) -> None:
        refusal(observed["no prompt"], ("unsupported",))

    def test_a_prompt_longer_than_the_context_is_refused(self, observed: Mapping[str, Any]) -> None:
        self._needs("context")
        refusal(observed["too long"], ("unsupported",))

    def test_a_refusal_leaves_the_session_as_it_was(self, observed: Mapping[str, Any]) -> None:
        assert value(observed["after"]) == value(observed["generated"])["first"]


class GraphRunnerSuite(RunnerSuite):
    """Tests of a runner of graphs, by its promises in `recommender.ports.GraphSession`."""

    heeds: ClassVar[tuple[str, ...]] = tuple(option for option in OPTIONS if option != "context")
    inputs: ClassVar[Mapping[str, tuple[str, tuple[int | None, ...]]]]  # of the artifact: name -> type and shape

    @pytest.fixture(scope="class")
    def free_artifact(self) -> Path | None:
        """Another artifact, whose inputs and outputs have a free first axis; None where the runner takes none."""
        return None

    def observe(self, artifact: Path, folder: Path, **more: Any) -> Any:
        options, free = self._options(), more.get("free_artifact")
        told = {"artifact": str(artifact), "options": options, "free": str(free) if free else None}
        return self._answer("graph", told, folder / "job", options)

    @pytest.fixture(scope="class")
    def observed(self, artifact: Path, free_artifact: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
        """What a session did in one child process."""
        found: Mapping[str, Any] = self.observe(artifact, tmp_path_factory.mktemp("session"), free_artifact=free_artifact)
        return found

    def test_inputs_are_told_by_name_type_and_shape(self, observed: Mapping[str, Any]) -> None:
        assert {name: (dtype, tuple(shape)) for name, dtype, shape in observed["inputs"]} == dict(self.inputs)

    def test_free_dimensions_are_none_and_free(self, observed: Mapping[str, Any]) -> None:
        if observed["free"] is None:
            pytest.skip("it takes fixed shapes only")
        told = value(observed["free"])
        assert all(shape[0] is None for _, _, shape in told["inputs"])
        assert told["sizes"] == {"1": [1], "3": [3]}

    def test_outputs_are_arrays_of_stable_shapes(self, observed: Mapping[str, Any]) -> None:
        told = value(observed["runs"])
        assert told["are_arrays"] and told["shapes"][0] and all(shapes == told["shapes"][0] for shapes in told["shapes"])

    def test_outputs_repeat_and_follow_the_inputs(self, observed: Mapping[str, Any]) -> None:
        told = value(observed["runs"])
        assert told["change"] <= self.tolerance
        assert not told["is_constant"], "other inputs, the same outputs"

    def test_inputs_stay_as_they_are(self, observed: Mapping[str, Any]) -> None:
        assert value(observed["runs"])["are_feeds_kept"]

    def test_many_at_once_return_nothing(self, observed: Mapping[str, Any]) -> None:
        assert value(observed["runs"])["returns_nothing"]

    def test_an_input_of_another_name_is_refused(self, observed: Mapping[str, Any]) -> None:
        refusal(observed["wrong name"], ("unsupported",))

    def test_an_input_of_another_shape_is_refused(self, observed: Mapping[str, Any]) -> None:
        refusal(observed["wrong shape"], ("unsupported",))

    def test_a_refusal_leaves_the_session_as_it_was(self, observed: Mapping[str, Any]) -> None:
        told = value(observed["after"])
        assert told["shapes"] == value(observed["runs"])["shapes"] and told["change"] <= self.tolerance
