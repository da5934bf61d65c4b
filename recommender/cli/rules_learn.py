"""`recommend rules learn`: the tree that measured cases teach, beside the chapter's, as a proposal of rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from recommender.cli import print_json, say
from recommender.cli.options import all_overlays, catalog_option, json_option
from recommender.domain.errors import UsageError

if TYPE_CHECKING:
    from recommender.domain.catalog import Catalog
    from recommender.learn.contests import Contest
    from recommender.learn.lesson import Lesson


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--out", metavar="DIR", help="Write the proposed rows as a folder of knowledge, to be read and tried with --catalog DIR.")
@catalog_option
@json_option
def learn(out: str | None, overlays: tuple[str, ...], as_json: bool) -> int:
    """What measured cases say of frameworks and schemes, as a small tree beside the chapter's rows.

    From all published figures and this machine's own. Regrets are of devices that were left out of the fit. Nothing is applied: the rows are a
    proposal with their support and sources.
    """
    from recommender.compose import load_catalog
    from recommender.learn.lesson import document, lessons

    folder = _free(out)
    layers = all_overlays(overlays)
    catalog = load_catalog(layers)
    taught, silent = lessons(_contests(catalog, layers), catalog, say)
    found = document(taught, silent)
    if folder:
        _write(folder, taught, catalog)
    if as_json:
        print_json(found)
        return 0
    from recommender.cli.render.learned import text

    click.echo(text(found, catalog.vocabulary))
    if folder:
        say(f"written to {out}; try it with: recommend --catalog {out} --model NAME")
    return 0


def _free(out: str | None) -> Path | None:
    """Raises UsageError where something is there already."""
    if out is None:
        return None
    path = Path(out)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"--out `{out}` is there already", hints=(f"recommend rules learn --out {out}-2",))
    return path


def _contests(catalog: Catalog, overlays: tuple[str, ...]) -> list[Contest]:
    """Contests of every source, then this machine's own."""
    from recommender.audit.cases import LOSS, published
    from recommender.audit.published import figures
    from recommender.cli.cases_here import cases_here
    from recommender.learn.contests import contests
    from recommender.learn.proposal import OWN
    from recommender.loader.files import layers

    known, rows = figures(catalog, layers(overlays))
    say(f"{len(rows)} published figures")
    found: list[Contest] = []
    for source in sorted({row.source for row in rows}):
        found += contests(published(known, [row for row in rows if row.source == source and row.metric != LOSS]), source, catalog)
    return found + list(contests(cases_here(catalog), OWN, catalog))


def _write(folder: Path, taught: list[Lesson], catalog: Catalog) -> None:
    """All files or none: they are made beside the folder and moved into its place."""
    import datetime
    import shutil
    import tempfile

    from recommender.learn.lesson import remarks
    from recommender.learn.proposal import files

    proposed = {table: [rule for lesson in taught if lesson.table == table for rule in lesson.rules] for table in dict.fromkeys(lesson.table for lesson in taught)}
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, content in files(proposed, catalog, remarks(taught), datetime.date.today().isoformat()).items():
            (partial / name).parent.mkdir(exist_ok=True)
            (partial / name).write_text(content, "utf-8")
        partial.chmod(0o755)
        partial.replace(folder)  # an empty folder may be there
    finally:
        shutil.rmtree(partial, ignore_errors=True)
