"""What other tasks showed, as a prior for one of which little is known: one step of empirical Bayes.

Every other task is fitted by itself. Coordinates of a curve are then taken to be normal over tasks,
with mean and variance as these fits tell them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.design.strategies import ANNOTATE, DISTILL
from budgetsim.design.surface import Surface
from budgetsim.fitting.gains import Gain, UsualGain, gain_of, usual_gain
from budgetsim.fitting.groups import Kin, Posterior, Prior
from budgetsim.fitting.onset import N_FLOOR

OWN_MEAN: Final = 0.5  # tasks that the forms' own prior mean counts as
OWN_VARIANCE: Final = 2.0  # and their own variance

Pair = tuple[str | None, str]  # teacher and student


@dataclass(frozen=True, slots=True)
class Shown:
    """What one task shows by itself: its curves, and what distilling gains over labels alone.

    curves : by kind, teacher, student and whether the teacher was scored; gains : by teacher and student
    """

    curves: Mapping[Kin, Posterior]
    gains: Mapping[Pair, Gain]


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual over other tasks, under the keys of `Shown`; what nobody ran is not there."""

    curves: Mapping[Kin, Prior]
    gains: Mapping[Pair, UsualGain]


NOTHING: Final = Usual({}, {})


def shown(posteriors: Mapping[Kin, Posterior], surfaces: Sequence[Surface]) -> Shown:
    """What the families and surfaces of one task show."""
    pairs = {
        two.route.pair: gain_of(one, two)
        for one in surfaces
        for two in surfaces
        if one.route.kind is ANNOTATE and two.route.kind is DISTILL and one.route.student == two.route.student
    }
    return Shown(posteriors, pairs)


def usual(tasks: Sequence[Shown]) -> Usual:
    """What several tasks have in common: a curve as soon as one has run it, a gain where two have (`usual_gain`)."""
    curves: dict[Kin, list[Posterior]] = defaultdict(list)
    gains: dict[Pair, list[Gain]] = defaultdict(list)
    for task in tasks:
        for kin, posterior in task.curves.items():
            curves[kin].append(posterior)
        for pair, gain in task.gains.items():
            gains[pair].append(gain)
    pooled = {pair: usual_gain(found) for pair, found in gains.items()}
    return Usual(
        {kin: _usual_curve(found) for kin, found in curves.items()},
        {pair: gain for pair, gain in pooled.items() if gain is not None},
    )


def population(mean: Floats, variance: Floats) -> Floats:
    r"""Mean and standard deviation of a new task's coordinates, given what K others are known to be.

    .. math:: \mu = \frac{\sum m}{K + \kappa}, \quad
        \tau^2 = \frac{\nu + \sum (v + (m - \mu)^2) + \kappa \mu^2}{\nu + K} \cdot \frac{K + \kappa + 1}{K + \kappa}

    and never wider than the forms' own standard normal.

    mean, variance : (K, n), m and v; returns : (2, n)
    source : Gelman et al. (2013), Bayesian Data Analysis, section 3.3 (conjugate normal); variances
        within tasks count as in an EM step, section 13.6

    >>> population(np.array([[1.0], [1.0]]), np.array([[0.0], [0.0]])).round(2)
    array([[0.8 ],
           [0.92]])
    """
    worth = len(mean) + OWN_MEAN
    centre = mean.sum(axis=0) / worth
    scatter = (variance + (mean - centre) ** 2).sum(axis=0) + OWN_MEAN * centre**2
    new = (OWN_VARIANCE + scatter) / (OWN_VARIANCE + len(mean)) * (1 + 1 / worth)
    return np.stack([centre, np.minimum(np.sqrt(new), 1.0)])


def _usual_curve(found: Sequence[Posterior]) -> Prior:
    """The floor's coordinates stay as they are: default answers are a task's own."""
    n, many = found[0].forms.n_common, len(found)
    at = []
    for form in range(len(found[0].forms.forms)):
        prior = population(*np.stack([p.learnt[form][:, :n] for p in found], axis=1))
        prior[:, :N_FLOOR] = [[0.0], [1.0]]
        at.append(prior)
    return Prior(f"{many} other task{'s' * (many > 1)}", at)
