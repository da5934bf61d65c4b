"""`recommend predict CASES -o OUT`: the numbers a recommendation would give, for a whole table of cases."""

from __future__ import annotations

import time
from collections import Counter

import click

from recommender.cli import print_json, say
from recommender.cli.options import all_overlays, catalog_option, json_option
from recommender.domain.errors import UsageError

_TOLD_EVERY = 5.0  # seconds between two lines of progress
_SHOWN = 5  # reasons


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("cases")
@click.option("-o", "--output", required=True, metavar="OUT", help="CSV or Parquet by its name; `-` for the standard output.")
@click.option("--to", "form", type=click.Choice(("csv", "parquet")), help="Format of the output, where its name does not say it.")
@click.option("--anchors", multiple=True, metavar="FILE", help="Measured figures of devices that the evidence lacks, in our own schema: a few make a device known. Repeatable.")
@click.option("--no-evidence", is_flag=True, help="Without what was imported on this machine.")
@catalog_option
@json_option
def predict(cases: str, output: str, form: str | None, anchors: tuple[str, ...], no_evidence: bool, overlays: tuple[str, ...], as_json: bool) -> None:
    """Predict speed, memory and quality drop for each row of CASES (CSV or Parquet, `-` for the standard input).

    A row with `quant` is a language model's, one with `precision` a graph's. Each metric gets a value, the ends of its 80 % interval and its basis;
    what cannot be told stays empty, with the reason in `why_unknown`.
    """
    from recommender.predict.batch import COLUMNS, WHY, answered
    from recommender.predict.table import STREAM, Table, format_of, writer

    if as_json and output == STREAM:
        raise UsageError("--json and -o -: both would go to the standard output", hints=(f"recommend predict {cases} -o predicted.csv --json",))
    from recommender.compose import estimators

    found = estimators(all_overlays(overlays), anchors, say, is_local=not no_evidence)
    table = Table(cases)
    reasons: Counter[str] = Counter()
    filled: Counter[str] = Counter()
    n, told = 0, time.monotonic()
    with writer(output, table, format_of(output, table, form)) as sink:
        for row, answers in answered(table.rows(), found):
            sink.write(row, answers)
            n += 1
            if WHY in answers:
                reasons[str(answers[WHY])] += 1
            filled.update(answers.keys())
            if n % 1000 == 0 and time.monotonic() - told > _TOLD_EVERY:
                told = time.monotonic()
                say(f"{n} rows ...")
    numbers = {name: filled[name] for name in COLUMNS if name.startswith("predicted_") and filled[name] and not name.endswith(("_low", "_high", "_basis"))}
    if as_json:
        print_json({"output": output, "rows": n, "predicted": numbers, "why_unknown": dict(reasons.most_common())})
        return
    say(f"{n} rows" + "".join(f", {count} with {name}" for name, count in numbers.items()))
    for reason, count in reasons.most_common(_SHOWN):
        say(f"{count} x {reason}")
