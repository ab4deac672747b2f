"""Other tasks as a prior for one with few rows: one step of empirical Bayes.

Every other task is fitted by itself. Coordinates of a curve are then taken to be normal over tasks,
with mean and variance estimated from these fits.
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
from budgetsim.fitting.gains import Gain, GainPrior, measure_gain, pool_gains
from budgetsim.fitting.groups import GroupKey, Posterior, Prior
from budgetsim.fitting.onset import N_FLOOR

OWN_MEAN: Final = 0.5  # tasks that the forms' own prior mean counts as
OWN_VARIANCE: Final = 2.0  # and their own variance

Pair = tuple[str | None, str]  # teacher and student


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """One task fitted by itself: its curves, and what distilling gains over labels alone.

    curves : by kind, teacher, student and whether the teacher was scored; gains : by teacher and student
    """

    curves: Mapping[GroupKey, Posterior]
    gains: Mapping[Pair, Gain]


@dataclass(frozen=True, slots=True)
class PopulationPrior:
    """What other tasks say of a new one, under the keys of `TaskSummary`; what nobody ran is not there."""

    curves: Mapping[GroupKey, Prior]
    gains: Mapping[Pair, GainPrior]


NO_PRIOR: Final = PopulationPrior({}, {})


def summarise_task(posteriors: Mapping[GroupKey, Posterior], surfaces: Sequence[Surface]) -> TaskSummary:
    """From the posteriors and surfaces of one task."""
    gains = {
        two.route.pair: measure_gain(one, two)
        for one in surfaces
        for two in surfaces
        if one.route.kind is ANNOTATE and two.route.kind is DISTILL and one.route.student == two.route.student
    }
    return TaskSummary(posteriors, gains)


def pool_tasks(tasks: Sequence[TaskSummary]) -> PopulationPrior:
    """What several tasks have in common: a curve as soon as one has run it, a gain where two have (`pool_gains`)."""
    curves: dict[GroupKey, list[Posterior]] = defaultdict(list)
    gains: dict[Pair, list[Gain]] = defaultdict(list)
    for task in tasks:
        for key, posterior in task.curves.items():
            curves[key].append(posterior)
        for pair, gain in task.gains.items():
            gains[pair].append(gain)
    pooled = {pair: pool_gains(measured) for pair, measured in gains.items()}
    return PopulationPrior(
        {key: _pool_curves(posteriors) for key, posteriors in curves.items()},
        {pair: gain for pair, gain in pooled.items() if gain is not None},
    )


def population(mean: Floats, variance: Floats) -> Floats:
    r"""Mean and standard deviation of a new task's coordinates, given means and variances of K others.

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


def _pool_curves(posteriors: Sequence[Posterior]) -> Prior:
    """The floor's coordinates stay standard normal: default answers are a task's own."""
    n = posteriors[0].forms.n_common
    normals = []
    for form in range(len(posteriors[0].forms.forms)):
        prior = population(*np.stack([p.moments[form][:, :n] for p in posteriors], axis=1))
        prior[:, :N_FLOOR] = [[0.0], [1.0]]
        normals.append(prior)
    return Prior(len(posteriors), normals)
