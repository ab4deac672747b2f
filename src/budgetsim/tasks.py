"""Task: what is measured, on what, and what an answer that learns nothing scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from budgetsim.errors import InputError

TaskKind = Literal["classification", "tagging", "generation", "qa"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task of the registry; shares and lengths were counted on the authors' evaluation files.

    Scores are fractions of the metric (0 to 1). `floors` are the scores of a student that has not
    yet learnt to answer: a constant label, or the label an unreadable output counts as; which of
    them holds before the onset is not known beforehand.
    """

    name: str
    kind: TaskKind
    metric: str  # as in the store: f1, accuracy, bert_ibleu
    constant_score: float  # score of the best answer that never looks at the text
    constant_answer: str  # what that answer is
    floors: tuple[float, ...]  # scores seen before a student learns, ascending
    n_test: int  # items of the evaluation file
    source_tokens: float  # mean source length, characters / 4, cut at 128 (an estimate)
    target_tokens: float  # mean target length, likewise, at least 2 (one piece and the end mark)
    description: str


_TASKS = (
    Task(
        name="wlp",
        kind="tagging",
        metric="f1",
        constant_score=0.052,
        constant_answer="Amount for every entity",
        floors=(0.052,),
        n_test=3562,
        source_tokens=20.5,
        target_tokens=31.7,
        description="wet-lab protocol entities, as text-to-text; micro F1 over 20 labels",
    ),
    Task(
        name="stance",
        kind="classification",
        metric="f1",
        constant_score=0.455,
        constant_answer="Discussing",
        floors=(0.352, 0.455),
        n_test=4750,
        source_tokens=87.2,
        target_tokens=3.5,
        description="stance of a tweet to a claim; micro F1 over 5 labels, which equals accuracy",
    ),
    Task(
        name="fever",
        kind="classification",
        metric="accuracy",
        constant_score=0.503,
        constant_answer="REFUTES",
        floors=(0.497, 0.503),
        n_test=10444,
        source_tokens=12.5,
        target_tokens=3.5,
        description="is a claim supported or refuted; accuracy",
    ),
    Task(
        name="multipit_id",
        kind="classification",
        metric="accuracy",
        constant_score=0.531,
        constant_answer="YES",
        floors=(0.469, 0.531),
        n_test=11530,
        source_tokens=34.5,
        target_tokens=2.0,
        description="do two tweets say the same; accuracy",
    ),
    Task(
        name="multipit_gen",
        kind="generation",
        metric="bert_ibleu",
        constant_score=0.0,
        constant_answer="the source itself (BERT-iBLEU gives a copy 0)",
        floors=(0.0,),
        n_test=6120,
        source_tokens=14.8,
        target_tokens=14.8,
        description="paraphrase a tweet; BERT-iBLEU, beta 4",
    ),
    Task(
        name="nq",
        kind="qa",
        metric="f1",
        constant_score=0.0,
        constant_answer="no answer",
        floors=(0.0,),
        n_test=2837,
        source_tokens=12.0,
        target_tokens=4.0,
        description="answer a question from memory; SQuAD F1",
    ),
)

TASKS: dict[str, Task] = {task.name: task for task in _TASKS}


def get_task(name: str) -> Task:
    """Return the task of that name.

    raises : InputError naming the known tasks

    >>> get_task("stance").constant_score
    0.455
    """
    if name not in TASKS:
        raise InputError(f"There is no task {name!r}; known are {', '.join(sorted(TASKS))}.")
    return TASKS[name]
