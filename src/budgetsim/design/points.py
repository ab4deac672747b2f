"""Design points and measurements: what was, or could be, run, and what came out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

STRATEGIES: Final = ("annotate", "distill", "llm_annotate", "annotate_plus_llm", "constant")
TRAINED_STRATEGIES: Final = STRATEGIES[:-1]

# The inputs a strategy turns into a student; its fitted surface has these axes, in this order.
STRATEGY_INPUTS: Final[dict[str, tuple[str, ...]]] = {
    "annotate": ("n_labels",),
    "distill": ("n_labels", "n_unlabeled"),
    "llm_annotate": ("n_llm_labels",),
    "annotate_plus_llm": ("n_labels", "n_llm_labels"),
    "constant": (),
}

PAPER_STUDENT: Final = "t5-v1_1-small"
PAPER_TEACHER: Final = "t5-v1_1-xxl"


def canonical_hash(value: Mapping[str, object]) -> str:
    """SHA-256 of the canonical JSON of a mapping: sorted keys, no blanks, ASCII, no NaN.

    >>> canonical_hash({"b": 1, "a": "x"}) == canonical_hash({"a": "x", "b": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignPoint:
    """A cell of the grid with its replicate: everything that decides what a run computes."""

    task: str
    split_id: str  # hash of the data and of the rule that split it
    strategy: str
    student: str
    teacher: str | None = None
    labeler: str | None = None  # who gives labels besides people, e.g. simulated:accuracy=0.8
    n_labels: int = 0
    n_llm_labels: int = 0
    n_unlabeled: int = 0
    unlabeled_source: str | None = None
    recipe_id: str = ""  # hash of the hyper-parameters and a recipe version raised by hand
    seed: int = 0

    @property
    def run_id(self) -> str:
        """Identity of the run; commit, versions, host and device are provenance, not identity."""
        return canonical_hash(asdict(self))


Group = tuple[str, str | None, str | None, str]  # strategy, teacher, labeler, student


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One result as the fits see it; counts may be derived, then `derived` names them."""

    key: str  # run_id, or record_id of a published row
    task: str
    strategy: str
    student: str
    teacher: str | None
    labeler: str | None
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

    @property
    def group(self) -> Group:
        """Strategy, teacher, labeler and student: what one fitted surface describes."""
        return (self.strategy, self.teacher, self.labeler, self.student)
