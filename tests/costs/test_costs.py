from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetsim.costs.hours import Hours, Steps
from budgetsim.costs.model import CostModel, cost_model, llm_usd_per_label
from budgetsim.costs.rates import LlmPrice, parse_rates
from budgetsim.costs.terms import Terms, own_units
from budgetsim.data.tasks import TASKS
from budgetsim.design.strategies import ANNOTATE, LLM_ANNOTATE
from budgetsim.errors import MissingPriceError
from made import made_cost

CARD = """
schema_version: 1
name: made
currency: USD
labels:
  stance: {usd_per_label: 0.3, annotators_per_item: 3, rejected_share: 0.1, source: s, as_of: 2026}
  wlp: {seconds_per_label: 36, usd_per_hour: 20, source: s, as_of: 2026}
gpu: {model: A100, usd_per_hour: 16, count: 8, scope: whole instance, source: s, as_of: 2026}
llm: {model: m, usd_per_mtok_input: 1, usd_per_mtok_output: 4, prompt_examples: 2, source: s, as_of: 2026}
pools:
  default: {size: 5000, usd_per_text: 0.01, source: s, as_of: 2026}
overheads: {dev_labels: 100, test_labels: 200, runs_per_model: 5, fixed_usd: 50}
"""
HOURS = Hours(
    model="published",
    device_class="gpu",
    teacher_n=(100.0, 1000.0),
    teacher_hours=(2.0, 4.0),
    label_text=0.001,
    train_text=0.002,
    train_label=0.0005,
)


def test_a_bill_restated_by_hand():
    """2,000 labels, 4,000 texts, five runs on an 8-GPU machine of $16 an hour."""
    model = made_cost("distill", TASKS["stance"], parse_rates(CARD), HOURS, Terms(owned_labels=500))
    bill = {k: float(v) for k, v in model.stages({"n_labels": 2000, "n_unlabeled": 4000}).items()}
    label = 0.3 * 3 / 0.9  # three annotators, a tenth thrown away
    teacher_hours = 4 + (4 - 2) / 900 * 1000  # beyond the last size, on along the last slope
    assert bill == pytest.approx(
        {
            "fixed": 50,
            "dev_and_test_labels": 300 * label,
            "labels": 1500 * label,
            "teacher": teacher_hours * 2 * 5,
            "texts": 40,
            "labelling": 4000 * 0.001 * 2 * 5,
            "distillation": 4000 * 0.002 * 2 * 5,
        }
    )
    assert float(model.total({"n_labels": 2000, "n_unlabeled": 4000})) == pytest.approx(sum(bill.values()))
    assert model.limit("n_unlabeled") == 5000


def test_a_label_by_time_and_wage():
    assert float(parse_rates(CARD).labels["wlp"].usd) == pytest.approx(0.20)


def test_an_llm_label_is_its_tokens():
    task = TASKS["stance"]
    price = LlmPrice(
        model="m", usd_per_mtok_input=1, usd_per_mtok_output=4, prompt_examples=2, source="s", as_of="2026"
    )
    tokens_in = 3 * task.source_tokens + 2 * task.target_tokens
    assert llm_usd_per_label(price, task) == pytest.approx((tokens_in + 4 * task.target_tokens) / 1e6)


def test_training_the_student_can_be_switched_off():
    free = parse_rates(CARD.replace("fixed_usd: 50", "fixed_usd: 50, charge_student_training: false"))
    bill = cost_model(ANNOTATE, TASKS["stance"], free, HOURS).stages({"n_labels": 10})
    assert "student" not in bill
    charged = cost_model(ANNOTATE, TASKS["stance"], parse_rates(CARD), HOURS).stages({"n_labels": 10})
    assert float(charged["student"]) == pytest.approx(10 * 0.0005 * 2 * 5)


def test_a_missing_price_is_an_error_never_zero():
    card = parse_rates(CARD)
    with pytest.raises(MissingPriceError, match=r"labels\.fever"):
        cost_model(ANNOTATE, TASKS["fever"], card, None)
    with pytest.raises(MissingPriceError, match="add an `llm:`"):
        cost_model(LLM_ANNOTATE, TASKS["stance"], card.model_copy(update={"llm": None}), None)
    with pytest.raises(MissingPriceError, match="no price for a cpu"):
        cost_model(ANNOTATE, TASKS["stance"], card, Hours(model="measured", device_class="cpu", train_label=1))


