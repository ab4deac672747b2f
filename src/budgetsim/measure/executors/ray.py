"""Ray: each worker is a task of Ray core, on any node that has what it asks for (extra `ray`).

Ray is asked to try nothing again (spot losses eat its retries): a crew hires another worker itself.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from budgetsim.errors import EndpointError, InputError, MissingExtraError
from budgetsim.measure.executors.options import ExecutorOptions
from budgetsim.measure.executors.protocol import Fate, Job

GRACE: Final = 5.0  # seconds for a worker to let go of what it holds
KNOCK: Final = 5.0  # seconds to wait for an address


@dataclass(slots=True)
class RayEngine:
    """A Ray cluster.

    address : HOST:PORT, ray://HOST:PORT, or nothing for the one that this machine is of (RAY_ADDRESS), else a new one
    """

    options: ExecutorOptions
    address: str = ""
    name: str = "ray"
    _ray: Any = None
    _tasks: dict[str, Any] = field(default_factory=dict)  # reference by name
    _over: dict[str, Fate] = field(default_factory=dict)
    _begun: dict[str, str] = field(default_factory=dict)  # log by name: it is there once the task runs
    _ours: bool = False  # whether the connection was opened here

    def check(self) -> None:
        """Connect, and see that a node has what a worker asks for.

        raises : MissingExtraError, EndpointError where nobody answers, InputError where no node is large enough
        """
        address = self.address or os.environ.get("RAY_ADDRESS", "")
        _knock(address)
        ray = self._ray = _import_ray()
        if not ray.is_initialized():
            self._connect(ray, address)
        self._check_nodes()

    def _connect(self, ray: Any, address: str) -> None:
        try:
            ray.init(
                address=address or None,
                include_dashboard=False if not address else None,
                log_to_driver=False,
                logging_level="ERROR",
                namespace="budgetsim",
                _node_ip_address=None if address else "127.0.0.1",
            )
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise EndpointError(
                f"Ray at {address or 'this machine'} cannot be joined ({_first_line(error)}); look whether "
                f"`ray status` answers there."
            ) from None
        self._ours = True

    def _check_nodes(self) -> None:
        wanted = self._wanted()
        nodes = self._nodes()
        if any(_fits(wanted, node) for node in nodes) or self.options.wait_for_nodes:
            return
        largest = ", ".join(f"{max((node.get(key, 0) for node in nodes), default=0):g} {key}" for key in wanted)
        asked = ", ".join(f"{value:g} {key}" for key, value in wanted.items())
        raise InputError(
            f"No node of the Ray cluster has what a worker asks for ({asked}); of {len(nodes)} nodes the largest have "
            f"{largest}. Ask for less in executor.yaml, add such a node, or set `wait_for_nodes: true` where nodes "
            f"come on demand."
        )

    def slots(self) -> int:
        """How many workers fit on the nodes that are there."""
        wanted = {key: value for key, value in self._wanted().items() if value}
        fit = (min(int(node.get(key, 0) // value) for key, value in wanted.items()) for node in self._nodes())
        return max(1, sum(fit))

    def _wanted(self) -> dict[str, float]:
        options = self.options
        wanted: dict[str, float] = {"CPU": options.cpus}
        if options.gpus:
            wanted["GPU"] = options.gpus
        if options.memory_gb:
            wanted["memory"] = options.memory_gb * 2**30
        return wanted

    def _nodes(self) -> list[Mapping[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def start(self, jobs: Sequence[Job]) -> None:
        """As `Engine.start`."""
        options = self.options
        image = {"runtime_env": {"image_uri": options.image}} if options.image else {}
        memory = {"memory": int(options.memory_gb * 2**30)} if options.memory_gb else {}
        remote = self._ray.remote(
            num_cpus=options.cpus, num_gpus=options.gpus, max_retries=0, max_calls=1, **memory, **image
        )(_run)
        for job in jobs:
            words = [options.python or "", *job.words]
            self._tasks[job.name] = remote.options(name=job.name).remote(words, dict(job.environment), str(job.log))
            self._begun[job.name] = str(job.log)

    def look(self) -> Mapping[str, Fate]:
        """As `Engine.look`."""
        by_task = {task: name for name, task in self._tasks.items()}
        if by_task:
            over, _ = self._ray.wait(list(by_task), num_returns=len(by_task), timeout=0)
            for task in over:
                name = by_task[task]
                self._over[name] = self._fate(task)
                del self._tasks[name]
        running = {name: Fate("running" if os.path.exists(self._begun[name]) else "waiting") for name in self._tasks}
        return {**running, **self._over}

    def _fate(self, task: Any) -> Fate:
        try:
            code = self._ray.get(task, timeout=5)
        except Exception as error:  # whatever Ray says became of it
            cause = getattr(error, "cause", None) or error
            return Fate("over", f"{type(cause).__name__}: {_first_line(cause)}"[:200])
        return Fate("over", f"exit {code}", code)

    def end(self, names: Sequence[str]) -> None:
        """As `Engine.end`: asked first, forced after a few seconds."""
        tasks = [self._tasks[name] for name in names if name in self._tasks]
        for task in tasks:
            with contextlib.suppress(Exception):
                self._ray.cancel(task)
        if tasks:
            self._ray.wait(tasks, num_returns=len(tasks), timeout=GRACE)
        for name in names:
            task = self._tasks.pop(name, None)
            if task is not None:
                with contextlib.suppress(Exception):
                    self._ray.cancel(task, force=True)
                self._over[name] = Fate("over", "ended")

    def close(self) -> None:
        """As `Engine.close`."""
        if self._ray is None or not self._ray.is_initialized():
            return
        self.end(list(self._tasks))
        if self._ours:
            self._ray.shutdown()


def _run(words: list[str], environment: dict[str, str], log: str) -> int:
    """A worker process on a node; it ends with this task, however that ends."""
    import os
    import subprocess
    import sys

    with open(log, "ab") as out:
        process = subprocess.Popen(  # noqa: S603
            [words[0] or sys.executable, *words[1:]], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )  # fmt: skip
        try:
            return process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=4)
                except subprocess.TimeoutExpired:
                    process.kill()


def _import_ray() -> Any:
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise MissingExtraError(
            "--executor ray needs Ray, which is not installed: pip install 'budgetsim[ray]' here and on every node."
        ) from None


def _knock(address: str) -> None:
    """Whether anybody listens at an address; Ray itself waits for minutes.

    raises : InputError where it is no address, EndpointError where nobody does
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not address or address in ("auto", "local"):
        return
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"--executor: found the address {address!r}, wanted ray:HOST:PORT or ray:ray://HOST:PORT.")
    try:
        socket.create_connection((host, int(port)), timeout=KNOCK).close()
    except OSError as error:
        raise EndpointError(
            f"No Ray answers at {address} ({error.strerror or error}): start one there (`ray start --head`), or mend "
            f"the address."
        ) from None


def _fits(wanted: Mapping[str, float], node: Mapping[str, float]) -> bool:
    return all(node.get(key, 0) >= value for key, value in wanted.items())


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
