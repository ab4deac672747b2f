"""What the paper's own models would take, before anybody pays: counted on the meta device, never run here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from budgetsim.costs.hours import COMPUTE_MODELS, Hours, ModelledSpeed, distill_hours, forward_flops, published_hours
from budgetsim.costs.plans import CARDS_GIB
from budgetsim.costs.rates import RateCard
from budgetsim.data.tasks import Task, get_task
from budgetsim.design.models import T5_SHAPES, T5_VOCABULARY
from budgetsim.design.paper import ANNOTATE_EPOCHS, DISTILL_EPOCHS, TEACHER_EPOCHS
from budgetsim.design.points import PAPER_STUDENT, PAPER_TEACHER
from budgetsim.errors import MissingPriceError
from budgetsim.measure.devices import StagePlans, best_plans_table, device_assumptions, plan_devices
from budgetsim.measure.paper_grid import GridCost, estimate_grid, grid_costs_table
from budgetsim.measure.spec import RunSpec
from budgetsim.report.table import Page, Table
from budgetsim.store.location import package_data
from budgetsim.store.merge import read_published_file
from budgetsim.store.published import PAPER_GPU_USD_PER_HOUR

GRID_N: Final = 1000
GRID_U: Final = (10_000, 100_000)
GIB: Final = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeEstimate:
    """One T5 v1.1 size on one task: counted parameters and operations, its weights and its cache of soft labels."""

    task: str
    model: str
    parameters: int
    forward_flops: int  # of one example, counted
    step_flops: int  # forward and backward of one example, counted
    formula_ratio: float  # formula of `compute` / counted, forward
    weights_bf16_gib: float
    cache_gib: float  # soft labels of 100K texts, as a teacher


@dataclass(frozen=True, slots=True, kw_only=True)
class PairEstimate:
    """Hours and dollars of one compute model for XXL into Small at N labels and U texts."""

    task: str
    model: str
    n_labels: int
    n_unlabeled: int
    teacher_hours: float
    text_hours: float  # labelling and training together
    usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperEstimate:
    """A dry run of the paper's recipe."""

    sizes: tuple[SizeEstimate, ...]
    stages: tuple[PairEstimate, ...]
    published_gap: tuple[dict[str, Any], ...]
    grid: tuple[GridCost, ...]
    devices: tuple[StagePlans, ...]
    assumptions: tuple[str, ...]


