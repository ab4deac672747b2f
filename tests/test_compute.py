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
