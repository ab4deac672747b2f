"""What executors are made of, without an engine: units, lost workers, mailboxes, options, Slurm's words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetsim.errors import InputError
from budgetsim.measure import events
from budgetsim.measure.executors import ExecutorOptions, choose_executor
from budgetsim.measure.executors.losses import Losses
from budgetsim.measure.executors.mailbox import Mailbox
from budgetsim.measure.executors.options import parse_options, read_options
from budgetsim.measure.executors.protocol import Patience
from budgetsim.measure.executors.units import Rota, join_sharing
from budgetsim.measure.grid import load_grid, parse_grid
from budgetsim.store.location import StorePaths

SHARING = st.lists(
    st.lists(st.frozensets(st.sampled_from("abcdefgh"), max_size=3), min_size=1, max_size=4), max_size=12
)


@settings(deadline=None)  # of the clock of a busy machine
@given(SHARING)
def test_units_hold_every_run_once_and_share_nothing(sharing: list[list[frozenset[str]]]) -> None:
    """No teacher and no labelling pass is in two units, so whoever does a unit is alone with what it makes."""
    keys = {(g, r): shared for g, group in enumerate(sharing) for r, shared in enumerate(group)}
    groups = [[(g, r) for r in range(len(group))] for g, group in enumerate(sharing)]
    units = join_sharing(groups, lambda run: keys[run])
    assert sorted(run for unit in units for run in unit) == sorted(keys)
    made = [set().union(*(keys[run] for run in unit)) for unit in units]
    assert sum(map(len, made)) == len(set().union(*made)) if made else True
    for group in groups:
        assert sum(bool(set(group) & set(unit)) for unit in units) == 1  # what was together stays so


@settings(deadline=None)  # of the clock of a busy machine
@given(SHARING)
def test_units_are_no_larger_than_they_must_be(sharing: list[list[frozenset[str]]]) -> None:
    """By a slower plain version: groups are one unit if a chain of groups that share something leads from one to the other."""
    keys = {(g, r): shared for g, group in enumerate(sharing) for r, shared in enumerate(group)}
    of_group = [set().union(*group) for group in sharing]
    reach = [{g} for g in range(len(sharing))]
    for _ in sharing:
        reach = [r | {b for a in r for b in range(len(sharing)) if of_group[a] & of_group[b]} for r in reach]
    units = join_sharing(
        [[(g, r) for r in range(len(group))] for g, group in enumerate(sharing)], lambda run: keys[run]
    )
    assert {frozenset(g for g, _ in unit) for unit in units} == {frozenset(r) for r in reach}


@settings(deadline=None)  # of the clock of a busy machine
@given(SHARING, st.integers(1, 4), st.randoms(use_true_random=False))
def test_a_rota_gives_every_run_until_it_is_done(sharing: list[list[frozenset[str]]], n: int, chance: object) -> None:
    """Workers are lost at random moments; each run is given until somebody finishes it, and to one at a time."""
    runs = [[(g, r) for r in range(len(group))] for g, group in enumerate(sharing)]
    rota, done, at = Rota([list(unit) for unit in runs], lambda _: False), [], {}
    for _ in range(10_000):
        worker = chance.randrange(n)  # type: ignore[attr-defined]
        if worker in at and chance.random() < 0.3:  # type: ignore[attr-defined]
            rota.put_back(at.pop(worker))
            rota.leave(worker)
        elif worker in at:
            done.append(at.pop(worker))
        elif (run := rota.take(worker)) is not None:
            assert run not in at.values()
            at[worker] = run
        elif not at:
            break
    assert sorted(done) == sorted(run for unit in runs for run in unit)
    assert rota.n_waiting == 0


def test_a_worker_stays_with_its_unit_then_takes_a_free_one_then_helps_where_the_teacher_is_there() -> None:
    rota = Rota([["a1", "a2"], ["b1", "b2", "b3"], ["c1"]], lambda run: run[0] == "a")
    assert [rota.take(0), rota.take(1), rota.take(1), rota.take(2)] == ["a1", "b1", "b2", "c1"]
    assert rota.take(2) == "a2"  # b's teacher is not there yet
    assert rota.take(0) == "b3"


def test_a_run_that_comes_further_each_time_is_not_given_up() -> None:
    losses = Losses(Patience(of_a_run=2), checkpoint_every=100)
    assert [losses.bear("stuck") for _ in range(3)] == [True, True, False]
    for step in range(100, 1000, 100):
        losses.progress("slow", "student", step)
        assert losses.bear("slow")
    for _ in range(2):
        losses.progress("slow", "student", 910)  # not a checkpoint further
        assert losses.bear("slow") is (losses._of["slow"] <= 2)
    assert not losses.bear("slow")
    local = Losses(Patience(of_all=2))
    assert [local.bear(name) for name in "abc"] == [True, True, False]


def test_a_mailbox_bears_a_worker_that_is_lost_in_the_middle(tmp_path: Path) -> None:
    runs = load_grid("demo").specs()[:3]
    box = Mailbox(tmp_path / "w0")
    box.make()
    for spec in runs:
        box.give(spec)
    box.say_no_more()
    first = Mailbox(box.folder)
    taken = first.runs()
    assert next(taken) == runs[0]
    first.send(events.Done(run_id="x", scores={"f1": 1.0}))
    assert next(taken) == runs[1]
    with first.outbox.open("a") as torn:
        torn.write('{"event": "Do')
    second = Mailbox(box.folder)
    second.open_again()
    assert list(second.runs()) == runs[1:]  # the run under way again, and what was not begun
    second.send(events.Failed(message="no"))
    assert box.reports() == [events.Done(run_id="x", scores={"f1": 1.0}), events.Failed(message="no")]
    assert box.reports() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gpus: -1", "x.yaml, gpus: found -1, wanted 0 or more"),
        ("gpus: '1'", "gpus: found '1', wanted a number, without quotes"),
        ("memory: 3", "memory: found an unknown key, wanted one of beat_seconds, cpus, gpus"),
        ("signal: KILL", "signal: found 'KILL', wanted one of USR1, USR2, TERM"),
        ("shared_cache: s3://bucket/x", "stages are claimed by a rename that one of two wins, and s3:// has none"),
        ("shared_cache: here", "shared_cache: found 'here', wanted an absolute path, the same on every node"),
        ("[1, 2]", "found [1, 2], wanted keys and values"),
        ("gpus: [", "x.yaml, line 1: not YAML"),
        ("retries: 1\nretries: 2", "not YAML"),
    ],
)
def test_options_are_checked_at_the_door(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        read_options(tmp_path / "x.yaml")
    assert message in str(error.value)


def test_a_grid_may_say_what_its_workers_are_given() -> None:
    text = "{preset: cpu, tasks: [fever], blocks: [{strategy: annotate, n_labels: [9]}], executor: {gpus: 2}}"
    assert parse_grid(text, "x").executor == ExecutorOptions(gpus=2)
    with pytest.raises(InputError, match="Grid x, executor, gpu: found an unknown key"):
        parse_grid(text.replace("gpus", "gpu"), "x")


def test_no_file_is_no_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_options(None) is None
    (tmp_path / "executor.yaml").write_text("gpus: 1")
    assert read_options(None) == parse_options({"gpus": 1}, "x")


@pytest.mark.parametrize("text", ["rai", "slurm:head", "local:2", ""])
def test_executors_go_by_name(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="wanted local, ray, ray:HOST:PORT or slurm"):
        choose_executor(text, ExecutorOptions(), tmp_path, StorePaths(tmp_path / "x.duckdb"))
