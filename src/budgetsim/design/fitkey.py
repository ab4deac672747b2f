"""What a fit depends on, in few words: its rows and its method. Light: readers of fits need no SciPy."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from budgetsim.design.identity import canonical_hash
from budgetsim.design.points import Measurement, Ran

METHOD: Final = "tempered-9"  # raise the number when the same rows would give another fit


def rows_hash(rows: Sequence[Measurement], others: Sequence[Measurement] = ()) -> str:
    """Hash of what a fit saw of its rows, and of those of other tasks, whatever their order."""
    return canonical_hash({"rows": _seen(rows), "others": _seen(others)})


def runs_hash(rows: Sequence[Ran]) -> str:
    """Hash of what a forecast saw of some runs, whatever the order of their designs."""
    seen = sorted(
        [m.task, m.source, m.evidence_set, *m.route.sort_key, str(m.n_labels), str(m.n_llm_labels),
         str(m.n_unlabeled), sha256(array("d", m.scores).tobytes()).hexdigest()]
        for m in rows
    )  # fmt: skip
    return canonical_hash({"runs": seen})


def _seen(rows: Sequence[Measurement]) -> list[list[str]]:
    return sorted(
        [m.key, m.source, m.route.strategy, m.route.student, str(m.route.teacher), str(m.route.labeler),
         str(m.n_labels), str(m.n_llm_labels), str(m.n_unlabeled), repr(m.score), repr(m.score_err), str(m.n_test),
         str(m.teacher_score), *([] if m.labeler_accuracy is None else [repr(m.labeler_accuracy)]),
         *([] if m.n_unlabeled_se is None else [repr(m.n_unlabeled_se)])]
        for m in rows
    )  # fmt: skip
