"""What each part of the default is worth: RMSLE beyond the data with a part changed.

Chosen on rectified_sft (priors without the task) and lcdb11; revisiting_nsl is only reported.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
from coverage import inside
from curve_data import Curve, lcdb11, rectified_sft, revisiting_nsl
from scoring import print_table, rmsle

from budgetsim.laws.curve import fit_curve
from budgetsim.laws.ensemble import DEFAULT, Options

ALL = ("power_floor", "shifted_power", "bounded_power", "rectified", "one_break")
VARIANTS: dict[str, Options] = {
    "default": DEFAULT,
    "weak prior": replace(DEFAULT, prior="weak"),
    "tabular prior": replace(DEFAULT, prior="tabular"),
    "tail 0": replace(DEFAULT, tails=(0.0,)),
    "tail 0.25": replace(DEFAULT, tails=(0.25,)),
    "tail 0.75": replace(DEFAULT, tails=(0.75,)),
    "tail by likelihood": replace(DEFAULT, tails=(0.0, 0.25, 0.5), n_starts=3),
    "no residual": replace(DEFAULT, amplitude_prior=1e-6),
    "residual length 3 only": replace(DEFAULT, lengths=(3.0,)),
    "with one_break": replace(DEFAULT, laws=ALL),
    "weights by fit": replace(DEFAULT, screen=4.0),
    "rows far off doubted": replace(DEFAULT, robust_rounds=3),
    **{f"{name} alone": replace(DEFAULT, laws=(name,)) for name in ALL},
}


def sets() -> dict[str, list[Curve]]:
    """Curves by column of the table."""
    out: dict[str, list[Curve]] = defaultdict(list)
    for n, horizon in ((11, "8x"), (8, "64x")):
        for curve in rectified_sft(n):
            out[f"{curve.task} {horizon}"].append(curve)
    out["lcdb 8x"] = lcdb11(8)[::3]
    out["lcdb inside"] = [inside(curve) for curve in lcdb11(1)[::3]]
    for curve in revisiting_nsl():
        out[curve.collection].append(curve)
    return out


def error(curve: Curve, options: Options) -> float:
    """RMSLE on the later sizes; a fine-tuning prior never holds the curve's own task."""
    if curve.collection == "rectified_sft" and options.prior == "finetuning":
        options = replace(options, prior=f"finetuning_without_{curve.task}")
    return rmsle(
        fit_curve(curve.sizes, curve.errors, options=options).predict(curve.later_sizes).mean, curve.later_errors
    )


def main() -> None:
    columns = sets()
    body = [
        [name, *(float(np.mean([error(c, options) for c in curves])) for curves in columns.values())]
        for name, options in VARIANTS.items()
    ]
    print_table(["variant", *columns], body)


if __name__ == "__main__":
    main()
