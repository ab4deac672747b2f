"""A bit flipped in any file of a store and its cache: told, harmless, or taken for what it says; never a traceback."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from budgetsim.errors import BudgetsimError
from budgetsim.store.database import open_reader
from budgetsim.store.merge import check, merge, rebuild
from chaos.acts import ACTS, content, copy, litter, paths_of
from chaos.children import do, log_beside


def run(
    home: Path, flips: int, seconds: float, rng: random.Random, say: Callable[[str], None]
) -> dict[str, Counter[str]]:
    """A table by kind of file, for so many seconds at most: `told` what was noticed, `done` what made no difference."""
    own, log = home / "flips", log_beside("flips-log")
    (measure,) = (act for act in ACTS if act.measures)

    measure.prepare(own / "start")
    measure.act(own / "start")  # in this process, which has no threads after it: its children import nothing anew
    files = sorted(
        file for file in (own / "start").rglob("*") if file.is_file() and file.stat().st_size and file.suffix != ".lock"
    )
    tables: dict[str, Counter[str]] = {}
    ends = time.monotonic() + seconds
    for _ in range(flips):
        if time.monotonic() > ends:
            break
        file = rng.choice(files)
        name = file.relative_to(own / "start")
        copy(own / "start", own / "here")
        place = _flip(own / "here" / name, rng)
        table = tables.setdefault(_kind(name), Counter())
        table["tried"] += 1
        end = do(lambda: _try(own / "here", own / "start"), log)
        if end.code:
            table["traceback"] += 1
            say(f"bit {place} of {name}: {end.said}")
            continue
        found = json.loads(end.said.splitlines()[-1])
        table["told" if found["told"] else "done"] += 1
        for column in ("lost", "doubled", "differs", "litter"):
            table[column] += found[column]
        if found["lost"] or found["doubled"]:
            say(f"bit {place} of {name}: {found}")
    return tables


def _kind(name: Path) -> str:
    if name.parts[0] == "cache":
        return "cache"
    return {".jsonl": "run files", ".csv": "tables", ".duckdb": "database"}.get(name.suffix, "notes beside it")


def _flip(file: Path, rng: random.Random) -> int:
    """Flip one bit as a bad disk does, without a trace in the file's time; which."""
    found = file.stat()
    data = bytearray(file.read_bytes())
    bit = rng.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    with file.open("r+b") as out:
        out.write(data)
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    return bit


def _try(home: Path, start: Path) -> str:
    """Read, check, merge and measure again with the damaged file; then with good text, all must be as it was.

    `differs` are scores that text says otherwise than before, and that nobody told: text has no other truth than itself
    """
    paths, told = paths_of(home), []
    (measure,) = (act for act in ACTS if act.measures)
    wanted = content(start, measured=True)

    def attempt(work: Callable[[], object]) -> None:
        try:
            work()
        except BudgetsimError as error:
            told.append(str(error))

    def query() -> None:
        with open_reader(paths.database, locked_down=True) as connection:
            connection.execute("SELECT * FROM points").fetchall()
            connection.execute("SELECT * FROM stages").fetchall()

    attempt(query)
    attempt(lambda: told.extend(check(paths)))
    attempt(lambda: told.extend(merge(paths).refused))
    attempt(lambda: measure.act(home))
    attempt(lambda: told.extend(rebuild(paths).refused))
    found = content(home, measured=True) if not told else wanted
    differs = 0 if told else sum(found.rows[t] != wanted.rows[t] for t in found.rows)
    for file in start.glob("store/runs/*"):  # as from git
        (home / "store" / "runs" / file.name).write_bytes(file.read_bytes())
    for file in paths.runs.glob("*"):
        if not (start / "store" / "runs" / file.name).exists():
            file.unlink()
    rebuild(paths)
    after = content(home, measured=True)
    doubled = sum(len(rows) - len(set(rows)) for rows in after.rows.values())
    lost = sum(after.rows[t] != wanted.rows[t] for t in after.rows)
    return json.dumps(
        {"told": len(told), "differs": differs, "lost": lost, "doubled": doubled, "litter": len(litter(home))}
    )
