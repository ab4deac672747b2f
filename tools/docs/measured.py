"""Write docs/measured.md and its pictures from the store: `python tools/docs/measured.py [--store PATH]`.

What pretrained learners were measured to do, claim by claim. Every number, and every sentence that names one, is
computed here; intervals are over tasks, which are drawn anew with all their runs, since runs of one task are alike.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from measured_cells import (
    PRICES,
    Cell,
    annotated,
    best_bought,
    differences,
    gains_at_labels,
    over_tasks,
    pairs_of,
    read_cells,
    shares_of_people,
    table,
)
from measured_foreign import FOREIGN_SQL, foreign_section, kind_of
from measured_labels import ACCURACY_SQL, machine_section
from measured_pictures import pictures
from measured_teachers import beside_base, designs_of_several, teachers_section

from budgetsim.store.database import open_reader
from budgetsim.store.location import locate

ROOT: Final = Path(__file__).parents[2]
SET: Final = "measured-cpu-modern-"
MINIATURE: Final = "measured-cpu-mini-"
BUDGETS: Final = (10, 30, 100, 300)
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
    frozen, bags = annotated(cells, "encoder-lr"), annotated(cells, "tfidf-lr")
    few, many = min(c.n_labels for c in bags), max(c.n_labels for c in bags)
    gain = {
        n: over_tasks(differences([c for c in frozen if c.n_labels == n], bags, lambda c: (c.n_labels,)))
        for n in (few, many)
    }
    tuned = differences(annotated(cells, "ft:minilm"), frozen, lambda c: (c.n_labels,))
    lines = [
        "## Which learner on labels of people",
        "",
        f"A frozen MiniLM with logistic regression is {gain[few]} points above bags of words on {few} labels and "
        f"{gain[many]} on {many:,}, over {gain[few].n_tasks} tasks; it is ahead on {gain[few].n_won} and "
        f"{gain[many].n_won} of them.",
    ]
    if tuned:
        told = over_tasks(tuned)
        lines.append(
            f"The same encoder fine-tuned (`ft:minilm`, 200 steps) is {told} points beside the frozen one on the same labels, "
            f"on {told.n_tasks} task{'s' if told.n_tasks > 1 else ''}: {told.verdict} that fine-tuning pays."
        )
    for student in ("encoder-lr", "tfidf-lr", "ft:minilm", "ft:minilm:layers=2"):
        if annotated(cells, student):
            lines += ["", curves_table(cells, student)]
    return [*lines, "", "![Learning curves by learner](measured/curves.svg)"]


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


def advice(cells: Sequence[Cell], foreign: Sequence[Sequence[Any]]) -> list[str]:
    """What to do, in lines that each carry their evidence."""
    frozen, bags = annotated(cells, "encoder-lr"), annotated(cells, "tfidf-lr")
    told = over_tasks(differences(frozen, bags, lambda c: (c.n_labels,)))
    teacher, student = pairs_of(cells)[0]
    gains = gains_at_labels(cells, teacher, student)
    few, many = min(gains), max(gains)
    most = max(gains[few])
    double = over_tasks(
        differences(
            [c for c in frozen if c.n_labels == 1000],
            [Cell(c.task, c.strategy, c.student, "", 1000, 0, 0, c.score, 1) for c in frozen if c.n_labels == 500],
            lambda c: (c.n_labels,),
        )
    )
    wrong = shares_of_people(cells, "encoder-lr", "simulated:accuracy=0.9")
    lines = [
        f"Begin with a frozen encoder and logistic regression: seconds of CPU, {told} points over bags of words at the same "
        f"labels, ahead on {told.n_won} of {told.n_tasks} tasks.",
        f"Where only a bag of words may be served, distil the encoder into it: {gains[few][most]} points with {few} labels and "
        f"{most:,} texts.",
        f"The more labels, the less that brings: {gains[many][most]} with {many:,} labels and as many texts.",
        f"Do not distil on a handful of texts: with {min(gains[few])} texts it is {gains[few][min(gains[few])]} points.",
        f"Doubling labels from 500 to 1,000 brings the frozen encoder {double} points: compare that with its price.",
    ]
    tuned = differences(
        [c for c in annotated(cells, "ft:minilm") if c.n_labels == 500], frozen, lambda c: (c.n_labels,)
    )
    if len(tuned) > 2:
        gain = over_tasks(tuned)
        lines.insert(
            1,
            f"Fine-tune it, for minutes of CPU, and keep what your test set says: with 500 labels it moves by {gain} points, ahead on "
            f"{gain.n_won} of {gain.n_tasks} tasks.",
        )
    if wrong:
        n = max(wrong)
        lines.append(
            f"Labels that are 90 % right cost the frozen encoder {wrong[n]} points beside as many of people, {n:,} of them: where "
            f"they are a tenth of the price, buy those."
        )
    lines += [*_mixing(cells), *_teaching(cells)]
    half: dict[str, list[float]] = defaultdict(list)
    for task, source, share, *_, score, own in foreign:
        if share == 0.5 and kind_of(task, source) == "near":
            half[task].append(score - own)
    if half:
        lines.append(
            f"Do not fill a pool up with texts from elsewhere: with half of them from a like domain distilling moves by {over_tasks(half)} "
            f"points, on {len(half)} tasks."
        )
    return ["## What to do", "", *(f"{i}. {line}" for i, line in enumerate(lines, 1))]


def _mixing(cells: Sequence[Cell]) -> list[str]:
    """What labels of a machine add to people's: of one that is mostly right, and of real LLMs."""
    people, lines = annotated(cells, "encoder-lr"), []
    mixed = [c for c in cells if c.strategy == "annotate_plus_llm" and c.student == "encoder-lr"]
    right = [c for c in mixed if (c.taught_by, c.n_labels, c.n_llm_labels) == ("simulated:accuracy=0.9", 120, 1000)]
    if right:
        told = over_tasks(differences(right, people, lambda c: (c.n_labels,)))
        lines.append(f"Beside 120 labels of people 1,000 that are 90 % right bring the frozen encoder {told} points.")
    real = [c for c in mixed if c.taught_by.startswith("recorded:") and c.n_labels == 100]
    if real:
        told = over_tasks(differences(real, people, lambda c: (c.n_labels,)))
        lines.append(
            f"Beside 100 labels of people 100 of an LLM that is right half the time move it by {told} points: try an LLM on your own "
            f"labels first (`budgetsim probe --llm`)."
        )
    return lines


def _teaching(cells: Sequence[Cell]) -> list[str]:
    found = beside_base(designs_of_several(cells, "tfidf-lr"))
    return [
        f"Of two frozen teachers take the better one: mpnet's soft labels are {told} points beside MiniLM's, for ten times the seconds."
        for teacher, told in found.items()
        if teacher == "encoder-lr:mpnet" and told.n_tasks > 2
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
