"""Texts of another domain, on the page of findings: what distilling loses with them, and what one of them is worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any, Final

import numpy as np
from measured_cells import Cell, distilled, over_tasks, table

FOREIGN_SQL: Final = """
SELECT f.task, regexp_replace(f.unlabeled_source, '^task:|:share=.*$', '', 'g'),
       CAST(split_part(f.unlabeled_source, '=', 2) AS DOUBLE), f.n_labels, f.n_unlabeled, f.student, f.teacher, f.seed, s.value, o.value
FROM runs f JOIN scores s ON s.run_id = f.run_id AND s.is_main
JOIN runs r ON (r.task, r.split_id, r.recipe_id, r.seed, r.student, r.teacher, r.n_labels, r.n_unlabeled)
             = (f.task, f.split_id, f.recipe_id, f.seed, f.student, f.teacher, f.n_labels, f.n_unlabeled)
         AND r.unlabeled_source = 'pool'
JOIN scores o ON o.run_id = r.run_id AND o.is_main
WHERE f.evidence_set LIKE ? AND regexp_matches(f.unlabeled_source, '^(task|file):') ORDER BY ALL
"""
NEAR: Final = {
    "sst2": "mr",
    "emotion": "offensive",
    "offensive": "emotion",
    "banking77": "clinc150",
    "clinc150": "banking77",
    "fdu_books": "fdu_magazines",
    "fdu_dvd": "fdu_video",
    "fdu_electronics": "fdu_camera",
    "fdu_kitchen": "fdu_camera",
}
MIXED: Final = "fdu_others"  # texts of nine groups of products together
KINDS: Final = ("near", "far", "mixed", "Wikipedia")


def foreign_section(cells: Sequence[Cell], foreign: Sequence[Sequence[Any]]) -> list[str]:
    lines = ["## What are texts of another domain worth? (open question 2)", ""]
    if not foreign:
        return [*lines, "Not measured with these learners: **cannot be told**."]
    _, _, _, n_labels, n_texts, student, teacher, *_ = foreign[0]
    gain: dict[tuple[str, float], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for task, source, share, *_, score, own in foreign:
        gain[kind_of(task, source), share][task].append(score - own)
    lines += [
        f"`{teacher}` to `{student}`, {n_labels:,} labels, {n_texts:,} texts, some or all of them another task's: score less that of the "
        f"same run on the task's own texts, points. Near: {', '.join(f'{b} for {a}' for a, b in NEAR.items())}. Mixed: reviews of nine "
        f"groups of products, none of them the task's own. Wikipedia: its sentences, which are of no task.",
        "",
        table(
            ["texts", "share of foreign ones", "points", "tasks"],
            [[kind, f"{share:.0%}", str(told), told.n_tasks] for (kind, share), found in sorted(gain.items())
             if (told := over_tasks(found))],
        ),
        "",
    ]  # fmt: skip
    worth = {kind: worths(cells, foreign, kind) for kind in KINDS}
    lines += [
        f"- A {kind} text is worth {fmean(found):.2f} of the domain's own ({min(found):.2f} to {max(found):.2f} over {len(found)} tasks): "
        f"so many own texts give the score that {n_texts:,} foreign ones give; the fewest own ones tried stand for all below them. Own "
        f"ones are the better buy while one costs less than {1 / fmean(found):.1f} foreign ones."
        for kind, found in worth.items()
        if found
    ]
    return lines


def kind_of(task: str, source: str) -> str:
    if source.startswith("file:"):
        return "Wikipedia"
    if source == MIXED:
        return "mixed"
    return "near" if NEAR.get(task) == source else "far"


def worths(cells: Sequence[Cell], foreign: Sequence[Sequence[Any]], kind: str) -> list[float]:
    """Own texts that give the score of foreign ones alone, by task, over their number: by the task's own curve in log U.

    A score below that of the fewest own texts is worth those at most; one above the most is worth the most.
    """
    scores: dict[str, list[float]] = defaultdict(list)
    for task, source, share, *_, score, _ in foreign:
        if share == 1.0 and kind_of(task, source) == kind:
            scores[task].append(score)
    _, _, _, n_labels, n_texts, student, teacher, *_ = foreign[0]
    found = []
    for task, values in scores.items():
        curve = sorted(
            (c.n_unlabeled, c.score)
            for c in distilled(cells, teacher, student)
            if (c.task, c.n_labels) == (task, n_labels)
        )
        if curve:
            rising = np.maximum.accumulate([score for _, score in curve])
            own = np.exp(np.interp(fmean(values), rising, np.log([u for u, _ in curve])))
            found.append(float(own) / n_texts)
    return found
