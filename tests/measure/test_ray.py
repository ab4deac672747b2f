"""The contract of executors on a real Ray cluster of three nodes with a fake GPU each, and nodes that are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytest.importorskip("torch")
ray = pytest.importorskip("ray")

from executor_contract import ExecutorContract, assert_whole, builds, make_campaign, scores, workers  # noqa: E402

from budgetsim.errors import InputError, StoppedError  # noqa: E402
from budgetsim.measure import run_campaign  # noqa: E402
from budgetsim.measure.executors.cluster import ClusterExecutor  # noqa: E402

pytestmark = [pytest.mark.engines, pytest.mark.filterwarnings("ignore")]
NODE = {"num_cpus": 1, "num_gpus": 1, "object_store_memory": 80 * 2**20}


def persist(start: Callable[..., Any], **options: Any) -> None:
    """Start a node of Ray, which gives up after 30 seconds: too few on a machine that does much else."""
    for left in range(4, -1, -1):
        try:
            start(**options)
        except Exception:
            if not left:
                raise
        else:
            return


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    os.environ.update(RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0", RAY_worker_niceness="0")  # Ray's own is 15
    made = Cluster(shutdown_at_exit=False)  # nodes are added from threads, where no signal can be handled
    persist(made.add_node, num_cpus=0, include_dashboard=False, object_store_memory=80 * 2**20)  # the head
    for _ in range(3):
        persist(made.add_node, **NODE)
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


class TestRay(ExecutorContract):
    options: ClassVar[dict[str, Any]] = {"gpus": 1, "workers": 3}

    @pytest.fixture
    def engine(self, cluster: Any) -> str:
        return f"ray:{cluster.address}"

    def kill_a_worker(self, home: Path) -> None:
        os.kill(workers(home)[0], signal.SIGKILL)

    def left_behind(self, home: Path) -> list[str]:
        deadline = time.monotonic() + 10
        while workers(home) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [str(pid) for pid in workers(home)]


def test_nodes_are_killed_at_ten_random_moments(
    cluster: Any, tmp_path: Path, reference: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    """A node is killed as a machine would be, with another in its place, until it happened ten times to busy ones.

    Ray itself may abort the process that drives it while nodes die; then the same command goes on, and that is counted.
    """
    chance, rows = random.Random(14), []
    while sum(len(row.killed) for row in rows) < 10 and len(rows) < 20:
        home = tmp_path / str(len(rows))
        left = 10 - sum(len(row.killed) for row in rows)
        rows.append(disturbed(cluster, home, chance, left))
        assert rows[-1].n_there == len(reference)
        assert_whole(home, reference)
        with capsys.disabled():
            print(f"\ncampaign {len(rows)}: {rows[-1]}")
    assert sum(len(row.killed) for row in rows) == 10


@dataclass(frozen=True)
class Disturbed:
    """A campaign whose nodes were killed at some seconds; aborts : of the process that drives Ray."""

    killed: list[float]
    lost: int
    aborts: int
    n_there: int
    seconds: float

    def __str__(self) -> str:
        at = ", ".join(map(str, self.killed)) or "not at all"
        return (
            f"nodes killed at {at} s; {self.lost} workers lost, the driver aborted {self.aborts} times, {self.n_there} runs "
            f"done once, scores as without, in {self.seconds:.0f} s"
        )


def disturbed(cluster: Any, home: Path, chance: random.Random, most: int) -> Disturbed:
    """A campaign to its end, with nodes killed beside it, `most` at most."""
    killed: list[float] = []
    over, began = threading.Event(), time.monotonic()

    def kill_nodes() -> None:
        while len(killed) < most and not over.wait(chance.uniform(2, 15)):
            busy = [node for node in cluster.worker_nodes if works_on(node, home)]
            if busy:
                killed.append(round(time.monotonic() - began, 1))
                cluster.remove_node(chance.choice(busy), allow_graceful=False)
                persist(cluster.add_node, **NODE)

    killer = threading.Thread(target=kill_nodes)
    killer.start()
    try:
        ended = [in_a_process(home, f"ray:{cluster.address}")]
        while ended[-1].returncode == -signal.SIGABRT and len(ended) < 5:
            ended.append(in_a_process(home, f"ray:{cluster.address}"))
    finally:
        over.set()
        killer.join()
    assert ended[-1].returncode == 0, ended[-1].stderr[-3000:]
    said = "\n".join(each.stdout for each in ended)
    outcome = json.loads(said.strip().splitlines()[-1])
    assert outcome["failed"] == 0
    return Disturbed(
        killed, said.count("is lost"), len(ended) - 1, outcome["done"] + outcome["there"], time.monotonic() - began
    )  # fmt: skip


def in_a_process(home: Path, engine: str) -> subprocess.CompletedProcess[str]:
    options = json.dumps({"gpus": 1, "workers": 3, "retries": 10})
    command = [sys.executable, str(Path(__file__).parent / "campaign_process.py"), str(home), engine, options]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=600, check=False)


def works_on(node: Any, home: Path) -> bool:
    """Whether a worker of a campaign runs below a node's raylet."""
    raylets = {process.process.pid for process in node.all_processes["raylet"]}
    for pid in workers(home):
        while pid > 1:
            if pid in raylets:
                return True
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gpus": 2}, "No node of the Ray cluster has what a worker asks for (1 CPU, 2 GPU); of 4 nodes the largest have 1 CPU, 1 GPU"),
        ({"cpus": 9}, "(9 CPU); of 4 nodes the largest have 1 CPU"),
        ({"memory_gb": 100_000}, "wait_for_nodes: true"),
    ],
)  # fmt: skip
def test_a_worker_that_no_node_can_hold_is_refused(
    cluster: Any, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as error:
        run_campaign(make_campaign(tmp_path, f"ray:{cluster.address}", **options), lambda _: None)
    assert message in str(error.value)


def test_two_campaigns_at_once_share_the_stages_of_one_cache(
    cluster: Any, tmp_path: Path, reference: dict[str, float]
) -> None:
    """Each has a store of its own; no stage is built twice, and each campaign has every run."""
    campaigns = [make_campaign(tmp_path / name, f"ray:{cluster.address}", gpus=1, workers=1) for name in "ab"]
    cache = campaigns[0].cache
    executor = campaigns[1].executor
    assert isinstance(executor, ClusterExecutor)
    executor.office.cache = cache
    campaigns[1] = replace(campaigns[1], cache=cache)
    done: list[int] = []
    ray.init(
        address=cluster.address, log_to_driver=False, ignore_reinit_error=True
    )  # one connection of this process, which neither closes
    both = [threading.Thread(target=lambda c=c: done.append(run_campaign(c, lambda _: None).done)) for c in campaigns]
    for each in both:
        each.start()
    for each in both:
        each.join()
    ray.shutdown()
    assert done == [len(reference)] * 2
    assert scores(tmp_path / "a") == scores(tmp_path / "b") == reference
    assert set(builds(tmp_path / "a").values()) == {1}


def test_ctrl_c_leaves_nothing_on_the_cluster_and_the_same_command_goes_on(
    cluster: Any, tmp_path: Path, reference: dict[str, float]
) -> None:
    def interrupt() -> None:
        while not list(tmp_path.glob("store/runs/*.jsonl")):
            time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(StoppedError, match=r"of 5 runs are done and kept. The same command goes on from there."):
        run_campaign(make_campaign(tmp_path, f"ray:{cluster.address}", gpus=1, workers=2), lambda _: None)
    assert TestRay().left_behind(tmp_path) == []
    assert run_campaign(make_campaign(tmp_path, f"ray:{cluster.address}", gpus=1), lambda _: None).there_before >= 1
    assert_whole(tmp_path, reference)
