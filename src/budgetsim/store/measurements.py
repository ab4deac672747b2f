"""Results of the store as fits and forecasts see them: run by run, or the runs of one design together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from budgetsim.design.points import DesignRuns, Measurement, Route
from budgetsim.store.database import Connection
from budgetsim.store.onerecipe import Made, of_one_recipe, ways_read
from budgetsim.store.published import REPORTED
from budgetsim.store.text_errors import TextErrors

OWN_TEXTS: Final = (None, "pool", "labelled")  # where texts of a run may come from that are its task's

# one each: text without it is refused
_SCORED = "JOIN scores s ON s.run_id = r.run_id AND s.task = r.task AND s.is_main"
_OF_SETS = """
if($sets IS NULL, NOT starts_with(r.evidence_set, $reported), list_contains($sets, r.evidence_set))
  AND ($tasks IS NULL OR list_contains($tasks, r.task))
"""
_CHOSEN = f"WHERE r.same_as IS NULL AND r.feasible AND {_OF_SETS}"
_MEASUREMENTS = f"""
SELECT r.run_id, r.task, r.strategy, r.student, r.teacher, r.labeler, r.n_labels, r.n_llm_labels,
       r.n_unlabeled, s.value, coalesce(s.score_err, 0), s.n_test, r.seed, r.source, r.evidence_set,
       c.panel, r.derived, c.implied_n_unlabeled, r.recipe_id, r.unlabeled_source
FROM runs r {_SCORED} LEFT JOIN published_cells c ON c.record_id = r.run_id
{_CHOSEN} ORDER BY r.run_id
"""  # noqa: S608 - of parts above
_DESIGN: Final = """
r.task, r.evidence_set, r.strategy, r.student, r.teacher, r.labeler, r.n_labels, r.n_llm_labels, r.n_unlabeled,
r.recipe_id, r.unlabeled_source, r.source
"""
_DESIGNS = f"""
SELECT {_DESIGN}, r.last_finished_at, r.n_runs, NULL FROM designs r
WHERE {_OF_SETS} ORDER BY ALL
"""  # noqa: S608 - of parts above
_DESIGNS_WITH_SCORES = f"""
SELECT {_DESIGN}, max(r.finished_at), count(*), list(s.value ORDER BY r.run_id)
FROM runs r {_SCORED}
{_CHOSEN} GROUP BY ALL ORDER BY ALL
"""  # noqa: S608 - of parts above

_TEACHERS = """
SELECT rs.run_id, max(g.score) FROM run_stages rs JOIN stages g ON g.stage_id = rs.stage_id AND g.task = rs.stage_task
WHERE g.kind = 'finetune_teacher' AND g.score IS NOT NULL AND ($tasks IS NULL OR list_contains($tasks, rs.task))
GROUP BY rs.run_id
"""
_LABELERS = """
SELECT rs.run_id, avg(g.score) FROM run_stages rs JOIN stages g ON g.stage_id = rs.stage_id AND g.task = rs.stage_task
WHERE g.kind = 'llm_label' AND g.metric = 'accuracy' AND g.score IS NOT NULL
  AND NOT starts_with(g.model, 'simulated:')  -- whose name states its accuracy
  AND ($tasks IS NULL OR list_contains($tasks, rs.task))
