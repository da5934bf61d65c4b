"""What a tool printed -> samples by metric. A tool is one TOML file in `parsers/`; the user may bring one of his own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from recommender.domain.errors import UsageError, WrongOutput
from recommender.domain.quantity import parse_quantity
from recommender.domain.workload import METRICS

_FOLDER = Path(__file__).with_name("parsers")
_COLD = ("load_time", "first_call")  # one value a process, kept apart
_PERCENTILES = ("p50", "p90", "p95", "p99")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_UNITS = {"sec": "s", "seconds": "s", "qps": "1/s"}  # as tools print them -> ours
_ROW = {"metric", "pattern", "unit", "take", "statistic", "single_calls"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One figure in the output.

    Attributes:
        pattern: multi-line regular expression. The group `value` holds one or more numbers, the group `unit` their unit where it is printed.
        unit: of the numbers where the pattern has no such group.
        take: `last` match or `all` of them (each a sample).
        statistic: empty: samples of the metric; p50, p90, p95, p99: what the tool itself says of its single calls.
        single_calls: each number is one timed call, so percentiles may be computed.
    """

    metric: str
    pattern: re.Pattern[str]
    unit: str = ""
    take: str = "last"
    statistic: str = ""
    single_calls: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Parser:
    """A tool's output. Of several rows for one figure the first that matches is used. `after`: only what follows this text is read."""

    name: str
    what: str
    rows: tuple[Row, ...]
    after: str = ""
    version: re.Pattern[str] | None = None
    lost: tuple[re.Pattern[str], ...] = ()  # what the tool says when its device has gone


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """Figures in base units. `printed`: metric -> statistic -> value, as the tool says it of its own calls."""

    samples: Mapping[str, list[float]]
    single_calls: frozenset[str] = frozenset()
    cold: Mapping[str, float] = field(default_factory=dict)
    printed: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    version: str = ""


def names() -> tuple[str, ...]:
    """Parsers that come with the program."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@cache
def parser(words: str) -> Parser:
    """The parser of that name, or the one in the TOML file of that path.

    Raises:
        UsageError: there is none, or the file is wrong; the message names what.
    """
    path = _FOLDER / f"{words}.toml" if words in names() else Path(words)
    if path.suffix != ".toml" or not path.is_file():
        raise UsageError(f"no parser `{words}` (there are {', '.join(names())}; or give a .toml file)")
    try:
        return _parser(path.stem, tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, re.error) as error:
        raise UsageError(f"parser `{words}` is wrong: {error if not isinstance(error, KeyError) else f'{error} is missing'}") from None


def _parser(name: str, raw: dict[str, Any]) -> Parser:
    return Parser(
        name=name, what=str(raw["what"]), rows=tuple(_row(row) for row in raw["row"]), after=str(raw.get("after", "")),
        version=re.compile(raw["version"], re.MULTILINE) if "version" in raw else None,
        lost=tuple(re.compile(text) for text in raw.get("lost", ())),
    )


def _row(raw: dict[str, Any]) -> Row:
    row = Row(**{**raw, "pattern": re.compile(raw["pattern"], re.MULTILINE)})
    if unknown := set(raw) - _ROW:
        raise ValueError(f"unknown key `{sorted(unknown)[0]}`")
    if row.metric not in METRICS:
        raise ValueError(f"unknown metric `{row.metric}` (one of {', '.join(METRICS)})")
    if "value" not in row.pattern.groupindex or not (row.unit or "unit" in row.pattern.groupindex):
        raise ValueError(f"the pattern of `{row.metric}` needs a group `value`, and a unit or a group `unit`")
    if row.take not in ("last", "all") or row.statistic not in ("", *_PERCENTILES):
        raise ValueError(f"`{row.metric}`: take is `last` or `all`, statistic one of {', '.join(_PERCENTILES)}")
    return row


def read(parser: Parser, output: str) -> Reading:
    """What the tool measured.

    Raises:
        WrongOutput: nothing that the parser knows; the message quotes the last line.
    """
    text = output.replace("\r\n", "\n").replace("\r", "\n")
    if parser.after:
        text = text.partition(parser.after)[2]
    samples: dict[str, list[float]] = {}
    printed: dict[str, dict[str, float]] = {}
    single: set[str] = set()
    for row in parser.rows:
        is_known = row.metric in samples if not row.statistic else row.statistic in printed.get(row.metric, {})
        values = [] if is_known else _values(row, text)
        if values and row.statistic:
            printed.setdefault(row.metric, {})[row.statistic] = values[-1]
        elif values:
            samples[row.metric] = values
            single |= {row.metric} if row.single_calls else set()
    cold = {metric: samples.pop(metric)[-1] for metric in _COLD if metric in samples}
    if not samples:
        raise WrongOutput(f"the output is not that of {parser.what}: `{last_line(output)}`")
    version = parser.version.search(output) if parser.version else None
    return Reading(samples=samples, single_calls=frozenset(single), cold=cold, printed=printed, version=version[1].strip() if version else "")


def _values(row: Row, text: str) -> list[float]:
    matches = list(row.pattern.finditer(text))
    found: list[float] = []
    for match in matches if row.take == "all" else matches[-1:]:
        unit = match["unit"] if "unit" in row.pattern.groupindex else row.unit
        for number in _NUMBER.findall(match["value"]):
            try:
                found.append(parse_quantity(f"{number} {_UNITS.get(unit, unit)}", METRICS[row.metric][0]))
            except ValueError as error:
                raise WrongOutput(f"`{match[0].strip()[:200]}`: {error}") from None
    return found


def last_line(output: str) -> str:
    """The last line with something in it, shortened."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
