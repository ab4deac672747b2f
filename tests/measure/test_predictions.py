"""What is said beforehand: seconds, dollars, memory and the runs left to do, against closed forms."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from budgetsim.costs.hours import Hours, ModelledSpeed, PublishedHours
from budgetsim.costs.rates import LearnerSpeed, Utilisation
from budgetsim.data.tasks import get_task
from budgetsim.design.models import CPU_SHAPES
from budgetsim.design.points import PAPER_STUDENT, PAPER_TEACHER
from budgetsim.measure import paper, show, worker
from budgetsim.measure.conductor import Campaign, KindTimes, _by_kind, find_missing, prepare_estimator
from budgetsim.measure.crew import CampaignPlan, Crew, _groups
from budgetsim.measure.estimate import NEWEST, Estimator
from budgetsim.measure.limits import CLOSING, Limits
from budgetsim.measure.paper_grid import estimate_grid
from budgetsim.measure.process import Assignment
from budgetsim.measure.recipe import PRESETS
from budgetsim.measure.spec import RunSpec, make_spec
from budgetsim.measure.stages import PlannedStage, plan_stages
from budgetsim.measure.stagestore import Device, StageStore, Work
from budgetsim.measure.workspace import Workspace
from budgetsim.store.location import StorePaths
from budgetsim.store.records import RunRecord, Score, StageRecord, write_shard
from made import change_spec

ENCODER = make_spec(
    task="toy_requests", strategy="distill", student="pico", teacher="minilm-lr", n_labels=20, n_unlabeled=100,
    recipe=PRESETS["cpu"],
)  # fmt: skip


def wanted(kind: str = "train_student", model: str = "pico", examples: int = 1000) -> PlannedStage:
    about = {"model": model, "task": "fever"}
    return PlannedStage(kind=kind, depends_on={}, about=about, examples=examples, build=lambda *_: Work())


def done(seconds: float, cpu: float | None = None, *, kind: str = "train_student", examples: int = 1000) -> StageRecord:
    return StageRecord(
        stage_id="x", kind=kind, task="fever", model="pico", seconds=seconds, examples=examples, device_class="cpu",
        provenance={} if cpu is None else {"cpu_seconds": cpu}, finished_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def quiet_estimator() -> Estimator:
    """As on a machine that does nothing else."""
    estimator = Estimator()
    estimator.slowness = estimator._first = 1.0
    return estimator


# Seconds


def test_a_rate_is_the_median_of_the_newest_stages() -> None:
    estimator = quiet_estimator()
    estimator.prime([done(10.0)] * 30)
    for _ in range(NEWEST):
        estimator.learn(done(20.0))
    assert estimator.base(wanted()) == pytest.approx(20.0)


def test_a_rate_leaves_out_what_else_the_processor_did() -> None:
    estimator = quiet_estimator()
    estimator.prime([done(20.0, 5.0)])
    assert estimator.base(wanted(examples=3000)) == pytest.approx(15.0)
    many_threads = quiet_estimator()
    many_threads.prime([done(20.0, 80.0)])  # never more than the clock's
    assert many_threads.base(wanted()) == pytest.approx(20.0)


def test_what_was_never_timed_takes_the_speed_on_the_card_and_what_was_does_not() -> None:
    """A text of 30 tokens is two operations a parameter and token, three times over in training."""
    speed = LearnerSpeed(kind="t5", model="mini", train_tflops=0.03, answer_tflops=0.05)
    estimator = quiet_estimator()
    estimator.measured = Utilisation(
        peak_tflops=0.06, teacher_training=0.5, labelling=0.9, student_training=0.5, measured=(speed,), source="x",
        as_of="2026-11-30",
    )  # fmt: skip
    pico = CPU_SHAPES["pico"]
    flops = 2 * 30 * pico.n_layers * (pico.attention + pico.feed_forward)
    assert estimator.base(wanted()) == pytest.approx(1000 * 3 * flops / 0.03e12)
    assert estimator.base(wanted("soft_label")) == pytest.approx(1000 * flops / 0.05e12)
    other = quiet_estimator().base(wanted("finetune_teacher", "ft:minilm"))
    assert estimator.base(wanted("finetune_teacher", "ft:minilm")) == pytest.approx(other)  # of another kind
    estimator.prime([done(7.0)])
    assert estimator.base(wanted()) == pytest.approx(7.0)


def test_another_size_takes_time_by_its_operations() -> None:
    """A T5 layer multiplies by four attention matrices and the three of its gated feed-forward part."""

    def operations(name: str) -> int:
        shape = CPU_SHAPES[name]
        return shape.n_layers * shape.d_model * (4 * shape.d_kv * shape.n_heads + 3 * shape.d_ff)

    estimator = quiet_estimator()
    estimator.prime([done(10.0)])
    for name in ("nano", "micro", "mini"):
        assert estimator.base(wanted(model=name)) == pytest.approx(10.0 * operations(name) / operations("pico"))


def test_a_learner_of_seconds_grows_less_than_its_examples_and_is_predicted_from_its_like() -> None:
    """Twice the square root of four times the work; of 20 stages the 15 nearest in work count."""
    estimator = quiet_estimator()
    stage = replace(done(2.0, examples=100), model="tfidf-lr")
    estimator.prime([stage] * 15 + [replace(stage, seconds=9.0, examples=10_000)] * 5)
    assert estimator.base(wanted(model="tfidf-lr", examples=400)) == pytest.approx(4.0)


def test_what_a_pretrained_model_takes_goes_by_what_it_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of the layers takes a third of the time, from a first guess and from the time of a sister."""
    pytest.importorskip("transformers")
    whole, part = wanted(model="ft:minilm"), wanted(model="ft:minilm:layers=2")
    guess = quiet_estimator()
    assert guess.base(part) == pytest.approx(guess.base(whole) / 3, rel=0.01)
    assert 20 < guess.base(whole) < 100  # 1,000 examples of training, measured at 42 to 78 s
    learnt = quiet_estimator()
    learnt.prime([replace(done(12.0), model="ft:minilm:layers=2")])
    assert learnt.base(whole) == pytest.approx(36.0, rel=0.01)


