"""How fast one GPU trains and reads the paper's models, with random weights: speed does not depend on them.

    python gpu_speed.py --out speeds.json [--seconds 520] [--only WORD] [--again-failed] [--device cuda|cpu] [--tiny]

Needs torch and transformers alone, no network and no data. Measures T5 v1.1 Small to XXL, ModernBERT-base and -large,
and MiniLM at the paper's lengths: tokens a second of training and of reading, operations a second, memory; how much of
a step waits for launches (batches of other sizes, and a CUDA graph); a student with its teacher inside every step
against one with the teacher's labels kept. The file is written after every piece; what stands in it is not measured
again, so that the same command goes on where it was cut off. `budgetsim rates speeds CARD speeds.json` puts it on a
rate card. On a processor CPU seconds count.

Each piece: a step that is not counted, then as many as fit its time, three at least; the median counts. Operations are
those of a forward pass, counted by torch, and three times as many for training whatever is computed twice.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")

import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

GIB = 2**30
VOCABULARY = 32128
# d_model, d_ff, heads, layers; d_kv is 64 (google/t5-v1_1-*)
T5 = {
    "t5-v1_1-small": (512, 1024, 6, 8),
    "t5-v1_1-base": (768, 2048, 12, 12),
    "t5-v1_1-large": (1024, 2816, 16, 24),
    "t5-v1_1-xl": (2048, 5120, 32, 24),
    "t5-v1_1-xxl": (4096, 10240, 64, 24),
}
# kind of model, vocabulary, width, layers, heads, feed-forward (answerdotai/ModernBERT-*, all-MiniLM-L6-v2)
ENCODERS = {
    "all-MiniLM-L6-v2": ("bert", 30522, 384, 6, 12, 1536),
    "ModernBERT-base": ("modernbert", 50368, 768, 22, 12, 1152),
    "ModernBERT-large": ("modernbert", 50368, 1024, 28, 16, 2624),
}
STANCE, WLP = (88, 4), (20, 32)  # mean tokens of source and answer
ENCODED = (88, 0)
BATCH, MANY = 32, 256
STEPS = 3  # timed at least
NEEDED = ("peak", "least step")
SHOWN = ("tokens_per_s", "tflops", "seconds", "share_by_batches", "share_by_graph", "ratio", "gib", "failed")


@dataclass
class Bench:
    """Where things are timed, until when, and what is known so far."""

    device: str
    tiny: bool
    each: float  # seconds of a piece
    jobs: dict[str, dict[str, Any]]

    @property
    def autocast(self) -> Any:
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.device == "cuda")

    def clock(self) -> float:
        """Seconds of the clock, the GPU waited for; of a processor those it worked."""
        if self.device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    def seconds(self, step: Callable[[], Any]) -> float:
        """Median seconds of a step."""
        step()
        taken: list[float] = []
        end = self.clock() + self.each
        while len(taken) < (1 if self.tiny else STEPS) or self.clock() < end:
            start = self.clock()
            step()
            taken.append(self.clock() - start)
        return max(median(taken), 1e-9)

    def memory(self) -> float | None:
        """Most GiB that tensors took since the last call."""
        if self.device != "cuda":
            return None
        most = torch.cuda.max_memory_allocated() / GIB
        torch.cuda.reset_peak_memory_stats()
        return round(most, 2)


# Models


def t5(bench: Bench, name: str, dtype: torch.dtype) -> Any:
    width, inner, heads, layers = T5[name]
    if bench.tiny:
        width, inner, heads, layers = width // 16, inner // 16, 2, 1
    config = transformers.T5Config(
        vocab_size=VOCABULARY // (64 if bench.tiny else 1), d_model=width, d_ff=inner, d_kv=8 if bench.tiny else 64,
        num_heads=heads, num_layers=layers, num_decoder_layers=layers, feed_forward_proj="gated-gelu",
        dropout_rate=0.1, decoder_start_token_id=0, tie_word_embeddings=False,
    )  # fmt: skip
    model = built(bench, transformers.T5ForConditionalGeneration, config, dtype)
    if model.lm_head.weight is model.shared.weight:  # transformers 5 ties them whatever the config says
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    return model


def encoder(bench: Bench, name: str, dtype: torch.dtype) -> Any:
    kind, vocabulary, width, layers, heads, inner = ENCODERS[name]
    if bench.tiny:
        vocabulary, width, layers, heads, inner = 500, 32, 1, 2, 48
    config = transformers.AutoConfig.for_model(
        kind, vocab_size=vocabulary, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=inner, num_labels=2, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1,
        sep_token_id=2,
    )  # fmt: skip
    return built(bench, transformers.AutoModelForSequenceClassification.from_config, config, dtype)


def built(bench: Bench, make: Callable[[Any], Any], config: Any, dtype: torch.dtype) -> Any:
    """A model with random weights, made on the device in its precision."""
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(bench.device):
            return make(config).to(dtype)
    finally:
        torch.set_default_dtype(before)


def inputs(bench: Bench, lengths: tuple[int, int], rows: int) -> dict[str, Any]:
    source, target = (max(2, n // 8) if bench.tiny and n else n for n in lengths)
    rows = max(1, rows // 16) if bench.tiny else rows
    ids = torch.randint(3, 400, (rows, source), device=bench.device)
    made = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if target:
        return made | {"labels": torch.randint(3, 400, (rows, target), device=bench.device)}
    return made | {"labels": torch.zeros(rows, dtype=torch.long, device=bench.device)}


# Pieces


def peak(bench: Bench) -> dict[str, Any]:
    """Operations a second of a large product in the precision of training."""
    n = 8192 if bench.device == "cuda" else 512
    dtype = torch.bfloat16 if bench.device == "cuda" else torch.float32
    a, b = (torch.randn(n, n, device=bench.device, dtype=dtype) for _ in range(2))
    return {"tflops": 2.0 * n**3 / bench.seconds(lambda: a @ b) / 1e12, "size": n}


def least_step(bench: Bench) -> dict[str, Any]:
    """A training step of T5 Small on one short text: launches and nothing else."""
    model = t5(bench, "t5-v1_1-small", torch.float32)
    return {"seconds": bench.seconds(training(bench, model, inputs(bench, (2, 1), 1), "adamw"))}


def trains(bench: Bench, name: str, lengths: tuple[int, int], rows: int, way: str) -> dict[str, Any]:
    """A model's training step.

    way : adamw (fp32 weights, products in bf16), checkpointed the same with layers twice, or adafactor (bf16 weights,
        layers twice: what lets the largest fit)
    """
    model = model_of(bench, name, torch.bfloat16 if way == "adafactor" else torch.float32)
    given = inputs(bench, lengths, rows)
    count = forward_count(bench, model, given)
    taken = bench.seconds(training(bench, model, given, way))
    return told(bench, name, model, given, "train", taken, 3 * count) | {"way": way}


def reads(bench: Bench, name: str, lengths: tuple[int, int], rows: int) -> dict[str, Any]:
    """A model's forward pass in bf16, the answer's tokens at once."""
    model = model_of(bench, name, torch.bfloat16 if bench.device == "cuda" else torch.float32).eval()
    given = inputs(bench, lengths, rows)
    count = forward_count(bench, model, given)
    return told(bench, name, model, given, "answer", bench.seconds(lambda: forward(model, given)), count)


def launch_share(bench: Bench, name: str, lengths: tuple[int, int]) -> dict[str, Any]:
    """How much of a step at the paper's batch waits for launches: beside a row of many at once, and of a CUDA graph."""
    model = model_of(bench, name, torch.float32)
    few, many = (bench.seconds(training(bench, model, inputs(bench, lengths, n), "adamw")) for n in (BATCH, MANY))
    found = {"batch": BATCH, "seconds": few, "many": MANY, "seconds_many": many}
    found["share_by_batches"] = max(0.0, 1 - many / MANY * BATCH / few)
    return found | (graph_share(bench, name, lengths) if bench.device == "cuda" else {})


