"""Routes, designs and measurements: what was, or could be, run, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from budgetsim.design.identity import canonical_hash
from budgetsim.design.strategies import STRATEGIES, Strategy

PAPER_STUDENT: Final = "t5-v1_1-small"
PAPER_TEACHER: Final = "t5-v1_1-xxl"
PAPER_FAMILY: Final = "t5-v1_1-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A strategy with its models: what one fitted surface describes, and one row of an answer."""

    strategy: str
    teacher: str | None = None
    labeler: str | None = None  # who gives labels besides people, e.g. simulated:accuracy=0.8
    student: str = ""  # the constant answer trains none

    @property
    def kind(self) -> Strategy:
        """The strategy as a value; KeyError where it is none of `STRATEGIES`."""
        return STRATEGIES[self.strategy]

    @property
    def label(self) -> str:
        """Strategy and models in words.

        >>> Route(strategy="distill", teacher="t5-v1_1-xxl", student="t5-v1_1-small").label
        'distill (t5-v1_1-xxl into t5-v1_1-small)'
        >>> Route(strategy="llm_annotate", labeler="gpt-3.5", student="t5-v1_1-small").label
        'llm_annotate (gpt-3.5 for t5-v1_1-small)'
        """
        if not self.student:
            return self.strategy
        if self.teacher:
            return f"{self.strategy} ({self.teacher} into {self.student})"
        labels = f"{self.labeler} for " if self.labeler else ""
        return f"{self.strategy} ({labels}{self.student})"

    @property
    def short(self) -> str:
        """Strategy and models in as few words as tell them apart, for tables.

        >>> Route(strategy="distill", teacher="t5-v1_1-xxl", student="t5-v1_1-small").short
        'distill XXL to Small'
        >>> Route(strategy="llm_annotate", labeler="gpt-3.5", student="t5-v1_1-small").short
        'llm_annotate gpt-3.5 to Small'
        >>> Route(strategy="annotate", student="encoder-lr:minilm").short, CONSTANT_ROUTE.short
        ('annotate encoder-lr:minilm', 'constant')
        """
        source = self.teacher or self.labeler
        models = [short_model(name) for name in (source, self.student) if name]
        return " ".join([self.strategy, " to ".join(models)]) if models else self.strategy

    @property
    def is_simulated(self) -> bool:
        """Whether its labels were made of known answers: a study of errors, by nobody who can be hired.

        >>> Route(strategy="llm_annotate", labeler="simulated:accuracy=0.9", student="pico").is_simulated
        True
        """
        return (self.labeler or "").startswith("simulated:")

    @property
    def llm(self) -> str | None:
        """The LLM that is paid for its answers: the labeler, or a teacher that is asked and not tuned.

        >>> Route(strategy="distill", teacher="chat:gpt", student="tfidf-lr").llm
        'chat:gpt'
        """
        asked = self.teacher is not None and self.teacher.startswith(("chat:", "decide:"))
        return self.teacher if asked else self.labeler

    @property
    def doing(self) -> str:
        """What is done, in words.

        >>> Route(strategy="distill", teacher="t5-v1_1-xxl", student="t5-v1_1-small").doing
        'distilling t5-v1_1-xxl into t5-v1_1-small'
        """
        return self.kind.doing.format(teacher=self.teacher, student=self.student)

    @property
    def pair(self) -> tuple[str | None, str]:
        """Teacher and student."""
        return self.teacher, self.student

    @property
    def sort_key(self) -> tuple[str, ...]:
        """By strategy, teacher, labeler and student."""
        return (self.strategy, self.teacher or "", self.labeler or "", self.student)


CONSTANT_ROUTE: Final = Route(strategy="constant")


