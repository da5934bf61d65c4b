"""Schemes: bits per weight agree with the group arithmetic and with the tensors, and support statements use them as they are."""

from __future__ import annotations

from collections.abc import Iterator

from recommender.domain.quantization import QuantScheme
from recommender.loader.lint.finding import Finding, Knowledge, Reporter

SCOPES = ("float", "weight-only", "weights-and-activations")
CALIBRATION = ("no", "recommended", "required")
# class -> weight bits, as the chapter's classes go
CLASSES = {"ultra-low": (1, 2), "low": (3, 4), "medium": (5, 8), "full": (9, 64)}
_METADATA_BITS = 32  # the most a group stores beside its weights: two 16-bit numbers or one of 32
_REST_BITS = 8.5  # layers outside the low-bit share of a mixed scheme
_ROUNDING = 0.02


def check(knowledge: Knowledge) -> Iterator[Finding]:
    report = Reporter("schemes", knowledge)
    roles = knowledge.listed("tensor_roles")
    for scheme in knowledge.catalog.schemes.values():
        for message in (*_closed(scheme), *_bits(scheme), *_tensors(scheme, roles)):
            yield report.error("schemes", scheme.key, message)
    yield from _support(knowledge, report)


def _closed(scheme: QuantScheme) -> Iterator[str]:
    if scheme.scope not in SCOPES:
        yield f"scope `{scheme.scope}` is none of {', '.join(SCOPES)}"
    if scheme.needs_calibration not in CALIBRATION:
        yield f"needs_calibration `{scheme.needs_calibration}` is none of {', '.join(CALIBRATION)}"
    low, high = CLASSES.get(scheme.class_, (1, 0))
    if not low <= scheme.weight_bits <= high:
        yield f"class `{scheme.class_}` does not fit {scheme.weight_bits:g} weight bits"
    if (scheme.scope == "float") != (scheme.weight_bits >= 16):
        yield f"scope `{scheme.scope}` does not fit {scheme.weight_bits:g} weight bits"
    if scheme.ratio is not None and not 0 < scheme.ratio <= 1:
        yield f"ratio {scheme.ratio:g} is not a share"


def _bits(scheme: QuantScheme) -> Iterator[str]:
    """The layers' bits lie between the nominal bits and those with the largest scales and zero points a group can carry."""
    layers = scheme.tensors.get("default", scheme.bits_per_weight)
    if scheme.scope == "float":
        if layers != scheme.weight_bits or scheme.bits_per_weight != scheme.weight_bits:
            yield f"a float of {scheme.weight_bits:g} bits stores {scheme.bits_per_weight:g} bits per weight"
        return
    share = scheme.ratio if scheme.ratio is not None else 1.0
    extra = (_METADATA_BITS + scheme.weight_bits) / scheme.group_size if scheme.group_size else 0.5
    least = share * scheme.weight_bits + (1 - share) * 8
    most = share * (scheme.weight_bits + extra) + (1 - share) * _REST_BITS
    if not least - _ROUNDING <= layers <= most + _ROUNDING:
        yield f"{layers:g} bits in the layers: {scheme.weight_bits:g} bits in groups of {scheme.group_size or 'a row'} take {least:.4g} to {most:.4g}"


def _tensors(scheme: QuantScheme, roles: tuple[str, ...]) -> Iterator[str]:
    plain = {}
    for role, bits in scheme.tensors.items():
        name, _, format_ = role.partition("@")
        if roles and name.removesuffix("_more") not in roles and name not in roles:
            yield f"unknown tensor role `{role}`"
        if format_ and format_ not in scheme.formats:
            yield f"role `{role}` names a format that the scheme does not have"
        if name == "more_share":
            if not 0 < bits < 1:
                yield f"more_share {bits:g} is not a share"
        elif not 0 < bits <= 32:
            yield f"role `{role}` has {bits:g} bits"
        elif not format_:
            plain[role] = bits
    if scheme.tensors and "default" not in scheme.tensors:
        yield "tensors without `default`"
    elif plain and not min(plain.values()) - _ROUNDING <= scheme.bits_per_weight <= max(plain.values()) + _ROUNDING:
        yield f"{scheme.bits_per_weight:g} bits per weight lie outside those of its tensors ({min(plain.values()):g} to {max(plain.values()):g})"


def _support(knowledge: Knowledge, report: Reporter) -> Iterator[Finding]:
    schemes = knowledge.catalog.schemes
    used: set[str] = set()
    for framework in knowledge.catalog.frameworks.values():
        for statement in framework.support:
            used.update(statement.schemes)
            for key in statement.schemes:
                if key not in schemes:
                    yield report.error("support", statement.id, f"scheme `{key}` does not exist")
                elif statement.format not in schemes[key].formats:
                    yield report.error("support", statement.id, f"scheme `{key}` does not exist in format {statement.format}")
    for key in schemes:
        if key not in used:
            yield report.warning("schemes", key, "no support statement uses it")
