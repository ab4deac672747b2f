"""The question that several commands take, said once: what is asked about, what is owned, what must be kept to."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import TYPE_CHECKING, Annotated, Concatenate, NamedTuple, ParamSpec, get_type_hints

import typer

from budgetsim_cli.console import Create, EvidenceName, Json, Rates, Store, Tasks, amount, whole

if TYPE_CHECKING:
    from budgetsim.report.table import Showing

Owned = Annotated[
    int, typer.Option("--owned-labels", parser=whole("--owned-labels"), metavar="N", help="Labels already paid for.")
]
Compute = Annotated[str, typer.Option("--compute", help="How compute is billed: published, cached or modern.")]
Strategies = Annotated[
    list[str] | None,
    typer.Option("--strategy", help="Only this strategy; may be given again.", show_default="all with a price"),
]
Students = Annotated[
    list[str] | None, typer.Option("--student", help="Only this student; may be given again.", show_default="all")
]

OwnedTeacher = Annotated[
    str | None,
    typer.Option(
        "--owned-teacher",
        metavar="MODEL:N",
        help="A teacher already tuned on N labels, e.g. t5-v1_1-xxl:5000.",
        show_default=False,
    ),
]
MaxLabels = Annotated[
    int | None,
    typer.Option(
        "--max-labels",
        parser=whole("--max-labels"),
        metavar="N",
        help="Labels that people can give, besides those owned.",
        show_default="the card's",
    ),
]
PoolSize = Annotated[
    int | None,
    typer.Option(
        "--pool",
        parser=whole("--pool"),
        metavar="N",
        help="Number of unlabelled texts available.",
        show_default="the card's, or what your own task has",
    ),
]
Deadline = Annotated[
    float | None,
    typer.Option(
        "--deadline",
        parser=amount("--deadline"),
        metavar="DAYS",
        help="Days until the model is needed; needs --labels-per-day.",
        show_default=False,
    ),
]
LabelsPerDay = Annotated[
    float | None,
    typer.Option(
        "--labels-per-day",
        parser=amount("--labels-per-day"),
        metavar="N",
        help="Labels that people give in a day; plans then also show how many days they take.",
        show_default=False,
    ),
]
Gpus = Annotated[
    int | None, typer.Option("--gpus", min=1, help="Number of devices that share the device-hours.", show_default="1")
]

Like = Annotated[
    str | None,
    typer.Option(
        "--like",
        metavar="KIND:...",
        help="Describe a task with no runs: single:classes=5,metric=accuracy,floor=20 (tokens=, test=).",
        show_default=False,
    ),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Also show chances of being best and regret, and tell how to read it.")
]
AllNotes = Annotated[bool, typer.Option("--notes", help="Show all notes, not only the three that matter most.")]

P = ParamSpec("P")


class Question(NamedTuple):
    """Options of every command that answers from evidence and prices, in the order of its help."""

    task: Tasks = None
    like: Like = None
    rates: Rates = None
    owned_labels: Owned = 0
    owned_teacher: OwnedTeacher = None
    max_labels: MaxLabels = None
    pool: PoolSize = None
    deadline: Deadline = None
    labels_per_day: LabelsPerDay = None
    gpus: Gpus = None
    compute: Compute = "published"
    strategy: Strategies = None
    student: Students = None
    evidence: EvidenceName = None
    store: Store = None
    create: Create = False
    explain: Explain = False
    notes: AllNotes = False
    as_json: Json = False

    @property
    def showing(self) -> Showing:
        """How much of the answer people want to see."""
        from budgetsim.report.table import Showing

        return Showing(explain=self.explain, notes=self.notes)


def named_tasks(tasks: list[str] | None, like: str | None) -> list[str] | None:
    """The tasks asked about; one that is described is made known under the name given, or one of its own.

    raises : InputError
    """
    if like is None:
        return tasks
    from budgetsim.data.likeness import DESCRIBED, described_task
    from budgetsim.data.tasks import register_task
    from budgetsim.errors import InputError

    if len(tasks or ()) > 1:
        raise InputError("--like describes one task; name it with one --task, or leave --task out.")
    task = described_task(like, tasks[0] if tasks else DESCRIBED)
    register_task(task)
    return [task.name]


def takes_question(command: Callable[Concatenate[Question, P], None]) -> Callable[..., None]:
    """Give a command the options of a `Question` after its own; it takes them as its first argument.

    typer reads options off a signature, so the command gets one that spells them all out.
    """
    _, *own = inspect.signature(command, eval_str=True).parameters.values()

    @wraps(command)
    def run(**values: object) -> None:
        question = {name: values.pop(name) for name in Question._fields}
        command(Question(**question), **values)  # type: ignore[arg-type, call-arg]

    by_name = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    run.__signature__ = inspect.Signature([*by_name, *_shared()])  # type: ignore[attr-defined]
    return run


@cache
def _shared() -> list[inspect.Parameter]:
    hints, defaults = get_type_hints(Question, include_extras=True), Question._field_defaults
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=hints[name])
        for name in Question._fields
    ]
