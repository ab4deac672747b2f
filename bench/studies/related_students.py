"""Students of few rows, alone and leaning on a richer one: a row left out of three.

Published: the base and large students of wlp beside the small one (three seeds of the sampler).
Measured: each student cut to three runs beside each other one, though they are models of other kinds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from unittest.mock import patch

from leaving_out import Runs, predict, report, stored, without

import budgetsim.fitting.groups as groups
import budgetsim.fitting.task as fittask
from budgetsim.design.points import PAPER_STUDENT, Measurement

KINDS = ("pico", "encoder-lr", "tfidf-lr")
SIZES = (300, 1000, 3000)
MEASURED = "measured-cpu-mini"
Split = tuple[str, list[Measurement], list[Measurement]]  # part, rows kept, rows left out


def published(rows: Sequence[Measurement]) -> Iterator[Split]:
    wlp = [m for m in rows if m.task == "wlp" and m.source != "measured"]
    rich = [m for m in wlp if m.route.student == PAPER_STUDENT]
    for student in sorted({m.route.student for m in wlp} - {PAPER_STUDENT}):
        few = [m for m in wlp if m.route.student == student]
        for m in few:
            yield f"published {student}", [*rich, *without(few, [m])], [m]


def measured(rows: Sequence[Measurement]) -> Iterator[Split]:
    for task in sorted({m.task for m in rows if m.source == "measured" and m.route.student in KINDS}):
        mine = [m for m in rows if m.task == task and m.source == "measured"]
        for student, other in permutations(KINDS, 2):
            for n in SIZES:
                few = [
                    m
                    for m in mine
                    if m.route.student == student and m.seed == 0 and m.n_labels in SIZES and m.n_labels != n
                ]
                out = [m for m in mine if m.route.student == student and m.n_labels == n]
                yield f"measured {task}", [*(m for m in mine if m.route.student == other), *few], out


def score(beside: bool = False) -> dict[str, list[Runs]]:
    """Predictions by part; beside the other measured tasks where asked for (no other has the published students)."""
    rows = stored(["annotate"])
    found: dict[str, list[Runs]] = {}
    for part, kept, out in published(rows):
        found.setdefault(part, []).extend(predict(kept, out, seed) for seed in range(3))
    for part, kept, out in measured(rows):
        others = [m for m in rows if m.evidence_set.startswith(MEASURED) and m.task != out[0].task]
        found.setdefault(part, []).append(predict(kept, out, others=others if beside else ()))
    return found


def main() -> None:
    pools = ("published", "measured")
    report(f"tied, correlation {groups.STUDENT_CORRELATION}", score(), pools)
    report("beside other tasks (default of the commands)", score(beside=True), pools)
    with patch.object(fittask, "FEW_SIZES", 0):
        report("each student alone", score(), pools)
    with patch.object(groups, "STUDENT_CORRELATION", 0.8):
        report("tied, correlation 0.8", score(), pools)


if __name__ == "__main__":
    main()
