"""What executors cost and save.

    python bench/executors.py day                      # a simulated day on 64 nodes, on a virtual clock
    python bench/executors.py overhead [--engine ray]  # seconds a run costs besides its work, against the bare engine
    python bench/executors.py scaling [--engine ray]   # 1, 2 and 4 workers, with runs that sleep

`day` is the scheduler's own code (crew, rota, patience with losses) on a made cluster: 10,000 runs of 100 teachers on
64 nodes that live 4 hours on average. A teacher takes an hour with a checkpoint every five minutes, a student six
minutes, a worker a minute to start, a lost node five minutes to be replaced (unpaid). Beside it the same cluster with
one job a run: no unit stays with a worker, and every run pays for its start. Both claim stages by leases, so no teacher
is trained twice at once.

`overhead` and `scaling` use real workers that sleep instead of training, so neither needs a machine of its own. `slurm`
needs SLURM_CONF of `tools/slurm.sh up`; `ray` starts a Ray of its own.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from budgetsim.measure import Campaign, RunSpec, get_preset, make_spec, run_campaign
from budgetsim.measure import crew as crew_module
from budgetsim.measure import process as process_module
from budgetsim.measure.crew import CampaignPlan, Crew
from budgetsim.measure.estimate import Estimator
from budgetsim.measure.events import Done, Ended, FinishedRun, Ready, WorkerEvent
from budgetsim.measure.executors import ExecutorOptions, Patience, choose_executor
from budgetsim.measure.executors import cluster as cluster_module
from budgetsim.measure.executors.units import Rota
from budgetsim.measure.limits import Limits
from budgetsim.measure.process import Assignment
from budgetsim.measure.stages import PlannedStage
from budgetsim.measure.stagestore import Work
from budgetsim.store.location import StorePaths

HOUR = 3600.0
NODES, RUNS, TEACHERS = 64, 10_000, 100
CPUS = 4  # of the Ray that is started here, whatever the machine has
LIFE, TEACHER, STUDENT, CHECKPOINT, START, REPLACE = 4 * HOUR, HOUR, 360.0, 300.0, 60.0, 300.0


# A day on a virtual clock


@dataclass(slots=True)
class Teacher:
    """A teacher of the made cluster: how far its checkpoints are, who trains it, who waits."""

    saved: float = 0.0
    made: bool = False
    builder: Node | None = None
    waiting: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Ledger:
    """Seconds of nodes, by what they were for."""

    start: float = 0.0
    teachers: float = 0.0
    teachers_lost: float = 0.0
    students: float = 0.0
    students_lost: float = 0.0
    waits: float = 0.0
    deaths: int = 0


class Clock:
    """Time that events move; also the queue that a crew reads."""

    def __init__(self) -> None:
        self.now, self._n = 0.0, 0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._out: list[tuple[Node, WorkerEvent]] = []

    def monotonic(self) -> float:
        return self.now

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        self._n += 1
        heapq.heappush(self._due, (self.now + seconds, self._n, what))

    def put(self, node: Node, event: WorkerEvent) -> None:
        self._out.append((node, event))

    def get(self, timeout: float | None = None) -> tuple[Node, WorkerEvent]:
        while not self._out:
            self.now, _, what = heapq.heappop(self._due)
            what()
        return self._out.pop(0)


class Node:
    """A node as a crew sees a worker; what it does is a chain of events."""

    exit_code = None

    def __init__(self, number: int, cloud: Cloud, wait: float) -> None:
        self.number, self.cloud = number, cloud
        self.alive, self.ready, self.queued = True, False, True
        self.assignment: Assignment | None = None
        self.born: float | None = None
        self.died: float | None = None
        self.busy_from = 0.0
        self.on: Teacher | None = None
        self.part = ""
        cloud.clock.later(wait, self.boot)

    @property
    def lifetime(self) -> float:
        return 0.0 if self.born is None else (self.cloud.clock.now if self.died is None else self.died) - self.born

    def boot(self) -> None:
        if self.died is None:
            self.born = self.busy_from = self.cloud.clock.now
            self.part = "start"
            self.cloud.clock.later(self.cloud.chance.expovariate(1 / LIFE), self.die)
            self._after(START, lambda: self._close() or self.cloud.clock.put(self, Ready("made", "gpu")))

    def _after(self, seconds: float, then: Callable[[], Any]) -> None:
        self.cloud.clock.later(seconds, lambda: None if self.died is not None else then())

    def _close(self) -> None:
        """Book what the node did since `busy_from`."""
        took, book = self.cloud.clock.now - self.busy_from, self.cloud.ledger
        name = {"start": "start", "teacher": "teachers", "student": "students"}.get(self.part, "waits")
        setattr(book, name, getattr(book, name) + took)
        self.busy_from, self.part = self.cloud.clock.now, ""

    def give(self, assignment: Assignment) -> None:
        self._close()
        self.assignment = assignment
        assignment.began = self.cloud.clock.now
        if self.cloud.a_job_a_run:
            self.part = "start"
            self._after(START, lambda: self._close() or self.work())
        else:
            self.work()

    def work(self) -> None:
        assert self.assignment is not None
        teacher = self.cloud.teacher(self.assignment.spec)
        if teacher.made:
            self.on, self.part = None, "student"
            self._after(STUDENT, self.finish)
        elif teacher.builder is None:
            self.on, self.part, teacher.builder = teacher, "teacher", self
            self._after(TEACHER - teacher.saved, self.taught)
        else:
            self.on, self.part = teacher, ""
            teacher.waiting.append(self)

    def taught(self) -> None:
        assert self.on is not None
        self._close()
        teacher, self.on = self.on, None
        teacher.made, teacher.builder = True, None
        for node in [self, *teacher.waiting]:
            if node is not self:
                node._close()
            node.work()
        teacher.waiting.clear()

    def finish(self) -> None:
        self._close()
        assert self.assignment is not None
        self.cloud.clock.put(self, Done(run_id=self.assignment.spec.title, scores={"accuracy": 50.0}))

    def die(self) -> None:
        if self.died is not None:
            return
        clock, book = self.cloud.clock, self.cloud.ledger
        worked = clock.now - self.busy_from
        if self.part == "teacher" and self.on is not None:
            kept = (self.on.saved + worked) // CHECKPOINT * CHECKPOINT
            book.teachers_lost += self.on.saved + worked - kept
            book.teachers += kept - self.on.saved
            self.on.saved, self.on.builder = kept, None
        elif self.part == "student":
            book.students_lost += worked
        else:
            self._close()
        self.died = clock.now
        book.deaths += 1
        if self.on is not None and self in self.on.waiting:
            self.on.waiting.remove(self)
        elif self.on is not None and self.on.waiting:
            successor = self.on.waiting.pop(0)
            successor._close()
            successor.work()
        clock.put(self, Ended())

    def take(self) -> Assignment:
        assert self.assignment is not None
        assignment, self.assignment = self.assignment, None
        return assignment

    def stop(self) -> None:
        if self.died is None:
            self._close() if self.born is not None else None
            self.died = self.cloud.clock.now
            self.cloud.clock.put(self, Ended())

    dismiss = stop


@dataclass(slots=True)
class Cloud:
    """The made cluster, as an executor."""

    chance: random.Random
    a_job_a_run: bool = False
    clock: Clock = field(default_factory=Clock)
    ledger: Ledger = field(default_factory=Ledger)
    name: str = "made"
    patience: Patience = field(default_factory=Patience)
    nodes: list[Node] = field(default_factory=list)
    teachers: dict[int, Teacher] = field(default_factory=dict)

    def teacher(self, spec: RunSpec) -> Teacher:
        return self.teachers.setdefault(spec.seed, Teacher())

    def open(self) -> int:
        return NODES

    def hire(self, number: int, settings: Mapping[str, Any], events: object) -> Node:
        first = len(self.nodes) < NODES
        self.nodes.append(Node(number, self, 0.0 if first else REPLACE))
        return self.nodes[-1]

    def end(self, workers: Sequence[Node]) -> None:
        for worker in workers:
            worker.stop()

    def close(self) -> None:
        """Nothing is left."""


def day(seed: int, *, a_job_a_run: bool, shuffled: bool = False) -> dict[str, float]:
    """One campaign on the made cluster."""
    cloud = Cloud(random.Random(seed), a_job_a_run)  # noqa: S311
    crew_module.time = process_module.time = cloud.clock  # type: ignore[attr-defined]
    recipe = get_preset("cpu")
    common = {"strategy": "distill", "task": "toy_requests", "teacher": "nano", "student": "pico", "n_labels": 60}
    specs = [
        make_spec(**common, n_unlabeled=u + 1, seed=t, recipe=recipe)
        for t in range(TEACHERS)
        for u in range(RUNS // TEACHERS)
    ]
    if shuffled:
        random.Random(seed).shuffle(specs)  # noqa: S311
    teachers = {t: _stage("finetune_teacher", t) for t in range(TEACHERS)}
    plan = CampaignPlan(
        runs=[(spec, (teachers[spec.seed], _stage("train_student", i))) for i, spec in enumerate(specs)],
        is_there=lambda stage: (
            stage.kind == "finetune_teacher" and cloud.teachers.get(stage.depends_on["n"], Teacher()).made
        ),
        settings={}, workers=NODES, limits=Limits(), began=0.0, executor=cloud,  # type: ignore[arg-type]
    )  # fmt: skip
    estimator = Estimator(here=False)
    by_day: list[FinishedRun] = []
    crew = Crew(plan, estimator, lambda _: None, lambda: None)
    crew.every_run = lambda: by_day.append(crew.finished[-1]) if cloud.clock.now <= 24 * HOUR else None
    crew._events = cloud.clock  # type: ignore[assignment]
    if a_job_a_run:
        crew._rota = Rota([[spec] for spec in specs], lambda _: True)
    crew.work()
    assert len(crew.finished) == RUNS
    book, paid = cloud.ledger, crew.device_seconds
    booked = sum(
        getattr(book, name) for name in ("start", "teachers", "teachers_lost", "students", "students_lost", "waits")
    )
    assert abs(booked - paid) < 1e-3 * paid, (booked, paid)  # every second of a node is booked once
    return {
        "hours until all is done": crew.wall / HOUR,
        "runs done in 24 h": len(by_day),
        "node-hours paid": paid / HOUR,
        "nodes lost": book.deaths,
        "teacher work lost, hours": book.teachers_lost / HOUR,
        "teacher work lost, %": 100 * book.teachers_lost / book.teachers,
        "student work lost, hours": book.students_lost / HOUR,
        "starting, %": 100 * book.start / paid,
        "idle, %": 100 * book.waits / paid,
    }


def _stage(kind: str, n: int) -> PlannedStage:
    about = {"model": "nano", "task": "toy_requests", "n_unlabeled": 0}
    return PlannedStage(kind=kind, depends_on={"n": n}, about=about, examples=1, build=lambda *_: Work())


def day_table(seeds: int) -> None:
    ways = {
        "units": {"a_job_a_run": False},
        "a job a run": {"a_job_a_run": True},
        "a job a run, shuffled": {"a_job_a_run": True, "shuffled": True},
    }
    began = time.perf_counter()
    found = {name: [day(seed, **way) for seed in range(seeds)] for name, way in ways.items()}
    print(f"{RUNS:,} runs of {TEACHERS} teachers on {NODES} nodes that live {LIFE / HOUR:g} h; mean of {seeds} days")
    print(f"{'':26s}" + "".join(f"{name:>24s}" for name in ways))
    for what in found["units"][0]:
        cells = (statistics.fmean(one[what] for one in days) for days in found.values())
        print(f"{what:26s}" + "".join(f"{value:24,.2f}" for value in cells))
    print(f"simulated in {time.perf_counter() - began:.0f} s")


# Real workers that sleep


def worker(settings: str, seconds: float) -> None:
    """A worker whose runs sleep: everything else is as it is."""
    from budgetsim.measure import worker as module
    from budgetsim.measure.execute import Result
    from budgetsim.measure.record import Finished, make_record
    from budgetsim.store.records import Score, write_shard

    def sleep(spec: RunSpec, workspace: Any, paths: StorePaths) -> Finished:
        time.sleep(seconds)
        record = make_record(
            spec, workspace, Result((Score(metric="accuracy", value=50.0, n_test=9, is_main=True),), ())
        )
        return Finished(record, write_shard(paths.runs, record, []))

    module.measure_one = sleep
    module.prepare = lambda threads: None  # no torch: nothing is trained
    module.find_device = lambda: ("cpu", "asleep")
    sys.argv = [sys.argv[0], settings]
    module.main()


def sleeping(engine: str, workers: int, runs: int, seconds: float) -> float:
    """Wall seconds of runs that sleep, from the first worker's readiness to the last run."""
    real = cluster_module.ClusterExecutor._job

    def job(self: Any, name: str, box: Any, settings: Mapping[str, Any]) -> Any:
        made = real(self, name, box, settings)
        return replace(made, words=[__file__, "worker", made.words[-1], str(seconds)])

    cluster_module.ClusterExecutor._job = job  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as home:
        paths, cache = StorePaths(Path(home) / "s" / "x.duckdb"), Path(home) / "cache"
        specs = [
            make_spec(strategy="annotate", task="toy_requests", student="tfidf-lr", n_labels=60, seed=n,
                      recipe=get_preset("cpu")) for n in range(runs)
        ]  # fmt: skip
        executor = choose_executor(engine, ExecutorOptions(beat_seconds=1), cache, paths)
        campaign = Campaign(specs=specs, paths=paths, cache=cache, workers=workers, executor=executor)
        ready: list[float] = []
        real_ready = Crew._ready

        def noted(self: Crew, worker: Any) -> None:
            ready.append(time.monotonic())
            real_ready(self, worker)

        ended: list[float] = []
        Crew._ready = noted  # type: ignore[method-assign]
        try:
            outcome = run_campaign(campaign, lambda notice: ended.append(time.monotonic()))
        finally:
            Crew._ready, cluster_module.ClusterExecutor._job = real_ready, real  # type: ignore[method-assign]
        assert outcome.done == runs, outcome
    return ended[-1] - ready[0]


