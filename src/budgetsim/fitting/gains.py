"""What distilling gains over training on the same labels: measured on other tasks, expected of this one.

Draws of the two are independent once each is fitted. What other tasks gained makes them dependent: pairs
of draws are weighted by the prior density of the gain that they imply.
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
PRIOR_SPREAD: Final = 0.05  # of gains over tasks, a fraction of the metric, before any is measured
PRIOR_TASKS: Final = 2.0  # tasks that this counts as
DEGREES_OF_FREEDOM: Final = 4.0  # degrees of freedom: a task may be unlike all others


@dataclass(frozen=True, slots=True)
class Gain:
    """Gain of one task at SIZES: mean and variance over draws, and where the task has evidence of both.

    mean, variance : (sizes,), fractions of the metric; inside : (sizes,), within the sizes that both have run
    """

    mean: Floats
    variance: Floats
    inside: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class GainPrior:
    """Gain of a new task: mean and standard deviation, (n,), fractions of the metric, at labels and texts (n, 2)."""

    at: Floats
    mean: Floats
    sd: Floats
    n_tasks: int  # it was pooled from


class Pairs(NamedTuple):
    """Draws that go together: of annotating, (n,), and for each teacher those beside them, (n,) each."""

    annotate: Ints
    distill: list[Ints]
    effective_share: list[float]  # for each teacher, of all pairs: 1 where the prior of gains changes nothing


def measure_gain(annotate: Surface, distill: Surface) -> Gain:
    """The gain on one task, each strategy fitted by itself."""
    gap = distill.at(SIZES) - annotate.at(SIZES[:, :1])
    inside = (annotate.support.classify(SIZES[:, :1])[1] == 1) & (distill.support.classify(SIZES)[1] == 1)
    return Gain(gap.mean(axis=0), gap.var(axis=0), inside)


def pool_gains(gains: Sequence[Gain]) -> GainPrior | None:
    """What several tasks gained, at sizes where at least two and half of them have evidence; None where none is.

    In the mean tasks count by the precision of their gain. The spread is that of a new task about it; there
    each counts alike, so an uncertain gain widens it.
    """
    inside = np.array([g.inside for g in gains])
    enough = inside.sum(axis=0) >= max(2, len(gains) / 2)
    if not enough.any():
        return None
    inside = inside[:, enough]
    mean, variance = (np.array([getattr(g, name) for g in gains])[:, enough] for name in ("mean", "variance"))
    weight = inside / (variance + PRIOR_SPREAD**2)
    centre, many = (weight * mean).sum(axis=0) / weight.sum(axis=0), inside.sum(axis=0)
    scatter = (inside * (mean - centre) ** 2).sum(axis=0)
    spread = (PRIOR_TASKS * PRIOR_SPREAD**2 + scatter) / (PRIOR_TASKS + many - 1) * (1 + 1 / many)
    return GainPrior(SIZES[enough], centre, np.sqrt(spread), len(gains))


def pair_draws(
    annotate: Surface, routes: Sequence[tuple[Surface, GainPrior]], n: int, rng: np.random.Generator
) -> Pairs:
    """Which draws of one student trained on labels, and distilled from each teacher, go together.

    A draw of annotating is kept by the prior density of its gains from all teachers, each averaged over its
    draws; then each teacher's draw is chosen beside it. So teachers are independent given the draw of annotating.
    """
    weights = [_pair_weights(annotate, distill, gain) for distill, gain in routes]
    worth = np.sum([np.log(w.mean(axis=1)) for w in weights], axis=0)
    chosen = rng.permutation(systematic(np.exp(worth - worth.max()), n, rng))
    beside = [_draw_columns(w[chosen], rng) for w in weights]
    return Pairs(chosen, beside, [float(w.mean() ** 2 / (w**2).mean()) for w in weights])


def _pair_weights(annotate: Surface, distill: Surface, gain: GainPrior) -> Floats:
    """Prior density of the gain of each pair of draws: (draws of annotating, draws of distilling), unnormalised.

    Gains of one task are dependent, so all sizes count as one observation.
    """
    low, high = annotate.at(gain.at[:, :1]), distill.at(gain.at)
    log_density = np.zeros((len(low), len(high)))
    for k, (mean, sd) in enumerate(zip(gain.mean, gain.sd, strict=True)):
        off = (high[None, :, k] - low[:, None, k] - mean) / sd
        log_density -= (DEGREES_OF_FREEDOM + 1) / 2 / len(gain.at) * np.log1p(off**2 / DEGREES_OF_FREEDOM)
    out: Floats = np.exp(log_density - log_density.max())
    return out


def _draw_columns(weight: Floats, rng: np.random.Generator) -> Ints:
    """One column a row, by weight."""
    total = weight.cumsum(axis=1)
    out: Ints = (total < rng.random((len(total), 1)) * total[:, -1:]).sum(axis=1).clip(0, weight.shape[1] - 1)
    return out
