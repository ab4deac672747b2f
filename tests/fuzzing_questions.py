"""Random questions, as a user may ask them: `python tests/fuzzing_questions.py --cases 500 --seed 0` (`make questions`).

Options are put together at random, most of them as they should be, some not. An answer ends with a documented exit code,
never with a traceback; what it says in JSON is finite and keeps within the budget, the bounds and its own intervals.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from typer.testing import CliRunner

from budgetsim.design.strategies import STRATEGIES as STRATEGIES_BY_NAME
from budgetsim.errors import BudgetsimError
from budgetsim_cli.main import app

CODES = {0, 1, 2, 3, 4, 5}
ODD, GOOD = 0.06, 0.6  # how often any value is taken, and the share of values that are as they should be
TASKS = (
    "stance", "wlp", "fever", "multipit_id", "multipit_gen", "nq", "wlp_typing", "toy_requests", "sst2", "emotion",
    "css_emotion", "snli", "banking77", "wnut17", "fdu_books", "mr", "nosuch", "Stance",
)  # fmt: skip
LIKE = (
    "single:classes=5,metric=accuracy,floor=20", "pair:classes=2,floor=55", "single:classes=2,floor=50", "tagging:metric=f1", "generation:metric=rouge_l",
    "qa:floor=1", "single:classes=150,floor=1", "single:classes=0", "pair", "single:classes=3,floor=120",
)  # fmt: skip
STRATEGIES = ("annotate", "distill", "llm_annotate", "constant", "annotate_plus_llm", "distil")
STUDENTS = ("t5-v1_1-small", "tfidf-lr", "encoder-lr", "ft:minilm", "ft:minilm:layers=2", "t5-v1_1-large", "small")
MONEY = ("300", "2k", "100", "$2000", "929", "10000", "20", "2,000", "1", "1e6", "0", "0.001", "-5", "nan", "many")
COUNTS = ("500", "50", "3k", "20000", "1", "0", "1e6", "-1", "1.5", "x")
SHARES = ("0.1", "0.9", "0.5", "0.05", "0.99", "0", "1", "90", "nan")
PERCENTS = ("75", "90", "55", "40", "99.9", "5", "100", "0.6", "0", "-3", "120")
CARDS = ("late-2026", "paper-2023", "rates.yaml", "nosuch.yaml")
SHARED = {
    "--owned-labels": COUNTS, "--owned-teacher": ("t5-v1_1-xxl:500", "ft:minilm:300", "encoder-lr:mpnet:120", "t5-v1_1-xxl:0", "x"),
    "--max-labels": COUNTS, "--pool": COUNTS, "--labels-per-day": ("10", "500", "0", "x"), "--gpus": ("1", "8", "0"),
    "--deadline": ("1", "30", "365", "0"), "--compute": ("published", "cached", "modern", "free"), "--strategy": STRATEGIES,
    "--student": STUDENTS,
}  # fmt: skip
OWN = {
    "optimize": {
        "--budget": MONEY, "--risk": SHARES, "--choose": ("mean", "regret", "luck"), "--target": PERCENTS,
        "--chance": SHARES, "--pure": None, "--serve": MONEY, "--llm-accuracy": PERCENTS, "--explain": None, "--notes": None,
    },
    "frontier": {"--max-budget": MONEY, "--points": ("2", "5", "1", "x"), "--indifference": PERCENTS, "--llm-accuracy": PERCENTS, "--notes": None},
    "sensitivity": {
        "--budget": MONEY, "--llm-accuracy": PERCENTS, "--teacher-plateau": PERCENTS, "--card": CARDS, "--notes": None,
    },
    "next": {"--budget": MONEY, "--top": ("1", "3", "0")},
    "simulate": {
        "--n-labels": COUNTS, "--n-unlabeled": COUNTS, "--n-llm-labels": COUNTS, "--teacher": ("t5-v1_1-xxl", "ft:minilm"),
        "--labeler": ("gpt-3.5", "simulated:accuracy=0.9"),
    },
}  # fmt: skip
NEEDS = {"--chance": "--target", "--deadline": "--labels-per-day", "--gpus": "--labels-per-day"}
STRATEGY_INPUTS = {name: kind.inputs for name, kind in STRATEGIES_BY_NAME.items()}
FIRST = {
    "optimize": "--budget",
    "frontier": "--max-budget",
    "sensitivity": "--budget",
    "next": "--budget",
    "simulate": "--strategy",
}


def question(rng: random.Random) -> list[str]:
    """Words of a command line."""
    command = rng.choices(list(OWN), weights=(8, 2, 2, 1, 3))[0]
    words = [command]
    asked = {FIRST[command]: STRATEGIES if command == "simulate" else MONEY} if rng.random() < 0.95 else {}
    rest = {**OWN[command], **({} if command == "simulate" else SHARED)}
    names = [name for name in rest if name not in asked]
    asked |= {name: rest[name] for name in rng.sample(names, min(rng.choice((0, 1, 1, 2, 3)), len(names)))}
    for name, other in NEEDS.items():
        if name in asked and other in rest and rng.random() < 0.9:
            asked[other] = rest[other]
    if command == "simulate" and rng.random() < 0.9:
        strategy = STRATEGIES[rng.randrange(3)]
        asked = {
            "--strategy": (strategy,),
            **{f"--{name.replace('_', '-')}": COUNTS for name in STRATEGY_INPUTS[strategy]},
        }
    for name, values in asked.items():
        words += [name] if values is None else [name, _value(values, rng)]
    if rng.random() < 0.3 and command != "simulate":
        words += ["--like", _value(LIKE, rng)]
    elif rng.random() < 0.97:
        words += ["--task", _value(TASKS, rng) if rng.random() < 0.5 else rng.choice(TASKS[:-2])]
    words += ["--rates", rng.choices(CARDS, weights=(9, 1, 1, 0.2))[0]]
    return [*words, "--json"] if rng.random() < 0.6 else words


def _value(values: Sequence[str], rng: random.Random) -> str:
    """Any of them, nearly always one of those that come first."""
    return rng.choice(values if rng.random() < ODD else values[: max(1, math.ceil(GOOD * len(values)))])


def numbers(data: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a JSON value with where it stands."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield from numbers(value, f"{path}.{name}")
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from numbers(value, f"{path}[{i}]")
    elif isinstance(data, int | float) and not isinstance(data, bool):
        yield path, float(data)


def check(words: Sequence[str], code: int, out: str) -> None:
    """What every answer keeps.

    raises : AssertionError
    """
    assert code in CODES, f"exit code {code}"
    assert "Traceback" not in out, out
    if code or "--json" not in words:
        assert not re.search(r"\bnan\b|\$inf\b", out.replace("'nan'", "").replace("found nan", "")), out
        return
    data = json.loads(out)
    for path, value in numbers(data):
        assert math.isfinite(value), (path, value)
    for answer in data.get("tasks", {}).values():
        for plan in answer.get("allocations", []):
            if plan.get("score") is None:
                continue
            assert -1e-6 <= plan["lower"] <= plan["score"] + 5, plan
            assert plan["score"] - 5 <= plan["upper"] <= 100 + 1e-6, plan
            if "budget_usd" in answer:
                assert plan["cost_usd"] <= answer["budget_usd"] + 0.01, plan
            _within(plan, words)


def _within(plan: dict[str, Any], words: Sequence[str]) -> None:
    """That a plan keeps to the bounds that were named."""
    named = dict(pairwise(words))
    for option, counts in (("--pool", ("n_unlabeled", "n_llm_labels")), ("--max-labels", ("n_labels",))):
        if re.fullmatch(r"\d+", named.get(option, "")):
            owned = named.get("--owned-labels", "0").replace("3k", "3000").replace("1e6", "1000000")
            most = int(named[option]) + (int(owned) if option == "--max-labels" and owned.isdigit() else 0)
            assert all((plan.get(n) or 0) <= most for n in counts), (option, plan)


def ask(words: Sequence[str]) -> tuple[int, str]:
    """The exit code and what was printed; a traceback is raised.

    raises : whatever the command raised but SystemExit
    """
    found = CliRunner().invoke(app, list(words))
    if isinstance(found.exception, BudgetsimError):
        return found.exception.exit_code, f"{found.exception}"
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.stdout if found.exit_code == 0 else found.output


def main() -> int:
    """Ask, and print what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    codes: Counter[str] = Counter()
    slowest: list[tuple[float, str]] = []
    for seed in range(options.seed, options.seed + options.cases):
        words = question(random.Random(seed))
        began = time.process_time()
        try:
            code, out = ask(words)
            check(words, code, out)
            codes[str(code)] += 1
        except Exception:
            codes["wrong"] += 1
            print(f"{seed}: budgetsim {' '.join(words)}\n{traceback.format_exc(limit=-4)}", flush=True)
        slowest = sorted([*slowest, (time.process_time() - began, " ".join(words))], reverse=True)[:5]
    print(dict(sorted(codes.items())), *(f"{s:.1f} s {words}" for s, words in slowest), sep="\n")
    return codes["wrong"] > 0


if __name__ == "__main__":
    sys.exit(main())