def graph_share(bench: Bench, name: str, lengths: tuple[int, int]) -> dict[str, Any]:
    """A forward pass in bf16 as it is, and as one CUDA graph: their difference is launches."""
    model, given = model_of(bench, name, torch.bfloat16).eval(), inputs(bench, lengths, BATCH)
    del given["attention_mask"]  # nothing is padded, and to look at it is no part of a graph
    plain = bench.seconds(lambda: forward(model, given))
    try:
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                forward(model, given)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            forward(model, given)
        replayed = bench.seconds(graph.replay)
    except Exception as error:  # a model may do what graphs cannot hold
        return {"seconds_forward": plain, "graph": f"{type(error).__name__}: {str(error)[:100]}"}
    return {"seconds_forward": plain, "seconds_graph": replayed, "share_by_graph": max(0.0, 1 - replayed / plain)}


def inline_or_kept(bench: Bench, teacher: str, lengths: tuple[int, int]) -> dict[str, Any]:
    """Distilling into T5 Small: its step alone, with the teacher's kept states made logits, with the teacher in it."""
    big = t5(bench, teacher, torch.bfloat16 if bench.device == "cuda" else torch.float32).eval()
    small = t5(bench, "t5-v1_1-small", torch.float32)
    given, optimizer = inputs(bench, lengths, BATCH), torch.optim.AdamW(small.parameters(), lr=1e-6, fused=True)
    matrix = big.lm_head.weight.detach()
    rows, positions = given["labels"].shape
    states = torch.randn(rows, positions, matrix.shape[1], device=bench.device, dtype=matrix.dtype)

    def step(soft: Callable[[], torch.Tensor]) -> None:
        wanted = torch.softmax(soft().float() / 2, -1)
        with bench.autocast:
            said = small(**given).logits
        loss = torch.nn.functional.kl_div(torch.log_softmax(said.float() / 2, -1), wanted, reduction="batchmean")
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    alone = bench.seconds(training(bench, small, given, "adamw"))
    kept = bench.seconds(lambda: step(lambda: states @ matrix.T))
    inline = bench.seconds(lambda: step(lambda: forward(big, given).logits))
    return {
        "teacher": teacher, "student": "t5-v1_1-small", "batch": BATCH, "lengths": list(lengths),
        "seconds_student": alone, "seconds_kept": kept, "seconds_inline": inline, "ratio": inline / kept,
        "gib": bench.memory(),
    }  # fmt: skip


