"""What a spec resolves to: the split, the pool and the rows a run uses; and what is refused before it begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from budgetsim.data.rows import Row
from budgetsim.data.splits import Split, nested_order
from budgetsim.data.tasks import Task, get_task
from budgetsim.data.unlabeled import LABELLED, TextPool
from budgetsim.design.points import Design, Route
from budgetsim.design.strategies import Strategy
from budgetsim.errors import InputError
from budgetsim.labelers import Brief, Labeler, get_labeler, is_labeler
from budgetsim.learners.protocol import Learner, Signal, check_soft, signal_between
from budgetsim.learners.registry import parse_learner
from budgetsim.measure.recipe import TARGET_TOKENS, Recipe
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.workspace import Workspace


@dataclass(slots=True)
class Run:
    """A spec with everything it resolves to."""

    spec: RunSpec
    workspace: Workspace
    split: Split = field(init=False)
    pool: TextPool | None = field(init=False)
    task: Task = field(init=False)
    pool_order: list[int] = field(init=False)  # places in the pool of all its texts, in the seed's order

    def __post_init__(self) -> None:
        self.task = get_task(self.spec.task)
        self.split, self.pool = self.workspace.split(self.spec), self.workspace.pool(self.spec)
        n_texts = 0 if self.pool is None else len(self.pool.rows)
        self.pool_order = nested_order(n_texts, self.spec.seed, "texts").tolist()

    # What was asked for

    @property
    def design(self) -> Design:
        """Task, route and counts."""
        return self.spec.design

    @property
    def route(self) -> Route:
        """Strategy and models."""
        return self.spec.route

    @property
    def strategy(self) -> Strategy:
        """What the run needs is read off it."""
        return self.spec.strategy

    @property
    def recipe(self) -> Recipe:
        """How models are trained."""
        return self.spec.recipe

    @property
    def run_id(self) -> str:
        """Id of the run's design point."""
        return self.spec.point(self.split.split_id, self.pool.source if self.pool else None).run_id

    @property
    def n_examples(self) -> int:
        """Distinct examples that the student trains on."""
        counts = sum(getattr(self.design, name) for name in self.strategy.trains_on)
        return counts + (self.design.n_labels if self.strategy.teacher_stage and self.recipe.gold else 0)

    # Rows and texts

    @property
    def label_order(self) -> list[int]:
        """Places in the training part of the rows that people label: a nested prefix of the seed's order."""
        order = nested_order(len(self.split.train), self.spec.seed, "labels")
        return [int(i) for i in order[: self.design.n_labels]]

    @property
    def labelled(self) -> list[Row]:
        """The human-labelled rows."""
        return [self.split.train[i] for i in self.label_order]

    @property
    def texts(self) -> TextPool:
        """The unlabelled texts of a run that uses some."""
        assert self.pool is not None
        return self.pool

    @property
    def n_taken(self) -> int:
        """Labelled rows that are no texts of this run: people label them here, or the LLM is shown their labels."""
        if self.pool is None or self.pool.source != LABELLED or not self.design.n_labels:
            return 0
        asked = self.route.labeler is not None and self.labeler.asks
        return max(self.design.n_labels, self.labeler.n_owned if asked else 0)

    @property
    def text_order(self) -> list[int]:
        """Places in the pool of the texts that the student sees: a nested prefix of the seed's order."""
        order = nested_order(len(self.split.train), self.spec.seed, "labels").tolist() if self.n_taken else []
        taken = set(order[: self.n_taken])
        free = [i for i in self.pool_order if i not in taken] if taken else self.pool_order
        return free[: self.design.n_unlabeled or self.design.n_llm_labels]

    def part(self, name: str) -> Sequence[Row]:
        """Rows of `train`, `dev`, `test` or `pool`."""
        rows: Sequence[Row] = self.texts.rows if name == "pool" else getattr(self.split, name)
        return rows

    def rows_of(self, part: str) -> str:
        """What names the rows of a part within the run's split: pools of one name may differ."""
        if part != "pool":
            return part
        return "train" if self.texts.source == LABELLED else self.texts.pool_id

    @property
    def evaluated(self) -> Sequence[Row]:
        """The rows that scores are computed on."""
        return self.part(self.workspace.part)

    # Who labels besides people

    @property
    def labeler(self) -> Labeler:
        """The labeler of a run that has one."""
        assert self.route.labeler is not None
        return get_labeler(self.route.labeler)

    @property
    def brief(self) -> Brief:
        """What the labeler is given: as many rows of the seed's order of labels as it may use, whatever N is."""
        order = nested_order(len(self.split.train), self.spec.seed, "labels")[: self.labeler.n_owned]
        owned = [self.split.train[int(i)] for i in order]
        return Brief(task=self.task, owned=owned, seed=self.spec.seed, desk=self.workspace.desk)

    # What models read and write

    @property
    def target_tokens(self) -> int:
        """Longest answer, in tokens."""
        return max(self.recipe.target_tokens, TARGET_TOKENS.get(self.task.name, 0))

    def read_by(self, learner: Learner, rows: Sequence[Row]) -> list[str]:
        """Texts as a learner reads them."""
        head = f"{self.task.name}: " if self.recipe.prefixes(learner) else ""
        return [head + row.source for row in rows]

    # What is said of it

    def about(self, model: str | None = None, **counts: Any) -> dict[str, Any]:
        """Fields of a stage's record that are set beforehand."""
        return {"task": self.task.name, "model": model, **counts}

    def report(self, what: str) -> Callable[[int, int], None] | None:
        """What reports the steps of a part of the run, None where nobody listens."""
        progress = self.workspace.progress
        return None if progress is None else lambda done, of: progress(what, done, of)


