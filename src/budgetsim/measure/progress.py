"""How far a campaign has come, told by the files of its runs; whoever trains them need not be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from budgetsim.design.points import DesignPoint
from budgetsim.measure.conductor import Campaign
from budgetsim.measure.events import Listener, ignore
from budgetsim.measure.show import predict_campaign, run_ids
from budgetsim.store.records import RunRecord, StageRecord, read_shards


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedPoint:
    """A finished run: what it was, its main score in percent, and when it was done."""

    point: DesignPoint
    metric: str
    score: float
    finished_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a campaign has done, spent and has ahead.

    planned, done : runs
    device_hours : of the stages that finished runs rest on, each counted once, whenever it was built
    cost_usd : of those hours; None without a price of the device
    hours_ahead, wall_hours_ahead : of devices and of the clock, as predicted from stages like those to come
    cost_ahead_usd : None without a price
    """

    planned: int
    done: int
    device_hours: float
    cost_usd: float | None
    hours_ahead: float
    wall_hours_ahead: float
    cost_ahead_usd: float | None
    runs: tuple[FinishedPoint, ...]

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.done >= self.planned

    @property
    def last_at(self) -> datetime | None:
        """When the last finished run was done."""
        return max((run.finished_at for run in self.runs), default=None)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks with a finished run."""
        return tuple(dict.fromkeys(run.point.design.task for run in self.runs))


def look_at(campaign: Campaign, listen: Listener = ignore) -> Progress:
    """How far a campaign is.

    raises : as `conductor.find_missing`
    """
    predicted = predict_campaign(campaign, listen)
    runs, stages = read_shards(campaign.paths.runs, [])
    ids = {run_id for of_task in run_ids(campaign).values() for run_id in of_task}
    done = [run for run in runs if run.point.run_id in ids]
    seconds = _device_seconds(done, stages)
    return Progress(
        planned=predicted["there"] + predicted["missing"],
        done=predicted["there"],
        device_hours=seconds / 3600,
        cost_usd=campaign.limits.cost_usd(seconds),
        hours_ahead=predicted["worker_hours"],
        wall_hours_ahead=predicted["wall_hours"],
        cost_ahead_usd=predicted["cost_usd"],
        runs=tuple(_finished(run) for run in sorted(done, key=lambda run: run.finished_at)),
    )


def _device_seconds(runs: Sequence[RunRecord], stages: Sequence[StageRecord]) -> float:
    needed = {stage for run in runs for stage in run.stages}
    return sum((s.seconds or 0.0) * (s.n_devices or 1) for s in stages if s.stage_id in needed)


def _finished(run: RunRecord) -> FinishedPoint:
    main = next(score for score in run.scores if score.is_main)
    return FinishedPoint(point=run.point, metric=main.metric, score=main.value, finished_at=run.finished_at)


def mean_scores(runs: Sequence[FinishedPoint]) -> dict[tuple[str, str, tuple[int, ...]], tuple[float, int]]:
    """Mean score and number of runs by task, route in words and counts of the inputs."""
    scores: dict[tuple[str, str, tuple[int, ...]], list[float]] = {}
    for run in runs:
        design = run.point.design
        scores.setdefault((design.task, design.route.label, design.inputs), []).append(run.score)
    return {key: (fmean(values), len(values)) for key, values in scores.items()}
