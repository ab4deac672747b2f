"""Recompute the prior parameters that the product ships (`budgetsim.curves.priors`) and compare.

Each family is fitted with its weak prior to whole curves; its shape parameters are then seen from
every cut of the curve, as a fit to few sizes would see them. Medians, and spreads widened.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import replace

import numpy as np

from budgetsim.curves import FAMILIES
from budgetsim.curves.priors import PRIORS
from budgetsim.ensemble import DEFAULT
from budgetsim.fitcurve import fit_curve
from curve_data import Curve, Floats, lcdb11, rectified_sft

CUTS = (1, 2, 4, 8, 16, 64)
SHAPES = ("floor", "log_exponent", "log_shift", "top", "log_bend", "early_exponent", "log_late_exponent", "log_width")
WIDEN = 1.3
Rows = dict[str, dict[str, list[float]]]
Table = dict[str, dict[str, tuple[float, float]]]


def shapes_of(name: str, curve: Curve) -> list[tuple[str, float]]:
    """Shape parameters of a family on one curve, from every cut with at least four sizes."""
    options = replace(DEFAULT, families=(name,), prior="weak", tails=(0.25,))
    fit = fit_curve(curve.sizes, curve.errors, options=options)
    best = fit.best(name)
    x, e = curve.sizes[curve.sizes > 0], curve.errors[curve.sizes > 0]
    x0 = float(np.exp(np.log(x).mean()))
    out = []
    for cut in CUTS:
        early = x <= x[-1] / cut * 1.01
        if early.sum() < 4:
            continue
        for shape in (s for s in SHAPES if s in best):
            value = best[shape]
            if shape == "floor":
                share = np.clip(curve.errors.min() / (1 + np.exp(-value)) / e[early].min(), 0.002, 0.998)
                value = float(np.log(share / (1 - share)))
            if shape == "log_shift":
                value += float(np.log(x[early][-1] / x0))
            out.append((shape, value))
    return out


def gather(curves: list[Curve]) -> Rows:
    """Shape parameters of every family over curves."""
    found: Rows = {name: defaultdict(list) for name in FAMILIES}
    for curve in curves:
        for name, family in FAMILIES.items():
            if family.n_parameters <= len(np.unique(curve.sizes)) - 2:
                for shape, value in shapes_of(name, curve):
                    found[name][shape].append(value)
    return found


def summarise(tasks: list[Rows], factor: float) -> Table:
    """Mean of the tasks' medians; spread within tasks and between them, widened."""
    table: Table = {}
    for name in FAMILIES:
        table[name] = {}
        for shape in tasks[0][name]:
            values: list[Floats] = [np.array(t[name][shape]) for t in tasks if t[name][shape]]
            medians = [float(np.median(v)) for v in values]
            spread = [float(np.diff(np.quantile(v, [0.16, 0.84]))[0]) / 2 for v in values]
            sd = round(WIDEN * float(np.sqrt(np.mean(np.square(spread)) + np.var(medians))), 2)
            table[name][shape] = (round(float(np.mean(medians)), 2), round(factor * sd, 2))
    return table


def main() -> None:
    tasks = defaultdict(list)
    for curve in rectified_sft() + lcdb11(1):
        tasks[curve.task].append(curve)
    rows = {task: gather(curves) for task, curves in tasks.items()}
    flan, wmt19 = rows.pop("flan"), rows.pop("wmt19")
    found = {
        "finetuning": summarise([flan, wmt19], 2.0),
        "finetuning_without_flan": summarise([wmt19], 2.0),
        "finetuning_without_wmt19": summarise([flan], 2.0),
        "tabular": summarise(list(rows.values()), 1.0),
    }
    for name, table in found.items():
        worst = max(
            abs(a - b) / shipped[1]
            for family, shapes in table.items()
            for shape, new in shapes.items()
            for shipped in [PRIORS[name][family][shape]]
            for a, b in zip(new, shipped, strict=True)
        )
        print(f"{name}: largest difference from the shipped table {worst:.2f} of its standard deviation")
        if "--print" in sys.argv:
            print(table)


if __name__ == "__main__":
    main()