GROUP BY rs.run_id
"""


def load_measurements(
    connection: Connection, sets: Sequence[str] | None = None, tasks: Sequence[str] | None = None
) -> list[Measurement]:
    """Distinct feasible results, scores as fractions, in the order of their ids; of each route one recipe's.

    sets : evidence sets to read; None for all that tasks are answered from
    tasks : those that are read; None for all
    """
    asked, of_tasks = _asked(sets, tasks), {"tasks": None if tasks is None else list(tasks)}
    designs = _execute(connection, _DESIGNS, asked)
    rows = _execute(connection, _MEASUREMENTS, asked)
    kept = ways_read(map(_made_together, designs))
    if len({(one.group, one.way) for one in map(_made_together, designs)}) > len(kept):
        rows = [row for row in rows if _is_read(row, kept)]
    # published teachers have no score; the view would cost every answer from published rows 12 ms
    measured = any(row[4] is not None and not row[13].startswith("published") for row in rows)
    taught = dict(_execute(connection, _TEACHERS, of_tasks)) if measured else {}
    asked_llm = any(row[5] is not None and not row[13].startswith("published") for row in rows)
    accuracies = dict(_execute(connection, _LABELERS, of_tasks)) if asked_llm else {}
    computed = any(row[17] is not None for row in rows)
    errors = TextErrors.load(connection) if computed else TextErrors({})
    routes: dict[tuple[Any, ...], Route] = {}  # one value for all runs of it
    return [_measurement(row, routes, taught.get(row[0]), accuracies.get(row[0]), errors) for row in rows]


def load_designs(
    connection: Connection,
    sets: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
    *,
    with_scores: bool = False,
) -> list[DesignRuns]:
    """The results of `load_measurements`, those of one design as one; their number leaves the store, not they.

    with_scores : whether their scores do, in the order of their ids
    """
    rows = _execute(connection, _DESIGNS_WITH_SCORES if with_scores else _DESIGNS, _asked(sets, tasks))
    return [
        DesignRuns(
            task=row[0], evidence_set=row[1],
            route=Route(strategy=row[2], student=row[3], teacher=row[4], labeler=row[5]),
            n_labels=row[6], n_llm_labels=row[7], n_unlabeled=row[8], source=row[11], n_runs=row[13],
            scores=tuple(value / 100 for value in row[14] or ()),
        )
        for row in of_one_recipe(rows, _made_together)
    ]  # fmt: skip


def _asked(sets: Sequence[str] | None, tasks: Sequence[str] | None) -> dict[str, Any]:
    return {
        "sets": None if sets is None else list(sets),
        "tasks": None if tasks is None else list(tasks),
        "reported": REPORTED,
    }


def _execute(connection: Connection, sql: str, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
    return connection.execute(sql, asked).fetchall()


def _made_together(row: tuple[Any, ...]) -> Made:
    """How runs of one design came to be, of a row of `_DESIGNS`."""
    task, evidence_set, strategy, student, teacher, labeler, *counts, recipe, texts, _, finished, _, _ = row
    return Made(
        (task, evidence_set, strategy, student, teacher, labeler), recipe or "", tuple(counts), finished, _texts(texts)
    )


def _is_read(row: tuple[Any, ...], kept: dict[Any, tuple[str, str]]) -> bool:
    """Whether a row of `_MEASUREMENTS` was made in the way that is read of its route."""
    task, strategy, student, teacher, labeler, evidence_set = (*row[1:6], row[14])
    return kept.get((task, evidence_set, strategy, student, teacher, labeler)) == (_texts(row[19]), row[18] or "")


def _texts(source: str | None) -> str:
    """Where texts came from that are not the task's own."""
    return "" if source is None or source in OWN_TEXTS else source


def _measurement(
    row: tuple[Any, ...],
    routes: dict[tuple[Any, ...], Route],
    teacher_score: float | None,
    accuracy: float | None,
    errors: TextErrors,
) -> Measurement:
    (key, task, strategy, student, teacher, labeler, n_labels, n_llm, n_unlabeled, value, err, n_test, seed,
     source, evidence_set, panel, derived, implied, *_) = row  # fmt: skip
    route = routes.get(row[2:6])
    if route is None:
        route = routes[row[2:6]] = Route(strategy=strategy, teacher=teacher, labeler=labeler, student=student)
    return Measurement(
        key=key,
        task=task,
        route=route,
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
        teacher_score=None if teacher_score is None else teacher_score / 100,
        labeler_accuracy=None if accuracy is None else accuracy / 100,
        n_unlabeled_se=None if implied is None else errors.of(source, task, route, n_labels, implied),
    )
