"""What a learner is: something that is taught by examples and then answers; students and teachers are its two roles.

A kind of learner is one file of this room and one line of the registry. Nothing outside that file knows its name:
the conductor asks what a learner can be taught by, what it gives, and hands it examples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from budgetsim.data.tasks import Task, TaskKind
from budgetsim.errors import InputError

Signal = Literal["labels", "probabilities", "states", "texts"]
Probabilities = NDArray[np.float32]

USUAL_TEMPERATURE: Final = 2.0  # Kang, Xu and Ritter (2023)
HARD: Final[frozenset[Signal]] = frozenset({"labels"})
SOFT: Final[frozenset[Signal]] = frozenset({"labels", "probabilities"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """What a learner is taught: texts, a hard answer for each, and where a teacher spoke, soft answers beside them.

    sources : texts as the task writes them (pairs as `name: text name: text`)
    answers : of people, of an LLM, or the teacher's most likely one; labels of a classification, for a tagging the
        tags of the words of a source with blanks between
    logits : (n, classes) the teacher's, before any temperature; of a tagging (words of all sources, tags), source
        after source; None where all answers are hard
    is_gold : (n,) rows that are taught their hard answer although others are soft
    states : a seq2seq teacher's states behind its answers (`distill.StateCache`), for a student of its vocabulary; of
        the rows that are not gold, in order
    """

    sources: Sequence[str]
    answers: Sequence[str]
    logits: Probabilities | None = None
    is_gold: NDArray[np.bool_] | None = None
    states: Any = None

    def __post_init__(self) -> None:
        assert len(self.sources) == len(self.answers)
        assert self.logits is None or len(self.logits) >= len(self.sources)
        assert self.is_gold is None or len(self.is_gold) == len(self.sources)

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def is_soft(self) -> bool:
        return self.logits is not None

    def classes(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """Number of each hard answer in the task's list of labels, (n,).

        raises : InputError naming an answer that is none of them
        """
        return class_numbers(self.answers, labels)

    def targets(self, labels: Sequence[str], temperature: float) -> Probabilities:
        """(n, classes) probabilities at a temperature; certain ones for hard answers."""
        sure = np.eye(len(labels), dtype=np.float32)[self.classes(labels)]
        if self.logits is None:
            return sure
        soft = softmax(self.logits, temperature)
        return soft if self.is_gold is None else np.where(self.is_gold[:, None], sure, soft)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How to train: everything that decides what is learnt, given the examples; a kind reads what it uses.

    max_tokens, target_tokens : of a source, of an answer that is text; longer ones are cut
    lr, l2 : learning rate, and penalty of linear learners; `settled` puts a learner's usual ones in the place of 0,
        and its usual temperature
    lora_rank : 0 trains every weight
    checkpointing, micro_batch, devices : as of `trainer.Optimisation`; they decide where numbers are, not what they are
    """

    steps: int
    batch: int
    lr: float
    warmup_share: float = 0.06
    weight_decay: float = 0.0
    clip: float = 1.0
    optimizer: str = "adamw_torch_fused"
    scheduler: str = "linear"
    precision: str = "fp32"
    temperature: float = USUAL_TEMPERATURE
    max_tokens: int = 128
    target_tokens: int = 16
    l2: float = 1e-4
    lora_rank: int = 0
    seed: int = 0
    checkpointing: bool = False
    micro_batch: int = 0
    devices: int = 1


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a learner works: a folder for its checkpoints, who hears of its steps, and what runs share.

    cache : folder for what runs may share (features of a frozen encoder); None keeps nothing
    pieces : file of the word pieces that learners of a split share, so that one can read another's states; None lets
        each learn its own
    """

    folder: Path
    checkpoint_every: int = 0
    progress: Callable[[int, int], None] | None = None
    cache: Path | None = None
    pieces: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What training or answering took: examples and tokens processed, padding included, and counted operations."""

    examples: int
    tokens: int = 0
    flops: float | None = None
    resumed_at: int = 0  # step it went on from


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a learner is made of.

    kind : how its name is written, as the registry shows it
    parameters, trainable : None where they depend on the examples (a vocabulary of words)
    megabytes : of its weights as they are saved
    place : where the weights lie: a folder, a package, the hub, or nowhere for what is trained from nothing
    flops_per_token : of answering, counted on a text of 128 tokens; None where it was not counted
    """

    kind: str
    parameters: int | None
    trainable: int | None
    megabytes: float | None
    licence: str | None
    place: str
    notes: tuple[str, ...] = field(default=())
    flops_per_token: float | None = None


class Fitted(Protocol):
    """A learner that has been taught."""

    @property
    def effort(self) -> Effort:
        """What teaching it took."""

    def answer(self, sources: Sequence[str]) -> list[str]:
        """Its answer to each text."""

    def logits(self, sources: Sequence[str]) -> Probabilities:
        """(n, classes) in the order of the task's labels.

        For a tagging (words of all sources, tags), source after source.

        raises : InputError where it gives no probabilities
        """

    def states(self, sources: Sequence[str]) -> Any:
        """The states behind its answers, a `distill.StateCache`.

        raises : InputError where it gives none
        """

    def save(self, folder: Path) -> None:
        """Write what `Learner.load` needs: safetensors and JSON alone."""


class Learner(Protocol):
    """A kind of model with its options, as a name says; it holds no weights."""

    @property
    def name(self) -> str:
        """As it stands in a run's identity."""

    @property
    def learns(self) -> frozenset[Signal]:
        """What it can be taught by."""

    @property
    def gives(self) -> frozenset[Signal]:
        """What it can teach others by; `labels` always."""

    @property
    def kinds(self) -> frozenset[TaskKind]:
        """Kinds of task that it can do."""

    @property
    def is_cheap(self) -> bool:
        """Whether it trains in seconds on a processor."""

    @property
    def usual_lr(self) -> float:
        """The learning rate to begin with; 0 where it reads none."""

    @property
    def usual_l2(self) -> float:
        """The penalty to begin with; 0 where it reads none."""

    @property
    def encoders(self) -> tuple[str, ...]:
        """Models whose frozen features it is taught on: they are made once for a text, before any fit."""

    def identity(self, how: Training) -> dict[str, object]:
        """The options of training that decide what it learns: what a recipe id hashes."""

    def check(self, task: Task) -> None:
        """Refuse a task it cannot do, and weights that are not there or not whole.

        raises : InputError or MissingExtraError with the way out
        """

    def facts(self) -> Facts:
        """Its size, licence and place, without loading weights where that can be."""

    def fit(self, task: Task, examples: Examples, how: Training, desk: Desk) -> Fitted:
        """Teach a fresh one; the same examples and options give the same learner, to the bit on one thread."""

    def load(self, task: Task, folder: Path, cache: Path | None = None) -> Fitted:
        """One that was saved; cache : as `Desk.cache`.

        raises : InputError where the folder does not hold one
        """


