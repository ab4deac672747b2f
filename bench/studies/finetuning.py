"""Fine-tuning losses (rectified_sft): in-sample, 8x and 64x beyond; a task's curves are not in its prior."""

from __future__ import annotations

import numpy as np
from baselines import FORMS, one_start
from curve_data import Curve, published, rectified_sft
from scoring import print_table, rmsle

from budgetsim.laws.curve import fit_curve

GOALS = {("flan", 11): 0.029, ("wmt19", 11): 0.047, ("flan", 8): 0.100, ("wmt19", 8): 0.100}
PAPER_FORMS = ("M2", "rectified", "M4", "one break")


def ours(curve: Curve, prior: str) -> float:
    """RMSLE of our default on the later sizes."""
    fit = fit_curve(curve.sizes, curve.errors, prior=prior)
    return rmsle(fit.predict(curve.later_sizes).mean, curve.later_errors)


def form(name: str, curve: Curve) -> float:
    """RMSLE of one form, fitted to the trained sizes only."""
    trained = curve.sizes > 0
    predict = one_start(FORMS[name], curve.sizes[trained], curve.errors[trained])
    return rmsle(predict(curve.later_sizes), curve.later_errors)


def in_sample(curve: Curve) -> list[float]:
    """RMSD of log loss over the 14 trained sizes: ours, its laws without residual, the paper's two forms."""
    trained = curve.sizes > 0
    x, e = curve.sizes[trained], curve.errors[trained]
    fit = fit_curve(curve.sizes, curve.errors, prior=f"finetuning_without_{curve.task}")
    curves = [one_start(FORMS[name], x, e) for name in ("rectified", "M2")]
    return [rmsle(fit.predict(x).mean, e), *(rmsle(c(x), e) for c in curves)]


def main() -> None:
    paper = published()["rectified_sft"]["by_dataset"]
    body: list[list[object]] = []
    for task in ("flan", "wmt19"):
        means = np.mean([in_sample(c) for c in rectified_sft() if c.task == task], axis=0)
        law, vanilla = paper[task.upper()]  # type: ignore[index]
        verdict = "reached" if means[0] <= law else "missed"
        body.append([task, *means.tolist(), law, vanilla, verdict])
    print("# In-sample RMSD of log loss, 14 sizes")
    print_table(
        ["task", "ours", "rectified here", "power + floor here", "rectified paper", "power + floor paper", ""], body
    )
    print("\n# RMSLE beyond the data")
    body = []
    for n, horizon in ((11, "8x, 11 points"), (8, "64x, 8 points"), (5, "512x, 5 points")):
        for task in ("flan", "wmt19"):
            curves = [c for c in rectified_sft(n) if c.task == task]
            priors = (f"finetuning_without_{task}", "weak", "tabular")
            scores = [float(np.mean([ours(c, p) for c in curves])) for p in priors]
            forms = [float(np.mean([form(f, c) for c in curves])) for f in PAPER_FORMS]
            goal = GOALS.get((task, n), float("nan"))
            verdict = "" if np.isnan(goal) else "reached" if scores[0] <= goal else "missed"
            body.append([task, horizon, *scores, *forms, goal, verdict])
    print_table(["task", "horizon", "ours", "weak prior", "tabular prior", *PAPER_FORMS, "goal", ""], body)


if __name__ == "__main__":
    main()
