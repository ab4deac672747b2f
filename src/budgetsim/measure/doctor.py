"""What this machine has, what can run on it, and what is to be installed for the rest."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from budgetsim.costs.hours import ModelledSpeed
from budgetsim.costs.memory import Load
from budgetsim.costs.plans import Work, cheapest, plans
from budgetsim.costs.speeds import SCHEMA_VERSION, Speeds
from budgetsim.design.architectures import architecture
from budgetsim.design.points import PAPER_TEACHER
from budgetsim.errors import BudgetsimError, InputError
from budgetsim.labelers.server import Server
from budgetsim.learners.device import cpu_name
from budgetsim.learners.machine import Torch, find_torch, n_cores
from budgetsim.measure.stagestore import default_cache
from budgetsim.store.location import StorePaths

LEAST_FREE_GIB: Final = 1.0  # of a disk that runs are kept on
INSTALL: Final = "pip install 'budgetsim[{}]'"
EXTRAS: Final = ("measure", "cpu", "llm", "plot", "prices", "ray", "slurm")
ENGINES: Final = {"ray": "ray", "slurm": "submitit"}  # packages, where the metadata is of an older install


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder that is written to; free_gib : of its disk."""

    what: str
    path: str
    there: bool
    writable: bool
    free_gib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """An extra of the package; missing : its packages that are not installed, None where there is no such extra."""

    name: str
    missing: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server of labels; models : that it lists, None where it lists none; problem : why it cannot be asked."""

    url: str
    models: tuple[str, ...] | None
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """Something that budgetsim does; missing : what it lacks here and the way out, None where it can run."""

    what: str
    missing: str | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found."""

    budgetsim: str
    python: str
    system: str
    cpu: str
    cores: int
    load: float | None
    memory_gib: float | None
    free_memory_gib: float | None
    torch: Torch | None
    places: tuple[Place, ...]
    extras: tuple[Extra, ...]
    programs: tuple[str, ...]  # of engines, found on the path
    endpoint: Endpoint | None
    abilities: tuple[Ability, ...] = field(default=())


def examine(paths: StorePaths, llm_url: str | None = None) -> Examination:
    """Look at this machine; nothing is trained, and no server is asked but the one that is named.

    raises : InputError where the address is none
    """
    total, free = _memory()
    extras = tuple(_extra(name) for name in EXTRAS)
    found = find_torch()
    endpoint = None if llm_url is None else knock(Server.at(llm_url))
    places = (_place("stages", default_cache()), _place("store", paths.folder))
    programs = tuple(name for name in ("sbatch", "ray") if shutil.which(name))
    return Examination(
        budgetsim=importlib.metadata.version("budgetsim"),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        cpu=cpu_name(),
        cores=n_cores(),
        load=_load(),
        memory_gib=total,
        free_memory_gib=free,
        torch=found,
        places=places,
        extras=extras,
        programs=programs,
        endpoint=endpoint,
        abilities=tuple(abilities(found, extras, programs, endpoint, places)),
    )


def abilities(
    found: Torch | None, extras: Sequence[Extra], programs: Sequence[str], endpoint: Endpoint | None,
    places: Sequence[Place],
) -> list[Ability]:  # fmt: skip
    """What can run with what was found."""
    lack = {extra.name: _lack(extra) for extra in extras}
    gpus = found.gpus if found is not None else ()
    no_gpu = lack["measure"] or ("" if gpus else _no_gpu(found))
    full = next((f"{p.path} cannot be written: free its disk or name another" for p in places if not _usable(p)), None)
    xxl, note = _teacher(no_gpu, max((gpu.memory_gib for gpu in gpus), default=0.0))
    bits = no_gpu or (None if _version("bitsandbytes") else "pip install bitsandbytes")
    shared = no_gpu or (None if len(gpus) > 1 else "one GPU here; a model is shared by two or more")
    return [
        Ability(what="answers and prices", missing=None),
        Ability(what="measuring in miniature (preset cpu)", missing=lack["measure"] or lack["cpu"] or full),
        Ability(what="pretrained models on the processor (preset modern)", missing=lack["measure"] or full),
        Ability(what="training in bf16 on a GPU (preset paper)", missing=no_gpu or None),
        Ability(what=f"{PAPER_TEACHER} on one GPU", missing=xxl, note=note),
        Ability(what="8-bit Adam (--way 8bit)", missing=bits),
        Ability(what="a model shared by GPUs (--way fsdp=K)", missing=shared),
        Ability(what="labels of an LLM", missing=lack["llm"] or _asked(endpoint)),
        Ability(what="Ray", missing=lack["ray"]),
        Ability(what="Slurm", missing=lack["slurm"] or (None if "sbatch" in programs else "no sbatch on the path")),
        Ability(what="pictures (--plot FILE)", missing=lack["plot"]),
        Ability(what="prices of LLMs (rates refresh)", missing=lack["prices"]),
    ]


