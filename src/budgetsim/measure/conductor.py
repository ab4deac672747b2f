"""The conductor: what is missing -> worker processes -> run files -> the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from budgetsim.costs.rates import Utilisation
from budgetsim.data.loading import Access
from budgetsim.data.tasks import get_task
from budgetsim.errors import InputError, StoreLockedError
from budgetsim.labelers import is_labeler
from budgetsim.labelers.ledger import spent_since
from budgetsim.labelers.purse import Purse
from budgetsim.labelers.server import Server
from budgetsim.measure.crew import CampaignPlan, Crew, share_out
from budgetsim.measure.desks import ANSWERS, desk_at, desk_values
from budgetsim.measure.estimate import Estimator, Timed, prediction_error
from budgetsim.measure.events import (
    CutToTexts,
    FinishedRun,
    LeftOut,
    Listener,
    Planned,
    RunFailed,
    RunLost,
    StopReason,
    Warned,
    ignore,
)
from budgetsim.measure.executors import Executor, LocalExecutor
from budgetsim.measure.limits import Limits
from budgetsim.measure.resolve import check_spec
from budgetsim.measure.signals import SignalReceived, stop_on_signals
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stages import PlannedStage, count_texts_once, plan_stages
from budgetsim.measure.stages.llm_labels import knock_at_servers
from budgetsim.measure.stagestore import Device, StageStore
from budgetsim.measure.workspace import CHECKPOINT_EVERY, Workspace
from budgetsim.store.location import StorePaths
from budgetsim.store.merge import merge
from budgetsim.store.records import read_shards

MERGE_EVERY: Final = 25  # runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A list of runs, the store they go to, and how they may be done."""

    specs: Sequence[RunSpec]
    paths: StorePaths
    cache: Path
    workers: int = 1  # 0: as many as the executor has room for
    threads: int = 1
    limits: Limits = field(default_factory=Limits)
    access: Access = field(default_factory=Access)
    checkpoint_every: int = CHECKPOINT_EVERY  # steps
    server: Server = field(default_factory=Server)  # that labelers ask
    purse: Purse = field(default_factory=Purse)  # that their requests are paid from
    executor: Executor = field(default_factory=LocalExecutor)
    measured: Utilisation | None = None  # speeds of the device on a card, for what was never timed here
    leave_out: bool = False  # whether runs that the task cannot give are left out instead of refused


@dataclass(frozen=True, slots=True, kw_only=True)
class KindTimes:
    """Stages of one kind that a campaign built: seconds predicted before each began, and taken."""

    kind: str
    n: int
    predicted_seconds: float
    seconds: float
    error: float | None  # sum |predicted - took| / sum taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a campaign came to; seconds are wall clock."""

    planned: int
    there_before: int
    done: int
    failed: tuple[RunFailed | RunLost, ...]
    stopped: StopReason | None  # why it ended early
    capped: bool  # whether that was a cap
    seconds: float
    worker_seconds: float  # of every process from its start to its end: what devices are paid for
    cost_usd: float | None  # of those seconds; None without a price
    requests_usd: float  # of requests to LLMs, as billed; unpriced ones count as nothing
    prediction_error: float | None  # of the stages built: sum |predicted - took| / sum taken
    prediction_bias: float | None  # sum predicted / sum taken
    predictions: tuple[KindTimes, ...]
    scores: tuple[FinishedRun, ...]


def find_missing(campaign: Campaign, listen: Listener = ignore) -> tuple[list[RunSpec], list[RunSpec]]:
    """The runs that are in the store's files already, and those that are not.

    raises : InputError where a run asks for what the task cannot give (of a grid such runs are left
        out, and said), EndpointError where a server that must be asked is not there
    """
    refuse_toys(campaign)
    done = {run.point.run_id for run in read_shards(campaign.paths.runs, [])[0]}  # damaged ones are run again
    workspace = open_view(campaign)
    stored: list[RunSpec] = []
    missing: list[RunSpec] = []
    refused: dict[str, list[RunSpec]] = {}
    for spec in campaign.specs:
        workspace.split(spec)  # a task that cannot be read is an error, never left out
        try:
            check_spec(spec, workspace)
        except InputError as error:
            if not campaign.leave_out:
                raise
            refused.setdefault(_reason(spec, error), []).append(spec)
            continue
        (stored if workspace.point(spec).run_id in done else missing).append(spec)
    for why, specs in refused.items():
        listen(LeftOut(len(specs), why))
    knock_at_servers(missing, workspace)
    if campaign.specs and not stored and not missing:
        raise InputError(f"Nothing of the grid can be run: {next(iter(refused))}")
    return stored, missing


