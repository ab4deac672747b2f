"""How long runs will take, from those that are done; and how far that was off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from budgetsim.measure.spec import RunSpec
from budgetsim.store.records import StageRecord
from budgetsim.train.names import CPU_FAMILY, is_cheap

FIRST_GUESS: Final = {"cheap": 3.0, "cpu": 25.0, "other": 600.0}  # seconds a run, before anything is known
SETUP_GUESS: Final = 45.0  # seconds a task: tokeniser and one pass of the encoder


@dataclass(slots=True)
class Estimator:
    """Seconds of runs by task, student and strategy; learns from finished ones."""

    seen: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)
    pairs: list[tuple[float, float]] = field(default_factory=list)  # (predicted, took)

    def predict(self, spec: RunSpec) -> float:
        """Seconds of one run: the median of its like, else of the same student, else a first guess."""
        like = self.seen.get((spec.task, spec.student, spec.strategy))
        if like:
            return median(like)
        of_student = [
            (task, s) for (task, student, _), took in self.seen.items() if student == spec.student for s in took
        ]
        near = [s for task, s in of_student if task == spec.task] or [s for _, s in of_student]
        if near:
            return median(near)
        kind = "cheap" if is_cheap(spec.student) else "cpu" if spec.student in CPU_FAMILY else "other"
        return FIRST_GUESS[kind]

    def learn(self, spec: RunSpec, seconds: float) -> None:
        """Take a finished run into account."""
        self.pairs.append((self.predict(spec), seconds))
        self.seen.setdefault((spec.task, spec.student, spec.strategy), []).append(seconds)

    def prime(self, stages: Iterable[StageRecord]) -> None:
        """Learn from the student stages of earlier campaigns."""
        for stage in stages:
            if stage.kind == "train_student" and stage.seconds is not None and stage.model is not None:
                strategy = "distill" if stage.n_unlabeled else "llm_annotate" if stage.n_llm_labels else "annotate"
                self.seen.setdefault((stage.task, stage.model, strategy), []).append(stage.seconds)

    def remaining(self, specs: Sequence[RunSpec], workers: int) -> float:
        """Seconds until all of these are done."""
        return sum(self.predict(spec) for spec in specs) / max(1, workers)

    @property
    def error(self) -> float | None:
        """Sum of |predicted - took| over the sum taken, a fraction: short runs weigh little."""
        took = sum(t for _, t in self.pairs)
        return sum(abs(p - t) for p, t in self.pairs) / took if took else None

    @property
    def bias(self) -> float | None:
        """Sum predicted / sum taken over finished runs."""
        took = sum(t for _, t in self.pairs)
        return sum(p for p, _ in self.pairs) / took if took else None
