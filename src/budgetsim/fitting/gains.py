"""What distilling gains over training on the same labels: known from other tasks, believed of this one.

Draws of the two are independent once each is fitted. What other tasks gained ties them together: pairs
of draws are kept by how usual the gain is that they imply.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from budgetsim.design.arrays import Floats
from budgetsim.design.surface import Surface
from budgetsim.fitting.sampler import Ints, systematic

# labels and texts at which gains are compared, (sizes, 2)
SIZES: Final = np.array(
    list(itertools.product((100, 300, 1000, 3000, 10_000), (1000, 3000, 10_000, 30_000, 100_000))), dtype=np.float64
)
USUAL_SPREAD: Final = 0.05  # of gains over tasks, a fraction of the metric, before any is seen
USUAL_WORTH: Final = 2.0  # tasks that this counts as
TAILS: Final = 4.0  # degrees of freedom: a task may be unlike all others


@dataclass(frozen=True, slots=True)
class Gain:
    """Gain of one task at SIZES: mean and variance over draws, and where the task has evidence of both.

    mean, variance : (sizes,), fractions of the metric; inside : (sizes,), within the sizes that both have run
    """

    mean: Floats
    variance: Floats
    inside: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class UsualGain:
    """Gain of a new task: mean and standard deviation, (n,), fractions of the metric, at labels and texts (n, 2)."""

    at: Floats
    mean: Floats
    sd: Floats
    n_tasks: int  # that told it


class Pairs(NamedTuple):
    """Draws that go together: of annotating, (n,), and for each teacher those beside them, (n,) each."""

    annotate: Ints
    distilled: list[Ints]
    open_share: list[
        float
    ]  # for each teacher, of all pairs the share that is left in effect: 1 where gains tell nothing


def gain_of(annotate: Surface, distill: Surface) -> Gain:
    """The gain on one task, each strategy fitted by itself."""
    gap = distill.at(SIZES) - annotate.at(SIZES[:, :1])
    inside = (annotate.support.classify(SIZES[:, :1])[1] == 1) & (distill.support.classify(SIZES)[1] == 1)
    return Gain(gap.mean(axis=0), gap.var(axis=0), inside)


def usual_gain(found: Sequence[Gain]) -> UsualGain | None:
    """What several tasks gained, at sizes where at least two and half of them have evidence; None where none is.

    In the mean tasks count by how well their gain is known. The spread is that of a new task about it; there
    each counts alike, so a gain that is hardly known widens it.
    """
    inside = np.array([g.inside for g in found])
    there = inside.sum(axis=0) >= max(2, len(found) / 2)
    if not there.any():
        return None
    inside = inside[:, there]
    mean, variance = (np.array([getattr(g, name) for g in found])[:, there] for name in ("mean", "variance"))
    weight = inside / (variance + USUAL_SPREAD**2)
    centre, many = (weight * mean).sum(axis=0) / weight.sum(axis=0), inside.sum(axis=0)
    scatter = (inside * (mean - centre) ** 2).sum(axis=0)
    spread = (USUAL_WORTH * USUAL_SPREAD**2 + scatter) / (USUAL_WORTH + many - 1) * (1 + 1 / many)
    return UsualGain(SIZES[there], centre, np.sqrt(spread), len(found))


def paired(
    annotate: Surface, distilled: Sequence[tuple[Surface, UsualGain]], n: int, rng: np.random.Generator
) -> Pairs:
    """Which draws of one student trained on labels, and distilled from each teacher, go together.

    A draw of annotating is kept by how usual its gains are from all teachers, each averaged over its draws;
    then each teacher's draw is chosen beside it. So teachers are independent given the draw of annotating.
    """
    usualness = [_usualness(annotate, distill, gain) for distill, gain in distilled]
    worth = np.sum([np.log(u.mean(axis=1)) for u in usualness], axis=0)
    chosen = rng.permutation(systematic(np.exp(worth - worth.max()), n, rng))
    beside = [_one_a_row(u[chosen], rng) for u in usualness]
    return Pairs(chosen, beside, [float(u.mean() ** 2 / (u**2).mean()) for u in usualness])


def _usualness(annotate: Surface, distill: Surface, gain: UsualGain) -> Floats:
    """How usual the gain of each pair of draws is: (draws of annotating, draws of distilling), unnormalised.

    Gains of one task hang together, so all sizes count as one observation.
    """
    low, high = annotate.at(gain.at[:, :1]), distill.at(gain.at)
    log_density = np.zeros((len(low), len(high)))
    for k, (mean, sd) in enumerate(zip(gain.mean, gain.sd, strict=True)):
        off = (high[None, :, k] - low[:, None, k] - mean) / sd
        log_density -= (TAILS + 1) / 2 / len(gain.at) * np.log1p(off**2 / TAILS)
    out: Floats = np.exp(log_density - log_density.max())
    return out


def _one_a_row(weight: Floats, rng: np.random.Generator) -> Ints:
    """One column a row, by weight."""
    total = weight.cumsum(axis=1)
    out: Ints = (total < rng.random((len(total), 1)) * total[:, -1:]).sum(axis=1).clip(0, weight.shape[1] - 1)
    return out
