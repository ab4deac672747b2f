"""Learn prior parameters from related curves: the same kind of task, other models or data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.design.arrays import Floats
from budgetsim.errors import InputError
from budgetsim.laws.curve import fit_curve
from budgetsim.laws.ensemble import DEFAULT
from budgetsim.laws.library import LAWS
from budgetsim.laws.priors import Table

Shapes = dict[str, dict[str, list[float]]]  # law -> shape parameter -> values

LEAST_CURVES: Final = 4
_CUTS = (1, 2, 4, 8, 16, 64)
_SHAPE_NAMES = (
    "floor", "log_exponent", "log_shift", "top", "log_bend", "early_exponent", "log_late_exponent", "log_width",
)  # fmt: skip
_SPREAD = 1.3  # curves seen are fewer than curves there are


def pool_prior(groups: Sequence[Sequence[tuple[ArrayLike, ArrayLike]]], *, widen: float = 2.0) -> Table:
    """Prior parameters for `fit_curve(..., prior=...)` from whole curves of related tasks.

    groups : one sequence of (sizes, errors) a task
    widen : factor on the spreads, as tasks differ more than the curves of a task
    raises : InputError for fewer than four curves

    >>> n = 100.0 * 2.0 ** np.arange(8)
    >>> table = pool_prior([[(n, 0.1 + n**-c) for c in (0.3, 0.4, 0.5, 0.6)]])
    >>> bool(abs(np.exp(table["power_floor"]["log_exponent"][0]) - 0.45) < 0.1)
    True
    """
    if sum(len(group) for group in groups) < LEAST_CURVES:
        raise InputError(f"a pooled prior needs at least {LEAST_CURVES} curves; use a prior by name.")
    return summarise([shapes_of(group) for group in groups if group], widen)


def shapes_of(curves: Sequence[tuple[ArrayLike, ArrayLike]]) -> Shapes:
    """Shape parameters of every law on every curve, as fits to cuts of it would see them."""
    shapes: Shapes = {name: defaultdict(list) for name in LAWS}
    for sizes, errors in curves:
        x, e = np.asarray(sizes, dtype=np.float64), np.asarray(errors, dtype=np.float64)
        for name, law in LAWS.items():
            if law.n_parameters <= len(np.unique(x)) - 2:
                for shape, value in _shapes_from_cuts(name, x, e):
                    shapes[name][shape].append(value)
    return shapes


def _shapes_from_cuts(name: str, x: Floats, e: Floats) -> list[tuple[str, float]]:
    """The floor counts from the smallest error of a cut, the shift from its largest size."""
    options = replace(DEFAULT, laws=(name,), prior="weak", tails=(0.25,))
    best = fit_curve(x, e, options=options).best(name)
    lowest, trained = float(e.min()), x > 0
    x, e = x[trained], e[trained]
    x0, out = float(np.exp(np.log(x).mean())), []
    for cut in _CUTS:
        early = x <= x.max() / cut * 1.01
        if early.sum() < 4:
            continue
        for shape in (s for s in _SHAPE_NAMES if s in best):
            value = best[shape]
            if shape == "floor":
                share = np.clip(lowest / (1 + np.exp(-value)) / e[early].min(), 0.002, 0.998)
                value = float(np.log(share / (1 - share)))
            if shape == "log_shift":
                value += float(np.log(x[early].max() / x0))
            out.append((shape, value))
    return out


def summarise(tasks: Sequence[Shapes], widen: float) -> Table:
    """Mean of the tasks' medians; spread within tasks and between them, widened."""
    table: Table = {}
    for name in LAWS:
        table[name] = {}
        for shape in sorted({shape for task in tasks for shape in task[name]}):
            values = [np.array(task[name][shape]) for task in tasks if task[name].get(shape)]
            medians = [float(np.median(v)) for v in values]
            within = [float(np.diff(np.quantile(v, [0.16, 0.84]))[0]) / 2 for v in values]
            sd = round(_SPREAD * float(np.sqrt(np.mean(np.square(within)) + np.var(medians))), 2)
            table[name][shape] = (round(float(np.mean(medians)), 2), max(round(widen * sd, 2), 0.05))
    return table
