"""Surfaces cut in other ways than the published one: is the average of forms ever worse than a log-linear regression?

The given surfaces and the Chinchilla runs, fitted to the cheapest 40 to 80 % of the runs or to the lower values of one
input, predicting the rest: R2 and mean absolute log error of the average and of a plane in the logs by least squares.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from curve_data import column, folder, rows
from scoring import print_table
from surfaces import INPUTS, r_squared

from budgetsim.design.arrays import Floats
from budgetsim.laws.surface import fit_surface

LEAST_ROWS, LEAST_TESTED = 8, 4


class Split(NamedTuple):
    """Runs to fit and runs to predict: inputs (rows, inputs) and errors."""

    name: str
    x: Floats
    errors: Floats
    later_x: Floats
    later_errors: Floats


def tables() -> Iterator[tuple[str, Floats, Floats]]:
    """Every surface whole: a name, inputs and errors."""
    for name, inputs in INPUTS.items():
        parts = [rows(folder("scalebench") / f"{name}_scaling_law.{part}.csv") for part in ("train", "test")]
        for group in sorted({r["group"] for r in parts[0]}):
            table = [r for part in parts for r in part if r["group"] == group]
            yield f"{name} {group}", np.column_stack([column(table, k) for k in inputs]), column(table, "loss")
    (file,) = folder("chinchilla_epoch").glob("*.csv")
    table = rows(file)
    size, flop = column(table, "Model Size"), column(table, "Training FLOP")
    yield "chinchilla", np.column_stack([size, flop / 6 / size]), column(table, "loss")


def splits() -> Iterator[Split]:
    """The cheapest part of each surface, and the lower values of each input."""
    for name, x, errors in tables():
        order = np.argsort(np.log(x).sum(axis=1), kind="stable")
        for share in (0.4, 0.55, 0.7, 0.8):
            early = np.isin(np.arange(len(x)), order[: int(share * len(x))])
            yield Split(f"{name}: cheapest {share:.0%}", x[early], errors[early], x[~early], errors[~early])
        for i, values in enumerate(x.T):
            steps = np.unique(values)
            early = values <= steps[int(0.6 * (len(steps) - 1))]
            if early.sum() >= LEAST_ROWS and (~early).sum() >= LEAST_TESTED:
                yield Split(f"{name}: low input {i + 1}", x[early], errors[early], x[~early], errors[~early])


def regression(s: Split) -> Floats:
    """Log-linear, by least squares."""
    one, two = (np.column_stack([np.ones(len(x)), np.log(x)]) for x in (s.x, s.later_x))
    out: Floats = np.exp(two @ np.linalg.lstsq(one, np.log(s.errors), rcond=None)[0])
    return out


def main() -> None:
    body: list[list[object]] = []
    for s in splits():
        names = [str(i) for i in range(s.x.shape[1])]
        fit = fit_surface(dict(zip(names, s.x.T, strict=True)), s.errors)
        found = fit.predict(dict(zip(names, s.later_x.T, strict=True)))
        plain, held = regression(s), (found.lower <= s.later_errors) & (s.later_errors <= found.upper)
        misses = [float(np.abs(np.log(p / s.later_errors)).mean()) for p in (found.mean, plain)]
        told = " ".join(type(c).__name__ for c in fit.cautions)
        figures = [
            r_squared(found.mean, s.later_errors),
            r_squared(plain, s.later_errors),
            *misses,
            misses[0] / misses[1],
        ]
        body.append([s.name, len(s.errors), len(plain), *figures, float(held.mean()), told])
    head = ["split", "n", "tested", "R2", "R2, log-linear", "miss", "miss, log-linear", "ratio", "90 % held", "told"]
    print_table(head, body)
    print(f"geometric mean of the ratio: {np.exp(np.mean(np.log([float(row[7]) for row in body]))):.3f}")  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
