"""What every executor must do, with real workers: the tests that local, Ray and Slurm inherit.

Runs are of the generated task with a recipe of a few steps: two T5 students of one T5 teacher, a cheap one of people's
labels, and two of one labelling pass.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from budgetsim.measure import Campaign, Outcome, RunSpec, get_preset, make_spec, run_campaign
from budgetsim.measure.conductor import open_view
from budgetsim.measure.events import Notice
from budgetsim.measure.executors import ExecutorOptions, choose_executor
from budgetsim.measure.executors.mailbox import Mailbox
from budgetsim.measure.limits import Limits
from budgetsim.measure.stages import plan_stages
from budgetsim.store.location import StorePaths
from budgetsim.store.merge import check
from budgetsim.store.records import read_shards

FAST: dict[str, Any] = {"beat_seconds": 0.5, "lease_seconds": 20, "silence_seconds": 90, "orphan_seconds": 60}


def specs(steps: int = 20) -> list[RunSpec]:
    recipe = replace(get_preset("cpu"), steps=steps)
    common: dict[str, Any] = {"task": "toy_requests", "recipe": recipe}
    llm = "simulated:accuracy=0.8"
    return [
        *(
            make_spec(strategy="distill", teacher="nano", student="pico", n_labels=60, n_unlabeled=u, **common)
            for u in (60, 90)
        ),
        make_spec(strategy="annotate", student="tfidf-lr", n_labels=60, **common),
        make_spec(strategy="llm_annotate", student="pico", labeler=llm, n_llm_labels=90, **common),
        make_spec(strategy="annotate_plus_llm", student="pico", labeler=llm, n_labels=60, n_llm_labels=60, **common),
    ]


def make_campaign(home: Path, engine: str, runs: list[RunSpec] | None = None, **options: Any) -> Campaign:
    """A campaign with a store and a cache of its own."""
    paths, cache = StorePaths(home / "store" / "budgetsim.duckdb"), home / "cache"
    given = ExecutorOptions(**{**FAST, **options})
    executor = choose_executor(engine, given, cache, paths)
    return Campaign(
        specs=specs() if runs is None else runs, paths=paths, cache=cache, workers=given.workers or 2,
        executor=executor, checkpoint_every=10,
    )  # fmt: skip


def workers(home: Path) -> list[int]:
    """Process ids of the workers of a campaign, on this machine; of this campaign alone."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (place / "cmdline").read_bytes()
            if b"budgetsim.measure.worker" in words.split(b"\0") and str(home / "cache").encode() in words:
                found.append(int(place.name))
    return found


def scores(home: Path) -> dict[str, float]:
    """Main score by run, of the run files."""
    found = read_shards(home / "store" / "runs")[0]
    assert len({run.point.run_id for run in found}) == len(found)
    return {run.point.run_id: run.scores[0].value for run in found}


def builds(home: Path) -> Counter[tuple[str, str]]:
    """How often workers said that they built each stage, by kind and id."""
    told: Counter[tuple[str, str]] = Counter()
    for outbox in home.glob("cache/campaigns/*/*/*/outbox.jsonl"):
        for event in Mailbox(outbox.parent).reports():
            told.update((stage.kind, stage.stage_id) for stage in getattr(event, "built", ()))
    return told


def assert_whole(home: Path, reference: dict[str, float]) -> None:
    """Every run is there, none twice, with the scores of an undisturbed local campaign; no stage was built twice."""
    assert scores(home) == reference
    assert check(StorePaths(home / "store" / "budgetsim.duckdb")) == []
    assert max(builds(home).values(), default=1) == 1
    assert not list((home / "cache").glob("*.lease"))


class ExecutorContract:
    """To inherit: an `engine` fixture that gives what `--executor` takes, and who ends a worker."""

    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def engine(self) -> Iterator[str]:
        raise NotImplementedError

    def kill_a_worker(self, home: Path) -> None:
        """End one worker of a campaign, as a machine would."""
        raise NotImplementedError

    def left_behind(self, home: Path) -> list[str]:
        """What of a campaign is still there once it is over."""
        raise NotImplementedError

    def run(self, home: Path, engine: str, notices: list[Notice] | None = None, **changes: Any) -> Outcome:
        campaign = replace(make_campaign(home, engine, **self.options), **changes)
        return run_campaign(campaign, (notices if notices is not None else []).append)

    def test_every_run_is_done_once_with_the_scores_of_a_local_campaign(
        self, engine: str, tmp_path: Path, reference: dict[str, float]
    ) -> None:
        campaign = make_campaign(tmp_path, engine, **self.options)
        outcome = run_campaign(campaign, lambda _: None)
        assert (outcome.done, outcome.failed, outcome.stopped) == (len(reference), (), None)
        assert_whole(tmp_path, reference)
        view = open_view(campaign)
        stages = {stage.key: stage.kind for spec in campaign.specs for stage in plan_stages(spec, view)}
        assert {kind.kind: kind.n for kind in outcome.predictions} == Counter(stages.values())  # each built once
        assert self.left_behind(tmp_path) == []
        again = run_campaign(make_campaign(tmp_path, engine, **self.options), lambda _: None)
        assert (again.done, again.there_before) == (0, len(reference))

    def test_a_worker_that_is_lost_is_replaced(self, engine: str, tmp_path: Path, reference: dict[str, float]) -> None:
        killer = threading.Timer(0, lambda: self.kill_when_busy(tmp_path))
        killer.start()
        outcome = self.run(tmp_path, engine)
        killer.join()
        assert (outcome.done, outcome.failed) == (len(reference), ())
        assert_whole(tmp_path, reference)
        assert self.left_behind(tmp_path) == []

    def kill_when_busy(self, home: Path) -> None:
        """Wait until a stage is under way, and then end its worker."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if any(home.glob("cache/*.partial/checkpoints")) or any(home.glob("cache/*.lease/partial-*/checkpoints")):
                self.kill_a_worker(home)
                return
            time.sleep(0.02)

    def test_a_cap_starts_nothing_that_would_pass_it(self, engine: str, tmp_path: Path) -> None:
        outcome = self.run(tmp_path, engine, limits=Limits(max_cost_usd=0.001, usd_per_hour=1.0))
        assert outcome.capped
        assert (outcome.done, outcome.worker_seconds) == (0, 0.0)
        assert self.left_behind(tmp_path) == []

    def test_a_run_that_fails_is_told_and_the_others_are_done(self, engine: str, tmp_path: Path) -> None:
        runs = specs()
        broken = replace(runs[2], seed=1)
        (tmp_path / "cache").mkdir()
        campaign = make_campaign(tmp_path, engine, [runs[2], broken], **{**self.options, "workers": 1})
        for stage in plan_stages(broken, open_view(campaign))[-1:]:
            (tmp_path / "cache" / f"{stage.kind}-{stage.key[:24]}").write_text("a file where a folder is wanted")
        outcome = run_campaign(campaign, lambda _: None)
        assert (outcome.done, len(outcome.failed)) == (1, 1)
        assert self.left_behind(tmp_path) == []