def test_slowness_forgets_what_lies_back() -> None:
    """Memory 0.9 a stage: after n stages of 20 s that ought to take 10, both sums are those of a geometric series."""
    estimator = quiet_estimator()
    for _ in range(30):
        estimator.learn(done(20.0, 10.0))
    series = (1 - 0.9**30) / (1 - 0.9)
    assert estimator.slowness == pytest.approx((10 + 20 * series) / (10 + 10 * series))
    for _ in range(60):
        estimator.learn(done(10.0, 10.0))
    assert estimator.slowness == pytest.approx(1.0, abs=0.01)


def test_bias_is_what_was_predicted_for_what_was_taken() -> None:
    estimator = quiet_estimator()
    for predicted, took in ((30.0, 20.0), (6.0, 4.0)):
        estimator.learn(done(took), predicted=predicted)
    assert estimator.bias == pytest.approx(1.5)
    assert estimator.error == pytest.approx(0.5)
    assert _by_kind(estimator.timed) == (
        KindTimes(kind="train_student", n=2, predicted_seconds=36.0, seconds=24.0, error=0.5),
    )


# Caps


def test_dollars_are_hours_times_the_price_and_closing_time_is_kept_back() -> None:
    limits = Limits(max_hours=1, max_cost_usd=3, usd_per_hour=2)
    assert limits.cost_usd(5400) == pytest.approx(1.5 * 2)
    assert limits.passed(wall=3600 - CLOSING, device=0, n_devices=1) is None
    assert limits.passed(wall=3600 - CLOSING + 0.1, device=0, n_devices=1) is not None
    paid = 3 / 2 * 3600  # seconds of one device
    assert limits.passed(wall=0, device=paid - 3 * CLOSING, n_devices=3) is None
    assert limits.passed(wall=0, device=paid - 3 * CLOSING + 0.1, n_devices=3) is not None


# Crews


def job(specs: list[RunSpec], stages: list[PlannedStage]) -> CampaignPlan:
    return CampaignPlan(
        runs=[(spec, stages) for spec in specs], is_there=lambda _: False, settings={}, workers=2, limits=Limits(),
        began=time.monotonic(),
    )  # fmt: skip


def test_runs_on_one_teacher_stay_together_and_others_apart() -> None:
    texts = [change_spec(ENCODER, n_unlabeled=n) for n in (50, 100)]
    others = [change_spec(ENCODER, seed=1), change_spec(ENCODER, n_labels=30)]
    assert _groups([texts[0], *others, texts[1]]) == [texts, [others[0]], [others[1]]]


