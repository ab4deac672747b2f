"""How far predicted times are off, on the stages of the store: each predicted from others, never from itself.

    python bench/predict_time.py [--store PATH]

`left out`: rates from every other stage, against the CPU seconds it took. `as it went`: in the order of finishing,
each predicted from those before it in wall seconds, slowness learned on the way, as a campaign without history does.
`same, before`: the same with one median of seconds a task, student and strategy, as budgetsim predicted formerly.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from budgetsim.measure.estimate import Estimator, Timed, prediction_error
from budgetsim.measure.stages import PlannedStage
from budgetsim.measure.stagestore import Work
from budgetsim.store.location import locate
from budgetsim.store.records import StageRecord, read_shards


def planned(stage: StageRecord) -> PlannedStage:
    """The stage as it was known before it was built."""
    about = {"task": stage.task, "model": stage.model, "n_unlabeled": stage.n_unlabeled}
    return PlannedStage(
        kind=stage.kind, depends_on={}, about=about, examples=stage.examples or 0, build=lambda *_: Work()
    )


def fresh() -> Estimator:
    """An estimator that knows nothing, on a machine that does nothing else."""
    estimator = Estimator()
    estimator.slowness = estimator._first = 1.0
    return estimator


def left_out(stages: Sequence[StageRecord]) -> list[Timed]:
    """CPU seconds of each stage from the rates of all others."""
    found = []
    for stage in stages:
        estimator = fresh()
        estimator.prime(s for s in stages if s is not stage)
        found.append(Timed(stage.kind, estimator.stage(planned(stage)), float(stage.provenance["cpu_seconds"])))
    return found


def as_it_went(stages: Sequence[StageRecord]) -> list[Timed]:
    """Wall seconds of each stage from those that finished before it."""
    estimator = fresh()
    for stage in stages:
        estimator.learn(stage, estimator.stage(planned(stage)))
    return estimator.timed


def before(stages: Sequence[StageRecord]) -> list[Timed]:
    """Wall seconds of student stages as the median of like ones before them, else a guess."""
    seen: dict[tuple[str, str | None, bool, bool], list[float]] = defaultdict(list)
    found = []
    for stage in (s for s in stages if s.kind == "train_student"):
        like = seen[stage.task, stage.model, bool(stage.n_unlabeled), bool(stage.n_llm_labels)]
        guess = median(like) if like else 25.0 if stage.model == "pico" else 3.0
        found.append(Timed(stage.kind, guess, stage.seconds or 0.0))
        like.append(stage.seconds or 0.0)
    return found


def show(name: str, timed: Sequence[Timed]) -> None:
    """Error and bias, in all and by kind."""
    for kind in ("", *sorted({t.kind for t in timed})):
        chosen = [t for t in timed if kind in ("", t.kind)]
        took = sum(t.took for t in chosen)
        bias = sum(t.predicted for t in chosen) / took
        error = prediction_error(chosen) or 0.0
        print(f"{name:14} {kind or 'all':16} {len(chosen):4} stages {took:8.1f} s  off {error:5.0%}  in all {bias:.2f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=None)
    stages = read_shards(locate(parser.parse_args().store).runs)[1]
    stages = [s for s in stages if s.finished_at and s.seconds and "cpu_seconds" in s.provenance]
    stages.sort(key=lambda s: str(s.finished_at))
    show("left out", left_out(stages))
    show("as it went", as_it_went(stages))
    show("same, before", before(stages))


if __name__ == "__main__":
    main()
