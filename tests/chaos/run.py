"""Break what changes a store in every way a machine can: `python -m chaos.run` in tests/ (`make chaos`) prints tables.

    python -m chaos.run [--only kill random full clock flips pair crowd] [--kills 1000] [--minutes 600] [--seconds 600] [--seed 0]

`full`: the disk is full at the n-th write, for every n; `kill`: SIGKILL before and after the n-th write, for every n;
`random`: at random moments, as many as asked for; `clock`: it is set back; `flips`: a bit of any file; `pair`: two
campaigns of one cache are killed; `crowd`: eight writers, a reader and a holder at once. `of` is how many trials there are to do, `tried` how many the minutes allowed. Exit code 1 where anything was lost, doubled
or ended in a traceback. Linux alone, with a C compiler. Campaigns with workers are broken by `bench/crash.py`.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path

from chaos import crowd, flips, pair
from chaos.acts import ACTS, Act, Content, content, copy, verdict
from chaos.children import End, do, finish, log_beside, moments, start
from chaos.faults import FULL, FULL_ONCE, KILLED_AFTER, KILLED_BEFORE, Faults, begin_again, compiler

KINDS = ("kill", "random", "full", "clock", "flips", "pair", "crowd")
CLOCK_BACK = (2, 3600, 400 * 86400)  # seconds
COLUMNS = ("of", "tried", "killed", "told", "done", "lost", "doubled", "differs", "traceback", "litter")


class Stand:
    """A place for trials of one act: what is there before, and in the end if nothing goes wrong."""

    def __init__(self, act: Act, home: Path, faults: Faults) -> None:
        self.act, self.faults = act, faults
        self.start, self.here, self.log = home / "start", home / "here", log_beside("log")
        shutil.rmtree(self.start, ignore_errors=True)  # of another kind of trial
        self.must(lambda: act.prepare(self.start))
        copy(self.start, self.here)
        if act.measures:  # in this process, which has no threads after it: its children import nothing anew
            act.act(self.here)
            copy(self.start, self.here)
        self.before = self.read(self.here)  # reading upgrades
        copy(self.start, self.here)
        faults.arm()
        end = do(lambda: act.act(self.here), self.log)
        self.writes, self.seconds = faults.disarm(), end.seconds
        if end.code:
            raise SystemExit(f"{act.name} fails undisturbed: {end.said}")
        self.wanted = self.read(self.here)

    def must(self, work: Callable[[], object]) -> str:
        """Undisturbed work in a child."""
        end = do(lambda: work(), self.log)
        if end.code:
            raise SystemExit(f"{self.act.name}: {end.said}")
        return end.said

    def read(self, home: Path) -> Content:
        said = self.must(lambda: print(json.dumps(asdict(content(home, measured=self.act.measures)))))
        return Content(**json.loads(said.splitlines()[-1]))

    def trial(self, arm: Callable[[], None], *, kill_after: float | None = None) -> tuple[End, dict[str, int], str]:
        """The act with something wrong, and what came of it."""
        copy(self.start, self.here)
        arm()
        end = finish(start(lambda: self.act.act(self.here), self.log), self.log, kill_after=kill_after)
        self.faults.disarm()
        judged = do(lambda: print(json.dumps(verdict(self.act, self.here, self.before, self.wanted))), self.log)
        if judged.code:
            return end, {"traceback": 1}, judged.said
        return end, json.loads(judged.said.splitlines()[-1]), end.said


def count(table: Counter[str], end: End, found: dict[str, int]) -> bool:
    """Add a trial to a table; whether it went wrong."""
    table["tried"] += 1
    table[end.outcome] += 1
    for name, n in found.items():
        table[name] += n
    return end.outcome == "traceback" or any(n for name, n in found.items() if name != "litter")


def at_every_write(
    stand: Stand, how: Sequence[int], rng: random.Random, seconds: float, say: Callable[[str], None]
) -> Counter[str]:
    """One trial a write and a way to fail, in any order, for so many seconds at most."""
    table: Counter[str] = Counter()
    ends = time.monotonic() + seconds
    points = [(way, n) for way in how for n in range(1, stand.writes + 1)]
    rng.shuffle(points)
    table["of"] = len(points)
    for way, n in points:
        if time.monotonic() > ends:
            break
        end, found, said = stand.trial(partial(stand.faults.arm, way, n))
        if count(table, end, found):
            say(f"{stand.act.name}, fault {way} at write {n} of {stand.writes}: {end.outcome} {found}\n{said}")
    return table


def at_random(stand: Stand, kills: int, rng: random.Random, seconds: float, say: Callable[[str], None]) -> Counter[str]:
    """Kills at random moments, for so many seconds at most."""
    table: Counter[str] = Counter({"of": kills})
    ends = time.monotonic() + seconds
    for _ in range(kills):
        if time.monotonic() > ends:
            break
        moment = moments(rng, stand.seconds)
        end, found, said = stand.trial(stand.faults.arm, kill_after=moment)
        if count(table, end, found):
            say(f"{stand.act.name}, killed after {moment:.4f} s: {end.outcome} {found}\n{said}")
    return table


def set_back(stand: Stand, say: Callable[[str], None]) -> Counter[str]:
    """The clock put back while it works."""
    table: Counter[str] = Counter()
    for seconds in CLOCK_BACK:
        end, found, said = stand.trial(partial(stand.faults.arm, clock_back=seconds))
        if count(table, end, found):
            say(f"{stand.act.name}, clock back {seconds} s: {end.outcome} {found}\n{said}")
    return table


Rows = Iterable[tuple[str, Counter[str]]]


def print_table(name: str, rows: Rows) -> None:
    """Rows as they come, and their sum."""
    print(f"\n{name}\n" + "".join([" " * 18, *(column.rjust(10) for column in COLUMNS)]), flush=True)
    tables = []
    for row, counts in rows:
        _print_row(row, counts)
        tables.append(counts)
    if len(tables) > 1:
        _print_row("together", sum(tables, Counter()))


def _print_row(row: str, counts: Counter[str]) -> None:
    print(row.ljust(18) + "".join(str(counts[column]).rjust(10) for column in COLUMNS), flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--acts", nargs="+", choices=[act.name for act in ACTS], default=[act.name for act in ACTS])
    parser.add_argument("--kills", type=int, default=1000, help="at random moments")
    parser.add_argument("--minutes", type=float, default=600, help="of each table at most, shared among its rows")
    parser.add_argument("--seconds", type=float, default=600, help="of the crowd")
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--home", type=Path, default=_place() / "budgetsim-chaos")
    words = parser.parse_args()
    if compiler() is None:
        raise SystemExit("chaos needs Linux and a C compiler (cc).")
    begin_again(words.home, ["-m", "chaos.run", *sys.argv[1:]])
    logging.disable(logging.WARNING)
    failures: list[str] = []
    began = time.monotonic()
    try:
        for kind in words.only:
            for name, rows in trials(kind, words, failures.append):
                print_table(name, rows)
            print(*failures[-20:], sep="\n", flush=True)
        print(f"\n{time.monotonic() - began:.0f} s; {len(failures)} went wrong")
    finally:
        shutil.rmtree(words.home, ignore_errors=True)
        shutil.rmtree(words.home.with_name(words.home.name + ".library"), ignore_errors=True)
    sys.exit(bool(failures))


def _place() -> Path:
    """Memory where Linux has it: a disk that waits shows nothing more."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of this run's own is made there
    return memory if memory.is_dir() else Path(tempfile.gettempdir())


