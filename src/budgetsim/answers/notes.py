"""What is to be said with an answer, as values: what happened, and its numbers; `report/wording.py` words them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # names of types; most answers need no what-ifs
    from budgetsim.economics.noisy_labels import Errors, ImpliedAccuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why there is no answer, in the words of the error that said so."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A strategy that has no price; the reason is the error's."""

    strategy: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverRun:
    """Strategies that other tasks have runs of, in sets of the same kind, and this one has not."""

    strategies: tuple[str, ...]
    task: str


@dataclass(frozen=True, slots=True)
class SimulatedLeftOut:
    """Labelers that were simulated and so cannot be hired: their rows are told where their strategy is named."""

    labelers: tuple[str, ...]
    strategies: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingNotCharged:
    """The student's training on labels is left out of the cost although the card wants it charged.

    device_class : of the device that the card has no price for; None where it lacks a utilisation to model hours with
    """

    device_class: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpliedLlmLabels:
    """Published numbers of LLM labels that were computed from dollars, by a prompt and a price of tokens."""

    prompt_texts: int
    usd_per_mtok: float
    usd_per_label: float  # under the card, for the model it names
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpliedTexts:
    """Published numbers of distilled texts that were computed from dollars, some cut at the size of the pool."""

    n_rows: int
    n_capped: int
    pool_size: int


@dataclass(frozen=True, slots=True)
class OwnedTeacherLabels:
    """The labels that an owned teacher was tuned on do not count as owned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysInSequence:
    """How days are counted: one step after the other, device-hours divided by the devices."""

    labels_per_day: float
    gpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPool:
    """The pool is what a user's own task has of unlabelled texts."""

    task: str
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BeyondPool:
    """A point asks for more texts than the pool of its task holds."""

    name: str  # of the input
    n: float  # that there are


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTexts:
    """No plan asks for more labels than a user's own task has texts, and a fitted curve goes further.

    n : texts in all; n_train : of them, those that have a label
    """

    task: str
    n: int
    n_train: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BeyondTexts:
    """A point asks for more labels than its task has texts."""

    n: float  # that there are


@dataclass(frozen=True, slots=True)
class PlateauRule:
    """A student scores at most what its teacher does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmRule:
    """How a modelled LLM errs, among how many labels; the worth is in true labels, where errors are random."""

    errors: Errors
    classes: int
    worth: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpliedLabeler:
    """What a rule says of the evidence's own LLM; it may be that it describes it at no accuracy."""

    labeler: str
    implied: ImpliedAccuracy
    is_described: bool


@dataclass(frozen=True, slots=True)
class NoTeacher:
    """No distilled student is among the options."""


@dataclass(frozen=True, slots=True)
class NoAnnotation:
    """No annotation curve is among the options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAccuracyScale:
    """An answer of the task is text: no share of right labels links it to a score."""

    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCost:
    """A point has a score and no cost; the reason is the error's."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEnd:
    """A score is that at the last count of a fitted table, below the one asked about."""

    name: str  # of the input
    n: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeDiffers:
    """Under another compute model the same budget would buy something else.

    now, other : names of compute models
    compute_usd, other_usd : compute of the recommended plan under each
    short, score : what would be bought under the other, and its expected score in percent
    """

    now: str
    other: str
    budget_usd: float
    compute_usd: float
    other_usd: float
    short: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherLlm:
    """The card prices an LLM that is not the one whose labels were scored."""

    scored: str
    priced: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherGpu:
    """Hours were billed on one device and are priced as another's, as if it worked as fast."""

    billed: str
    priced: str


Assumption = (
    TrainingNotCharged | ImpliedLlmLabels | ImpliedTexts | OwnedTeacherLabels | DaysInSequence | OwnPool | OwnTexts
)
ChoiceNote = LeftOut | NeverRun | SimulatedLeftOut | Assumption | ComputeDiffers | OtherLlm | OtherGpu | LlmRule
CaseNote = LeftOut | PlateauRule | LlmRule | ImpliedLabeler | NoTeacher | NoAnnotation | NoAccuracyScale | Refusal
PointNote = Refusal | NoCost | TrainingNotCharged | TableEnd | BeyondPool | BeyondTexts
Note = ChoiceNote | CaseNote | PointNote
