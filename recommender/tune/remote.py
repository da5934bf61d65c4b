"""Points of a device that cannot run this program: artifacts are made and judged here, a command of the user runs them there."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from recommender.apply.artifacts import Made
from recommender.domain.errors import DeviceLost, RecommenderError, UsageError
from recommender.executors import registry
from recommender.executors.remote import runner
from recommender.executors.remote.parser import parser as parser_of
from recommender.measure.campaign import Campaign
from recommender.measure.repetition import Repetition
from recommender.tune.bench import Judged
from recommender.tune.exchange import Exchange
from recommender.tune.live import Live
from recommender.tune.space import Choice, Point, Space

_WORKLOAD = ("batch", "prompt_tokens", "output_tokens", "context", "streams")


class Remote(Live):
    """A `Bench`. `command`, `push`: templates as of `recommend measure --runner`; a point's settings are placeholders as well. `parser`: name or file.

    Raises:
        UsageError: the parser is none.
    """

    def __init__(self, campaign: Campaign, *, command: str, push: str | None, parser: str, exchange: Exchange | None = None):
        super().__init__(campaign, spin="", exchange=exchange)
        parser_of(parser)
        self._command, self._push, self._parser = command, push or "", parser
        self._pushed: set[str] = set()

    def _gated(self, choice: dict[str, Any], made: Made) -> Judged:
        """Quality is that of this machine, where the framework runs here too; else it stays unknown."""
        is_here = choice["framework"] in registry.names(registry.RUNNERS) and registry.ready(registry.runner(choice["framework"])).ok
        return super()._gated(choice, made) if is_here else Judged(metrics={"file_size": float(made.size)}, artifact=made.hash)

    def take(self, point: Point, round: int) -> Repetition:
        there = self._remote(point)
        try:
            if point.choice not in self._pushed:
                runner.push(there)
                self._pushed.add(point.choice)
        except UsageError:
            raise
        except RecommenderError as error:
            kind = "lost" if isinstance(error, DeviceLost) else getattr(error, "kind", "unsupported")
            return Repetition(candidate=point.id, round=round, kind=kind, message=error.message)
        return runner.take_remote(there, round)

    def _remote(self, point: Point) -> runner.Remote:
        choice = self.choice_of(point)
        workload = self._campaign.subject.document["workload"]
        values: Mapping[str, Any] = {**{name: workload[name] for name in _WORKLOAD}, **choice["options"], **point.settings}
        return runner.Remote(
            candidate=point.id, command=self._command, parse=self._parser, artifact=self._own_name(self._made[point.choice]), values=values, push=self._push,
            wall=self._campaign.settings.budget,
        )

    def _own_name(self, made: Made) -> Path:
        """The artifact under a name of its own: those of several choices are called alike, and on the device one would replace the other."""
        path = self._campaign.work.absolute() / "artifacts" / f"{made.hash[:12]}-{made.path.name}"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.symlink_to(made.path.absolute(), target_is_directory=made.path.is_dir())
            except OSError:  # not everywhere may everybody make links
                copy = shutil.copytree if made.path.is_dir() else shutil.copyfile
                copy(made.path, path)
        return path


def one_path(choices: list[Choice]) -> list[Choice]:
    """Those that the first one's framework, execution provider and device run: a command runs no other.

    Raises:
        UsageError: choices of several frameworks, and none was named.
    """
    frameworks = dict.fromkeys(choice["framework"] for choice in choices)
    if len(frameworks) > 1:
        raise UsageError(f"--runner runs one framework, and there are choices of {', '.join(frameworks)}", hints=tuple(f"recommend tune --framework {name} ..." for name in list(frameworks)[:3]))
    path = ("execution_provider", "device")
    return [choice for choice in choices if all(choice[name] == choices[0][name] for name in path)]


def reachable(space: Space, command: str) -> Space:
    """The points that the command can tell apart: only settings that it names are varied, all others stay as the command has them."""
    named = runner.placeholders(command)
    points: dict[str, Point] = {}
    for point in space.points:
        told = {name: value for name, value in point.settings.items() if name in named}
        found = replace(point, settings=told, start={name: value for name, value in point.start.items() if name in named})
        points.setdefault(found.id, found)
    used = {name for point in points.values() for name in point.parameters}
    return replace(space, points=tuple(points.values()), domains={name: values for name, values in space.domains.items() if name in used})