def cut_to_tasks(campaign: Campaign, listen: Listener = ignore) -> Campaign:
    """A grid's runs with no more texts than a user's own task has; grids are written for the tasks that ship."""
    workspace = open_view(campaign)
    specs, cut = [], 0
    for spec in campaign.specs:
        n = _texts_of_own(spec, workspace)
        counts = {name: min(getattr(spec.design, name), n) for name in ("n_unlabeled", "n_llm_labels")} if n else {}
        specs.append(replace(spec, design=replace(spec.design, **counts)))
        cut += specs[-1] != spec
    if cut:
        listen(CutToTexts(cut))
    return replace(campaign, specs=list(dict.fromkeys(specs)))


def _texts_of_own(spec: RunSpec, workspace: Workspace) -> int:
    """Texts of a user's own task that a run may use; 0 where it is another's or has none."""
    if not spec.uses_pool or get_task(spec.task).origin != "custom":
        return 0
    try:
        pool = workspace.pool(spec)
    except InputError:
        return 0  # refused later, with its reason
    return len(pool.rows) if pool is not None else 0


def _reason(spec: RunSpec, error: InputError) -> str:
    return str(error).replace(spec.title, f"{spec.task} {spec.route.strategy}")


def refuse_toys(campaign: Campaign) -> None:
    """Generated rows never go into a project's results."""
    toys = [s.task for s in campaign.specs if get_task(s.task).origin == "generated"]
    if toys and campaign.paths.folder.name == "results":
        raise InputError(
            f"{toys[0]} is generated by budgetsim, so its runs do not belong into {campaign.paths.folder.name}/: "
            f"pass --store with a path elsewhere, e.g. --store /tmp/toy/budgetsim.duckdb."
        )


def run_campaign(campaign: Campaign, listen: Listener, began: float | None = None) -> Outcome:
    """Do what is missing; every finished run is a file at once and in the database soon.

    began : on the monotonic clock, what a cap in hours counts from; now by default

    raises : StoppedError at a signal, when the workers have ended; StoreLockedError at the end,
        when everything is done, where the database stayed locked; whatever `Executor.open` does
    """
    start = time.monotonic() if began is None else began
    refuse_toys(campaign)
    room = campaign.executor.open()
    try:
        return _run(replace(campaign, workers=campaign.workers or room), listen, start)
    finally:
        campaign.executor.close()


def _run(campaign: Campaign, listen: Listener, start: float) -> Outcome:
    stored, missing = find_missing(campaign, listen)
    listen(Planned(len(stored), len(missing)))
    estimator = prepare_estimator(campaign)
    crew = Crew(_plan(campaign, missing, start), estimator, listen, lambda: None)
    crew.every_run = lambda: _merge_sometimes(crew, campaign.paths)
    with stop_on_signals():
        try:
            crew.work()
        except SignalReceived as received:
            campaign.executor.close()
            crew.close()
            if crew.finished:
                _merge(campaign.paths, ignore, wait_seconds=0.0)
            raise received.error(f"{len(crew.finished)} of {len(missing)} runs are done and kept") from None
        finally:
            crew.close()
        locked = _merge(campaign.paths, listen) if crew.finished or stored else None
    if crew.refused is not None:
        raise crew.refused
    if locked is not None:
        raise locked
    return _outcome(crew, estimator, campaign, len(stored), len(missing))


