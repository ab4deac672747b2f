"""Recompute the prior parameters that the product ships (`budgetsim.laws.priors`) and compare."""

from __future__ import annotations

import sys
from collections import defaultdict

from curve_data import lcdb11, rectified_sft

from budgetsim.laws.pooling import shapes_of, summarise
from budgetsim.laws.priors import PRIORS


def main() -> None:
    tasks = defaultdict(list)
    for curve in rectified_sft() + lcdb11(1):
        tasks[curve.task].append((curve.sizes, curve.errors))
    rows = {task: shapes_of(curves) for task, curves in tasks.items()}
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
            for law, shapes in table.items()
            for shape, new in shapes.items()
            for shipped in [PRIORS[name][law][shape]]
            for a, b in zip(new, shipped, strict=True)
        )
        print(f"{name}: largest difference from the shipped table {worst:.2f} of its standard deviation")
        if "--print" in sys.argv:
            print(table)


if __name__ == "__main__":
    main()
