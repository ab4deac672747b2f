"""Design points and prices to US dollars: additive in the inputs, and monotone in each of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.costs.hours import Hours, Steps
from budgetsim.costs.rates import LlmPrice, Pool, RateCard
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.stages import DEV_AND_TEST_LABELS, FIXED, LABELS, LLM_LABELS, PURCHASES, STUDENT, TEACHER, TEXTS
from budgetsim.design.strategies import Strategy
from budgetsim.errors import MissingPriceError

_TINY = 1e-9  # relative slack when money is turned into whole units
_NO_LIMIT = 1e15


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """What a strategy costs as a function of its inputs: a fixed part, and a part for each input.

    fixed : stage -> dollars
    per_unit : input -> stage -> dollars a unit
    owned : input -> units already paid for; they are free where they are bought (labels, texts), not
        where they are worked on
    steps : stage -> a stepped cost in n_labels
    limits : input -> how many units there are
    at_least : input -> the fewest units there can be, where that is more than one
    days : how long it takes, a second model of the same form, of days instead of dollars, bounded by
        `deadline_days`; None where no time is asked about
    """

    fixed: Mapping[str, float] = field(default_factory=dict)
    per_unit: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    owned: Mapping[str, float] = field(default_factory=dict)
    steps: Mapping[str, Steps] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    at_least: Mapping[str, float] = field(default_factory=dict)
    days: CostModel | None = None
    deadline_days: float = math.inf

    def stages(self, counts: Mapping[str, ArrayLike]) -> dict[str, Floats]:
        """Dollars by stage at the given counts (arrays of one shape)."""
        out: dict[str, Floats] = {stage: np.asarray(usd, dtype=np.float64) for stage, usd in self.fixed.items()}
        for name, n in counts.items():
            for stage, usd in self._of_input(name, np.asarray(n, dtype=np.float64)).items():
                out[stage] = out.get(stage, np.float64(0.0)) + usd
        return out

    def total(self, counts: Mapping[str, ArrayLike]) -> Floats:
        """Dollars in all."""
        return np.asarray(sum(self.stages(counts).values(), np.float64(0.0)), dtype=np.float64)

    @property
    def fixed_usd(self) -> float:
        return float(sum(self.fixed.values()))

    def limit(self, name: str) -> float:
        """How many units of an input there are."""
        return self.limits.get(name, _NO_LIMIT)

    def min_units(self, names: Iterable[str]) -> dict[str, float]:
        """The smallest plan: one unit of each input, or the fewest there can be."""
        return {name: max(self.at_least.get(name, 1.0), 1.0) for name in names}

    def max_units(self, name: str, usd: ArrayLike, besides: Mapping[str, ArrayLike] | None = None) -> Floats:
        """The most whole units of one input that a budget pays for in time, within its limit; -1 for none.

        usd : dollars in all; besides : counts of the other inputs. Both are broadcast.
        """
        others = [self.input_usd(other, n) for other, n in (besides or {}).items()]
        left = np.asarray(usd, dtype=np.float64) - self.fixed_usd - sum(others, np.float64(0.0))
        paid = np.where(left >= 0, self.affordable(name, left), -1.0)
        if self.days is None or math.isinf(self.deadline_days):
            return paid
        return np.minimum(paid, self.days.max_units(name, self.deadline_days, besides))

    def in_time(self, counts: Mapping[str, float]) -> bool:
        """Whether a plan keeps the deadline; what takes no time does."""
        return self.days is None or float(self.days.total(counts)) <= self.deadline_days * (1 + _TINY)

    def input_usd(self, name: str, n: ArrayLike) -> Floats:
        """Dollars that n units of one input cost, the fixed part left out."""
        units = np.asarray(n, dtype=np.float64)
        first, *others = self._of_input(name, units).values() or (np.zeros_like(units),)
        return np.asarray(sum(others, first), dtype=np.float64)

    def has(self, stages: Iterable[str]) -> bool:
        """Whether any of some stages costs anything."""
        hit = set(stages)
        return any(
            usd and k in hit for parts in (self.fixed, *self.per_unit.values()) for k, usd in parts.items()
        ) or any(k in hit and any(v.y) for k, v in self.steps.items())

    def scaled(self, stages: Iterable[str], factor: float) -> CostModel:
        """The same model with some stages dearer or cheaper by a factor."""
        hit = set(stages)
        return replace(
            self,
            fixed={k: v * factor if k in hit else v for k, v in self.fixed.items()},
            per_unit={
                name: {k: v * factor if k in hit else v for k, v in parts.items()}
                for name, parts in self.per_unit.items()
            },
            steps={k: Steps(v.n, tuple(y * factor for y in v.y)) if k in hit else v for k, v in self.steps.items()},
        )

    def affordable(self, name: str, usd: ArrayLike) -> Floats:
        """The most whole units of one input that an amount pays for, within its limit; -1 for none.

        The cost of an input is linear between breakpoints, so it is inverted exactly.
        """
        money = np.asarray(usd, dtype=np.float64)
        breaks = self.breakpoints(name)
        one_more = self.input_usd(name, np.append(breaks, breaks[-1] + 1))
        cost, slope = one_more[:-1], one_more[-1] - one_more[-2]
        money = money + _TINY * np.maximum(np.abs(money), cost[0])
        rises = np.append(np.diff(cost) / np.diff(breaks), slope)
        at = 0 if len(breaks) == 1 else np.clip(np.searchsorted(cost, money, side="right") - 1, 0, len(breaks) - 1)
        priced = rises > 0
        per_usd = np.divide(1.0, rises, out=np.zeros_like(rises), where=priced)
        over = np.where(priced[at], money - cost[at], 0.0)  # no limit of money times no price is not a number
        n = breaks[at] + over * per_usd[at] + np.where(priced, 0.0, _NO_LIMIT)[at]
        n = np.minimum(n, self.limit(name))
        return np.where(money >= cost[0], np.floor(n * (1 + _TINY)), -1.0)

    def _of_input(self, name: str, n: Floats) -> dict[str, Floats]:
        parts = {}
        for stage, usd in self.per_unit.get(name, {}).items():
            paid = np.maximum(n - self.owned.get(name, 0.0), 0) if stage in PURCHASES else n
            parts[stage] = usd * paid
        if name == "n_labels":
            parts |= {stage: steps.at(n) for stage, steps in self.steps.items()}
        return parts

    def breakpoints(self, name: str) -> Floats:
        """Counts of an input at which its price per unit may change, whatever the prices are."""
        points = {0.0, self.owned.get(name, 0.0)}
        if name == "n_labels":
            points |= {n for steps in self.steps.values() for n in steps.n}
        return np.array(sorted(points))


def llm_usd_per_label(price: LlmPrice, task: Task) -> float:
    """Dollars of one LLM label: a prompt with its examples and answers, and the answer.

    Token counts are the task's estimates, characters / 4.
    """
    tokens = price.prompt_examples * (task.source_tokens + task.target_tokens)
    usd = tokens * float(price.paid_examples) + task.source_tokens * float(price.paid_input)
    return (usd + task.target_tokens * float(price.paid_output)) / 1e6


def cost_model(
    strategy: Strategy, task: Task, card: RateCard, hours: Hours | None, *, asks_teacher: bool = False
) -> CostModel:
    """What a strategy costs on a task under a rate card; `costs.terms.apply` adds what a project owns and must keep to.

    hours : device-hours of its teacher and student; None charges no compute
    asks_teacher : whether the teacher is an LLM that is paid for every text it labels
    raises : MissingPriceError where the card lacks a price that is needed
    """
    per_unit = {name: _purchases(name, card, task) for name in strategy.inputs}
    if asks_teacher:
        per_unit["n_unlabeled"][LLM_LABELS] = _llm_usd(card, task)
    fixed = _fixed(strategy, card, task, hours)
    if hours is None or not _is_charged(strategy, card):
        return CostModel(fixed=fixed, per_unit=per_unit, limits=_limits(strategy, card, task))
    steps: dict[str, Steps] = {}
    if takes_time(strategy, hours):  # what takes no hours needs no price
        usd = _device_usd(card, hours)
        for name, stages in compute_per_unit(strategy, hours, lambda h: usd * h).items():
            per_unit[name] |= stages
        steps = teacher_steps(strategy, hours, lambda h: h * usd)
    return CostModel(fixed=fixed, per_unit=per_unit, steps=steps, limits=_limits(strategy, card, task))


def takes_time(strategy: Strategy, hours: Hours) -> bool:
    """Whether any unit of a strategy's inputs, or tuning its teacher, takes device-hours."""
    paces = any(getattr(hours, pace) for stages in strategy.paces.values() for pace in stages.values())
    return paces or (strategy.teacher_stage and any(hours.teacher_hours))


