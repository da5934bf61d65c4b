"""A small readable decision tree of contests: scikit-learn finds the splits, a leaf ranks the names by their regret.

A contest counts by what is at stake in it (cost-proportionate example weighting: Zadrozny, Langford, Abe, "Cost-sensitive learning by
cost-proportionate example weighting", ICDM 2003), and all contests of one device together count as much as those of any other. A split stays only
where asking pays on chips drawn with replacement: the whole interval of what it saves lies above zero. A side that was seen on too few chips or
models keeps the order of what lies above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recommender.domain.errors import ExecutorUnavailable
from recommender.learn.contests import Contest
from recommender.learn.interval import device_mean
from recommender.learn.standing import Standing, cost, standings

MAX_LEAVES, MAX_DEPTH = 8, 4  # what a person still reads
LEAST_SHARE = 0.05  # of all weight in a leaf
KNOWN_SHARE = 0.9  # of contests in which an attribute must be known to be asked for: a row whose reading is not known does not fire
_ATTRIBUTES = (
    "device.vendor", "device.family", "device.features", "device.has_int8_dot", "device.memory_kind", "device.memory_bandwidth", "device.memory_total",
    "device.cores_usable", "host.os", "host.architecture", "host.machine_class", "model.task", "model.structure", "model.modality", "model.n_params",
    "workload.scenario",
)  # what a tree may ask; names of single devices and models are not among them
_DIGITS = 3  # of a threshold


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaf:
    """Conditions as rules write them, the names in order, and the places of its contests in what was fitted."""

    when: Mapping[str, Any]
    order: tuple[Standing, ...]
    members: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """A question on the way to a leaf and its answer: whether a number is above `bound`, or whether a text, a list or a flag is, holds or lacks it."""

    attribute: str
    bound: Any
    is_yes: bool
    kind: str  # number, flag, text, list


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grown:
    """What scikit-learn grew: node -> children, node -> (attribute, kind, bound), contest -> leaf."""

    children: Sequence[tuple[int, int]]
    asked: Sequence[tuple[str, str, Any]]
    reached: Sequence[int]


def fit(found: Sequence[Contest], max_leaves: int = MAX_LEAVES) -> tuple[Leaf, ...]:
    """The leaves of the tree, in the order of its questions; one leaf without conditions where no question pays.

    Args:
        found: contests of one question. max_leaves: 1 ranks the names without asking anything.

    Raises:
        ExecutorUnavailable: scikit-learn is not installed.
    """
    best = [min((regret, name) for name, regret in contest.regrets.items())[1] for contest in found]
    heavy, read = weights(found), _known(found)
    if max_leaves < 2 or len(set(best)) < 2 or not any(heavy) or not any(read):
        return (_leaf(found, tuple(range(len(found))), (), ()),)
    grown = _grow(read, best, heavy, max_leaves)
    return tuple(_pruned(grown, 0, (), (), found))


def weights(found: Sequence[Contest]) -> list[float]:
    """Of each contest: its share of its device's stakes; 0 where nothing is at stake."""
    totals: dict[str, float] = {}
    for contest in found:
        totals[contest.device] = totals.get(contest.device, 0.0) + contest.stake
    return [contest.stake / totals[contest.device] if totals[contest.device] else 0.0 for contest in found]


def _grow(read: Sequence[Mapping[str, Any]], best: Sequence[str], heavy: Sequence[float], max_leaves: int) -> _Grown:
    try:
        from sklearn.feature_extraction import DictVectorizer
        from sklearn.tree import DecisionTreeClassifier
    except ImportError:
        raise ExecutorUnavailable("a tree is fitted with scikit-learn, which is not installed", hints=("pip install 'edge-recommender[tune]'",)) from None
    vectors = DictVectorizer(sparse=False)
    columns = vectors.fit_transform(read)
    fitted = DecisionTreeClassifier(max_leaf_nodes=max_leaves, max_depth=MAX_DEPTH, min_weight_fraction_leaf=LEAST_SHARE, random_state=0)
    fitted.fit(columns, best, sample_weight=heavy)
    tree, names = fitted.tree_, vectors.get_feature_names_out()
    examples = {name: value for row in read for name, value in row.items()}
    children = list(zip(tree.children_left.tolist(), tree.children_right.tolist(), strict=True))
    asked = [_asked(str(names[feature]), bound, examples) if feature >= 0 else ("", "", None) for feature, bound in zip(tree.feature, tree.threshold.tolist(), strict=True)]
    return _Grown(children=children, asked=asked, reached=fitted.apply(columns).tolist())


