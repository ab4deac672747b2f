"""Task: what is measured, on what, and what an answer that learns nothing scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from budgetsim.doors.amounts import did_you_mean
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
    labels: tuple[str, ...] = ()  # of a classification; an output that is none of them counts as the first
    fields: tuple[str, ...] = ()  # parts of the source, written `name: text`; empty for one text
    origin: str = "authors"  # authors, derived (from their files), generated (by this project), custom
    positive: str = ""  # label that the metric f1 is of; "" for an f1 over all labels, as the paper's tasks have it
    n_unlabeled: int | None = None  # texts without labels that a user's task has; None where a card says how many
    n_train: int | None = None  # distinct texts with a label that a user's task has to learn from; None: nobody counted

    @property
    def most_labels(self) -> float:
        """Texts that may have a label: those that have one and those without; infinite where nobody counted."""
        return float("inf") if self.n_train is None else float(self.n_train + (self.n_unlabeled or 0))

    @property
    def most_texts(self) -> float:
        """Texts without a label; infinite where nobody counted."""
        return float("inf") if self.n_unlabeled is None else float(self.n_unlabeled)


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
        labels=("Irrelevant", "Discussing", "Supporting", "Refuting", "Querying"),
        fields=("claim", "tweet"),
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
        labels=("REFUTES", "SUPPORTS"),
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
        labels=("NO", "YES"),
        fields=("sentence1", "sentence2"),
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

_EXTRA_TASKS = (
    Task(
        name="wlp_typing",
        kind="classification",
        metric="accuracy",
        constant_score=0.258,
        constant_answer="Action",
        floors=(0.258,),
        n_test=2000,
        source_tokens=28.1,
        target_tokens=2.5,
        description="label of one marked entity of a wet-lab sentence, derived from the WLP files; accuracy, 18 labels",
        labels=(
            "Action", "Reagent", "Modifier", "Location", "Amount", "Time", "Method", "Device", "Temperature",
            "Concentration", "Measure-Type", "Numerical", "Speed", "Generic-Measure", "Size", "Mention", "Seal", "pH",
        ),
        fields=("entity", "sentence"),
        origin="derived",
    ),
    Task(
        name="toy_requests",
        kind="classification",
        metric="accuracy",
        constant_score=0.338,
        constant_answer="delivery",
        floors=(0.338,),
        n_test=800,
        source_tokens=18.2,
        target_tokens=2.0,
        description="generated by this project for its demo and tests: topic of a made-up request, a tenth mislabelled",
        labels=("account", "delivery", "refund"),
        origin="generated",
    ),
)  # fmt: skip

TASKS: dict[str, Task] = {task.name: task for task in _TASKS}  # the six tasks of the paper
_registry: dict[str, Task] = {task.name: task for task in (*_TASKS, *_EXTRA_TASKS)}
_damaged: dict[str, str] = {}  # name -> what is wrong with the description of that task


def register_task(task: Task) -> None:
    """Make a user's own task known to this process; the same name again replaces an own task.

    raises : InputError where the name belongs to a task that ships with budgetsim
    """
    known = _registry.get(task.name)
    if known is not None and known.origin != "custom":
        raise InputError(f"{task.name!r} is a task that ships with budgetsim; choose another name.")
    _registry[task.name] = task
    _damaged.pop(task.name, None)


def register_damaged(name: str, reason: str) -> None:
    """Make known that a task was described and cannot be read; whoever asks for it is told why."""
    if name not in _registry:
        _damaged[name] = reason


def forget_task(name: str) -> None:
    """Take a user's own task out of the registry of this process."""
    if name in _registry and _registry[name].origin == "custom":
        del _registry[name]
    _damaged.pop(name, None)


def known_tasks() -> tuple[Task, ...]:
    """Every task this process knows: the paper's six, derived, generated and registered ones."""
    return tuple(_registry.values())


def get_task(name: str) -> Task:
    """Return the task of that name.

    raises : InputError naming the known tasks

    >>> get_task("stance").constant_score
    0.455
    """
    if name in _damaged:
        raise InputError(_damaged[name])
    if name not in _registry:
        near = did_you_mean(name, _registry)
        raise InputError(f"There is no task {name!r}; known are {', '.join(sorted(_registry))}.{near}")
    return _registry[name]
