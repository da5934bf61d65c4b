"""The document of `recommend rules learn` as text: the tree beside the chapter, where they part, and what each costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recommender.cli.render.aligned import aligned
from recommender.cli.render.condition import conditions_in_words

_PARTING, _RULES = 8, 2  # kinds of cases, and rows of the chapter, that are shown
_RIGHT = frozenset({0, 1, 4, 5, 6})
_HEADER = ("CONTESTS", "DEVICES", "LEARNED", "CHAPTER", "REGRET", "CHAPTER'S", "TABLE'S", "WHEN")


def text(document: Mapping[str, Any], vocabulary: Mapping[str, Any]) -> str:
    """A block for each question, then what is to be known of all."""
    head = f"Learned from {document['contests']} contests: {document['devices']} devices, {document['models']} models, {len(document['sources'])} sources"
    lines = [f"not learned   {name}: too few chips or models" for name in document["too_few"]]
    lines += [
        f"proposed      {len(document['rows'])} rows, applied by nobody (--out DIR writes them for --catalog DIR)",
        "regret        how much faster the best was than the pick (geometric mean, each device weighs the same, 90 % interval), on devices left out of the fit",
        "              speed alone, among schemes within the quality gate: rows that put precision first pay here for what they keep; rows that place nothing pick blindly",
    ]
    overall = [_overall(effect, found) for effect, found in document["overall"].items()]
    return "\n\n".join([head, *overall, *(_question(row, vocabulary) for row in document["questions"]), "\n".join(lines)])


def _overall(effect: str, found: Mapping[str, Any]) -> str:
    """One line a policy: what it costs, and in how many questions the learned rows are better or worse."""
    rows = [(name, _span(row), f"{row['close']:.0%}", f"{row['blind']:.0%}", ", ".join(f"{word} in {count}" for word, count in sorted(found["words"].get(name, {}).items()))) for name, row in found["policies"].items()]
    return aligned((effect.upper(), "REGRET", "WITHIN 5 %", "NOT PLACED", "LEARNED ROWS, BY QUESTION"), rows, right=frozenset({2, 3}))


def _question(question: Mapping[str, Any], vocabulary: Mapping[str, Any]) -> str:
    head = f"{question['id']}: {question['contests']} contests, {question['devices']} devices, {question['models']} models\n{question['verdict']}"
    policies = [(name, _span(row), f"{row['close']:.0%}", f"{row['blind']:.0%}", _against(question, name)) for name, row in question["policies"].items()]
    leaves = [_leaf(leaf, vocabulary) for leaf in question["leaves"]]
    return "\n".join([head, "", aligned(_HEADER, leaves, right=_RIGHT), "", aligned(("ROWS", "REGRET", "WITHIN 5 %", "NOT PLACED", "LEARNED ROWS ARE"), policies, right=frozenset({2, 3})), *_parting(question)])


def _leaf(leaf: Mapping[str, Any], vocabulary: Mapping[str, Any]) -> tuple[str, ...]:
    order = [row["name"] for row in leaf["order"] if row["is_supported"]][:3]
    when = "; ".join(conditions_in_words(leaf["when"], vocabulary)) or "always"
    costs = (f"{leaf['regret'][name]:.0%}" for name in ("learned", "chapter", "table"))
    return (str(leaf["contests"]), str(leaf["devices"]), " > ".join(order) or "too few", _chapter(leaf), *costs, when)


def _chapter(leaf: Mapping[str, Any]) -> str:
    """`onnxruntime = qnn (PLT091, PLT093)`: what the chapter says most often of these contests."""
    rules = leaf["chapter_rules"]
    named = ", ".join(rules[:_RULES]) + (f" and {len(rules) - _RULES} more" if len(rules) > _RULES else "")
    return f"{' = '.join(leaf['chapter'])} ({named})" if leaf["chapter"] else "nothing"


def _span(row: Mapping[str, Any]) -> str:
    return f"{row['mean']:.1%} ({row['low']:.1%} to {row['high']:.1%})"


def _against(question: Mapping[str, Any], name: str) -> str:
    row = question["against"].get(name)
    return f"{row['word']}, by {_span(row)}" if row else ""


def _parting(question: Mapping[str, Any]) -> Iterator[str]:
    found = question["parting"]
    if not found:
        return
    yield ""
    yield f"They part in {sum(row['contests'] for row in found)} contests; those that cost most:"
    yield aligned(
        ("CONTESTS", "DEVICES", "TASK", "LEARNED", "REGRET", "CHAPTER", "REGRET", "FOR EXAMPLE"),
        [
            (str(row["contests"]), str(row["devices"]), row["task"], " = ".join(row["learned"]) or "nothing", f"{row['regret']['learned']:.0%}",
             " = ".join(row["chapter"]) or "nothing", f"{row['regret']['chapter']:.0%}", row["example"])
            for row in found[:_PARTING]
        ],
        right=frozenset({0, 1, 4, 6}),
    )
    if len(found) > _PARTING:
        yield f"and {len(found) - _PARTING} more kinds of cases (--json)"