COST = CostModel(
    per_unit={"n_labels": {"labels": 0.37, "student": 0.001}, "n_unlabeled": {"distillation": 0.002}},
    owned={"n_labels": 250},
    steps={"teacher": Steps((100.0, 500.0, 1000.0), (4.0, 4.0, 9.0))},
    limits={"n_unlabeled": 100_000},
)


@given(st.floats(0, 1e5))
def test_affordable_is_the_largest_count_that_fits(usd):
    for name in ("n_labels", "n_unlabeled"):
        n = float(COST.affordable(name, usd))
        slack = 1e-6 * max(usd, 1)
        if n < 0:
            assert float(COST.input_usd(name, 0)) > usd - slack
        else:
            assert float(COST.input_usd(name, n)) <= usd + slack
            assert n == COST.limit(name) or float(COST.input_usd(name, n + 1)) > usd - slack


@given(st.floats(0, 1e4), st.floats(0, 1e4))
def test_more_of_an_input_never_costs_less(a, b):
    low, high = sorted((a, b))
    assert float(COST.input_usd("n_labels", low)) <= float(COST.input_usd("n_labels", high)) + 1e-9


def test_steps_are_flat_below_and_go_on_beyond():
    steps = COST.steps["teacher"]
    assert steps.at([1, 100, 300, 750, 2000]) == pytest.approx([4, 4, 4, 6.5, 9 + 10])


def test_scaled_prices_scale_their_stages_only():
    dearer = COST.scaled(["teacher"], 2)
    counts = {"n_labels": 1000, "n_unlabeled": 10}
    before, after = COST.stages(counts), dearer.stages(counts)
    assert {k: float(after[k] / before[k]) for k in before} == pytest.approx(
        {"labels": 1, "student": 1, "teacher": 2, "distillation": 1}
    )
    assert np.ndim(after["labels"]) == 0


def test_what_is_free_is_bounded_by_its_limit_alone_even_with_no_end_of_money():
    free = CostModel(per_unit={"n_labels": {}}, limits={"n_labels": 70.0})
    assert free.input_usd("n_labels", [1.0, 2.0]).tolist() == [0.0, 0.0]
    assert free.affordable("n_labels", [-1.0, 0.0, 5.0, np.inf]).tolist() == [-1.0, 70.0, 70.0, 70.0]


def test_time_without_a_deadline_bounds_nothing():
    """LLM labels take no time: infinite days times a price of nothing must not make the plan vanish."""
    timed = CostModel(
        per_unit={"n_llm_labels": {"llm_labels": 0.5}}, days=CostModel(per_unit={"n_llm_labels": {"s": 0}})
    )
    assert float(timed.max_units("n_llm_labels", 10.0)) == 20
    assert timed.days is not None
    assert float(timed.days.max_units("n_llm_labels", np.inf)) >= 1e15


DEVICE_USD = 16 / 8 * 5  # an eighth of the machine, for each of five runs of a model


def bill_of(strategy, counts, *, card=CARD, hours=HOURS, **more):
    model = made_cost(strategy, TASKS["stance"], parse_rates(card), hours, **more)
    return {stage: float(usd) for stage, usd in model.stages(counts).items()}


@pytest.mark.parametrize("scale", [1, 7])
def test_steps_that_do_not_depend_on_the_examples_are_paid_once_whatever_is_trained_on(scale):
    """Three hours of a set number of steps are 3 x $2 x 5 runs; labels come on top, distilled texts are another stage."""
    hours = replace(HOURS, train_fixed=3.0)
    n = 100.0 * scale
    assert bill_of("annotate", {"n_labels": n}, hours=hours)["student"] == pytest.approx((3 + 0.0005 * n) * DEVICE_USD)
    mixed = bill_of("annotate_plus_llm", {"n_labels": n, "n_llm_labels": 2 * n}, hours=hours)
    assert mixed["student"] == pytest.approx((3 + 0.0005 * 3 * n) * DEVICE_USD)
    distilled = bill_of("distill", {"n_labels": n, "n_unlabeled": n}, hours=hours)
    assert (distilled["student"], distilled["distillation"]) == pytest.approx((3 * DEVICE_USD, 0.002 * n * DEVICE_USD))


