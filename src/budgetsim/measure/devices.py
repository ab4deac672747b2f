"""What a grid's stages take on GPUs of some sizes: memory by part, hours and dollars, from configs alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from budgetsim.costs.hours import ModelledSpeed
from budgetsim.costs.memory import GIB, Load
from budgetsim.costs.plans import CONTEXT_GIB, LOST, SLOWER_FP32, Plan, Work, cheapest, plans
from budgetsim.costs.rates import RateCard
from budgetsim.data.tasks import Task, get_task
from budgetsim.errors import InputError
from budgetsim.labelers import is_labeler
from budgetsim.learners.sizes import Sized, sizes_of
from budgetsim.measure.recipe import TARGET_TOKENS, Recipe
from budgetsim.measure.spec import RunSpec
from budgetsim.report.table import Page, Table

_MOST_CARD_GIB: Final = 4096.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlans:
    """All work of one kind with one model on one task, and the ways to do it on one size of card.

    n : stages; steps : batches of all of them
    best, whole : the cheapest plan that fits, and the cheapest that trains every weight; None where none does
    """

    task: str
    kind: str
    model: str
    n: int
    steps: float
    card_gib: float
    plans: tuple[Plan, ...]
    best: Plan | None
    whole: Plan | None


def plan_devices(
    specs: Sequence[RunSpec], cards_gib: Sequence[float], speed: ModelledSpeed, usd_per_hour: float | None
) -> tuple[StagePlans, ...]:
    """The stages of runs that a GPU would do, a shared one once, planned on each size of card.

    raises : InputError for a card of no size, and where a model's sizes are not known
    """
    for card in cards_gib:
        if not 1 <= card <= _MOST_CARD_GIB:
            raise InputError(f"--gpu-memory: found {card:g}, wanted GiB of one GPU from 1 to {_MOST_CARD_GIB:g}.")
    works = _gather(specs, speed)
    return tuple(
        _planned(key, counted, card, speed, usd_per_hour) for card in cards_gib for key, counted in works.items()
    )


Key = tuple[str, str, str]  # task, kind of stage, model
Counted = tuple[int, Work]  # stages, and their work together


def _planned(key: Key, counted: Counted, card: float, speed: ModelledSpeed, usd: float | None) -> StagePlans:
    n, work = counted
    found = plans(work, card, speed, usd)
    return StagePlans(
        task=key[0], kind=key[1], model=key[2], n=n, steps=work.steps, card_gib=card, plans=found,
        best=cheapest(found), whole=cheapest(found, all_weights=True),
    )  # fmt: skip


def _gather(specs: Sequence[RunSpec], speed: ModelledSpeed) -> dict[Key, Counted]:
    works: dict[Key, Counted] = {}
    teachers: dict[tuple[str, str, int, int], RunSpec] = {}
    for spec in specs:
        if spec.strategy.teacher_stage and not is_labeler(spec.teacher):
            one = (spec.task, spec.teacher, spec.design.n_labels, spec.seed)
            most = teachers.setdefault(one, spec)
            if spec.design.n_unlabeled > most.design.n_unlabeled:
                teachers[one] = spec  # one labelling pass serves every number of texts
    for spec in teachers.values():
        steps = spec.recipe.steps_of_teacher(spec.design.n_labels)
        _add(works, spec, "finetune_teacher", spec.teacher, steps, speed.teacher_training)
        texts = spec.design.n_unlabeled / spec.recipe.batch
        _add(works, spec, "soft_label", spec.teacher, texts, speed.labelling)
    for spec in specs:
        recipe, strategy = spec.recipe, spec.strategy
        n = sum(getattr(spec.design, name) for name in strategy.trains_on)
        n += spec.design.n_labels if recipe.gold and "n_labels" not in strategy.trains_on else 0
        steps = recipe.steps_for(n, recipe.epochs(strategy))
        _add(works, spec, "train_student", spec.route.student, steps, speed.student_training)
    return works


def _add(works: dict[Key, Counted], spec: RunSpec, kind: str, learner: str, steps: float, share: float) -> None:
    """Add a stage to the work of its like; learners without layers need no GPU."""
    task = get_task(spec.task)
    for sized in sizes_of(learner):
        if not sized.trains and kind != "soft_label":
            continue
        n, before = works.get((spec.task, kind, learner), (0, None))
        work = Work(
            model=sized.sizes,
            load=_load(sized, spec.recipe, task, spec.recipe.source_tokens, _target_tokens(spec)),
            typical=_load(sized, spec.recipe, task, task.source_tokens, round(task.target_tokens)),
            steps=steps + (before.steps if before else 0.0),
            share=share,
            trains=kind != "soft_label",
            rank=sized.rank or (spec.recipe.lora_rank if kind != "soft_label" else 0),
            optimizer=spec.recipe.optimizer,
        )
        works[spec.task, kind, learner] = (n + 1, work)


def _target_tokens(spec: RunSpec) -> int:
    return TARGET_TOKENS.get(spec.task, spec.recipe.target_tokens)


def _load(sized: Sized, recipe: Recipe, task: Task, source: float, target: int) -> Load:
    source_tokens = sized.source_tokens(source)
    if sized.writes_text:
        return Load(rows=recipe.batch, source=source_tokens, target=target, scored=target)
    return Load(rows=recipe.batch, source=source_tokens, scored=1 if sized.sizes.writes else 0)


def devices_json(found: Sequence[StagePlans], card: RateCard) -> dict[str, Any]:
    """The plans as plain values."""
    return {"card": card.name, "stages": [asdict(stage) for stage in found], "assumptions": device_assumptions(card)}


def devices_page(found: Sequence[StagePlans], card: RateCard) -> Page:
    """The plans for people: a table for each size of card, and a line where nothing fits."""
    cards = dict.fromkeys(stage.card_gib for stage in found)
    page: Page = []
    for gib in cards:
        stages = [s for s in found if s.card_gib == gib]
        page.append(_table(gib, stages))
        page += [f"{s.kind} of {s.model} on {s.task}: nothing here fits." for s in stages if s.best is None]
    if not found:
        page.append("No stage of these runs needs a GPU.")
    return [*page, *device_assumptions(card)]


_HEADS: Final = (
    "task", "stage", "model", "way", "GPUs", "rows", "weights", "gradients", "state", "activations", "in all", "GPU-h",
    "cost", "",
)  # fmt: skip


def _table(gib: float, stages: Sequence[StagePlans]) -> Table:
    rows = tuple(_row(stage, plan) for stage in stages for plan in stage.plans)
    return Table(
        title=f"On GPUs of {gib:g} GiB: GiB on each, by part", headings=_HEADS, rows=rows,
        text_columns=frozenset({0, 1, 2, 3, 13}),
    )  # fmt: skip


def best_plans_table(found: Sequence[StagePlans]) -> Table:
    """The cheapest plan of each stage on each card, and the cheapest that trains every weight where that is another."""
    rows = []
    for stage in found:
        chosen = [p for p in stage.plans if p is stage.best or p is stage.whole]
        rows += [(f"{stage.card_gib:g}", *_row(stage, plan)) for plan in chosen]
        if not chosen:
            rows.append((f"{stage.card_gib:g}", stage.task, stage.kind, stage.model, *[""] * 10, "nothing fits"))
    return Table(
        title="What fits which GPU: GiB on each, by part (--gpu-memory GIB tells every way)",
        headings=("card", *_HEADS), rows=tuple(rows), text_columns=frozenset({1, 2, 3, 4, 14}),
    )  # fmt: skip


def _row(stage: StagePlans, plan: Plan) -> tuple[str, ...]:
    m = plan.memory
    parts = (m.weights, m.gradients, m.optimizer, m.activations, m.total)
    hours = "-" if plan.device_hours is None else f"{plan.device_hours:,.2f}"
    cost = "-" if plan.usd is None else f"${plan.usd:,.2f}"
    return (
        stage.task, stage.kind, stage.model, way_words(plan), str(plan.way.devices), str(plan.rows),
        *(f"{part / GIB:,.1f}" for part in parts), hours, cost, _mark(stage, plan),
    )  # fmt: skip


def way_words(plan: Plan) -> str:
    """A plan's way in words.

    >>> from budgetsim.costs.memory import Memory, Way
    >>> way = Way(precision="bf16", checkpointing=True, devices=4)
    >>> nothing = Memory(weights=0.0)
    >>> way_words(Plan(method="fsdp", card_gib=24, way=way, rows=8, memory=nothing, fits=True, device_hours=1, usd=1))
    'bf16, sharded, checkpointing'
    """
    words: list[str] = [plan.way.precision]
    words += ["8-bit Adam"] if plan.method == "8bit" else []
    words += [f"LoRA {plan.way.rank}"] if plan.way.rank else []
    words += ["sharded"] if plan.way.devices > 1 else []
    return ", ".join([*words, *(["checkpointing"] if plan.way.checkpointing else [])])


def _mark(stage: StagePlans, plan: Plan) -> str:
    if not plan.fits:
        return "does not fit"
    if plan is stage.best:
        return "cheapest"
    return "cheapest of all weights" if plan is stage.whole else ""


def device_assumptions(card: RateCard) -> list[str]:
    """What the plans rest on."""
    use = card.utilisation
    measured = "as the card says" if use is None else f"{use.source}, {use.as_of}"
    return [
        f"Counted from configs, no weights read. {CONTEXT_GIB:g} GiB and {100 * LOST:.0f} % of the rest of a card are "
        f"left free (assumed, not measured); a batch is as long as the recipe allows, hours are of the task's mean "
        f"lengths. Checkpointing computes layers twice; LoRA skips the gradients of frozen weights; fp32 is "
        f"{SLOWER_FP32:g} times slower than bf16; talk between GPUs is not counted.",
        f"Utilisation: card {card.name} ({measured}).",
    ]
