"""The published way of distilling against ours: same teacher, student, texts, order, epochs and seed.

    OMP_NUM_THREADS=1 python bench/distill_vs_inline.py [--texts 256] [--epochs 1 10 50]

Published way, written here from its description: the teacher generates an answer to each text when it
is first met (kept by text), and runs forward inside every step of every epoch; batches in random order.
Ours: one labelling pass keeps the teacher's last decoder states, exactly; steps rebuild its logits.
The bound is (g + E (t + s)) / (g + t + E (s + r)) with g, t, s, r measured here, a text. Ratios are given in
wall-clock seconds and in CPU seconds of the one thread, which other work on the machine disturbs less; g, t, s,
r and the bound are CPU seconds. Texts are the generated toy task; models are the CPU family: ratios of sizes,
not the paper's sizes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from budgetsim.data.metrics import score
from budgetsim.data.tasks import get_task
from budgetsim.data.toy import toy_rows
from budgetsim.learners import finetune, models
from budgetsim.learners.codec import PieceCodec, train_pieces
from budgetsim.learners.device import prepare
from budgetsim.learners.distill import StateCache, StateHead, cache_states, kl_tokens
from budgetsim.learners.evaluate import answer, generate

PAIRS = (("micro", "pico"), ("mini", "nano"))
BATCH, TARGET, TEMPERATURE = 32, 4, 2.0


@dataclass
class Setting:
    """Everything both ways share."""

    codec: PieceCodec
    teacher: Any
    student: str
    sources: list[list[int]]
    texts: list[str]
    test: list[Any]

    def fresh(self) -> Any:
        return models.build_cpu(self.student, self.codec.vocab_size, seed=0)

    def accuracy(self, model: Any) -> float:
        task = get_task("toy_requests")
        answers = answer(
            model, self.codec, [r.source for r in self.test], source_tokens=64, target_tokens=TARGET, batch=128,
            labels=task.labels,
        )  # fmt: skip
        return score(task, [], answers, [r.target for r in self.test])["accuracy"]


def inline_loss(teacher: Any) -> Callable[[Any, dict[str, Any]], torch.Tensor]:
    """The teacher inside every step; its answers are kept by text."""
    answers: dict[tuple[int, ...], list[int]] = {}

    def loss(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        rows = [tuple(ids[ids != 0].tolist()) for ids in inputs["input_ids"]]
        absent = [list(row) for row in dict.fromkeys(rows) if row not in answers]
        if absent:
            said = generate(teacher, absent, max_tokens=TARGET, batch=BATCH)
            answers.update({tuple(row): ids for row, ids in zip(absent, said, strict=True)})
        examples = [finetune.TrainExample(list(row), answers[row]) for row in rows]
        labels = finetune.collate(examples)["labels"]
        given = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"], "labels": labels}
        with torch.no_grad():
            taught = teacher(**given).logits
        return kl_tokens(model(**given).logits, taught, TEMPERATURE)[labels != finetune.IGNORE].mean()

    return loss


@dataclass(frozen=True)
class Run:
    """Wall-clock and CPU seconds, and the student's accuracy."""

    wall: float
    cpu: float
    accuracy: float

    def __str__(self) -> str:
        return f"{self.wall:.1f} s wall, {self.cpu:.1f} s CPU ({self.accuracy:.1f})"


def inline(setting: Setting, epochs: int) -> Run:
    """The published way."""
    model, how = setting.fresh(), optimisation(setting, epochs, grouped=False)
    examples = [finetune.TrainExample(s, [1]) for s in setting.sources]
    wall, cpu = time.perf_counter(), time.process_time()
    finetune.train(model, examples, how, loss=inline_loss(setting.teacher))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Run(wall, cpu, setting.accuracy(model))


def cached(setting: Setting, epochs: int, *, grouped: bool) -> Run:
    """Our way, the labelling pass included."""
    model, how = setting.fresh(), optimisation(setting, epochs, grouped=grouped)
    wall, cpu = time.perf_counter(), time.process_time()
    cache = cache_states(setting.teacher, setting.sources, max_tokens=TARGET, batch=BATCH)
    finetune.train(model, examples_of(setting, cache), how, soft=head_of(cache))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Run(wall, cpu, setting.accuracy(model))


