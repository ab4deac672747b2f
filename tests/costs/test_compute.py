import numpy as np
import pytest

from budgetsim.costs.hours import (
    Hours,
    MeasuredStage,
    ModelledSpeed,
    PublishedHours,
    Steps,
    distill_flops,
    distill_hours,
    forward_flops,
    measured_hours,
    published_hours,
    student_only,
)
from budgetsim.data.tasks import TASKS
from budgetsim.design.models import T5_SHAPES
from budgetsim.design.paper import DISTILL_EPOCHS

SPEED = ModelledSpeed(
    peak_tflops=312, teacher_training=0.24, labelling=0.14, student_training=0.26, seconds_per_step=0.03
)
BILLS = PublishedHours(teacher_n=(100.0, 10_000.0), teacher_hours=(2.0, 65.0), distill_text=0.0012)
XXL, SMALL = "t5-v1_1-xxl", "t5-v1_1-small"


@pytest.mark.parametrize(
    ("name", "n_parameters"),
    [
        ("t5-v1_1-small", 76_961_152),
        ("t5-v1_1-base", 247_577_856),
        ("t5-v1_1-large", 783_150_080),
        ("t5-v1_1-xl", 2_849_757_184),
        ("t5-v1_1-xxl", 11_135_332_352),
    ],
)
def test_parameters_are_those_of_the_published_checkpoints(name, n_parameters):
    assert T5_SHAPES[name].n_parameters == n_parameters


def test_a_forward_pass_is_two_operations_a_parameter_and_token():
    """Long texts aside: without attention scores an encoder-only pass is 2 * parameters * tokens."""
    shape = T5_SHAPES[XXL]
    blocks = shape.n_layers * (shape.attention + shape.feed_forward)
    scores = shape.n_layers * 4 * 20 * 20 * shape.n_heads * shape.d_kv
    assert forward_flops(shape, 20, 0).encoder == pytest.approx(2 * blocks * 20 + scores)
    assert forward_flops(shape, 0, 1).output == 2 * shape.d_model * 32128


def test_labelling_once_saves_what_the_bound_says():
    """(g + E(t + s)) / (g + t' + E(s + r)), t' the decoder alone as the encoding is kept."""
    f = distill_flops(T5_SHAPES[XXL], T5_SHAPES[SMALL], TASKS["stance"])
    e = DISTILL_EPOCHS
    bound = (f.generate + e * (f.teacher + f.student)) / (f.generate + f.relabel + e * (f.student + f.rebuild))
    assert f.speedup == pytest.approx(bound)
    assert 25 < f.speedup < 35
    for teacher, low, high in (("t5-v1_1-xl", 8, 15), ("t5-v1_1-large", 3.5, 6)):
        factors = [distill_flops(T5_SHAPES[teacher], T5_SHAPES[SMALL], t).speedup for t in TASKS.values()]
        assert low <= min(factors)
        assert max(factors) <= high


def test_three_compute_models():
    task = TASKS["stance"]
    published = distill_hours("published", XXL, SMALL, task, BILLS, SPEED)
    cached = distill_hours("cached", XXL, SMALL, task, BILLS, SPEED)
    modern = distill_hours("modern", XXL, SMALL, task, BILLS, SPEED)
    assert published is not None
    assert cached is not None
    assert modern is not None
    speedup = distill_flops(T5_SHAPES[XXL], T5_SHAPES[SMALL], task).speedup
    assert published.train_text / cached.train_text == pytest.approx(speedup)
    assert published.modelled == ()
    assert cached.modelled == ("distill_text",)
    assert cached.teacher_hours == published.teacher_hours  # fine-tuning the teacher is billed as before
    assert modern.teacher_at(10_000) < published.teacher_at(10_000)
    # fine-tuning: 3 forward passes' worth an example and epoch, at 24 % of 312 TFLOP/s
    flops = 3 * forward_flops(T5_SHAPES[XXL], task.source_tokens, task.target_tokens).total * 20 * 1000
    assert modern.teacher_at(1000) == pytest.approx(flops / (312e12 * 0.24) / 3600)
    assert distill_hours("published", XXL, SMALL, task, None, SPEED) is None
    assert distill_hours("modern", "unknown", SMALL, task, BILLS, SPEED) is None


