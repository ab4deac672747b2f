"""Caps on a campaign, with workers of clockwork: the cap is never passed, and what is done is kept."""

from __future__ import annotations

import heapq
import json
import math
import queue
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetsim.measure import crew as crew_module
from budgetsim.measure import events
from budgetsim.measure import process as process_module
from budgetsim.measure.crew import CampaignPlan, Crew
from budgetsim.measure.estimate import Estimator
from budgetsim.measure.executors import local as local_module
from budgetsim.measure.grid import load_grid
from budgetsim.measure.limits import Limits
from budgetsim.measure.process import Assignment
from budgetsim.measure.stages import PlannedStage
from budgetsim.measure.stagestore import Work
from budgetsim.store.records import StageRecord
from made import run_cli

STARTUP, RUN = 10.0, 20.0  # seconds


class Clockwork:
    """Workers that need STARTUP seconds to start and so many for each run, on a clock that only events move."""

    def __init__(self, seconds: float = RUN) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.hired = self._number = 0
        self.first_dies_after: float | None = None  # seconds
        self._events: list[tuple[float, int, object, events.WorkerEvent]] = []

    def monotonic(self) -> float:
        return self.now

    def later(self, seconds: float, worker: object, event: events.WorkerEvent) -> None:
        self._number += 1
        heapq.heappush(self._events, (self.now + seconds, self._number, worker, event))

    def get(self, timeout: float | None = None) -> tuple[object, events.WorkerEvent]:
        due = self._events[0][0]
        if timeout is not None and due > self.now + timeout:
            self.now += timeout
            raise queue.Empty
        self.now, _, worker, event = heapq.heappop(self._events)
        return worker, event

    def forget(self, worker: object) -> None:
        self._events = [e for e in self._events if e[2] is not worker]
        heapq.heapify(self._events)

    def worker(self, number: int, settings: object, pipe: object) -> FakeWorker:
        self.hired += 1
        worker = FakeWorker(number, self)
        if self.hired == 1 and self.first_dies_after is not None:
            self.later(self.first_dies_after, worker, events.Ended())
            worker.dies = self.now + self.first_dies_after
        return worker


class FakeWorker:
    """What a crew sees of a worker process."""

    exit_code = -15

    def __init__(self, number: int, clock: Clockwork) -> None:
        self.number, self.clock = number, clock
        self.alive, self.ready, self.queued, self.over = True, False, False, False
        self.assignment: Assignment | None = None
        self.born, self.left, self.dies = clock.now, 0.0, math.inf
        clock.later(STARTUP, self, events.Ready("x", "cpu"))

    @property
    def lifetime(self) -> float:
        return min(self.left if self.over else self.clock.now, self.dies) - self.born

    def give(self, assignment: Assignment) -> None:
        self.assignment = assignment
        assignment.began = self.clock.now if self.ready else None
        wait = self.clock.seconds + (0.0 if self.ready else STARTUP)
        if self.clock.now + wait > self.dies:
            return
        done = events.Done(run_id=assignment.spec.title, scores={"accuracy": 50.0})
        self.clock.later(wait, self, done)

    def take(self) -> Assignment:
        assert self.assignment is not None
        assignment, self.assignment = self.assignment, None
        return assignment

    def stop(self) -> None:
        if not self.over:
            self.over, self.left = True, self.clock.now
            self.clock.forget(self)
            self.clock.later(0.0, self, events.Ended())

    dismiss = stop


@pytest.fixture
def clockwork(monkeypatch: pytest.MonkeyPatch) -> Clockwork:
    clock = Clockwork()
    monkeypatch.setattr(local_module, "Worker", clock.worker)
    monkeypatch.setattr(crew_module, "time", clock)
    monkeypatch.setattr(process_module, "time", clock)
    return clock