def asked_brief(run: Run) -> Brief:
    """What an LLM that teaches is given: the run's labels, to be shown, to calibrate, to be tried on."""
    n_owned = get_labeler(run.spec.teacher).n_owned
    return Brief(task=run.task, owned=run.labelled[:n_owned], seed=run.spec.seed, desk=run.workspace.desk)


def check_spec(spec: RunSpec, workspace: Workspace) -> None:
    """Refuse what the task's rows cannot give, or the models cannot learn.

    raises : InputError saying how many rows there are, or which student or teacher would do
    """
    split, pool = workspace.split(spec), workspace.pool(spec)
    n_taken = 0 if pool is None else Run(spec, workspace).n_taken
    n_texts = 0 if pool is None else max(0, len(pool.rows) - n_taken)
    for name in spec.strategy.inputs:
        count = getattr(spec.design, name)
        have, what = (len(split.train), "labelled rows") if name == "n_labels" else (n_texts, "unlabelled texts")
        if count > have:
            but = f", less the {n_taken} that people label or an LLM is shown" if name != "n_labels" and n_taken else ""
            raise InputError(f"{spec.title}: {name} is {count}, but {spec.task} has {have} {what} in this split{but}.")
    _check_models(spec, get_task(spec.task), workspace)
    if pool is not None:
        _check_pool(spec, pool, Run(spec, workspace))


def _check_pool(spec: RunSpec, pool: TextPool, run: Run) -> None:
    if pool.source == LABELLED and spec.strategy.teacher_stage:
        raise InputError(
            f"{spec.title}: the texts of --unlabeled {LABELLED} are those of the labelled rows, for an LLM to label "
            f"beside people; {spec.strategy.name} needs texts of its own."
        )
    if spec.route.labeler is not None:
        run.labeler.check(run.task, pool.rows, run.brief.owned)


def _check_models(spec: RunSpec, task: Task, workspace: Workspace) -> None:
    """Refuse learners that cannot do the task, are not there, or cannot teach each other."""
    student = _checked(spec.route.student, task, workspace)
    if not spec.strategy.teacher_stage:
        return
    if is_labeler(spec.teacher):
        _check_asked(spec, student, Run(spec, workspace))
        return
    teacher = _checked(spec.teacher, task, workspace)
    signal = signal_between(teacher, student, task)
    if signal == "probabilities":
        check_soft(teacher, task)
        check_soft(student, task)
    if signal is None:
        raise InputError(
            f"{teacher.name} cannot teach {student.name} {task.name}, which is {task.kind}: it gives "
            f"{_words(teacher.gives)}, {student.name} learns from {_words(student.learns)}, and of a {task.kind} they "
            f"share none that is soft. Choose another, or label by a labeler through llm_annotate."
        )


def _words(signals: frozenset[Signal]) -> str:
    return ", ".join(sorted(signals))


def _check_asked(spec: RunSpec, student: Learner, run: Run) -> None:
    """Refuse an LLM that cannot label the texts softly, and a student that cannot learn from that."""
    labeler = get_labeler(spec.teacher)
    if not labeler.asks:
        raise InputError(f"{spec.teacher} has no probabilities to teach by; use it through llm_annotate as --llm.")
    if "probabilities" not in student.learns:
        raise InputError(f"{student.name} learns from hard labels alone; use {spec.teacher} through llm_annotate.")
    check_soft(student, run.task)
    labeler.check(run.task, run.texts.rows, run.labelled[: labeler.n_owned])


def _checked(name: str, task: Task, workspace: Workspace) -> Learner:
    """A learner that was looked at once for this task."""
    learner = parse_learner(name)

    def check() -> str:
        learner.check(task)
        return learner.name

    workspace.remember(("learner", name, task.name), check)
    return learner
