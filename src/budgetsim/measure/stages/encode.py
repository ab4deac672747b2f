"""Features of the frozen encoder for a part of the data; one pass serves every teacher and student."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from budgetsim.design.identity import canonical_hash
from budgetsim.measure.resolve import Run
from budgetsim.measure.stages.planned import Done, PlannedStage
from budgetsim.measure.stagestore import Work

_FILE = "features.safetensors"


def plan_encoding(run: Run, part: str) -> PlannedStage:
    """Features of `train`, `dev`, `test` or `pool`."""
    n = len(run.part(part))
    return PlannedStage(
        kind="encode",
        depends_on={
            "texts": run.workspace.remember(
                (run.split.split_id, run.spec.unlabeled, part), lambda: _texts_hash(run, part)
            ),
            "fields": list(run.task.fields),
            "encoder": "all-MiniLM-L6-v2",
        },
        about=run.about("minilm", n_unlabeled=n if part == "pool" else None),
        examples=n,
        build=partial(_build, run, part),
    )


def load_features(stage: PlannedStage, done: Done) -> NDArray[np.float32]:
    """(rows, features) of a part, in the order of its rows."""
    from safetensors.numpy import load_file

    features: NDArray[np.float32] = load_file(done[stage.key].folder / _FILE)["features"]
    return features


def _texts_hash(run: Run, part: str) -> str:
    return canonical_hash({"texts": [row.source for row in run.part(part)]})


def _build(run: Run, part: str, folder: Path, done: Done) -> Work:
    from safetensors.numpy import save_file

    from budgetsim.learners.encoder import encode_sources

    rows = run.part(part)
    features = encode_sources([row.source for row in rows], run.task.fields)
    save_file({"features": features}, folder / _FILE)
    return Work(examples=len(rows), provenance={"part": part})
