"""Hours of compute a design takes, under three models of how the work is organised.

`published` : as the paper billed it: the teacher runs inside every step of all 50 epochs.
`cached`    : the same hardware use, but the teacher labels each text once and the answers are kept.
`modern`    : bf16, cached, and a stated utilisation of the device, for fine-tuning the teacher too.

The last two are modelled: floating point operations counted by formula (Kaplan et al. 2020,
arXiv 2001.08361, extended to encoder-decoders with cross-attention), divided by stated speeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.models import T5_SHAPES, T5_VOCABULARY, T5Shape
from budgetsim.design.paper import ANNOTATE_EPOCHS, BATCH, DISTILL_EPOCHS, TEACHER_EPOCHS

ComputeModel = Literal["published", "cached", "modern"]
COMPUTE_MODELS: Final[tuple[ComputeModel, ...]] = ("published", "cached", "modern")


@dataclass(frozen=True, slots=True)
class Forward:
    """Floating point operations of one forward pass over one example, by part."""

    encoder: float
    decoder: float
    output: float  # logits of every target position

    @property
    def total(self) -> float:
        return self.encoder + self.decoder + self.output


def forward_flops(shape: T5Shape, source_tokens: float, target_tokens: float) -> Forward:
    """Operations of one forward pass: two a parameter and token, plus attention scores.

    source_tokens, target_tokens : of the example, padding left out
    """
    inner = shape.n_heads * shape.d_kv
    n, m = source_tokens, target_tokens
    encoder = 2 * n * (shape.attention + shape.feed_forward) + 4 * n * n * inner
    crossing = 2 * n * (shape.attention / 2)  # keys and values of the source
    decoder = 2 * m * (1.5 * shape.attention + shape.feed_forward) + 4 * m * (m + n) * inner + crossing
    return Forward(encoder * shape.n_layers, decoder * shape.n_layers, 2.0 * m * shape.d_model * T5_VOCABULARY)


@dataclass(frozen=True, slots=True)
class StepFlops:
    """Operations per text of distilling: what runs once and what runs in every epoch."""

    generate: float  # g: the teacher writes its answer
    relabel: float  # t once: decoder states of that answer, the encoding kept from g
    teacher: float  # t: a whole teacher forward
    student: float  # s: a student step, forward and backward
    rebuild: float  # r: logits from the cached decoder states

    @property
    def speedup(self) -> float:
        """How many times fewer operations labelling once takes, over 50 epochs.

        The published loop generates once and runs the teacher in every step. The cached one
        encodes once, keeps the decoder states and rebuilds logits from them.
        """
        published = self.generate + DISTILL_EPOCHS * (self.teacher + self.student)
        return published / (self.generate + self.relabel + DISTILL_EPOCHS * (self.student + self.rebuild))


def distill_flops(teacher: T5Shape, student: T5Shape, task: Task) -> StepFlops:
    """Operations of distilling one text of a task.

    >>> from budgetsim.data.tasks import TASKS
    >>> big, small = T5_SHAPES["t5-v1_1-xxl"], T5_SHAPES["t5-v1_1-small"]
    >>> (
    ...     round(distill_flops(big, small, TASKS["stance"]).speedup),
    ...     round(distill_flops(big, small, TASKS["wlp"]).speedup),
    ... )
    (28, 16)
    """
    t = forward_flops(teacher, task.source_tokens, task.target_tokens)
    s = forward_flops(student, task.source_tokens, task.target_tokens)
    return StepFlops(t.total, t.decoder, t.total, 3 * s.total, t.output)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelledSpeed:
    """What turns operations into hours; every number is a stated input."""

    peak_tflops: float
    teacher_training: float  # share of the peak
    labelling: float
    student_training: float
    seconds_per_step: float  # least time of one training step of the student

    def hours(self, flops: float, share: float) -> float:
        return flops / (self.peak_tflops * 1e12 * share) / 3600

    def student_hours(self, flops_per_example: float) -> float:
        """Hours an example of one epoch: operations, or waiting for launches where texts are short."""
        return max(self.hours(flops_per_example, self.student_training), self.seconds_per_step / BATCH / 3600)


@dataclass(frozen=True, slots=True)
class Steps:
    """A quantity that is linear between counts and never falls: fine-tuning a teacher on n labels.

    n : ascending counts; y : the quantity there; a value below an earlier one is taken to be that one
    """

    n: tuple[float, ...]
    y: tuple[float, ...]

    def at(self, n: ArrayLike) -> Floats:
        """The quantity at counts n: flat below the first, beyond the last along the last slope.

        With one count it is proportional beyond it; with none it is 0.
        """
        x = np.asarray(n, dtype=np.float64)
        if not self.n:
            return np.zeros_like(x)
        sizes, values = np.asarray(self.n), np.maximum.accumulate(self.y)
        slope = (values[-1] - values[-2]) / (sizes[-1] - sizes[-2]) if len(sizes) > 1 else values[-1] / sizes[-1]
        out: Floats = np.interp(x, sizes, values) + slope * np.maximum(x - sizes[-1], 0)
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Device-hours of one teacher and student on one task.

    teacher_n, teacher_hours : fine-tuning the teacher on that many labels, ascending; flat below
        the first, proportional beyond the last; empty without a teacher
    label_text, train_text : hours for one unlabelled text: labelling it, training the student on it
    train_label : hours of training the student on one label
    train_fixed : hours of training the student that do not depend on its examples (a set number of steps)
    """

    model: str  # published, cached, modern, or measured
    device_class: str
    teacher_n: tuple[float, ...] = ()
    teacher_hours: tuple[float, ...] = ()
    label_text: float = 0.0
    train_text: float = 0.0
    train_label: float = 0.0
    train_fixed: float = 0.0
    modelled: tuple[str, ...] = ()  # which of them are modelled rather than read off bills or clocks

    def teacher_at(self, n_labels: ArrayLike) -> Floats:
        """Hours of fine-tuning the teacher, monotone in the labels."""
        return Steps(self.teacher_n, self.teacher_hours).at(n_labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedHours:
    """GPU-hours that a paper's dollars imply, for one task, teacher and student."""

    teacher_n: tuple[float, ...]
    teacher_hours: tuple[float, ...]
    distill_text: float


def student_only(student: str, task: Task, speed: ModelledSpeed | None) -> Hours | None:
    """Hours of training a student on labels; modelled always. None where the model is unknown."""
    if speed is None or student not in T5_SHAPES:
        return None
    flops = 3 * forward_flops(T5_SHAPES[student], task.source_tokens, task.target_tokens).total
    hours = ANNOTATE_EPOCHS * speed.student_hours(flops)
    return Hours(model="modelled", device_class="gpu", train_label=hours, modelled=("train_label",))


def distill_hours(
    model: ComputeModel,
    teacher: str,
    student: str,
    task: Task,
    published: PublishedHours | None,
    speed: ModelledSpeed | None,
) -> Hours | None:
    """Hours of distilling under one of the three models; None where nothing is known of the pair."""
    if model == "modern":
        return _modern(teacher, student, task, speed)
    if published is None:
        return None
    if model == "published":
        # the bills do not part labelling from training: the teacher ran inside every step
        return _from_bills("published", published, published.distill_text, ())
    if teacher not in T5_SHAPES or student not in T5_SHAPES:
        return None
    faster = distill_flops(T5_SHAPES[teacher], T5_SHAPES[student], task).speedup
    return _from_bills("cached", published, published.distill_text / faster, ("distill_text",))


def _from_bills(model: ComputeModel, bills: PublishedHours, per_text: float, modelled: tuple[str, ...]) -> Hours:
    return Hours(
        model=model,
        device_class="gpu",
        teacher_n=bills.teacher_n,
        teacher_hours=bills.teacher_hours,
        train_text=per_text,
        modelled=modelled,
    )


def _modern(teacher: str, student: str, task: Task, speed: ModelledSpeed | None) -> Hours | None:
    if speed is None or teacher not in T5_SHAPES or student not in T5_SHAPES:
        return None
    flops = distill_flops(T5_SHAPES[teacher], T5_SHAPES[student], task)
    per_label = speed.hours(3 * flops.teacher * TEACHER_EPOCHS, speed.teacher_training)
    return Hours(
        model="modern",
        device_class="gpu",
        teacher_n=(0.0, 10_000.0),
        teacher_hours=(0.0, 10_000.0 * per_label),
        label_text=speed.hours(flops.generate + flops.relabel, speed.labelling),
        train_text=DISTILL_EPOCHS * speed.student_hours(flops.student + flops.rebuild),
        modelled=("finetune_teacher", "label_text", "train_text"),
    )


def published_hours(rows: Sequence[tuple[str, int, float]]) -> PublishedHours | None:
    """Published hours of one task and pair from (kind, n_labels, hours) rows; None where they lack a part."""
    teacher = sorted((n, hours) for kind, n, hours in rows if kind == "finetune_teacher")
    texts = [hours for kind, _, hours in rows if kind == "distill_text"]
    if not teacher or len(texts) != 1:
        return None
    return PublishedHours(
        teacher_n=tuple(float(n) for n, _ in teacher),
        teacher_hours=tuple(float(h) for h in np.maximum.accumulate([h for _, h in teacher])),
        distill_text=texts[0],
    )


def scaled_hours(
    bills: Sequence[tuple[Task, PublishedHours]], teacher: str, student: str, task: Task
) -> PublishedHours:
    """Hours on a task without bills: those of others by operations, as many hours an operation as their geometric mean.

    bills : tasks and their hours, one at least, all at the same sizes of the teacher; the models are T5s
    """
    big, small = T5_SHAPES[teacher], T5_SHAPES[student]

    def operations(t: Task) -> tuple[float, float]:
        f = distill_flops(big, small, t)
        return f.teacher, f.generate + DISTILL_EPOCHS * (f.teacher + f.student)

    tuning, text = operations(task)
    rates = np.array([np.asarray(b.teacher_hours) / operations(t)[0] for t, b in bills])
    texts = np.array([b.distill_text / operations(t)[1] for t, b in bills])
    return PublishedHours(
        teacher_n=bills[0][1].teacher_n,
        teacher_hours=tuple((tuning * np.exp(np.log(np.maximum(rates, 1e-300)).mean(axis=0))).tolist()),
        distill_text=float(text * np.exp(np.log(texts).mean())),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredStage:
    """Stages of one kind and size that were run: what they were, the size they depend on, and the device-hours.

    model : that did the work
    examples, hours : of all `n_stages` of them
    """

    kind: str
    model: str = ""
    n: float  # labels of a teacher, texts or labels of a student
    examples: float  # processed, for stages whose hours are proportional to them
    hours: float
    n_stages: int = 1


def measured_hours(stages: Sequence[MeasuredStage], device_class: str) -> Hours | None:
    """Hours of one teacher and student from the stages of their runs; None without a trained student.

    Encoding and labelling take hours in proportion to their examples; a student's training is a
    fixed part and a part in proportion to its size, by least squares with neither below zero. What is encoded is
    encoded once by each model that encodes, for the teacher where one is tuned, else for the student.
    """
    student = [s for s in stages if s.kind == "train_student"]
    if not student:
        return None
    fixed, slope = _line([s.n for s in student], [s.hours / s.n_stages for s in student], [s.n_stages for s in student])
    encoders = {s.model for s in stages if s.kind == "encode"}
    encode = sum(_rate([s for s in stages if s.model == model], "encode") for model in sorted(encoders))
    teacher: dict[float, list[MeasuredStage]] = {}
    for s in stages:
        if s.kind == "finetune_teacher":
            teacher.setdefault(s.n, []).append(s)
    sizes, own = tuple(sorted(teacher)), 0.0 if teacher else encode
    return Hours(
        model="measured",
        device_class=device_class,
        teacher_n=sizes,
        teacher_hours=tuple(_mean_hours(teacher[n]) + encode * n for n in sizes),
        label_text=_rate(stages, "soft_label") + _rate(stages, "llm_label") + (encode if teacher else 0.0),
        train_text=slope + own,
        train_label=slope + own,
        train_fixed=fixed,
    )


def _rate(stages: Sequence[MeasuredStage], kind: str) -> float:
    """Hours an example of one kind of stage; 0 where there is none."""
    chosen = [s for s in stages if s.kind == kind]
    examples = sum(s.examples for s in chosen)
    return sum(s.hours for s in chosen) / examples if examples else 0.0


def _mean_hours(stages: Sequence[MeasuredStage]) -> float:
    return sum(s.hours for s in stages) / sum(s.n_stages for s in stages)


def _line(x: Sequence[float], y: Sequence[float], weight: Sequence[float]) -> tuple[float, float]:
    """Intercept and slope of least squares, neither below zero.

    y, weight : means of so many values at a place; what they scatter there moves no line

    >>> _line([1, 2, 3], [3, 5, 7], [1, 1, 1]), _line([1, 2], [4, 2], [1, 1]), _line([1, 2], [0, 5], [1, 1])
    ((1.0, 2.0), (3.0, 0.0), (0.0, 2.0))
    >>> _line([1, 1, 3], [2, 4, 7], [1, 1, 1]) == _line([1, 3], [3, 7], [2, 1])
    True
    """
    at, hours, w = (np.asarray(values, dtype=np.float64) for values in (x, y, weight))
    middle, mean = (w * at).sum() / w.sum(), (w * hours).sum() / w.sum()
    spread = (w * (at - middle) ** 2).sum()
    slope = float((w * (at - middle) * (hours - mean)).sum() / spread) if spread > 0 else 0.0
    intercept = float(mean - slope * middle)
    if slope <= 0:
        return float(mean), 0.0
    if intercept < 0:
        return 0.0, float((w * at * hours).sum() / (w * at * at).sum())
    return round(intercept, 12), round(slope, 12)
