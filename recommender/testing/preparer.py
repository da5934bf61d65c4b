"""What every preparer must do. Subclass `PreparerSuite`, name your preparer and a scheme, and give it a fixture `source`.

    from recommender.testing.preparer import PreparerSuite
    from my_package.convert import PREPARER

    class TestMine(PreparerSuite):
        preparer, where = PREPARER, "my_package.convert:PREPARER"
        scheme = {"key": "int8-weights"}

        @pytest.fixture(scope="class")
        def source(self, tmp_path_factory):
            return ...

It is run as a recipe's step is, in a child process; the fixture `calibration` may be given too.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from recommender.apply.artifacts import content_hash, files_of
from recommender.measure import isolate
from recommender.testing.executor import REFUSED, ExecutorSuite, answer, ask, files_in, own_places, refusal, value

_OWN = ("job.json", "log.txt", "reproduce.sh", "result.json", "result.json.partial")  # what running a child leaves in its folder
_UNKNOWN = "no-such-scheme"
_GARBAGE = 4096  # bytes
_NAMES = 0.01  # of a file's size: a graph's nodes may be named by counters of the process


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A preparer and what it is given; `environ` on top of the child's."""

    preparer: Any
    where: str
    source: Path
    scheme: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    execution_provider: str = "cpu"
    calibration: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


def observe(step: Step, folder: Path) -> dict[str, Any]:
    """Run a step twice, and on what it must refuse; JSON-ready. The first one's artifact is kept, as `artifact`."""
    orders = {
        "made": _order(step, folder / "made-1"), "unknown scheme": _order(step, folder / "refused-1", scheme={**step.scheme, "key": _UNKNOWN}),
        "random bytes": _order(step, folder / "refused-2", source=garbage_like(step.source, folder / "garbage")),
        "absent": _order(step, folder / "refused-3", source=folder / "absent" / step.source.name), "again": _order(step, folder / "made-2"),
    }
    before, beside = content_hash(step.source), _names(step.source.parent)
    told = answer(_run(step, folder, orders))
    made = told["made"]["value"]["artifact"] if told["made"]["outcome"] == "ok" else None
    return {
        **told, "artifact": str(folder / "made-1" / made) if made else None, "sizes": [_sizes(folder / name) for name in ("made-1", "made-2")],
        "is_source_kept": content_hash(step.source) == before, "beside": sorted(_names(step.source.parent) - beside), "elsewhere": _elsewhere(folder),
    }


def observe_killed(step: Step, folder: Path) -> dict[str, Any]:
    """Kill a step as soon as there is a file in its folder; what is left outside of that folder. A step that is faster comes to its end."""
    out = folder / "made-1"
    before, beside = content_hash(step.source), _names(step.source.parent)
    outcome = _run(step, folder, {"made": _order(step, out)}, killed_from=out)
    return {
        "kind": outcome.kind, "is_source_kept": content_hash(step.source) == before, "beside": sorted(_names(step.source.parent) - beside),
        "elsewhere": _elsewhere(folder),
    }


def _order(step: Step, out: Path, **changed: Any) -> dict[str, Any]:
    """Arguments of `apply.step.prepare`."""
    out.mkdir(parents=True)
    order = {
        "preparer": step.where, "source": step.source, "out": out, "scheme": dict(step.scheme), "parameters": dict(step.parameters),
        "execution_provider": step.execution_provider, "calibration": step.calibration, "threads": 2, **changed,
    }
    return {name: str(each) if isinstance(each, Path) else each for name, each in order.items()}


