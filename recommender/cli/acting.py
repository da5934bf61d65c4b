"""What `apply` and `measure` share: the same decision as the answer's, on weights that lie here, and the choice that was picked."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from recommender.apply.sources import Source, find_source
from recommender.cli import say
from recommender.cli.options import all_overlays, catalog_option, nearest
from recommender.domain.catalog import Catalog
from recommender.domain.errors import ModelFileError, UsageError
from recommender.domain.model import ModelSpec
from recommender.domain.recommendation import Wishes
from recommender.domain.target import Target
from recommender.executors import registry

_POSITIVE = click.IntRange(min=1)
_OPTIONS = (
    click.option("--model", "-m", required=True, help="A model file or folder, or a name whose weights lie in a cache on this machine."),
    click.option("--target", "-t", default="this-machine", show_default=True, help="this-machine, a machine of the catalogue, or a recording."),
    click.option("--workload", "-w", help="chat, code-completion, batch-text, embedding, vision-realtime, vision-batch, speech, ..."),
    click.option("--need", multiple=True, metavar="METRIC OP VALUE UNIT", help="What must hold. Repeatable."),
    click.option("--prompt-tokens", type=click.IntRange(min=0)),
    click.option("--output-tokens", type=_POSITIVE),
    click.option("--context", type=_POSITIVE, help="Tokens reserved."),
    click.option("--batch", type=_POSITIVE),
    click.option("--streams", type=_POSITIVE),
    click.option("--framework", "frameworks", multiple=True, help="Only this framework. Repeatable."),
    click.option("--without", "excluded", multiple=True, help="Not this framework. Repeatable."),
    click.option("--allow-below-floor", is_flag=True, help="Also what is of little use for the workload."),
    click.option("--data", type=click.Path(exists=True, path_type=Path), help="Samples of real inputs: .npz (arrays by input name, `labels`) or .txt."),
    click.option("--param", "parameters", multiple=True, metavar="PREPARER.NAME=VALUE", help="A knob of a preparer (nncf.awq=true, ort-quantizer.calibration_method=entropy). Repeatable."),
    click.option("--by", "preparer", metavar="PREPARER", help="Let this preparer do the last step (olive instead of ort-quantizer)."),
    click.option("--yes", "-y", is_flag=True, help="Do not ask before a download or before something is replaced."),
    catalog_option,
)


def acting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `_OPTIONS`, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """A decision and all that acting on it needs."""

    document: Mapping[str, Any]
    model: ModelSpec
    source: Source
    target: Target
    catalog: Catalog


def decided(options: Mapping[str, Any], artifact: Path | None = None) -> Situation:
    """Decide on the weights that are here; with an `artifact` that stands for them, a name alone will do.

    Raises:
        UsageError: no weights; whatever the decision itself refuses.
    """
    from recommender import compose
    from recommender.intake.model_files import resolve_model

    catalog = compose.load_catalog(all_overlays(options["overlays"]))
    [named] = compose.resolve_models(options["model"], catalog, offline=True)
    source = Source(path=artifact.absolute(), origin="given") if artifact else find_source(options["model"], named)
    model = named
    if named.artifact is None and artifact is None:
        try:
            read = resolve_model(str(source.path), catalog.models, offline=True)
        except ModelFileError as error:
            raise ModelFileError(f"`{options['model']}` (from {source.origin}): {error.message}", hints=error.hints) from None
        model = replace(read, key=named.key, name=named.name, repository=named.repository, aliases=named.aliases)
    target, document = decision_on(model, options, catalog)
    return Situation(document=document, model=model, source=source, target=target, catalog=catalog)


def decision_on(model: ModelSpec, options: Mapping[str, Any], catalog: Catalog) -> tuple[Target, dict[str, Any]]:
    """The target and the answer on a model that is resolved."""
    from recommender import compose
    from recommender.recommend import decide

    wishes = Wishes(frameworks=_known(options["frameworks"], catalog), excluded_frameworks=_known(options["excluded"], catalog), allow_below_floor=options["allow_below_floor"])
    target = compose.resolve_target(options["target"], catalog, say)
    measurements = compose.measurements(target, (model,), say)
    workload = {name: options[name] for name in ("prompt_tokens", "output_tokens", "context", "batch", "streams")}
    return target, decide(
        model, target, catalog, workload_key=options["workload"], workload_overrides=workload, needs=options["need"], wishes=wishes, beside=(),
        today=datetime.date.today().isoformat(), measurements=measurements,
    )


def prepared_by(choice: Mapping[str, Any], preparer: str | None) -> Mapping[str, Any]:
    """The choice with its last making step done by another preparer.

    Raises:
        UsageError: no such preparer, or nothing is to be made.
    """
    if preparer is None:
        return choice
    known = registry.names(registry.PREPARERS)
    if preparer not in known:
        raise UsageError(f"--by `{preparer}`: no such preparer (one of {', '.join(known)})", hints=tuple(f"--by {name}" for name in nearest(preparer, known, count=1)))
    steps = list(choice["recipe"]["steps"])
    last = max((number for number, step in enumerate(steps) if step["preparer"]), default=None)
    if last is None:
        raise UsageError(f"--by {preparer}: {choice['id']} is your file as it is, nothing is to be made", hints=("recommend apply --choice ID ...",))
    steps[last] = {**steps[last], "preparer": preparer}
    return {**choice, "recipe": {**choice["recipe"], "steps": steps}}


def with_settings(choice: Mapping[str, Any], pairs: tuple[str, ...]) -> Mapping[str, Any]:
    """The choice with run settings of the user's (`n_threads=2`): JSON values, anything else is text.

    Raises:
        UsageError: not NAME=VALUE.
    """
    found = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (equals and name.strip()):
            raise UsageError(f"--setting `{pair}` is not NAME=VALUE", hints=("--setting n_threads=2",))
        found[name.strip()] = _json_or_text(text)
    return {**choice, "options": {**choice["options"], **found}}


def parameters_of(pairs: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """`nncf.awq=true` -> {"nncf": {"awq": True}}: JSON values, anything else is text.

    Raises:
        UsageError: not PREPARER.NAME=VALUE, or no such preparer.
    """
    found: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        preparer, dot, knob = name.partition(".")
        if not (equals and dot and knob):
            raise UsageError(f"--param `{pair}` is not PREPARER.NAME=VALUE", hints=("--param nncf.awq=true",))
        known = registry.names(registry.PREPARERS)
        if preparer not in known:
            raise UsageError(f"--param `{pair}`: no such preparer `{preparer}` (one of {', '.join(known)})", hints=tuple(f"--param {near}.{knob}={text}" for near in nearest(preparer, known, count=1)))
        found.setdefault(preparer, {})[knob] = _json_or_text(text)
    return found


def _json_or_text(text: str) -> Any:
    """A JSON value; a file that is there by its absolute path (steps run in folders of their own); else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return str(Path(text).absolute()) if Path(text).exists() else text


def _known(names: tuple[str, ...], catalog: Catalog) -> tuple[str, ...]:
    for name in names:
        if name not in catalog.frameworks:
            raise UsageError(f"unknown framework `{name}` (one of {', '.join(catalog.frameworks)})", hints=tuple(f"--framework {near}" for near in nearest(name, catalog.frameworks, count=1)))
    return names


def chosen(document: Mapping[str, Any], words: str) -> Mapping[str, Any]:
    """The choice of a rank (`2`) or of an id (`openvino/cpu/int8-static`), or the best of a framework.

    Raises:
        UsageError: there is none; the hints name what there is.
    """
    choices = document["choices"]
    if not choices:
        raise UsageError(f"nothing can be done: {document['verdict']}, {document['why']}", hints=("recommend --model ... --trace full",))
    for choice in choices:
        if words in (str(choice["rank"]), choice["id"], choice["framework"]):
            found: Mapping[str, Any] = choice
            return found
    ids = [choice["id"] for choice in choices]
    raise UsageError(f"--choice `{words}`: no such choice (there are 1 to {len(choices)})", hints=tuple(f"--choice {name}" for name in nearest(words, ids) or ids[:3]))
