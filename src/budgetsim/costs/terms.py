"""What a project owns and must keep to, and a cost model under it: bounds, owned labels and teacher, days."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import NamedTuple

from budgetsim.costs.hours import Hours, Steps
from budgetsim.costs.model import CostModel, compute_per_unit, teacher_steps
from budgetsim.costs.rates import RateCard
from budgetsim.data.tasks import Task
from budgetsim.design.points import Route
from budgetsim.design.stages import DEV_AND_TEST_LABELS, LABELS, STUDENT
from budgetsim.design.strategies import Strategy

HOURS_A_DAY = 24.0  # devices work around the clock


class Terms(NamedTuple):
    """What a project holds and must keep to, besides the card.

    owned_labels : labels already paid for
    owned_teacher : a model that is already tuned, and on how many labels
    max_labels : labels people can give besides the owned ones; None takes the card's, else no bound
    pool : unlabelled texts there are; None takes the card's, or what the task itself has where that is less
    most_labels : labels there can be in all, for want of texts; None where nobody counted those
    labels_per_day : labels people give in a day; None leaves time out
    gpus : devices that share the device-hours
    deadline_days : may only be finite where there are `labels_per_day`
    """

    owned_labels: float = 0.0
    owned_teacher: tuple[str, int] | None = None
    max_labels: int | None = None
    pool: int | None = None
    most_labels: float | None = None
    labels_per_day: float | None = None
    gpus: int = 1
    deadline_days: float = math.inf

    def owns_teacher(self, name: str | None) -> bool:
        """Whether the owned teacher is the one of that name."""
        return self.owned_teacher is not None and self.owned_teacher[0] == name


NO_TERMS = Terms()


def own_pool(terms: Terms, card: RateCard, task: Task) -> int | None:
    """Texts of a user's own task, where they bound its pool: nothing else was said, and the card has no fewer."""
    named = card.pool(task.name)
    if terms.pool is not None or task.n_unlabeled is None or (named is not None and named.size <= task.n_unlabeled):
        return None
    return task.n_unlabeled


def label_bound(terms: Terms, card: RateCard, task: Task) -> float | None:
    """The most labels of a plan on a user's own task: its texts with a label and its pool, or as many as are owned.

    None where nobody counted its texts.
    """
    if task.n_train is None:
        return None
    return max(float(task.n_train + (pool_size(terms, card, task) or 0)), terms.owned_labels)


def pool_size(terms: Terms, card: RateCard, task: Task) -> int | None:
    """Unlabelled texts there are: as many as was said, else the fewer of those of the card and of the task."""
    named = card.pool(task.name)
    sizes = [n for n in (None if named is None else named.size, task.n_unlabeled) if n is not None]
    return terms.pool if terms.pool is not None else min(sizes, default=None)


def apply(cost: CostModel, card: RateCard, hours: Hours | None, terms: Terms, route: Route) -> CostModel:
    """A cost model under a project's terms: what there is, what is owned, and the time it takes.

    cost : of the route's strategy under the card and hours, without any terms
    """
    if "n_labels" in cost.per_unit:
        cost = replace(cost, owned={"n_labels": terms.owned_labels})
    cost = replace(cost, limits=_limits(cost, terms))
    if terms.labels_per_day is not None:
        days = days_model(route.kind, card, hours, terms.labels_per_day, terms.gpus)
        cost = replace(cost, days=replace(days, owned=cost.owned), deadline_days=terms.deadline_days)
    if terms.owned_teacher is None or not terms.owns_teacher(route.teacher):
        return cost
    return with_owned_teacher(cost, float(terms.owned_teacher[1]), terms.owned_labels)


def _limits(cost: CostModel, terms: Terms) -> dict[str, float]:
    """The card's limits or, where the terms name any, theirs; owned labels come on top of what people can give.

    There are never more labels than texts.
    """
    bounds = {"n_labels": terms.max_labels, "n_llm_labels": terms.pool, "n_unlabeled": terms.pool}
    named = {name: float(n) for name, n in bounds.items() if n is not None and name in cost.per_unit}
    limits = {**cost.limits, **named}
    if "n_labels" in limits:
        limits["n_labels"] += terms.owned_labels
    if terms.most_labels is not None and "n_labels" in cost.per_unit:
        limits["n_labels"] = min(limits.get("n_labels", math.inf), terms.most_labels)
    return limits


