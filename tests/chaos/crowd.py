"""Eight writers, a reader and a holder on one store, for as long as asked: who waits is told, and nothing is lost."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import duckdb

from budgetsim.errors import BudgetsimError, StoreLockedError
from budgetsim.store.compact import compact
from budgetsim.store.database import open_reader
from budgetsim.store.merge import check, import_published, merge, merge_folder, rebuild
from budgetsim.store.records import read_shards, write_shard
from chaos.acts import TABLE, litter, paths_of
from chaos.children import finish, log_beside, start
from made_runs import STAGES, made_run

N_WRITERS: Final = 8


def _write_for(home: Path, seconds: float, number: int) -> str:
    """A writer: its runs, each brought in by one of the ways there are; says which and how often it had to give up."""
    rng = random.Random(number)
    paths, done = paths_of(home), Counter[str]()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        seed = number * 1_000_000 + done["runs"]
        run = made_run(seed)
        run = replace(run, finished_at=run.finished_at + timedelta(seconds=seed % 86400))
        try:
            match rng.randrange(8):
                case 0 | 1 | 2:
                    write_shard(paths.runs, run, STAGES)
                    done["runs"] += 1
                    merge(paths)
                case 3 | 4:
                    own = home / f"own{number}-{seed}"
                    write_shard(own, run, STAGES)
                    merge_folder(paths, own)
                    done["runs"] += 1
                case 5:
                    rebuild(paths)
                case 6:
                    compact(paths)
                case 7:
                    name = f"t{number}-{done['tables']}"
                    (home / f"{name}.csv").write_text(TABLE.replace("mine-1", name), encoding="utf-8")
                    import_published(paths, home / f"{name}.csv")
                    done["tables"] += 1
        except StoreLockedError:
            done["told"] += 1
        done["acts"] += 1
    return json.dumps(done)


def _read_for(home: Path, seconds: float) -> str:
    """A reader: what was there once stays."""
    seen, done = 0, Counter[str]()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            with open_reader(paths_of(home).database, locked_down=True) as connection:
                row = connection.execute("SELECT count(*), count(DISTINCT run_id) FROM points").fetchone()
                done["acts"] += 1
                done["doubled"] += row[0] - row[1]
                done["lost"] += row[1] < seen
                seen = row[1]
        except BudgetsimError:
            done["told"] += 1
    return json.dumps(done)


def _hold_for(home: Path, seconds: float) -> str:
    """Another program that has the database open for writing, again and again."""
    rng = random.Random(1)
    done = 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            connection = duckdb.connect(str(paths_of(home).database))
        except duckdb.Error:
            continue
        time.sleep(rng.uniform(0.1, 1.5))
        connection.close()
        done += 1
        time.sleep(rng.uniform(0.1, 1.5))
    return json.dumps({"acts": done})


def run(home: Path, seconds: float, say: Callable[[str], None]) -> Counter[str]:
    """The table of one crowd."""
    own = home / "crowd"
    own.mkdir(parents=True)
    logs = [log_beside(f"crowd-log{k}") for k in range(N_WRITERS + 2)]
    write_shard(paths_of(own).runs, made_run(0), STAGES)
    first = start(lambda: merge(paths_of(own)) and None, logs[0])
    finish(first, logs[0])
    works: list[Callable[[], str]] = [
        *(lambda n=n: _write_for(own, seconds, n + 1) for n in range(N_WRITERS)),
        lambda: _read_for(own, seconds),
        lambda: _hold_for(own, seconds),
    ]
    children = [start(work, log) for work, log in zip(works, logs, strict=True)]
    table: Counter[str] = Counter()
    wanted = 1
    for child, log in zip(children, logs, strict=True):
        _, status = os.waitpid(child, 0)
        said = log.read_text(encoding="utf-8")
        if os.waitstatus_to_exitcode(status):
            table["traceback"] += 1
            say(f"crowd: {said}")
            continue
        done = json.loads(said.splitlines()[-1])
        table["tried"] += done["acts"]
        wanted += done.get("runs", 0) + done.get("tables", 0)
        for name in ("told", "lost", "doubled"):
            table[name] += done.get(name, 0)
    table["done"] = table["tried"] - table["told"]
    end = finish(start(lambda: _judge(own), logs[0]), logs[0])
    if end.code:
        table["traceback"] += 1
        say(f"crowd: {end.said}")
        return table
    found = json.loads(end.said.splitlines()[-1])
    table["lost"] += max(0, wanted - found["distinct"])
    table["doubled"] += found["rows"] - found["distinct"]
    table["differs"], table["litter"] = len(found["differs"]), found["litter"]
    if table["lost"] or table["doubled"] or table["differs"]:
        say(f"crowd: wanted {wanted}, found {found}")
    return table


def _judge(home: Path) -> str:
    paths = paths_of(home)
    merge(paths)
    read_shards(paths.runs)  # raises where a record cannot be used
    with open_reader(paths.database) as connection:
        rows, distinct = connection.execute("SELECT count(*), count(DISTINCT run_id) FROM points").fetchone()
    return json.dumps({"rows": rows, "distinct": distinct, "differs": check(paths), "litter": len(litter(home))})