def prepare_estimator(campaign: Campaign) -> Estimator:
    """What the store's stages say about times."""
    gpu = any(spec.recipe.preset == "paper" for spec in campaign.specs)
    here = campaign.executor.name == "local"
    estimator = Estimator(workers=campaign.workers, gpu=gpu, here=here, measured=campaign.measured)
    estimator.prime(read_shards(campaign.paths.runs, [])[1])
    return estimator


def _plan(campaign: Campaign, missing: Sequence[RunSpec], began: float) -> CampaignPlan:
    workspace = open_view(campaign)
    return CampaignPlan(
        runs=count_texts_once([(spec, plan_stages(spec, workspace)) for spec in missing], built_in(workspace)),
        is_there=built_in(workspace),
        settings={
            "database": str(campaign.paths.database),
            "cache": str(campaign.cache),
            "threads": campaign.threads,
            "checkpoint_every": campaign.checkpoint_every,
            "desk": desk_values(campaign.server, campaign.purse),
            "access": asdict(campaign.access),
        },
        workers=campaign.workers,
        limits=campaign.limits,
        began=began,
        paid=partial(_paid, campaign, missing),
        executor=campaign.executor,
    )


def units_to_do(campaign: Campaign) -> list[list[RunSpec]]:
    """What is missing, in units for jobs of any engine."""
    workspace = open_view(campaign)
    return share_out([(spec, plan_stages(spec, workspace)) for spec in find_missing(campaign)[1]])


def _paid(campaign: Campaign, missing: Sequence[RunSpec]) -> float:
    """Dollars of the requests of this campaign so far."""
    if not any(spec.strategy.has_labeler or is_labeler(spec.teacher) for spec in missing):
        return 0.0
    return float(spent_since(campaign.cache / ANSWERS, campaign.purse.since))


def built_in(workspace: Workspace) -> Callable[[PlannedStage], bool]:
    """Whether the files of a stage lie in the cache."""
    return lambda stage: workspace.stages.place(stage.kind, stage.key).is_dir()


def open_view(campaign: Campaign) -> Workspace:
    """A workspace to look into, not to work in: splits, pools and which stages are there."""
    desk = desk_at(campaign.cache, campaign.server, campaign.purse)
    return Workspace(StageStore(campaign.cache, Device("cpu", "")), campaign.access, desk=desk)


def _outcome(crew: Crew, estimator: Estimator, campaign: Campaign, stored: int, missing: int) -> Outcome:
    cost = campaign.limits.cost_usd(crew.device_seconds)
    return Outcome(
        planned=stored + missing,
        there_before=stored,
        done=len(crew.finished),
        failed=tuple(crew.failed),
        stopped=crew.stopped,
        capped=crew.capped,
        seconds=round(crew.wall, 1),
        worker_seconds=round(crew.device_seconds, 1),
        cost_usd=None if cost is None else round(cost, 6),
        requests_usd=round(crew.plan.paid(), 6),
        prediction_error=estimator.error,
        prediction_bias=estimator.bias,
        predictions=_by_kind(estimator.timed),
        scores=tuple(crew.finished),
    )


def _by_kind(timed: Sequence[Timed]) -> tuple[KindTimes, ...]:
    kinds: dict[str, list[Timed]] = {}
    for stage in timed:
        kinds.setdefault(stage.kind, []).append(stage)
    return tuple(
        KindTimes(
            kind=kind,
            n=len(stages),
            predicted_seconds=round(sum(t.predicted for t in stages), 2),
            seconds=round(sum(t.took for t in stages), 2),
            error=prediction_error(stages),
        )
        for kind, stages in kinds.items()
    )


def _merge_sometimes(crew: Crew, paths: StorePaths) -> None:
    if len(crew.finished) % MERGE_EVERY == 0:
        _merge(paths, crew.listen)


def _merge(paths: StorePaths, listen: Listener, wait_seconds: float | None = None) -> StoreLockedError | None:
    try:
        for line in merge(paths, wait_seconds=wait_seconds).refused:
            listen(Warned(line))
    except StoreLockedError as error:
        listen(Warned(str(error)))
        return error
    return None