def test_short_texts_wait_for_the_step_not_the_arithmetic():
    hours = student_only(SMALL, TASKS["fever"], SPEED)
    assert hours is not None
    assert hours.train_label == pytest.approx(20 * 0.03 / 32 / 3600)
    slow = student_only("t5-v1_1-xl", TASKS["stance"], SPEED)
    assert slow is not None
    assert slow.train_label > hours.train_label


def test_teacher_hours_are_monotone_and_proportional_beyond():
    hours = Hours(model="m", device_class="gpu", teacher_n=(100, 500, 1000), teacher_hours=(2.0, 1.9, 4.0))
    at = hours.teacher_at([1, 100, 400, 500, 1000, 2000])
    assert at == pytest.approx([2, 2, 2, 2, 4, 8])
    assert (np.diff(at) >= 0).all()


def test_steps_are_one_thing_whatever_they_measure():
    assert Steps((100, 500, 1000), (10, 8, 12)).at([1, 500, 750, 1500]) == pytest.approx([10, 10, 11, 14])
    assert Steps((1000,), (4,)).at([10, 1000, 5000]) == pytest.approx([4, 4, 20])  # one size: proportional beyond
    assert Steps((), ()).at([7]) == pytest.approx([0])


def test_hours_of_measured_runs_restated():
    """Two students of 1 hour and a hundredth an example; a teacher of 2 hours; labelling at 3 hours for 100 texts."""
    stages = [
        MeasuredStage(kind="train_student", n=100, examples=1, hours=2.0),
        MeasuredStage(kind="train_student", n=300, examples=1, hours=4.0),
        MeasuredStage(kind="finetune_teacher", n=50, examples=50, hours=2.0),
        MeasuredStage(kind="soft_label", n=50, examples=100, hours=3.0),
        MeasuredStage(kind="encode", n=0, examples=10, hours=0.1),
    ]
    hours = measured_hours(stages, "cpu")
    assert hours is not None
    assert (hours.train_fixed, hours.train_text) == pytest.approx((1.0, 0.01))
    assert (hours.teacher_n, hours.teacher_hours[0]) == ((50,), pytest.approx(2.0 + 50 * 0.01))
    assert hours.label_text == pytest.approx(0.03 + 0.01)
    assert measured_hours(stages[2:], "cpu") is None


def matrix_products(shape, n, m):
    """Every matrix product of one forward pass as (rows, inner, columns): 2 x rows x inner x columns operations each.

    Written down layer by layer from the architecture (Raffel et al. 2020; gated feed-forward of T5 v1.1), not from
    counts of parameters. Cross-attention: queries and outputs for m targets, keys and values for n sources, every
    target against every source.
    """
    d, inner, ff = shape.d_model, shape.n_heads * shape.d_kv, shape.d_ff
    gated = [(d, ff), (d, ff), (ff, d)]

    def attend(q, k):
        return [(q, d, inner), (k, d, inner), (k, d, inner), (q, inner, k), (q, k, inner), (q, inner, d)]

    encoder = [*attend(n, n), *((n, *g) for g in gated)] * shape.n_layers
    decoder = [*attend(m, m), *attend(m, n), *((m, *g) for g in gated)] * shape.n_layers
    return encoder, decoder, [(m, d, 32128)]


@pytest.mark.parametrize("name", [SMALL, XXL])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (90, 4), (5, 300)])
def test_a_forward_pass_is_the_sum_of_its_matrix_products(name, n, m):
    """Cross-attention among them: without it a decoder of short answers to long texts would cost almost nothing."""
    found = forward_flops(T5_SHAPES[name], n, m)
    by_hand = [sum(2 * a * b * c for a, b, c in part) for part in matrix_products(T5_SHAPES[name], n, m)]
    assert (found.encoder, found.decoder, found.output) == pytest.approx(tuple(by_hand), rel=1e-12)


