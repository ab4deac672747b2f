"""How long stages and runs will take, from stages that are done; and how far that was off.

A stage's time is that of its like: the median over the stages nearest in work (examples, epochs included) of the same
kind, model, task and sort of labels, else of the same kind and model, brought to its work; else by what the models
multiply for a token, else by the speed of its kind of learner on the rate card, else a first guess.
Rates are CPU seconds where a CPU worked, so that what else the machine did at the time does not count; how much slower
the clock runs than that today is learned while stages finish.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import median
from typing import Any, Final

from budgetsim.costs.rates import Utilisation
from budgetsim.design.models import SHAPES, T5_SHAPES
from budgetsim.errors import BudgetsimError
from budgetsim.labelers import get_labeler
from budgetsim.learners.protocol import Learner
from budgetsim.learners.registry import parse_learner
from budgetsim.measure.stages import PlannedStage
from budgetsim.store.records import StageRecord

STARTUP_GUESS: Final = 12.0  # seconds until a worker has imported torch and transformers
OVERHEAD_GUESS: Final = 0.5  # seconds of a run outside its stages
NEWEST: Final = 15  # stages a rate is the median of
TRUST: Final = 10.0  # seconds of finished work that weigh as much as the first guess of today's slowness
MEMORY: Final = 0.9
# Seconds an example of the smallest model on one CPU thread (pico, short texts); other sizes by their operations.
FIRST_RATES: Final = {"train_student": 1.2e-3, "finetune_teacher": 1.2e-3, "soft_label": 4e-4, "evaluate": 4e-4}
FIRST_RATES_OTHER: Final = {"tokenise": 2e-4, "llm_label": 1e-5}
# Seconds an example of a pretrained model for a million operations a token, likewise; texts of some 30 word pieces.
FIRST_RATES_PRETRAINED: Final = {
    "train_student": 5e-3, "finetune_teacher": 5e-3, "soft_label": 1.2e-3, "evaluate": 1.2e-3, "encode": 1.2e-3,
}  # fmt: skip
TEXT_TOKENS: Final = 30  # of a text, where nothing says more
ASKED_GUESS: Final = 0.15  # seconds a text that a server is asked about, several at once
CHEAP_GUESS: Final = 0.5  # seconds of a stage of a learner that takes seconds
CHEAP_POWER: Final = 0.5  # of its examples
GPU_SPEEDUP: Final = 150.0  # of a GPU over one CPU thread, where nothing was timed yet


@dataclass(frozen=True, slots=True)
class Timed:
    """A finished stage: what was predicted before it began, and what it took, in seconds."""

    kind: str
    predicted: float
    took: float


@dataclass(slots=True)
class Estimator:
    """Seconds of stages and runs; learns from finished ones."""

    workers: int = 1
    here: bool = True  # whether the workers share this machine
    gpu: bool = False  # what first guesses are for; what was timed decides later
    startup: float = STARTUP_GUESS
    measured: Utilisation | None = None  # of this device, on a card: in place of first guesses
    timed: list[Timed] = field(default_factory=list)
    slowness: float = field(init=False)  # wall seconds today a second of the rates
    _first: float = field(init=False)
    _took: float = 0.0
    _expected: float = 0.0
    _seen: dict[tuple[Any, ...], list[tuple[float, float]]] = field(default_factory=dict)  # work, seconds
    _overheads: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._first = self.slowness = _crowding(self.workers) if self.here else 1.0

    def prime(self, stages: Iterable[StageRecord]) -> None:
        """Learn the rates of stages of earlier campaigns."""
        for stage in sorted(stages, key=lambda s: s.finished_at.timestamp() if s.finished_at else 0.0):
            self._keep(stage, _work_seconds(stage))

    def stage(self, stage: PlannedStage) -> float:
        """Wall seconds of one stage."""
        return self.base(stage) * self.slowness

    def base(self, stage: PlannedStage) -> float:
        """Seconds of one stage on a machine that does nothing else."""
        levels = _levels(stage.kind, stage.model, stage.about)
        work = float(stage.examples or 1)
        for level in levels:
            if level in self._seen:
                return _like(self._seen[level], work, _power(stage.kind, stage.model))
        return self._by_size(stage.kind, stage.model, work)

    def run(self, stages: Sequence[PlannedStage]) -> float:
        """Wall seconds of a run that has to build these stages."""
        return sum(self.stage(stage) for stage in stages) + self.overhead

    @property
    def overhead(self) -> float:
        """Wall seconds of a run outside its stages."""
        return median(self._overheads[-NEWEST:]) if self._overheads else OVERHEAD_GUESS * self.slowness

    def learn(self, stage: StageRecord, predicted: float | None = None) -> None:
        """Take a stage that this campaign built into account.

        predicted : what `stage` said before it began, where anybody asked
        """
        took = stage.seconds or 0.0
        if predicted is not None:
            self.timed.append(Timed(stage.kind, predicted, took))
        base = _work_seconds(stage)
        self._took = MEMORY * self._took + took
        self._expected = MEMORY * self._expected + base
        self.slowness = (self._first * TRUST + self._took) / (TRUST + self._expected)
        self._keep(stage, base)

    def learn_overhead(self, seconds: float) -> None:
        """Take the seconds of a run outside its stages into account."""
        self._overheads.append(max(0.0, seconds))

    @property
    def error(self) -> float | None:
        """Sum of |predicted - took| over the sum taken, a fraction: short stages weigh little."""
        return prediction_error(self.timed)

    @property
    def bias(self) -> float | None:
        """Sum predicted / sum taken over finished stages."""
        took = sum(t.took for t in self.timed)
        return sum(t.predicted for t in self.timed) / took if took else None

    def _keep(self, stage: StageRecord, seconds: float) -> None:
        work = float(stage.examples or 0)
        if work:
            about = {"task": stage.task, "n_unlabeled": stage.n_unlabeled}
            for level in _levels(stage.kind, stage.model, about):
                self._seen.setdefault(level, []).append((work, seconds))

    def _by_size(self, kind: str, model: str | None, work: float) -> float:
        if _power(kind, model) < 1:
            return CHEAP_GUESS
        if kind == "llm_label" and get_labeler(model or "").asks:
            return ASKED_GUESS * work
        if kind in FIRST_RATES_OTHER:
            return FIRST_RATES_OTHER[kind] * work
        ours, family = _operations(model), (_is_t5(model), is_short(model or ""))
        others = [
            name
            for (k, name, *more) in self._seen
            if k == kind and not more and (_is_t5(name), is_short(name or "")) == family
        ]
        for name in sorted(others, key=lambda n: abs(math.log(_operations(n) / ours))):
            return _like(self._seen[kind, name], work, 1.0) * ours / _operations(name)
        timed = self._timed(kind, model)
        if timed is not None:
            return timed * ours * work
        rate = FIRST_RATES[kind] / _operations("pico") if _is_t5(model) else FIRST_RATES_PRETRAINED[kind] / 1e6
        return rate * ours * work / (GPU_SPEEDUP if self.gpu else 1.0)

    def _timed(self, kind: str, model: str | None) -> float | None:
        """Seconds an example and operation of a token, from speeds that were measured of that kind of learner."""
        trains = kind in ("train_student", "finetune_teacher")
        word = "encoder-lr" if kind == "encode" else "t5" if _is_t5(model) else (model or "").split(":", 1)[0]
        tflops = None if self.measured is None else self.measured.tflops(word, trains=trains)
        passes = 3 if trains else 1
        return None if tflops is None else passes * 2 * TEXT_TOKENS / (tflops * 1e12)


def prediction_error(timed: Sequence[Timed]) -> float | None:
    """Sum of |predicted - took| over the sum taken; None where nothing took time.

    >>> prediction_error([Timed("encode", 2.0, 1.0), Timed("encode", 3.0, 3.0)])
    0.25
    """
    took = sum(t.took for t in timed)
    return sum(abs(t.predicted - t.took) for t in timed) / took if took else None


def _work_seconds(stage: StageRecord) -> float:
    """CPU seconds where a CPU of ours worked (never more than the clock's), else seconds."""
    seconds = stage.seconds or 0.0
    if "llm" in stage.provenance:  # it waited for a server
        return seconds
    cpu = stage.provenance.get("cpu_seconds")
    return min(seconds, float(cpu)) if stage.device_class == "cpu" and cpu is not None else seconds


def _levels(kind: str, model: str | None, about: Any) -> list[tuple[Any, ...]]:
    """Names of ever wider groups of like stages."""
    soft = kind == "train_student" and bool(about.get("n_unlabeled"))
    return [(kind, model, about.get("task"), soft), (kind, model, about.get("task")), (kind, model)]


def _power(kind: str, model: str | None) -> float:
    """How a stage's time grows with its examples: in proportion, but for learners of seconds, which have a start-up."""
    return CHEAP_POWER if kind not in FIRST_RATES_OTHER and is_short(model or "") else 1.0


def is_short(model: str) -> bool:
    """Whether a model is a learner of seconds."""
    learner = _learner(model)
    return learner is not None and learner.is_cheap


def _like(seen: Sequence[tuple[float, float]], work: float, power: float) -> float:
    """Seconds of so much work: the median of the most alike stages, the newer of two, each brought to that work."""
    newest_first = [*reversed(seen)]
    near = sorted(newest_first, key=lambda stage: abs(math.log(stage[0] / work)))[:NEWEST]
    return median(seconds * (work / done) ** power for done, seconds in near)


def _is_t5(model: str | None) -> bool:
    learner = _learner(model)
    return model in SHAPES or (learner is not None and "states" in learner.gives)


@cache
def _operations(model: str | None) -> float:
    """Multiplications a token takes in a model's layers; one of unknown size counts as T5-Small."""
    shape, learner = SHAPES.get(model or ""), _learner(model)
    if shape is None and learner is not None:
        with contextlib.suppress(BudgetsimError):
            flops = learner.facts().flops_per_token
            if flops:
                return flops / 2
    shape = shape or T5_SHAPES["t5-v1_1-small"]
    return float(shape.n_layers * (shape.attention + shape.feed_forward))


def _learner(model: str | None) -> Learner | None:
    """The learner of a name; a frozen encoder stands by its model's. None for labelers and what is not known."""
    for name in (model or "", f"ft:{model}"):
        with contextlib.suppress(BudgetsimError):
            return parse_learner(name)
    return None


def _crowding(workers: int) -> float:
    """How many processes share a core once the workers have begun, at least 1: a first guess of today's slowness."""
    try:
        busy = os.getloadavg()[0]
    except (AttributeError, OSError):
        busy = 0.0
    return max(1.0, (busy + workers) / (os.cpu_count() or 1))
