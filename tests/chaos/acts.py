"""What is done to a store while things go wrong, and what must be there in the end."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from budgetsim.store import compact as compact_module
from budgetsim.store.compact import compact
from budgetsim.store.database import open_reader
from budgetsim.store.location import StorePaths
from budgetsim.store.merge import MADE, import_published, merge, merge_folder, rebuild
from budgetsim.store.records import read_shards, write_shard
from budgetsim.store.state import marks_of, read_state, write_state
from made_runs import STAGES, made_run, set_back

TABLE: Final = "record_id,task,strategy,student,n_labels,metric,score\nmine-1,stance,annotate,x,10,f1,40\n"


@dataclass(frozen=True, slots=True)
class Act:
    """A way to change a store.

    prepare : makes what is there before; act : changes it, and done again finishes what was begun
    measures : whether runs are made, whose times differ each time
    """

    name: str
    prepare: Callable[[Path], None]
    act: Callable[[Path], object]
    measures: bool = False


def paths_of(home: Path) -> StorePaths:
    return StorePaths(home / "store" / "budgetsim.duckdb")


def _write(folder: Path, *seeds: int) -> None:
    for seed in seeds:
        run = made_run(seed)
        write_shard(folder, replace(run, finished_at=run.finished_at + timedelta(seconds=seed)), STAGES)


def _merged(home: Path) -> None:
    _write(paths_of(home).runs, 0, 1, 2)
    merge(paths_of(home))


def _with_new(home: Path) -> None:
    _merged(home)
    _write(paths_of(home).runs, 3, 4)


def _with_others(home: Path) -> None:
    _merged(home)
    _write(home / "others", 2, 3, 4)


def _with_table(home: Path) -> None:
    _merged(home)
    (home / "mine.csv").write_text(TABLE, encoding="utf-8")


def _of_schema_1(home: Path) -> None:
    _merged(home)
    set_back(paths_of(home), 1)


def _upgrade(home: Path) -> None:
    with open_reader(paths_of(home).database) as connection:
        connection.execute("SELECT * FROM teacher_scores").fetchall()


def _pack(home: Path) -> None:
    compact_module.MOST_BYTES = 6_000  # several packs
    compact(paths_of(home))
    merge(paths_of(home))


def _measure(home: Path) -> None:
    from budgetsim.data.loading import Access  # seconds, and only where something is measured
    from budgetsim.measure import get_preset, make_spec
    from budgetsim.measure.record import measure_one
    from budgetsim.measure.worker import open_workspace

    recipe = replace(get_preset("cpu"), steps=2)
    spec = make_spec(strategy="annotate", task="toy_requests", student="tfidf-lr", n_labels=60, recipe=recipe)
    paths = paths_of(home)
    measure_one(spec, open_workspace(paths, home / "cache", Access()), paths)
    merge(paths)


ACTS: Final = (
    Act("merge", _with_new, lambda home: merge(paths_of(home))),
    Act("merge of a folder", _with_others, lambda home: merge_folder(paths_of(home), home / "others")),
    Act("rebuild", _with_new, lambda home: rebuild(paths_of(home))),
    Act("compact", _with_new, _pack),
    Act("import", _with_table, lambda home: import_published(paths_of(home), home / "mine.csv")),
    Act("upgrade", _of_schema_1, _upgrade),
    Act("measure", _merged, _measure, measures=True),
)


@dataclass(frozen=True, slots=True)
class Content:
    """What a store holds: scores by run of its text files, its tables, and rows of each table of its database."""

    runs: dict[str, Any]
    n_files: int  # that the runs lie in
    tables: list[str]
    rows: dict[str, list[str]]

    def lost(self, later: Content) -> int:
        """How much of this is not in what was there later."""
        runs = sum(later.runs.get(key) != scores for key, scores in self.runs.items())
        return runs + len(set(self.tables) - set(later.tables))


def content(home: Path, *, measured: bool = False) -> Content:
    """Read it.

    measured : whether only runs and scores are read, since times differ
    """
    paths = paths_of(home)
    runs = {run.point.run_id: [[s.metric, s.value] for s in run.scores] for run in read_shards(paths.runs)[0]}
    tables = sorted(file.name for file in paths.evidence.glob("*.csv"))
    wanted = ("runs", "scores") if measured else MADE
    columns = {"runs": "run_id, evidence_set, task, n_labels", "scores": "run_id, metric, value"} if measured else {}
    with open_reader(paths.database) as connection:
        rows = {
            table: sorted(
                repr(row) for row in connection.execute(f"SELECT {columns.get(table, '*')} FROM {table}").fetchall()
            )
            for table in wanted
        }
    return Content(runs, len(list(paths.runs.glob("*.jsonl"))), tables, rows)


def litter(home: Path) -> list[str]:
    """Half-made files that lie about: `.building-*` folders, `*.tmp`."""
    return sorted(
        str(file.relative_to(home)) for pattern in ("**/.building-*", "**/.*.tmp") for file in home.glob(pattern)
    )


def verdict(act: Act, home: Path, before: Content, wanted: Content) -> dict[str, int]:
    """After something went wrong: is all there, readable, and does doing it again end as if nothing had happened?"""
    at_once = content(home, measured=act.measures)
    lost = before.lost(at_once)
    act.act(home)
    after = content(home, measured=act.measures)
    lost += wanted.lost(after)
    doubled = sum(len(rows) - len(set(rows)) for rows in at_once.rows.values())
    doubled += max(0, after.n_files - wanted.n_files)
    return {"lost": lost, "doubled": doubled, "differs": int(after.rows != wanted.rows), "litter": len(litter(home))}


def copy(start: Path, home: Path) -> None:
    """The same store elsewhere, times kept and its note written for the new inodes, so that it is known as it was left."""
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(start, home)
    paths, state = paths_of(home), read_state(paths_of(start))
    if state is not None:
        write_state(paths, marks_of(paths, (paths.folder / name for name in state.files)), state.refused)
