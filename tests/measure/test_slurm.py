"""The contract of executors on a real Slurm of three nodes on this machine, and what only Slurm does to a job."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytest.importorskip("torch")
pytest.importorskip("submitit")

from executor_contract import ExecutorContract, assert_whole, make_campaign, specs, workers

from budgetsim.errors import EndpointError, InputError
from budgetsim.measure import run_campaign
from budgetsim.measure.events import Ready
from budgetsim.measure.executors.mailbox import Mailbox
from budgetsim.measure.wording import word
from budgetsim.store.records import read_shards
from made import ROOT

pytestmark = [
    pytest.mark.engines,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(
        shutil.which("slurmctld") is None or os.geteuid() != 0,
        reason="needs Debian's slurmctld, slurmd, munge, and root",
    ),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("slurm")
    script = str(ROOT / "tools" / "slurm.sh")
    before = os.environ.get("SLURM_CONF")
    os.environ.update(SLURM_CONF=str(folder / "slurm.conf"), SLURM_PORT="28817")
    subprocess.run([script, "up", str(folder)], check=True, timeout=120)
    try:
        yield folder
    finally:
        subprocess.run([script, "down", str(folder)], check=False, timeout=60)
        os.environ.pop("SLURM_CONF") if before is None else os.environ.update(SLURM_CONF=before)


def ask(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout


def wait_for(what: Callable[[], Any], seconds: float = 200) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("it did not come")


def busy(home: Path) -> bool:
    """Whether a teacher or student is under way."""
    return any(home.glob("cache/*.lease/partial-*/checkpoints"))


def starts(home: Path) -> dict[str, int]:
    """How often a worker began, by mailbox: twice where Slurm requeued its job."""
    boxes = [outbox.parent for outbox in home.glob("cache/campaigns/*/*/*/outbox.jsonl")]
    return {box.name: sum(isinstance(event, Ready) for event in Mailbox(box).reports()) for box in boxes}


class TestSlurm(ExecutorContract):
    options: ClassVar[dict[str, Any]] = {"gpus": 1, "workers": 3}

    @pytest.fixture
    def engine(self, cluster: Path) -> str:
        return "slurm"

    def kill_a_worker(self, home: Path) -> None:
        os.kill(workers(home)[0], signal.SIGKILL)

    def left_behind(self, home: Path) -> list[str]:
        deadline = time.monotonic() + 30
        while (left := ask("squeue", "-h", "-o", "%i %T").splitlines()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return left


def test_workers_of_one_moment_are_an_array(cluster: Path, tmp_path: Path) -> None:
    run_campaign(make_campaign(tmp_path, "slurm", [specs()[2], replace(specs()[2], seed=1)]), lambda _: None)
    (script,) = tmp_path.glob("cache/campaigns/*/submitit/*_submission.sh")
    assert "#SBATCH --array=0-1%2" in script.read_text()


def test_a_killed_node_loses_no_run(cluster: Path, tmp_path: Path, reference: dict[str, float]) -> None:
    """slurmd and all below it are killed, as a machine that goes off; Slurm notices and requeues, on other nodes."""

    def kill() -> None:
        wait_for(lambda: busy(tmp_path))
        node = ask("squeue", "-h", "-t", "R", "-o", "%N").split()[0]
        daemon = int((cluster / f"{node}.pid").read_text())
        below = [pid for step in stepds(node) for pid in (step, *descendants(step))]
        for pid in [daemon, *below]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed.append(node)

    killed: list[str] = []
    killer = threading.Thread(target=kill)
    killer.start()
    outcome = run_campaign(make_campaign(tmp_path, "slurm", gpus=1, workers=3), lambda _: None)
    killer.join()
    (node,) = killed
    subprocess.run([str(ROOT / "tools" / "slurm.sh"), "node", str(cluster), node[1:]], check=True, timeout=60)
    wait_for(lambda: len(ask("sinfo", "-h", "-N", "-p", "main", "-t", "idle", "-o", "%N").split()) == 3)
    assert (outcome.done, outcome.failed) == (len(reference), ())
    assert_whole(tmp_path, reference)


def stepds(node: str) -> list[int]:
    """Processes of slurmstepd that a node's slurmd started; they say so in their environment or open files."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"slurmstepd" in (place / "cmdline").read_bytes().split(b"\0")[0]:
                log = [os.readlink(p) for p in (place / "fd").iterdir()]
                if any(f"/spool/{node}" in name or name.endswith(f"/log/{node}") for name in log):
                    found.append(int(place.name))
    return found


