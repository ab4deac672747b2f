r"""A Gaussian process over tasks, learners and sizes, in closed form.

.. math:: k = \sum_g G_g \left(a_g + b_g\,\ell(x, x') + (c_g + d_g\,w(x)\,w(x'))\,r(x, x')\right)

A group g says which cells share an effect: all, those of a family of learners, of a learner, of a task, of a task and
a family, of a task and a learner; tasks of like traits share some, too. Every effect has a level, a slope and a bend
over the logarithms of the counts, and a bend that fades where labels are many: where they are few learners differ most.
How much of a new task is borrowed, and from whom, follows from the variances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.forecast.scale import stretch

GROUPS: Final = ("all", "family", "learner", "trait", "task", "trait_family", "task_family", "task_learner")
PARTS: Final = ("level", "slope", "bend", "early")
SCATTERS: Final = ("cheap", "tuned", "t5")  # kinds of learners whose runs scatter alike
CENTRE: Final = np.log1p([1000.0, 10_000.0])  # counts at which slopes pivot: labels, texts
JITTER: Final = 1e-6
PROBE_SHIFT: Final = 0.02  # of the metric: by how much a probe is off at all its sizes (bench/studies/probe_shift.py)


@dataclass(frozen=True, slots=True)
class Cells:
    """Points of the process: who, on which task, at which counts.

    task, learner, family : (n,) small whole numbers; x : (n, 2), log(1 + labels) and log(1 + texts)
    traits : (n, k) of the task; floor : (n,), fraction of the metric; scatter : (n,), index of `SCATTERS`
    probed : (n,), 1 where a probe told it and no run, else 0
    """

    task: Floats
    learner: Floats
    family: Floats
    x: Floats
    traits: Floats
    floor: Floats
    scatter: Floats
    probed: Floats

    def __len__(self) -> int:
        return len(self.task)

    def pick(self, which: Any) -> Cells:
        """Some of them, by an index or a mask."""
        return Cells(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def beside(self, other: Cells) -> Cells:
        """These, then others."""
        both = [np.concatenate([getattr(self, n), getattr(other, n)]) for n in self.__dataclass_fields__]
        return Cells(*both)


@dataclass(frozen=True, slots=True)
class Hypers:
    """What is learnt over all tasks: variances of the scale, and lengths in log counts.

    variance : (groups, parts); length : of bends, in labels and in texts; like : of traits
    noise : variance of one run in scores, times `stretch` squared; misfit : of a cell, whatever its runs
    few : labels at which both are twice as large as with many; scatter : what both are times for each of `SCATTERS`
    """

    mean: float
    variance: Floats
    length: Floats
    like: float
    noise: float
    misfit: float
    few: float
    scatter: Floats

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Hypers:
        """The values that `to_json` wrote.

        raises : KeyError, TypeError, ValueError where the object holds others
        """
        arrays = {name: np.asarray(data[name], dtype=np.float64) for name in ("variance", "length", "scatter")}
        found = tuple(v.shape for v in arrays.values())
        if found != ((len(GROUPS), len(PARTS)), (2,), (len(SCATTERS),)):
            raise ValueError("variance has shape {}, length {}, scatter {}".format(*found))
        return cls(**{**data, **arrays})


def groups(a: Cells, b: Cells, like: float) -> Floats:
    """How much two cells share of each group's effects, 0 to 1: (groups, n, m)."""
    task, learner, family = (
        np.equal.outer(getattr(a, name), getattr(b, name)).astype(np.float64) for name in ("task", "learner", "family")
    )
    apart = ((a.traits[:, None, :] - b.traits[None, :, :]) ** 2).sum(axis=2)
    trait = np.exp(-0.5 * apart / like**2)
    return np.stack([np.ones_like(task), family, learner, trait, task, trait * family, task * family, task * learner])