def test_what_a_run_waited_for_is_no_overhead() -> None:
    """A run's seconds outside its stages are learned only where it built all that was predicted for it."""
    estimator = quiet_estimator()
    crew = Crew(job([ENCODER], [wanted()]), estimator, lambda _: None, lambda: None)
    assignment = Assignment(ENCODER, 10.0, {"x": 5.0, "built by another": 5.0}, began=time.monotonic() - 50)
    crew._learn(assignment, [StageRecord(stage_id="x", kind="train_student", task="fever", seconds=5.0)])
    assert estimator._overheads == []
    assignment.stages = {"x": 5.0}
    crew._learn(assignment, [StageRecord(stage_id="x", kind="train_student", task="fever", seconds=5.0)])
    assert estimator.overhead == pytest.approx(45.0, abs=1.0)


def test_what_is_left_is_shared_by_the_workers_and_a_shared_stage_counts_once() -> None:
    estimator = quiet_estimator()
    estimator.prime([done(30.0)])
    estimator.learn_overhead(1.0)
    crew = Crew(
        job([change_spec(ENCODER, seed=i) for i in range(3)], [wanted()]), estimator, lambda _: None, lambda: None
    )
    for number in (0, 1):
        crew._workers[number] = SimpleNamespace(alive=True, ready=True, assignment=None, lifetime=0.0)  # type: ignore[assignment]
    assert crew._eta() == pytest.approx((30.0 + 3 * 1.0) / 2)


def test_a_run_takes_no_time_before_its_worker_is_ready() -> None:
    assignment = Assignment(ENCODER, 10.0, {})
    assert assignment.seconds == 0.0
    assignment.began = time.monotonic() - 5
    assert assignment.seconds == pytest.approx(5.0, abs=0.5)


def test_each_stage_is_reported_to_the_conductor_once(tmp_path: Path) -> None:
    workspace = Workspace(StageStore(tmp_path, Device("cpu", "x")))
    workspace.stages.get("encode", {"a": 1}, lambda _: Work(examples=7), task="t")
    assert [(record.kind, record.examples) for record in worker._take_built(workspace)] == [("encode", 7)]
    assert worker._take_built(workspace) == ()


# Campaigns


def finished(spec: RunSpec, split_id: str, pool: str | None) -> RunRecord:
    return RunRecord(
        point=spec.point(split_id, pool), scores=(Score(metric="accuracy", value=60.0),), stages=(),
        model_family="mini", device_class="cpu", device="x",
        recipe=spec.recipe.identity(spec.route),
        finished_at=datetime(2026, 1, 1, tzinfo=UTC), git_commit=None, git_dirty=None, versions={}, host="h",
        data_hash="d",
    )  # fmt: skip


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """Three runs on one teacher; the first is in the store."""
    specs = [change_spec(ENCODER, n_unlabeled=n) for n in (50, 100, 150)]
    paths = StorePaths(tmp_path / "toy" / "s.duckdb")
    workspace = Workspace(StageStore(tmp_path / "cache", Device("cpu", "x")))
    write_shard(paths.runs, finished(specs[0], workspace.split(specs[0]).split_id, "pool"), [])
    return Campaign(specs=specs, paths=paths, cache=tmp_path / "cache", workers=2, limits=Limits(usd_per_hour=3.0))


def test_what_is_in_the_store_is_not_done_again(campaign: Campaign) -> None:
    assert find_missing(campaign) == ([campaign.specs[0]], list(campaign.specs[1:]))


def test_a_campaign_is_predicted_with_each_shared_stage_once(campaign: Campaign) -> None:
    predicted = show.predict_campaign(campaign, lambda _: None)
    workspace = Workspace(StageStore(campaign.cache, Device("cpu", "x")))
    distinct = {s.key: s for spec in campaign.specs[1:] for s in plan_stages(spec, workspace)}
    counts = {stage["kind"]: stage["n"] for stage in predicted["stages"]}
    assert sum(counts.values()) == len(distinct)
    assert (counts["finetune_teacher"], counts["soft_label"], counts["train_student"]) == (1, 1, 2)
    assert predicted["wall_hours"] == pytest.approx(predicted["worker_hours"] / 2, abs=1.1e-3)
    assert predicted["cost_usd"] == pytest.approx(3.0 * predicted["worker_hours"], abs=2e-3)


def test_a_campaign_takes_first_times_from_what_the_card_says_of_the_device(campaign: Campaign) -> None:
    """Nothing of its kind was timed here: twice the measured speed, half the predicted seconds."""
    seconds = []
    for tflops in (0.1, 0.2):
        speed = LearnerSpeed(kind="ft", model="x", train_tflops=tflops)
        told = Utilisation(
            peak_tflops=0.3, teacher_training=0.5, labelling=0.9, student_training=0.5, measured=(speed,), source="x",
            as_of="2026-11-30",
        )  # fmt: skip
        estimator = prepare_estimator(replace(campaign, measured=told))
        seconds.append(estimator.base(wanted(model="ft:minilm")))
    assert seconds[0] == pytest.approx(2 * seconds[1])


