"""What a spec resolves to: the split, the pool and the rows a run uses; kept in memory for the runs of one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from budgetsim.data.loading import Access, load_task
from budgetsim.data.rows import Row
from budgetsim.data.splits import Split, nested_order, split_task
from budgetsim.data.tasks import Task, get_task
from budgetsim.data.unlabeled import LABELLED, TextPool, load_pool
from budgetsim.design.identity import canonical_hash
from budgetsim.errors import InputError
from budgetsim.labelers import get_labeler
from budgetsim.learners.names import CPU_FAMILY, ENCODER_TEACHERS, is_cheap
from budgetsim.learners.overlap import has_overlap_rule
from budgetsim.measure.recipe import TARGET_TOKENS
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stages import StageStore

CHECKPOINT_EVERY: Final = 200  # steps; a killed run loses at most as many


@dataclass(slots=True)
class Bench:
    """What runs share in one process: the stages on disk, and splits, pools and codecs in memory."""

    stages: StageStore
    access: Access = field(default_factory=Access)
    progress: Callable[[str, int, int], None] | None = None
    part: str = "test"  # dev where a choice is being made
    checkpoint_every: int = CHECKPOINT_EVERY
    _splits: dict[str, Split] = field(default_factory=dict)
    _hashes: dict[str, str] = field(default_factory=dict)
    _pools: dict[tuple[str, str], TextPool] = field(default_factory=dict)
    _memory: dict[tuple[str, ...], str] = field(default_factory=dict)

    def remembered(self, key: tuple[str, ...], make: Callable[[], str]) -> str:
        """What `make` gives, made once a process."""
        if key not in self._memory:
            self._memory[key] = make()
        return self._memory[key]

    def split(self, spec: RunSpec) -> Split:
        """The split of a run's task, by its recipe's rule."""
        key = canonical_hash({"task": spec.task, "rule": repr(spec.recipe.split)})
        if key not in self._splits:
            data = load_task(spec.task, self.access)
            self._splits[key] = split_task(data, spec.recipe.split)
            self._hashes[self._splits[key].split_id] = data.data_hash
        return self._splits[key]

    def data_hash(self, split: Split) -> str:
        """SHA-256 of the files behind a split."""
        return self._hashes[split.split_id]

    def pool(self, spec: RunSpec) -> TextPool | None:
        """The unlabelled texts of a run, None where it uses none."""
        if not spec.uses_pool:
            return None
        split = self.split(spec)
        key = (split.split_id, spec.unlabeled)
        if key not in self._pools:
            self._pools[key] = load_pool(spec.unlabeled, split, self.access)
        return self._pools[key]


def vocabulary_mismatch(spec: RunSpec) -> InputError:
    """The error of a teacher and a student that do not share their tokens, with the ways out."""
    return InputError(
        f"{spec.teacher} and {spec.student} have different vocabularies, so the teacher's probabilities do not fit "
        f"the student's tokens. Use two models of one family, an encoder teacher ({', '.join(ENCODER_TEACHERS)}) "
        f"for a classification, or the teacher's hard labels through llm_annotate."
    )


@dataclass(slots=True)
class Run:
    """A run at work: the spec with everything it resolves to."""

    spec: RunSpec
    bench: Bench
    split: Split = field(init=False)
    pool: TextPool | None = field(init=False)
    task: Task = field(init=False)

    def __post_init__(self) -> None:
        self.task = get_task(self.spec.task)
        self.split, self.pool = self.bench.split(self.spec), self.bench.pool(self.spec)

    @property
    def labelled(self) -> list[Row]:
        """The human-labelled rows: a nested prefix of the seed's order."""
        order = nested_order(len(self.split.train), self.spec.seed, "labels")[: self.spec.n_labels]
        return [self.split.train[i] for i in order]

    @property
    def text_order(self) -> list[int]:
        """Places in the pool of the texts this run uses: a nested prefix of the seed's order."""
        if self.pool is None:
            return []
        n = self.spec.n_unlabeled or self.spec.n_llm_labels
        return [int(i) for i in nested_order(len(self.pool.rows), self.spec.seed, "texts")[:n]]

    @property
    def teacher(self) -> str:
        """The teacher of a distilled run."""
        assert self.spec.teacher is not None
        return self.spec.teacher

    def part(self, name: str) -> Sequence[Row]:
        """Rows of `train`, `dev`, `test` or `pool`."""
        if name == "pool":
            assert self.pool is not None
            return self.pool.rows
        rows: Sequence[Row] = getattr(self.split, name)
        return rows

    @property
    def evaluated(self) -> Sequence[Row]:
        """The rows that scores are computed on."""
        return self.part(self.bench.part)

    @property
    def run_id(self) -> str:
        """Id of the run's design."""
        return self.spec.design(self.split.split_id, self.pool.source if self.pool else None).run_id

    @property
    def target_tokens(self) -> int:
        """Longest answer, in tokens."""
        return max(self.spec.recipe.target_tokens, TARGET_TOKENS.get(self.task.name, 0))

    def prefixed(self, rows: Sequence[Row]) -> list[str]:
        """Texts as the model reads them."""
        head = f"{self.task.name}: " if self.spec.recipe.prefix else ""
        return [head + row.source for row in rows]

    def about(self, model: str | None = None, **counts: Any) -> dict[str, Any]:
        """Fields of a stage's record that are known beforehand."""
        return {"task": self.task.name, "model": model, **counts}

    def tell(self, what: str) -> Callable[[int, int], None] | None:
        """What reports the steps of a part of the run, None where nobody listens."""
        progress = self.bench.progress
        return None if progress is None else lambda done, of: progress(what, done, of)


