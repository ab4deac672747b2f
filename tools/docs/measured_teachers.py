"""Teachers, on the page of findings: one student, the same labels and texts, who teaches it best, and at what money."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from measured_cells import PRICES, Cell, Told, annotated, over_tasks, table

STUDENTS: Final = ("tfidf-lr", "ft:minilm:layers=2")
BASE: Final = "encoder-lr:minilm"  # the teacher that others are set beside
BUDGETS: Final = (10, 30, 100)
Design = tuple[str, int, int]  # task, labels, texts


def teachers_section(cells: Sequence[Cell]) -> list[str]:
    """A table a student: designs that two teachers taught, what each brings over the base, and what money buys."""
    lines = ["## Which teacher? (open question 1)", ""]
    found = [(student, designs) for student in STUDENTS if (designs := designs_of_several(cells, student))]
    if not found:
        return [*lines, "Cannot be told yet: no design was taught by two teachers."]
    for student, designs in found:
        lines += [*_scores(cells, student, designs), ""]
        beside = beside_base(designs)
        lines += [
            f"- `{teacher}` beside `{BASE}`: {told} points over {told.n_tasks} task{'s' * (told.n_tasks > 1)}: "
            f"**{told.verdict}**."
            for teacher, told in beside.items()
        ]
        lines += [""] * bool(beside)
    return [*lines, *_money(cells)]


def designs_of_several(cells: Sequence[Cell], student: str) -> dict[Design, dict[str, float]]:
    """Scores by teacher of the designs of a student that at least two teachers taught."""
    found: dict[Design, dict[str, float]] = defaultdict(dict)
    for c in cells:
        if c.strategy == "distill" and c.student == student:
            found[c.task, c.n_labels, c.n_unlabeled][c.taught_by] = c.score
    return {design: scores for design, scores in sorted(found.items()) if len(scores) > 1}


def beside_base(designs: Mapping[Design, Mapping[str, float]]) -> dict[str, Told]:
    """What each other teacher brings over the base on the same designs, over tasks."""
    gains: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (task, *_), scores in designs.items():
        for teacher, score in scores.items():
            if BASE in scores and teacher != BASE:
                gains[teacher][task].append(score - scores[BASE])
    return {teacher: over_tasks(found) for teacher, found in sorted(gains.items())}


def _scores(cells: Sequence[Cell], student: str, designs: Mapping[Design, Mapping[str, float]]) -> list[str]:
    plain = {(c.task, c.n_labels): c.score for c in annotated(cells, student)}
    teachers = sorted({t for scores in designs.values() for t in scores})
    body = []
    for (task, n, u), scores in designs.items():
        alone = f"{plain[task, n]:.1f}" if (task, n) in plain else ""
        told = [f"{scores[t]:.1f}" if t in scores else "" for t in teachers]
        body.append([f"{task}, {n:,}, {u:,}", alone, *told])
    return [table([f"`{student}`: task, labels, texts", "people alone", *(f"`{t}`" for t in teachers)], body)]


def _money(cells: Sequence[Cell]) -> list[str]:
    """The best measured design of each student by who teaches it, where labels take the same money."""
    price = PRICES[1]
    tables = [found for student in STUDENTS if (found := _bought(cells, student, price))]
    if not tables:
        return []
    told = (
        f"At equal dollars, ${price:.2f} a label: the best measured design that the money pays for. Compute is left out. On this CPU "
        f"it is cents for any of these teachers (Runs and hours, below), and the three models of compute charge them alike: their "
        f"hours were measured, none is modelled. Where they differ: [teachers of up to 11 billion parameters](paper/other-models.md), "
        f"[three models of compute](paper/claims.md)."
    )
    return [told, *(line for found in tables for line in ("", found))]


def _bought(cells: Sequence[Cell], student: str, price: float) -> str:
    designs = designs_of_several(cells, student)
    teachers = sorted({t for scores in designs.values() for t in scores})
    body = []
    for task in sorted({task for task, *_ in designs}):
        for usd in BUDGETS:
            paid = [c for c in cells if (c.task, c.student) == (task, student) and c.n_labels * price <= usd]
            best = {by: max((c.score for c in paid if c.taught_by == by), default=None) for by in ("", *teachers)}
            body.append([f"{task}, ${usd}", *("" if v is None else f"{v:.1f}" for v in best.values())])
    heads = [f"`{student}`: task, money", "people alone", *(f"`{t}`" for t in teachers)]
    return table(heads, body) if body else ""
