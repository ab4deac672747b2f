r"""Distilling on fewer texts than anybody ran: what U soft labels are worth, told by the student's own label curve.

Below the fewest texts U1 of the evidence a form in U falls to the floor at a pace that no row tells. The student's
curve A on labels of people tells one: about U human labels carry what U soft ones do. Two ways to go on meet at U1, and
worlds take them in turn, as nobody knows which of them a task is like (bench/studies/few_texts.py):

.. math:: D(N, U) = D(N, U_1) + A(U) - A(U_1), \quad f + (D(N, U_1) - f) \frac{A(U) - f}{A(U_1) - f}

with f the floor of the world. Without a text there is no student: both are the floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.design.points import Measurement
from budgetsim.design.surface import Surface, interpolate, regrid

N_WAYS: Final = 2
FINER: Final = (3.0, 10.0)  # parts of the fewest texts at which the axis gets knots where it has none below
MOST_DOUBT: Final = 0.2  # relative standard error up to which texts that were computed tell where evidence ends
_LEAST_RISE: Final = 1e-3  # of the label curve, fraction of the metric: below it shares mean nothing
_RUN: Final = 0.007  # how far published replicates scatter, fraction of the metric


def fewest_texts(rows: Sequence[Measurement]) -> float:
    """The fewest texts of some rows, those known too roughly left out unless all are."""
    sure = [m for m in rows if (m.n_unlabeled_se or 0.0) <= MOST_DOUBT * (m.n_unlabeled or 0.0)] or rows
    return min(m.n_unlabeled or 0.0 for m in sure)


def continue_below(distill: Surface, labels: Surface, fewest: float) -> Surface:
    """A surface whose worlds go on below `fewest` texts as said above.

    labels : the student's own on labels of people; draw i of both is one world
    """
    distill = _with_knots_below(distill, fewest)
    own_n, texts = distill.knots
    below = np.flatnonzero((texts > 0) & (texts < fewest))
    floor = distill.draws[:, :, :1]
    n = np.column_stack([own_n, np.full(len(own_n), fewest)])
    there = interpolate(distill.knots, distill.draws, n)[:, :, None]  # (draws, labels, 1)
    curve = labels.at(texts[below, None])[:, None, :]
    end, start = labels.at([[fewest]])[:, None, :], labels.at([[0.0]])[:, None, :]
    lacks = np.minimum(curve - end, 0.0)
    share = np.clip((curve - start) / np.maximum(end - start, _LEAST_RISE), 0.0, 1.0)
    by_difference = np.maximum(there + lacks, np.minimum(floor, there))
    by_share = floor + (there - floor) * share
    turn = (np.arange(distill.n_draws) % N_WAYS)[:, None, None]
    draws = distill.draws.copy()
    draws[:, :, below] = np.where(turn == 0, by_difference, by_share)
    return replace(distill, draws=draws)


def _with_knots_below(surface: Surface, fewest: float) -> Surface:
    """The same worlds with two more knots below the fewest texts, where there is none to bend at."""
    n, texts = surface.knots
    if ((texts > 0) & (texts < fewest)).any():
        return surface
    onto = (n, np.union1d(texts, np.round(fewest / np.array(FINER))))
    return replace(surface, knots=onto, draws=regrid(surface.knots, surface.draws, onto))


def certainty(rows: Sequence[Measurement]) -> Floats:
    r"""How much of a run each row counts as, where its texts are known to a standard error: (rows,), 0 to 1.

    .. math:: w = \frac{s^2}{s^2 + (b\,\sigma_U / U)^2}

    with s the scatter of a run and b the rise of the score an e-fold of texts, by least squares over the rows.
    source : errors in variables to first order; Fuller (1987), Measurement Error Models, section 3.1
    """
    relative = np.array([(m.n_unlabeled_se or 0.0) / max(m.n_unlabeled or 0.0, 1.0) for m in rows])
    if not relative.any():
        return np.ones(len(rows))
    logs = np.array([[1.0, np.log1p(m.n_labels or 0.0), np.log1p(m.n_unlabeled or 0.0)] for m in rows])
    rise = float(np.linalg.lstsq(logs, np.array([m.score for m in rows]), rcond=None)[0][2])
    out: Floats = _RUN**2 / (_RUN**2 + (max(rise, 0.0) * relative) ** 2)
    return out