def bare(engine: str, workers: int, runs: int, seconds: float) -> float:
    """Wall seconds of as many sleeps as plain tasks of the engine, a task a run."""
    if engine == "ray":
        import ray

        sleep = ray.remote(num_cpus=CPUS / workers)(lambda seconds: time.sleep(seconds))
        ray.get([sleep.remote(0) for _ in range(workers)])
        began = time.monotonic()
        ray.get([sleep.remote(seconds) for _ in range(runs)])
        return time.monotonic() - began
    began = time.monotonic()
    command = ["sbatch", "-W", f"--array=0-{runs - 1}%{workers}", "-o", "/dev/null", "--wrap", f"sleep {seconds}"]
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - began


def start_ray(engine: str) -> None:
    if engine == "ray":
        import ray

        os.environ.update(RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0", RAY_worker_niceness="0")  # Ray's own is 15
        ray.init("local", num_cpus=CPUS, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
                 object_store_memory=80 * 2**20, _node_ip_address="127.0.0.1")  # fmt: skip


def overhead(engine: str, runs: int, seconds: float) -> None:
    start_ray(engine)
    ours, theirs = sleeping(engine, 1, runs, seconds), bare(engine, 1, runs, seconds)
    a_run, of_bare = ours / runs - seconds, theirs / runs - seconds
    print(f"{engine}: {runs} runs of {seconds:g} s on one worker: {ours:.1f} s, as bare tasks {theirs:.1f} s")
    print(f"a run costs {a_run:.2f} s besides its work, a bare task {of_bare:.2f} s: {a_run - of_bare:+.2f} s a run")
    print(f"of a run of 60 s that is {100 * (60 + a_run) / (60 + of_bare) - 100:+.2f} % (goal: at most 5 %)")
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")


def scaling(engine: str, runs: int, seconds: float) -> None:
    start_ray(engine)
    alone = 0.0
    for workers in (1, 2, 4):
        took = sleeping(engine, workers, runs, seconds)
        alone = alone or took
        print(
            f"{engine}: {runs} runs of {seconds:g} s on {workers} workers: {took:6.1f} s, {alone / took:.2f} times as "
            f"fast as one, {100 * alone / took / workers:.0f} % of ideal"
        )
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")


def main() -> None:
    if sys.argv[1:2] == ["worker"]:
        json.loads(sys.argv[2])
        worker(sys.argv[2], float(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("day", "overhead", "scaling"))
    parser.add_argument("--engine", choices=("ray", "slurm"), default="ray")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--days", type=int, default=3)
    given = parser.parse_args()
    if given.what == "day":
        day_table(given.days)
    elif given.what == "overhead":
        overhead(given.engine, given.runs, given.seconds)
    else:
        scaling(given.engine, given.runs, given.seconds)


if __name__ == "__main__":
    main()
