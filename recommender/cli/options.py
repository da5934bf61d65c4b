"""What several commands share: `--catalog` and `--json`, the word after a group, names near to a wrong one."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable
from typing import Any

import click

from recommender.domain.errors import UsageError

catalog_option: Callable[[Any], Any] = click.option(
    "--catalog", "overlays", multiple=True, metavar="DIR", help="Further knowledge on top of the built-in. Repeatable."
)
json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


def all_overlays(given: tuple[str, ...]) -> tuple[str, ...]:
    """The folders of --catalog, then those of RECOMMEND_CATALOG."""
    return (*given, *(path for path in os.environ.get("RECOMMEND_CATALOG", "").split(os.pathsep) if path))


def nearest(words: str, names: Iterable[str], *, count: int = 3) -> list[str]:
    """Names that look like `words`, the nearest first, without regard to case."""
    by_lower: dict[str, str] = {}
    for name in names:
        by_lower.setdefault(name.lower(), name)
    wanted = words.lower()
    near = difflib.get_close_matches(wanted, by_lower, n=count, cutoff=0.55)
    near += [name for name in by_lower if wanted and wanted in name and name not in near]
    return [by_lower[name] for name in near[:count]]


def needs_command(ctx: click.Context) -> None:
    """A group without a word behind it. Raises UsageError with the words that may follow."""
    if ctx.invoked_subcommand is None and isinstance(ctx.command, click.Group):
        names = ctx.command.list_commands(ctx)
        raise UsageError(f"`{ctx.command_path}` needs one of {', '.join(names)}", hints=(f"{ctx.command_path} --help",))
