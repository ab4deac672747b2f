"""Surfaces with a fixed extrapolation split (scalebench): R2 of ours against the published ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from curve_data import column, folder, published, rows
from scoring import print_table

from budgetsim.design.arrays import Floats
from budgetsim.laws.ensemble import Options
from budgetsim.laws.surface import SURFACE, SurfaceFit, fit_surface

INPUTS = {
    "data_constrained": ("params", "tokens", "unique_tokens"),
    "parallel": ("num_params", "parallel_size"),
}
KEYS = {"data_constrained": "data_con", "parallel": "parallel"}
GOALS = {"data_constrained": 0.95, "parallel": 0.99}


def r_squared(predicted: Floats, seen: Floats) -> float:
    """Share of the variance explained."""
    return float(1 - ((predicted - seen) ** 2).sum() / ((seen - seen.mean()) ** 2).sum())


def predictions(name: str, options: Options = SURFACE) -> Iterator[tuple[str, SurfaceFit, Floats, Floats, Floats]]:
    """For every group of a surface: its fit, predictions, whether the interval held, and the truth."""
    root = folder("scalebench")
    train, test = (rows(root / f"{name}_scaling_law.{part}.csv") for part in ("train", "test"))
    for group in sorted({r["group"] for r in train}):
        fit_rows, test_rows = ([r for r in table if r["group"] == group] for table in (train, test))
        fit = fit_surface({k: column(fit_rows, k) for k in INPUTS[name]}, column(fit_rows, "loss"), options=options)
        found = fit.predict({k: column(test_rows, k) for k in INPUTS[name]})
        seen = column(test_rows, "loss")
        held = ((found.lower <= seen) & (seen <= found.upper)).astype(np.float64)
        yield group, fit, found.mean, held, seen


VARIANTS = {
    "far-off rows count in full": replace(SURFACE, robust_rounds=0),
    "residual length 3": replace(SURFACE, lengths=(3.0,)),
    "no residual": replace(SURFACE, amplitude_prior=1e-6),
    "tail 0": replace(SURFACE, tails=(0.0,)),
    "tail 0.25": replace(SURFACE, tails=(0.25,)),
    **{f"{name} alone": replace(SURFACE, laws=(name,)) for name in ("additive", "product", "crossed", "series")},
}


def ablate() -> None:
    """R2 with one part changed."""
    print("\n# R2 with one part changed")
    body: list[list[object]] = []
    for variant, options in VARIANTS.items():
        row: list[object] = [variant]
        for name in INPUTS:
            groups = list(predictions(name, options))
            mean, seen = (np.concatenate([g[i] for g in groups]) for i in (2, 4))
            row.append(r_squared(mean, seen))
        body.append(row)
    print_table(["variant", *INPUTS], body)


def main() -> None:
    paper = published()["scalebench"]
    body: list[list[object]] = []
    for name in INPUTS:
        groups = list(predictions(name))
        mean, held, seen = (np.concatenate([g[i] for g in groups]) for i in (2, 3, 4))
        worst = min(r_squared(g[2], g[4]) for g in groups)
        all_laws = paper["all_data"][KEYS[name]]  # type: ignore[index]
        best = max(paper["data_con_per_law_all_data"].values()) if name == "data_constrained" else all_laws  # type: ignore[attr-defined]
        score = r_squared(mean, seen)
        verdict = "reached" if score >= GOALS[name] else "missed"
        body.append([name, score, worst, float(held.mean()), all_laws, best, GOALS[name], verdict])
        for group, fit, *_ in groups:
            print(f"{name}, {group}: mean absolute log error on the dearest rows {fit.screen_errors}; kept {fit.laws}")
    print_table(["surface", "R2", "worst group", "90 % held", "paper mean", "paper best", "goal", ""], body)
    ablate()


if __name__ == "__main__":
    main()
