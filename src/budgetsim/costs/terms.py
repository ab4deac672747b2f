"""What a teacher that is owned saves, and how long a plan takes: a cost model under a project's own terms."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace

from budgetsim.costs.hours import Hours, Steps
from budgetsim.costs.model import CostModel, Terms
from budgetsim.costs.rates import RateCard

HOURS_A_DAY = 24.0  # devices work around the clock


def under(
    cost: CostModel, card: RateCard, hours: Hours | None, terms: Terms, teacher: str | None, owned_labels: float
) -> CostModel:
    """A cost model with the time it takes, and without what the owned teacher saves.

    teacher : of the strategy that is priced; None has none
    """
    if terms.labels_per_day is not None:
        days = days_model(cost, card, hours, terms.labels_per_day, terms.gpus)
        cost = replace(cost, days=days, deadline_days=terms.deadline_days)
    if terms.owned_teacher is None or terms.owned_teacher[0] != teacher:
        return cost
    return with_owned_teacher(cost, float(terms.owned_teacher[1]), owned_labels)


def days_model(cost: CostModel, card: RateCard, hours: Hours | None, labels_per_day: float, gpus: int) -> CostModel:
    """Days that a plan takes, one step after the other: labels, teacher, labelling, training.

    Owned labels take no time; LLM labels none either (nothing says how long they take). Device-hours
    divide by the number of devices, around the clock: an assumption, kinder than a real cluster.
    """
    over = card.overheads
    a_day = gpus * HOURS_A_DAY / over.runs_per_model  # device-hours of one run that a day holds
    per_unit: dict[str, dict[str, float]] = {name: {} for name in cost.per_unit}
    if "n_labels" in per_unit:
        per_unit["n_labels"]["labels"] = 1 / labels_per_day
    steps: dict[str, Steps] = {}
    fixed = {"dev_and_test_labels": (over.dev_labels + over.test_labels) / labels_per_day}
    if hours is not None:
        fixed["student"] = hours.train_fixed / a_day
        if "n_unlabeled" in per_unit:
            per_unit["n_unlabeled"]["labelling"] = hours.label_text / a_day
            per_unit["n_unlabeled"]["distillation"] = hours.train_text / a_day
            if hours.teacher_n:
                steps["teacher"] = Steps(hours.teacher_n, tuple(h / a_day for h in hours.teacher_hours))
        else:
            for stages in per_unit.values():
                stages["student"] = hours.train_label / a_day
    return CostModel(fixed=fixed, per_unit=per_unit, owned=cost.owned, steps=steps)


def with_owned_teacher(cost: CostModel, n: float, owned_labels: float) -> CostModel:
    """The model where a teacher stands that is already tuned on n labels.

    At n labels neither labels nor tuning are paid; one label more, and all that are not owned are
    paid and the teacher is tuned again. Fewer than n makes no sense. Counts are whole, so the jump
    is a straight line from n to n + 1 and the model stays piecewise linear and monotone.
    """
    unit = cost.per_unit["n_labels"].get("labels", 0.0)
    steps = {stage: _from(n, stepped) for stage, stepped in cost.steps.items()}
    steps["labels"] = _labels_beyond(n, owned_labels, unit)
    per_unit = {name: dict(stages) for name, stages in cost.per_unit.items()}
    per_unit["n_labels"].pop("labels", None)
    return replace(
        cost,
        per_unit=per_unit,
        steps=steps,
        limits={**cost.limits, "n_labels": max(cost.limit("n_labels"), n)},
        at_least={"n_labels": n},
        days=None if cost.days is None else with_owned_teacher(cost.days, n, owned_labels),
    )


def owning(cost: CostModel, bought: Mapping[str, float], once: Container[str]) -> CostModel:
    """The model once some units have been paid for, and stages that are paid once: what it takes from there on.

    bought : input -> units; those that were owned before count among them
    once : stages of the fixed cost
    """
    owned = {name: max(cost.owned.get(name, 0.0), bought.get(name, 0.0)) for name in cost.per_unit}
    steps, n = dict(cost.steps), cost.at_least.get("n_labels")
    if n is not None and "labels" in steps:  # beside an owned teacher labels are a step
        before = steps["labels"]
        unit = (before.y[-1] - before.y[-2]) / (before.n[-1] - before.n[-2])
        steps["labels"] = _labels_beyond(n, owned["n_labels"], unit)
    return replace(
        cost,
        owned=owned,
        steps=steps,
        fixed={stage: usd for stage, usd in cost.fixed.items() if stage not in once},
        days=None if cost.days is None else owning(cost.days, bought, once),
    )


def _labels_beyond(n: float, owned: float, unit: float) -> Steps:
    """What labels cost beside a teacher owned on n of them: with one more, all that are not owned are paid."""
    return _from(n, Steps((owned, owned + 1), (0.0, unit)))


def _from(n: float, steps: Steps) -> Steps:
    """Nothing up to n, the whole of it from n + 1 on."""
    end = max(n + 2, steps.n[-1])
    at = (n + 1, *(k for k in steps.n if n + 1 < k < end), end, end + 1)  # the last slope goes on
    return Steps((n, *at), (0.0, *(float(y) for y in steps.at(at))))
