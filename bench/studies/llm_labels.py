"""LLM and mixed labels: sizes of the store's own evidence left out, with and without a noise floor.

Measured rows: every run of one labeler at one size. Published rows: each row alone, the two largest
sizes of LLM labels, and all mixed rows but the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from unittest.mock import patch

import numpy as np
from leaving_out import Runs, predict, report, stored, without

from budgetsim.design.arrays import Floats
from budgetsim.design.points import Measurement
from budgetsim.fitting.labelers import Labeler

LABELS = ("annotate", "llm_annotate", "annotate_plus_llm")
Out = tuple[str, list[Measurement]]  # part of the table, rows left out together


def evidence() -> dict[tuple[str, str], list[Measurement]]:
    """Label rows of every student that has LLM labels, by evidence set and task."""
    rows = stored(LABELS)
    machine = {(m.evidence_set, m.task, m.route.student) for m in rows if m.route.strategy != "annotate"}
    return {key[:2]: [m for m in rows if (m.evidence_set, m.task, m.route.student) == key] for key in sorted(machine)}


def measured(machine: Sequence[Measurement]) -> Iterator[Out]:
    """Every labeler at every size."""
    for cell in sorted({(str(m.route.labeler), m.n_llm_labels or 0.0) for m in machine}):
        yield "measured, a size", [m for m in machine if (m.route.labeler, m.n_llm_labels) == cell]


def published(machine: Sequence[Measurement]) -> Iterator[Out]:
    """Every row, the far end of LLM labels, most of the mixed rows."""
    for m in machine:
        yield f"published, a row of {m.route.strategy}", [m]
    alone = sorted((m for m in machine if m.route.strategy == "llm_annotate"), key=lambda m: m.n_llm_labels or 0)
    mixed = sorted((m for m in machine if m.route.strategy != "llm_annotate"), key=lambda m: m.n_labels or 0)
    yield "published, the two largest of llm_annotate", alone[-2:]
    yield "published, all mixed but the first", mixed[1:]


def score() -> dict[str, list[Runs]]:
    """Predictions by part and task."""
    found: dict[str, list[Runs]] = {}
    for (_, task), rows in evidence().items():
        machine = [m for m in rows if m.route.strategy != "annotate"]
        leave = measured if rows[0].source == "measured" else published
        for part, out in leave(machine):
            found.setdefault(f"{part}: {task}", []).append(predict(without(rows, out), out))
    return found


def _no_floor(self: Labeler, z: Floats) -> Floats:
    return np.full((len(z), 1), 40.0)


def _no_accuracy(name: str | None, guess: float) -> Labeler:
    return Labeler()


def main() -> None:
    variants: dict[str, tuple[str, Callable[..., object]] | None] = {
        "default": None,
        "no noise floor": ("log_odds", _no_floor),
        "accuracy not told": ("named", _no_accuracy),
    }
    for title, change in variants.items():
        if change is None:
            report(title, score(), ("measured", "published", ""))
        else:
            with patch.object(Labeler, *change):
                report(title, score(), ("measured", "published", ""))


if __name__ == "__main__":
    main()
