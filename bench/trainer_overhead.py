"""The Trainer subclass against a bare loop on equal batches: goal at most 1.15x; and where the rest goes.

OMP_NUM_THREADS=1 python bench/trainer_overhead.py [--steps 150] [--repeats 3]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import get_linear_schedule_with_warmup

from budgetsim.data.tasks import get_task
from budgetsim.data.toy import toy_rows
from budgetsim.learners import finetune, models
from budgetsim.learners.codec import PieceCodec, train_pieces
from budgetsim.learners.device import prepare
from budgetsim.learners.schedule import batch_order

BATCH = 32
OUTSIDE = ("forward", "backward", "adam", "_call_impl", "run_backward")


def examples() -> tuple[list[finetune.TrainExample], int]:
    """Toy texts as ids, and the size of their vocabulary."""
    task = get_task("toy_requests")
    rows = toy_rows(size=1500)
    codec = PieceCodec(train_pieces([r.source for r in rows], task.labels, 1000), task.labels)
    answers = dict(zip(task.labels, codec.encode_labels(task.labels), strict=True))
    sources = codec.encode([r.source for r in rows], 64)
    made = [finetune.TrainExample(s, answers[r.target]) for s, r in zip(sources, rows, strict=True)]
    return made, codec.vocab_size


def bare(model: torch.nn.Module, rows: list[finetune.TrainExample], how: finetune.Optimisation) -> None:
    """The same steps with nothing around them."""
    order = batch_order([len(r.source) for r in rows], batch=how.batch, steps=how.steps, seed=how.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=how.lr, weight_decay=0.0, fused=True)
    make_schedule: Callable[..., Any] = get_linear_schedule_with_warmup
    schedule = make_schedule(optimizer, int(how.warmup_share * how.steps), how.steps)
    model.train()
    for start in range(0, len(order), how.batch):
        batch = finetune.collate([rows[i] for i in order[start : start + how.batch]])
        model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), how.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of the one thread: other work on the machine disturbs them less than the clock."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print CPU seconds and ratios, then the Trainer's own functions by the time they take."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    prepare(threads=1)
    rows, vocabulary = examples()
    how = finetune.Optimisation(steps=chosen.steps, batch=BATCH, lr=1e-3)
    for name in ("pico", "nano", "micro"):
        plain, ours = [], []
        for _ in range(chosen.repeats):
            plain.append(seconds(lambda: bare(models.build_cpu(name, vocabulary, 0), rows, how)))  # noqa: B023
            ours.append(seconds(lambda: finetune.train(models.build_cpu(name, vocabulary, 0), rows, how)))  # noqa: B023
        print(
            f"{name}: bare {min(plain):.2f} s, Trainer {min(ours):.2f} s, ratio {min(ours) / min(plain):.3f} "
            f"({1000 * (min(ours) - min(plain)) / how.steps:.2f} ms a step more)",
            flush=True,
        )
    profile = cProfile.Profile()
    profile.runcall(finetune.train, models.build_cpu("pico", vocabulary, 0), rows, how)
    print("\nWhere the rest goes (cumulative ms a step, pico, profiled):")
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    found = [
        (1000 * cumulative / how.steps, f"{file.rsplit('/', 1)[-1]}:{function}")
        for (file, _, function), (_, _, _, cumulative, _) in stats.items()
        if any(part in file for part in ("trainer", "accelerate", "callback", "dataloader", "finetune", "data_loader"))
        and not any(word in function for word in OUTSIDE)
    ]
    for cost, where in sorted(found, reverse=True)[:18]:
        print(f"  {cost:8.3f}  {where}")


if __name__ == "__main__":
    main()
