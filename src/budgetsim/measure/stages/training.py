"""What stages that train or read a seq2seq model share: examples, optimisation, weights on disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from budgetsim.data.rows import Row
from budgetsim.errors import InputError
from budgetsim.learners.names import CPU_FAMILY
from budgetsim.measure.resolve import Run
from budgetsim.measure.stagestore import Work

if TYPE_CHECKING:
    from budgetsim.learners.codec import Codec
    from budgetsim.learners.finetune import Optimisation, TrainExample


def encode_examples(run: Run, codec: Codec, rows: Sequence[Row], targets: Sequence[str]) -> list[TrainExample]:
    """Rows with hard labels as token ids.

    raises : InputError where a class label is none of the task's
    """
    from budgetsim.learners.finetune import TrainExample

    sources = codec.encode(run.prefixed(rows), run.recipe.source_tokens)
    if run.task.labels:
        ids = dict(zip(run.task.labels, codec.encode_labels(run.task.labels), strict=True))
        unknown = sorted(set(targets) - set(ids))
        if unknown:
            raise InputError(f"{run.task.name} has a row labelled {unknown[0]!r}, which is none of its labels.")
        answers = [ids[target] for target in targets]
    else:
        answers = codec.encode(list(targets), run.target_tokens)
    return [TrainExample(source, answer) for source, answer in zip(sources, answers, strict=True)]


def optimisation(run: Run, lr: float, steps: int) -> Optimisation:
    """How the run's recipe trains; in its own precision on a GPU alone."""
    from budgetsim.learners.finetune import Optimisation

    recipe = run.recipe
    return Optimisation(
        steps=steps,
        batch=recipe.batch,
        lr=lr,
        warmup_share=recipe.warmup_share,
        optimizer=recipe.optimizer,
        scheduler=recipe.scheduler,
        precision=recipe.precision if run.workspace.stages.device.kind == "gpu" else "fp32",
        temperature=recipe.t5_temperature,
        seed=run.spec.seed,
        checkpointing=recipe.checkpointing,
        micro_batch=recipe.micro_batch,
        devices=recipe.devices,
    )


def fresh_model(run: Run, name: str, codec: Codec) -> Any:
    """A model before training: of the CPU family from scratch, else a checkpoint."""
    from budgetsim.learners.models import build_cpu, load_checkpoint

    if name in CPU_FAMILY:
        return build_cpu(name, codec.vocab_size, run.spec.seed)
    return load_checkpoint(name)


def save_trained(folder: Path, model: Any, trained: Any, examples: Sequence[TrainExample]) -> Work:
    """Keep the weights, drop the checkpoints, and report what training took."""
    from budgetsim.learners.flops import per_token

    model.save_pretrained(folder / "model")
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    source = round(float(np.mean([len(e.source) for e in examples])))
    target = round(float(np.mean([len(e.target) for e in examples])))
    flops = per_token(model, source_tokens=source, target_tokens=target, training=True) * trained.tokens
    return Work(
        examples=trained.examples, tokens=trained.tokens, flops=flops, provenance={"resumed_at": trained.resumed_at}
    )  # fmt: skip


def load_trained(run: Run, name: str, folder: Path, codec: Codec) -> Any:
    """A model that `save_trained` kept in the folder of its stage, where it can answer."""
    from budgetsim.learners.models import load_checkpoint, load_cpu, placed

    if name in CPU_FAMILY:
        return placed(load_cpu(name, codec.vocab_size, folder / "model"))
    return placed(load_checkpoint(str(folder / "model")), run.recipe.precision)
