"""What probes found: cheap students, cross-validated on labels that somebody owns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from budgetsim.store.database import Connection
from budgetsim.store.published import REPORTED
from budgetsim.store.query import CallerRow, ScoreRow

PROBED: Final = f"{REPORTED}probe-"  # how the sets of probes begin; the fold stands where others have the seed

_PROBES = """
SELECT r.task, r.evidence_set, r.student, r.n_labels, avg(s.value), count(*), coalesce(stddev_samp(s.value), 0)
FROM runs r JOIN scores s ON s.run_id = r.run_id AND s.task = r.task AND s.is_main
WHERE starts_with(r.evidence_set, ?) AND r.strategy = 'annotate' AND r.n_labels > 0 AND list_contains(?, r.task)
GROUP BY ALL ORDER BY ALL
"""

_PROBED_LLMS = """
SELECT r.task, substr(r.student, length($asked) + 1), avg(s.value), count(*)
FROM runs r JOIN scores s ON s.run_id = r.run_id AND s.task = r.task AND s.is_main
WHERE starts_with(r.evidence_set, $sets) AND starts_with(r.student, $asked)
  AND ($tasks IS NULL OR list_contains($tasks, r.task))
GROUP BY ALL ORDER BY ALL
"""
ASKED: Final = "llm:"  # how students begin that are LLMs, asked and not taught


def is_probe(evidence_set: str) -> bool:
    """Whether a set is what a probe found."""
    return evidence_set.startswith(PROBED)


def load_probed_llms(connection: Connection, tasks: Sequence[str] | None) -> list[CallerRow]:
    """LLMs that probes tried on labels that somebody owns; tasks : those that are read, None for all."""
    asked = {"sets": PROBED, "asked": ASKED, "tasks": None if tasks is None else list(tasks)}
    return [
        CallerRow(task=task, model=model, n_labels=0, score=score, n_runs=n, usd_per_million_texts=None, is_probed=True)
        for task, model, score, n in connection.execute(_PROBED_LLMS, asked).fetchall()
    ]


def load_probes(connection: Connection, tasks: Sequence[str]) -> list[ScoreRow]:
    """Mean scores over folds of the students that probes of some tasks taught, percent; each fold is a replicate."""
    rows = connection.execute(_PROBES, [PROBED, list(tasks)]).fetchall()
    return [
        ScoreRow(task=task, evidence_set=name, student=student, n_labels=n, score=mean, n_runs=folds, sd=sd)
        for task, name, student, n, mean, folds, sd in rows
    ]
