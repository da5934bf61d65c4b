"""PURE: from measurements at two depths of layers to the whole model: what is fixed (embedding, output, overhead) plus so much a layer.

Layers of one model are alike, so time and memory are linear in their number. What two points tell of a third one is uncertain by the noise of
both, which grows with the distance, and by what is not linear (caches that hold a part of a small file, layers of two kinds). What disturbs a
measurement only adds to it, and the distance multiplies that: of several processes the least counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import stdev

from recommender.domain.quantity import Interval

# Relative standard deviation of one process, at least: what the errors of benchmarks/SHAPE_PROXIES.md come from, over how far the line is drawn out
# (ten rows on a virtual machine of two cores: 4 % rms of prompts, 21 % of tokens, which take milliseconds and are disturbed more).
NOISE, TOKEN_NOISE = 0.015, 0.07
NOT_LINEAR = 0.02  # relative standard deviation of what is not linear in the layers
_Z = 1.96  # standard deviations on either side that hold 95 %
_SHALLOWEST, _DEEP = 10, 32  # layers below which there is nothing to save, and from which on a deeper proxy is cheap enough


@dataclass(frozen=True, kw_only=True, slots=True)
class Depth:
    """`values`: of one process each, in seconds (or bytes), all greater than nought, with `n_layers` layers; `noise` of one, relative, at least."""

    n_layers: int
    values: Sequence[float]
    noise: float = NOISE

    @property
    def central(self) -> float:
        return min(self.values)

    @property
    def deviation(self) -> float:
        """Standard deviation of the central value."""
        n = len(self.values)
        return max(self.noise * self.central, stdev(self.values) if n > 1 else 0.0) / sqrt(n)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """`fixed` and `per_layer` [s or bytes], `whole`: at the depth asked, with its 95 % interval."""

    fixed: float
    per_layer: float
    whole: Interval


def extrapolated(shallow: Depth, deep: Depth, n_layers: int) -> Line | None:
    """The line through two depths at `n_layers`; None where the deeper one is not the dearer: noise has drowned what a layer costs.

    The interval's low end is at least what the deeper proxy took.
    """
    apart = deep.n_layers - shallow.n_layers
    per_layer = (deep.central - shallow.central) / apart
    if per_layer <= 0:
        return None
    weight = (n_layers - shallow.n_layers) / apart  # of the deeper one; the shallower has what lacks to 1
    central = shallow.central + weight * (deep.central - shallow.central)
    deviation = sqrt(((1 - weight) * shallow.deviation) ** 2 + (weight * deep.deviation) ** 2 + (NOT_LINEAR * central) ** 2)
    low = max(central - _Z * deviation, min(central, deep.central))
    return Line(
        fixed=shallow.central - shallow.n_layers * per_layer, per_layer=per_layer, whole=Interval(low=low, central=central, high=central + _Z * deviation),
    )


def deepened(line: Line, n_layers: int, layer_bytes: float, cache_bytes: float) -> Line:
    """A decoded token where so many bytes more of the key/value cache are read than were while measuring.

    The cache is read as fast as the weights of the layers are (`layer_bytes`: of all of them); negative bytes make it shorter.
    """
    if not layer_bytes:
        return line
    more = line.per_layer * n_layers * cache_bytes / layer_bytes
    return Line(fixed=line.fixed, per_layer=line.per_layer + more / n_layers, whole=Interval(low=line.whole.low + more, central=line.whole.central + more, high=line.whole.high + more))


def depths(n_layers: int) -> tuple[int, int] | None:
    """The two depths that are measured, even ones (some levels give every other layer a better type); None where the model has too few to save anything."""
    if n_layers < _SHALLOWEST:
        return None
    return 2, (6 if n_layers < _DEEP else 8)
