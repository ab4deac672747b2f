"""Which part makes intervals inside the data too wide: the noise expected of a run, held-out sizes of two collections.

Beside them, what the same change does beyond the data. Choices may rest on rectified_sft and lcdb11 alone; the last
collection was looked at afterwards, and single seeds were what forbade narrower ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from coverage import LEVELS, inside
from curve_data import Curve, folder, lcdb11, rectified_sft, revisiting_nsl, rows
from scoring import crps, interval_score, print_table

from budgetsim.laws.curve import fit_curve
from budgetsim.laws.ensemble import DEFAULT, Options

LEAST_SIZES = 8
WIDE = replace(DEFAULT, run_noise=0.01)  # as it was
VARIANTS: dict[str, Options] = {
    "noise .01, vague 1.5 (before)": WIDE,
    "noise .01, vague 1": replace(WIDE, vague=1.0),
    "noise .005, vague 1.5 (default)": DEFAULT,
    "noise .005, vague 1": replace(DEFAULT, vague=1.0),
    "noise .003, vague 1": replace(DEFAULT, run_noise=0.003, vague=1.0),
    "about the laws too, .005, vague 1": replace(DEFAULT, noise_prior=0.005, vague=1.0),
}


def single_seeds() -> list[Curve]:
    """Curves of one run a size, scores turned into errors: prompt_worth_superglue (arXiv 2103.08493)."""
    found: dict[tuple[str, ...], dict[float, float]] = defaultdict(dict)
    for r in rows(folder(".").parent / "evidence" / "modern" / "prompt_worth_superglue.csv"):
        key = tuple(r[name] for name in ("task", "method", "pattern", "verbalizer", "seed", "metric"))
        found[key][float(r["n_labels"])] = 1 - float(r["score"])
    curves = []
    for key, seen in found.items():
        sizes = np.array(sorted(seen))
        errors = np.array([seen[n] for n in sizes])
        if len(sizes) >= LEAST_SIZES and (errors > 0).all():
            curves.append(inside(Curve("prompt_worth", key[0], " ".join(key), sizes, errors, sizes, errors)))
    return curves


def targets() -> dict[str, list[Curve]]:
    """Every other inner size held out, or all later ones."""
    return {
        "rectified_sft inside": [inside(c) for c in rectified_sft()][::2],
        "lcdb11 inside": [inside(c) for c in lcdb11(1)[::6]],
        "prompt_worth_superglue, single seeds, inside": single_seeds()[::3],
        "rectified_sft 8x": rectified_sft(11, zero=False)[1::4],
        "rectified_sft 64x": rectified_sft(8, zero=False)[1::4],
        "lcdb11 4x": lcdb11(4)[::8],
        "revisiting_nsl": revisiting_nsl()[::2],
    }


def row(name: str, curves: Sequence[Curve], options: Options) -> list[object]:
    """Errors of logs: RMSE, CRPS, 90 % interval score, and how often the intervals hold."""
    gaps = []
    prior = "tabular" if name.startswith("lcdb11") else "finetuning"
    for c in curves:
        found = fit_curve(c.sizes, c.errors, options=replace(options, prior=prior)).predict(c.later_sizes)
        gaps.append(np.log(found.draws) - np.log(c.later_errors))
    gap = np.concatenate(gaps, axis=1)
    zero, held = np.zeros(gap.shape[1]), []
    for level in LEVELS:
        low, high = np.quantile(gap, [(1 - level) / 2, (1 + level) / 2], axis=0)
        held.append(float(((low <= 0) & (high >= 0)).mean()))
    low, high = np.quantile(gap, [0.05, 0.95], axis=0)
    return [
        gap.shape[1],
        float(np.sqrt(np.mean(np.median(gap, axis=0) ** 2))),
        float(np.mean(crps(gap, zero))),
        float(np.mean(interval_score(low, high, zero, 0.9))),
        *held,
    ]


def main() -> None:
    for name, curves in targets().items():
        print(f"\n## {name}")
        table = [[label, *row(name, curves, options)] for label, options in VARIANTS.items()]
        print_table(["variant", "n", "RMSE", "CRPS", "interval score", *(f"{level:.0%}" for level in LEVELS)], table)


if __name__ == "__main__":
    main()
