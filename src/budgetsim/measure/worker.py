"""A worker process: specs in, events out, one JSON line each, by pipes or by files of a folder (`posts`).

One worker is one thread of one core, or a node's share; the conductor starts as many as it may use. A worker ends when
its input does, after the run it is at.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from pathlib import Path

from budgetsim.data.custom import register_custom_tasks
from budgetsim.data.loading import Access
from budgetsim.errors import BudgetsimError, DiskFullError
from budgetsim.labelers.purse import Purse
from budgetsim.labelers.server import Server
from budgetsim.learners.device import find_device, prepare
from budgetsim.measure.desks import desk_at, desk_from
from budgetsim.measure.events import (
    Done,
    Failed,
    Progress,
    Ready,
    Refused,
    Warned,
)
from budgetsim.measure.leases import Locks
from budgetsim.measure.posts import Post, open_post
from budgetsim.measure.record import measure_one
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stagestore import Device, StageStore
from budgetsim.measure.workspace import Workspace
from budgetsim.store.location import StorePaths
from budgetsim.store.records import StageRecord, read_shards


def main() -> None:
    """Serve specs until the input ends. Arguments: one JSON object of settings."""
    settings = json.loads(sys.argv[1])
    post = open_post(settings)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[_Warnings(post)])
    paths = StorePaths(Path(settings["database"]))
    try:
        workspace = open_workspace(
            paths,
            Path(settings["cache"]),
            Access(**settings["access"]),
            threads=settings["threads"],
            locks=post.locks,
        )
    except BudgetsimError as error:
        post.send(Refused(str(error)))
        return
    workspace.desk = desk_from(settings["desk"], Path(settings["cache"]))
    workspace.checkpoint_every = settings["checkpoint_every"]
    workspace.progress = lambda what, done, of: post.send(Progress(what, done, of))
    post.send(Ready(workspace.stages.device.name, workspace.stages.device.kind))
    for spec in post.runs():
        _serve(spec, workspace, post.store or paths, post)
    post.close()


def open_workspace(
    paths: StorePaths, cache: Path, access: Access, *, threads: int = 1, locks: Locks | None = None
) -> Workspace:
    """What a process needs to run specs: stages on disk, the device, threads, the user's own tasks.

    locks : of stages; None where all builders are on this machine
    raises : MissingExtraError where torch or transformers is not installed, InputError where the environment names an
        address of a server that is none
    """
    prepare(threads)
    register_custom_tasks(paths.folder / "tasks")
    recorded = {stage.stage_id: stage for stage in read_shards(paths.runs, [])[1]}
    desk = desk_at(cache, Server.at(), Purse())
    return Workspace(StageStore(cache, Device(*find_device()), recorded, locks), access, desk=desk)


def _serve(spec: RunSpec, workspace: Workspace, paths: StorePaths, post: Post) -> None:
    try:
        finished = measure_one(spec, workspace, paths)
    except BudgetsimError as error:
        full = isinstance(error, DiskFullError)
        post.send(Failed(message=str(error), disk_full=full, built=_take_built(workspace)))
    except Exception as error:  # a library's failure: in full to the log, in one line to the user
        traceback.print_exc(file=sys.stderr)
        first = str(error).splitlines()[0] if str(error) else ""
        message = f"{spec.title} failed: {type(error).__name__}: {first}"
        post.send(Failed(message=message, built=_take_built(workspace)))
    else:
        scores = {s.metric: s.value for s in finished.record.scores}
        post.send(Done(run_id=finished.record.point.run_id, scores=scores, built=_take_built(workspace)))


def _take_built(workspace: Workspace) -> tuple[StageRecord, ...]:
    """Records of the stages built since the last event: what predictions learn from."""
    built, workspace.stages.built = workspace.stages.built, []
    return tuple(built)


class _Warnings(logging.Handler):
    """Log records as events."""

    def __init__(self, post: Post) -> None:
        super().__init__()
        self.post = post

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("budgetsim"):
            self.post.send(Warned(record.getMessage()))


if __name__ == "__main__":
    main()