def settled(learner: Learner, how: Training) -> Training:
    """The options of training with the learner's usual rate, penalty and temperature where 0 leaves them to it.

    A learner that another temperature than 2 suits says so by `usual_temperature`.
    """
    temperature = how.temperature or float(getattr(learner, "usual_temperature", USUAL_TEMPERATURE))
    return replace(how, lr=how.lr or learner.usual_lr, l2=how.l2 or learner.usual_l2, temperature=temperature)


# What some kinds of learner say besides, and what others leave unsaid


def identity_alone(learner: Learner, how: Training) -> dict[str, object] | None:
    """What a recipe id hashes of a learner that people alone teach, where its kind says it another way than `identity`.

    Kinds whose runs were stored before learners were one protocol say so by `identity_alone`: their runs keep their
    ids. None for all others.
    """
    says = getattr(learner, "identity_alone", None)
    alone: dict[str, object] | None = None if says is None else says(how)
    return alone


def shares_pieces(learner: Learner) -> bool:
    """Whether a learner reads by word pieces that are learnt once for a split (`Desk.pieces`): it says so."""
    return bool(getattr(learner, "shares_pieces", False))


def reads_states_of(student: Learner, teacher: Learner) -> bool:
    """Whether a student can be taught by a teacher's states: both have some, and one vocabulary.

    raises : InputError where a vocabulary cannot be looked at
    """
    if "states" not in teacher.gives & student.learns:
        return False
    asked: Any = student
    return bool(asked.has_vocabulary_of(teacher))


def signal_between(teacher: Learner, student: Learner, task: Task) -> Signal | None:
    """The richest signal that a teacher gives and a student learns a task from; None where there is none.

    raises : as `reads_states_of`
    """
    if reads_states_of(student, teacher):
        return "states"
    both = teacher.gives & student.learns
    if task.labels and "probabilities" in both and all(task.kind in _soft_kinds(one) for one in (teacher, student)):
        return "probabilities"
    return "texts" if "texts" in both else None


def check_soft(learner: Learner, task: Task) -> None:
    """Refuse a task whose class probabilities a learner can neither give nor learn; most can, and do not say.

    raises : InputError saying why
    """
    refuse = getattr(learner, "check_soft", None)
    if refuse is not None:
        refuse(task)


def _soft_kinds(learner: Learner) -> frozenset[TaskKind]:
    """Kinds of task that a learner has class probabilities of: all that it does, where it does not say."""
    kinds: frozenset[TaskKind] = getattr(learner, "soft_kinds", learner.kinds)
    return kinds


class Stateless:
    """What learners have in common that give no states."""

    def states(self, sources: Sequence[str]) -> Any:
        raise InputError(
            "States are given by seq2seq learners alone (pico, t5-v1_1-small, a T5 folder); teach by probabilities "
            "(objective `label`) instead."
        )


def class_numbers(answers: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """Place of each answer in a list of labels, (answers,).

    raises : InputError naming an answer that is none of them
    """
    place = {label: i for i, label in enumerate(labels)}
    strange = sorted(set(answers) - set(place))
    if strange:
        raise InputError(f"An example is labelled {strange[0]!r}, which is none of the labels {', '.join(labels)}.")
    return np.array([place[answer] for answer in answers], dtype=np.int64)


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> Probabilities:
    """Probabilities of each row at a temperature.

    logits : (n, classes); returns : (n, classes), rows add up to 1

    >>> softmax(np.array([[0.0, np.log(3.0)]])).round(2).tolist()
    [[0.25, 0.75]]
    """
    z = np.asarray(logits, dtype=np.float64) / temperature
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return (z / z.sum(axis=1, keepdims=True)).astype(np.float32)
