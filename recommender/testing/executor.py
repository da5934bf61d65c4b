"""What every executor must do before it does anything: say what it is, and say it without its framework. See `preparer` and `runner`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import pytest

from recommender.executors import environment
from recommender.measure import isolate
from recommender.ports import EXECUTOR_API
from recommender.testing import in_child

REFUSED = ("unsupported", "wrong-output")  # the classes of what cannot be read or done, said by the executor
WALL = 600.0  # seconds
Outcome = Mapping[str, Any]  # {"outcome": "ok", "value": ...} or {"outcome": class, "message": ...}


def ask(
    function: str, arguments: Mapping[str, Any], folder: Path, *, where: str, side: str = "", environ: Mapping[str, str] | None = None,
    watch: Callable[[int], None] | None = None,
) -> isolate.Outcome:
    """Run a function of `in_child` in a process of its own, in the Python of the environment `side`; the executor is at `where`."""
    return isolate.run(
        isolate.Job(
            function=f"{in_child.__name__}:{function}", arguments=arguments, folder=folder, interpreter=environment.make(side, print), environ=environ or {},
            packages=_package(where), wall=WALL,
        ),
        watch=watch,
    )


def own_places(folder: Path) -> dict[str, str]:
    """The environment of a child with a home and a folder for temporary files of its own, so that what is written there shows."""
    home, temporary = folder / "home", folder / "temporary"
    home.mkdir(parents=True)
    temporary.mkdir()
    return {**dict.fromkeys(("HOME", "USERPROFILE", "XDG_CACHE_HOME", "HF_HOME"), str(home)), **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))}


def files_in(folder: Path, *names: str) -> list[str]:
    """All files below some folders of a folder."""
    return sorted(path.relative_to(folder).as_posix() for name in names for path in (folder / name).rglob("*") if path.is_file())


def _package(where: str) -> dict[str, str]:
    """The top-level package of `module:attribute` and its folder."""
    top = where.partition(":")[0].partition(".")[0]
    spec = find_spec(top)
    assert spec and spec.submodule_search_locations, f"there is no package `{top}`"
    return {top: next(iter(spec.submodule_search_locations))}


def answer(outcome: isolate.Outcome) -> Any:
    """The value of a child that came to its end; else the test fails with its message and the end of its log."""
    log = outcome.log.read_text("utf-8", "replace")[-2000:] if outcome.log and outcome.log.is_file() else ""
    assert outcome.ok, f"{outcome.kind}: {outcome.message}\n{log}"
    return outcome.value


def value(told: Outcome) -> Any:
    """The value of one part."""
    assert told["outcome"] == "ok", f"{told['outcome']}: {told['message']}"
    return told["value"]


def refusal(told: Outcome, kinds: tuple[str, ...] = REFUSED) -> str:
    """The message of a part that had to be refused: by class, in one line."""
    assert told["outcome"] != "ok", f"was not refused: {told['value']}"
    assert told["outcome"] in kinds, f"{told['outcome']}: {told['message']}"
    message = str(told["message"])
    assert message.strip() and "\n" not in message.strip(), f"not one line: {message!r}"
    return message


class ExecutorSuite:
    """Tests of what an executor says of itself. Not for use by itself."""

    where: ClassVar[str]  # module:attribute
    needs_a_framework: ClassVar[bool] = True  # False: it works wherever Python does

    @property
    def executor(self) -> Any:
        """The preparer or runner."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    def declared(self, tmp_path_factory: pytest.TempPathFactory) -> Any:
        """What it says of itself in a fresh process, and what that imported."""
        return answer(ask("declared", {"where": self.where}, tmp_path_factory.mktemp("declared"), where=self.where))

    def test_declares_itself(self) -> None:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.executor.name)
        assert self.executor.api == EXECUTOR_API
        assert self.executor.environment in ("", *environment.environments())

    def test_is_at_the_place_that_a_child_is_told(self) -> None:
        assert in_child.found(self.where) is self.executor

    def test_importing_it_imports_nothing_else(self, declared: Any) -> None:
        assert declared["by_import"] == [], "import frameworks, and numpy, inside of functions"

    def test_asking_whether_it_can_work_imports_nothing(self, declared: Any) -> None:
        assert declared["by_asking"] == [], "importlib.util.find_spec and importlib.metadata tell without importing"

    def test_it_can_work_or_says_why_not_and_what_to_do(self, declared: Any) -> None:
        assert declared["hidden"]["ok"] is not self.needs_a_framework, "with nothing installed it needs nothing, or is not available"
        for told in (declared["availability"], declared["hidden"]):
            assert told["version"] if told["ok"] else told["reason"] and told["hint"]
            assert "\n" not in told["reason"] + told["hint"]
