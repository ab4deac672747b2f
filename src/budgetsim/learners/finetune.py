"""Training of a seq2seq model on hard labels or a teacher's soft ones: transformers' Trainer with our loss."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import PrinterCallback, Seq2SeqTrainer, Seq2SeqTrainingArguments, TrainerCallback

from budgetsim.learners.distill import LabelHead, StateHead, label_loss, state_loss
from budgetsim.learners.schedule import batch_order

IGNORE: Final = -100
SOFT_INPUTS: Final = ("label_probs", "states", "is_gold")
logger = logging.getLogger("budgetsim.learners")


@dataclass(frozen=True, slots=True)
class TrainExample:
    """One training example: ids in, ids out, and at most one kind of soft target.

    label_probs : (classes,) teacher's probabilities at the temperature, for the first output token
    states : (tokens out, d_teacher) teacher's last decoder states
    """

    source: list[int]
    target: list[int]
    label_probs: torch.Tensor | None = None
    states: torch.Tensor | None = None


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


@dataclass(frozen=True, slots=True)
class Trained:
    """What training took."""

    seconds: float
    examples: int
    tokens: int  # source and target tokens, padding included
    resumed_at: int  # step it went on from, 0 from the start


class KDTrainer(Seq2SeqTrainer):
    """Cross entropy on hard labels, KL at a temperature on soft ones; padding is never scored."""

    def __init__(self, *args: Any, soft: LabelHead | StateHead | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.soft = soft
        self.model_accepts_loss_kwargs = False

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        soft: dict[str, Any] = {name: inputs.pop(name) for name in SOFT_INPUTS if name in inputs}
        outputs = model(**inputs)
        loss = self._loss(outputs, inputs["labels"], soft)
        return (loss, outputs) if return_outputs else loss

    def _loss(self, outputs: Any, labels: torch.Tensor, soft: dict[str, torch.Tensor]) -> torch.Tensor:
        if isinstance(self.soft, LabelHead):
            return label_loss(outputs.logits, labels, soft["label_probs"], self.soft)
        if isinstance(self.soft, StateHead):
            return state_loss(outputs.logits, labels, soft["states"], soft["is_gold"], self.soft)
        loss: torch.Tensor = outputs.loss
        return loss

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        rows: Any = train_dataset if train_dataset is not None else self.train_dataset
        return torch.utils.data.SequentialSampler(rows)


class Ordered(torch.utils.data.Dataset[TrainExample]):
    """The examples in the order of training, so that a resumed run goes on with the right one."""

    def __init__(self, examples: Sequence[TrainExample], order: Sequence[int]) -> None:
        self.examples, self.order = examples, order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> TrainExample:
        return self.examples[self.order[index]]


def train(
    model: Any,
    examples: Sequence[TrainExample],
    how: Optimisation,
    *,
    soft: LabelHead | StateHead | None = None,
    checkpoints: Path | None = None,
    checkpoint_every: int = 0,
    progress: Callable[[int, int], None] | None = None,
    trainer: Callable[..., KDTrainer] = KDTrainer,
) -> Trained:
    """Train a model in place; with `checkpoints`, go on from the newest one that is whole.

    trainer : what makes the trainer, for another loss

    The same model, examples and `how` give the same weights, to the bit, on one machine with one thread.
    """
    order = batch_order(
        [len(e.source) for e in examples], batch=how.batch, steps=how.steps, seed=how.seed, grouped=how.grouped
    )
    resume = _newest_whole(checkpoints) if checkpoints else None
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        at_work = trainer(
            model=model,
            args=_arguments(how, checkpoints or Path(scratch), checkpoint_every if checkpoints else 0),
            train_dataset=Ordered(examples, order.tolist()),
            data_collator=collate,
            soft=soft,
            callbacks=[_Progress(progress)] if progress else None,
        )
        at_work.remove_callback(PrinterCallback)
        at_work.train(resume_from_checkpoint=str(resume) if resume else None)
    seconds = time.perf_counter() - start
    return Trained(seconds, len(order), _tokens(examples, order.tolist(), how.batch), _step(resume))


def collate(batch: Sequence[TrainExample]) -> dict[str, torch.Tensor]:
    """Pad a batch: (batch, longest) ids with 0, labels with -100, soft targets beside them."""
    sources = _pad([e.source for e in batch], 0)
    made = {
        "input_ids": sources,
        "attention_mask": (sources != 0).long(),
        "labels": _pad([e.target for e in batch], IGNORE),
    }
    if batch[0].label_probs is not None:
        made["label_probs"] = torch.stack([e.label_probs for e in batch if e.label_probs is not None])
    if any(e.states is not None for e in batch):
        width = next(e.states.shape[1] for e in batch if e.states is not None)
        states = [e.states if e.states is not None else torch.zeros(len(e.target), width) for e in batch]
        made["states"] = pad_sequence([s.float() for s in states], batch_first=True)
        made["is_gold"] = torch.tensor([e.states is None for e in batch])
    return made


def _pad(rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
    return pad_sequence([torch.tensor(r, dtype=torch.long) for r in rows], batch_first=True, padding_value=value)


def _tokens(examples: Sequence[TrainExample], order: Sequence[int], batch: int) -> int:
    total = 0
    for start in range(0, len(order), batch):
        rows = [examples[i] for i in order[start : start + batch]]
        total += len(rows) * (max(len(e.source) for e in rows) + max(len(e.target) for e in rows))
    return total


def _arguments(how: Optimisation, folder: Path, every: int) -> Seq2SeqTrainingArguments:
    return Seq2SeqTrainingArguments(
        output_dir=str(folder),
        max_steps=how.steps,
        per_device_train_batch_size=how.batch,
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
    places = sorted((p for p in folder.glob("checkpoint-*") if p.is_dir()), key=_step, reverse=True)
    for place in places:
        problem = _broken(place)
        if problem is None:
            return place
        logger.warning("%s is damaged (%s): training goes on from the one before it.", place.name, problem)
        place.rename(place.with_name(f"damaged-{place.name}-{time.time_ns()}"))
    return None


def _broken(place: Path) -> str | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(place / "model.safetensors", framework="pt") as weights:
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