@pytest.mark.parametrize(("trivial", "moot"), [(59.0, False), (61.0, True)])
def test_paying_is_moot_only_where_what_costs_nothing_is_no_worse(trivial: float, moot: bool) -> None:
    text = show._beside("toy_requests", [finished(ENCODER, "s", "pool")], {"constant": trivial, "other": 10.0})
    assert ("do not pay" in text) is moot


# Plans of the paper's own models

SPEED = ModelledSpeed(
    peak_tflops=312, teacher_training=0.24, labelling=0.14, student_training=0.26, seconds_per_step=0.03
)


def test_a_grid_pays_one_labelling_pass_for_each_teacher() -> None:
    """Two sizes on one teacher: the modern way labels the larger pool once; the bills hold a pass in each run."""
    specs = [
        make_spec(
            task="stance", strategy="distill", student=PAPER_STUDENT, teacher=PAPER_TEACHER, n_labels=100,
            n_unlabeled=n, recipe=PRESETS["paper"],
        )
        for n in (1000, 3000)
    ]  # fmt: skip
    bills = PublishedHours(teacher_n=(100.0, 1000.0), teacher_hours=(3.0, 5.0), distill_text=0.01)
    both, small, large = (
        {c.model: c.gpu_hours for c in estimate_grid(chosen, {"stance": bills}, SPEED, 2.0)}
        for chosen in (specs, specs[:1], specs[1:])
    )
    assert both["published"] == pytest.approx(3.0 + 4000 * 0.01)
    assert both["modern"] is not None
    assert large["modern"] is not None
    assert small["modern"] is not None
    assert large["modern"] < both["modern"] < large["modern"] + small["modern"]


def test_hours_and_dollars_of_a_stage_are_teacher_and_texts() -> None:
    hours = Hours(
        model="modern", device_class="gpu", teacher_n=(100.0, 1000.0), teacher_hours=(1.0, 4.0), label_text=0.002, train_text=0.001,
        train_label=0.0,
    )  # fmt: skip
    made = paper._pair_estimate(get_task("stance"), hours, 10_000, 2.0)
    assert made.teacher_hours == pytest.approx(4.0)  # at 1,000 labels
    assert made.text_hours == pytest.approx(30.0)
    assert made.usd == pytest.approx(68.0)


def size(**counts: int) -> paper.SizeEstimate:
    zeros: dict[str, Any] = dict.fromkeys(paper.SizeEstimate.__slots__, 0)
    return paper.SizeEstimate(**{**zeros, **counts})


def test_at_the_use_that_bills_imply_modelled_hours_are_billed_hours() -> None:
    counted = {
        PAPER_TEACHER: size(forward_flops=2 * 10**12, step_flops=6 * 10**12),
        PAPER_STUDENT: size(forward_flops=10**10, step_flops=3 * 10**10),
    }
    gap = paper._gap(get_task("stance"), counted, 0.0012, 65.0, 10_000.0, SPEED)
    for what, use in (("texts", "texts"), ("labels", "teacher")):
        stated = SPEED.labelling if what == "texts" else SPEED.teacher_training
        implied = gap[f"implied_utilisation_{use}"]
        assert gap[f"modelled_hours_per_1k_{what}"] * stated / implied == pytest.approx(
            gap[f"billed_hours_per_1k_{what}"]
        )
    assert gap["billed_hours_per_1k_labels"] == pytest.approx(6.5)
    per_text = 2 * 10**12 + 50 * (2 * 10**12 + 3 * 10**10)  # label once; 50 epochs with the teacher in each step
    assert gap["modelled_hours_per_1k_texts"] == pytest.approx(1000 * per_text / (312e12 * 0.14) / 3600)


@pytest.mark.train
def test_a_size_is_counted_by_its_weights_its_cache_and_its_operations() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    made = paper._size_estimate(get_task("stance"), "t5-v1_1-small")
    gib = 2**30
    assert made.weights_bf16_gib == pytest.approx(2 * made.parameters / gib)
    texts = 100_000 * get_task("stance").target_tokens
    assert made.cache_gib == pytest.approx(2 * 512 * (texts + 32_128) / gib)
    assert made.step_flops == pytest.approx(3 * made.forward_flops, rel=0.02)
    assert math.isclose(made.formula_ratio, 1.0, rel_tol=0.01)
