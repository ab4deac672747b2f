"""Levers: the prices of a card that can be changed one at a time, and what the options cost at another price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from budgetsim.choosing.options import Option
from budgetsim.costs.model import CostModel, llm_usd_per_label
from budgetsim.costs.rates import RateCard
from budgetsim.data.tasks import Task
from budgetsim.design.stages import COMPUTE_STAGES, LABELS, LLM_LABELS, TEXTS

POOLED = ("n_unlabeled", "n_llm_labels")  # inputs that take texts of the pool
_INPUTS = {LABELS: ("n_labels",), LLM_LABELS: ("n_llm_labels",), TEXTS: POOLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """A price of the card as one option or several meet it.

    now_usd : US dollars a unit on the card, zero or more
    stages : of the costs, all in proportion to it
    device_class : of the options whose cost it changes; None for all
    """

    name: str
    unit: str  # what one costs that much
    now_usd: float
    stages: tuple[str, ...]
    device_class: str | None = None

    def repriced(self, options: Sequence[Option], usd: float) -> list[Option]:
        """The options at another price of a unit."""
        return [replace(o, cost=self._at(o.cost, usd)) if self._touches(o) else o for o in options]

    def _touches(self, option: Option) -> bool:
        if self.device_class is None:
            return True
        return option.hours is not None and option.hours.device_class == self.device_class

    def _at(self, cost: CostModel, usd: float) -> CostModel:
        if self.now_usd > 0:
            return cost.scaled(self.stages, usd / self.now_usd)
        (stage,) = self.stages  # a price of zero has nothing to scale: it is set
        per_unit = {
            name: {**parts, stage: usd} if name in _INPUTS[stage] else parts for name, parts in cost.per_unit.items()
        }
        return replace(cost, per_unit=per_unit)


def price_levers(task: Task, options: Sequence[Option], card: RateCard) -> list[Lever]:
    """The prices that touch at least one option: labels, compute, LLM labels, unlabelled texts.

    A price of compute or labels that is zero is left out: it has no unit to set it in.
    """
    inputs = {name for o in options for name in o.surface.inputs}
    label, pool = card.label_price(task.name), card.pool(task.name)
    levers = []
    if label is not None and label.usd > 0 and "n_labels" in inputs:
        levers.append(
            Lever(name="labels", unit="a label", now_usd=float(label.usd), stages=("labels", "dev_and_test_labels"))
        )
    levers += _compute_levers(options, card)
    if card.llm is not None and ("n_llm_labels" in inputs or any(o.cost.has((LLM_LABELS,)) for o in options)):
        usd = llm_usd_per_label(card.llm, task)
        levers.append(Lever(name="LLM", unit="an LLM label", now_usd=usd, stages=("llm_labels",)))
    if pool is not None and inputs & {"n_unlabeled", "n_llm_labels"}:
        levers.append(Lever(name="texts", unit="a text", now_usd=float(pool.usd_per_text), stages=("texts",)))
    return levers


def _compute_levers(options: Sequence[Option], card: RateCard) -> list[Lever]:
    classes = sorted({o.hours.device_class for o in options if o.hours is not None})
    prices = {name: float(card.device(name).usd_per_device_hour) for name in classes if card.has_device(name)}
    return [
        Lever(name=name.upper(), unit=f"a {name.upper()}-hour", now_usd=usd, stages=COMPUTE_STAGES, device_class=name)
        for name, usd in prices.items()
        if usd > 0
    ]


def with_pool(options: Sequence[Option], factor: float) -> list[Option]:
    """The options with pools of another size; what people can label stays."""
    return [replace(o, cost=replace(o.cost, limits=_of_pool(o.cost.limits, factor))) for o in options]


def _of_pool(limits: Mapping[str, float], factor: float) -> dict[str, float]:
    return {name: round(n * factor) if name in POOLED else n for name, n in limits.items()}
