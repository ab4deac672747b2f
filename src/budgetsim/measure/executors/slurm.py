"""Slurm: each worker is a job, those of one moment an array; submitit writes and submits them (extra `slurm`).

Slurm itself requeues what it preempts and what a lost node ran: the worker goes on with the run its mailbox holds. A
job at its time limit ends, and a crew hires another, which goes on from the checkpoint without the two minutes that a
requeued job waits. States are asked of `squeue`, all in one question: `sacct` needs a database, and suffers from many.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from budgetsim.errors import BudgetsimError, EndpointError, InputError, MissingExtraError
from budgetsim.measure.executors.options import ExecutorOptions
from budgetsim.measure.executors.protocol import Fate, Job

TIMEOUT: Final = 30  # seconds for a command of Slurm
HOURS: Final = 24.0  # of a job that names no limit
RUNNING: Final = ("RUNNING", "COMPLETING", "STOPPED", "SUSPENDED", "SIGNALING", "STAGE_OUT")
WAITING: Final = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESIZING")
SIGNAL_VARIABLE: Final = "SUBMITIT_PREEMPT_SIGNAL"


@dataclass(slots=True)
class SlurmEngine:
    """The Slurm cluster that this machine submits to.

    folder : of submitit's files, which nodes see
    """

    options: ExecutorOptions
    folder: Path
    name: str = "slurm"
    _jobs: dict[str, str] = field(default_factory=dict)  # Slurm's id by name
    _over: dict[str, Fate] = field(default_factory=dict)

    def check(self) -> None:
        """See that the controller answers and that a node has what a worker asks for.

        raises : MissingExtraError, EndpointError where the controller does not answer, InputError where the partition
            is none of its own, or has no node large enough
        """
        if shutil.which("sbatch") is None:
            raise EndpointError("There is no `sbatch` on this machine: run the command where jobs are submitted from.")
        _import_submitit()
        nodes = self._nodes()
        if self.options.wait_for_nodes or any(self._fits(gpus, cpus) for gpus, cpus, _ in nodes):
            return
        asked = f"{self.options.gpus:g} GPUs, {self.options.cpus} CPUs"
        most_gpus, most_cpus = max((n[0] for n in nodes), default=0), max((n[1] for n in nodes), default=0)
        raise InputError(
            f"No node of {self._where} has what a worker asks for ({asked}); of {sum(n[2] for n in nodes)} nodes the "
            f"largest have {most_gpus} GPUs and {most_cpus} CPUs. Ask for less in executor.yaml, or name another "
            f"`partition`."
        )

    @property
    def _where(self) -> str:
        return f"partition {self.options.partition}" if self.options.partition else "Slurm's partitions"

    def _fits(self, gpus: int, cpus: int) -> bool:
        return gpus >= self.options.gpus and cpus >= self.options.cpus

    def _nodes(self) -> list[tuple[int, int, int]]:
        """GPUs and CPUs of each kind of node that is not lost, and how many there are."""
        partition = ["-p", self.options.partition] if self.options.partition else []
        lines = _ask(["sinfo", "-h", "-o", "%G|%c|%D|%P", *partition]).splitlines()
        if self.options.partition and not lines:
            known = sorted({line.strip().rstrip("*") for line in _ask(["sinfo", "-h", "-o", "%P"]).splitlines()})
            raise InputError(f"Slurm has no partition {self.options.partition!r}; it has {', '.join(known)}.")
        return [_node(line) for line in dict.fromkeys(lines)]

    def slots(self) -> int:
        """How many workers the partition's nodes hold."""
        options = self.options
        by = [n * min(cpus // options.cpus, int(gpus // options.gpus) if options.gpus else cpus) for gpus, cpus, n in
              self._nodes()]  # fmt: skip
        return max(1, sum(by))

    def start(self, jobs: Sequence[Job]) -> None:
        """As `Engine.start`: as one array."""
        submitit = _import_submitit()
        self.folder.mkdir(parents=True, exist_ok=True)
        os.environ[SIGNAL_VARIABLE] = self.options.signal  # submitit writes it into the job, and waits for it there
        pilots = [Pilot(list(job.words), dict(job.environment), str(job.log)) for job in jobs]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            executor = submitit.SlurmExecutor(self.folder, max_num_timeout=0, python=self.options.python)
            executor.update_parameters(**self._parameters())
            try:
                with executor.batch():
                    submitted = [executor.submit(pilot) for pilot in pilots]
            except submitit.core.utils.FailedJobError as error:
                raise BudgetsimError(f"Slurm refuses the jobs: {_sbatch_words(error)}") from None
        self._jobs.update({job.name: str(sent.job_id) for job, sent in zip(jobs, submitted, strict=True)})

    def _parameters(self) -> dict[str, Any]:
        options = self.options
        found: dict[str, Any] = {
            "job_name": "budgetsim",
            "time": max(1, round(60 * (options.time_limit_hours or HOURS))),
            "cpus_per_task": options.cpus,
            "signal_delay_s": options.signal_seconds,
            "stderr_to_stdout": True,
            "array_parallelism": 10_000,
            "partition": options.partition,
            "mem": None if options.memory_gb is None else f"{round(1024 * options.memory_gb)}MB",
            "gpus_per_node": int(options.gpus) or None,
            "srun_args": [f"--container-image={options.image}"] if options.image else None,
            "additional_parameters": {"requeue": True},
        }
        return {name: value for name, value in found.items() if value is not None}

    def look(self) -> Mapping[str, Fate]:
        """As `Engine.look`; a job that Slurm has forgotten is over."""
        if self._jobs:
            words = ["squeue", "-h", "-r", "-t", "all", "-o", "%i|%T|%r", "-j", ",".join(self._jobs.values())]
            lines = _ask(words, fails="").splitlines()
            states = {job: (state, why) for job, state, why in (line.strip().split("|", 2) for line in lines)}
            if not lines:
                _ask(["scontrol", "ping"])  # raises where nobody answers, which says nothing of jobs
        for name, job in list(self._jobs.items()):
            state, why = states.get(job, ("GONE", ""))
            if state not in RUNNING and state not in WAITING:
                self._over[name] = Fate("over", state if why in ("", "None") else f"{state}, {why}")
                del self._jobs[name]
        alive = {
            name: Fate("running" if states[job][0] in RUNNING else "waiting", states[job][1])
            for name, job in self._jobs.items()
        }
        return {**alive, **self._over}

    def end(self, names: Sequence[str]) -> None:
        """As `Engine.end`."""
        jobs = {name: self._jobs.pop(name) for name in names if name in self._jobs}
        for name in jobs:
            self._over[name] = Fate("over", "CANCELLED")
        if jobs:
            with suppress(BudgetsimError):
                _ask(["scancel", *jobs.values()])

    def close(self) -> None:
        """As `Engine.close`."""
        self.end(list(self._jobs))


@dataclass(slots=True)
class Pilot:
    """A worker process inside a job. submitit runs it; of a warning before preemption it makes a requeue."""

    words: list[str]  # after the interpreter
    environment: dict[str, str]
    log: str

    def __call__(self) -> int:
        """Until the worker ends."""
        import sys

        with open(self.log, "ab") as out:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, *self.words], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment},
            )  # fmt: skip
            try:
                code = process.wait()
            finally:
                if process.poll() is None:
                    process.terminate()
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(timeout=10)
        if code:
            raise SystemExit(code if code > 0 else 128 - code)
        return code


