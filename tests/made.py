"""Made pieces for tests: small surfaces whose optimum is known, and the command line as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from budgetsim.choosing.options import EvidenceNote, Option
from budgetsim.costs.model import CostModel
from budgetsim.design.points import STRATEGY_INPUTS, Measurement
from budgetsim.design.surface import Support, Surface

ROOT = Path(__file__).parents[1]
NOTE = EvidenceNote(set="made", source="measured", device="cpu", n_rows=4)

BLANK_ROW = Measurement(
    key="",
    task="stance",
    strategy="annotate",
    student="small",
    teacher=None,
    labeler=None,
    n_labels=None,
    n_llm_labels=None,
    n_unlabeled=None,
    score=0.0,
    source="measured",
    evidence_set="made",
)  # for `replace`


def make_surface(
    draws: np.ndarray, knots: tuple[np.ndarray, ...], *, strategy: str = "annotate", student: str = "s"
) -> Surface:
    """A surface from a table of draws; its support is the box of its knots."""
    n = len(knots)
    inputs = STRATEGY_INPUTS[strategy]
    corners = np.array(np.meshgrid(*[[k[0], k[-1]] for k in knots])).reshape(n, -1).T
    scaled = np.log1p(corners)
    return Surface(
        strategy=strategy,
        teacher="t" if strategy == "distill" else None,
        labeler="llm" if "llm" in strategy else None,
        student=student,
        inputs=inputs,
        knots=knots,
        draws=draws,
        run_noise=np.zeros(len(draws)),
        support=Support(
            points=corners,
            normals=np.concatenate([np.eye(n), -np.eye(n)]),
            offsets=np.concatenate([scaled.max(axis=0), -scaled.min(axis=0)]),
        ),
        n_rows=4,
    )


def make_option(surface: Surface, cost: CostModel) -> Option:
    return Option(surface=surface, cost=cost, evidence=NOTE)


def run_cli(*arguments: str, store: Path | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run `budgetsim` as a user would."""
    environment = {k: v for k, v in os.environ.items() if k != "BUDGETSIM_STORE"}
    if store is not None:
        environment["BUDGETSIM_STORE"] = str(store)
    command = [str(Path(sys.executable).with_name("budgetsim")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=120)
