"""Made pieces for tests: small surfaces whose optimum is known, and the command line as a user runs it."""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from budgetsim.choosing.options import EvidenceNote, Option
from budgetsim.costs.hours import Hours
from budgetsim.costs.model import CostModel, cost_model
from budgetsim.costs.rates import RateCard
from budgetsim.costs.terms import NO_TERMS, Terms, apply
from budgetsim.data.tasks import Task
from budgetsim.design.points import Measurement, Route
from budgetsim.design.strategies import STRATEGIES
from budgetsim.design.surface import Support, Surface
from budgetsim.measure.spec import RunSpec, make_spec

ROOT = Path(__file__).parents[1]
NOTE = EvidenceNote(set="made", source="measured", device="cpu", n_rows=4)

BLANK_ROW = Measurement(
    key="",
    task="stance",
    route=Route(strategy="annotate", student="small"),
    n_labels=None,
    n_llm_labels=None,
    n_unlabeled=None,
    score=0.0,
    source="measured",
    evidence_set="made",
)


def make_row(like: Measurement = BLANK_ROW, **changes: object) -> Measurement:
    """A measurement like another but for some fields; those of its route may be named beside them."""
    route = {name: changes.pop(name) for name in ("strategy", "teacher", "labeler", "student") if name in changes}
    return replace(like, route=replace(like.route, **route), **changes)


def make_surface(
    draws: np.ndarray,
    knots: tuple[np.ndarray, ...],
    *,
    strategy: str = "annotate",
    student: str = "s",
    teacher: str = "t",
    labeler: str = "llm",
) -> Surface:
    """A surface from a table of draws; its support is the box of its knots."""
    n = len(knots)
    corners = np.array(np.meshgrid(*[[k[0], k[-1]] for k in knots])).reshape(n, -1).T
    scaled = np.log1p(corners)
    return Surface(
        route=Route(
            strategy=strategy,
            teacher=teacher if STRATEGIES[strategy].has_teacher else None,
            labeler=labeler if STRATEGIES[strategy].has_labeler else None,
            student=student,
        ),
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


def made_cost(strategy: str, task: Task, card: RateCard, hours: Hours | None, terms: Terms = NO_TERMS) -> CostModel:
    """What a strategy costs under a project's terms, with the models that its name needs."""
    kind = STRATEGIES[strategy]
    route = Route(strategy=strategy, teacher="t" if kind.has_teacher else None, student="s")
    return apply(cost_model(kind, task, card, hours), card, hours, terms, route)


def change_spec(spec: RunSpec, **changes: Any) -> RunSpec:
    """A spec with other flat fields: those of its design, `unlabeled`, `seed` or `recipe`."""
    own = {"unlabeled": spec.unlabeled, "seed": spec.seed, "recipe": spec.recipe}
    return make_spec(**{**spec.design.flat(), **own, **changes})


def run_cli(*arguments: str, store: Path | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run `budgetsim` as a user would, in a process of its own that is forked from one that has imported it."""
    environment = {k: v for k, v in os.environ.items() if k != "BUDGETSIM_STORE"}
    if store is not None:
        environment["BUDGETSIM_STORE"] = str(store)
    with TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        asked = {"argv": arguments, "cwd": str(cwd), "env": environment, "out": str(out), "err": str(err)}
        code = int(_server().ask(json.dumps(asked)))
        return subprocess.CompletedProcess(arguments, code, out.read_text("utf-8"), err.read_text("utf-8"))


class _Server:
    """`cli_server`, for as long as the tests run."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("cli_server.py"))]
        path = os.pathsep.join(p for p in sys.path if p)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
        )
        atexit.register(self.close)

    def ask(self, line: str) -> str:
        """Its answer, which is to come within two minutes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], 120)[0]:
            self._process.kill()
            _server.cache_clear()
            raise subprocess.TimeoutExpired(line, 120)
        return self._process.stdout.readline()

    def close(self) -> None:
        """End it by the end of its input."""
        for end in (self._process.stdin, self._process.stdout):
            if end is not None:
                end.close()
        self._process.wait()


@cache
def _server() -> _Server:
    return _Server()