def test_a_card_that_charges_no_training_on_labels_charges_neither_of_its_parts_but_distilling():
    free, hours = CARD.replace("fixed_usd: 50", "charge_student_training: false"), replace(HOURS, train_fixed=3.0)
    assert "student" not in bill_of("annotate", {"n_labels": 100.0}, card=free, hours=hours)
    distilled = bill_of("distill", {"n_labels": 100.0, "n_unlabeled": 50.0}, card=free, hours=hours)
    assert distilled["student"] == pytest.approx(3 * DEVICE_USD)


def test_texts_that_are_owned_are_not_bought_again_but_worked_on_as_before():
    """Of 4,000 texts at a cent 1,500 are owned: $25 instead of $40, and the teacher labels all of them."""
    plain = made_cost("distill", TASKS["stance"], parse_rates(CARD), HOURS)
    after = own_units(plain, {"n_unlabeled": 1500.0}, ())
    counts = {"n_labels": 2000.0, "n_unlabeled": 4000.0}
    before, now = plain.stages(counts), after.stages(counts)
    assert (before["texts"], now["texts"]) == pytest.approx((40, 25))
    assert {k: float(v) for k, v in now.items() if k != "texts"} == {
        k: float(v) for k, v in before.items() if k != "texts"
    }
    assert float(after.stages({**counts, "n_unlabeled": 900.0})["texts"]) == 0


def test_the_price_of_any_task_stands_in_for_one_that_is_not_named():
    """And gives way to a task's own: pools and labels alike."""
    both = CARD.replace(
        "\nlabels:", "\nlabels:\n  default: {usd_per_label: 0.05, available: 70, source: s, as_of: 2026}"
    )
    both = both.replace("\npools:", "\npools:\n  stance: {size: 30, usd_per_text: 1, source: s, as_of: 2026}")
    card = parse_rates(both)
    named, other = (made_cost("distill", TASKS[task], card, None) for task in ("stance", "fever"))
    counts = {"n_labels": 10.0, "n_unlabeled": 20.0}
    assert {k: float(v) for k, v in named.stages(counts).items() if k in ("labels", "texts")} == pytest.approx(
        {"labels": 10.0, "texts": 20.0}
    )
    assert {k: float(v) for k, v in other.stages(counts).items() if k in ("labels", "texts")} == pytest.approx(
        {"labels": 0.5, "texts": 0.2}
    )
    assert (named.limits, other.limits) == ({"n_unlabeled": 30}, {"n_labels": 70, "n_unlabeled": 5000})


def test_labels_that_people_can_give_come_besides_those_owned():
    terms = Terms(owned_labels=40, max_labels=300, pool=80)
    model = made_cost("distill", TASKS["stance"], parse_rates(CARD), None, terms)
    assert model.limits == {"n_labels": 340, "n_unlabeled": 80}
    assert float(model.max_units("n_labels", 1e9, {"n_unlabeled": 1})) == 340


def test_what_a_budget_buys_by_hand():
    """$1,000 less $50 and 300 labels of dev and test at $1: 250 owned labels, more at $1 and half a cent of work."""
    card = CARD.replace("usd_per_label: 0.3, annotators_per_item: 3, rejected_share: 0.1", "usd_per_label: 1")
    model = made_cost("annotate", TASKS["stance"], parse_rates(card), HOURS, Terms(owned_labels=250))
    work = 0.0005 * DEVICE_USD
    assert float(model.max_units("n_labels", 1000.0)) == np.floor((1000 - 50 - 300 + 250) / (1 + work))
    assert float(model.max_units("n_labels", 349.0)) == -1
    assert float(model.max_units("n_labels", 351.0)) == 200  # $1 at half a cent: owned labels are worked on, not paid
    timed = replace(model, days=CostModel(per_unit={"n_labels": {"labels": 0.1}}), deadline_days=3.0)
    assert float(timed.max_units("n_labels", 1000.0)) == 30
    assert float(timed.max_units("n_labels", 349.0)) == -1


def test_a_teacher_dearer_by_a_factor_is_dearer_at_every_size():
    steps = COST.scaled(["teacher"], 3).steps["teacher"]
    assert steps.at([1, 750, 2000]) == pytest.approx(3 * np.array([4, 6.5, 19]))
    assert COST.has(["teacher"])
    assert not COST.scaled(["teacher"], 0).has(["teacher"])
