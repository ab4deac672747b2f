"""The conductor of answers: evidence and fits from the store, prices from the card, options out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from budgetsim.choosing.options import EvidenceNote, Option
from budgetsim.compute import (
    ComputeModel,
    Hours,
    MeasuredStage,
    ModelledSpeed,
    PublishedHours,
    distill_hours,
    measured_hours,
    published_hours,
    student_only,
)
from budgetsim.costs import NO_TERMS, CostModel, Terms, cost_model, llm_usd_per_label
from budgetsim.design import Measurement
from budgetsim.errors import BudgetsimError, MissingPriceError, NoEvidenceError
from budgetsim.published import PAPER_LLM_USD_PER_MTOK, PAPER_POOL_SIZE, PAPER_PROMPT_TEXTS
from budgetsim.rates import RateCard
from budgetsim.store.database import open_reader
from budgetsim.store.fits import load_fit
from budgetsim.store.location import StorePaths, package_data
from budgetsim.store.query import (
    ComputeRow,
    ScoreRow,
    StageRow,
    choose_evidence,
    kind_of_set,
    load_catalogue,
    load_compute,
    load_measurements,
    load_scores,
    load_stages,
    related_sets,
)
from budgetsim.surface import Surface, TaskFit
from budgetsim.tasks import Task, get_task, known_tasks

if TYPE_CHECKING:
    from budgetsim.points import Point, PointAnswer

CHEAP_STUDENTS = ("overlap", "tfidf-lr", "encoder-lr")
NOT_CHARGED = "not charged"  # compute model of a student whose training is free
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything an answer rests on: a set of measurements for each task, and compute."""

    paths: StorePaths
    sets: Mapping[str, str]  # task -> evidence set
    measurements: tuple[Measurement, ...]  # of those sets
    related: tuple[Measurement, ...] = ()  # of every task, in sets of the same kinds: for fits of the others
    cheap: tuple[ScoreRow, ...]  # of cheap students, whatever their set
    compute: tuple[ComputeRow, ...]
    stages: tuple[StageRow, ...] = ()  # of those sets

    @property
    def tasks(self) -> list[str]:
        """Tasks with evidence of one kind, in the order of their names: published ones where there are any."""
        known = {task.name for task in known_tasks()}
        published = [task for task, name in self.sets.items() if _is_published(name) and task in known]
        return sorted(published or known & set(self.sets))

    def set_of(self, task: str) -> str:
        """The evidence set of a task.

        raises : NoEvidenceError
        """
        if task not in self.sets:
            cheap = sorted({row.student for row in self.cheap if row.task == task})
            besides = f" but cheap students' ({', '.join(cheap)})" if cheap else ""
            raise NoEvidenceError(
                f"There is no evidence on task {task!r}{besides}; there is on {', '.join(sorted(self.sets))}. "
                f"Measure it with `budgetsim measure --task {task}`, or choose another with --evidence."
            )
        return self.sets[task]

    def rows(self, task: str) -> list[Measurement]:
        return [m for m in self.measurements if m.task == task]

    def others(self, task: str) -> list[Measurement]:
        """Rows of other tasks that a fit of this one is made beside: a set of the same kind, the largest, of each.

        raises : NoEvidenceError where there is none on the task
        """
        kind = kind_of_set(self.set_of(task))
        return [m for m in self.related if m.task != task and kind_of_set(m.evidence_set) == kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What money can buy on one task, and what was left out and why.

    unpriced : surfaces that were left out for want of a price
    """

    task: Task
    fit: TaskFit
    options: tuple[Option, ...]
    notes: tuple[str, ...] = field(default=())
    unpriced: tuple[Surface, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A cheap student beside the T5 ones: seconds on a CPU. Percent, mean over runs."""

    student: str
    n_labels: int
    score: float
    n_runs: int
    cost_usd: float | None  # None where the card has no price of a label
    evidence_set: str


def load_evidence(
    paths: StorePaths, wanted: str | None = None, say: Say = lambda _: None, tasks: Sequence[str] | None = None
) -> Evidence:
    """Read the store; a store that does not exist is made from the evidence in the package.

    wanted : evidence set, or the start of its name
    tasks : those whose measurements are needed, besides rows of others that their fits are made beside; None
        for all. `Evidence.rows` of a task that is not among them is empty
    raises : StoreError, StoreLockedError, NoEvidenceError, InputError
    """
    if ensure_store(paths):
        say(f"Made the store {paths.database} from the published evidence that ships with budgetsim.")
    if (paths.folder / "tasks").is_dir():
        from budgetsim.train.custom import register_custom_tasks  # tasks of one's own, where there are any

        register_custom_tasks(paths.folder / "tasks")
    with open_reader(paths.database) as connection:
        catalogue = load_catalogue(connection, CHEAP_STUDENTS)
        sets = choose_evidence(catalogue, wanted)
        needed = {sets[task] for task in (sets if tasks is None else tasks) if task in sets}
        related = related_sets(catalogue, {kind_of_set(name) for name in needed})
        rows = load_measurements(connection, sorted(needed.union(*related.values())))
        rows = [m for m in rows if m.student not in CHEAP_STUDENTS]
        measured = sorted(name for name in needed if not _is_published(name))
        return Evidence(
            paths=paths,
            sets=sets,
            measurements=tuple(m for m in rows if m.evidence_set == sets.get(m.task) and m.evidence_set in needed),
            related=tuple(m for m in rows if m.evidence_set in related[m.task]),
            cheap=tuple(load_scores(connection, CHEAP_STUDENTS)),
            compute=tuple(load_compute(connection)),
            stages=tuple(load_stages(connection, measured)) if measured else (),
        )


def ensure_store(paths: StorePaths) -> bool:
    """Make the store from the evidence in the package where there is none; say whether it was made."""
    if paths.database.exists():
        return False
    from budgetsim.store.merge import seed  # writing is rare

    return seed(paths)


def task_fit(evidence: Evidence, task: str, say: Say = lambda _: None) -> TaskFit:
    """The stored fit of a task where it is fresh, else a new one (not saved: `budgetsim fit` does that).

    raises : NoEvidenceError where the set has no rows of that task
    """
    evidence.set_of(task)
    fit = stored_fit(evidence, task)
    if fit is not None:
        return fit
    from budgetsim.fitting.fittask import fit_task  # SciPy, only where a fit is stale

    say(f"The stored fit of {task} is missing or stale: fitting now. `budgetsim fit` stores fits.")
    return fit_task(evidence.rows(task), others=evidence.others(task))


def stored_fit(evidence: Evidence, task: str) -> TaskFit | None:
    """The fit that lies beside the store or ships with the package, if it is of these very rows."""
    folders = [evidence.paths.fits, package_data("fits")]
    return load_fit(folders, evidence.set_of(task), task, evidence.rows(task), evidence.others(task))


def answer_points(
    evidence: Evidence,
    points: Sequence[Point],
    card: RateCard,
    *,
    compute: ComputeModel = "published",
    say: Say = lambda _: None,
) -> list[PointAnswer]:
    """Answer points in their order; one that no evidence covers says so in its reason."""
    fits: dict[str, TaskFit] = {}  # a stale fit is made again once, not once a point
    return [_answer_point(evidence, point, card, compute, fits, say) for point in points]


def _answer_point(
    evidence: Evidence, point: Point, card: RateCard, compute: ComputeModel, fits: dict[str, TaskFit], say: Say
) -> PointAnswer:
    from budgetsim.points import answer_constant, answer_point, find_surface, unanswered  # only `simulate` needs it

    try:
        if point.strategy == "constant":
            return answer_constant(point, get_task(point.task))
        if point.task not in fits:
            fits[point.task] = task_fit(evidence, point.task, say)
        surface = find_surface(fits[point.task], point)
    except NoEvidenceError as error:
        return unanswered(point, str(error))
    note = _note(evidence, surface, point.task)
    try:
        option = _option(evidence, surface, get_task(point.task), card, compute, 0.0)
    except MissingPriceError as error:
        return answer_point(point, surface, note, None, reason=f"no cost: {str(error).rstrip('.')}")
    uncharged = _uncharged_words(option, card).rstrip(".") if _is_uncharged(option, card) else None
    return answer_point(point, surface, note, option.cost, reason=uncharged)


def open_choices(
    evidence: Evidence,
    tasks: Sequence[str] | None,
    card: RateCard,
    *,
    compute: ComputeModel = "published",
    owned_labels: float = 0.0,
    terms: Terms = NO_TERMS,
    strategies: Sequence[str] = (),
    students: Sequence[str] = (),
    say: Say = lambda _: None,
) -> list[Choices]:
    """What money can buy on several tasks.

    tasks : those asked for by name; None for all with evidence, of which those that cannot be
        answered are passed over with a word
    raises : as `choices`, for a task that was asked for, or where no task can be answered
    """
    found: list[Choices] = []
    refused: BudgetsimError | None = None
    for name in dict.fromkeys(evidence.tasks if tasks is None else tasks):
        try:
            found.append(
                choices(
                    evidence,
                    name,
                    card,
                    compute=compute,
                    owned_labels=owned_labels,
                    terms=terms,
                    strategies=strategies,
                    students=students,
                    say=say,
                )
            )
        except (MissingPriceError, NoEvidenceError) as error:
            if tasks is not None:
                raise
            refused = error
            say(f"{name} passed over: {error}")
    if not found and refused is not None:
        raise refused
    return found


def choices(
    evidence: Evidence,
    task: str,
    card: RateCard,
    *,
    compute: ComputeModel = "published",
    owned_labels: float = 0.0,
    terms: Terms = NO_TERMS,
    strategies: Sequence[str] = (),
    students: Sequence[str] = (),
    fit: TaskFit | None = None,
    say: Say = lambda _: None,
) -> Choices:
    """Price every fitted strategy of a task.

    strategies : those asked for by name; empty for all. One that is asked for and has no price is an
        error; one that is not is left out with a note.
    students : those to choose among; empty for all
    terms : an owned teacher, bounds of labels and texts, time
    fit : another than the stored one of the evidence
    raises : MissingPriceError, NoEvidenceError
    """
    fit = fit or task_fit(evidence, task, say)
    facts = get_task(task)
    options, unpriced, notes = [], [], list(fit.warnings)
    missing = [s for s in strategies if s != "constant" and s not in {f.strategy for f in fit.surfaces}]
    if missing:
        raise NoEvidenceError(f"Evidence {evidence.set_of(task)} has no fitted {missing[0]} on {task}; leave it out.")
    unknown = [s for s in students if s not in {f.student for f in fit.surfaces}]
    if unknown:
        raise NoEvidenceError(
            f"Evidence {evidence.set_of(task)} has no fitted student {unknown[0]} on {task}; it has "
            f"{', '.join(sorted({f.student for f in fit.surfaces}))}."
        )
    _check_teacher(terms, fit)
    refused: MissingPriceError | None = None
    for surface in fit.surfaces:
        if (strategies and surface.strategy not in strategies) or (students and surface.student not in students):
            continue
        try:
            options += _ways(evidence, surface, facts, card, compute, owned_labels, terms)
        except MissingPriceError as error:
            if strategies:
                raise
            refused = error
            unpriced.append(surface)
            notes.append(f"{surface.strategy} left out: {error}")
    if not options and refused is not None:
        raise refused  # nothing at all has a price: no answer is better than a wrong one
    notes += [] if strategies else _never_run(evidence, fit)
    notes += _assumptions(evidence, facts, card, options) + _term_notes(terms, owned_labels)
    return Choices(
        task=facts,
        fit=fit,
        options=tuple(options),
        notes=tuple(dict.fromkeys(notes)),
        unpriced=tuple(unpriced),
    )


def reprice(
    evidence: Evidence, open_to: Choices, card: RateCard, compute: ComputeModel, terms: Terms = NO_TERMS
) -> list[Option]:
    """The same options under other terms, and with no owned labels.

    raises : MissingPriceError
    """
    surfaces = {o.surface.group: o.surface for o in open_to.options}  # an owned teacher makes two options of one
    return [_option(evidence, s, open_to.task, card, compute, 0.0, terms) for s in surfaces.values()]


def _never_run(evidence: Evidence, fit: TaskFit) -> list[str]:
    """Strategies that other tasks have runs of, in sets of the same kind, and this one has not."""
    if fit.task not in evidence.sets:
        return []
    names = sorted({m.strategy for m in evidence.others(fit.task)} - {s.strategy for s in fit.surfaces})
    if not names:
        return []
    return [
        f"no run of {' or '.join(names)} on {fit.task}, though on other tasks: not looked at, also not as a next run."
    ]


def _check_teacher(terms: Terms, fit: TaskFit) -> None:
    teachers = sorted({s.teacher for s in fit.surfaces if s.teacher})
    if terms.owned_teacher is not None and terms.owned_teacher[0] not in teachers:
        raise NoEvidenceError(
            f"Evidence {fit.evidence_set} has no fitted teacher {terms.owned_teacher[0]} on {fit.task}; it has "
            f"{', '.join(teachers) or 'none'}."
        )
    if terms.owned_teacher is not None:
        name, n = terms.owned_teacher
        known = max(float(s.knots[0][-1]) for s in fit.surfaces if s.teacher == name)
        if n > known:
            raise NoEvidenceError(
                f"--owned-teacher {name}:{n}: scores are known up to {known:,.0f} n_labels; the owned teacher has "
                f"more. Name a teacher on {known:,.0f} labels or fewer, or leave it out."
            )


def _assumptions(evidence: Evidence, task: Task, card: RateCard, options: Sequence[Option]) -> list[str]:
    """What an answer takes for granted, said with it."""
    notes = [_uncharged_words(o, card) for o in options if _is_uncharged(o, card)]
    strategies = {o.surface.strategy for o in options}
    derived = [m for m in evidence.rows(task.name) if m.derived]
    llm = [m for m in derived if "n_llm_labels" in m.derived]
    texts = [m for m in derived if "n_unlabeled" in m.derived]
    if llm and card.llm is not None and strategies & {"llm_annotate", "annotate_plus_llm"}:
        notes.append(
            f"the paper prints dollars, not LLM labels: their number is implied by a prompt of {PAPER_PROMPT_TEXTS} "
            f"texts at ${PAPER_LLM_USD_PER_MTOK:g} a million tokens; here one costs "
            f"${llm_usd_per_label(card.llm, task):.3g} ({card.llm.model})."
        )
    if texts and "distill" in strategies:
        capped = sum("capped:n_unlabeled" in m.derived for m in texts)
        notes.append(
            f"the texts of {len(texts)} distilled rows are implied by dollars, {capped} of them cut at the pool of "
            f"{PAPER_POOL_SIZE:,}."
        )
    return notes


def _is_uncharged(option: Option, card: RateCard) -> bool:
    """Whether the student's training on labels is left out of the cost although the card wants it charged."""
    return card.overheads.charge_student_training and option.hours is not None and option.hours.model == NOT_CHARGED


def _uncharged_words(option: Option, card: RateCard) -> str:
    lacks = "no utilisation to model it with"
    if option.hours is not None and not card.has_device(option.hours.device_class):
        lacks = f"no price for a {option.hours.device_class}; add a `{option.hours.device_class}:`"
    return f"training the student on labels is not charged: the card has {lacks}."


def _term_notes(terms: Terms, owned_labels: float) -> list[str]:
    """What is taken for granted of an owned teacher and of time."""
    notes = []
    if terms.owned_teacher is not None and owned_labels < terms.owned_teacher[1]:
        notes.append("the labels of the owned teacher do not count as owned; --owned-labels would say that they do.")
    if terms.labels_per_day is not None:
        notes.append(
            f"days are labels at {terms.labels_per_day:g} a day, then tuning, labelling and training, one after the "
            f"other; device-hours are taken to divide by the devices, {terms.gpus} of them day and night; LLM labels "
            f"take no time."
        )
    return notes


def _option(
    evidence: Evidence,
    surface: Surface,
    task: Task,
    card: RateCard,
    compute: ComputeModel,
    owned_labels: float,
    terms: Terms = NO_TERMS,
) -> Option:
    """The priced option.

    raises : MissingPriceError where a price or the hours of its compute are not known
    """
    hours = _hours(evidence, surface, task, card, compute)
    if hours is None:
        raise MissingPriceError(
            f"no {compute} compute is known for {surface.teacher} into {surface.student} on {task.name}; "
            f"give the card a utilisation, or choose another --compute."
        )
    if surface.strategy != "distill" and not card.has_device(hours.device_class):
        hours = Hours(model=NOT_CHARGED, device_class=hours.device_class)
    cost = cost_model(surface.strategy, task, card, hours, owned_labels=owned_labels, terms=terms)
    return Option(
        surface=surface,
        cost=_under_terms(cost, card, hours, terms, surface.teacher, owned_labels),
        evidence=_note(evidence, surface, task.name),
        hours=hours,
    )


def _ways(
    evidence: Evidence,
    surface: Surface,
    task: Task,
    card: RateCard,
    compute: ComputeModel,
    owned_labels: float,
    terms: Terms,
) -> list[Option]:
    """The priced option; where its teacher is owned, also without it: fewer labels may do with more texts."""
    option = _option(evidence, surface, task, card, compute, owned_labels, terms)
    if terms.owned_teacher is None or terms.owned_teacher[0] != surface.teacher:
        return [option]
    free = terms._replace(owned_teacher=None)
    anew = _option(evidence, surface, task, card, compute, owned_labels, free)
    return [option, replace(anew, left_aside=terms.owned_teacher[1])]


def _under_terms(
    cost: CostModel, card: RateCard, hours: Hours, terms: Terms, teacher: str | None, owned_labels: float
) -> CostModel:
    if terms.owned_teacher is None and terms.labels_per_day is None:
        return cost
    from budgetsim.choosing.purse import under  # only where time or a teacher is spoken of

    return under(cost, card, hours, terms, teacher, owned_labels)


def _hours(evidence: Evidence, surface: Surface, task: Task, card: RateCard, compute: ComputeModel) -> Hours | None:
    if not _is_published(evidence.set_of(task.name)):
        return _measured(evidence, surface, task.name)
    speed = modelled_speed(card)
    if surface.strategy != "distill":
        modelled = student_only(surface.student, task, speed) if card.overheads.charge_student_training else None
        return modelled or Hours(model=NOT_CHARGED, device_class="gpu")
    if surface.teacher is None:
        return None
    bills = _published(evidence, task.name, surface.teacher, surface.student)
    return distill_hours(compute, surface.teacher, surface.student, task, bills, speed)


_SIZE_OF = {"distill": "n_unlabeled", "llm_annotate": "n_llm_labels"}  # what a student trains on; else its labels


def _measured(evidence: Evidence, surface: Surface, task: str) -> Hours | None:
    """Hours of the stages that the runs of a surface rest on, whatever the compute model asked for."""
    group = surface.group
    stages = [s for s in evidence.stages if s.task == task and (s.strategy, s.teacher, s.labeler, s.student) == group]
    size = _SIZE_OF.get(surface.strategy, "n_labels")
    return measured_hours(
        [
            MeasuredStage(
                kind=s.kind,
                n=getattr(s, size if s.kind == "train_student" else "n_labels"),
                examples=s.examples,
                hours=s.hours,
            )
            for s in stages
        ],
        _device_class(evidence.set_of(task)),
    )


def _is_published(evidence_set: str) -> bool:
    return evidence_set.startswith("published")


def _device_class(evidence_set: str) -> str:
    """cpu or gpu: the second word of a measured set's name."""
    return evidence_set.split("-")[1]


def _published(evidence: Evidence, task: str, teacher: str, student: str) -> PublishedHours | None:
    source = evidence.set_of(task).replace("published-", "published:", 1)
    return published_hours(
        [
            (row.kind, row.n_labels, row.gpu_hours)
            for row in evidence.compute
            if (row.source, row.task, row.teacher, row.student) == (source, task, teacher, student)
        ]
    )


def modelled_speed(card: RateCard) -> ModelledSpeed | None:
    """The card's utilisation as the mathematics wants it, or None."""
    use = card.utilisation
    if use is None:
        return None
    return ModelledSpeed(
        peak_tflops=use.peak_tflops,
        teacher_training=use.teacher_training,
        labelling=use.labelling,
        student_training=use.student_training,
        seconds_per_step=use.seconds_per_step,
    )


def _note(evidence: Evidence, surface: Surface, task: str) -> EvidenceNote:
    name = evidence.set_of(task)
    published = _is_published(name)
    return EvidenceNote(
        set=name,
        source="published" if published else "measured",
        device=None if published else _device_class(name),
        n_rows=surface.n_rows,
    )


def rivals(
    evidence: Evidence, task: str, card: RateCard, *, owned_labels: float = 0.0, terms: Terms = NO_TERMS
) -> list[Rival]:
    """Cheap students measured on the task, best first; their labels priced by the card, besides those owned.

    terms : those whose labels nobody can give, or not in time, are left out
    """
    price = card.label_price(task)
    available = card.available(task) if terms.max_labels is None else terms.max_labels
    most = min(
        math.inf if available is None else available,
        math.inf if terms.labels_per_day is None else terms.labels_per_day * terms.deadline_days,
    )
    found = [
        Rival(
            student=row.student,
            n_labels=row.n_labels,
            score=row.score,
            n_runs=row.n_runs,
            cost_usd=None if price is None else max(row.n_labels - owned_labels, 0.0) * float(price.usd),
            evidence_set=row.evidence_set,
        )
        for row in evidence.cheap
        if row.task == task and row.n_labels - owned_labels <= most
    ]
    return sorted(found, key=lambda r: (-r.score, r.n_labels))
