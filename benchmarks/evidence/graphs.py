"""Published figures of models that run once per input -> knowledge/evidence/*.csv: python -m benchmarks.evidence.graphs FOLDER [OUT]

FOLDER holds the tables `perf_*.csv[.gz]`. One row comes out per device, model, framework, precision, input, batch, threads and setting: the median
of the newest release that has it. A row that a decision may use names `device` and `model` by their catalogue keys; all others leave both
empty and serve the fits, by `device_name`, `model_name` and, where the catalogue knows the unit, `silicon`. `device_group` and `base_model` are
empty where they are nothing but the published name in small letters.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.evidence import board_tables, mlperf_tables
from benchmarks.evidence.figure import Figure, merged
from recommender.compose import load_catalog
from recommender.domain.catalog import Catalog
from recommender.predict.long_rows import base_model_of, device_of, group_of, model_of, plain_name, slug
from recommender.predict.spelling import Names, names_of, read_aliases

KNOWLEDGE = Path(__file__).parents[2] / "knowledge"
COLUMNS = (
    "metric", "value", "model", "framework", "scheme", "source", "device", "digest", "execution_provider", "version", "conditions", "date", "low", "high",
    "device_name", "model_name", "silicon", "device_group", "base_model", "unit", "kind", "task", "params_m", "gmacs", "activations_m", "input", "precision",
    "batch", "threads", "setting", "n",
)  # fmt: skip
_READERS = {**board_tables.READERS, **mlperf_tables.READERS}
_OF_MANY_STEPS = ("text-generation", "image-text-to-text", "image-generation", "text-to-image")  # a rate of their one network is not the model's


def main(arguments: list[str]) -> None:
    folder, out = Path(arguments[0]), Path(arguments[1]) if len(arguments) > 1 else KNOWLEDGE / "evidence"
    names = names_of(load_catalog(), read_aliases(KNOWLEDGE / "aliases"))
    files: dict[str, list[Figure]] = {}
    for path in sorted(folder.glob("perf_*.csv*")):
        table = path.name.partition(".")[0]
        if table in _READERS:
            target, readers = _READERS[table]
            figures = [resolved(figure, names) for row in _rows(path) for reader in readers if (figure := reader(row))]
            kept = list(merged(figures))
            known = sum(bool(figure.silicon) for figure in kept)
            print(f"{table}: {len(figures)} figures, {len(kept)} rows, {known / len(kept):.0%} on a unit of the catalogue", file=sys.stderr)
            files.setdefault(target, []).extend(kept)
    for target, figures in files.items():
        _write(out / f"{target}.csv", figures)


def resolved(figure: Figure, names: Names) -> Figure:
    """The figure with the catalogue's unit and model where they are known, and with the groups that are left out together."""
    device = device_of(names, figure.kind, figure.device_name)
    scheme = figure.scheme
    if figure.framework == "ncnn" and not scheme and figure.precision == "fp16/fp32":  # half precision where the arithmetic has it
        scheme = "fp16" if figure.kind == "gpu" or (device and "asimdhp" in device.features) else "F32"
    return replace(
        figure, scheme=scheme, silicon=device.key if device else "", device_group=group_of(names, device, figure.device_name),
        model=model_of(names, figure.framework, figure.model_name), base_model=base_model_of(names, figure.framework, figure.model_name),
    )


def usable(figures: Iterable[Figure], catalog: Catalog) -> set[Figure]:
    """The figures that may stand in for a candidate: of several (threads, settings) of the newest release the best."""
    best: dict[tuple[str, ...], Figure] = {}
    for figure in figures:
        is_known = figure.silicon and figure.model and figure.framework in catalog.frameworks and figure.scheme in catalog.schemes
        if is_known and figure.is_plain and catalog.models[figure.model].task not in _OF_MANY_STEPS:
            key = (figure.metric, figure.silicon, figure.model, figure.framework, figure.execution_provider, figure.scheme, figure.source)
            if key not in best or _rank(figure) > _rank(best[key]):
                best[key] = figure
    return set(best.values())


def _rank(figure: Figure) -> tuple[tuple[int, ...], float]:
    return figure.order, figure.value if figure.metric == "throughput" else -figure.value


def _rows(path: Path) -> Iterator[Mapping[str, str]]:
    opened = gzip.open(path, "rt", encoding="utf-8", newline="") if path.suffix == ".gz" else open(path, encoding="utf-8", newline="")
    with opened as stream:
        yield from csv.DictReader(stream)


def _write(path: Path, figures: list[Figure]) -> None:
    chosen = usable(figures, load_catalog())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    ordered = sorted(figures, key=lambda figure: (figure not in chosen, figure.silicon or "~", figure.device_name, figure.framework, figure.model, figure.key))
    writer.writerows(_cells(figure, figure in chosen) for figure in ordered)
    path.write_text(text.getvalue(), "utf-8")
    counts = Counter(figure in chosen for figure in figures)
    print(f"{path.name}: {len(figures)} rows, {counts[True]} for decisions, {path.stat().st_size / 1e3:.0f} kB", file=sys.stderr)


def _cells(figure: Figure, is_chosen: bool) -> list[str]:
    """A decision reads conditions as one text; the fits read them column by column."""
    told = [figure.conditions, f"{figure.threads} threads" if figure.threads else "", f"batch {figure.batch}" if figure.batch not in ("", "1") else ""]
    conditions = ", ".join(filter(None, [*told, f"input {figure.input}" if figure.input else "", f"median of {figure.n}" if figure.n > 1 else ""]))
    return [
        figure.metric, f"{figure.value:.6g}", figure.model if is_chosen else "", figure.framework, figure.scheme, figure.source,
        figure.silicon if is_chosen else "", "", figure.execution_provider, figure.version, conditions if is_chosen else "", figure.date if is_chosen else "",
        "", "", figure.device_name, figure.model_name, figure.silicon, _unless(slug(figure.device_name), figure.device_group), _unless(plain_name(figure.model_name), figure.base_model), figure.unit, figure.kind, figure.task,
        figure.params_m, figure.gmacs, figure.activations_m, figure.input, figure.precision, figure.batch, figure.threads, figure.conditions,
        str(figure.n) if figure.n > 1 else "",
    ]  # fmt: skip


def _unless(same: str, text: str) -> str:
    return "" if text == same else text


if __name__ == "__main__":
    main(sys.argv[1:])
