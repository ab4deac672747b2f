"""What torch finds on this machine."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU; bf16 : whether it computes in bf16."""

    name: str
    memory_gib: float
    capability: str
    bf16: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Torch:
    """The build of torch; cuda : version of CUDA that it was built with, None for a build for processors."""

    version: str
    cuda: str | None
    threads: int
    cpu_capability: str
    gpus: tuple[Gpu, ...]


def find_torch() -> Torch | None:
    """The build of torch and the GPUs that it can use; None where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    n = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return Torch(
        version=str(torch.__version__),
        cuda=torch.version.cuda,
        threads=torch.get_num_threads(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        gpus=tuple(_gpu(torch.cuda.get_device_properties(i)) for i in range(n)),
    )


def n_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def _gpu(found: Any) -> Gpu:
    return Gpu(
        name=str(found.name), memory_gib=round(found.total_memory / 2**30, 1),
        capability=f"{found.major}.{found.minor}", bf16=found.major >= 8,
    )  # fmt: skip