def short_model(name: str) -> str:
    """A model of the paper by its size alone; any other name stays as it is.

    >>> short_model("t5-v1_1-xxl"), short_model("t5-v1_1-base"), short_model("tfidf-lr")
    ('XXL', 'Base', 'tfidf-lr')
    """
    size = name.removeprefix(PAPER_FAMILY)
    if size == name:
        return name
    return size.upper() if set(size) <= {"x", "l"} else size.capitalize()


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A route on a task with its counts: what is asked about, planned, or run."""

    task: str
    route: Route
    n_labels: int = 0
    n_llm_labels: int = 0
    n_unlabeled: int = 0

    @property
    def inputs(self) -> tuple[int, ...]:
        """The counts that the strategy uses, in the order of its axes."""
        return tuple(getattr(self, name) for name in self.route.kind.inputs)

    def flat(self) -> dict[str, Any]:
        """Its eight fields under one level of names, as tables and JSON have them."""
        route = self.route
        return {
            "task": self.task, "strategy": route.strategy, "teacher": route.teacher, "labeler": route.labeler,
            "student": route.student or None, "n_labels": self.n_labels, "n_llm_labels": self.n_llm_labels,
            "n_unlabeled": self.n_unlabeled,
        }  # fmt: skip


DESIGN_FIELDS: Final = tuple(Design(task="", route=CONSTANT_ROUTE).flat())


def design_of(values: Mapping[str, Any]) -> Design:
    """The design whose flat fields a mapping holds, beside others.

    raises : KeyError where the task or the strategy is missing

    >>> design_of({"task": "t", "strategy": "annotate", "student": "s", "n_labels": 9, "seed": 0}).inputs
    (9,)
    """
    route = {name: values[name] for name in ("teacher", "labeler", "student") if values.get(name) is not None}
    counts = {name: values[name] for name in ("n_labels", "n_llm_labels", "n_unlabeled") if name in values}
    return Design(task=values["task"], route=Route(strategy=values["strategy"], **route), **counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignPoint:
    """A cell of the grid with its replicate: everything that decides what a run computes."""

    design: Design
    split_id: str  # hash of the data and of the rule that split it
    unlabeled_source: str | None = None
    recipe_id: str = ""  # hash of the hyper-parameters and a recipe version raised by hand
    seed: int = 0

    def flat(self) -> dict[str, Any]:
        """Its fields under one level of names, as records have them and the identity hashes them."""
        own = {name: getattr(self, name) for name in ("split_id", "unlabeled_source", "recipe_id", "seed")}
        return {**self.design.flat(), **own}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> DesignPoint:
        """The point that `flat` told.

        raises : KeyError, TypeError where fields are missing or unknown
        """
        own = {name: value for name, value in values.items() if name not in DESIGN_FIELDS}
        return cls(design=design_of(values), **own)

    @property
    def run_id(self) -> str:
        """Identity of the run; commit, versions, host and device are provenance, not identity."""
        return canonical_hash(self.flat())


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One result as the fits see it; counts may be derived, then `derived` names them."""

    key: str  # run_id, or record_id of a published row
    task: str
    route: Route
    n_labels: float | None
    n_llm_labels: float | None
    n_unlabeled: float | None
    score: float  # fraction of the metric, 0 to 1
    score_err: float = 0.0  # half-width of the reading (digitised figures), fraction
    n_test: int | None = None
    seed: int | None = None
    source: str  # published:kang2023, or measured
    evidence_set: str  # source, split, family and device class in one name
    panel: str | None = None  # where a published row was printed
    derived: tuple[str, ...] = ()  # names of inputs that were computed, not printed
    teacher_score: float | None = None  # of the teacher itself, on the same test items; fraction of the metric
    labeler_accuracy: float | None = None  # of the LLM, on labels of people that it was not shown; fraction
    n_unlabeled_se: float | None = None  # standard error of texts that were computed from dollars

    @property
    def inputs(self) -> tuple[float | None, ...]:
        """The counts that the strategy uses, in the order of its axes; None where one is not known."""
        return tuple([getattr(self, name) for name in self.route.kind.inputs])  # a list first: of a million rows

    @property
    def scores(self) -> tuple[float, ...]:
        """Its score alone."""
        return (self.score,)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignRuns:
    """All runs of one design of one source: counts as of `Measurement`.

    scores : of each run, fractions of the metric; empty where they were not asked for
    """

    task: str
    route: Route
    n_labels: float | None
    n_llm_labels: float | None
    n_unlabeled: float | None
    source: str
    evidence_set: str
    n_runs: int
    scores: tuple[float, ...] = ()

    @property
    def inputs(self) -> tuple[float | None, ...]:
        """As of `Measurement`."""
        return tuple(getattr(self, name) for name in self.route.kind.inputs)


class Ran(Protocol):
    """What a `Measurement` and a `DesignRuns` have in common: something that was run, and what it scored."""

    @property
    def task(self) -> str: ...
    @property
    def route(self) -> Route: ...
    @property
    def n_labels(self) -> float | None: ...
    @property
    def n_llm_labels(self) -> float | None: ...
    @property
    def n_unlabeled(self) -> float | None: ...
    @property
    def source(self) -> str: ...
    @property
    def evidence_set(self) -> str: ...
    @property
    def scores(self) -> tuple[float, ...]: ...
    @property
    def inputs(self) -> tuple[float | None, ...]: ...
