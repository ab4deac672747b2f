"""What an answer rests on: measurements of the store, and the fits made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING

from budgetsim.data.tasks import known_tasks
from budgetsim.design.borrowing import FEW_SIZES, borrowed
from budgetsim.design.models import CPU_SHAPES
from budgetsim.design.points import DesignRuns, Measurement, Ran, Route
from budgetsim.design.surface import TaskFit
from budgetsim.doors.amounts import did_you_mean
from budgetsim.errors import NoEvidenceError
from budgetsim.store.database import Connection, open_reader
from budgetsim.store.fits import load_fit, save_fit
from budgetsim.store.location import StorePaths, package_data, store_option
from budgetsim.store.measurements import load_designs, load_measurements
from budgetsim.store.probes import load_probed_llms, load_probes
from budgetsim.store.query import (
    CallerRow,
    Catalogue,
    ComputeRow,
    ScoreRow,
    StageRow,
    all_sets,
    choose_evidence,
    is_miniature,
    kind_of_set,
    load_callers,
    load_catalogue,
    load_compute,
    load_scores,
    load_stages,
    related_sets,
)
from budgetsim.store.ranges import check_ranges

if TYPE_CHECKING:
    from budgetsim.answers.forecasting import Known

Say = Callable[[str], None]
Chosen = Callable[[Mapping[str, str]], Sequence[str]]  # of task -> evidence set, the tasks that are asked about


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything an answer rests on: a set of measurements for each task, and compute."""

    paths: StorePaths
    sets: Mapping[str, str]  # task -> evidence set
    measurements: tuple[Measurement, ...]  # of those sets
    related: tuple[Measurement, ...] = ()  # of tasks that fits lean on, in sets of the same kinds
    ran: tuple[DesignRuns, ...] = ()  # designs of every task in sets of the same kinds
    cheap: tuple[ScoreRow, ...]  # of students measured here on labels, whatever their set; of forecast tasks probes too
    callers: tuple[CallerRow, ...] = ()  # LLMs that answered test items themselves
    compute: tuple[ComputeRow, ...]
    stages: tuple[StageRow, ...] = ()  # of those sets; where a task is forecast, of the others it is forecast from
    forecasts: Mapping[str, TaskFit] = field(default_factory=dict)  # fits of tasks with no runs, or few, from others
    ms_per_text: Mapping[str, float] = field(default_factory=dict)  # by student, the median task; where one is forecast

    @property
    def tasks(self) -> list[str]:
        """Tasks with evidence, by name; those with published evidence go first."""
        names = {task.name for task in known_tasks()}
        return sorted(names & set(self.sets), key=lambda task: (not is_published(self.sets[task]), task))

    def set_of(self, task: str) -> str:
        """The evidence set of a task.

        raises : NoEvidenceError
        """
        if task not in self.sets:
            cheap = sorted({row.student for row in self.cheap if row.task == task})
            besides = f" but cheap students' ({', '.join(cheap)})" if cheap else ""
            known = sorted(self.tasks or self.sets)  # runs of tasks that nobody here added answer nothing
            near = "" if any(t.name == task for t in known_tasks()) else did_you_mean(task, known)
            there = f"there is on {', '.join(known)}."
            if near:
                raise NoEvidenceError(f"There is no evidence on task {task!r}{besides}.{near} T{there[1:]}")
            raise NoEvidenceError(
                f"There is no evidence on task {task!r}{besides}; {there}{self._how_to_measure(task)}"
            )
        return self.sets[task]

    def _how_to_measure(self, task: str) -> str:
        """The commands that bring evidence on a task into this store."""
        store = store_option(self.paths)
        known = any(t.name == task for t in known_tasks())
        named = f' Name it where evidence is read, load_evidence(paths, tasks=["{task}"]), and it is forecast; or'
        first = named if known else f" Bring it with `budgetsim tasks add {task} --train FILE --test FILE{store}`, then"
        return f"{first} {'m' if first else 'M'}easure it with `budgetsim measure --task {task}{store}`."

    def rows(self, task: str) -> list[Measurement]:
        return [m for m in self.measurements if m.task == task]

    def others(self, task: str) -> list[Measurement]:
        """Rows of other tasks that a fit of this one leans on: all of a task's, in the largest set of the same kind.

        raises : NoEvidenceError where there is none on the task
        """
        kind = kind_of_set(self.set_of(task))
        return [m for m in self.related if m.task != task and kind_of_set(m.evidence_set) == kind]

    def elsewhere(self, task: str) -> list[DesignRuns]:
        """Designs of other tasks, of each in the largest set of the same kind.

        raises : NoEvidenceError where there is none on the task
        """
        kind = kind_of_set(self.set_of(task))
        return [d for d in self.ran if d.task != task and kind_of_set(d.evidence_set) == kind]