def make_crew(clock: Clockwork, limits: Limits, *, runs: int = 6, predicted: float = RUN, workers: int = 2) -> Crew:
    spec = load_grid("cpu").specs(("fever",))[40]
    specs = [replace(spec, seed=i) for i in range(runs)]
    estimator = Estimator(startup=STARTUP)
    estimator.slowness = 1.0
    estimator.learn_overhead(predicted)  # a run of no stages takes just this
    plan = CampaignPlan(
        runs=[(spec, ()) for spec in specs], is_there=lambda _: True, settings={}, workers=workers, limits=limits,
        began=clock.now,
    )  # fmt: skip
    crew = Crew(plan, estimator, lambda _: None, lambda: None)
    crew._events = clock  # type: ignore[assignment]
    return crew


def dollars(seconds: float) -> Limits:
    """A cap that pays for so many seconds of one device."""
    return Limits(max_cost_usd=seconds, usd_per_hour=3600.0)


def test_without_a_cap_all_is_done(clockwork: Clockwork) -> None:
    crew = make_crew(clockwork, Limits())
    crew.work()
    assert (len(crew.finished), crew.stopped, clockwork.hired) == (6, None, 2)


@pytest.mark.parametrize("limits", [Limits(max_hours=25 / 3600), dollars(25)])
def test_a_cap_that_not_even_the_first_run_fits_into_starts_nothing(limits: Limits, clockwork: Clockwork) -> None:
    crew = make_crew(clockwork, limits)
    crew.work()
    assert clockwork.hired == 0
    assert crew.capped
    assert crew.device_seconds == 0
    assert isinstance(crew.stopped, events.CapAhead)
    assert (crew.stopped.startup_seconds, crew.stopped.run_seconds) == (STARTUP, RUN)


def test_hours_are_kept_and_a_higher_cap_does_the_rest(clockwork: Clockwork) -> None:
    crew = make_crew(clockwork, Limits(max_hours=60 / 3600))
    crew.work()
    assert crew.capped
    assert len(crew.finished) == 4  # two each: 10 s of starting, 2 x 20 s of work, and no third before 60 s
    assert crew.wall <= 60
    more = make_crew(clockwork, Limits(max_hours=1), runs=6 - len(crew.finished))
    more.work()
    assert len(more.finished) == 6 - len(crew.finished)


def test_dollars_are_kept_and_start_up_is_paid_for(clockwork: Clockwork) -> None:
    crew = make_crew(clockwork, dollars(120))
    crew.work()
    assert crew.capped
    assert 2 <= len(crew.finished) <= 4  # two workers pay for two starts
    assert crew.device_seconds <= 120


def test_a_second_worker_is_not_hired_where_only_one_start_is_paid_for(clockwork: Clockwork) -> None:
    crew = make_crew(clockwork, dollars(60))
    crew.work()
    assert clockwork.hired == 1
    assert len(crew.finished) >= 1
    assert crew.device_seconds <= 60


@pytest.mark.parametrize("limits", [Limits(max_hours=50 / 3600), dollars(50)])
def test_a_run_that_takes_longer_than_predicted_is_cut_at_the_cap(limits: Limits, clockwork: Clockwork) -> None:
    clockwork.seconds = 6000.0
    crew = make_crew(clockwork, limits, workers=1)
    crew.work()
    assert crew.capped
    assert crew.finished == []
    assert crew.failed == []  # cut is not failed: the same command does it again
    assert crew.wall <= 50
    assert crew.device_seconds <= 50


@pytest.mark.parametrize(("cap", "hired", "done", "paid"), [(50, 2, 1, 45), (40, 1, 0, 15)])
def test_a_worker_that_died_is_paid_for_once(cap: int, hired: int, done: int, paid: int, clockwork: Clockwork) -> None:
    """The first dies 15 s old; another needs 10 s to start and 20 s for its run: 45 s in all."""
    clockwork.first_dies_after = 15.0
    crew = make_crew(clockwork, dollars(cap), workers=1)
    notices: list[events.Notice] = []
    crew.listen = notices.append
    crew.work()
    assert (clockwork.hired, len(crew.finished), crew.device_seconds) == (hired, done, paid)
    assert crew.capped
    assert any(isinstance(notice, events.Stopping) and notice.began for notice in notices)