def knock(server: Server) -> Endpoint:
    """Whether a server is there and which models it lists."""
    from budgetsim.labelers.asking import run
    from budgetsim.labelers.client import Client

    async def listed() -> tuple[str, ...] | None:
        client = Client(server)
        try:
            return await client.models()
        finally:
            await client.close()

    try:
        return Endpoint(url=server.url, models=run(listed()), problem=None)
    except BudgetsimError as error:
        return Endpoint(url=server.url, models=None, problem=str(error))


def calibrated(seconds: float, tell: Callable[[str], None], day: str) -> Speeds:
    """Speeds of this device, timed in about so many seconds.

    raises : InputError for a time out of range, MissingExtraError without torch
    """
    if not 1 <= seconds <= 3600:
        raise InputError(f"--seconds: found {seconds:g}, wanted from 1 to 3600.")
    from budgetsim.learners.device import find_device, prepare

    prepare(threads=1)
    from budgetsim.learners.calibrate import calibrate

    kind, name = find_device()
    found = find_torch()
    assert found is not None
    timed = calibrate(seconds, tell)
    clock = "CPU seconds of one thread" if kind == "cpu" else "seconds of the clock"
    busy = "" if _load() is None else f", load {_load():.1f} on {n_cores()} cores"
    return Speeds(
        schema_version=SCHEMA_VERSION,
        device_class="gpu" if kind == "gpu" else "cpu",
        device=name if kind == "gpu" else f"{name}, 1 thread",
        peak_tflops=timed.peak_tflops,
        seconds_per_step=timed.seconds_per_step,
        source=f"budgetsim doctor --calibrate, torch {found.version}, random weights, {clock}{busy}",
        as_of=day,
        rows=timed.rows,
    )


def _extra(name: str) -> Extra:
    """Which packages of an extra are not installed, as the package's own metadata lists them."""
    wanted = [
        re.split(r"[\s<>=!~;\[]", line, maxsplit=1)[0]
        for line in importlib.metadata.requires("budgetsim") or ()
        if re.search(rf"extra == ['\"]{name}['\"]", line)
    ]
    wanted = wanted or ([ENGINES[name]] if name in ENGINES else [])
    return Extra(name=name, missing=tuple(p for p in wanted if not _version(p)) if wanted else None)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _lack(extra: Extra) -> str | None:
    if extra.missing is None:
        return "this build has no such extra"
    return f"{INSTALL.format(extra.name)} ({', '.join(extra.missing)})" if extra.missing else None


def _no_gpu(found: Torch | None) -> str:
    if found is not None and found.cuda is None:
        return f"torch {found.version} is a build for processors; on a machine with a GPU install its CUDA build"
    return "torch sees no GPU"


def _teacher(no_gpu: str | None, gib: float) -> tuple[str | None, str]:
    """Whether the paper's teacher is trained on one GPU of so much memory, and how."""
    if no_gpu:
        return no_gpu, ""
    load = Load(rows=32, source=128, target=8, scored=8)
    speed = ModelledSpeed(peak_tflops=1, teacher_training=1, labelling=1, student_training=1, seconds_per_step=0)
    work = Work(model=architecture(PAPER_TEACHER), load=load, typical=load, steps=1, share=1.0)
    best = cheapest(plans(work, gib, speed, None, methods=("bf16", "8bit", "lora")))
    if best is None:
        return f"{gib:g} GiB are too few by the formula; `measure --dry-run --gpu-memory {gib:g}` says what fits", ""
    return None, f"--way {best.method}"


def _asked(endpoint: Endpoint | None) -> str | None:
    if endpoint is None:
        return "name its server: --llm-url URL"
    return endpoint.problem


def _usable(place: Place) -> bool:
    return place.writable and place.free_gib >= LEAST_FREE_GIB


def _place(what: str, path: Path) -> Place:
    """A folder, or the nearest above it that is there."""
    above = path.absolute()
    while not above.exists() and above != above.parent:
        above = above.parent
    free = shutil.disk_usage(above).free / 2**30
    return Place(
        what=what, path=str(path), there=path.exists(), writable=os.access(above, os.W_OK), free_gib=round(free, 1)
    )  # fmt: skip


def _memory() -> tuple[float | None, float | None]:
    """GiB of memory, and of it what is free for use."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None, None
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}
    return round(kib.get("MemTotal", 0) / 2**20, 1), round(kib.get("MemAvailable", 0) / 2**20, 1)


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None
