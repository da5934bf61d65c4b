"""`recommend cache`: what is kept between runs, and dropping it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import click

from recommender.cli import print_json, say
from recommender.cli.options import json_option, needs_command

# only files of these names are ours; whatever else lies in the folder stays
_OURS = {
    "catalog-*": "the compiled catalogue",
    "microbenchmark-*": "the microbenchmark of this machine",
    "static.json*": "what does not change of this machine",
}

_ARTIFACT, _LOG, _ENVIRONMENT = "an artifact", "the log of a step that failed", "a side environment"


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def cache(ctx: click.Context) -> None:
    """List or drop what is cached and stored."""
    needs_command(ctx)


@cache.command("list")
@json_option
def list_cache(as_json: bool) -> None:
    """Cached files, artifacts and environments with their sizes, and the stored answers, newest first."""
    from recommender.store import recent

    files = [{"path": str(path), "size": _size(path), "what": what} for path, what in [*_files(), *_folders()]]
    answers = [{"id": name, "said": said, "what": what} for name, said, what in recent.stored()]
    if as_json:
        return print_json({"cache": str(_folder()), "files": files, "store": str(recent.path()), "answers": answers})
    click.echo(_text(files, answers, str(recent.path())))


@cache.command("prune")
@click.option("--answers", "with_answers", is_flag=True, help="The stored answers too.")
@click.option("--artifacts", "with_artifacts", is_flag=True, help="The artifacts that were made, and the logs of steps that failed.")
@click.option("--environments", "with_environments", is_flag=True, help="The side environments of converters.")
@json_option
def prune(with_answers: bool, with_artifacts: bool, with_environments: bool, as_json: bool) -> None:
    """Delete the cached files; the next run makes them again. A store of answers that cannot be read goes too."""
    wanted = {*((_ARTIFACT, _LOG) if with_artifacts else ()), *((_ENVIRONMENT,) if with_environments else ())}
    dropped = []
    for path, _ in [*_files(), *_store(with_answers), *((path, what) for path, what in _folders() if what in wanted)]:
        size = _size(path)
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            say(f"warning: {path} stays: {error.strerror}")
            continue
        dropped.append({"path": str(path), "size": size})
    if as_json:
        return print_json({"dropped": dropped, "bytes": sum(row["size"] for row in dropped)})
    for row in dropped:
        click.echo(row["path"])
    say(f"{len(dropped)} dropped")


def _folder() -> Path:
    from recommender.intake.cache_folder import cache_dir

    return Path(cache_dir())


def _folders() -> list[tuple[Path, str]]:
    """Artifacts, left-over work and side environments, one folder each."""
    from recommender.executors.environment import environments, folder_of

    side = [folder_of(row) for row in environments().values()]
    found = [(path, _ARTIFACT) for path in sorted((_folder() / "artifacts").glob("*")) if path.name != "partial"]
    found += [(path, _LOG) for path in sorted((_folder() / "work").glob("*"))]
    found += [(path, _ENVIRONMENT) for path in side if path.is_dir()]
    return [(path, what) for path, what in found if path.is_dir()]


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder (links not followed)."""
    return path.stat().st_size if path.is_file() else sum(each.lstat().st_size for each in path.rglob("*") if not each.is_dir())


def _files() -> list[tuple[Path, str]]:
    """Our files in the cache folder and what they hold."""
    folder = _folder()
    return [(path, what) for pattern, what in _OURS.items() for path in sorted(folder.glob(pattern)) if path.is_file()]


def _store(is_wanted: bool) -> list[tuple[Path, str]]:
    from recommender.store import recent

    path = recent.path()
    if not path.is_file() or not (is_wanted or _is_broken(path)):
        return []
    beside = [path.with_name(path.name + suffix) for suffix in ("-journal", "-wal", "-shm")]
    return [(found, "past answers") for found in (path, *beside) if found.is_file()]


def _is_broken(path: Path) -> bool:
    import sqlite3

    try:
        with sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True) as connection:
            connection.execute("select count(*) from answers").fetchone()
    except sqlite3.OperationalError as error:
        return "locked" not in str(error)
    except sqlite3.Error:
        return True
    return False


def _text(files: list[dict[str, Any]], answers: list[dict[str, Any]], store: str) -> str:
    from recommender.cli.render.aligned import aligned
    from recommender.cli.render.quantity import readable

    parts = []
    if files:
        rows = [(row["path"], readable(row["size"], "bytes"), row["what"]) for row in files]
        parts.append(aligned(("FILE", "SIZE", "WHAT"), rows, right=frozenset({1})))
    else:
        parts.append(f"nothing is cached in {_folder()}")
    if answers:
        parts.append(aligned(("ANSWER", "SAID", "WHAT"), [(row["id"], row["said"], row["what"]) for row in answers]))
    else:
        parts.append(f"no answer is stored in {store}")
    return "\n\n".join(parts)
