"""Write docs/measured.md and its pictures from the store: `python tools/docs/measured.py [--store PATH]`.

What pretrained learners were measured to do, claim by claim. Every number, and every sentence that names one, is
computed here; intervals are over tasks, which are drawn anew with all their runs, since runs of one task are alike.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np

from budgetsim.report.plot import save_panels
from budgetsim.store.database import Connection, open_reader
from budgetsim.store.location import locate
from budgetsim.store.measurements import load_measurements
from budgetsim.store.query import all_sets

ROOT: Final = Path(__file__).parents[2]
SET: Final = "measured-cpu-modern-"
MINIATURE: Final = "measured-cpu-mini-"
RESAMPLES: Final = 4000
PRICES: Final = (0.02, 0.10, 0.50)  # dollars a label: three wages
BUDGETS: Final = (10, 30, 100, 300)
HOURS_SQL: Final = """
SELECT g.model, g.kind, count(*) AS stages, sum(g.seconds) / 3600 AS hours
FROM stages g WHERE g.stage_id IN (SELECT stage_id FROM run_stages JOIN runs USING (run_id) WHERE evidence_set LIKE ?)
GROUP BY ALL ORDER BY hours DESC LIMIT 8
"""
FOREIGN_SQL: Final = """
SELECT f.task, split_part(f.unlabeled_source, ':', 2), CAST(split_part(f.unlabeled_source, '=', 2) AS DOUBLE),
       f.n_labels, f.n_unlabeled, f.student, f.teacher, f.seed, s.value, o.value
FROM runs f JOIN scores s ON s.run_id = f.run_id AND s.is_main
JOIN runs r ON (r.task, r.split_id, r.recipe_id, r.seed, r.student, r.teacher, r.n_labels, r.n_unlabeled)
             = (f.task, f.split_id, f.recipe_id, f.seed, f.student, f.teacher, f.n_labels, f.n_unlabeled)
         AND r.unlabeled_source = 'pool'
