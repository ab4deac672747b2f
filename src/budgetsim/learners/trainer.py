"""The one loop that trains what torch trains: transformers' Trainer with a loss and batches of ours.

Order is decided before the first step, so a run that goes on from a checkpoint goes on with the right example:
the same model, rows and options give the same weights, to the bit, on one machine with one thread.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from budgetsim.errors import BudgetsimError
from budgetsim.learners.protocol import Training
from budgetsim.learners.schedule import batch_order
from budgetsim.learners.ways import check_way, settle

Batch = dict[str, Any]
Loss = Callable[[Any, Batch], torch.Tensor]
IGNORE: Final = -100
WEIGHTS: Final = ("model.safetensors", "adapter_model.safetensors")
logger = logging.getLogger("budgetsim.learners")


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisation:
    """How to train: everything that decides the weights, given the data and the model."""

    steps: int
    batch: int
    lr: float
    warmup_share: float = 0.06
    weight_decay: float = 0.0
    clip: float = 1.0
    optimizer: str = "adamw_torch_fused"
    scheduler: str = "linear"
    precision: str = "fp32"  # fp32 or bf16; fp16 overflows in T5
    temperature: float = 2.0
    seed: int = 0
    grouped: bool = True
    checkpointing: bool = False  # compute layers twice instead of keeping what they hold
    micro_batch: int = 0  # rows of a batch that a device takes at a time; 0 takes all of its rows
    devices: int = 1  # that share a model, each with its rows of a batch
    faster: Mapping[str, float] = field(default_factory=dict)  # weights that learn at so many times the rate, by name

    @staticmethod
    def of(how: Training) -> Optimisation:
        """The part of a learner's options that the loop reads."""
        return Optimisation(
            steps=how.steps,
            batch=how.batch,
            lr=how.lr,
            warmup_share=how.warmup_share,
            weight_decay=how.weight_decay,
            clip=how.clip,
            optimizer=how.optimizer,
            scheduler=how.scheduler,
            precision=how.precision,
            temperature=how.temperature,
            seed=how.seed,
            checkpointing=how.checkpointing,
            micro_batch=how.micro_batch,
            devices=how.devices,
        )

    @property
    def rows_at_once(self) -> int:
        """Rows that one device takes at a time."""
        return self.micro_batch or self.batch // self.devices

    @property
    def pieces(self) -> int:
        """Passes of each device that make a batch."""
        return self.batch // (self.rows_at_once * self.devices)


@dataclass(frozen=True, slots=True)
class Trained:
    """What training took."""

    seconds: float
    examples: int
    tokens: int  # padding included
    resumed_at: int  # step it went on from, 0 from the start


