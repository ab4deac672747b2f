"""What stages of learners share: options of training, where they work, and features of frozen encoders."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from budgetsim.data.rows import Row
from budgetsim.design.identity import canonical_hash
from budgetsim.learners.device import multiplies_bf16
from budgetsim.learners.protocol import Desk, Effort, Learner, Training
from budgetsim.learners.weights import model_name, resolve
from budgetsim.measure.resolve import Run
from budgetsim.measure.stages.planned import Done, PlannedStage, Shelved
from budgetsim.measure.stages.tokenise import pieces_of
from budgetsim.measure.stagestore import Work

LEARNER: Final = "learner"  # folder of a stage that a learner is saved in


def training(run: Run, learner: Learner, steps: int, *, teaches: bool) -> Training:
    """How a learner of a run is trained; in bf16, where its recipe says so, on devices that multiply it themselves."""
    native = multiplies_bf16(run.workspace.stages.device.kind)
    precision = run.recipe.precision if native else "fp32"
    return run.recipe.training(
        learner, steps=steps, target_tokens=run.target_tokens, teaches=teaches, seed=run.spec.seed,
        precision=precision,
    )  # fmt: skip


def desk(run: Run, learner: Learner, folder: Path, done: Done, role: str) -> Desk:
    """Where a learner of a run works."""
    every, pieces = run.workspace.checkpoint_every, pieces_of(run, learner, done)
    return Desk(folder, every, run.report(role), shelves(run), pieces)


def shelves(run: Run) -> Path:
    """Folder of the frozen features of a split's texts, shared by its runs."""
    return run.workspace.stages.folder / "shelves" / run.split.split_id[:24]


def plan_features(
    run: Run, learner: Learner, part: str, places: Sequence[int], what: tuple[str, ...]
) -> tuple[PlannedStage, ...]:
    """Features of some rows by every frozen encoder that a learner reads with; none for most learners.

    part, places : as of `Run.part`
    what : names the rows within the run's split, so that their texts are hashed once a process
    """
    if not learner.encoders or not places:
        return ()
    rows = [run.part(part)[i] for i in places]
    texts = run.workspace.remember(
        (run.split.split_id, run.spec.unlabeled, *what), lambda: canonical_hash({"texts": run.read_by(learner, rows)})
    )
    return tuple(
        PlannedStage(
            kind="encode",
            depends_on={
                "texts": texts, "fields": list(run.task.fields), "encoder": model_name(model),
                "max_tokens": run.recipe.encoder_tokens, "split": run.split.split_id,
            },
            about=run.about(model_name(model)),
            examples=len(rows),
            build=partial(_shelve, run, learner, model, rows),
            shelved=Shelved(
                (run.split.split_id, model_name(model), str(run.recipe.encoder_tokens), run.rows_of(part)), places
            ),
        )
        for model in learner.encoders
    )  # fmt: skip


def work_of(effort: Effort, how: Training) -> Work:
    """What a stage reports of a learner's training."""
    return Work(
        examples=effort.examples, tokens=effort.tokens or None, flops=effort.flops,
        provenance={"resumed_at": effort.resumed_at, "precision": how.precision},
    )  # fmt: skip


def _shelve(run: Run, learner: Learner, model: str, rows: Sequence[Row], folder: Path, done: Done) -> Work:
    from budgetsim.learners.features import shelve

    sources = run.read_by(learner, rows)
    n = shelve(resolve(model), sources, run.task.fields, run.recipe.encoder_tokens, shelves(run))
    return Work(examples=n, provenance={"texts": len(rows)})
