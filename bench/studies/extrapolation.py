"""Extrapolation of 56 public curves (revisiting_nsl): ours, M1 to M4 re-written, and as published.

RMSLE of the later sizes, mean over the curves of a domain. The default was chosen on other
collections (rectified_sft and lcdb11); these curves are only reported on.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from baselines import all_forms
from curve_data import Curve, published, revisiting_nsl, thin
from scoring import print_table, rmsle

from budgetsim.laws.curve import fit_curve

GOALS = {"NMT": 0.0150, "LM": 0.0012, "BB": 0.0093, "IC": 0.0255}
DOMAINS = ("NMT", "LM", "BB", "IC")


def errors_of(curve: Curve) -> dict[str, float]:
    """RMSLE of every method on one curve, and how often our 90 % interval held."""
    prediction = fit_curve(curve.sizes, curve.errors).predict(curve.later_sizes)
    held = (prediction.lower <= curve.later_errors) & (curve.later_errors <= prediction.upper)
    out = {"ours": rmsle(prediction.mean, curve.later_errors), "held": float(held.mean())}
    for name, predict in all_forms(curve.sizes, curve.errors).items():
        out[name] = rmsle(predict(curve.later_sizes), curve.later_errors)
    return out


def table(curves: list[Curve]) -> dict[str, dict[str, float]]:
    """Means by domain."""
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for curve in curves:
        found[curve.collection].append(errors_of(curve))
    return {d: {k: float(np.mean([e[k] for e in found[d]])) for k in found[d][0]} for d in DOMAINS if d in found}


def published_means() -> dict[str, list[float]]:
    """Means of the published tables, M1 to M4, by domain."""
    source = published()["revisiting_nsl"]
    return {d: np.mean(list(source[d].values()), axis=0).tolist() for d in ("NMT", "LM", "BB")}  # type: ignore[attr-defined]


def main() -> None:
    curves = revisiting_nsl()
    print("# RMSLE on later sizes: every point, then 8 points a curve")
    paper = published_means()
    for title, chosen in (("all points", curves), ("8 points", [thin(c, 8) for c in curves])):
        body = []
        for domain, means in table(chosen).items():
            goal = GOALS[domain] if title == "all points" else float("nan")
            verdict = "" if np.isnan(goal) else "reached" if means["ours"] <= goal else "missed"
            row = [means[k] for k in ("ours", "M1", "M2", "M3", "M4", "held")]
            row_paper = [f"{v:.4f}" for v in paper.get(domain, [])] or ["", "", "", ".0415 (72 curves)"]
            body.append([domain, title, *row, *row_paper, goal, verdict])
        print_table(
            ["domain", "fitted to", "ours", "M1", "M2", "M3", "M4", "90 % held",
             "M1 paper", "M2 paper", "M3 paper", "M4 paper", "goal", ""], body
        )  # fmt: skip
        print()


if __name__ == "__main__":
    main()
