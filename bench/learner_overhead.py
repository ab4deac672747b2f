"""Fine-tuning MiniLM through us against a bare loop on equal batches (goal: at most 1.10x) and the Trainer recipe.

OMP_NUM_THREADS=1 python bench/learner_overhead.py SOURCE [--steps 30] [--repeats 3] [--intents 10]

SOURCE holds `sentconv` (SST-2) and `banking77` as their authors publish them. First: CPU seconds of loading, reading
texts and training, the same rows in the same order, once each way and then the other way round. Then, for 64 texts a
class: score on held-out texts and CPU seconds beside the recipe of the library's own documentation (Trainer, padding
by batch, random order, 5e-5, linear decay, no warmup), equal in steps, batch and learning rate. All 77 intents take long; by
default the first 10 by name are told apart. About 6 CPU minutes.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    get_linear_schedule_with_warmup,
)

from budgetsim.data.tasks import Task
from budgetsim.learners.device import prepare
from budgetsim.learners.encoder import encoder_folder
from budgetsim.learners.protocol import Desk, Examples, Training
from budgetsim.learners.registry import parse_learner
from budgetsim.learners.schedule import batch_order

A_CLASS, MAX_TOKENS = 64, 128
LEARNER = parse_learner("ft:minilm")


@dataclass(frozen=True, slots=True)
class Data:
    """A task of texts: what is trained on, and what is held out."""

    task: Task
    train: Examples
    test: Examples


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--intents", type=int, default=10)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    prepare(1)
    sst2, banking = read_sst2(options.source), read_banking(options.source, options.intents)
    started = time.process_time()
    LEARNER.check(sst2.task)
    print(f"The look at config, tokenizer and weights, once a process: {time.process_time() - started:.1f} CPU s")
    overhead(sst2, Training(steps=options.steps, batch=16, lr=5e-5, max_tokens=MAX_TOKENS), options.repeats)
    print("\ntask                 way              score  CPU s")
    for data, how in (
        (sst2, Training(steps=80, batch=16, lr=5e-5, max_tokens=MAX_TOKENS)),
        (banking, Training(steps=4 * len(banking.train) // 32, batch=32, lr=1e-4, max_tokens=MAX_TOKENS)),
    ):
        for way, train in (("through us", ours), ("Trainer recipe", recipe)):
            started = time.process_time()
            answer = train(data, how)
            seconds = time.process_time() - started
            right = [a == b for a, b in zip(answer(data.test.sources), data.test.answers, strict=True)]
            print(f"{data.task.name:20} {way:15} {np.mean(right):6.3f} {seconds:6.1f}", flush=True)


def overhead(data: Data, how: Training, repeats: int) -> None:
    """Print CPU seconds of both and the median ratio of neighbours."""
    ratios = []
    print(f"{how.steps} steps of {how.batch} on {data.task.name}, CPU s:    bare   ours  ratio")
    for i in range(repeats):
        ways = [bare, ours] if i % 2 == 0 else [ours, bare]
        took = {way: seconds(lambda way=way: way(data, how)) for way in ways}  # type: ignore[misc]
        ratios.append(took[ours] / took[bare])
        print(f"{'':45} {took[bare]:6.2f} {took[ours]:6.2f} {ratios[-1]:6.3f}", flush=True)
    print(f"median ratio {median(ratios):.3f} (goal: at most 1.10)")


def ours(data: Data, how: Training) -> Callable[[Sequence[str]], list[str]]:
    """A student as the conductor trains it."""
    with tempfile.TemporaryDirectory() as folder:
        return LEARNER.fit(data.task, data.train, how, Desk(Path(folder))).answer


def bare(data: Data, how: Training) -> torch.nn.Module:
    """The same batches with nothing around them."""
    tokenizer, model = load(data.task, how.seed)
    rows = tokenizer(list(data.train.sources), truncation=True, max_length=how.max_tokens)
    classes = data.train.classes(data.task.labels)
    lengths = [len(ids) for ids in rows["input_ids"]]
    order = batch_order(lengths, batch=how.batch, steps=how.steps, seed=how.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=how.lr, weight_decay=how.weight_decay, fused=True)
    warmup = int(how.warmup_share * how.steps)
    schedule = get_linear_schedule_with_warmup(optimizer, warmup, how.steps)  # type: ignore[no-untyped-call]
    model.train()
    for start in range(0, len(order), how.batch):
        chosen = order[start : start + how.batch]
        inputs = tokenizer.pad({name: [rows[name][i] for i in chosen] for name in rows}, return_tensors="pt")
        model(**inputs, labels=torch.from_numpy(classes[chosen])).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), how.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return model


def recipe(data: Data, how: Training) -> Callable[[Sequence[str]], list[str]]:
    """What the library's documentation shows for text classification."""
    tokenizer, model = load(data.task, how.seed)
    made = tokenizer(list(data.train.sources), truncation=True, max_length=how.max_tokens)
    classes = data.train.classes(data.task.labels)
    rows: Any = [{**{name: made[name][i] for name in made}, "label": int(classes[i])} for i in range(len(classes))]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, max_steps=how.steps, per_device_train_batch_size=how.batch, learning_rate=how.lr,
            save_strategy="no", logging_strategy="no", report_to=[], disable_tqdm=True, use_cpu=True, seed=how.seed,
        )  # fmt: skip
        Trainer(model, arguments, data_collator=DataCollatorWithPadding(tokenizer), train_dataset=rows).train()
    return lambda sources: answers(model, tokenizer, data.task, sources, how.max_tokens)