def _known(found: Sequence[Contest]) -> list[dict[str, Any]]:
    """What is asked of each contest; what is not known of it is left out, which reads as no, or as 0."""
    read = [{name: contest.attributes.get(name, (None, ""))[0] for name in _ATTRIBUTES} for contest in found]
    names = [name for name in _ATTRIBUTES if sum(row[name] is not None for row in read) >= KNOWN_SHARE * len(read)]
    return [{name: list(row[name]) if isinstance(row[name], tuple) else row[name] for name in names if row[name] is not None} for row in read]


def _asked(column: str, threshold: float, examples: Mapping[str, Any]) -> tuple[str, str, Any]:
    """Attribute, kind and bound of a column: `attribute=value` is one of two, a bare attribute a number or a flag."""
    attribute, found, value = column.partition("=")
    if found:
        return attribute, "list" if isinstance(examples[attribute], list) else "text", value
    return attribute, "flag" if isinstance(examples[attribute], bool) else "number", _rounded(threshold)


def _rounded(value: float) -> float | int:
    """To significant digits; a whole number where it is large."""
    digits = float(f"{value:.{_DIGITS}g}")
    return int(digits) if abs(digits) >= 10**_DIGITS else digits


def _pruned(grown: _Grown, node: int, path: tuple[Split, ...], above: tuple[Standing, ...], found: Sequence[Contest]) -> list[Leaf]:
    """The leaves below a node, the node itself where its question does not pay. above: the order that holds where there is too little support."""
    whole = _leaf(found, _members(grown, node), path, above)
    if grown.children[node][0] < 0:
        return [whole]
    attribute, kind, bound = grown.asked[node]
    parts = [
        leaf for child, is_yes in zip(grown.children[node], (False, True), strict=True)
        for leaf in _pruned(grown, child, (*path, Split(attribute=attribute, kind=kind, bound=bound, is_yes=is_yes)), whole.order, found)
    ]
    return parts if _pays(parts, whole, found) else [whole]


def _members(grown: _Grown, node: int) -> tuple[int, ...]:
    """Contests that reach a node, in order."""
    below = {node}
    for parent, children in enumerate(grown.children):  # a parent stands before its children
        if parent in below:
            below.update(children)
    return tuple(number for number, leaf in enumerate(grown.reached) if leaf in below)


def _leaf(found: Sequence[Contest], members: tuple[int, ...], path: tuple[Split, ...], above: tuple[Standing, ...]) -> Leaf:
    own = standings([found[number] for number in members])
    return Leaf(when=conditions(path), order=own if own[0].is_supported or not above else above, members=members)


def _pays(parts: Sequence[Leaf], whole: Leaf, found: Sequence[Contest]) -> bool:
    """Whether picking by the parts is surely less regretted than picking by the whole."""
    numbers = [(number, part) for part in parts for number in part.members]
    saved = [cost(whole.order, found[number]) - cost(part.order, found[number]) for number, part in numbers]
    return device_mean([found[number] for number, _ in numbers], saved)[1] > 0.0


def conditions(path: Iterable[Split]) -> dict[str, Any]:
    """The splits of a path as one condition an attribute, in the order of the questions."""
    found: dict[str, dict[str, Any]] = {}
    for split in path:
        own = found.setdefault(split.attribute, {})
        if split.kind == "list":
            own.setdefault("has" if split.is_yes else "lacks", []).append(split.bound)
        elif split.kind == "text":
            own.setdefault("is" if split.is_yes else "not_in", []).append(split.bound)
        elif split.kind == "flag":
            own["is"] = [split.is_yes]
        else:
            own["above" if split.is_yes else "at_most"] = split.bound
    return dict(_whole(found))


def _whole(found: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Plain equality where a path says what a value is: what it is not follows from that."""
    yield from ((name, condition["is"][0] if "is" in condition else condition) for name, condition in found.items())
