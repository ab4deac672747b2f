"""Tokens a second of each kind of learner on this device, with random weights: speed does not depend on them.

Times of a processor are CPU seconds of one thread, which other work on the machine hardly changes; of a GPU, seconds of
the clock with the device waited for. The first step of each is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from statistics import median
from typing import Any, Final

import torch
import transformers

from budgetsim.costs.memory import Load, Way
from budgetsim.costs.operations import forward_operations, training_operations
from budgetsim.costs.speeds import Speed
from budgetsim.design.architectures import PUBLISHED, Architecture, architecture, from_config, t5
from budgetsim.design.models import SHAPES
from budgetsim.learners.models import config_of
from budgetsim.learners.protocol import Desk, Examples, Training

SMALL_LM: Final = {  # the sizes of SmolLM2-135M, as its config says
    "model_type": "llama", "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9,
    "num_key_value_heads": 3, "intermediate_size": 1536, "vocab_size": 49152, "tie_word_embeddings": True,
}  # fmt: skip
MINILM: Final = "sentence-transformers/all-MiniLM-L6-v2"
TOKENS: Final = 32  # of a text; of an answer an eighth of them
PARTS: Final = 10  # timed pieces, each with its share of the time


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and how long things are timed.

    device : cpu or cuda; ends : when each piece is over, by the clock that runs on: what is prepared between pieces
        comes off the time of those that follow, so that the whole takes about as long as was said
    """

    device: str
    ends: Iterator[float]
    tell: Callable[[str], None] = field(default=lambda _: None)

    @staticmethod
    def lasting(seconds: float, device: str, tell: Callable[[str], None], parts: int = PARTS) -> Bench:
        """One whose pieces share so many seconds from now on; any after them end at once."""
        began = time.perf_counter()
        return Bench(device, (began + seconds * min(i, parts) / parts for i in count(1)), tell)

    def clock(self) -> float:
        if self.device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    def step_seconds(self, step: Callable[[], Any]) -> float:
        """Median seconds of a step: one not counted, then as many as fit the time, one at least."""
        end = next(self.ends)
        step()
        taken: list[float] = []
        while not taken or time.perf_counter() < end:
            start = self.clock()
            step()
            taken.append(self.clock() - start)
        return max(median(taken), 1e-9)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What was timed on this device."""

    peak_tflops: float
    seconds_per_step: float
    rows: tuple[Speed, ...]


def calibrate(seconds: float = 60.0, tell: Callable[[str], None] = lambda _: None) -> Calibrated:
    """Time every kind of learner on the device that torch uses, in about so many seconds.

    raises : MissingExtraError without scikit-learn
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    bench = Bench.lasting(seconds, device, tell)
    size, rows, layers = ("t5-v1_1-base", 64, 30) if device == "cuda" else ("mini", 8, 4)
    lm = {**SMALL_LM, "num_hidden_layers": layers}
    kinds: list[tuple[str, str, Any, Architecture, Load]] = [
        ("t5", size, config_of(size), t5(SHAPES[size], n_vocabularies=1), _load(rows, TOKENS // 8, TOKENS // 8)),
        ("ft", MINILM, _config(PUBLISHED[MINILM]), architecture(MINILM), _load(rows)),
        ("lm", f"SmolLM2-135M, {layers} layers", _config(lm), from_config(lm), _load(rows, scored=1)),
    ]
    peak = _peak(bench)
    found = [row for kind in kinds for row in _timed(bench, *kind)]
    encoder = next(row for row in found if row.kind == "ft" and row.does == "answer")
    found.append(encoder.model_copy(update={"kind": "encoder-lr"}))  # the same forward pass
    found += _tfidf(bench)
    return Calibrated(peak, _launches(bench), tuple(found))


def _load(rows: int, target: int = 0, scored: int = 0) -> Load:
    return Load(rows=rows, source=TOKENS, target=target, scored=scored)


def _config(values: Any) -> Any:
    return transformers.AutoConfig.for_model(**values, num_labels=2, pad_token_id=0)


def _peak(bench: Bench) -> float:
    """Operations a second of one large product, in 1e12: in bf16 on a GPU, in fp32 on a processor."""
    n, dtype = (8192, torch.bfloat16) if bench.device == "cuda" else (1024, torch.float32)
    a, b = (torch.randn(n, n, device=bench.device, dtype=dtype) for _ in range(2))
    bench.tell("a large product")
    return 2.0 * n**3 / bench.step_seconds(lambda: a @ b) / 1e12


def _timed(bench: Bench, kind: str, name: str, config: Any, sizes: Architecture, load: Load) -> list[Speed]:
    """A model at training and at answering."""
    torch.manual_seed(0)
    model = _heads(kind).from_config(config).to(bench.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    inputs = _inputs(kind, load, bench.device)
    bench.tell(f"{kind}: {name}, training")
    step = bench.step_seconds(lambda: _train(model.train(), optimizer, inputs, bench.device))
    bench.tell(f"{kind}: {name}, answering")
    read = bench.step_seconds(lambda: _answer(model.eval(), inputs, bench.device))
    way = Way(precision="bf16" if bench.device == "cuda" else "fp32")
    shared = {"kind": kind, "model": name, "parameters": sizes.n_parameters}
    return [
        Speed(
            **shared, does="train", tokens_per_s=load.tokens / step,
            tflops=training_operations(sizes, way, load) / step / 1e12,
        ),
        Speed(
            **shared, does="answer", tokens_per_s=load.tokens / read,
            tflops=forward_operations(sizes, load) / read / 1e12,
        ),
    ]  # fmt: skip


def _heads(kind: str) -> Any:
    return {
        "t5": transformers.AutoModelForSeq2SeqLM,
        "ft": transformers.AutoModelForSequenceClassification,
        "lm": transformers.AutoModelForCausalLM,
    }[kind]


def _inputs(kind: str, load: Load, device: str) -> dict[str, Any]:
    ids = torch.randint(3, 4000, (load.rows, load.source), device=device)
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if kind == "t5":
        return {**inputs, "labels": torch.randint(3, 4000, (load.rows, load.target), device=device)}
    return {**inputs, "logits_to_keep": 1, "use_cache": False} if kind == "lm" else inputs


def _train(model: Any, optimizer: Any, inputs: dict[str, Any], device: str) -> None:
    with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
        out = model(**inputs)
        loss = out.loss if "labels" in inputs else out.logits.float().logsumexp(-1).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


@torch.no_grad()
def _answer(model: Any, inputs: dict[str, Any], device: str) -> None:
    with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
        model(**inputs)


def _launches(bench: Bench) -> float:
    """Seconds of a training step of the smallest T5 of its kind on one short text: waiting for launches, no work."""
    size = "t5-v1_1-small" if bench.device == "cuda" else "pico"
    torch.manual_seed(0)
    model = _heads("t5").from_config(config_of(size)).to(bench.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    inputs = _inputs("t5", Load(rows=1, source=2, target=1, scored=1), bench.device)
    bench.tell("the least time of a step")
    return bench.step_seconds(lambda: _train(model.train(), optimizer, inputs, bench.device))


def _tfidf(bench: Bench) -> list[Speed]:
    """tf-idf with logistic regression on made texts: always on the processor."""
    import tempfile
    from pathlib import Path

    from budgetsim.data.tasks import get_task
    from budgetsim.data.toy import toy_rows
    from budgetsim.learners.registry import parse_learner

    task, made = get_task("toy_requests"), toy_rows(size=1000)
    examples = Examples(sources=[r.source for r in made], answers=[r.target for r in made])
    tokens = sum(len(source) / 4 for source in examples.sources)  # characters / 4, as lengths of tasks are counted
    learner, how = parse_learner("tfidf-lr"), Training(steps=1, batch=1, lr=0.0)
    on_cpu = replace(bench, device="cpu")
    bench.tell("tfidf-lr")
    with tempfile.TemporaryDirectory() as folder:
        fitted = learner.fit(task, examples, how, Desk(Path(folder)))
        fit = on_cpu.step_seconds(lambda: learner.fit(task, examples, how, Desk(Path(folder))))
        read = on_cpu.step_seconds(lambda: fitted.answer(examples.sources))
    shared = {"kind": "tfidf-lr", "model": "tfidf-lr"}
    return [
        Speed(**shared, does="train", tokens_per_s=tokens / fit),
        Speed(**shared, does="answer", tokens_per_s=tokens / read),
    ]
