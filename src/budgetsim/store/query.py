"""Reading the store: measurements for the fits, hours for the costs, SQL for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from budgetsim.compute import MeasuredStage
from budgetsim.design import Measurement
from budgetsim.errors import InputError, NoEvidenceError
from budgetsim.store.database import Connection

_MEASUREMENTS = """
SELECT r.run_id, r.task, r.strategy, r.student, r.teacher, r.labeler, r.n_labels, r.n_llm_labels,
       r.n_unlabeled, s.value, coalesce(s.score_err, 0), s.n_test, r.seed, r.source, r.evidence_set,
       c.panel, r.derived
FROM runs r
JOIN scores s ON s.run_id = r.run_id AND s.is_main
LEFT JOIN published_cells c ON c.record_id = r.run_id
WHERE r.same_as IS NULL AND r.feasible
ORDER BY r.run_id
"""


@dataclass(frozen=True, slots=True)
class Table:
    """An answer to a query: names of the columns, and the rows."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeRow:
    """GPU-hours of a published stage, derived from the dollars a paper printed."""

    source: str
    task: str
    teacher: str
    student: str
    kind: str  # finetune_teacher, or distill_text
    n_labels: int
    gpu_hours: float


def load_measurements(connection: Connection) -> list[Measurement]:
    """Every distinct feasible result of the store, scores as fractions, in the order of their ids."""
    return [_measurement(row) for row in connection.execute(_MEASUREMENTS).fetchall()]


def _measurement(row: tuple[Any, ...]) -> Measurement:
    (key, task, strategy, student, teacher, labeler, n_labels, n_llm, n_unlabeled, value, err, n_test, seed,
     source, evidence_set, panel, derived) = row  # fmt: skip
    return Measurement(
        key=key,
        task=task,
        strategy=strategy,
        student=student,
        teacher=teacher,
        labeler=labeler,
        n_labels=n_labels,
        n_llm_labels=n_llm,
        n_unlabeled=n_unlabeled,
        score=value / 100,
        score_err=err / 100,
        n_test=n_test,
        seed=seed,
        source=source,
        evidence_set=evidence_set,
        panel=panel,
        derived=tuple(derived),
    )


def load_compute(connection: Connection) -> list[ComputeRow]:
    """Every published compute cost of the store."""
    rows = connection.execute(
        "SELECT source, task, teacher, student, kind, n_labels, gpu_hours FROM published_compute ORDER BY ALL"
    ).fetchall()
    return [
        ComputeRow(source=s, task=t, teacher=te, student=st, kind=k, n_labels=n, gpu_hours=h)
        for s, t, te, st, k, n, h in rows
    ]


_TIMED = """
SELECT r.evidence_set, r.task, g.kind, r.strategy, r.teacher, r.student, coalesce(r.n_labels, 0),
       CASE WHEN g.kind = 'train_student'
            THEN coalesce(r.n_labels, 0) * (r.strategy <> 'distill')::INT + coalesce(r.n_llm_labels, 0)
                 + coalesce(r.n_unlabeled, 0)
            ELSE g.examples END,
       g.seconds * coalesce(g.n_devices, 1) / 3600, json_exists(r.recipe, '$.steps')
FROM runs r JOIN run_stages rs USING (run_id) JOIN stages g USING (stage_id)
WHERE g.kind IN ('encode', 'finetune_teacher', 'soft_label', 'train_student')
  AND g.seconds IS NOT NULL AND g.examples > 0 AND r.source = 'measured'
ORDER BY r.run_id, g.stage_id
"""


def load_timed(connection: Connection) -> dict[tuple[str, str], list[MeasuredStage]]:
    """Timed stages by evidence set and task, each once for every run that rests on it."""
    out: dict[tuple[str, str], list[MeasuredStage]] = {}
    for name, task, kind, strategy, teacher, student, n_labels, n, hours, fixed in connection.execute(
        _TIMED
    ).fetchall():
        stage = MeasuredStage(
            kind=kind, strategy=strategy, teacher=teacher, student=student, n_labels=n_labels, n_examples=n,
            hours=hours, fixed_steps=fixed,
        )  # fmt: skip
        out.setdefault((name, task), []).append(stage)
    return out


def choose_sets(measurements: Sequence[Measurement], wanted: str | None) -> dict[str, str]:
    """The evidence set to answer each task from; tasks that the wanted sets do not cover are left out.

    wanted : a set, or the start of the names of several that share no task; None: the published set
        where there is one, and a task's only other set where there is not

    raises : NoEvidenceError where there is none, InputError where several sets of one task fit
    """
    main = None if wanted else choose_evidence(measurements, None)
    sets: dict[str, str] = {}
    for task in sorted({m.task for m in measurements}):
        rows = [m for m in measurements if m.task == task]
        names = {m.evidence_set for m in rows}
        if main in names:
            sets[task] = main
        elif wanted is None or any(n.startswith(wanted) for n in names):
            sets[task] = choose_evidence(rows, wanted)
    if not sets:
        choose_evidence(measurements, wanted)  # says which sets there are
    return sets


def choose_evidence(measurements: Sequence[Measurement], wanted: str | None) -> str:
    """The evidence set to answer from: the one named (a prefix will do), else a published one.

    raises : NoEvidenceError where there is none, InputError where the name fits several
    """
    rows_of: dict[str, int] = {}
    for m in measurements:
        rows_of[m.evidence_set] = rows_of.get(m.evidence_set, 0) + 1
    names = sorted(rows_of, key=lambda name: (not name.startswith("published"), -rows_of[name], name))
    if not names:
        raise NoEvidenceError("The store holds no evidence; run `budgetsim store rebuild` or `budgetsim measure`.")
    if wanted is None:
        return names[0]
    fitting = [n for n in names if n == wanted] or [n for n in names if n.startswith(wanted)]
    if not fitting:
        raise NoEvidenceError(f"No evidence set is called {wanted!r}; the store has {', '.join(names)}.")
    if len(fitting) > 1:
        raise InputError(f"Evidence {wanted!r} fits {', '.join(fitting)}; name one of them.")
    return fitting[0]


def run_sql(connection: Connection, sql: str) -> Table:
    """Run one SQL statement that somebody typed.

    raises : InputError with DuckDB's words where the statement is wrong or not allowed
    """
    try:
        answer = connection.execute(sql)
        columns = [c[0] for c in answer.description or []]
        return Table(columns, answer.fetchall() if columns else [])
    except duckdb.Error as error:
        words = re.sub(r"\s+", " ", str(error)).strip()
        raise InputError(
            f"The store refused the query: {words} Queries read the store's own tables and views; "
            f"`budgetsim store describe` lists them."
        ) from None


def describe(connection: Connection) -> Table:
    """Every table, view and column with its type and comment."""
    rows = connection.execute(
        "SELECT table_name, NULL, 'table', comment FROM duckdb_tables() WHERE NOT internal "
        "UNION ALL SELECT view_name, NULL, 'view', comment FROM duckdb_views() WHERE NOT internal "
        "UNION ALL SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal "
        "ORDER BY 1, 2 NULLS FIRST"
    ).fetchall()
    return Table(["table", "column", "type", "comment"], rows)


def export_csv(connection: Connection, folder: Path) -> list[Path]:
    """Write every table and view as a CSV file of its name.

    raises : InputError where the folder cannot be made
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}); name another folder.") from None
    names = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' ORDER BY 1"
    ).fetchall()
    files = []
    for (name,) in names:
        file = folder / f"{name}.csv"
        connection.table(name).write_csv(str(file))
        files.append(file)
    return files