def test_a_full_disk_stops_the_campaign_whatever_its_message_says(clockwork: Clockwork) -> None:
    crew = make_crew(clockwork, Limits())
    crew._hire(0)
    clockwork.forget(crew._workers[0])
    crew._handle(crew._workers[0], events.Failed(message="The disk of x is full, says a library"))
    assert crew.stopped is None  # only the type decides
    crew._handle(crew._workers[0], events.Failed(message="no words", disk_full=True))
    assert crew.stopped == events.DiskFull()
    assert not crew.capped
    assert [failure.message for failure in crew.failed if isinstance(failure, events.RunFailed)] == [
        "The disk of x is full, says a library", "no words",
    ]  # fmt: skip


def test_events_survive_the_pipe() -> None:
    record = StageRecord(stage_id="x", kind="encode", task="t", seconds=1.5, provenance={"part": "pool"})
    for event in (
        events.Ready("a card", "gpu"),
        events.Progress("student", 3, 9),
        events.Done(run_id="r", scores={"f1": 50.0, "accuracy": 60.0}, built=(record,)),
        events.Failed(message="m", disk_full=True, built=(record,)),
        events.Refused("m"),
        events.Warned("m"),
        events.Ended(),
    ):
        assert events.decode_event(events.encode_event(event)) == event
    for torn in ('{"event": "Don', "[]", '{"event": "Unheard"}', '{"event": "Ready"}'):
        with pytest.raises(ValueError, match=r"."):
            events.decode_event(torn)


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.integers(1, 4), st.floats(0.01, 10), st.floats(0.01, 10))
def test_nothing_fits_that_would_end_after_the_time_left(
    wall: float, device: float, n: int, hours: float, usd: float
) -> None:
    limits = Limits(max_hours=hours, max_cost_usd=usd, usd_per_hour=1.5)
    left = limits.seconds_left(wall=wall, device=device, n_devices=n)
    assert left is not None
    more = left + 1e-3 + 1e-6 * left
    assert limits.passed(wall=wall + more, device=device + n * more, n_devices=n) is not None


def test_the_command_says_so_and_starts_nothing(tmp_path: Path) -> None:
    store = str(tmp_path / "toy" / "budgetsim.duckdb")
    run = ("--strategy", "annotate", "--task", "toy_requests", "--student", "tfidf-lr", "--n-labels", "60")
    for words in (["--max-hours", "0.0000001"], ["--max-cost", "0.00000001"]):
        done = run_cli("measure", *run, *words, "--store", store, "--json")
        assert done.returncode == 3
        outcome = json.loads(done.stdout)["outcome"]
        assert (outcome["done"], outcome["worker_seconds"], outcome["capped"]) == (0, 0.0, True)
        assert "No run was finished within the cap" in done.stderr


def test_times_are_predicted_from_like_stages() -> None:
    def stage(model: str, task: str, examples: int) -> PlannedStage:
        return PlannedStage(
            kind="train_student", depends_on={}, about={"model": model, "task": task, "n_unlabeled": 0},
            examples=examples, build=lambda *_: Work(),
        )  # fmt: skip

    done = StageRecord(
        stage_id="x", kind="train_student", task="fever", model="pico", seconds=20.0, examples=1000, device_class="cpu",
        provenance={"cpu_seconds": 10.0},
    )  # fmt: skip
    estimator = Estimator()
    estimator.prime([done])
    assert estimator.base(stage("pico", "fever", 2000)) == pytest.approx(20.0)  # CPU seconds, in proportion
    assert estimator.base(stage("pico", "stance", 500)) == pytest.approx(5.0)  # another task's rate
    assert estimator.base(stage("mini", "fever", 1000)) > 50.0  # a larger model
    estimator.slowness = estimator._first = 1.0
    for _ in range(40):
        estimator.learn(done, predicted=15.0)
    assert estimator.slowness == pytest.approx(2.0, abs=0.15)  # the clock runs twice as slow as the rates
    assert estimator.stage(stage("pico", "fever", 1000)) == pytest.approx(20.0, rel=0.08)
    assert estimator.error == pytest.approx(0.25)
