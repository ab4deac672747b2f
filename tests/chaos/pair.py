"""Two campaigns that share a cache of stages, each with a store of its own, killed again and again until both are done."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from budgetsim.store.merge import check, merge
from budgetsim.store.records import read_shards
from chaos.acts import content, litter, paths_of
from chaos.children import DONE, TRACEBACK, do, finish, log_beside, start
from chaos.faults import KILLED_AFTER, KILLED_BEFORE, Faults

SIZES: Final = (40, 60, 80)  # labels of the runs that both campaigns want
MOST_KILLS: Final = 4  # of a round
STORES: Final = ("one", "other")


def campaign(home: Path, name: str) -> None:
    """The runs that a store lacks; the other campaign begins at the other end."""
    from budgetsim.data.loading import Access
    from budgetsim.measure import get_preset, make_spec
    from budgetsim.measure.record import measure_one
    from budgetsim.measure.worker import open_workspace

    paths = paths_of(home / name)
    workspace = open_workspace(paths, home / "cache", Access())
    done = {run.point.run_id for run in read_shards(paths.runs, [])[0]}
    for n_labels in SIZES if name == STORES[0] else reversed(SIZES):
        recipe = replace(get_preset("cpu"), steps=2)
        spec = make_spec(strategy="annotate", task="toy_requests", student="tfidf-lr", n_labels=n_labels, recipe=recipe)
        if workspace.point(spec).run_id not in done:
            measure_one(spec, workspace, paths)
    merge(paths)


def run(home: Path, kills: int, seconds: float, rng: random.Random, say: Callable[[str], None]) -> Counter[str]:
    """A table of so many kills, or of so many seconds: `tried` counts kills, `done` pairs of stores that are whole."""
    own, faults, log = home / "pair", Faults(), log_beside("pair-log")
    campaign(own, STORES[0])  # in this process: its children import nothing anew
    wanted = content(own / STORES[0], measured=True).rows
    shutil.rmtree(own)
    faults.arm()
    end = do(lambda: campaign(own, STORES[0]), log)
    writes = faults.disarm()
    if end.code:
        raise SystemExit(end.said)
    table: Counter[str] = Counter({"of": kills})
    ends = time.monotonic() + seconds
    while table["killed"] < kills and time.monotonic() < ends:
        shutil.rmtree(own)
        _round(own, faults, 2 * writes, rng, table, say)
        judged = do(lambda: print(json.dumps(_judge(own, wanted))), log)
        found: dict[str, Any] = {"traceback": 1} if judged.code else json.loads(judged.said.splitlines()[-1])
        table.update(found)
        table["done"] += not any(found.values())
        if any(n for name, n in found.items() if name != "litter"):
            say(f"pair: {found}\n{judged.said}")
    table["tried"] = table["killed"]
    return table


def _round(
    own: Path, faults: Faults, writes: int, rng: random.Random, table: Counter[str], say: Callable[[str], None]
) -> None:
    """Both campaigns, to their end; whoever is killed is begun again."""

    def arm() -> None:
        faults.arm(rng.choice((KILLED_BEFORE, KILLED_AFTER)), rng.randint(1, writes))

    arm()
    logs = {name: log_beside(f"pair-log-{name}") for name in STORES}
    running = {name: start(lambda name=name: campaign(own, name), logs[name]) for name in STORES}
    left = MOST_KILLS
    for name in STORES:
        while (end := finish(running[name], logs[name])).code != DONE:
            table[end.outcome] += 1
            if end.code == TRACEBACK or left < -10:
                say(f"pair: {end.said}")
                break
            left -= 1
            arm() if left > 0 else faults.disarm()
            running[name] = start(lambda name=name: campaign(own, name), logs[name])
    faults.disarm()


def _judge(own: Path, wanted: dict[str, list[str]]) -> dict[str, int]:
    found = [content(own / name, measured=True).rows for name in STORES]
    return {
        "lost": sum(len(set(wanted[table]) - set(rows[table])) for rows in found for table in wanted),
        "doubled": sum(len(rows[table]) - len(set(rows[table])) for rows in found for table in wanted),
        "differs": sum(len(check(paths_of(own / name))) for name in STORES) + len(list(own.glob("cache/*.damaged-*"))),
        "litter": len(litter(own)) + len(list(own.glob("cache/*.partial"))),
    }
