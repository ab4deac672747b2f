"""Prior parameters learnt from collections of real curves, by name.

Each entry is (mean, standard deviation) of a law's shape parameter, as `law.py` names it;
levels and places stay with the law's own weak prior. `log_shift` counts from the largest size.

source : medians and spreads over fits of each law to whole curves, seen from every cut of them
    at 1/64 to all of the sizes; spreads doubled, as tasks differ more than curves of a task.
    finetuning: flan and wmt19 of github.com/linhaowei1/Fine-tuning-Scaling-Law, commit 5214568
    (Apache-2.0); tabular: eight data sets of github.com/learning-curve-research/LCDB-1.1, commit
    37c3d9a (CC-BY-4.0), spreads as they are. `bench/studies/priors.py` recomputes them.
"""

from __future__ import annotations

from typing import Final

Table = dict[str, dict[str, tuple[float, float]]]

PRIORS: Final[dict[str, Table]] = {
    "finetuning": {
        "power_floor": {"floor": (-2.18, 2.28), "log_exponent": (-2.04, 0.98)},
        "shifted_power": {"log_exponent": (-2.1, 1.56), "log_shift": (-4.21, 3.98)},
        "bounded_power": {
            "floor": (-0.09, 2.46),
            "top": (-1.83, 3.82),
            "log_bend": (0.49, 1.54),
            "log_exponent": (-0.84, 1.24),
        },
        "rectified": {"floor": (0.0, 2.7), "top": (0.08, 0.26), "log_exponent": (-1.05, 1.18)},
        "one_break": {
            "floor": (-0.05, 2.62),
            "early_exponent": (0.07, 0.12),
            "log_late_exponent": (-1.27, 0.84),
            "log_width": (-0.16, 1.04),
        },
    },
    "finetuning_without_flan": {
        "power_floor": {"floor": (-2.22, 2.56), "log_exponent": (-1.86, 0.9)},
        "shifted_power": {"log_exponent": (-1.91, 1.66), "log_shift": (-3.97, 4.14)},
        "bounded_power": {
            "floor": (-0.18, 2.68),
            "top": (-2.01, 4.02),
            "log_bend": (0.24, 1.52),
            "log_exponent": (-0.89, 1.22),
        },
        "rectified": {"floor": (0.13, 2.84), "top": (0.09, 0.32), "log_exponent": (-0.92, 1.18)},
        "one_break": {
            "floor": (-0.2, 3.04),
            "early_exponent": (0.05, 0.14),
            "log_late_exponent": (-1.25, 0.92),
            "log_width": (-0.18, 1.28),
        },
    },
    "finetuning_without_wmt19": {
        "power_floor": {"floor": (-2.13, 1.94), "log_exponent": (-2.21, 0.84)},
        "shifted_power": {"log_exponent": (-2.28, 1.28), "log_shift": (-4.46, 3.72)},
        "bounded_power": {
            "floor": (0.0, 2.18),
            "top": (-1.64, 3.56),
            "log_bend": (0.74, 1.24),
            "log_exponent": (-0.8, 1.26),
        },
        "rectified": {"floor": (-0.13, 2.48), "top": (0.08, 0.22), "log_exponent": (-1.19, 1.06)},
        "one_break": {
            "floor": (0.1, 2.06),
            "early_exponent": (0.08, 0.08),
            "log_late_exponent": (-1.29, 0.74),
            "log_width": (-0.15, 0.7),
        },
    },
    "tabular": {
        "power_floor": {"floor": (1.04, 3.09), "log_exponent": (-1.21, 0.99)},
        "shifted_power": {"log_exponent": (-1.72, 1.13), "log_shift": (-0.71, 4.23)},
        "bounded_power": {
            "floor": (1.22, 2.78),
            "top": (-1.19, 1.33),
            "log_bend": (-0.11, 1.01),
            "log_exponent": (-0.57, 0.94),
        },
        "rectified": {"floor": (0.95, 2.86), "top": (0.21, 0.39), "log_exponent": (-0.35, 0.75)},
        "one_break": {
            "floor": (0.62, 2.46),
            "early_exponent": (0.14, 0.23),
            "log_late_exponent": (-0.84, 1.02),
            "log_width": (-0.86, 0.55),
        },
    },
    "weak": {},
}