JOIN scores o ON o.run_id = r.run_id AND o.is_main
WHERE f.evidence_set LIKE ? AND starts_with(f.unlabeled_source, 'task:') ORDER BY ALL
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
ACCURACY_SQL: Final = """
SELECT r.task, r.labeler, avg(g.score) / 100
FROM runs r JOIN run_stages USING (run_id) JOIN stages g USING (stage_id)
WHERE g.kind = 'llm_label' AND r.evidence_set LIKE ? AND starts_with(r.labeler, 'recorded:') GROUP BY ALL
"""
COUNTS_SQL: Final = """
SELECT strategy, student, coalesce(teacher, labeler, '') AS taught_by, count(DISTINCT task) AS tasks, count(*) AS runs
FROM points WHERE evidence_set LIKE ? GROUP BY ALL ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """The mean score of one design over its seeds, percent."""

    task: str
    strategy: str
    student: str
    taught_by: str  # teacher or labeler, empty where people alone are
    n_labels: int
    n_llm_labels: int
    n_unlabeled: int
    score: float
    n_runs: int


@dataclass(frozen=True, slots=True)
class Told:
    """A mean over tasks with the middle 95 % of its bootstrap, points; NaN ends where there are fewer than 3 tasks."""

    mean: float
    low: float
    high: float
    n_tasks: int
    n_won: int  # tasks on which it is above 0

    def __str__(self) -> str:
        band = f" ({self.low:+.1f} to {self.high:+.1f})" if self.n_tasks > 2 else ""
        return f"{self.mean:+.1f}{band}"

    @property
    def verdict(self) -> str:
        """Whether the data agree that it is above 0."""
        if self.n_tasks < 3 or self.low <= 0 <= self.high:
            return "cannot be told"
        return "agrees" if self.mean > 0 else "does not agree"


def over_tasks(values: Mapping[str, Sequence[float]], seed: int = 0) -> Told:
    """The mean over tasks of each task's mean, tasks drawn with replacement."""
    means = np.array([fmean(found) for found in values.values()])
    drawn = np.random.default_rng(seed).choice(means, size=(RESAMPLES, len(means))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Told(float(means.mean()), float(low), float(high), len(means), int((means > 0).sum()))


def differences(
    cells: Iterable[Cell], others: Iterable[Cell], key: Callable[[Cell], tuple[object, ...]]
) -> dict[str, list[float]]:
    """Score less that of the other cell with the same key, by task; cells without another are left out."""
    there = {(c.task, *key(c)): c.score for c in others}
    found: dict[str, list[float]] = defaultdict(list)
    for c in cells:
        if (other := there.get((c.task, *key(c)))) is not None:
            found[c.task].append(c.score - other)
    return dict(found)


# What the page asks of the cells


def annotated(cells: Sequence[Cell], student: str) -> list[Cell]:
    return [c for c in cells if c.strategy == "annotate" and c.student == student]


def distilled(cells: Sequence[Cell], teacher: str, student: str) -> list[Cell]:
    return [c for c in cells if c.strategy == "distill" and (c.taught_by, c.student) == (teacher, student)]


def pairs_of(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    """Teachers and students that were measured, those on most tasks first."""
    tasks: dict[tuple[str, str], set[str]] = defaultdict(set)
    for c in cells:
        if c.strategy == "distill":
            tasks[c.taught_by, c.student].add(c.task)
    return sorted(tasks, key=lambda pair: (-len(tasks[pair]), pair))


def gains_at_labels(cells: Sequence[Cell], teacher: str, student: str) -> dict[int, dict[int, Told]]:
    """Distilled less annotated on the same labels: by number of labels, then of texts."""
    people = annotated(cells, student)
    found: dict[int, dict[int, Told]] = defaultdict(dict)
    rows = distilled(cells, teacher, student)
    for n, u in sorted({(c.n_labels, c.n_unlabeled) for c in rows}):
        at = [c for c in rows if (c.n_labels, c.n_unlabeled) == (n, u)]
        gain = differences(at, people, lambda c: (c.n_labels,))
        if gain:
            found[n][u] = over_tasks(gain)
    return dict(found)


def shares_of_people(cells: Sequence[Cell], student: str, labeler: str) -> dict[int, Told]:
    """Score on so many labels of a labeler less that on as many of people."""
    machine = [c for c in cells if c.strategy == "llm_annotate" and (c.taught_by, c.student) == (labeler, student)]
    people = {(c.task, c.n_labels): c.score for c in annotated(cells, student)}
    found: dict[int, Told] = {}
    for n in sorted({c.n_llm_labels for c in machine}):
        gain = {c.task: [c.score - people[c.task, n]] for c in machine if c.n_llm_labels == n and (c.task, n) in people}
        if gain:
            found[n] = over_tasks(gain)
    return found


def best_bought(cells: Sequence[Cell], task: str, usd: float, usd_per_label: float) -> Cell | None:
    """The best mean score among designs whose labels cost at most so much; compute is left out, being cents here."""
    paid = [c for c in cells if c.task == task and c.strategy != "llm_annotate" and c.n_labels * usd_per_label <= usd]
    return max(paid, key=lambda c: c.score, default=None)


# Words


def table(headings: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    head = "| " + " | ".join(headings) + " |\n|" + "---|" * len(headings)
    return "\n".join([head, *("| " + " | ".join(map(str, line)) + " |" for line in lines)])


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


def teachers_section(cells: Sequence[Cell]) -> list[str]:
    lines = ["## Which teacher? (open question 1)", ""]
    student = "ft:minilm:layers=2"
    rows = [c for c in cells if c.strategy == "distill" and c.student == student]
    by_design: dict[tuple[str, int, int], dict[str, float]] = defaultdict(dict)
    for c in rows:
        by_design[c.task, c.n_labels, c.n_unlabeled][c.taught_by] = c.score
    plain = {(c.task, c.n_labels): c.score for c in annotated(cells, student)}
    several = {key: found for key, found in by_design.items() if len(found) > 1}
    if not several:
        return [*lines, "Cannot be told yet: no design was taught by two teachers."]
    teachers = sorted({t for found in several.values() for t in found})
    lines.append(
        table(
            ["task, labels, texts", "people alone", *(f"`{t}`" for t in teachers)],
            [
                [f"{task}, {n:,}, {u:,}", f"{plain[task, n]:.1f}" if (task, n) in plain else "",
                 *(f"{found[t]:.1f}" if t in found else "" for t in teachers)]
                for (task, n, u), found in sorted(several.items())
            ],
        )
    )  # fmt: skip
    n_tasks = len({task for task, *_ in several})
    seeds = sorted({c.n_runs for c in rows if (c.task, c.n_labels, c.n_unlabeled) in several})
    drawn = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    lines += [
        "",
        f"{n_tasks} task{'s' if n_tasks > 1 else ''}, {drawn} seed{'s' if seeds[-1] > 1 else ''} a design: a hint, and **cannot be "
        f"told** over tasks. What each teacher brings over people alone stands above, by pair.",
    ]
    return lines


def machine_section(cells: Sequence[Cell], accuracies: Mapping[tuple[str, str], float]) -> list[str]:
    lines = [
        "## What are wrong labels worth?",
        "",
        "Students on labels of a simulated labeler less the same student on as many labels of people.",
        "",
    ]
    labelers = [name for name, tasks in _tasks_of_labelers(cells).items() if len(tasks) > 2]
    students = sorted({c.student for c in cells if c.strategy == "llm_annotate"})
    body = []
    for labeler in labelers:
        for student in students:
            found = shares_of_people(cells, student, labeler)
            body += [[labeler, f"`{student}`", f"{n:,}", str(told)] for n, told in found.items()]
    lines.append(table(["labeler", "student", "labels", "points"], body))
    return [*lines, "", *real_section(cells, accuracies)]


def _tasks_of_labelers(cells: Sequence[Cell]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for c in cells:
        if c.strategy == "llm_annotate":
            found[c.taught_by].add(c.task)
    return dict(sorted(found.items()))


def twins_of(cells: Sequence[Cell], accuracies: Mapping[tuple[str, str], float]) -> list[tuple[Cell, Cell]]:
    """Each cell on a real LLM's labels with that on as many of the simulated labeler nearest to it in accuracy.

    accuracies : of real LLMs on the training rows, by task and labeler
    """
    simulated: dict[tuple[object, ...], list[tuple[float, Cell]]] = defaultdict(list)
    for c in cells:
        if c.strategy == "llm_annotate" and c.taught_by.startswith("simulated:"):
            simulated[c.task, c.student, c.n_llm_labels].append((float(c.taught_by.rpartition("=")[2]), c))
    pairs = []
    for c in cells:
        accuracy, others = accuracies.get((c.task, c.taught_by)), simulated[c.task, c.student, c.n_llm_labels]
        if accuracy is not None and others:
            pairs.append((c, min(others, key=lambda other: abs(other[0] - accuracy))[1]))
    return pairs


def real_section(cells: Sequence[Cell], accuracies: Mapping[tuple[str, str], float]) -> list[str]:
    """Whether the errors of real LLMs cost a student what as many even ones cost."""
    pairs = twins_of(cells, accuracies)
    lines = ["### Do a real LLM's errors behave as even ones?", ""]
    if not pairs:
        return [*lines, "No labels of a real LLM were measured: **cannot be told**."]
    whole = _by_task(pairs)
    told = over_tasks(whole)
    spread = [real.score - even.score for real, even in pairs]
    most = {task: max(r.n_llm_labels for r, _ in pairs if r.task == task) for task in whole}
    people = {(c.task, c.student, c.n_labels): c.score for c in cells if c.strategy == "annotate"}
    short = _short_of_people(pairs, people)
    llms = sorted({_llm(real) for real, _ in pairs})
    frozen = [(r, e) for r, e in pairs if r.student == "encoder-lr" and r.n_llm_labels == most[r.task]]
    means = {task: fmean(values) for task, values in _by_task(frozen).items()}
    lines += [
        f"Labels that LLMs of 2022 and 2023 gave to {told.n_tasks} tasks of social science (Ziems et al. 2024), against labels of a "
        f"simulated labeler that is wrong as often, evenly over texts and classes: score of the student on the LLM's less that on "
        f"the simulated ones, points; in brackets 95 % over tasks.",
        "",
        table(
            ["labels of", "right, mean", *(f"`{student}`, {which}" for student in _STUDENTS for which in ("100", "most"))],
            [[llm, f"{_mean_accuracy(accuracies, llm):.0%}",
              *(str(over_tasks(found)) if (found := _by_task(
                  [(r, e) for r, e in pairs if (_llm(r), r.student) == (llm, student)
                   and (r.n_llm_labels == most[r.task]) == is_most])) else ""
                for student in _STUDENTS for is_most in (False, True))]
             for llm in llms],
        ),
        "",
        "By task, `encoder-lr` on the most labels (in brackets the share of them that is right):",
        "",
        table(["task", "labels", *llms], [
            [task, most[task], *(f"{r.score - e.score:+.1f} ({accuracies[r.task, r.taught_by]:.0%})" for r, e in sorted(
                ((r, e) for r, e in frozen if r.task == task), key=lambda pair: _llm(pair[0])))]
            for task in sorted(means)
        ]),
        "",
        f"- Over all of them {told} points: **{_costs(told)}**. Single designs differ by {min(spread):+.1f} to {max(spread):+.1f} "
        f"points, on test sets of 200 rows.",
        *([f"- The sign is the task's: {min(means, key=lambda t: means[t])} {min(means.values()):+.1f}, "
           f"{max(means, key=lambda t: means[t])} {max(means.values()):+.1f}, means over LLMs. Even flips blur every class alike; an "
           f"LLM may be nearly right where it errs, or never say one of the labels."] if len(means) > 1 else []),
        *([f"- The LLMs' labels beside as many of people: {over_tasks(short)} points."] if short else []),
        "- So an LLM's accuracy alone does not say what its labels are worth to a student: measure a student on some of the very "
        "LLM's labels (`--llm recorded:FILE`) before buying the rest.",
        "",
        "![Accuracy of labels against the student's score](measured/labels.svg)",
    ]  # fmt: skip
    return lines


_STUDENTS: Final = ("encoder-lr", "tfidf-lr")


def _llm(cell: Cell) -> str:
    return cell.taught_by.removeprefix("recorded:").partition("@")[0]


def _by_task(pairs: Iterable[tuple[Cell, Cell]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for real, even in pairs:
        found[real.task].append(real.score - even.score)
    return dict(found)


def _costs(told: Told) -> str:
    return {"agrees": "they cost less", "does not agree": "they cost more"}.get(told.verdict, told.verdict)


def _short_of_people(
    pairs: Sequence[tuple[Cell, Cell]], people: Mapping[tuple[str, str, int], float]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for real, _ in pairs:
        if (there := people.get((real.task, real.student, real.n_llm_labels))) is not None:
            found[real.task].append(real.score - there)
    return found


def _mean_accuracy(accuracies: Mapping[tuple[str, str], float], llm: str) -> float:
    return fmean(a for (_, name), a in accuracies.items() if name.startswith(f"recorded:{llm}@"))


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


def foreign_section(cells: Sequence[Cell], foreign: Sequence[Sequence[Any]]) -> list[str]:
    lines = ["## What are texts of another domain worth? (open question 2)", ""]
    if not foreign:
        return [*lines, "Not measured with these learners: **cannot be told**."]
    _, _, _, n_labels, n_texts, student, teacher, *_ = foreign[0]
    gain: dict[tuple[str, float], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for task, source, share, *_, score, own in foreign:
        gain[_kind(task, source), share][task].append(score - own)
    lines += [
        f"`{teacher}` to `{student}`, {n_labels:,} labels, {n_texts:,} texts, some or all of them another task's: score less that of the "
        f"same run on the task's own texts, points. Near: {', '.join(f'{b} for {a}' for a, b in NEAR.items())}. Mixed: reviews of nine "
        f"groups of products, none of them the task's own.",
        "",
        table(
            ["texts", "share of foreign ones", "points", "tasks"],
            [[kind, f"{share:.0%}", str(told), told.n_tasks] for (kind, share), found in sorted(gain.items())
             if (told := over_tasks(found))],
        ),
        "",
    ]  # fmt: skip
    worth = {kind: worths(cells, foreign, kind) for kind in ("near", "far", "mixed")}
    lines += [
        f"- A {kind} text is worth {fmean(found):.2f} of the domain's own ({min(found):.2f} to {max(found):.2f} over {len(found)} tasks): "
        f"so many own texts give the score that {n_texts:,} foreign ones give; the fewest own ones tried stand for all below them. Own "
        f"ones are the better buy while one costs less than {1 / fmean(found):.1f} foreign ones."
        for kind, found in worth.items()
        if found
    ]
    return lines


def _kind(task: str, source: str) -> str:
    if source == MIXED:
        return "mixed"
    return "near" if NEAR.get(task) == source else "far"


def worths(cells: Sequence[Cell], foreign: Sequence[Sequence[Any]], kind: str) -> list[float]:
    """Own texts that give the score of foreign ones alone, by task, over their number: by the task's own curve in log U.

    A score below that of the fewest own texts is worth those at most; one above the most is worth the most.
    """
    scores: dict[str, list[float]] = defaultdict(list)
    for task, source, share, *_, score, _ in foreign:
        if share == 1.0 and _kind(task, source) == kind:
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
    if wrong:
        n = max(wrong)
        lines.append(
            f"Labels that are 90 % right cost the frozen encoder {wrong[n]} points beside as many of people, {n:,} of them: where "
            f"they are a tenth of the price, buy those."
        )
    half: dict[str, list[float]] = defaultdict(list)
    for task, source, share, *_, score, own in foreign:
        if share == 0.5 and _kind(task, source) == "near":
            half[task].append(score - own)
    if half:
        lines.append(
            f"Do not fill a pool up with texts from elsewhere: with half of them from a like domain distilling moves by {over_tasks(half)} "
            f"points, on {len(half)} tasks."
        )
    return ["## What to do", "", *(f"{i}. {line}" for i, line in enumerate(lines, 1))]


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


def pictures(cells: Sequence[Cell], accuracies: Mapping[tuple[str, str], float], folder: Path) -> None:
    """Learning curves by learner, gains by labels and texts, and dollars against score: SVG by the room of `--plot`."""
    sizes: dict[str, set[int]] = defaultdict(set)
    for c in annotated(cells, "encoder-lr"):
        sizes[c.task].add(c.n_labels)
    tasks = sorted(task for task, found in sizes.items() if len(found) > 2)
    curves = [partial(draw_curves, cells, task, task == "banking77") for task in tasks]
    save_panels(curves, folder / "curves.svg", width=12, height=2.4, columns=5)
    save_panels([partial(draw_gains, cells)], folder / "gains.svg", width=7, height=4)
    dollars = [partial(draw_dollars, cells, price, price == PRICES[0]) for price in PRICES]
    save_panels(dollars, folder / "dollars.svg", width=12, height=4, columns=len(dollars))
    if twins_of(cells, accuracies):
        save_panels([partial(draw_labels, cells, accuracies)], folder / "labels.svg", width=7, height=4)


def draw_labels(cells: Sequence[Cell], accuracies: Mapping[tuple[str, str], float], axes: Any) -> None:
    """Accuracy of labels against the score of the frozen encoder on the most of them: real LLMs and simulated ones."""
    pairs = [(r, e) for r, e in twins_of(cells, accuracies) if r.student == "encoder-lr"]
    most = max(real.n_llm_labels for real, _ in pairs)
    for task in sorted({real.task for real, _ in pairs}):
        at = [(r, e) for r, e in pairs if r.task == task and r.n_llm_labels == most]
        right = [100 * accuracies[r.task, r.taught_by] for r, _ in at]
        (drawn,) = axes.plot(right, [r.score for r, _ in at], "o", label=task)
        axes.plot(right, [e.score for _, e in at], "x", color=drawn.get_color())
    axes.set(xlabel="labels that are right, %", ylabel="score", title=f"{most} labels of an LLM (o) and simulated (x)")
    axes.legend(fontsize=7)


def draw_curves(cells: Sequence[Cell], task: str, legend: bool, axes: Any) -> None:
    """Learning curves of one task by learner."""
    for student in ("tfidf-lr", "encoder-lr", "ft:minilm:layers=2", "ft:minilm"):
        line = sorted((c.n_labels, c.score) for c in annotated(cells, student) if c.task == task)
        if line:
            axes.plot(*zip(*line, strict=True), marker=".", label=student)
    axes.set(title=task, xscale="log")
    if legend:
        axes.legend(fontsize=6)


def draw_gains(cells: Sequence[Cell], axes: Any) -> None:
    """What distilling gains over annotating, by texts, a line a number of labels."""
    teacher, student = pairs_of(cells)[0]
    for n, by_texts in gains_at_labels(cells, teacher, student).items():
        told = list(by_texts.values())
        means, ends = [t.mean for t in told], [[t.mean - t.low for t in told], [t.high - t.mean for t in told]]
        axes.errorbar(list(by_texts), means, yerr=ends, marker="o", capsize=3, label=f"{n:,} labels")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(xscale="log", xlabel="unlabelled texts", ylabel="points over annotating", title=f"{teacher} to {student}")
    axes.legend()


def draw_dollars(cells: Sequence[Cell], price: float, first: bool, axes: Any) -> None:
    """The best measured score by dollars at one price of a label."""
    budgets = np.geomspace(3, 1000, 40)
    for task in sorted({c.task for c in cells if c.strategy == "distill"}):
        best = [best_bought(cells, task, usd, price) for usd in budgets]
        axes.plot(budgets, [np.nan if c is None else c.score for c in best], label=task)
    axes.set(xscale="log", xlabel="dollars", title=f"${price:.2f} a label", xlim=(3, 1000), ylim=(0, 100))
    if first:
        axes.set_ylabel("best measured score")
        axes.legend(fontsize=7)


def read_cells(connection: Connection, prefix: str) -> list[Cell]:
    """The designs of the sets whose names begin so, with their mean scores: of each route one recipe's, as fits read."""
    sets = [name for name in all_sets(connection) if name.startswith(prefix)]
    found: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for m in load_measurements(connection, sets):
        counts = (int(m.n_labels or 0), int(m.n_llm_labels or 0), int(m.n_unlabeled or 0))
        by = m.route.teacher or m.route.labeler or ""
        found[m.task, m.route.strategy, m.route.student, by, *counts].append(100 * m.score)
    return [Cell(*key, fmean(scores), len(scores)) for key, scores in sorted(found.items())]


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
