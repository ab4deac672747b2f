"""Write docs/measured.md and its pictures from the store: `python tools/docs/measured.py [--store PATH]`.

What pretrained learners were measured to do, claim by claim. Every number, and every sentence that names one, is
computed here; intervals are over tasks, which are drawn anew with all their runs, since runs of one task are alike.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from measured_advice import advice
from measured_cells import (
    LEARNERS,
    PRICES,
    Cell,
    annotated,
    beside_learner,
    best_bought,
    gains_at_labels,
    over_tasks,
    pairs_of,
    read_cells,
    table,
)
from measured_foreign import FOREIGN_SQL, foreign_section
from measured_labels import ACCURACY_SQL, machine_section
from measured_pictures import pictures
from measured_teachers import teachers_section

from budgetsim.store.database import open_reader
from budgetsim.store.location import locate

ROOT: Final = Path(__file__).parents[2]
SET: Final = "measured-cpu-modern-"
MINIATURE: Final = "measured-cpu-mini-"
BUDGETS: Final = (10, 30, 100, 300)
BESIDE: Final = (
    ("encoder-lr", "tfidf-lr"), ("encoder-lr:mpnet", "encoder-lr"), ("ft:minilm", "encoder-lr"),
    ("ft:minilm:layers=2", "ft:minilm"), ("ft:minilm:layers=2", "encoder-lr"),
)  # fmt: skip
HOURS_SQL: Final = """
SELECT g.model, g.kind, count(*) AS stages, sum(g.seconds) / 3600 AS hours
FROM stages g WHERE g.stage_id IN (SELECT stage_id FROM run_stages JOIN runs USING (run_id) WHERE evidence_set LIKE ?)
GROUP BY ALL ORDER BY hours DESC LIMIT 8
"""
COUNTS_SQL: Final = """
SELECT strategy, student, coalesce(teacher, regexp_replace(labeler, '@.*|=.*', ''), '') AS taught_by, count(DISTINCT task) AS tasks,
       count(*) AS runs
FROM points WHERE evidence_set LIKE ? GROUP BY ALL ORDER BY ALL
"""


def curves_table(cells: Sequence[Cell], student: str) -> str:
    rows = annotated(cells, student)
    sizes = sorted({c.n_labels for c in rows})
    at = {(c.task, c.n_labels): c.score for c in rows}
    lines = [
        [task, *(f"{at[task, n]:.1f}" if (task, n) in at else "" for n in sizes)]
        for task in sorted({c.task for c in rows})
    ]
    return table([f"`{student}`, labels:", *(f"{n:,}" for n in sizes)], lines)


def gain_table(cells: Sequence[Cell], teacher: str, student: str) -> str:
    gains = gains_at_labels(cells, teacher, student)
    texts = sorted({u for by_texts in gains.values() for u in by_texts})
    lines = [[f"{n:,} labels", *(str(gains[n].get(u, "")) for u in texts)] for n in gains]
    return table([f"`{teacher}` to `{student}`", *(f"{u:,} texts" for u in texts)], lines)


def learners_section(cells: Sequence[Cell]) -> list[str]:
    gain = beside_learner(cells, "encoder-lr", "tfidf-lr")
    few, many = min(gain), max(gain)
    lines = [
        "## Which learner on labels of people",
        "",
        f"A frozen MiniLM with logistic regression is {gain[few]} points above bags of words on {few} labels, ahead on "
        f"{gain[few].n_won} of {gain[few].n_tasks} tasks, and {gain[many]} on {many:,}, ahead on {gain[many].n_won} of "
        f"{gain[many].n_tasks}.",
        "",
        "A learner less another on the same labels, points; in brackets 95 % over tasks, then how many tasks.",
        "",
        _beside_table(cells),
    ]
    for student in LEARNERS:
        if annotated(cells, student):
            lines += ["", curves_table(cells, student)]
    return [*lines, "", "![Learning curves by learner](measured/curves.svg)"]


def _beside_table(cells: Sequence[Cell]) -> str:
    found = {pair: beside_learner(cells, *pair) for pair in BESIDE}
    sizes = sorted({n for told in found.values() for n in told})
    body = [
        [f"`{a}` less `{b}`", *(f"{told[n]}, {told[n].n_tasks}" if n in told else "" for n in sizes)]
        for (a, b), told in found.items()
    ]
    return table(["labels:", *(f"{n:,}" for n in sizes)], body)


def distilling_section(cells: Sequence[Cell]) -> list[str]:
    lines = [
        "## Does distilling beat annotating on the same labels?",
        "",
        "The paper's claim. Score of the distilled student less that of the same student on the same labels of people, "
        "points; in brackets 95 % over tasks.",
    ]
    for teacher, student in pairs_of(cells):
        gains = gains_at_labels(cells, teacher, student)
        if not gains:
            continue
        lines += ["", gain_table(cells, teacher, student), ""]
        for n, by_texts in gains.items():
            u = max(u for u, told in by_texts.items() if told.n_tasks == max(t.n_tasks for t in by_texts.values()))
            told = by_texts[u]
            lines.append(
                f"- {n:,} labels, {u:,} texts: {told} points, ahead on {told.n_won} of {told.n_tasks}: **{told.verdict}**."
            )
    return [*lines, "", "![Gain of distilling by labels and texts](measured/gains.svg)"]


def beginning_section(cells: Sequence[Cell]) -> list[str]:
    teacher, student = pairs_of(cells)[0]
    gains = gains_at_labels(cells, teacher, student)
    starts = []
    for n, by_texts in gains.items():
        pays = [u for u, told in by_texts.items() if told.verdict == "agrees"]
        starts.append(
            f"from {min(pays):,} texts on with {n:,} labels" if pays else f"at no number tried with {n:,} labels"
        )
    return [
        "## How does distilling begin?",
        "",
        f"`{teacher}` to `{student}`: soft labels of few texts teach less than the labels themselves. Distilling is ahead, with its "
        f"whole interval over tasks, {', '.join(starts)}.",
    ]


def money_section(cells: Sequence[Cell]) -> list[str]:
    tasks = sorted({c.task for c in cells if c.strategy == "distill"})
    lines = [
        "## What is best bought with so much?",
        "",
        "The best measured design whose labels the money pays for; mean over seeds.",
    ]
    for price in PRICES:
        body = []
        for task in tasks:
            row: list[str] = []
            for usd in BUDGETS:
                best = best_bought(cells, task, usd, price)
                row.append("" if best is None else f"{best.score:.1f} {_short(best)}")
            body.append([task, *row])
        lines += ["", table([f"${price:.2f} a label", *(f"${usd}" for usd in BUDGETS)], body)]
    return [*lines, "", "![Dollars against score](measured/dollars.svg)"]


def scratch_section(cells: Sequence[Cell], miniature: Sequence[Cell]) -> list[str]:
    at = 1000
    scratch = {c.task: c.score for c in annotated(miniature, "pico") if c.n_labels == at}
    students = ("tfidf-lr", "encoder-lr")
    here = {s: {c.task: c.score for c in annotated(cells, s) if c.n_labels == at} for s in students}
    shared = sorted(set(scratch) & set(here["encoder-lr"]))
    gain = over_tasks({task: [here["encoder-lr"][task] - scratch[task]] for task in shared})
    body = [[t, f"{scratch[t]:.1f}", *(f"{here[s][t]:.1f}" if t in here[s] else "" for s in students)] for t in shared]
    return [
        "## Pretrained or from scratch?",
        "",
        f"{at:,} labels of people; `pico` is the miniature's T5, trained from nothing. The frozen encoder is {gain} points above it.",
        "",
        table(["task", "`pico`", *(f"`{s}`" for s in students)], body),
        "",
        "So the miniature could show how a campaign runs and that its curves have the shape of the paper's, not which plan to buy.",
    ]


def open_section() -> list[str]:
    return [
        "## What was not measured",
        "",
        "- Labels of LLMs of today: those above are of 2022 and 2023; no such model is reachable here.",
        "- Teachers of more than 110 million parameters, and any GPU: none was to be had.",
    ]


def _short(cell: Cell) -> str:
    return f"`{cell.student}`" if cell.strategy == "annotate" else f"`{cell.taught_by}` to `{cell.student}`"


# The page and its pictures


def page(
    cells: Sequence[Cell], miniature: Sequence[Cell], foreign: Sequence[Sequence[Any]], counts: Sequence[Sequence[Any]],
    hours: Sequence[Sequence[Any]], accuracies: Mapping[tuple[str, str], float],
) -> str:  # fmt: skip
    """The whole page."""
    n_runs, tasks = sum(c.n_runs for c in cells), sorted({c.task for c in cells})
    head = f"""# What was measured here

