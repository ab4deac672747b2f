"""The forecast that closes a probe's page: sizes that the task can be given, no others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from budgetsim.data.likeness import described_task
from budgetsim.design.points import Route
from budgetsim.design.surface import Support, Surface, TaskFit
from budgetsim.report.probe import probe_json, probe_page
from budgetsim.report.table import Table

TASK = described_task("single:classes=4,floor=30", "mine")


def flat(route: Route) -> Surface:
    k = len(route.kind.inputs)
    nowhere = Support(points=np.zeros((0, k)), normals=np.zeros((0, k)), offsets=np.zeros(0))
    return Surface(
        route=route, knots=(np.array([0.0, 1e6]),) * k, draws=np.full((2, *(2,) * k), 0.5), run_noise=np.zeros(2),
        support=nowhere, n_rows=1,
    )  # fmt: skip


FIT = TaskFit(
    task="mine", evidence_set="other-tasks", method="m", rows_hash="", n_draws=2, seed=0, cautions=(),
    surfaces=(flat(Route(strategy="annotate", student="s")), flat(Route(strategy="distill", student="s", teacher="t"))),
)  # fmt: skip


def told(n_train: int, n_unlabeled: int) -> tuple[str, list[str], set[int], set[int], set[str]]:
    """Title and headings of the page's table; labels, texts and strategies of its JSON."""
    task = replace(TASK, n_train=n_train, n_unlabeled=n_unlabeled)
    (table,) = (part for part in probe_page(task, 20, [], FIT) if isinstance(part, Table) and "forecast" in part.title)
    rows = probe_json(task, 20, [], FIT)["forecast"]
    counts = ({row[name] for row in rows} for name in ("n_labels", "n_unlabeled", "strategy"))
    return (table.title, list(table.headings[1:]), *counts)  # type: ignore[return-value]


def test_a_forecast_asks_for_no_more_labels_and_texts_than_there_are():
    """600 with a label and 926 without: 1,526 may be labelled; a pool of 50,000 leaves the usual sizes."""
    assert told(600, 926) == (
        "forecast of one run, 926 texts where a teacher labels them",
        ["200 labels", "1,000 labels", "1,526 labels"], {200, 1000, 1526}, {0, 926}, {"annotate", "distill"},
    )  # fmt: skip
    assert told(600, 50_000)[2:4] == ({200, 1000, 5000}, {0, 10_000})


def test_without_texts_no_teacher_is_shown():
    assert told(150, 0) == ("forecast of one run", ["150 labels"], {150}, {0}, {"annotate"})