def test_a_training_step_is_three_forward_passes_and_runs_once_an_epoch():
    """Backward costs two forwards. `modern`: the teacher answers once; the student takes 50 epochs of real work.

    Speeds without a least time of a step, so hours are operations over what the device does in an hour.
    """
    task, free = TASKS["stance"], ModelledSpeed(
        peak_tflops=100, teacher_training=0.5, labelling=0.25, student_training=0.2, seconds_per_step=0.0
    )  # fmt: skip
    big, small = (forward_flops(T5_SHAPES[m], task.source_tokens, task.target_tokens) for m in (XXL, SMALL))
    hours = distill_hours("modern", XXL, SMALL, task, None, free)
    assert hours is not None
    an_hour = 100e12 * 3600
    assert hours.train_text == pytest.approx(50 * (3 * small.total + big.output) / (0.2 * an_hour))
    assert hours.label_text == pytest.approx((big.total + big.decoder) / (0.25 * an_hour))
    assert hours.teacher_at(500) == pytest.approx(500 * 20 * 3 * big.total / (0.5 * an_hour))
    alone = student_only(SMALL, task, free)
    assert alone is not None
    assert alone.train_label == pytest.approx(20 * 3 * small.total / (0.2 * an_hour))


def test_modern_hours_wait_for_steps_in_every_epoch_too():
    """Short texts: 50 epochs of a 32nd of a step of .03 s."""
    hours = distill_hours("modern", XXL, SMALL, TASKS["fever"], None, SPEED)
    assert hours is not None
    assert hours.train_text == pytest.approx(50 * 0.03 / 32 / 3600)


def test_hours_of_measured_llm_students_restated():
    """An LLM labels 200 texts in 4 hours; students of 100 and 300 labels take 2 and 4 hours: a label 1 / 100."""
    stages = [
        MeasuredStage(kind="train_student", n=100, examples=1, hours=2.0),
        MeasuredStage(kind="train_student", n=300, examples=1, hours=4.0),
        MeasuredStage(kind="llm_label", n=0, examples=150, hours=1.0),
        MeasuredStage(kind="llm_label", n=0, examples=50, hours=3.0),
        MeasuredStage(kind="encode", n=0, examples=10, hours=0.1),
    ]
    hours = measured_hours(stages, "cpu")
    assert hours is not None
    assert (hours.train_fixed, hours.train_label) == pytest.approx((1.0, 0.01 + 0.01))  # the student encodes its rows
    assert hours.label_text == pytest.approx(4 / 200)
    assert hours.teacher_n == ()
    assert float(hours.teacher_at(1000)) == 0


def test_each_model_that_encodes_encodes_every_text():
    """A teacher's encoder takes 1 hour for 100 texts, the student's 3 for 100: each text takes 0.04 beside its label."""
    stages = [
        MeasuredStage(kind="train_student", n=100, examples=1, hours=1.0),
        MeasuredStage(kind="finetune_teacher", n=50, examples=50, hours=2.0),
        MeasuredStage(kind="encode", model="large", n=0, examples=100, hours=1.0),
        MeasuredStage(kind="encode", model="small", n=0, examples=50, hours=1.5),
    ]
    hours = measured_hours(stages, "cpu")
    assert (hours.label_text, hours.train_text) == (pytest.approx(0.04), 0.0)


def test_runs_of_one_size_are_averaged_and_a_line_through_nothing_is_through_all():
    """Teachers on 50 labels in 2 and 4 hours: 3. Students on 100 and 200 labels in 1 and 4: the line would start below 0."""
    stages = [
        MeasuredStage(kind="finetune_teacher", n=50, examples=50, hours=2.0),
        MeasuredStage(kind="finetune_teacher", n=50, examples=50, hours=4.0),
        MeasuredStage(kind="train_student", n=100, examples=1, hours=1.0),
        MeasuredStage(kind="train_student", n=200, examples=1, hours=4.0),
    ]
    hours = measured_hours(stages, "cpu")
    assert hours is not None
    assert hours.teacher_hours == (3.0,)
    assert (hours.train_fixed, hours.train_label) == pytest.approx((0.0, (100 * 1 + 200 * 4) / (100**2 + 200**2)))


def test_bills_of_teachers_never_fall_and_a_bill_that_lacks_a_part_is_none():
    rows = [("finetune_teacher", 1000, 5.0), ("finetune_teacher", 100, 6.0), ("distill_text", 0, 0.001)]
    bills = published_hours(rows)
    assert bills is not None
    assert (bills.teacher_n, bills.teacher_hours, bills.distill_text) == ((100.0, 1000.0), (6.0, 6.0), 0.001)
    assert published_hours(rows[:2]) is published_hours(rows[2:]) is None
