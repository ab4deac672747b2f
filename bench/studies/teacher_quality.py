"""Distilling where the teacher's own score is known: a size of labels left out, with and without it.

Every run of one number of labels (measured tasks) is predicted from the other two; the teachers of
the rows left out are not seen either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leaving_out import Runs, predict, report, stored, without

from budgetsim.design.points import Measurement


def score(rows: Sequence[Measurement]) -> dict[str, list[Runs]]:
    """Predictions by number of labels and task."""
    found: dict[str, list[Runs]] = {}
    for task in sorted({m.task for m in rows}):
        mine = [m for m in rows if m.task == task]
        for n in sorted({m.n_labels or 0 for m in mine}):
            out = [m for m in mine if m.n_labels == n]
            found[f"N={n:g}: {task}"] = [predict(without(mine, out), out)]
    return found


def main() -> None:
    rows = [m for m in stored(["distill"]) if m.teacher_score is not None]
    pools = [*(f"N={n:g}:" for n in sorted({m.n_labels or 0 for m in rows})), ""]
    report("teacher's score known (default)", score(rows), pools)
    report("not known", score([replace(m, teacher_score=None) for m in rows]), pools)


if __name__ == "__main__":
    main()
