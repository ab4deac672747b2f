"""Replay: logged runs are hidden and bought one by one; how fast does the choice become right?

    python bench/studies/next_replay.py --log FOLDER paper measured fine-tuning surface   # resumable: a line a replay
    python bench/studies/next_replay.py --log FOLDER --report [--picture]          # tables, docs/method/next-runs.svg

Every replay starts from the same smallest pilot, fits again after every run, and after each chooses
the plan with the best expected score that the budget pays for. Regret is the best logged score within
the budget less the logged score of the choice. Labels once bought stay owned; compute is paid anew.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from next_policies import ALONE, POLICIES
from next_report import picture, report
from next_worlds import World, worlds

MOST_SHARE = 0.5  # of the budget goes into measuring
MOST_RUNS = {"fine-tuning": 60}  # bought after the pilot
USUAL_RUNS = 25
SEEDS = 4
ORACLE = "oracle"


def oracle(world: World, budget: float) -> dict[str, object]:
    """The choice of who believes the fit of every logged run: what no order of runs can be expected to beat."""
    plans = world.within(budget)
    chosen = int(plans[world.believe(range(len(world.cell))).draws[:, plans].mean(axis=0).argmax()])
    best = int(plans[world.truth[plans].argmax()])
    line = {"kind": world.kind, "world": world.name, "budget": budget if np.isfinite(budget) else 1000.0}
    steps = [[0.0, float(world.truth[best] - world.truth[chosen])]]
    return {**line, "policy": ORACLE, "seed": 0, "steps": steps, "stopped": None, "se": float(world.truth_se[best])}


def replay(world: World, budget: float, policy: str, seed: int) -> dict[str, object]:
    """One replay as a line of the log: after each run, share of the budget spent and regret of the choice."""
    if policy == ORACLE:
        return oracle(world, budget)
    rng = np.random.default_rng([seed, len(policy)])
    money = budget if np.isfinite(budget) else 1000.0
    plans = world.within(budget)
    spent, owned, seen, stopped = 0.0, 0.0, [], None
    for run in world.pilot:
        spent, owned = spent + world.price(run, owned), max(owned, world.labels[world.cell[run]])
        seen.append(run)
    best = int(plans[world.truth[plans].argmax()])
    steps = []
    believe = world.believe_alone if policy in ALONE and world.believe_alone else world.believe
    while True:
        beliefs = believe(sorted(seen))
        chosen = int(plans[beliefs.draws[:, plans].mean(axis=0).argmax()])
        steps.append([spent / money, float(world.truth[best] - world.truth[chosen])])
        left = [r for r in range(len(world.cell)) if r not in set(seen)]
        usd = np.array([world.price(r, owned) for r in left])
        fits = usd + spent <= MOST_SHARE * money
        left, usd = [r for r, ok in zip(left, fits, strict=True) if ok], usd[fits]
        if not left or len(seen) >= MOST_RUNS.get(world.kind, USUAL_RUNS) + len(world.pilot):
            break
        at, worth = POLICIES[policy](world, beliefs, plans, left, usd, money, rng)
        if not worth and stopped is None:
            stopped = len(steps) - 1
        spent, owned = spent + usd[at], max(owned, world.labels[world.cell[left[at]]])
        seen.append(left[at])
    return {
        "kind": world.kind,
        "world": world.name,
        "budget": money,
        "policy": policy,
        "seed": seed,
        "steps": steps,
        "stopped": stopped,
        "se": float(world.truth_se[best]),
        "n_plans": len(plans),
    }


def jobs(kinds: Sequence[str], policies: Sequence[str]) -> Iterator[tuple[World, float, str, int]]:
    for world in worlds(kinds):
        for budget in world.budgets:
            for policy in policies:
                if policy in ALONE and world.believe_alone is None:
                    continue
                for seed in range(SEEDS if policy.startswith("random") else 1):
                    yield world, budget, policy, seed


def done(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=[])
    parser.add_argument("--policy", action="append", choices=[*POLICIES, ORACLE], help="only these")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--picture", action="store_true")
    asked = parser.parse_args()
    asked.log.mkdir(parents=True, exist_ok=True)
    log = asked.log / "replays.jsonl"
    known = {(r["kind"], r["world"], round(r["budget"], 4), r["policy"], r["seed"]) for r in done(log)}
    for world, budget, policy, seed in jobs(asked.kinds, asked.policy or [*POLICIES, ORACLE]):
        money = budget if np.isfinite(budget) else 1000.0
        if (world.kind, world.name, round(money, 4), policy, seed) not in known:
            line = json.dumps(replay(world, budget, policy, seed))
            with log.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
    if asked.report:
        report(done(log))
    if asked.picture:
        picture(done(log))


if __name__ == "__main__":
    main()