def check_spec(spec: RunSpec, bench: Bench) -> None:
    """Refuse what the task's rows cannot give, or the models cannot learn.

    raises : InputError saying how many rows there are, or which student or teacher would do
    """
    split, pool = bench.split(spec), bench.pool(spec)
    wanted = {"n_labels": (spec.n_labels, len(split.train), "labelled rows")}
    if pool is not None:
        wanted["n_unlabeled"] = (spec.n_unlabeled, len(pool.rows), "unlabelled texts")
        wanted["n_llm_labels"] = (spec.n_llm_labels, len(pool.rows), "unlabelled texts")
    for name, (asked, there, what) in wanted.items():
        if asked > there:
            raise InputError(f"{spec.title}: {name} is {asked}, but {spec.task} has {there} {what} in this split.")
    _check_models(spec, get_task(spec.task))
    if pool is not None:
        _check_pool(spec, pool, get_task(spec.task))


def _check_pool(spec: RunSpec, pool: TextPool, task: Task) -> None:
    if pool.source == LABELLED and spec.n_labels:
        raise InputError(
            f"{spec.title}: the texts of --unlabeled {LABELLED} are the ones people labelled, so it serves "
            f"llm_annotate alone; {spec.strategy} needs texts of its own."
        )
    if spec.labeler is not None:
        get_labeler(spec.labeler).check(pool.rows, task.labels)


def _check_models(spec: RunSpec, task: Task) -> None:
    if is_cheap(spec.student) and (task.kind != "classification" or spec.strategy == "distill"):
        raise InputError(
            f"{spec.student} learns hard labels of a classification; {task.name} is {task.kind}, the strategy "
            f"{spec.strategy}. Use a seq2seq student."
        )
    if spec.student == "overlap" and not has_overlap_rule(task):
        raise InputError(f"overlap answers tasks of two texts and two labels; {task.name} is none.")
    if spec.teacher in ENCODER_TEACHERS and not task.labels:
        raise InputError(f"{spec.teacher} teaches classifications; {task.name} is {task.kind}. Use a seq2seq teacher.")
    seq2seq = spec.teacher is not None and spec.teacher not in ENCODER_TEACHERS
    if seq2seq and (spec.teacher in CPU_FAMILY) != (spec.student in CPU_FAMILY):
        raise vocabulary_mismatch(spec)