def model_of(bench: Bench, name: str, dtype: torch.dtype) -> Any:
    return t5(bench, name, dtype) if name in T5 else encoder(bench, name, dtype)


@torch.no_grad()
def forward(model: Any, given: dict[str, Any]) -> Any:
    return model(**given)


def forward_count(bench: Bench, model: Any, given: dict[str, Any]) -> float:
    with FlopCounterMode(display=False) as counter:
        forward(model, given)
    return float(counter.get_total_flops())


def training(bench: Bench, model: Any, given: dict[str, Any], way: str) -> Callable[[], None]:
    """A step that trains every weight."""
    optimizer: Any
    if way == "adafactor":
        optimizer = transformers.Adafactor(
            model.parameters(), lr=1e-6, relative_step=False, scale_parameter=False, warmup_init=False
        )
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    if way != "adamw":
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()

    def step() -> None:
        with bench.autocast:
            loss = model(**given).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def told(
    bench: Bench, name: str, model: Any, given: dict[str, Any], does: str, taken: float, count: float
) -> dict[str, Any]:
    source = given["input_ids"]
    is_t5 = name in T5
    target = given["labels"].numel() if is_t5 else 0
    n = sum(p.numel() for p in {id(p): p for p in model.parameters()}.values())
    return {
        "kind": "t5" if is_t5 else "ft", "model": name, "does": does, "tokens_per_s": (source.numel() + target) / taken,
        "tflops": count / taken / 1e12, "parameters": n, "batch": len(source), "source_tokens": source.shape[1],
        "target_tokens": target // len(source), "seconds_per_step": taken, "gib": bench.memory(),
    }  # fmt: skip


# The list of pieces, and their file


def pieces(bench: Bench) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """All of them by name, what matters most first."""
    yield "peak", partial(peak, bench)
    yield "least step", partial(least_step, bench)
    for task, lengths in (("stance", STANCE), ("wlp", WLP)):
        for name in T5:
            rows = MANY if task == "stance" else BATCH
            yield f"{name} reads {task} x{rows}", partial(reads, bench, name, lengths, rows)
    for name in T5:
        for way in ("adafactor",) if name == "t5-v1_1-xxl" else ("adamw",):
            for task, lengths in (("stance", STANCE), ("wlp", WLP)):
                yield f"{name} trains {task} x{BATCH} {way}", partial(trains, bench, name, lengths, BATCH, way)
    yield "t5-v1_1-xl trains stance x32 adafactor", partial(trains, bench, "t5-v1_1-xl", STANCE, BATCH, "adafactor")
    for name in ENCODERS:
        yield f"{name} trains x{BATCH}", partial(trains, bench, name, ENCODED, BATCH, "adamw")
        yield f"{name} reads x{MANY}", partial(reads, bench, name, ENCODED, MANY)
    for name, lengths in (("t5-v1_1-small", STANCE), ("t5-v1_1-small", WLP), ("all-MiniLM-L6-v2", ENCODED)):
        yield f"launches {name} {lengths}", partial(launch_share, bench, name, lengths)
    for teacher in ("t5-v1_1-xxl", "t5-v1_1-xl"):
        for task, lengths in (("stance", STANCE), ("wlp", WLP)):
            yield f"inline or kept {teacher} {task}", partial(inline_or_kept, bench, teacher, lengths)
    for task, lengths in (("stance", STANCE), ("wlp", WLP)):
        yield (
            f"t5-v1_1-small trains {task} x{MANY} adamw",
            partial(trains, bench, "t5-v1_1-small", lengths, MANY, "adamw"),
        )
    large = "ModernBERT-large"
    yield f"{large} trains x{BATCH} checkpointed", partial(trains, bench, large, ENCODED, BATCH, "checkpointed")


