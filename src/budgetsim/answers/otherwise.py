"""The same budget under another way of working: what is said beside an answer that rests on one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from budgetsim.answers.choices import Choices
from budgetsim.answers.notes import ComputeDiffers
from budgetsim.answers.pricing import Pricing
from budgetsim.choosing.options import Allocation
from budgetsim.choosing.recommend import best_plan
from budgetsim.costs.hours import ComputeModel
from budgetsim.design.stages import COMPUTE_STAGES

WORTH_SAYING = 1.0  # percent points
_OTHER: dict[ComputeModel, ComputeModel] = {"published": "modern", "modern": "published"}


def other_compute(
    open_to: Choices, reprice: Callable[[Pricing], Choices], budget_usd: float, recommended: Allocation
) -> ComputeDiffers | None:
    """That another compute model would change the answer; None where it would not, or where hours are measured.

    reprice : opens the same choices under another pricing
    """
    pricing = open_to.pricing
    other, modelled = _OTHER.get(pricing.compute), pricing.card.utilisation is not None
    published = any(o.evidence.source == "published" for o in open_to.options)
    if other is None or not published or not modelled or not recommended.route.kind.is_trained:
        return None
    return compare_compute(open_to, reprice(replace(pricing, compute=other)), budget_usd, recommended)


def compare_compute(
    open_to: Choices, other: Choices, budget_usd: float, recommended: Allocation
) -> ComputeDiffers | None:
    """That another compute model would change the answer; None where it would not.

    other : the same choices under the other compute model
    """
    plan = best_plan(other.task, other.options, budget_usd)
    if plan.route == recommended.route and abs(plan.score - recommended.score) < WORTH_SAYING:
        return None
    same = next((o for o in other.options if o.route == recommended.route), None)
    if same is None:
        return None
    counts = {name: float(getattr(recommended.design, name)) for name in same.surface.inputs}
    stages = same.cost.stages(counts)
    return ComputeDiffers(
        now=open_to.pricing.compute,
        other=other.pricing.compute,
        budget_usd=budget_usd,
        compute_usd=sum(recommended.costs.get(stage, 0.0) for stage in COMPUTE_STAGES),
        other_usd=sum(float(stages.get(stage, 0.0)) for stage in COMPUTE_STAGES),
        short=plan.route.short,
        score=plan.score,
    )
