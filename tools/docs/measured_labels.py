"""Labels of machines, on the page of findings: simulated labelers, real LLMs, and either beside people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Final

from measured_cells import Cell, Told, annotated, differences, over_tasks, shares_of_people, table

ACCURACY_SQL: Final = """
SELECT r.task, r.labeler, avg(g.score) / 100
FROM runs r JOIN run_stages USING (run_id) JOIN stages g USING (stage_id)
WHERE g.kind = 'llm_label' AND r.evidence_set LIKE ? AND NOT starts_with(r.labeler, 'simulated:') GROUP BY ALL
"""


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
    return [
        *lines,
        "",
        *real_section(cells, accuracies),
        "",
        *asked_section(cells, accuracies),
        "",
        *beside_section(cells),
    ]


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
        if c.strategy != "llm_annotate" or not c.taught_by.startswith("recorded:"):
            continue
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


def asked_section(cells: Sequence[Cell], accuracies: Mapping[tuple[str, str], float]) -> list[str]:
    """Labels of an LLM that was asked here: how often it is right, and what they teach."""
    lines = ["### A small LLM, asked here", ""]
    asked = [c for c in cells if c.strategy == "llm_annotate" and c.taught_by.startswith("chat:")]
    if not asked:
        return [*lines, "None was asked: **cannot be told**."]
    people = {(c.task, c.student, c.n_labels): c.score for c in cells if c.strategy == "annotate"}
    simulated = {(c.task, c.student, c.taught_by, c.n_llm_labels): c.score for c in cells}
    body = []
    for c in asked:
        there = people.get((c.task, c.student, c.n_llm_labels))
        even = simulated.get((c.task, c.student, "simulated:accuracy=0.7", c.n_llm_labels))
        right = accuracies.get((c.task, c.taught_by))
        body.append(
            [c.task, f"`{c.taught_by}`", "" if right is None else f"{right:.0%}", f"`{c.student}`", f"{c.n_llm_labels:,}",
             f"{c.score:.1f}", *("" if v is None else f"{v:.1f}" for v in (even, there))]
        )  # fmt: skip
    return [
        *lines,
        "SmolLM2-135M-Instruct (4 bits, on a CPU) labels rows whose labels are known; right is its accuracy on people's labels "
        "after calibration (guides/llm-labels.md). Beside it the same student on as many labels of a simulated labeler that is 70 % "
        "right, and of people.",
        "",
        table(["task", "labels of", "right", "student", "labels", "score", "on 70 % right", "on people's"], body),
    ]


def beside_section(cells: Sequence[Cell]) -> list[str]:
    """What labels of machines add to people's: the student's score less that on people's labels alone."""
    lines = ["### What do they add to people's labels?", ""]
    mixed = [c for c in cells if c.strategy == "annotate_plus_llm"]
    if not mixed:
        return [*lines, "No labels were measured beside people's: **cannot be told**."]
    groups: dict[tuple[str, str, int, int], list[Cell]] = defaultdict(list)
    for c in mixed:
        groups[_kind_of_labeler(c, mixed), c.student, c.n_labels, c.n_llm_labels].append(c)
    body, whole = [], defaultdict(lambda: defaultdict(list))
    for (kind, student, n, m), found in sorted(groups.items()):
        gain = differences(found, annotated(cells, student), lambda c: (c.n_labels,))
        if gain:
            told = over_tasks(gain)
            body.append([kind, f"`{student}`", f"{n:,}", f"{m:,}", str(told), told.n_tasks])
            for task, values in gain.items():
                whole[kind][task] += values
    return [
        *lines,
        "A student taught by people and by a machine together, less the same student on the same labels of people alone.",
        "",
        table(["labels of", "student", "of people", "of the machine", "points", "tasks"], body),
        "",
        *(f"- {kind}: {told} points over {told.n_tasks} tasks: **{_adds(told)}**." for kind, told in (
            (kind, over_tasks(found)) for kind, found in sorted(whole.items()))),
    ]  # fmt: skip


def _kind_of_labeler(cell: Cell, mixed: Sequence[Cell]) -> str:
    """Real LLMs, the simulated ones that are right as often, and simulated ones of one accuracy on several tasks."""
    if not cell.taught_by.startswith("simulated:"):
        return "real LLMs"
    tasks = {c.task for c in mixed if c.taught_by == cell.taught_by}
    return cell.taught_by if len(tasks) > 2 else "simulated, right as often as those"


def _adds(told: Told) -> str:
    return {"agrees": "they add", "does not agree": "they take away"}.get(told.verdict, told.verdict)