def days_model(strategy: Strategy, card: RateCard, hours: Hours | None, labels_per_day: float, gpus: int) -> CostModel:
    """Days that a plan takes, one step after the other: labels, teacher, labelling, training.

    LLM labels take no time (nothing says how long they take). Device-hours divide by the number of
    devices, around the clock: an assumption, kinder than a real cluster.
    """
    over = card.overheads
    a_day = gpus * HOURS_A_DAY / over.runs_per_model  # device-hours of one run that a day holds
    per_unit: dict[str, dict[str, float]] = {name: {} for name in strategy.inputs}
    if "n_labels" in per_unit:
        per_unit["n_labels"][LABELS] = 1 / labels_per_day
    fixed = {DEV_AND_TEST_LABELS: (over.dev_labels + over.test_labels) / labels_per_day}
    if hours is None:
        return CostModel(fixed=fixed, per_unit=per_unit)
    fixed[STUDENT] = hours.train_fixed / a_day
    for name, stages in compute_per_unit(strategy, hours, lambda h: h / a_day).items():
        per_unit[name] |= stages
    return CostModel(fixed=fixed, per_unit=per_unit, steps=teacher_steps(strategy, hours, lambda h: h / a_day))


def with_owned_teacher(cost: CostModel, n: float, owned_labels: float) -> CostModel:
    """The model where a teacher is owned that is already tuned on n labels.

    At n labels neither labels nor tuning are paid; one label more, and all that are not owned are
    paid and the teacher is tuned again. Fewer than n makes no sense. Counts are whole, so the jump
    is a straight line from n to n + 1 and the model stays piecewise linear and monotone.
    """
    unit = cost.per_unit["n_labels"].get(LABELS, 0.0)
    steps = {stage: _from(n, stepped) for stage, stepped in cost.steps.items()}
    steps[LABELS] = _labels_beyond(n, owned_labels, unit)
    per_unit = {name: dict(stages) for name, stages in cost.per_unit.items()}
    per_unit["n_labels"].pop(LABELS, None)
    return replace(
        cost,
        per_unit=per_unit,
        steps=steps,
        limits={**cost.limits, "n_labels": max(cost.limit("n_labels"), n)},
        at_least={"n_labels": n},
        days=None if cost.days is None else with_owned_teacher(cost.days, n, owned_labels),
    )


def own_units(cost: CostModel, units: Mapping[str, float], paid_stages: Container[str]) -> CostModel:
    """The model once some units have been paid for, and stages that are paid once: what it takes from there on.

    units : input -> units that are paid for; those that were owned before count among them
    paid_stages : stages of the fixed cost
    """
    owned = {name: max(cost.owned.get(name, 0.0), units.get(name, 0.0)) for name in cost.per_unit}
    steps, n = dict(cost.steps), cost.at_least.get("n_labels")
    if n is not None and LABELS in steps:  # beside an owned teacher labels are a step
        before = steps[LABELS]
        unit = (before.y[-1] - before.y[-2]) / (before.n[-1] - before.n[-2])
        steps[LABELS] = _labels_beyond(n, owned["n_labels"], unit)
    return replace(
        cost,
        owned=owned,
        steps=steps,
        fixed={stage: usd for stage, usd in cost.fixed.items() if stage not in paid_stages},
        days=None if cost.days is None else own_units(cost.days, units, paid_stages),
    )


def _labels_beyond(n: float, owned: float, unit: float) -> Steps:
    """What labels cost beside a teacher owned on n of them: with one more, all that are not owned are paid."""
    return _from(n, Steps((owned, owned + 1), (0.0, unit)))


def _from(n: float, steps: Steps) -> Steps:
    """Nothing up to n, the whole of it from n + 1 on."""
    end = max(n + 2, steps.n[-1])
    at = (n + 1, *(k for k in steps.n if n + 1 < k < end), end, end + 1)  # the last slope goes on
    return Steps((n, *at), (0.0, *(float(y) for y in steps.at(at))))
