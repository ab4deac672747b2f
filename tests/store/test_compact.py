"""Packs of runs: fewer files, the same records, whatever stops the packing."""

import shutil

import pytest

from budgetsim.store import compact as compact_module
from budgetsim.store.compact import compact
from budgetsim.store.database import open_reader
from budgetsim.store.location import StorePaths
from budgetsim.store.merge import check, merge
from budgetsim.store.records import read_shards, write_shard
from made import ROOT, run_cli
from made_runs import STAGES, made_run

N = 30  # files


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    paths = StorePaths(tmp_path_factory.mktemp("made") / "own" / "budgetsim.duckdb")
    paths.runs.mkdir(parents=True)
    for file in sorted((ROOT / "results" / "runs").glob("*.jsonl"))[:N]:
        shutil.copy(file, paths.runs)
    merge(paths)
    return paths.folder


@pytest.fixture
def paths(made, tmp_path):
    return StorePaths(shutil.copytree(made, tmp_path / "own") / "budgetsim.duckdb")


def contents(paths):
    runs, stages = read_shards(paths.runs)
    return {run.point.run_id: run for run in runs}, {stage.stage_id: stage for stage in stages}


def test_packing_changes_no_record_and_packing_again_nothing(paths):
    before = contents(paths)
    report = compact(paths)
    assert report.runs == len(before[0])
    assert report.files_before == N
    files = {f.name: f.read_bytes() for f in paths.runs.iterdir()}
    assert len(files) == report.packs < N
    assert contents(paths) == before
    assert merge(paths).total == 0
    assert check(paths) == []
    compact(paths)
    assert {f.name: f.read_bytes() for f in paths.runs.iterdir()} == files


def test_a_new_run_changes_one_pack_in_one_place(paths, monkeypatch):
    monkeypatch.setattr(compact_module, "MOST_BYTES", 20_000)
    compact(paths)
    before = {f.name: f.read_text() for f in paths.runs.iterdir()}
    assert max(map(len, before.values())) < 80_000
    write_shard(paths.runs, made_run(), STAGES)
    compact(paths)
    after = {f.name: f.read_text() for f in paths.runs.iterdir()}
    changed = [name for name, text in after.items() if before.get(name) != text]
    assert len(changed) == 1
    merge(paths)
    assert check(paths) == []


@pytest.mark.parametrize("n", range(1, 6))
def test_a_kill_at_any_write_or_removal_loses_nothing(paths, monkeypatch, n):
    """The n-th of what it does to files fails; what is there is read as it was, and the next time goes through."""
    before, calls = contents(paths), [0]

    def count(act):
        def counted(*words, **named):
            calls[0] += 1
            if calls[0] == n:
                raise KeyboardInterrupt
            return act(*words, **named)

        return counted

    with monkeypatch.context() as patch:
        patch.setattr(compact_module, "write_whole", count(compact_module.write_whole))
        patch.setattr("pathlib.Path.unlink", count(type(paths.runs).unlink))
        with pytest.raises(KeyboardInterrupt):
            compact(paths)
    assert contents(paths) == before
    compact(paths)
    assert contents(paths) == before
    assert check(paths) == []


def test_a_damaged_file_is_left_and_told(paths):
    bad = write_shard(paths.runs, made_run(), STAGES)
    bad.write_text(bad.read_text()[:-30])
    done = run_cli("store", "compact", store=paths.database)
    assert done.returncode == 1
    assert f"{bad}, line 3" in done.stderr
    assert bad.exists()
    assert " runs in " in done.stdout
    with open_reader(paths.database) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone()[0] > 0