def compute_per_unit(strategy: Strategy, hours: Hours, price: Callable[[float], float]) -> dict[str, dict[str, float]]:
    """Compute of one unit of each input that takes any: input -> stage -> dollars or days.

    price : device-hours to dollars or days
    """
    return {
        name: {stage: price(getattr(hours, pace)) for stage, pace in stages.items()}
        for name, stages in strategy.paces.items()
    }


def teacher_steps(strategy: Strategy, hours: Hours, price: Callable[[float], float]) -> dict[str, Steps]:
    """Tuning the teacher, a stepped cost in n_labels, in dollars or days; empty where none is tuned.

    price : device-hours to dollars or days
    """
    if not strategy.teacher_stage or not hours.teacher_n:
        return {}
    return {TEACHER: Steps(hours.teacher_n, tuple(price(h) for h in hours.teacher_hours))}


def _purchases(name: str, card: RateCard, task: Task) -> dict[str, float]:
    """What one unit of an input costs before any compute: stage -> dollars."""
    if name == "n_labels":
        return {LABELS: _label_usd(card, task)}
    prices = {LLM_LABELS: _llm_usd(card, task)} if name == "n_llm_labels" else {}
    return {**prices, TEXTS: float(_pool(card, task).usd_per_text)}


def _limits(strategy: Strategy, card: RateCard, task: Task) -> dict[str, float]:
    """How many units of each input the card says there are; every input but labels takes texts of the pool."""
    limits: dict[str, float] = {}
    for name in strategy.inputs:
        available = card.available(task.name) if name == "n_labels" else _pool(card, task).size
        if available is not None:
            limits[name] = float(available)
    return limits


