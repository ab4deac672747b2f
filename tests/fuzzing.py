"""Seeded attacks on every door: `python tests/fuzzing.py --cases 10000 --seed 0` prints a table (`make fuzz`).

An input is refused with a message, or accepted and then within its ranges: anything else, and whatever takes more than
five seconds of CPU, is a failure, and is written to `--keep` with its seed. `test_fuzz.py` runs a bounded part.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from budgetsim.answers.points import parse_points
from budgetsim.costs.hours import Hours
from budgetsim.costs.model import cost_model
from budgetsim.costs.rates import RateCard, parse_rates
from budgetsim.data.curvefile import parse_curve
from budgetsim.data.tasks import TASKS
from budgetsim.design.identity import canonical_hash
from budgetsim.design.strategies import STRATEGIES
from budgetsim.doors.words import is_name
from budgetsim.errors import BudgetsimError
from budgetsim.measure.grid import parse_grid
from budgetsim.measure.spec import from_json, to_json
from budgetsim.store.merge import read_published_file
from budgetsim.store.records import read_shards
from fuzzing_models import MODELS
from fuzzing_servers import SERVERS
from fuzzing_stores import STORES
from fuzzing_tasks import tasks
from fuzzing_tools import hurt_text, hurt_value

ROOT = Path(__file__).parents[1]
SECONDS = 5
MEMORY = 3 * 2**30
HOURS = Hours(
    model="published", device_class="gpu", teacher_n=(100.0, 1000.0), teacher_hours=(1.0, 9.0),
    label_text=1e-5, train_text=1e-5, train_label=1e-5,
)  # fmt: skip


def cards(rng: random.Random, folder: Path) -> None:
    files = [ROOT / "rates.yaml", *sorted((ROOT / "rates").glob("*.yaml"))]
    card = parse_rates(hurt_text(rng.choice(files).read_text(encoding="utf-8"), rng), "card.yaml")
    check_card(card)


def check_card(card: RateCard) -> None:
    """A card that is accepted prices every strategy with finite dollars."""
    for strategy in (STRATEGIES[name] for name in ("annotate", "distill", "llm_annotate", "annotate_plus_llm")):
        for task in TASKS.values():
            try:
                cost = cost_model(strategy, task, card, HOURS)
            except BudgetsimError:
                continue
            for n in (0, 1, 1000, 10**6):
                usd = float(cost.total(dict.fromkeys(strategy.inputs, n)))
                assert math.isfinite(usd), (strategy.name, n, usd)
                assert usd >= 0, (strategy.name, n, usd)


POINTS = "task,strategy,teacher,student,n_labels,n_unlabeled,n_llm_labels,labeler\nnq,annotate,,,100,,,\nstance,distill,,,50,1000,,\nwlp,llm_annotate,,,,,500,\n"


def points(rng: random.Random, folder: Path) -> None:
    for point in parse_points(hurt_text(POINTS, rng), "points.csv", task="nq"):
        assert all(0 <= n <= 10**12 for n in point.design.inputs)
        assert is_name(point.design.task)


GRIDS = [f.read_text(encoding="utf-8") for f in sorted((ROOT / "src/budgetsim/measure/grids").glob("*.yaml"))]


def grids(rng: random.Random, folder: Path) -> None:
    grid = parse_grid(hurt_text(rng.choice(GRIDS), rng), "mine")
    for spec in grid.specs()[:200]:
        assert all(isinstance(n, int) and 0 < n <= 10**12 for n in spec.design.inputs)
        assert from_json(to_json(spec)) == spec


SPEC = to_json(parse_grid(GRIDS[0], "first").specs(["fever"])[0])


def specs(rng: random.Random, folder: Path) -> None:
    text = json.dumps(hurt_value(json.loads(SPEC), rng)) if rng.random() < 0.8 else hurt_text(SPEC, rng)
    spec = from_json(text)
    assert type(spec.seed) is int
    assert all(type(n) is int and 0 < n <= 10**12 for n in spec.design.inputs)
    assert all(math.isfinite(v) for v in vars_of(spec.recipe) if isinstance(v, float))


def vars_of(value: Any) -> list[Any]:
    return [getattr(value, name) for name in value.__dataclass_fields__]


TABLE = (ROOT / "results/evidence/kang2023.csv").read_text(encoding="utf-8").split("\n")
COMPUTE = (ROOT / "results/evidence/kang2023_compute_cost.csv").read_text(encoding="utf-8")


def imports(rng: random.Random, folder: Path) -> None:
    text = "\n".join([TABLE[0], *rng.sample(TABLE[1:-1], 5), ""])
    beside = folder / "mine_compute_cost.csv"
    beside.unlink(missing_ok=True)
    if rng.random() < 0.5:
        beside.write_bytes(
            (hurt_text(COMPUTE, rng) if rng.random() < 0.5 else COMPUTE).encode("utf-8", "surrogatepass")
        )
    (folder / "mine.csv").write_bytes(hurt_text(text, rng).encode("utf-8", "surrogatepass"))
    published = read_published_file(folder / "mine.csv")
    for row in published.rows:
        assert 0 <= row.score <= 100
        assert all(n is None or 0 <= n <= 10**15 for n in (row.n_labels, row.n_llm_labels, row.n_unlabeled))
        assert all(v is None or math.isfinite(v) for v in (row.total_cost_usd, row.implied_n_unlabeled, row.gpu_hours))
        assert is_name(row.task)
    assert all(math.isfinite(c.teacher_usd_at(n)) for c in published.compute for n in (1, 10**6))


SHARDS = sorted((ROOT / "results/runs").glob("*.jsonl"))


def shards(rng: random.Random, folder: Path) -> None:
    lines = [json.loads(line) for line in rng.choice(SHARDS).read_text(encoding="utf-8").splitlines()]
    k = rng.randrange(len(lines)) if rng.random() < 0.4 else len(lines) - 1
    lines[k] = hurt_value(lines[k], rng)
    if rng.random() < 0.6:
        rehash(lines[-1])
    text = "".join(json.dumps(line) + "\n" for line in lines)
    if rng.random() < 0.2:
        text = hurt_text(text, rng)
    for file in folder.glob("*.jsonl"):
        file.unlink()
    (folder / "run.jsonl").write_bytes(text.encode("utf-8", "surrogatepass"))
    runs, stages = read_shards(folder)
    for run in runs:
        design = run.point.design
        assert design.route.strategy in STRATEGIES
        assert all(
            type(n) is int and 0 <= n <= 10**12 for n in (design.n_labels, design.n_llm_labels, design.n_unlabeled)
        )
        assert type(run.point.seed) is int
        assert len({s.metric for s in run.scores}) == len(run.scores)
        assert all(type(s.value) in (int, float) and 0 <= s.value <= 100 for s in run.scores)
        assert all(s.n_test is None or (type(s.n_test) is int and s.n_test > 0) for s in run.scores)
        assert run.device_class in ("cpu", "gpu")
    for stage in stages:
        for name in ("seconds", "flops", "gpu_hours", "examples", "tokens", "n_labels"):
            value = getattr(stage, name)
            assert value is None or (type(value) in (int, float) and 0 <= value < 1e31), name


def rehash(run: Any) -> None:
    """Ids that fit what was changed, so that more than the ids is looked at."""
    try:
        run["design"]["recipe_id"] = canonical_hash(run["recipe"])
        run["run_id"] = canonical_hash(run["design"])
    except (KeyError, TypeError, ValueError, AttributeError):
        pass


CURVE = "n_labels,accuracy\n100,0.61\n200,0.68\n400,0.71\n800,0.76\n"


def curves(rng: random.Random, folder: Path) -> None:
    curve = parse_curve(hurt_text(CURVE, rng), "curve.csv")
    assert all(math.isfinite(v) and v >= 0 for v in (*curve.sizes, *curve.values))


DOORS: dict[str, Callable[[random.Random, Path], None]] = {
    "cards": cards, "points": points, "grids": grids, "specs": specs, "imports": imports, "shards": shards, "curves": curves, "tasks": tasks, **STORES, **SERVERS, **MODELS,
}  # fmt: skip


class Slow(BaseException):
    """A case that takes too long."""


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Slow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)  # of CPU: a machine that is shared is not what is tried
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def attack(door: str, seed: int, folder: Path) -> tuple[str, str]:
    """What came of one case (accepted, refused, traceback, wrong or slow), and its words."""
    try:
        with limited(SECONDS):
            DOORS[door](random.Random(f"{door} {seed}"), folder)
    except BudgetsimError as error:
        return "refused", str(error)
    except AssertionError as error:
        return "wrong", traceback.format_exc() + str(error)
    except (Slow, MemoryError):
        return "slow", f"more than {SECONDS} CPU seconds, or {MEMORY:,} bytes"
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a panic of a library in Rust is no Exception
        return "traceback", traceback.format_exc()
    return "accepted", ""


def run(
    cases: int, seed: int, keep: Path | None = None, doors: Sequence[str] = (), minutes: float = math.inf
) -> dict[str, Counter[str]]:
    """So many cases of every door, one of each at a time; failures are written to `keep`.

    doors : those that are tried; empty for all
    minutes : on the clock, after which no more are tried
    """
    table: dict[str, Counter[str]] = {door: Counter() for door in doors or DOORS}
    until = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        for case in range(seed, seed + cases):
            for door, counts in table.items():
                if time.monotonic() > until:
                    return table
                outcome, words = attack(door, case, Path(folder))
                counts[outcome] += 1
                if outcome not in ("accepted", "refused") and keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{door}-{case}.txt").write_text(f"{outcome}\n{words}", encoding="utf-8", errors="replace")
    return table


def main() -> None:
    """Print the table; exit 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000, help="of each door")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for failures")
    parser.add_argument("--doors", nargs="+", choices=list(DOORS), default=[])
    parser.add_argument("--minutes", type=float, default=math.inf, help="on the clock, at most")
    words = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    table = run(words.cases, words.seed, words.keep, words.doors, words.minutes)
    outcomes = ("accepted", "refused", "traceback", "wrong", "slow")
    print("door".ljust(9), "tried".rjust(10), *(name.rjust(10) for name in outcomes))
    for door, counts in table.items():
        numbers = (counts.total(), *(counts[name] for name in outcomes))
        print(door.ljust(9), *(str(number).rjust(10) for number in numbers))
    sys.exit(any(counts[name] for counts in table.values() for name in outcomes[2:]))


if __name__ == "__main__":
    main()