def trials(kind: str, words: argparse.Namespace, say: Callable[[str], None]) -> Iterator[tuple[str, Rows]]:
    """The tables of a kind of trial, each row made when it is asked for."""
    rng, home = random.Random(words.seed), words.home
    acts = [act for act in ACTS if act.name in words.acts]
    stand = cache(lambda act: Stand(act, home / act.name.replace(" ", "-"), Faults()))
    share = words.minutes * 60 / len(acts)
    match kind:
        case "crowd":
            name = f"eight writers, a reader and a holder, {words.seconds:g} s"
            yield name, (("crowd", crowd.run(home, words.seconds, say)) for _ in (0,))
        case "pair":
            table = (("pair", pair.run(home, words.kills, words.minutes * 60, rng, say)) for _ in (0,))
            yield "two campaigns on one cache, killed at the n-th write", table
        case "flips":
            yield "a bit flipped", flips.run(home, words.flips, words.minutes * 60, rng, say).items()
        case "clock":
            yield "clock set back", ((act.name, set_back(stand(act), say)) for act in acts)
        case "full":
            ways: tuple[int, ...] = (FULL_ONCE, FULL)
            rows = ((act.name, at_every_write(stand(act), ways, rng, share, say)) for act in acts)
            yield "disk full at the n-th write", rows
        case "kill":
            ways = (KILLED_BEFORE, KILLED_AFTER)
            rows = ((act.name, at_every_write(stand(act), ways, rng, share, say)) for act in acts)
            yield "killed at the n-th write", rows
        case "random":
            kills = -(-words.kills // len(acts))
            rows = ((act.name, at_random(stand(act), kills, rng, share, say)) for act in acts)
            yield "killed at a random moment", rows


if __name__ == "__main__":
    main()