def load_evidence(
    paths: StorePaths, name: str | None = None, say: Say = lambda _: None, tasks: Sequence[str] | Chosen | None = None
) -> Evidence:
    """Read the store; a store that does not exist is made from the evidence in the package.

    name : of the evidence set, or the start of it
    tasks : those whose measurements are needed, besides rows of others that their fits lean on; None
        for all, a function to choose them from all. `Evidence.rows` of a task that is not among them is empty. One that
        is named and has no runs, or too few for a fit of its own, is forecast from other tasks
    raises : StoreError, StoreLockedError, NoEvidenceError, InputError
    """
    if ensure_store(paths):
        say(f"Made the store {paths.database} from the published evidence that ships with budgetsim.")
    if (paths.folder / "tasks").is_dir():
        from budgetsim.data.custom import register_custom_tasks  # tasks of one's own, where there are any

        register_custom_tasks(paths.folder / "tasks", say)
    with open_reader(paths.database) as connection:
        check_ranges(connection)
        catalogue = load_catalogue(connection, list(CPU_SHAPES))
        sets = choose_evidence(catalogue, name)
        if callable(tasks):
            known = {task.name for task in known_tasks()}
            chosen = tasks({task: held for task, held in sets.items() if task in known})
            return _read(connection, paths, catalogue, sets, chosen)
        evidence = _read(connection, paths, catalogue, sets, tasks)
        lacking = [task for task in tasks or () if _lacks_runs(evidence, task)]
        return _forecast(connection, evidence, lacking, name) if lacking else evidence


def load_sets(paths: StorePaths, wanted: Mapping[str, Sequence[str]]) -> Iterator[Evidence]:
    """Of each evidence set the evidence of some of its tasks, from a store that `load_evidence` has looked at.

    wanted : set -> its tasks; none is forecast
    raises : StoreError, NoEvidenceError
    """
    with open_reader(paths.database) as connection:
        catalogue = load_catalogue(connection, list(CPU_SHAPES))
        for name, tasks in wanted.items():
            yield _read(connection, paths, catalogue, choose_evidence(catalogue, name), tasks)


def _read(
    connection: Connection,
    paths: StorePaths,
    catalogue: Catalogue,
    sets: Mapping[str, str],
    asked: Sequence[str] | None,
) -> Evidence:
    """The evidence of some tasks; of others their designs, and the runs of those alone that a fit leans on."""
    tasks = [task for task in (sets if asked is None else asked) if task in sets]
    needed = {sets[task] for task in tasks}
    related = related_sets(catalogue, {kind_of_set(evidence_set) for evidence_set in needed})
    read = sorted(needed.union(*related.values()))
    designs = [
        d
        for d in load_designs(connection, read)
        if not _stands_beside(d) and (d.evidence_set in related[d.task] or d.evidence_set == sets.get(d.task))
    ]
    measured = sorted(s for s in needed if not is_published(s))
    evidence = Evidence(
        paths=paths,
        sets=sets,
        measurements=(),
        ran=tuple(designs),
        cheap=tuple(load_scores(connection, list(CPU_SHAPES), asked)),
        callers=(*load_callers(connection, asked), *load_probed_llms(connection, asked)),
        compute=tuple(load_compute(connection)),
        stages=tuple(load_stages(connection, measured, asked)) if measured else (),
    )
    lenders = set[str]().union(*(_lenders(evidence, task) for task in tasks))
    rows = [m for m in load_measurements(connection, read, sorted({*tasks, *lenders})) if not _stands_beside(m)]
    return replace(
        evidence,
        measurements=tuple(m for m in rows if m.evidence_set == sets.get(m.task) and m.task in tasks),
        related=tuple(m for m in rows if m.evidence_set in related[m.task] and m.task in lenders),
    )


def _lenders(evidence: Evidence, task: str) -> set[str]:
    """Other tasks of which a fit of this one can see a row."""
    own = [d for d in evidence.ran if d.task == task and d.evidence_set == evidence.sets[task]]
    return {d.task for d in borrowed(own, evidence.elsewhere(task))}


def _stands_beside(m: Ran) -> bool:
    """Whether a result of the miniature's sets is of a cheap student, which stands beside the answer."""
    return is_miniature(m.evidence_set) and m.route.student not in CPU_SHAPES


def _lacks_runs(evidence: Evidence, task: str) -> bool:
    """Whether a task is to be forecast: one of the user's, or described, on which no route has enough sizes to fit."""
    facts = next((t for t in known_tasks() if t.name == task), None)
    if facts is None or task not in evidence.sets:
        return facts is not None
    if facts.origin != "custom":
        return False
    sizes: dict[Route, set[tuple[float | None, ...]]] = {}
    for m in evidence.rows(task):
        sizes.setdefault(m.route, set()).add(m.inputs)
    return all(len(each) < FEW_SIZES for each in sizes.values())