@torch.no_grad()
def answers(model: Any, tokenizer: Any, task: Task, sources: Sequence[str], max_tokens: int) -> list[str]:
    """The most likely label of each text."""
    found = []
    for start in range(0, len(sources), 64):
        chunk = list(sources[start : start + 64])
        inputs = tokenizer(chunk, truncation=True, max_length=max_tokens, padding=True, return_tensors="pt")
        found += [task.labels[i] for i in model.eval()(**inputs).logits.argmax(1).tolist()]
    return found


def load(task: Task, seed: int) -> tuple[Any, Any]:
    """Tokenizer and model with a new head."""
    folder = encoder_folder()
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=len(task.labels), use_safetensors=True
    )
    return AutoTokenizer.from_pretrained(folder), model


def read_sst2(source: Path) -> Data:
    """SST-2: 64 texts a class by seed 0, and its test file."""
    folder = source / "sentconv"
    train, test = (
        [(line[2:], ("negative", "positive")[int(line[0])]) for line in place.read_text("utf-8").splitlines()]
        for place in (folder / "stsa.binary.train", folder / "stsa.binary.test")
    )
    return cut("SST-2", train, test)


def read_banking(source: Path, intents: int) -> Data:
    """banking77: 64 texts (or all there are) of each of the first intents by name, and their test texts."""
    folder = source / "banking77"
    train, test = (
        [(row["text"], row["category"]) for row in csv.DictReader(place.open(encoding="utf-8"))]
        for place in (folder / "train.csv", folder / "test.csv")
    )
    kept = sorted({label for _, label in train})[:intents]
    return cut(f"banking, {len(kept)} intents", *([r for r in rows if r[1] in kept] for rows in (train, test)))


def cut(name: str, train: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]]) -> Data:
    """The task of these rows, 64 of train a class."""
    labels = tuple(sorted({label for _, label in train}))
    task = Task(
        name=name, kind="classification", metric="accuracy", constant_score=1 / len(labels), constant_answer=labels[0],
        floors=(0.0,), n_test=len(test), source_tokens=20.0, target_tokens=1.0, description=name, labels=labels,
        origin="custom",
    )  # fmt: skip
    shuffled = [train[i] for i in np.random.default_rng(0).permutation(len(train))]
    few = [row for label in labels for row in [r for r in shuffled if r[1] == label][:A_CLASS]]
    return Data(task, examples(few), examples(test))


def examples(rows: Sequence[tuple[str, str]]) -> Examples:
    """Texts and their labels."""
    return Examples(sources=[text for text, _ in rows], answers=[label for _, label in rows])


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of the one thread."""
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