class LossTrainer(Trainer):
    """Transformers' Trainer that takes rows in order and asks a function for the loss."""

    def __init__(self, *args: Any, loss: Loss, faster: Mapping[str, float], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loss, self.faster = loss, faster
        self.model_accepts_loss_kwargs = False

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        return self.loss(model, inputs)

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        optimizer = super().create_optimizer(*args, **kwargs)
        for group in speed_up(self.model, optimizer.param_groups, self.faster):
            optimizer.add_param_group(group)
        return optimizer

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        rows: Any = train_dataset if train_dataset is not None else self.train_dataset
        return torch.utils.data.SequentialSampler(rows)


class Ordered(torch.utils.data.Dataset[Any]):
    """The rows in the order of training, so that a resumed run goes on with the right one."""

    def __init__(self, rows: Sequence[Any], order: Sequence[int]) -> None:
        self.rows, self.order = rows, order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> Any:
        return self.rows[self.order[index]]


def train(
    model: Any,
    rows: Sequence[Any],
    how: Optimisation,
    *,
    lengths: Sequence[Sequence[int]],
    collate: Callable[[Sequence[Any]], Batch],
    loss: Loss,
    checkpoints: Path | None = None,
    checkpoint_every: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Trained:
    """Train a model in place; with `checkpoints`, go on from the newest one that is whole.

    lengths : of each row, for each of the sequences that its batch pads; the first groups rows of a length
    collate : makes a batch of rows; loss : of a model and such a batch, a scalar: the mean over its rows, so that
        pieces of a batch add up to it
    raises : BudgetsimError where it diverged; InputError and MissingExtraError for ways that are not to be had here
    """
    how = settle(model, check_way(how), lengths)
    order = batch_order(lengths[0], batch=how.batch, steps=how.steps, seed=how.seed, grouped=how.grouped).tolist()
    start, resumed_at = time.perf_counter(), 0
    if how.devices > 1:
        from budgetsim.learners.sharded import train_sharded

        train_sharded(model, Ordered(rows, order), how, collate, loss)
    else:
        resumed_at = _train_here(
            model, Ordered(rows, order), how, collate, loss, checkpoints, checkpoint_every, progress
        )
    _check_sound(model, how)
    tokens = sum(padded(sizes, order, how.batch) for sizes in lengths)
    return Trained(time.perf_counter() - start, len(order), tokens, resumed_at)


def _train_here(
    model: Any, rows: Ordered, how: Optimisation, collate: Callable[[Sequence[Any]], Batch], loss: Loss,
    checkpoints: Path | None, checkpoint_every: int, progress: Callable[[int, int], None] | None,
) -> int:  # fmt: skip
    """Train in this process; returns the step that it went on from."""
    resume = _newest_whole(checkpoints) if checkpoints else None
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        at_work = LossTrainer(
            model=model,
            args=_arguments(how, checkpoints or Path(scratch), checkpoint_every if checkpoints else 0),
            train_dataset=rows,
            data_collator=collate,
            loss=loss,
            faster=how.faster,
            callbacks=[_Progress(progress)] if progress else None,
        )
        at_work.remove_callback(PrinterCallback)
        at_work.train(resume_from_checkpoint=str(resume) if resume else None)
    if how.checkpointing:
        model.gradient_checkpointing_disable()
    return _step(resume)


def speed_up(model: Any, groups: Sequence[dict[str, Any]], faster: Mapping[str, float]) -> list[dict[str, Any]]:
    """Take named weights out of an optimiser's groups, and return groups of their own at so many times the rate.

    source : Howard and Ruder (2018), arXiv 1801.06146: rates by layer; what is new is furthest from where it will be
    """
    times = {id(part): faster[name] for name, part in model.named_parameters() if name in faster}
    made: list[dict[str, Any]] = []
    for group in groups:
        own = [part for part in group["params"] if id(part) in times]
        group["params"] = [part for part in group["params"] if id(part) not in times]
        options = {key: value for key, value in group.items() if key != "params"}
        made += [
            {**options, "params": [p for p in own if times[id(p)] == factor], "lr": factor * group["lr"]}
            for factor in sorted({times[id(part)] for part in own})
        ]
    return made


def _check_sound(model: Any, how: Optimisation) -> None:
    """Refuse a model that training made useless, which would answer all texts alike without a word."""
    lost = next((name for name, part in model.named_parameters() if not bool(part.isfinite().all())), None)
    if lost is not None:
        raise BudgetsimError(
            f"Training diverged: {lost} is not finite after {how.steps} steps at a learning rate of {how.lr:g}; take a "
            f"smaller one."
        )


def padded(lengths: Sequence[int], order: Sequence[int], batch: int) -> int:
    """Tokens of all batches, each padded to its longest row.

    >>> padded([1, 3, 2], [0, 1, 2], batch=2)
    8
    """
    batches = [[lengths[i] for i in order[start : start + batch]] for start in range(0, len(order), batch)]
    return sum(len(sizes) * max(sizes) for sizes in batches)


def pad(rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
    """(rows, longest) integers, filled up with a value."""
    return pad_sequence([torch.tensor(r, dtype=torch.long) for r in rows], batch_first=True, padding_value=value)


def _arguments(how: Optimisation, folder: Path, every: int) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=how.steps,
        per_device_train_batch_size=how.rows_at_once,
        gradient_accumulation_steps=how.pieces,
        gradient_checkpointing=how.checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False} if how.checkpointing else None,
        learning_rate=how.lr,
        warmup_steps=int(how.warmup_share * how.steps),
        weight_decay=how.weight_decay,
        max_grad_norm=how.clip,
        optim=how.optimizer,
        lr_scheduler_type=how.scheduler,
        bf16=how.precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        seed=how.seed,
        data_seed=how.seed,
        save_strategy="steps" if every else "no",
        save_steps=every or how.steps,
        save_total_limit=2,
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=torch.cuda.is_available(),
    )


class _Progress(TrainerCallback):
    """Tells how many steps are done, at most once a second."""

    def __init__(self, tell: Callable[[int, int], None]) -> None:
        self.tell, self.last = tell, 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        now = time.monotonic()
        if now - self.last > 1 or state.global_step == state.max_steps:
            self.last = now
            self.tell(state.global_step, state.max_steps)


def _newest_whole(folder: Path) -> Path | None:
    """The newest checkpoint whose files can be read; broken ones are put aside, and said."""
    found = sorted((p for p in folder.glob("checkpoint-*") if p.is_dir()), key=_step, reverse=True)
    for place in found:
        problem = _broken(place)
        if problem is None:
            return place
        logger.warning("%s is damaged (%s): training goes on from the one before it.", place.name, problem)
        place.rename(place.with_name(f"damaged-{place.name}-{time.time_ns()}"))
    return None


def _broken(place: Path) -> str | None:
    from safetensors import SafetensorError, safe_open

    try:
        held = next((name for name in WEIGHTS if (place / name).exists()), WEIGHTS[0])
        with safe_open(place / held, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118  (not a mapping)
                weights.get_tensor(name)
        for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
            with torch.serialization.safe_globals(_rng_globals()):
                torch.load(place / name, weights_only=True)
        if not (place / "trainer_state.json").read_text(encoding="utf-8").rstrip().endswith("}"):
            return "trainer_state.json is torn"
    except (OSError, SafetensorError, RuntimeError, EOFError, ValueError) as error:
        return str(error).splitlines()[0][:80] if str(error) else type(error).__name__
    except Exception as error:  # a torn archive raises whatever its parser stumbles over
        return type(error).__name__
    return None


def _rng_globals() -> list[Any]:
    import numpy as np

    kinds = [np.ndarray, np.dtype, type(np.dtype(np.uint32))]
    with contextlib.suppress(ImportError):
        kinds.append(import_module("numpy._core.multiarray")._reconstruct)
    return kinds


def _step(place: Path | None) -> int:
    return int(place.name.rsplit("-", 1)[1]) if place else 0