def _label_usd(card: RateCard, task: Task) -> float:
    price = card.label_price(task.name)
    if price is None:
        raise MissingPriceError(
            f"The card {card.name!r} has no label price for {task.name}; add `labels.{task.name}` or `labels.default`. "
            f"{price_lines(task.name)}"
        )
    return float(price.usd)


def price_lines(task: str) -> str:
    """How a price of a label comes into a card: the line, and the command that writes a card with it."""
    return (
        f'In the card, under labels: `{task}: {{usd_per_label: 0.25, source: "who said so", as_of: 2026}}`; or '
        f"`budgetsim rates init {task}.yaml --task {task} --usd-per-label 0.25` writes a card with your price."
    )


def _pool(card: RateCard, task: Task) -> Pool:
    pool = card.pool(task.name)
    if pool is None:
        raise MissingPriceError(
            f"The card {card.name!r} has no pool of unlabelled texts for {task.name}; add `pools.{task.name}` or "
            f"`pools.default` with its size and price."
        )
    return pool


def _llm_usd(card: RateCard, task: Task) -> float:
    if card.llm is None:
        raise MissingPriceError(f"The card {card.name!r} has no price for an LLM; add an `llm:`.")
    return llm_usd_per_label(card.llm, task)


def _device_usd(card: RateCard, hours: Hours) -> float:
    """Dollars of a device-hour, for every run a final model takes."""
    return float(card.device(hours.device_class).usd_per_device_hour) * card.overheads.runs_per_model


def _is_charged(strategy: Strategy, card: RateCard) -> bool:
    """Whether the student's training is paid for."""
    return strategy.always_charged or card.overheads.charge_student_training


def _fixed(strategy: Strategy, card: RateCard, task: Task, hours: Hours | None) -> dict[str, float]:
    over = card.overheads
    fixed = {}
    if over.fixed_usd:
        fixed[FIXED] = float(over.fixed_usd)
    if over.dev_labels + over.test_labels:
        fixed[DEV_AND_TEST_LABELS] = (over.dev_labels + over.test_labels) * _label_usd(card, task)
    if hours is not None and hours.train_fixed and _is_charged(strategy, card):
        fixed[STUDENT] = hours.train_fixed * _device_usd(card, hours)
    return fixed