def attempt(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return work()
    except torch.OutOfMemoryError:
        return {"failed": "out of memory"}
    except Exception as error:  # one piece that fails leaves the others
        return {"failed": f"{type(error).__name__}: {str(error)[:200]}"}
    finally:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


def file_of(bench: Bench) -> dict[str, Any]:
    """The file: what `budgetsim rates speeds` reads, and every piece as it was measured."""
    jobs, gpu = bench.jobs, bench.device == "cuda"
    name = torch.cuda.get_device_name(0) if gpu else platform.processor() or platform.machine()
    shapes = " (tiny shapes: no speed of anything)" if bench.tiny else ""
    return {
        "schema_version": 1,
        "device_class": "gpu" if gpu else "cpu",
        "device": name,
        "peak_tflops": jobs.get("peak", {}).get("tflops"),
        "seconds_per_step": jobs.get("least step", {}).get("seconds"),
        "source": f"bench/gpu_speed.py, torch {torch.__version__}, transformers {transformers.__version__}, random "
        f"weights{shapes}",
        "as_of": date.today().isoformat(),
        "rows": [job for job in jobs.values() if "does" in job],
        "jobs": jobs,
    }


def write(bench: Bench, out: Path) -> None:
    new = out.with_name(out.name + ".new")
    new.write_text(json.dumps(file_of(bench), indent=1) + "\n", encoding="utf-8")
    new.replace(out)


def known(out: Path, device: str, *, tiny: bool, again_failed: bool) -> dict[str, dict[str, Any]]:
    """Pieces that an earlier run left; those of another device or of other shapes are refused."""
    if not out.exists():
        return {}
    held = json.loads(out.read_text(encoding="utf-8"))
    ours = file_of(Bench(device, tiny, 0.0, {}))
    if (held.get("device"), "tiny shapes" in held.get("source", "")) != (ours["device"], tiny):
        raise SystemExit(f"{out} holds speeds of {held.get('device')}, or of other shapes; name another --out.")
    return {name: job for name, job in held["jobs"].items() if not (again_failed and "failed" in job)}


def main() -> None:
    """Measure what is missing until the time is over."""
    began = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("speeds.json"))
    parser.add_argument("--seconds", type=float, default=520.0, help="no piece begins after them")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tiny", action="store_true", help="tiny shapes, to try the bench itself")
    parser.add_argument("--only", default="", help="pieces whose name has this word, and what every file needs")
    parser.add_argument("--again-failed", action="store_true", help="try again what failed")
    chosen = parser.parse_args()
    if chosen.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch finds no GPU here; --device cpu --tiny tries the bench.")
    held = known(chosen.out, chosen.device, tiny=chosen.tiny, again_failed=chosen.again_failed)
    bench = Bench(chosen.device, chosen.tiny, 0.0 if chosen.tiny else 2.0, held)
    left = 0
    for name, work in pieces(bench):
        if name in bench.jobs or not (chosen.only in name or name in NEEDED):
            continue
        if time.perf_counter() - began > chosen.seconds:
            left += 1
            continue
        start = time.perf_counter()
        bench.jobs[name] = attempt(work) | {"wall_s": round(time.perf_counter() - start, 2)}
        write(bench, chosen.out)
        shown = {key: job for key, job in bench.jobs[name].items() if key in SHOWN}
        print(f"{time.perf_counter() - began:6.1f} s  {name}: {shown}", flush=True)
    print(f"{len(bench.jobs)} pieces in {chosen.out}, {left} left{': the same command goes on' if left else ''}.")


if __name__ == "__main__":
    main()