def load_known(paths: StorePaths, say: Say = lambda _: None) -> Known:
    """All that forecasts rest on, of a whole store.

    raises : as `load_evidence`
    """
    from budgetsim.answers.forecasting import known

    load_evidence(paths, None, say, [])  # makes the store and registers tasks of one's own
    with open_reader(paths.database) as connection:
        return known(paths, load_designs(connection, all_sets(connection), with_scores=True))


def _forecast(connection: Connection, evidence: Evidence, tasks: Sequence[str], kinds: str | None) -> Evidence:
    """The same with fits of some tasks from all others.

    kinds : how the sets begin that routes are taken from; None for all
    """
    from budgetsim.answers.forecasting import FORECAST, forecast_fit, known, offered_routes

    catalogue = load_catalogue(connection)
    measured = sorted({n for counts in catalogue.values() for n in counts if not (is_published(n) or is_miniature(n))})
    rows = load_designs(connection, all_sets(connection), with_scores=True)
    facts = known(evidence.paths, rows, tasks)
    store = store_option(evidence.paths)
    fits = {task: forecast_fit(facts, task, offered_routes(facts.rows, task, kinds), store=store) for task in tasks}
    run = {(row.task, row.student) for row in evidence.cheap}
    took = median_ms(load_scores(connection, list(CPU_SHAPES)))
    probed = [
        replace(row, ms_per_text=took.get(row.student))
        for row in load_probes(connection, tasks)
        if (row.task, row.student) not in run
    ]
    return replace(
        evidence,
        sets={**evidence.sets, **dict.fromkeys(fits, FORECAST)},
        cheap=(*evidence.cheap, *probed),
        stages=tuple(load_stages(connection, measured)),
        forecasts=fits,
        ms_per_text=took,
    )


def median_ms(rows: Sequence[ScoreRow]) -> dict[str, float]:
    """Milliseconds of a processor that each student takes a text: the median over tasks of each one's median size."""
    by_task: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row.ms_per_text is not None:
            by_task.setdefault((row.student, row.task), []).append(row.ms_per_text)
    of_tasks: dict[str, list[float]] = {}
    for (student, _), each in by_task.items():
        of_tasks.setdefault(student, []).append(median(each))
    return {student: median(each) for student, each in of_tasks.items()}


def ensure_store(paths: StorePaths) -> bool:
    """Make the store from the evidence in the package where there is none; say whether it was made."""
    if paths.database.exists():
        return False
    from budgetsim.store.merge import seed  # writing is rare

    return seed(paths)


def task_fit(evidence: Evidence, task: str, say: Say = lambda _: None) -> TaskFit:
    """The stored fit of a task where it is fresh, else a new one, stored if the place can be written.

    raises : NoEvidenceError where the set has no rows of that task
    """
    evidence.set_of(task)
    return stored_fit(evidence, task) or fit_and_store(evidence, task, say)


def fit_and_store(evidence: Evidence, task: str, say: Say = lambda _: None) -> TaskFit:
    """A new fit of a task, stored beside the store; where that cannot be written, a word says so.

    raises : NoEvidenceError where no row states all its inputs
    """
    from budgetsim.fitting.task import fit_task  # SciPy, only where a fit is stale

    rows = evidence.rows(task)
    say(f"The stored fit of {task} is missing or stale: fitting now, {len(rows)} rows ...")
    made = fit_task(rows, others=evidence.others(task))
    fit = TaskFit.from_json(made.to_json())  # rounded, as the next answer reads it
    try:
        say(f"Stored {save_fit(evidence.paths.fits, fit)}")
    except OSError as error:
        say(f"The fit is not stored, so the next answer fits again: {error.strerror} ({evidence.paths.fits}).")
    return fit


def stored_fit(evidence: Evidence, task: str) -> TaskFit | None:
    """The forecast of a task without runs, else the fit, beside the store or in the package, of these very rows."""
    if task in evidence.forecasts:
        return evidence.forecasts[task]
    folders = [evidence.paths.fits, package_data("fits")]
    return load_fit(folders, evidence.set_of(task), task, evidence.rows(task), evidence.others(task))


def is_published(evidence_set: str) -> bool:
    """Whether a set's results were read off a publication, not measured."""
    return evidence_set.startswith("published")


def device_class(evidence_set: str) -> str:
    """cpu or gpu: the second word of a measured set's name."""
    return evidence_set.split("-")[1]