def parts(a: Cells, b: Cells, length: Floats) -> Floats:
    """Level, slope, bend and early bend over the counts: (parts, n, m)."""
    p, q = a.x - CENTRE, b.x - CENTRE
    texts = (a.x[:, 1:] > 0) & (b.x[:, 1:] > 0).T  # without texts there is no slope over them
    slope = np.outer(p[:, 0], q[:, 0]) + np.outer(p[:, 1], q[:, 1]) * texts
    apart = sum(((a.x[:, None, k] - b.x[None, :, k]) / length[k]) ** 2 for k in range(2))
    bend = np.exp(-0.5 * np.asarray(apart))
    return np.stack([np.ones_like(slope), slope, bend, np.outer(_early(a), _early(b)) * bend])


def _early(cells: Cells) -> Floats:
    """What is left of an effect that fades with labels, (n,): half of its variance where slopes pivot."""
    out: Floats = 1 / np.sqrt(1 + np.expm1(cells.x[:, 0]) / np.expm1(CENTRE[0]))
    return out


def covariance(a: Cells, b: Cells, h: Hypers) -> Floats:
    """Prior covariance of the means of two lots of cells, (n, m)."""
    p = parts(a, b, h.length)
    out = np.zeros(p.shape[1:])
    for g, weights in zip(groups(a, b, h.like), h.variance, strict=True):
        out += g * np.tensordot(weights, p, axes=1)
    return out


def roughness(cells: Cells, h: Hypers) -> Floats:
    """How much more runs of some learners, and on few labels, scatter, (n,)."""
    out: Floats = h.scatter[cells.scatter.astype(np.intp)] * (1 + h.few / np.expm1(cells.x[:, 0]).clip(1.0))
    return out


@dataclass(frozen=True, slots=True)
class Posterior:
    """Mean (n,) and covariance (n, n) of the means of some cells, on the scale."""

    mean: Floats
    covariance: Floats

    def draws(self, n: int, rng: np.random.Generator) -> Floats:
        """Joint draws, (n, cells): their mean is the posterior's, exactly."""
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        half = rng.standard_normal(((n + 1) // 2, len(self.mean)))
        out: Floats = self.mean + np.concatenate([half, -half])[:n] @ root.T
        return out


def condition(seen: Cells, z: Floats, n_runs: Floats, at: Cells, h: Hypers) -> Posterior:
    """What the cells that were run say of others, and of themselves.

    z : (n,), mean of the runs of each cell, on the scale; n_runs : (n,)
    source : Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, algorithm 2.1
    """
    prior = covariance(at, at, h)
    if not len(seen):
        return Posterior(np.full(len(at), h.mean), prior)
    noisy = covariance(seen, seen, h) + np.diag(error_variance(z, seen, n_runs, h)) + probe_error(z, seen)
    root = np.linalg.cholesky(noisy)
    half = np.linalg.solve(root, np.column_stack([z - h.mean, covariance(seen, at, h)]))
    mean = h.mean + half[:, 1:].T @ half[:, 0]
    return Posterior(mean, prior - half[:, 1:].T @ half[:, 1:])


def error_variance(z: Floats, cells: Cells, n_runs: Floats, h: Hypers) -> Floats:
    """Variance of the mean of a cell's runs about the process, on the scale."""
    out: Floats = roughness(cells, h) * (h.noise * stretch(z, cells.floor) ** 2 / n_runs + h.misfit) + JITTER
    return out


def probe_error(z: Floats, cells: Cells) -> Floats:
    """Covariance (n, n), on the scale, of what all cells that a probe of one task told are off by together.

    Its folds hold back the same few labels, which are no draw of the rows that runs are scored on.
    """
    sd = PROBE_SHIFT * stretch(z, cells.floor) * cells.probed
    return np.outer(sd, sd) * np.equal.outer(cells.task, cells.task)


def start() -> Hypers:
    """Where the search begins: a unit of the scale is shared out evenly."""
    variance = np.full((len(GROUPS), len(PARTS)), 0.1)
    variance[:, 1] = 0.01
    return Hypers(0.0, variance, np.array([2.5, 2.5]), 1.0, 2e-4, 0.01, 10.0, np.ones(len(SCATTERS)))
