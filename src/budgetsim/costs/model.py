"""Design points and prices to US dollars: additive in the inputs, and monotone in each of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.costs.hours import Hours, Steps
from budgetsim.costs.rates import LlmPrice, Pool, RateCard
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.errors import MissingPriceError

_TINY = 1e-9  # relative slack when money is turned into whole units
_NO_LIMIT = 1e15
_KEPT = ("labels", "llm_labels", "texts")  # stages whose units, once paid, are owned


class Terms(NamedTuple):
    """What a project holds and must keep to, besides its owned labels and the card.

    owned_teacher : a model that is already tuned, and on how many labels
    max_labels : labels people can give besides the owned ones; None takes the card's, else no bound
    pool : unlabelled texts there are; None takes the card's
    labels_per_day : None tells no time
    gpus : devices that share the device-hours
    deadline_days : may only be finite where `labels_per_day` is told
    """

    owned_teacher: tuple[str, int] | None = None
    max_labels: int | None = None
    pool: int | None = None
    labels_per_day: float | None = None
    gpus: int = 1
    deadline_days: float = math.inf


NO_TERMS = Terms()


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
    days : how long it takes, a second purse of the same form that holds `deadline_days`; None tells no time
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

    def fewest(self, names: Iterable[str]) -> dict[str, float]:
        """The smallest plan: one unit of each input, or the fewest there can be."""
        return {name: max(self.at_least.get(name, 1.0), 1.0) for name in names}

    def most(self, name: str, usd: ArrayLike, besides: Mapping[str, ArrayLike] | None = None) -> Floats:
        """The most whole units of one input that a budget pays for in time, within its limit; -1 for none.

        usd : dollars in all; besides : counts of the other inputs. Both are broadcast.
        """
        taken = [self.input_usd(other, n) for other, n in (besides or {}).items()]
        left = np.asarray(usd, dtype=np.float64) - self.fixed_usd - sum(taken, np.float64(0.0))
        paid = np.where(left >= 0, self.affordable(name, left), -1.0)
        if self.days is None or math.isinf(self.deadline_days):
            return paid
        return np.minimum(paid, self.days.most(name, self.deadline_days, besides))

    def in_time(self, counts: Mapping[str, float]) -> bool:
        """Whether a plan keeps the deadline; what takes no time does."""
        return self.days is None or float(self.days.total(counts)) <= self.deadline_days * (1 + _TINY)

    def input_usd(self, name: str, n: ArrayLike) -> Floats:
        """Dollars that n units of one input cost, the fixed part left out."""
        units = np.asarray(n, dtype=np.float64)
        return np.asarray(sum(self._of_input(name, units).values(), np.zeros_like(units)), dtype=np.float64)

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
        cost = self.input_usd(name, breaks)
        slope = float(self.input_usd(name, breaks[-1] + 1) - cost[-1])
        money = money + _TINY * np.maximum(np.abs(money), cost[0])
        rises = np.append(np.diff(cost) / np.diff(breaks), slope)
        at = 0 if len(breaks) == 1 else np.clip(np.searchsorted(cost, money, side="right") - 1, 0, len(breaks) - 1)
        with np.errstate(divide="ignore"):
            per_usd = np.where(rises > 0, 1 / rises, 0.0)
        over = np.where(rises[at] > 0, money - cost[at], 0.0)  # no limit of money times no price is not a number
        n = breaks[at] + over * per_usd[at] + np.where(rises > 0, 0.0, _NO_LIMIT)[at]
        n = np.minimum(n, self.limit(name))
        return np.where(money >= cost[0], np.floor(n * (1 + _TINY)), -1.0)

    def _of_input(self, name: str, n: Floats) -> dict[str, Floats]:
        parts = {}
        for stage, usd in self.per_unit.get(name, {}).items():
            paid = np.maximum(n - self.owned.get(name, 0.0), 0) if stage in _KEPT else n
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
    examples = price.prompt_examples
    tokens_in = (examples + 1) * task.source_tokens + examples * task.target_tokens
    tokens_out = task.target_tokens
    return (tokens_in * float(price.usd_per_mtok_input) + tokens_out * float(price.usd_per_mtok_output)) / 1e6


def cost_model(
    strategy: str,
    task: Task,
    card: RateCard,
    hours: Hours | None,
    *,
    owned_labels: float = 0.0,
    terms: Terms = NO_TERMS,
) -> CostModel:
    """What a strategy costs on a task under a rate card.

    hours : device-hours of its teacher and student; None charges no compute
    owned_labels : labels already paid for
    terms : bounds of labels and texts; what it says of teachers and time is `purse.under`'s to add
    raises : MissingPriceError where the card lacks a price that is needed
    """
    uses = {
        "annotate": ("n_labels",),
        "distill": ("n_labels", "n_unlabeled"),
        "llm_annotate": ("n_llm_labels",),
        "annotate_plus_llm": ("n_labels", "n_llm_labels"),
    }[strategy]
    per_unit: dict[str, dict[str, float]] = {name: {} for name in uses}
    limits: dict[str, float] = {}
    if "n_labels" in uses:
        per_unit["n_labels"]["labels"] = _label_usd(card, task)
        available = card.available(task.name) if terms.max_labels is None else terms.max_labels
        if available is not None:
            limits["n_labels"] = owned_labels + available
    if "n_llm_labels" in uses:
        per_unit["n_llm_labels"]["llm_labels"] = _llm_usd(card, task)
    for name in ("n_llm_labels", "n_unlabeled"):
        if name in uses:
            pool = _pool(card, task)
            per_unit[name]["texts"] = float(pool.usd_per_text)
            limits[name] = float(pool.size if terms.pool is None else terms.pool)
    steps = _add_compute(strategy, card, hours, per_unit)
    return CostModel(
        fixed=_fixed(strategy, card, task, hours),
        per_unit=per_unit,
        owned={"n_labels": owned_labels} if "n_labels" in uses else {},
        steps=steps,
        limits=limits,
    )


def _label_usd(card: RateCard, task: Task) -> float:
    price = card.label_price(task.name)
    if price is None:
        raise MissingPriceError(
            f"The card {card.name!r} has no label price for {task.name}; add `labels.{task.name}` or `labels.default`."
        )
    return float(price.usd)


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


def _add_compute(
    strategy: str, card: RateCard, hours: Hours | None, per_unit: dict[str, dict[str, float]]
) -> dict[str, Steps]:
    """Add the dollars of compute to the units, and return those of the teacher."""
    if hours is None:
        return {}
    if strategy == "distill":
        usd = _device_usd(card, hours)
        per_unit["n_unlabeled"]["labelling"] = usd * hours.label_text
        per_unit["n_unlabeled"]["distillation"] = usd * hours.train_text
        if not hours.teacher_n:
            return {}
        return {"teacher": Steps(hours.teacher_n, tuple(h * usd for h in hours.teacher_hours))}
    if card.overheads.charge_student_training and hours.train_label:  # what takes no hours needs no price
        usd = _device_usd(card, hours)
        for name in per_unit:
            per_unit[name]["student"] = usd * hours.train_label
    return {}


def _device_usd(card: RateCard, hours: Hours) -> float:
    """Dollars of a device-hour, for every run a final model takes."""
    return float(card.device(hours.device_class).usd_per_device_hour) * card.overheads.runs_per_model


def _fixed(strategy: str, card: RateCard, task: Task, hours: Hours | None) -> dict[str, float]:
    over = card.overheads
    fixed = {}
    if over.fixed_usd:
        fixed["fixed"] = float(over.fixed_usd)
    if over.dev_labels + over.test_labels:
        fixed["dev_and_test_labels"] = (over.dev_labels + over.test_labels) * _label_usd(card, task)
    charged = strategy == "distill" or over.charge_student_training
    if hours is not None and hours.train_fixed and charged:
        fixed["student"] = hours.train_fixed * _device_usd(card, hours)
    return fixed