def optimisation(setting: Setting, epochs: int, *, grouped: bool) -> finetune.Optimisation:
    steps = epochs * -(-len(setting.sources) // BATCH)
    return finetune.Optimisation(steps=steps, batch=BATCH, lr=1e-3, grouped=grouped)


def examples_of(setting: Setting, cache: StateCache) -> list[finetune.TrainExample]:
    rows = zip(setting.sources, cache.sequences, cache.rows(), strict=True)
    return [finetune.TrainExample(s, q, states=r) for s, q, r in rows]


def head_of(cache: StateCache) -> StateHead:
    return StateHead(cache.matrix.float(), cache.scale, TEMPERATURE)


def parts(setting: Setting) -> dict[str, float]:
    """CPU seconds a text of generation, teacher forward, student step and rebuilding, in batches in random order."""
    cache = cache_states(setting.teacher, setting.sources, max_tokens=TARGET, batch=BATCH)
    examples = examples_of(setting, cache)
    batches = [finetune.collate(examples[i : i + BATCH]) for i in range(0, len(examples), BATCH)]
    given = [{n: b[n] for n in ("input_ids", "attention_mask", "labels")} for b in batches]
    hard = [finetune.TrainExample(e.source, e.target) for e in examples]
    how = optimisation(setting, 5, grouped=False)
    head = head_of(cache)

    def generate_all() -> None:
        for i in range(0, len(setting.sources), BATCH):
            generate(setting.teacher, setting.sources[i : i + BATCH], max_tokens=TARGET, batch=BATCH)

    def forward_all() -> None:
        with torch.no_grad():
            for batch in given:
                setting.teacher(**batch)

    def rebuild_all() -> None:
        for batch in batches:
            kl_tokens(
                torch.zeros(*batch["labels"].shape, setting.codec.vocab_size), batch["states"] @ head.matrix.T, 2.0
            )

    n = len(setting.sources)
    return {
        "g": seconds(generate_all) / n,
        "t": seconds(forward_all) / n,
        "s": seconds(lambda: finetune.train(setting.fresh(), hard, how)) / (how.steps * BATCH),
        "r": seconds(rebuild_all) / n,
    }


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Least CPU seconds of some runs."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def prepare_setting(teacher: str, student: str, n_texts: int) -> Setting:
    """Toy texts, a tokenizer, and a teacher trained on 600 labels."""
    task = get_task("toy_requests")
    rows = toy_rows()
    labelled, texts, test = rows[:600], rows[600 : 600 + n_texts], rows[-800:]
    codec = PieceCodec(train_pieces([r.source for r in rows[:3000]], task.labels, 1000), task.labels)
    model = models.build_cpu(teacher, codec.vocab_size, seed=0)
    answers = dict(zip(task.labels, codec.encode_labels(task.labels), strict=True))
    sources = codec.encode([r.source for r in labelled], 64)
    examples = [finetune.TrainExample(s, answers[r.target]) for s, r in zip(sources, labelled, strict=True)]
    finetune.train(model, examples, finetune.Optimisation(steps=100, batch=BATCH, lr=1e-3))
    plain = [r.source for r in texts]
    return Setting(codec, model, student, codec.encode(plain, 64), plain, test)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 10, 50])
    chosen = parser.parse_args()
    prepare(threads=1)
    for teacher, student in PAIRS:
        setting = prepare_setting(teacher, student, chosen.texts)
        sizes = [models.parameters(m) for m in (setting.teacher, setting.fresh())]
        p = parts(setting)
        print(
            f"{teacher} -> {student} ({sizes[0] / sizes[1]:.1f}x the parameters), {chosen.texts} texts; ms a text: "
            + ", ".join(f"{k} {1000 * v:.3f}" for k, v in p.items()),
            flush=True,
        )
        for epochs in chosen.epochs:
            bound = (p["g"] + epochs * (p["t"] + p["s"])) / (p["g"] + p["t"] + epochs * (p["s"] + p["r"]))
            slow = inline(setting, epochs)
            fast = cached(setting, epochs, grouped=False)
            best = cached(setting, epochs, grouped=True)
            share = 100 * slow.cpu / fast.cpu / bound
            print(
                f"  {epochs:3d} epochs: inline {slow}; cached, equal batches {fast}; grouped by length {best}",
                flush=True,
            )
            print(
                f"      ratio wall {slow.wall / fast.wall:.2f}, CPU {slow.cpu / fast.cpu:.2f}, bound {bound:.2f} "
                f"({share:.0f} % of it); grouped: wall {slow.wall / best.wall:.2f}, CPU {slow.cpu / best.cpu:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
