"""Reading the store: measurements for the fits, hours for the costs, SQL for people."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb

from budgetsim.design.points import Route
from budgetsim.doors.amounts import did_you_mean
from budgetsim.errors import InputError, NoEvidenceError
from budgetsim.store.database import Connection
from budgetsim.store.published import REPORTED

if TYPE_CHECKING:
    import pandas

QUERY_SECONDS: Final = 60.0
MOST_ROWS: Final = 1_000_000  # of an answer to a query

Catalogue = Mapping[str, Mapping[str, int]]  # task -> evidence set -> number of results


@dataclass(frozen=True, slots=True)
class QueryResult:
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


def load_catalogue(connection: Connection, miniatures: Sequence[str] = ()) -> dict[str, dict[str, int]]:
    """What evidence tasks are answered from: distinct feasible results by task and evidence set.

    miniatures : students whose results alone count in the miniature's sets; others stand beside its answer. All count
        where none is named
    """
    rows = connection.execute(
        "SELECT task, evidence_set, sum(n_runs)::BIGINT, "
        "coalesce(sum(n_runs) FILTER (list_contains(?, student)), 0)::BIGINT FROM designs "
        "WHERE NOT starts_with(evidence_set, ?) GROUP BY ALL ORDER BY ALL",
        [list(miniatures), REPORTED],
    ).fetchall()
    catalogue: dict[str, dict[str, int]] = {}
    for task, name, n, n_miniature in rows:
        counted = n_miniature if miniatures and is_miniature(name) else n
        if counted:
            catalogue.setdefault(task, {})[name] = counted
    return catalogue


def all_sets(connection: Connection) -> list[str]:
    """Names of every evidence set, those that serve forecasts alone among them."""
    return [row[0] for row in connection.execute("SELECT DISTINCT evidence_set FROM runs ORDER BY 1").fetchall()]


def load_compute(connection: Connection) -> list[ComputeRow]:
    """Every published compute cost of the store."""
    rows = connection.execute(
        "SELECT source, task, teacher, student, kind, n_labels, gpu_hours FROM published_compute ORDER BY ALL"
    ).fetchall()
    return [
        ComputeRow(source=s, task=t, teacher=te, student=st, kind=k, n_labels=n, gpu_hours=h)
        for s, t, te, st, k, n, h in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """Scores of the replicates of one student on labels, percent, and what its runs took.

    sd : standard deviation over replicates; 0 where there is one
    hours : device-hours of training, with the encoding of its own rows alone; None where no stage says so
    ms_per_text : of encoding or answering one text where a stage did that alone, else of training and scoring, by the
        scored text: at most that; None where no stage says so
    """

    task: str
    evidence_set: str
    student: str
    n_labels: int
    score: float
    n_runs: int
    sd: float = 0.0
    n_test: int | None = None
    hours: float | None = None
    ms_per_text: float | None = None


_SCORES = """
WITH took AS (
  SELECT run_id, sum(seconds * coalesce(n_devices, 1)) FILTER (kind NOT IN ('evaluate', 'encode')) / 3600 AS hours,
         coalesce(sum(seconds * coalesce(n_devices, 1)) FILTER (kind = 'encode')
           / nullif(sum(examples) FILTER (kind = 'encode'), 0) / 3600, 0) AS encoding,
         median(1000 * seconds / examples) FILTER (kind IN ('encode', 'evaluate') AND examples > 0) AS per_text,
         1000 * sum(seconds) FILTER (kind = 'train_student') AS ms
  FROM run_stages rs JOIN stages g ON g.stage_id = rs.stage_id AND g.task = rs.stage_task
  WHERE $tasks IS NULL OR list_contains($tasks, rs.task) GROUP BY run_id)
SELECT r.task, r.evidence_set, r.student, r.n_labels, avg(s.value), count(*), coalesce(stddev_samp(s.value), 0),
       min(s.n_test), avg(t.hours + t.encoding * r.n_labels), median(coalesce(t.per_text, t.ms / s.n_test))
FROM runs r JOIN scores s ON s.run_id = r.run_id AND s.task = r.task AND s.is_main
LEFT JOIN took t ON t.run_id = r.run_id
WHERE r.strategy = 'annotate' AND r.same_as IS NULL AND r.source = 'measured' AND NOT list_contains($without, r.student)
  AND ($tasks IS NULL OR list_contains($tasks, r.task))
GROUP BY ALL ORDER BY ALL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerRow:
    """An LLM's own score on the test items of a task, measured in runs that it taught, and its price.

    score : percent; usd_per_million_texts : None where no price was known
    is_probed : on labels that somebody owns instead (`store.probes`)
    """

    task: str
    model: str
    n_labels: int
    score: float
    n_runs: int
    usd_per_million_texts: float | None
    is_probed: bool = False


