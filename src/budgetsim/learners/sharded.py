"""Training of one model that several devices share: torch's FSDP2, a process a device, gradients averaged.

Each device holds its part of weights, gradients and optimiser state, and gathers a layer when it works. Processes are
started here and end here; the model comes to them, and its weights come back, through shared memory. The steps are
those of the Trainer: AdamW, the same order of rows, clipping and schedule. No checkpoints are written.
source : Zhao et al. (2023), PyTorch FSDP, arXiv 2304.11277; Rajbhandari et al. (2020), ZeRO, arXiv 1910.02054
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed, multiprocessing, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from transformers import get_scheduler

from budgetsim.errors import BudgetsimError, InputError
from budgetsim.learners.trainer import speed_up

if TYPE_CHECKING:
    from budgetsim.learners.trainer import Batch, Loss, Optimisation, Ordered


@dataclass(frozen=True, slots=True)
class Job:
    """What every process is handed."""

    model: Any
    rows: Ordered
    how: Optimisation
    collate: Callable[[Sequence[Any]], Batch]
    loss: Loss
    meeting: str  # file by which the processes find one another
    threads: int


def train_sharded(
    model: Any, rows: Ordered, how: Optimisation, collate: Callable[[Sequence[Any]], Batch], loss: Loss
) -> None:
    """Train a model in place on `how.devices` devices: GPUs where there are any, else processes of this machine.

    raises : InputError for adapters, whose frozen weights are of another kind; BudgetsimError where a process fails
    """
    if hasattr(model, "peft_config"):
        raise InputError(
            "Adapters fit one GPU or none: a model that is shared is trained whole; leave one of them out."
        )
    with tempfile.TemporaryDirectory() as folder:
        threads = max(1, torch.get_num_threads() // how.devices)
        job = Job(model.cpu(), rows, how, collate, loss, f"file://{Path(folder) / 'meeting'}", threads)
        many: Any = multiprocessing
        try:
            many.spawn(_work, args=(job,), nprocs=how.devices)
        except (many.ProcessRaisedException, many.ProcessExitedException) as error:
            last = str(error).strip().splitlines()[-1]
            raise BudgetsimError(f"Training on {how.devices} devices failed: {last}") from None


def _work(rank: int, job: Job) -> None:
    """One process: its part of the model, its rows of each batch."""
    warnings.simplefilter("ignore")  # of views that a layer returns: none is changed in place, as one process shows
    device, backend = _device(rank)
    torch.set_num_threads(job.threads)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group(backend, init_method=job.meeting, rank=rank, world_size=job.how.devices)
    try:
        weights = dict(job.model.state_dict(keep_vars=False))  # in shared memory: what the parent sees
        model = shard(job.model.to(torch.float32), job.how, device)
        torch.manual_seed(job.how.seed + rank)  # of dropout
        _steps(model, job, rank, device)
        _hand_back(model, weights, rank)
    finally:
        distributed.destroy_process_group()


def shard(model: Any, how: Optimisation, device: torch.device) -> Any:
    """The model with each layer, and what lies outside layers, split over the processes of the default group."""
    mesh = distributed.device_mesh.init_device_mesh(device.type, (how.devices,))
    dtype = torch.bfloat16 if how.precision == "bf16" else None
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32 if dtype else None)
    if how.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    for layer in layers(model):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    return model.to(device) if device.type == "cuda" else model


def layers(model: nn.Module) -> Iterator[nn.Module]:
    """The layers that the library says may not be split further, but embeddings."""
    names = {name for name in getattr(model, "_no_split_modules", None) or () if not name.endswith("Embeddings")}
    return (part for part in model.modules() if type(part).__name__ in names)


def _steps(model: Any, job: Job, rank: int, device: torch.device) -> None:
    how, order = job.how, len(job.rows)
    optimizer = torch.optim.AdamW(model.parameters(), lr=how.lr, weight_decay=how.weight_decay)
    for group in speed_up(model, optimizer.param_groups, how.faster):
        optimizer.add_param_group(group)
    make: Any = get_scheduler
    schedule = make(
        how.scheduler, optimizer, num_warmup_steps=int(how.warmup_share * how.steps), num_training_steps=how.steps
    )
    model.train()
    for start in range(0, order, how.batch):
        for piece in range(how.pieces):
            first = start + (piece * how.devices + rank) * how.rows_at_once
            batch = job.collate([job.rows[i] for i in range(first, first + how.rows_at_once)])
            with _precision(how, device):
                loss: Any = job.loss(model, _moved(batch, device)) / how.pieces
            loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), how.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def _hand_back(model: Any, weights: Mapping[str, torch.Tensor], rank: int) -> None:
    """Put the whole weights where the parent sees them."""
    whole: Any = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if rank == 0:
        with torch.no_grad():
            for name, value in whole.items():
                weights[name].copy_(value)
    distributed.barrier()


def _device(rank: int) -> tuple[torch.device, str]:
    if not torch.cuda.is_available():
        return torch.device("cpu"), "gloo"
    torch.cuda.set_device(rank)
    return torch.device("cuda", rank), "nccl"


def _precision(how: Optimisation, device: torch.device) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, dtype=torch.bfloat16) if how.precision == "bf16" else nullcontext()


def _moved(value: Any, device: torch.device) -> Any:
    """A batch with its tensors on a device."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    return {key: _moved(part, device) for key, part in value.items()} if isinstance(value, dict) else value