def descendants(pid: int) -> list[int]:
    below = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            for child in map(int, (task / "children").read_text().split()):
                below += [child, *descendants(child)]
    return below


def test_a_preempted_job_is_requeued_and_goes_on(cluster: Path, tmp_path: Path, reference: dict[str, float]) -> None:
    def preempt() -> None:
        wait_for(lambda: busy(tmp_path))
        ask("sbatch", "-p", "urgent", "--gres=gpu:1", "-o", "/dev/null", "--wrap", "sleep 15")

    urgent = threading.Thread(target=preempt)
    urgent.start()
    said: list[str] = []
    campaign = make_campaign(tmp_path, "slurm", gpus=1, workers=3)
    outcome = run_campaign(campaign, lambda notice: said.append(word(notice)))
    urgent.join()
    assert (outcome.done, outcome.failed) == (len(reference), ())
    assert_whole(tmp_path, reference)
    assert not [line for line in said if "is lost" in line]  # a requeue is no loss
    assert wait_for(lambda: not ask("squeue", "-h")) is True


def test_a_job_over_its_time_limit_goes_on_from_its_checkpoint(cluster: Path, tmp_path: Path) -> None:
    """A worker is held at a checkpoint until its job is over a limit of three minutes; another job goes on from there."""

    def hold() -> None:
        wait_for(lambda: list(tmp_path.glob("cache/*.lease/partial-*/checkpoints/*/*")), 900)
        os.kill(workers(tmp_path)[0], signal.SIGSTOP)

    holder = threading.Thread(target=hold)
    holder.start()
    run = specs()[3]
    long = replace(run, recipe=replace(run.recipe, steps=200))
    said: list[str] = []
    campaign = make_campaign(
        tmp_path, "slurm", [long], gpus=1, workers=1, silence_seconds=900, time_limit_hours=3 / 60, signal_seconds=10
    )
    outcome = run_campaign(replace(campaign, checkpoint_every=20), lambda notice: said.append(word(notice)))
    holder.join()
    assert (outcome.done, outcome.failed) == (1, ())
    assert [line for line in said if "is lost (" in line], said
    assert sum(starts(tmp_path).values()) >= 2
    (trained,) = [stage for stage in read_shards(tmp_path / "store" / "runs")[1] if stage.kind == "train_student"]
    assert trained.provenance["resumed_at"] > 0


def test_what_no_node_has_and_no_partition_is_called_is_refused(cluster: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"asks for \(2 GPUs, 1 CPUs\); of \d nodes the largest have 1 GPUs and 2 CPUs"
    ):
        run_campaign(make_campaign(tmp_path / "a", "slurm", gpus=2), lambda _: None)
    with pytest.raises(InputError, match="Slurm has no partition 'gpu'; it has main, urgent"):
        run_campaign(make_campaign(tmp_path / "b", "slurm", partition="gpu"), lambda _: None)


def test_a_controller_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slurm.conf").write_text(
        "ClusterName=none\nSlurmctldHost=localhost(127.0.0.1)\nSlurmctldPort=9\nMessageTimeout=2\nNodeName=n1\n"
        "PartitionName=main Nodes=n1\n"
    )
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    with pytest.raises(EndpointError, match="Slurm's controller does not answer"):
        run_campaign(make_campaign(tmp_path, "slurm"), lambda _: None)