_CALLERS = """
SELECT task, model, coalesce(n_labels, 0), avg(score), count(*),
       avg(try_cast(provenance->'llm'->>'usd_per_million_texts' AS DOUBLE)), false
FROM stages
WHERE kind = 'evaluate' AND score IS NOT NULL AND ($tasks IS NULL OR list_contains($tasks, task))
  AND json_exists(provenance, '$.llm')
GROUP BY ALL ORDER BY ALL
"""


def load_callers(connection: Connection, tasks: Sequence[str] | None = None) -> list[CallerRow]:
    """LLMs that answered the test items of a task themselves (`measure.stages.asked_teacher`).

    tasks : those that are read; None for all
    """
    rows = connection.execute(_CALLERS, {"tasks": None if tasks is None else list(tasks)}).fetchall()
    return [CallerRow(**dict(zip(CallerRow.__slots__, row, strict=True))) for row in rows]


def load_scores(
    connection: Connection, without: Sequence[str] = (), tasks: Sequence[str] | None = None
) -> list[ScoreRow]:
    """Mean scores of students that were trained here on human labels, whatever the set.

    without : students that are not read; tasks : those that are; None for all
    """
    asked = {"without": list(without), "tasks": None if tasks is None else list(tasks)}
    return [
        ScoreRow(**dict(zip(ScoreRow.__slots__, row, strict=True)))
        for row in connection.execute(_SCORES, asked).fetchall()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """Stages of one kind and size that runs of one route rest on, together.

    model : that did the work; empty where none did
    n_stages : how many; examples, hours : of all of them
    """

    evidence_set: str
    task: str
    route: Route
    kind: str
    model: str
    n_labels: float
    n_llm_labels: float
    n_unlabeled: float
    examples: float
    hours: float
    n_stages: int = 1


# summed in the order of the stages, so that the same rows give the same bits
_STAGES = """
WITH used AS (
  SELECT DISTINCT r.evidence_set, r.task, r.strategy, r.student, r.teacher, r.labeler, rs.stage_id, rs.stage_task
  FROM runs r JOIN run_stages rs USING (run_id, task)
  WHERE list_contains($sets, r.evidence_set) AND ($tasks IS NULL OR list_contains($tasks, r.task)))
SELECT u.evidence_set, u.task, u.strategy, u.student, u.teacher, u.labeler, s.kind, coalesce(s.model, ''),
       coalesce(s.n_labels, 0), coalesce(s.n_llm_labels, 0), coalesce(s.n_unlabeled, 0),
       sum(coalesce(s.examples, 0))::BIGINT,
       list_sum(list(s.seconds * coalesce(s.n_devices, 1) / 3600 ORDER BY s.stage_id)), count(*)
FROM used u JOIN stages s ON s.stage_id = u.stage_id AND s.task = u.stage_task WHERE s.seconds IS NOT NULL
GROUP BY ALL ORDER BY ALL
"""


def load_stages(connection: Connection, sets: Sequence[str], tasks: Sequence[str] | None = None) -> list[StageRow]:
    """Stages of some evidence sets, once for each strategy, teacher, labeler and student that rests on them.

    tasks : those whose runs are looked at; None for all
    """
    asked = {"sets": list(sets), "tasks": None if tasks is None else list(tasks)}
    rows = connection.execute(_STAGES, asked).fetchall()
    return [
        StageRow(
            evidence_set=row[0], task=row[1],
            route=Route(strategy=row[2], student=row[3], teacher=row[4], labeler=row[5]),
            kind=row[6], model=row[7], n_labels=row[8], n_llm_labels=row[9], n_unlabeled=row[10], examples=row[11],
            hours=row[12], n_stages=row[13],
        )
        for row in rows
    ]  # fmt: skip


def choose_evidence(catalogue: Catalogue, name: str | None) -> dict[str, str]:
    """The evidence set each task is answered from: the one named (a prefix will do), else a published one.

    returns : task -> set, for every task that has one
    raises : NoEvidenceError where no task has one, InputError where the name fits several sets of a task
    """
    if not catalogue:
        raise NoEvidenceError(
            "The store holds no evidence to answer from: no result at all, or only of cheap students, which stand "
            "beside an answer. Run `budgetsim store rebuild` or `budgetsim measure`."
        )
    sets = {task: _choose(task, counts, name) for task, counts in sorted(catalogue.items())}
    choice = {task: set_name for task, set_name in sets.items() if set_name is not None}
    if not choice:
        names = sorted({each for counts in catalogue.values() for each in counts})
        near = did_you_mean(name or "", names)
        raise NoEvidenceError(f"No evidence set is called {name!r}.{near} The store has {', '.join(names)}.")
    return choice


def _choose(task: str, counts: Mapping[str, int], name: str | None) -> str | None:
    """The set of one task: published before measured, the miniature last, then the one with more rows."""
    if name is None:
        return min(counts, key=lambda n: (not n.startswith("published"), is_miniature(n), -counts[n], n))
    matches = [n for n in counts if n == name] or sorted(n for n in counts if n.startswith(name))
    if len(matches) > 1:  # the miniature gives way to what people would ship
        matches = [n for n in matches if not is_miniature(n)] or matches
    if len(matches) > 1:
        raise InputError(f"Evidence {name!r} fits {', '.join(matches)} of {task}; name one of them.")
    return matches[0] if matches else None


def kind_of_set(name: str) -> str:
    """What evidence sets of several tasks have in common: source, device class and model family, without the split.

    >>> kind_of_set("measured-cpu-mini-c39d93cd"), kind_of_set("published-kang2023")
    ('measured-cpu-mini', 'published-kang2023')
    """
    return name if name.startswith("published") else name.rpartition("-")[0]


def is_miniature(name: str) -> bool:
    """Whether a set is of the first, tiny T5s, which nobody would ship: its cheap students stand beside an answer.

    >>> is_miniature("measured-cpu-mini-c39d93cd"), is_miniature("measured-cpu-modern-c39d93cd")
    (True, False)
    """
    return kind_of_set(name).endswith("-mini")


def related_sets(catalogue: Catalogue, kinds: AbstractSet[str]) -> dict[str, set[str]]:
    """For each task its largest set of each of some kinds, whichever set it is answered from."""
    return {
        task: {
            min((n for n in counts if kind_of_set(n) == kind), key=lambda n: (-counts[n], n))
            for kind in kinds & {kind_of_set(n) for n in counts}
        }
        for task, counts in catalogue.items()
    }


def run_sql(connection: Connection, sql: str, *, timeout: float = QUERY_SECONDS) -> QueryResult:
    """Run one SQL statement that somebody typed, for so many seconds at most.

    raises : InputError with DuckDB's words where the statement is wrong, not allowed, or takes too much time or memory
    """
    alarm = threading.Timer(timeout, connection.interrupt)
    alarm.start()
    try:
        answer = connection.execute(sql)
        if answer is None or answer.description is None:  # nothing but blanks or comments
            raise InputError("The query is empty; give one SQL statement, e.g. SELECT * FROM points.")
        columns = [c[0] for c in answer.description]
        rows = answer.fetchmany(MOST_ROWS + 1) if columns else []
        if len(rows) > MOST_ROWS:
            raise InputError(
                f"The answer has more than {MOST_ROWS:,} rows; add a LIMIT, or write all with `store export`."
            )
        return QueryResult(columns, rows)
    except duckdb.InterruptException:
        raise InputError(
            f"The query took longer than {timeout:g} seconds and was ended; join or read less, or raise --timeout."
        ) from None
    except (duckdb.OutOfMemoryException, MemoryError):
        raise InputError("The query needs more memory than 1 GB and was ended; join or sort less at once.") from None
    except (duckdb.Error, UnicodeError, OverflowError, ValueError) as error:
        words = re.sub(r"\s+", " ", str(error)).strip()
        raise InputError(
            f"The store refused the query: {words} Queries read the store's own tables and views; "
            f"`budgetsim store describe` lists them."
        ) from None
    finally:
        alarm.cancel()


def points_frame(connection: Connection) -> pandas.DataFrame:
    """The view `points` as a data frame: every distinct result, scores in percent."""
    frame: pandas.DataFrame = connection.execute("SELECT * FROM points ORDER BY run_id").df()
    return frame


def describe(connection: Connection) -> QueryResult:
    """Every table, view and column with its type and comment."""
    rows = connection.execute(
        "SELECT table_name, NULL, 'table', comment FROM duckdb_tables() WHERE NOT internal "
        "UNION ALL SELECT view_name, NULL, 'view', comment FROM duckdb_views() WHERE NOT internal "
        "UNION ALL SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal "
        "ORDER BY 1, 2 NULLS FIRST"
    ).fetchall()
    return QueryResult(["table", "column", "type", "comment"], rows)


def export_csv(connection: Connection, folder: Path) -> list[Path]:
    """Write every table and view as a CSV file of its name, to the folder that the connection exports to.

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