def _import_submitit() -> Any:
    try:
        return importlib.import_module("submitit")
    except ImportError:
        raise MissingExtraError(
            "--executor slurm needs submitit, which is not installed: pip install 'budgetsim[slurm]' here and in the "
            "environment of the nodes."
        ) from None


def _ask(words: Sequence[str], fails: str | None = None) -> str:
    """What a command of Slurm says.

    fails : what to give where it does not know a job; None to raise
    raises : EndpointError where the controller does not answer
    """
    try:
        done = subprocess.run(list(words), capture_output=True, text=True, timeout=TIMEOUT)  # noqa: S603
    except FileNotFoundError:
        raise EndpointError(f"There is no `{words[0]}` on this machine: run the command on a login node.") from None
    except subprocess.TimeoutExpired:
        raise EndpointError(f"Slurm's controller gives no answer to {words[0]} in {TIMEOUT} s.") from None
    if done.returncode == 0:
        return done.stdout
    said = " ".join(done.stderr.split())
    if fails is not None and "Invalid job id" in said:
        return fails
    raise EndpointError(f"Slurm's controller does not answer ({words[0]}: {said[:200]}); is slurmctld up?")


def _node(line: str) -> tuple[int, int, int]:
    """GPUs, CPUs and how many, of a line of `sinfo -o "%G|%c|%D|%P"`.

    >>> _node("gpu:a100:4(S:0-1),gpu:2|64+|3|main*"), _node("(null)|2|1|main")
    ((6, 64, 3), (0, 2, 1))
    """
    gres, cpus, n, _ = line.strip().split("|")
    gpus = sum(int(count) for count in re.findall(r"gpu(?::[^:,()]+)?:(\d+)", gres))
    return gpus, int(cpus.rstrip("+")), int(n)


def _sbatch_words(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if "error" in line.lower()]
    return (lines or [str(error)])[-1][:300]