{n_runs:,} runs of learners of today on {len(tasks)} tasks ({", ".join(tasks)}), on one CPU of a shared machine; no GPU ran.
Generated by `python tools/docs/measured.py` from the store; the recipe and how it was chosen: [measuring](measuring.md).
Scores are percent of each task's own metric. An interval is the middle 95 % over tasks, drawn anew 4,000 times with all
their runs; with fewer than three tasks there is none. The older miniature, T5s of 0.45 million parameters from scratch, is
[a page of its own](measured/miniature.md) and in no number here."""
    parts = [
        advice(cells, foreign), learners_section(cells), distilling_section(cells), beginning_section(cells), teachers_section(cells),
        machine_section(cells, accuracies), money_section(cells), scratch_section(cells, miniature),
        foreign_section(cells, foreign), open_section(),
        ["## Runs and hours", "", table(["strategy", "student", "taught by", "tasks", "runs"], counts), "",
         table(["model", "stage", "stages", "hours on the clock"], [[m, k, n, f"{h:.2f}"] for m, k, n, h in hours])],
    ]  # fmt: skip
    return "\n\n".join([head, *("\n".join(part) for part in parts)]) + "\n"


def main() -> None:
    """Write the page and its pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path)
    with open_reader(locate(parser.parse_args().store).database) as connection:
        cells, miniature = read_cells(connection, SET), read_cells(connection, MINIATURE)
        foreign = connection.execute(FOREIGN_SQL, [f"{SET}%"]).fetchall()
        counts = connection.execute(COUNTS_SQL, [f"{SET}%"]).fetchall()
        hours = connection.execute(HOURS_SQL, [f"{SET}%"]).fetchall()
        found = connection.execute(ACCURACY_SQL, [f"{SET}%"]).fetchall()
    accuracies = {(task, labeler): accuracy for task, labeler, accuracy in found}
    (ROOT / "docs" / "measured.md").write_text(
        page(cells, miniature, foreign, counts, hours, accuracies), encoding="utf-8"
    )
    pictures(cells, accuracies, ROOT / "docs" / "measured")


if __name__ == "__main__":
    main()