def _run(step: Step, folder: Path, orders: Mapping[str, Any], *, killed_from: Path | None = None) -> isolate.Outcome:
    """With a home, a folder for temporary files and a working directory of its own."""
    environ = {**own_places(folder), **step.environ}

    def kill(process: int) -> None:
        with contextlib.suppress(OSError):  # the process, or a folder that it is looked for in, has just gone
            if killed_from and any(path.is_file() for path in killed_from.rglob("*")):
                os.kill(process, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

    return ask("prepared", {"orders": orders}, folder / "work", where=step.where, side=step.preparer.environment, environ=environ, watch=kill)


def _elsewhere(folder: Path) -> list[str]:
    """Files in the home, among temporary files and in the working directory that no child needs."""
    own = {f"work/{name}" for name in _OWN}
    return [name for name in files_in(folder, "home", "temporary", "work") if name not in own]


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _sizes(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files_of(folder)}


def garbage_like(path: Path, folder: Path) -> Path:
    """A file, or a folder with files, of the same names; in each are random bytes."""
    for file in files_of(path):
        target = folder / path.name / (file.relative_to(path) if file != path else "")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(random.Random(0).randbytes(_GARBAGE))
    return folder / path.name


class PreparerSuite(ExecutorSuite):
    """Tests of one preparer, by its promises in `recommender.ports.Preparer`."""

    preparer: ClassVar[Any]
    scheme: ClassVar[Mapping[str, Any]]
    parameters: ClassVar[Mapping[str, Any]] = {}
    execution_provider: ClassVar[str] = "cpu"
    has_schemes: ClassVar[bool] = True  # False: it only translates or compiles, whatever the scheme
    reads_source: ClassVar[bool] = True  # False: it does not look into it

    @property
    def executor(self) -> Any:
        return self.preparer

    @pytest.fixture(scope="class")
    def calibration(self) -> Path | None:
        """Data, where the scheme wants them."""
        return None

    @pytest.fixture(scope="class")
    def step(self, source: Path, calibration: Path | None) -> Step:
        """What is run."""
        return Step(
            preparer=self.preparer, where=self.where, source=source, scheme=self.scheme, parameters=self.parameters, calibration=calibration,
            execution_provider=self.execution_provider,
        )

    @pytest.fixture(scope="class")
    def observed(self, step: Step, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
        """What it did in one child process."""
        return observe(step, tmp_path_factory.mktemp("prepared"))

    @pytest.fixture(scope="class")
    def killed(self, step: Step, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
        """What it left in another one that was killed."""
        return observe_killed(step, tmp_path_factory.mktemp("killed"))

    def test_the_artifact_is_there_and_in_its_folder(self, observed: Mapping[str, Any]) -> None:
        told = value(observed["made"])
        assert not Path(told["artifact"]).is_absolute() and ".." not in Path(told["artifact"]).parts
        assert sum(file.stat().st_size for file in files_of(Path(observed["artifact"]))) > 0

    def test_it_says_what_it_made(self, observed: Mapping[str, Any]) -> None:
        assert value(observed["made"])["facts"]

    def test_the_source_stays_as_it_is(self, observed: Mapping[str, Any]) -> None:
        assert observed["is_source_kept"]
        assert observed["beside"] == []

    def test_it_writes_into_its_folder_only(self, observed: Mapping[str, Any]) -> None:
        assert observed["elsewhere"] == []

    def test_the_same_again_has_the_same_size(self, observed: Mapping[str, Any]) -> None:
        assert value(observed["again"])["artifact"] == value(observed["made"])["artifact"]
        first, second = observed["sizes"]
        assert first.keys() == second.keys()
        assert {name: size for name, size in second.items() if abs(size - first[name]) > _NAMES * first[name]} == {}

    def test_an_unknown_scheme_is_refused_by_name(self, observed: Mapping[str, Any]) -> None:
        if not self.has_schemes:
            pytest.skip("it makes no scheme of its own")
        assert _UNKNOWN in refusal(observed["unknown scheme"], ("unsupported",))

    def test_what_is_no_model_is_refused(self, observed: Mapping[str, Any]) -> None:
        if not self.reads_source:
            pytest.skip("it does not look into its source")
        refusal(observed["random bytes"], REFUSED)

    def test_a_source_that_is_not_there_is_refused(self, observed: Mapping[str, Any]) -> None:
        refusal(observed["absent"], REFUSED)

    def test_a_killed_run_leaves_nothing_outside_of_its_folder(self, killed: Mapping[str, Any]) -> None:
        assert killed["is_source_kept"]
        assert killed["beside"] == killed["elsewhere"] == []