def estimate_paper(
    tasks: Sequence[str],
    card: RateCard,
    specs: Sequence[RunSpec] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> PaperEstimate:
    """Count every T5 v1.1 size on these tasks, and price XXL into Small and a grid's runs.

    raises : MissingPriceError where the card has no GPU or no utilisation
    """
    speed = _speed(card)
    usd = float(card.device("gpu").usd_per_device_hour)
    sizes: list[SizeEstimate] = []
    stages: list[PairEstimate] = []
    gaps: list[dict[str, Any]] = []
    bills_of = {name: _bills(name) for name in tasks}
    for name in tasks:
        task = get_task(name)
        counted = {}
        for model in T5_SHAPES:
            progress(f"counting {model} on {name} (meta device)")
            counted[model] = _size_estimate(task, model)
        sizes += counted.values()
        bills = bills_of[name]
        for compute in COMPUTE_MODELS:
            hours = distill_hours(compute, PAPER_TEACHER, PAPER_STUDENT, task, bills, speed)
            stages += [] if hours is None else [_pair_estimate(task, hours, u, usd) for u in GRID_U]
        if bills is not None:
            gaps.append(_gap(task, counted, bills.distill_text, bills.teacher_hours[-1], bills.teacher_n[-1], speed))
    return PaperEstimate(
        sizes=tuple(sizes),
        stages=tuple(stages),
        published_gap=tuple(gaps),
        grid=estimate_grid(specs, bills_of, speed, usd),
        devices=plan_devices(specs, CARDS_GIB, speed, usd),
        assumptions=(*_assumptions(speed, card), *device_assumptions(card)),
    )


def _size_estimate(task: Task, name: str) -> SizeEstimate:
    from budgetsim.learners.flops import count_size
    from budgetsim.learners.models import build_meta, parameters

    source, target = round(task.source_tokens), round(task.target_tokens)
    n = parameters(build_meta(name))
    forward = count_size(name, source_tokens=source, target_tokens=target, training=False)
    step = count_size(name, source_tokens=source, target_tokens=target, training=True)
    shape = T5_SHAPES[name]
    positions = GRID_U[-1] * task.target_tokens
    return SizeEstimate(
        task=task.name,
        model=name,
        parameters=n,
        forward_flops=forward,
        step_flops=step,
        formula_ratio=forward_flops(shape, source, target).total / forward,
        weights_bf16_gib=2 * n / GIB,
        cache_gib=2 * shape.d_model * (positions + T5_VOCABULARY) / GIB,
    )


def _pair_estimate(task: Task, hours: Hours, n_unlabeled: int, usd: float) -> PairEstimate:
    teacher = float(hours.teacher_at(GRID_N))
    texts = n_unlabeled * (hours.label_text + hours.train_text)
    return PairEstimate(
        task=task.name, model=hours.model, n_labels=GRID_N, n_unlabeled=n_unlabeled, teacher_hours=teacher,
        text_hours=texts, usd=(teacher + texts) * usd,
    )  # fmt: skip


def _gap(
    task: Task, counted: dict[str, SizeEstimate], text_hours: float, teacher_hours: float, teacher_n: float,
    speed: ModelledSpeed,
) -> dict[str, Any]:  # fmt: skip
    """How far counted operations at the stated utilisation are from the hours the paper was billed."""
    big, small = counted[PAPER_TEACHER], counted[PAPER_STUDENT]
    per_text = big.forward_flops + DISTILL_EPOCHS * (big.forward_flops + small.step_flops)
    per_label = TEACHER_EPOCHS * big.step_flops
    billed_per_label = teacher_hours / teacher_n
    return {
        "task": task.name,
        "billed_hours_per_1k_texts": 1000 * text_hours,
        "modelled_hours_per_1k_texts": 1000 * speed.hours(per_text, speed.labelling),
        "implied_utilisation_texts": speed.hours(per_text, 1.0) / text_hours,
        "billed_hours_per_1k_labels": 1000 * billed_per_label,
        "modelled_hours_per_1k_labels": 1000 * speed.hours(per_label, speed.teacher_training),
        "implied_utilisation_teacher": speed.hours(per_label, 1.0) / billed_per_label,
    }


def _bills(task: str) -> Any:
    published = read_published_file(package_data("evidence") / "kang2023.csv")
    rows = []
    for c in published.compute:
        if (c.task, c.teacher, c.student) == (task, PAPER_TEACHER, PAPER_STUDENT):
            rows.append(("distill_text", 0, c.usd_per_text / PAPER_GPU_USD_PER_HOUR))
            rows += [("finetune_teacher", n, usd / PAPER_GPU_USD_PER_HOUR) for n, usd, _ in c.teacher_usd]
    return published_hours(rows)


def _speed(card: RateCard) -> ModelledSpeed:
    use = card.utilisation
    if use is None:
        raise MissingPriceError(f"The card {card.name!r} states no utilisation; add `utilisation:` for modelled hours.")
    return ModelledSpeed(
        peak_tflops=use.peak_tflops,
        teacher_training=use.teacher_training,
        labelling=use.labelling,
        student_training=use.student_training,
        seconds_per_step=use.seconds_per_step,
    )


def _assumptions(speed: ModelledSpeed, card: RateCard) -> tuple[str, ...]:
    return (
        f"Utilisation: teacher training {speed.teacher_training:g}, labelling {speed.labelling:g}, student training "
        f"{speed.student_training:g} of {speed.peak_tflops:g} TFLOP/s; a student step takes at least "
        f"{speed.seconds_per_step:g} s (card {card.name}).",
        f"Epochs: teacher {TEACHER_EPOCHS}, annotate {ANNOTATE_EPOCHS}, distill {DISTILL_EPOCHS}. Lengths are the "
        f"tasks' means, characters / 4; no attention mask is counted; generation is counted as one forward pass.",
        "Nothing ran on a GPU: counts come from the meta device, hours of `published` from the paper's bills, the rest "
        "is modelled.",
    )


def estimate_json(estimate: PaperEstimate) -> dict[str, Any]:
    """The estimate as plain values."""
    from dataclasses import asdict

    return asdict(estimate)


def estimate_page(estimate: PaperEstimate) -> Page:
    """The estimate for people."""
    sizes = tuple(
        (
            p.task, p.model, f"{p.parameters:,}", f"{p.forward_flops / 1e9:,.1f}", f"{p.step_flops / 1e9:,.1f}",
            f"{p.formula_ratio:.3f}", f"{p.weights_bf16_gib:.1f}", f"{p.cache_gib:.2f}",
        )
        for p in estimate.sizes
    )  # fmt: skip
    stages = tuple(
        (
            p.task, p.model, f"{p.n_labels:,}", f"{p.n_unlabeled:,}", f"{p.teacher_hours:,.1f}", f"{p.text_hours:,.1f}",
            f"${p.usd:,.2f}",
        )
        for p in estimate.stages
    )  # fmt: skip
    gaps = tuple(
        (
            str(g["task"]), f"{g['billed_hours_per_1k_texts']:.3f}", f"{g['modelled_hours_per_1k_texts']:.3f}",
            f"{g['implied_utilisation_texts']:.3f}", f"{g['billed_hours_per_1k_labels']:.2f}",
            f"{g['modelled_hours_per_1k_labels']:.2f}", f"{g['implied_utilisation_teacher']:.3f}",
        )
        for g in estimate.published_gap
    )  # fmt: skip
    size_heads = (
        "task", "model", "parameters", "fwd GFLOP", "step GFLOP", "formula/counted", "bf16 GiB", "cache 100K",
    )  # fmt: skip
    stage_heads = ("task", "compute", "labels", "texts", "teacher GPU-h", "texts GPU-h", "compute $")
    gap_heads = (
        "task",
        "billed h/1K texts",
        "modelled",
        "implied use",
        "billed h/1K labels",
        "modelled",
        "implied use",
    )
    return [
        _grid("One example, counted on the meta device; weights and cache in GiB", size_heads, sizes, 2),
        _grid(f"{PAPER_TEACHER} into {PAPER_STUDENT}", stage_heads, stages, 2),
        _grid("How far counted work at the stated utilisation is from the paper's bills", gap_heads, gaps, 1),
        *([grid_costs_table(estimate.grid)] if estimate.grid else []),
        *([best_plans_table(estimate.devices)] if estimate.devices else []),
        *estimate.assumptions,
    ]


def _grid(title: str, headings: tuple[str, ...], rows: tuple[tuple[str, ...], ...], n_text: int) -> Table:
    return Table(title=title, headings=headings, rows=rows, text_columns=frozenset(range(n_text)))
